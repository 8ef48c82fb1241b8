"""Linked widgets on one page with no kernel, in a real Chromium: each is drawn from what the real
Python widgets put into an exported page."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser, Locator, Page

from featrix_notebook import (
    PredictionHeatmap,
    SphereExplorer,
    TrainingDashboard,
    TrainingMovie,
    link,
)
from featrix_notebook.widgets.link import Link
from tests.browser.sphere_page import FRONT, complaints_of, settle, table
from tests.notebook.page_data import page_data

BUS = "Symbol.for('featrix.link.1') in globalThis"
FRAMES = 9


@dataclass
class Linked:
    """A page of linked widgets, without a network."""

    page: Page

    def stage(self, place: int) -> Locator:
        return self.page.locator(".ftx-sphere-stage").nth(place)

    def ring(self, place: int) -> int:
        """How many pixels of the layer over the points are drawn: rings, when nobody drags."""
        return int(
            self.stage(place).evaluate(
                """(stage) => {
                  const [, over] = stage.querySelectorAll("canvas");
                  const context = over.getContext("2d");
                  const { data } = context.getImageData(0, 0, over.width, over.height);
                  return data.filter((value, i) => i % 4 === 3 && value > 0).length;
                }"""
            )
        )

    def picture(self, place: int) -> bytes:
        return self.stage(place).screenshot()

    def settle(self, ms: int = 350) -> None:
        settle(self.page, ms)

    def key(self, place: int, *keys: str) -> None:
        self.stage(place).focus()
        for key in keys:
            self.page.keyboard.press(key)
        self.settle(700)  # walking to a point turns the sphere

    def selected(self, place: int) -> int:
        words = self.page.locator(".ftx-sphere-selected").nth(place).inner_text().split()
        return int(words[0]) if words else 0


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Callable[[Link], Linked]]:
    """Open the page of a link; a complaint in its console fails."""
    complaints: list[list[str]] = []
    contexts = []

    def show_(joined: Link) -> Linked:
        path = tmp_path / "linked.html"
        joined.to_html(path)
        viewport: Any = {"width": 1000, "height": 900}
        context = browser.new_context(offline=True, viewport=viewport)
        contexts.append(context)
        page = context.new_page()
        complaints.append(complaints_of(page))
        page.goto(path.as_uri())
        page.locator("main [data-widget] > .ftx").nth(len(joined.widgets) - 1).wait_for()
        linked = Linked(page)
        linked.settle()
        return linked

    yield show_
    for context in contexts:
        context.close()
    assert not any(complaints), complaints


def pair(**options: Any) -> tuple[SphereExplorer, SphereExplorer]:
    """The same rows at other places and in another order, and some that only one has."""
    xyz, rows = table(120)
    other = np.random.default_rng(5).permutation(120)[:60]
    turned = xyz[other] @ np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1.0]])
    one = SphereExplorer(xyz, rows=rows, height=300, **options)
    return one, SphereExplorer(turned, rows=rows.iloc[other], height=300, seed=9, **options)


def training(n: int = 120) -> TrainingMovie:
    xyz, rows = table(n)
    share = np.linspace(0, 1, FRAMES)[:, None, None]
    frames = np.array(FRONT) * (1 - share) + xyz * share
    losses = np.linspace(3, 1, FRAMES)
    return TrainingMovie(frames, rows=rows, losses=losses, autoplay=False, height=300)


def test_two_spheres_share_all_there_is(show: Callable[[Link], Linked]) -> None:
    one, two = pair()
    linked = show(link(one, two))
    page = linked.page
    before = linked.picture(1)
    linked.key(0, "ArrowLeft", "ArrowLeft", "+")
    assert linked.picture(1) != before, "the camera is not shared"
    # A row that both have: its card says which it is.
    shared = {str(row) for row in two._points.row_ids}
    card = page.locator(".ftx-sphere-card").first
    for _ in range(30):
        linked.key(0, "n")
        row = card.locator("dd").first.inner_text()
        if row in shared:
            break
    assert linked.ring(1) > 20, "the row under the cursor is not ringed in the other"
    page.keyboard.press("Enter")
    linked.settle()
    assert (linked.selected(0), linked.selected(1)) == (1, 1)
    linked.key(1, "Escape")
    assert (linked.selected(0), linked.selected(1)) == (0, 0)
    assert linked.ring(1) == 0
    choosers = page.get_by_label("Colour by", exact=True)
    choosers.nth(1).select_option(label="age")
    linked.settle()
    assert choosers.nth(0).evaluate("(e) => e.selectedOptions[0].label") == "age"
    assert page.locator(".ftx-sphere-bar").count() == 2


def test_rows_are_the_same_by_id_and_not_by_place(show: Callable[[Link], Linked]) -> None:
    one, two = pair(color_by="plan")
    linked = show(link(one, two, what="selection"))
    page = linked.page
    page.locator(".ftx-sphere-entry", has_text="pro").first.click(modifiers=["Shift"])
    page.get_by_role("button", name="Select shown").first.click()
    linked.settle()
    wanted = [int((w._points.rows["plan"] == "pro").sum()) for w in (one, two)]
    assert [linked.selected(0), linked.selected(1)] == wanted
    assert wanted[0] > wanted[1] > 0
    before = linked.picture(1)
    linked.key(0, "ArrowLeft")
    assert linked.picture(1) == before, "only the selection is linked"


def test_closed_widgets_leave_nothing_behind(browser: Browser) -> None:
    text = link(*pair()).to_html()
    host = json.loads(text.split('id="host">', 1)[1].split("</script>", 1)[0])
    page = browser.new_page()
    page.set_content("<main></main>")
    page.evaluate(
        """async ([host, { bundles, widgets }]) => {
          const url = URL.createObjectURL(new Blob([host], { type: "text/javascript" }));
          const { default: show } = await import(url);
          window.closes = [];
          for (const widget of widgets) {
            const el = document.querySelector("main").appendChild(document.createElement("div"));
            closes.push(await show({ ...widget, bundle: bundles[widget.bundle] }, el));
          }
        }""",
        [host, page_data(text)],
    )
    linked = Linked(page)
    linked.key(1, "n", "Enter")
    assert linked.selected(0) == 1
    page.evaluate("closes[0]()")
    linked.key(0, "Escape", "ArrowLeft")
    assert linked.selected(0) == 0, "the other one goes on"
    assert page.evaluate(BUS)
    page.evaluate("closes[1]()")
    assert not page.evaluate(BUS)
    page.close()


def test_a_movie_and_a_sphere_share_camera_rows_and_colour(show: Callable[[Link], Linked]) -> None:
    movie = training()
    xyz, rows = table(120)
    linked = show(link(movie, SphereExplorer(xyz, rows=rows, height=300)))
    page = linked.page
    before = linked.picture(0)
    linked.key(1, "ArrowLeft", "-")
    assert linked.picture(0) != before
    linked.key(0, "n")
    assert linked.ring(1) > 20
    page.keyboard.press("Enter")
    linked.settle()
    assert linked.selected(1) == 1
    page.get_by_label("Colour by", exact=True).nth(1).select_option(label="age")
    linked.settle()
    assert page.locator(".ftx-movie .ftx-sphere-bar").count() == 1


def test_a_movie_and_a_dashboard_share_the_epoch(show: Callable[[Link], Linked]) -> None:
    board = TrainingDashboard({"epoch": range(FRAMES), "loss": np.linspace(3, 1, FRAMES)})
    linked = show(link(training(), board))
    page = linked.page
    caption, chart = page.locator(".ftx-movie-caption"), page.locator(".ftx-dash .ftx-chart").first
    chart.scroll_into_view_if_needed()
    chart.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    linked.settle()
    assert caption.inner_text() == "Epoch 2"
    cursor = chart.locator(".u-cursor-x")
    left = cursor.bounding_box()
    linked.key(0, "End")
    assert caption.inner_text() == f"Epoch {FRAMES - 1}"
    assert cursor.bounding_box()["x"] > left["x"] + 100
    over = chart.locator(".u-over").bounding_box()
    page.mouse.move(over["x"] + over["width"] / 2, over["y"] + 30)
    linked.settle()
    assert caption.inner_text() == f"Epoch {FRAMES // 2}"
    page.mouse.move(5, 5)
    linked.settle()
    assert caption.inner_text() == f"Epoch {FRAMES // 2}", "the pointer leaves, the epoch stays"
    assert cursor.bounding_box()["x"] > left["x"] + 100


def test_heatmaps_share_cells_by_what_stands_there(show: Callable[[Link], Linked]) -> None:
    grid = pd.DataFrame(
        np.arange(12.0).reshape(3, 4),
        index=pd.Index([10, 20, 30], name="age"),
        columns=pd.Index([1, 2, 3, 4], name="rooms"),
    )
    flipped = grid.T.iloc[::-1]
    xyz, rows = table(20)
    sphere = SphereExplorer(xyz, rows=rows, height=300)
    linked = show(link(PredictionHeatmap(grid), PredictionHeatmap(flipped), sphere))
    page = linked.page
    values = page.locator(".ftx-heat-cell .ftx-heat-value")
    page.locator(".ftx-heat-stage").first.focus()
    for key in ("Home", "ArrowUp", "ArrowUp", "ArrowDown", "ArrowRight"):
        page.keyboard.press(key)
    linked.settle()
    assert values.all_inner_texts() == ["5.00", "5.00"], "pointed at"
    page.keyboard.press("Enter")
    linked.key(0, "n", "Enter")
    assert values.all_inner_texts() == ["5.00", "5.00"], "selected"
    assert linked.selected(0) == 1, "a row is no cell, and disturbs none"
