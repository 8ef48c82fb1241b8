"""The heatmap bundle in a real Chromium: pixels, pointer, keys, sliders, themes, hostile names."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser

from featrix_notebook.coding import CATEGORY_COLORS, NUMBER_COLORS
from featrix_notebook.widgets.heatmap import PredictionHeatmap
from tests.browser.heatmap_page import Open, OpenedHeatmap, heatmap_opener
from tests.notebook.asking import AnyPredictor
from tests.notebook.asking import asking as asking_along
from tests.notebook.test_heatmap import HOSTILE

AXES = {"age": list(range(20, 80, 5)), "plan": ["basic", "gold", "trial", "none"]}
SHAPE = (12, 4)
asking = partial(asking_along, axes=AXES)


@pytest.fixture
def open_heatmap(browser: Browser) -> Iterator[Open]:
    with heatmap_opener(browser) as open_:
        yield open_


def rgb(color: str) -> np.ndarray:
    return np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)])


def colors_of_cells(opened: OpenedHeatmap, shape: tuple[int, int]) -> np.ndarray:
    """The colour a little off the middle of each cell, where no text stands."""
    left, top, width, height = opened.plot()
    shot = opened.pixels()
    rows = (top + (np.arange(shape[0]) + 0.15) / shape[0] * height).astype(int)
    cols = (left + (np.arange(shape[1]) + 0.12) / shape[1] * width).astype(int)
    return shot[np.ix_(rows, cols)]


def nearest_stop(colors: np.ndarray, stops: tuple[str, ...]) -> np.ndarray:
    """Which of the colours each is, and fails if it is none of them."""
    known = np.stack([rgb(stop) for stop in stops])
    far = np.abs(colors[..., None, :] - known).max(axis=-1)
    assert far.min(axis=-1).max() <= 6
    return far.argmin(axis=-1)


def test_each_cell_has_the_colour_of_its_value(open_heatmap: Open) -> None:
    values = np.arange(9.0)[np.random.default_rng(0).permutation(9)].reshape(3, 3)
    opened = open_heatmap(PredictionHeatmap(values))
    stops = nearest_stop(colors_of_cells(opened, (3, 3)), NUMBER_COLORS)
    assert np.array_equal(stops, values)


def test_what_is_not_filled_is_hatched(open_heatmap: Open) -> None:
    values = np.arange(400.0).reshape(20, 20)
    values[5:15, 5:15] = np.nan
    opened = open_heatmap(PredictionHeatmap(values))
    left, top, width, height = opened.plot()
    hole = opened.pixels()[
        top + int(height * 0.3) : top + int(height * 0.7),
        left + int(width * 0.3) : left + int(width * 0.7),
    ]
    grey = hole.max(axis=2) - hole.min(axis=2) < 30
    assert grey.all()
    assert hole.std(axis=(0, 1)).max() > 20  # lines on the ground, not a grey of their own
    assert opened.page.get_by_text("300 of 400 cells filled", exact=True).is_visible()


def test_hovering_reads_a_cell_and_a_click_selects_it_in_python(open_heatmap: Open) -> None:
    _, heatmap = asking()
    clicks: list[Any] = []
    heatmap.on_click(lambda cell, record: clicks.append((cell, record["plan"])))
    opened = open_heatmap(heatmap)
    page = opened.page
    x, y = opened.point(6, 1, SHAPE)
    page.mouse.move(x, y)
    opened.settle(300)
    words = page.locator(".ftx-heat-cell").inner_text()
    frame = heatmap.to_frame()
    assert f"{frame['value'][6 * 4 + 1]:.4f}" in words
    assert "50" in words
    assert "gold" in words
    assert opened.page.evaluate("host.model.get('_hover')") == [6, 1]
    assert heatmap._hover == []  # hovering is no business of the kernel's
    page.mouse.click(x, y)
    opened.settle(300)
    assert clicks == [((6, 1), "gold")]
    assert heatmap.record == {"charge": 65.0, "age": 50, "plan": "gold"}
    page.mouse.move(2, 2)
    heatmap.cell = (11, 3)
    opened.push()
    assert "none" in page.locator(".ftx-heat-cell").inner_text()


def test_a_slider_changes_the_surface(open_heatmap: Open) -> None:
    predictor, heatmap = asking()
    opened = open_heatmap(heatmap)
    before = colors_of_cells(opened, SHAPE)
    slider = opened.page.get_by_label("charge", exact=True)
    asked = len(predictor.asked)
    slider.focus()
    for _ in range(12):
        opened.page.keyboard.press("ArrowRight")
    opened.settle(300)
    opened.answered()
    assert heatmap.base_record["charge"] > 65.0
    assert len(predictor.asked) - asked < 12
    shown = float(slider.input_value())
    assert heatmap.base_record["charge"] == pytest.approx(shown)
    assert np.abs(colors_of_cells(opened, SHAPE) - before).max() > 8
    opened.page.get_by_role("button", name="Reset").click()
    opened.settle(200)
    opened.answered()
    assert heatmap.base_record == {"charge": 65.0}
    select = opened.page.get_by_label("charge: missing")
    select.click()
    opened.settle(200)
    opened.answered()
    assert heatmap.base_record == {"charge": None}
    assert opened.page.get_by_text("missing", exact=True).first.is_visible()


def test_what_is_stored_follows_when_the_reader_turns_away(open_heatmap: Open) -> None:
    _, heatmap = asking()
    stored: list[str] = []
    heatmap._update_outputs = lambda: stored.append(heatmap.summary())
    opened = open_heatmap(heatmap)
    slider = opened.page.get_by_label("charge", exact=True)
    slider.hover()
    slider.focus()
    opened.page.keyboard.press("ArrowRight")
    opened.settle()
    opened.answered()
    opened.page.mouse.move(1, 1)
    opened.settle()
    assert stored == [], "the reader's keys are still there"
    slider.hover()
    slider.blur()
    opened.settle()
    assert stored == [], "the pointer is still there"
    opened.page.mouse.move(1, 1)
    opened.settle()
    assert stored == [heatmap.summary()]
    slider.focus()
    slider.blur()
    opened.settle()
    assert len(stored) == 1, "nothing was set since"


def test_a_failure_is_shown_and_the_picture_stays(open_heatmap: Open) -> None:
    predictor, heatmap = asking()
    opened = open_heatmap(heatmap)
    before = colors_of_cells(opened, SHAPE)
    predictor.failure = ConnectionError("<img src=x onerror=alert(1)> the server is gone")
    opened.page.get_by_label("charge", exact=True).press("ArrowRight")
    opened.settle(200)
    opened.answered()
    alert = opened.page.get_by_role("alert")
    assert "<img src=x onerror=alert(1)> the server is gone" in alert.inner_text()
    assert "the last answer" in alert.inner_text()
    assert np.array_equal(colors_of_cells(opened, SHAPE), before)


def test_cells_appear_while_they_are_answered(open_heatmap: Open) -> None:
    predictor = AnyPredictor()
    predictor.gate.clear()
    axes = {"age": list(np.linspace(18, 90, 50)), "charge": list(np.linspace(18, 119, 50))}
    heatmap = PredictionHeatmap(predictor, axes=axes)
    opened = open_heatmap(heatmap)
    assert opened.page.get_by_text("Asking the predictor").is_visible()
    first = threading.Event()
    whole = predictor.batch_predict

    def one_part(records: Any, show_progress: bool = True) -> Any:
        answers = whole(records, show_progress)
        if first.is_set():
            assert predictor_may_go_on.wait(20)
        first.set()
        return answers

    predictor_may_go_on = threading.Event()
    predictor.batch_predict = one_part
    predictor.gate.set()
    assert heatmap.wait(0.01) is False
    while heatmap._spec["step"] == 1:
        opened.settle(20)
    opened.push()
    assert opened.page.get_by_text("A first look: every 3rd cell").is_visible()
    assert opened.plot()[2] > 400
    predictor_may_go_on.set()
    opened.answered()
    assert not opened.page.get_by_text("A first look").is_visible()


def test_keys_do_what_the_mouse_does(open_heatmap: Open) -> None:
    _, heatmap = asking()
    opened = open_heatmap(heatmap)
    page, keys = opened.page, opened.page.keyboard
    page.locator("body").press("Tab")  # the first of the tools
    opened.stage.focus()
    keys.press("o")
    opened.settle()
    assert heatmap.cell == heatmap.optimum
    keys.press("Escape")
    opened.settle()
    assert heatmap.cell is None
    keys.press("Home")
    keys.press("ArrowUp")
    keys.press("End")
    keys.press("Enter")
    opened.settle()
    row, col = heatmap.cell
    assert (row, col) == (heatmap.optimum[0] - 1, 3)
    spoken = page.locator("[role=status]").all_inner_texts()
    assert any("Selected" in words or "age" in words for words in spoken)
    keys.press("v")
    opened.settle()
    assert heatmap.show == "confidence"
    keys.press("r")
    opened.settle(200)
    opened.answered()
    assert heatmap._spec["axes"][0]["ticks"] != AXES["age"]
    page.get_by_role("button", name="Back").press("Enter")
    opened.settle(200)
    opened.answered()
    assert heatmap._spec["axes"][0]["ticks"] == AXES["age"]
    assert opened.stage.evaluate("el => el.getAttribute('aria-describedby') !== null")


def test_classes_are_told_by_colour_border_and_letter(open_heatmap: Open) -> None:
    _, heatmap = asking("multi", show="class")
    opened = open_heatmap(heatmap)
    legend = opened.page.get_by_role("list", name="Classes").get_by_role("listitem")
    labels = [entry["label"] for entry in heatmap._spec["classes"]["entries"]]
    assert [text.split("\n")[1] for text in legend.all_inner_texts()] == labels
    assert [text.split("\n")[0] for text in legend.all_inner_texts()] == list("ABC")[: len(labels)]
    shown = nearest_stop(colors_of_cells(opened, SHAPE), CATEGORY_COLORS[: len(labels)])
    names = np.array(labels)[shown].ravel().tolist()
    assert names == heatmap.to_frame()["class"].tolist()


def test_three_axes_are_turned_without_the_kernel(open_heatmap: Open) -> None:
    values = np.zeros((4, 4, 9)) + np.arange(9.0)
    heatmap = PredictionHeatmap(values, z=("site", [f"s{i}" for i in range(9)]))
    opened = open_heatmap(heatmap)
    slider = opened.page.get_by_role("slider", name="site")
    for place in (8, 3):
        slider.fill(str(place))
        opened.settle(100)
        assert (nearest_stop(colors_of_cells(opened, (4, 4)), NUMBER_COLORS) == place).all()
        assert opened.page.locator("output", has_text=f"s{place}").is_visible()
    assert heatmap._slice == 3
    opened.stage.focus()
    opened.page.keyboard.press("PageDown")
    opened.settle(100)
    assert heatmap._slice == 4


def test_one_axis_is_a_line(open_heatmap: Open) -> None:
    _, heatmap = asking("regression", axes=["age"])
    opened = open_heatmap(heatmap)
    shot = opened.pixels()
    blue = (shot[:, :, 2] - shot[:, :, 0] > 60).any(axis=0)
    assert blue.sum() > 400
    top = (shot[:, :, 2] - shot[:, :, 0] > 60).argmax(axis=0)[blue]
    assert top.min() == top[len(top) // 3 : len(top) // 2 + 20].min()  # the hill


def test_the_theme_is_followed_live(open_heatmap: Open) -> None:
    opened = open_heatmap(PredictionHeatmap(np.eye(4)), dark=True)
    root = opened.page.locator(".ftx-heat")
    assert root.get_attribute("data-theme") == "dark"
    corner = opened.pixels()[2, 2]
    assert corner.max() < 60
    opened.page.evaluate(
        "() => { document.body.style.cssText = document.querySelector('main').style.cssText ="
        "'background: #fff; --jp-layout-color1: #fff; --jp-ui-font-color0: #111' }"
    )
    opened.settle(400)
    assert root.get_attribute("data-theme") == "light"
    assert opened.pixels()[2, 2].min() > 230


def test_the_wheel_scrolls_the_page(open_heatmap: Open) -> None:
    opened = open_heatmap(PredictionHeatmap(np.eye(4)))
    opened.page.evaluate("document.body.style.paddingBottom = '2000px'")
    opened.stage.focus()
    x, y = opened.point(1, 1, (4, 4))
    opened.page.mouse.move(x, y)
    opened.page.mouse.wheel(0, 200)
    opened.settle()
    assert opened.page.evaluate("scrollY") > 0


def test_a_finger_selects_a_cell(open_heatmap: Open) -> None:
    _, heatmap = asking()
    opened = open_heatmap(heatmap, has_touch=True, viewport={"width": 420, "height": 900})
    x, y = opened.point(2, 1, SHAPE)
    opened.page.touchscreen.tap(x, y)
    opened.settle()
    assert heatmap.cell == (2, 1)
    assert opened.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_forced_colours_and_less_motion(open_heatmap: Open) -> None:
    _, heatmap = asking()
    opened = open_heatmap(heatmap, forced_colors="active", reduced_motion="reduce")
    assert opened.plot()[2] > 300
    assert (opened.pixels()[-12:].min() < 60).any()  # the axis is named in ink


def test_hostile_names_are_shown_as_they_are(open_heatmap: Open) -> None:
    table = (np.linspace(-1, 1, 64) * 1.7e308).reshape(8, 8)
    table[0, 0], table[1, 1], table[2, 2] = np.inf, -np.inf, np.nan
    hostile = PredictionHeatmap(table, x=(HOSTILE[0], HOSTILE), y=(HOSTILE[2], HOSTILE))
    opened = open_heatmap(hostile)
    for cell in range(8):
        x, y = opened.point(cell, cell, (8, 8))
        opened.page.mouse.move(x, y)
        opened.settle(60)
    assert opened.page.locator(".ftx-heat script, .ftx-heat img").count() == 0

    class Odd(AnyPredictor):
        target_column = HOSTILE[1]

        def one(self, record: dict[str, Any]) -> Any:
            answer = super().one(record)
            answer.probabilities = {f"{HOSTILE[0]}{i}": 1 / 300 for i in range(300)}
            answer.predicted_class = f"{HOSTILE[0]}{record['k']}"
            return answer

    record = {text or "none": text for text in HOSTILE}
    odd = PredictionHeatmap(Odd(), axes={"k": list(range(300))}, record=record, show="class")
    assert odd.wait(20)
    opened = open_heatmap(odd)
    assert opened.page.locator(".ftx-heat-legend").get_by_text(HOSTILE[0]).first.is_visible()
    for values in ([[np.nan, np.nan]], [[np.inf]], [5.0], np.zeros((1, 1, 1))):
        open_heatmap(PredictionHeatmap(values))


def test_fifty_views_leave_nothing_behind(open_heatmap: Open) -> None:
    _, heatmap = asking()
    opened = open_heatmap(heatmap)
    page = opened.page
    before = page.evaluate("[...host.handlers.values()].flat().length")
    for _ in range(10):
        page.evaluate("async () => { for (let i = 0; i < 5; i++) await host.show() }")
    assert page.locator(".ftx-heat").count() == 51
    assert page.evaluate("[...host.handlers.values()].flat().length") == before
    page.evaluate("host.close()")
    assert page.locator(".ftx-heat").count() == 0
    assert page.evaluate("[...host.handlers.values()].flat().length") == 0
