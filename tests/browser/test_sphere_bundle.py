"""The sphere bundle in a real Chromium: turning, asking, colouring and selecting."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import expect

from featrix_notebook.widgets.sphere import SphereExplorer
from tests.browser.sphere_page import FRONT, Open, saturated, table


def test_all_rows_are_painted_and_stay(open_sphere: Open) -> None:
    xyz, rows = table()
    opened = open_sphere(SphereExplorer(xyz, rows=rows, color_by="plan"))
    first = saturated(opened.pixels())
    opened.settle()
    again = saturated(opened.pixels())
    assert first.sum() > 2000
    assert abs(int(first.sum()) - int(again.sum())) < 50
    assert opened.page.locator("canvas").count() == 2
    assert not opened.page.locator(".ftx-sphere-badge").is_visible()


def test_a_drag_turns_with_inertia_and_a_reset_returns(open_sphere: Open) -> None:
    xyz, rows = table()
    opened = open_sphere(SphereExplorer(xyz, rows=rows))
    before = opened.pixels()
    x, y = opened.middle()
    mouse = opened.page.mouse
    mouse.move(x, y)
    mouse.down()
    for step in range(1, 9):
        mouse.move(x + 8 * step, y + 3 * step)
    mouse.up()
    at_release = opened.pixels()
    opened.settle(900)
    rested = opened.pixels()
    assert np.abs(at_release - before).max() > 100
    assert np.abs(rested - at_release).max() > 100, "no inertia"
    opened.page.get_by_role("button", name="First view").click()
    opened.page.mouse.move(2, 2)
    opened.settle(900)
    assert (np.abs(opened.pixels()[80:] - before[80:]).max(axis=2) > 40).mean() < 0.002


def test_reduced_motion_is_respected(open_sphere: Open) -> None:
    xyz, rows = table()
    opened = open_sphere(SphereExplorer(xyz, rows=rows, auto_rotate=True), reduced_motion="reduce")
    before = opened.pixels()
    opened.settle(400)
    assert np.array_equal(before, opened.pixels())
    x, y = opened.middle()
    opened.page.mouse.move(x, y)
    opened.page.mouse.down()
    for step in range(1, 9):
        opened.page.mouse.move(x + 8 * step, y)
    opened.page.mouse.up()
    opened.page.mouse.move(2, 2)
    opened.settle(300)
    rested = opened.pixels()
    opened.settle(500)
    assert np.array_equal(rested, opened.pixels())


def test_overlapping_points_add_up_below_full_opacity(open_sphere: Open) -> None:
    left, right = np.array([[-0.5], [0.5]]) * [0.565, 0.825, 0] + FRONT
    xyz = np.vstack([[left], np.repeat([right], 30, axis=0)])
    opened = open_sphere(SphereExplorer(xyz, size=20, opacity=0.05))

    def strength() -> list[int]:
        """How coloured the one and the thirty are."""
        shot = opened.pixels()
        colour = shot.max(axis=2) - shot.min(axis=2)
        middle = colour.shape[1] // 2
        return [int(half.max()) for half in (colour[:, :middle], colour[:, middle:])]

    one, thirty = strength()
    assert thirty > 3 * one, "the crowd is not to be seen"
    opened.page.get_by_label("Opacity").fill("1")
    opened.settle()
    one, thirty = strength()
    assert one == pytest.approx(thirty, abs=8)


def test_fingers_select_turn_and_zoom(open_sphere: Open) -> None:
    xyz = np.array([FRONT, -np.array(FRONT)])
    opened = open_sphere(SphereExplorer(xyz, size=20), has_touch=True)
    page, (x, y) = opened.page, opened.middle()
    session = page.context.new_cdp_session(page)

    def touch(kind: str, *places: float) -> None:
        points = [{"x": x + across, "y": y + 60, "id": i} for i, across in enumerate(places)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    page.touchscreen.tap(x, y)
    opened.settle()
    assert opened.widget.selected_ids == [0]
    assert page.locator(".ftx-sphere-card").is_visible()
    still = opened.pixels()
    touch("touchStart", -40)
    touch("touchMove", 0)
    touch("touchMove", 60)
    touch("touchEnd")
    opened.settle()
    turned = opened.pixels()
    assert np.abs(turned - still).max() > 60
    touch("touchStart", -20)
    touch("touchStart", -20, 20)
    touch("touchMove", -60, 60)
    touch("touchMove", -120, 120)
    touch("touchEnd")
    opened.settle()
    assert np.abs(opened.pixels() - turned).max() > 60
    assert opened.widget.selected_ids == [0]


def test_auto_rotation_turns_until_the_reader_takes_over(open_sphere: Open) -> None:
    xyz, rows = table()
    opened = open_sphere(SphereExplorer(xyz, rows=rows, auto_rotate=True))
    before = opened.pixels()
    opened.settle(500)
    assert not np.array_equal(before, opened.pixels())
    x, y = opened.middle()
    opened.page.mouse.click(x, y + 230)
    opened.page.mouse.move(2, 2)
    opened.settle()
    assert (
        opened.page.get_by_role("button", name="Turn by itself").get_attribute("aria-pressed")
        == "false"
    )
    rested = opened.pixels()
    opened.settle(400)
    assert np.array_equal(rested, opened.pixels())


def test_the_wheel_scrolls_the_page_until_the_sphere_has_focus(open_sphere: Open) -> None:
    xyz, rows = table()
    opened = open_sphere(SphereExplorer(xyz, rows=rows))
    page = opened.page
    page.evaluate("document.body.style.paddingBottom = '2000px'")
    page.mouse.move(300, 200)
    before = opened.pixels()
    page.mouse.wheel(0, 120)
    page.locator(".ftx-sphere-hint-on").wait_for()
    opened.settle()
    assert page.evaluate("scrollY") > 0
    page.evaluate("scrollTo(0, 0)")
    opened.settle()
    opened.focus()
    page.mouse.wheel(0, -240)
    opened.settle()
    assert page.evaluate("scrollY") == 0
    assert np.abs(opened.pixels() - before).max() > 100


def test_a_click_arrives_in_python_as_the_row(open_sphere: Open) -> None:
    xyz, rows = table()
    xyz[17] = FRONT
    xyz[18:] = -np.abs(xyz[18:])
    opened = open_sphere(SphereExplorer(xyz[:60], rows=rows[:60]))
    heard: list[tuple[list[int], str]] = []
    opened.widget.on_select(lambda ids, cause: heard.append((ids, cause)))
    x, y = opened.middle()
    opened.page.mouse.click(x, y)
    opened.settle()
    assert opened.widget.selected_ids == [1017]
    pd.testing.assert_frame_equal(opened.widget.selection, rows.iloc[[17]])
    assert heard == [([1017], "user")]
    assert opened.page.locator(".ftx-sphere-selected").inner_text() == "1 selected"
    opened.page.keyboard.down("Shift")
    opened.page.mouse.click(x, y)
    opened.page.keyboard.up("Shift")
    opened.settle()
    assert opened.widget.selected_ids == []


@pytest.mark.parametrize("mode", ["box", "lasso"])
def test_box_and_lasso_take_the_near_side_or_reach_through(open_sphere: Open, mode: str) -> None:
    near = np.array(FRONT)
    xyz = np.array([near, -near, near + np.array([0.01, 0.02, 0]), [0, 0, -1]])
    opened = open_sphere(SphereExplorer(xyz, rows=pd.DataFrame({"a": list("pqrs")})))
    page = opened.page
    x, y = opened.middle()

    def draw() -> None:
        page.mouse.move(x - 40, y - 40)
        page.mouse.down()
        for dx, dy in ((0, -45), (40, -40), (45, 0), (40, 40), *([(-40, 40)] * (mode == "lasso"))):
            page.mouse.move(x + dx, y + dy, steps=3)
        page.mouse.up()
        opened.settle()

    page.get_by_role("button", name=f"Drag a {mode}").click()
    draw()
    assert opened.widget.selected_ids == [0, 2]
    page.get_by_role("button", name="far side").click()
    draw()
    assert opened.widget.selected_ids == [0, 1, 2]


@pytest.mark.parametrize("mode", ["box", "lasso"])
def test_box_and_lasso_are_drawn_by_keyboard(open_sphere: Open, mode: str) -> None:
    near = np.array(FRONT)
    xyz = np.array([near, -near, near + np.array([0.01, 0.02, 0]), [0, 0, -1]])
    opened = open_sphere(SphereExplorer(xyz, rows=pd.DataFrame({"a": list("pqrs")})))
    keyboard, status = opened.page.keyboard, opened.page.locator("[role=status]").last
    right, down = ["Shift+ArrowRight"] * 2, ["Shift+ArrowDown"] * 2
    corners = ["Shift+ArrowLeft", "Shift+ArrowUp"], right, down

    def draw() -> None:
        for way in corners:
            for key in way:
                keyboard.press(key)
            if mode == "lasso" or way is corners[0]:
                keyboard.press("Space")
        expect(status).to_contain_text("% across")

    opened.focus()
    before = opened.pixels()
    keyboard.press(mode[0])
    draw()
    assert np.abs(opened.pixels() - before).max() > 60  # the pen and its outline are seen
    keyboard.press("Escape")  # puts away the pen only
    keyboard.press("Enter")
    opened.settle()
    assert opened.widget.selected_ids == []
    draw()
    keyboard.press("Enter")
    opened.settle()
    assert opened.widget.selected_ids == [0, 2]
    expect(status).to_contain_text("2 selected")
    keyboard.press("t")  # through the sphere
    draw()
    keyboard.press("Enter")
    opened.settle()
    assert opened.widget.selected_ids == [0, 1, 2]
    keyboard.press("Escape")
    before = opened.pixels()
    keyboard.press("ArrowLeft")  # turns again
    opened.settle(250)
    assert np.abs(opened.pixels() - before).max() > 60


def test_selecting_in_python_shows_on_the_page(open_sphere: Open) -> None:
    xyz, rows = table()
    opened = open_sphere(SphereExplorer(xyz, rows=rows, color_by="plan"))
    before = saturated(opened.pixels()).sum()
    opened.widget.select([1000, 1001, 1002])
    opened.push()
    assert opened.page.locator(".ftx-sphere-selected").inner_text() == "3 selected"
    assert saturated(opened.pixels()).sum() < before / 3, "the rest does not step back"
    opened.focus()
    opened.page.keyboard.press("Escape")
    opened.settle()
    assert opened.widget.selected_ids == []
    assert saturated(opened.pixels()).sum() == pytest.approx(before, rel=0.02)


def test_another_column_swaps_colours_without_the_positions(open_sphere: Open) -> None:
    xyz, rows = table()
    opened = open_sphere(SphereExplorer(xyz, rows=rows, color_by="plan"))
    before = opened.pixels()
    opened.page.get_by_label("Colour by", exact=True).select_option(label="age")
    opened.settle()
    assert opened.widget.color_by == "age"
    assert opened.page.locator(".ftx-sphere-strip").is_visible()
    assert np.abs(opened.pixels() - before).max() > 60
    sent = opened.page.evaluate("host.sent.map((m) => m.kind)")
    assert sent == ["color"]
    opened.widget.color_by = "plan"
    opened.push()
    assert np.abs(opened.pixels() - before).max() <= 2


def test_a_refused_column_is_told_and_the_chooser_goes_back(open_sphere: Open) -> None:
    xyz, rows = table()
    opened = open_sphere(SphereExplorer(xyz, rows=rows, color_by="plan"))
    del opened.widget._points.rows["age"]
    chooser = opened.page.get_by_label("Colour by", exact=True)
    chooser.select_option(label="Density of rows")  # the last one, of one fewer now
    opened.settle()
    assert "no column number" in opened.page.locator(".ftx-error").inner_text()
    assert chooser.evaluate("(el) => el.selectedOptions[0].label") == "plan"


def test_the_legend_hides_and_isolates_by_mouse_and_keyboard(open_sphere: Open) -> None:
    xyz, rows = table()
    opened = open_sphere(SphereExplorer(xyz, rows=rows, color_by="plan"))
    before = saturated(opened.pixels()).sum()
    entry = opened.page.get_by_role("button", name="basic")
    entry.focus()
    opened.page.keyboard.press("Enter")
    opened.settle()
    assert entry.get_attribute("aria-pressed") == "false"
    assert saturated(opened.pixels()).sum() < before - 300
    assert opened.page.evaluate("document.activeElement.textContent").startswith("basic")
    opened.page.get_by_role("button", name="Select shown").click()
    opened.settle()
    chosen = opened.widget.selection
    assert len(chosen) == (rows["plan"] != "basic").sum()
    assert "basic" not in set(chosen["plan"])
    opened.page.get_by_role("button", name="pro").click(modifiers=["Shift"])
    opened.page.get_by_role("button", name="Select shown").click()
    opened.settle()
    assert set(opened.widget.selection["plan"]) == {"pro"}


def test_the_keyboard_does_what_the_mouse_can(open_sphere: Open) -> None:
    xyz, rows = table(30)
    opened = open_sphere(SphereExplorer(xyz, rows=rows, color_by="plan"))
    keyboard = opened.page.keyboard
    opened.focus()
    before = opened.pixels()
    for key in ("ArrowLeft", "ArrowUp", "+"):
        keyboard.press(key)
        opened.settle(250)
        after = opened.pixels()
        assert np.abs(after - before).max() > 60, key
        before = after
    keyboard.press("n")
    opened.settle(800)
    card = opened.page.locator(".ftx-sphere-card")
    assert card.is_visible()
    keyboard.press("Enter")
    keyboard.press("n")
    keyboard.press("Shift+Enter")
    opened.settle(800)
    assert len(opened.widget.selected_ids) == 2
    assert "2 selected" in opened.page.locator("[role=status]").all_inner_texts()
    keyboard.press("Escape")
    opened.settle()
    assert opened.widget.selected_ids == []
    assert not card.is_visible()


def test_resting_on_a_point_shows_its_row_once_asked(open_sphere: Open) -> None:
    xyz, rows = table(40)
    xyz[3] = FRONT
    opened = open_sphere(SphereExplorer(xyz, rows=rows, color_by="plan"))
    page = opened.page
    x, y = opened.middle()
    card = page.locator(".ftx-sphere-card")
    for _ in range(2):
        page.mouse.move(x + 1, y)
        opened.settle()
        text = card.inner_text()
        assert str(rows["age"].iloc[3]).removesuffix(".0") in text
        assert "1003" in text
        page.mouse.move(20, 600)
        opened.settle()
        assert not card.is_visible()
    assert page.evaluate("host.sent.map((m) => m.kind)") == ["row"], "not remembered"
    opened.widget.color_by = "density"
    opened.push()
    page.mouse.move(x + 1, y)
    opened.settle()
    told = card.locator("dt, dd").all_inner_texts()
    assert told[0] == "density", "what colours the point, though it is no column, comes first"
    crowd = opened.widget._points.derived["density"].iloc[3]
    assert float(told[1]) == pytest.approx(crowd, rel=0.01)


def test_the_card_stays_inside_the_picture(open_sphere: Open) -> None:
    edge = np.array([-np.sin(-0.6), np.cos(-0.6), 0.0]) * 0.97 + np.array(FRONT) * 0.24
    rows = pd.DataFrame({f"column {i}": ["word " * 300] for i in range(40)})
    opened = open_sphere(
        SphereExplorer(edge[None], rows=rows), viewport={"width": 400, "height": 700}
    )
    opened.focus()
    page = opened.page
    stage = page.locator(".ftx-sphere-stage").bounding_box()
    assert stage is not None
    r = 0.9 * min(stage["width"], stage["height"]) / 2
    page.mouse.move(stage["x"] + stage["width"] / 2 + 0.97 * r, stage["y"] + stage["height"] / 2)
    opened.settle()
    card = page.locator(".ftx-sphere-card").bounding_box()
    assert card is not None
    assert card["x"] >= stage["x"]
    assert card["y"] >= stage["y"]
    assert card["x"] + card["width"] <= stage["x"] + stage["width"]
    assert card["y"] + card["height"] <= stage["y"] + stage["height"]
