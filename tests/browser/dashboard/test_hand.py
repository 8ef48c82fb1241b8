"""A dashboard under a reader's hand: mouse, keys, fingers, and how it is seen."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from featrix_notebook.widgets.dashboard import TrainingDashboard
from tests.browser.conftest import pixels
from tests.browser.dashboard.page import Host, ScriptedRun, curve_pixels


def test_zoom_reset_log_and_crosshair(show: Callable[..., Host]) -> None:
    loss = [3 / n for n in range(1, 101)]
    loss[50] = -1.0
    log = {"loss": loss, "val_loss": [4 / n for n in range(1, 101)], "accuracy": [0.5] * 100}
    host = show(TrainingDashboard(log))
    page = host.page
    plot = page.locator(".ftx-chart .u-over").first
    box = plot.bounding_box()
    assert box is not None
    reset = page.get_by_role("button", name="Reset zoom")
    assert reset.is_hidden()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 60, steps=5)
    page.mouse.up()
    host.pump()
    assert reset.is_visible()
    page.get_by_role("button", name="Log", exact=True).click()
    host.pump()
    assert "1 value at or below zero is left out" in host.note()
    reset.click()
    host.pump()
    assert reset.is_hidden()
    page.mouse.move(box["x"] + 1, box["y"] + 50)
    host.pump()
    assert host.text("[data-key=loss] output") == "3"
    assert host.text("[data-key=validation_loss] output") == "4"
    assert host.text(".ftx-heading output") == "0.5"
    page.locator("[data-key=loss]").click()
    host.pump()
    assert page.locator("[data-key=loss]").get_attribute("aria-pressed") == "false"


def test_keyboard_reads_and_zooms(show: Callable[..., Host]) -> None:
    host = show(TrainingDashboard({"loss": [4.0, 3.0, 2.0, 1.0], "val_loss": [5.0, 4.0, 3.0, 2.0]}))
    chart = host.page.get_by_role("group", name="Loss by epoch")
    chart.focus()
    host.page.keyboard.press("Home")
    host.page.keyboard.press("ArrowRight")
    host.pump()
    assert host.text("[data-key=loss] output") == "3"
    host.page.wait_for_function(
        "[...document.querySelectorAll('[role=status]')].at(-1).innerText"
        " === 'Epoch 2, Training 3, Validation 4'",
        timeout=2000,
    )
    host.page.keyboard.press("+")
    host.pump()
    assert host.page.get_by_role("button", name="Reset zoom").is_visible()
    host.page.keyboard.press("Escape")
    host.pump()
    assert host.page.get_by_role("button", name="Reset zoom").is_hidden()
    name = chart.get_attribute("aria-label") or ""
    assert "training loss 1, validation loss 2, best 2 at epoch 4" in name


def test_hostile_names_are_text(show: Callable[..., Host]) -> None:
    evil = "<img src=x onerror=\"document.title='owned'\">‮ 😀 " + "x" * 10_000
    host = show(
        TrainingDashboard({evil: {"loss": [1.0, 2.0], evil: [1.0, 2.0]}, "b": {"loss": [2.0]}})
    )
    host.pump()
    assert host.page.title() == ""
    assert host.page.locator("img").count() == 0
    assert host.text(".ftx-name").startswith("<img src=x")
    width = host.page.evaluate("document.documentElement.scrollWidth")
    assert width <= 1000


@pytest.mark.parametrize("values", [[math.nan] * 3, [math.inf, 1.0, -math.inf], [0.0], [5.0, 5.0]])
def test_odd_numbers_are_drawn_without_complaint(
    show: Callable[..., Host], values: list[float]
) -> None:
    host = show(TrainingDashboard({"loss": values, "other": [1.0] * len(values)}))
    host.page.get_by_role("button", name="Log", exact=True).click()
    host.pump()
    assert host.page.locator(".ftx-dash").is_visible()


def test_theme_narrow_motion_and_forced_colours(show: Callable[..., Host]) -> None:
    host = show(TrainingDashboard({"loss": [3.0, 2.0, 1.0]}), width=340)
    page = host.page
    assert page.locator(".ftx-dash").get_attribute("data-theme") == "light"
    before = curve_pixels(host)
    page.evaluate("document.body.setAttribute('data-jp-theme-light', 'false')")
    page.wait_for_selector(".ftx-dash[data-theme=dark]")
    host.pump()
    assert curve_pixels(host) < before / 2
    assert page.evaluate("document.documentElement.scrollWidth") <= 340
    page.emulate_media(forced_colors="active", reduced_motion="reduce")
    host.pump()
    assert page.locator(".ftx-dash").is_visible()


def test_a_view_drawn_anew_stands_as_it_was_left_and_closing_frees_everything(
    show: Callable[..., Host],
) -> None:
    host = show(TrainingDashboard({"loss": [3.0, 2.0, 1.0]}))
    page = host.page
    page.get_by_role("button", name="Log", exact=True).click()
    page.evaluate("async () => { window.closeView(); window.closeView = await window.draw(); }")
    host.pump()
    log = page.get_by_role("button", name="Log", exact=True)
    assert log.get_attribute("aria-pressed") == "true"
    page.evaluate("() => { window.closeView(); window.closeModel(); }")
    assert page.locator(".ftx-dash").count() == 0
    assert page.evaluate("[...window.handlers.values()].flat().length") == 0


LONG = 6000


def test_every_value_left_out_is_counted_and_every_spike_is_drawn(
    show: Callable[..., Host],
) -> None:
    loss = np.full(LONG, 1.0)
    loss[1000:2234] = -0.5
    loss[4000] = np.inf
    loss[5000] = 9.0
    host = show(TrainingDashboard({"loss": loss}))
    assert "1 value is infinite" in host.note()
    # One row of thousands, alone in the upper half of the chart.
    canvas = pixels(host.page.locator(".ftx-chart canvas").first)
    upper = canvas[30 : canvas.shape[0] // 3]
    assert (np.abs(upper - (0x1F, 0x6F, 0xC4)).sum(axis=2) < 60).any(axis=1).all()
    host.page.get_by_role("button", name="Log", exact=True).click()
    host.pump()
    assert "1234 values at or below zero are left out" in host.note()
    zoom(host, 0.5, 0.9)
    assert "at or below zero" not in host.note()


def test_smoothing_leaves_the_raw_line_faint(show: Callable[..., Host]) -> None:
    noise = np.random.default_rng(1).normal(size=300)
    host = show(TrainingDashboard({"loss": 5 + noise}))
    sharp = curve_pixels(host)
    slider = host.page.get_by_role("slider", name="Smoothing")
    slider.focus()
    for _ in range(45):
        host.page.keyboard.press("ArrowRight")
    host.pump()
    assert slider.input_value() == "0.9"
    assert curve_pixels(host) < sharp / 2
    # The line's colour at 0x4d / 0xff over white.
    faint = 255 - (255 - np.array((0x1F, 0x6F, 0xC4))) * 0x4D // 0xFF
    canvas = pixels(host.page.locator(".ftx-chart canvas").first)
    assert (np.abs(canvas - faint).sum(axis=2) < 24).sum() > 500


def zoom(host: Host, left: float, right: float) -> None:
    """Drag over a part of the main chart."""
    box = host.page.locator(".ftx-chart .u-over").first.bounding_box()
    assert box is not None
    y = box["y"] + 50
    host.page.mouse.move(box["x"] + left * box["width"], y)
    host.page.mouse.down()
    host.page.mouse.move(box["x"] + right * box["width"], y + 5, steps=4)
    host.page.mouse.up()
    host.page.mouse.move(0, 0)
    host.pump()


def test_the_wheel_is_the_notebooks(show: Callable[..., Host]) -> None:
    host = show(TrainingDashboard({"loss": [3.0, 2.0, 1.0]}))
    prevented = """() => {
      const event = new WheelEvent("wheel", { deltaY: 90, bubbles: true, cancelable: true });
      document.querySelector(".ftx-chart .u-over").dispatchEvent(event);
      return event.defaultPrevented;
    }"""
    assert host.page.evaluate(prevented) is False


def test_fingers_read_and_stretch(show: Callable[..., Host]) -> None:
    host = show(TrainingDashboard({"loss": np.linspace(3, 1, 101)}), has_touch=True)
    page = host.page
    box = page.locator(".ftx-chart .u-over").first.bounding_box()
    assert box is not None
    session = page.context.new_cdp_session(page)

    def touch(kind: str, *shares: float) -> None:
        points = [
            {"x": box["x"] + share * box["width"], "y": box["y"] + 80, "id": i}
            for i, share in enumerate(shares)
        ]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 0.3)
    touch("touchMove", 0.4)
    touch("touchMove", 0.5)
    host.pump()
    assert host.text("[data-key=loss] output") == "2"
    touch("touchEnd")
    touch("touchStart", 0.4)
    touch("touchStart", 0.4, 0.6)
    touch("touchMove", 0.3, 0.7)
    touch("touchMove", 0.1, 0.9)
    touch("touchEnd")
    host.pump()
    reset = page.get_by_role("button", name="Reset zoom")
    assert reset.is_visible()
    host.page.locator(".ftx-chart").first.focus()
    page.keyboard.press("Home")
    page.keyboard.press("End")
    reset.click()
    host.pump()
    assert reset.is_hidden()


def test_motion_and_colours_are_the_readers(show: Callable[..., Host], run: ScriptedRun) -> None:
    host = show(TrainingDashboard(run), forced_colors="active", reduced_motion="reduce")
    for epoch in range(1, 9):
        run.epoch(epoch)
    host.pump_until(lambda: host.text("[data-fact=epoch]") == "8 / 40", "eight epochs")
    moving = "getComputedStyle(document.querySelector('.ftx-pill'), '::before').animationName"
    assert host.page.evaluate(moving) == "none"
    assert curve_pixels(host) == 0
    ink = host.page.evaluate(
        "() => { const e = document.createElement('i'); e.style.color = 'CanvasText';"
        " document.body.append(e); return getComputedStyle(e).color.match(/\\d+/g).map(Number); }"
    )
    canvas = pixels(host.page.locator(".ftx-chart canvas").first)
    drawn = (np.abs(canvas - ink[:3]).sum(axis=2) < 40).sum()
    assert drawn > 300
    swatch = "getComputedStyle(document.querySelector('.ftx-legend line')).stroke"
    assert host.page.evaluate(swatch) == f"rgb({ink[0]}, {ink[1]}, {ink[2]})", "as the line"
    host.page.get_by_label("Smoothing").fill("0.9")
    host.pump()
    canvas = pixels(host.page.locator(".ftx-chart canvas").first)
    among = np.abs(canvas - (0.3 * np.array(ink[:3]) + 0.7 * canvas[2, 2])).sum(axis=2) < 60
    assert among.sum() > 100, "the raw line is faint"
