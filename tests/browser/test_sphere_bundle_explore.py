"""Asking about rows in the sphere bundle, in a real Chromium: what is found, and what is shown."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser, Page

from featrix_notebook.widgets.sphere import SphereExplorer
from tests.browser.sphere_page import (
    FRONT,
    Kernel,
    Open,
    Opened,
    complaints_of,
    opener,
    settle,
    table,
)
from tests.browser.test_sphere_bundle_hosts import hostile


class PatientKernel(Kernel):
    """Waits for the answer to a question that is answered on a thread of its own."""

    def __call__(self, call: dict[str, Any]) -> dict[str, Any]:
        answer = super().__call__(call)
        request = call.get("message", {}).get("id")
        deadline = time.monotonic() + 60
        while request and request not in [message.get("id") for message, _ in answer["messages"]]:
            assert time.monotonic() < deadline, f"no answer to {call}"
            time.sleep(0.01)
            more = self.take()
            answer["state"] |= more["state"]
            answer["messages"] += more["messages"]
        return answer


class Asked(Opened):
    kernel_class = PatientKernel

    @property
    def panel(self) -> Any:
        return self.page.locator(".ftx-sphere-panel")

    def tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name).click()

    def status(self) -> str:
        return self.page.locator("form .ftx-sphere-found").inner_text()

    def changed_by(self, act: Callable[[], None], ms: int = 350) -> int:
        """Pixels of the picture that are others after `act`."""
        before = self.pixels()
        act()
        self.settle(ms)
        return int((np.abs(self.pixels() - before).max(axis=2) > 40).sum())


@pytest.fixture
def open_sphere(browser: Browser) -> Iterator[Open]:
    with opener(browser, Asked) as open_:
        yield open_


def find(page: Page, column: str, operator: str, value: str = "") -> None:
    page.get_by_label("Column to search").select_option(label=column)
    page.get_by_label("Comparison").select_option(operator)
    box = page.get_by_label("Value to look for")
    if box.is_visible():
        box.fill(value)
    page.get_by_role("button", name="Find", exact=True).click()
    settle(page, 350)


def test_a_search_counts_rings_walks_and_selects(open_sphere: Open) -> None:
    xyz, rows = table()
    opened: Any = open_sphere(SphereExplorer(xyz, rows=rows))
    opened.tab("Find")
    few = rows.index[rows["age"] >= 65]
    assert opened.changed_by(lambda: find(opened.page, "age", ">=", "65")) > 100, "no rings"
    assert opened.status() == f"{len(few)} rows found"
    opened.page.get_by_role("button", name="Next row found").click()
    opened.settle(900)
    assert (
        opened.page.locator("[role=search] .ftx-sphere-results").inner_text().startswith("‹\n1 of")
    )
    assert str(few[0]) in opened.page.locator(".ftx-sphere-card").inner_text()
    opened.page.get_by_role("button", name="Select", exact=True).click()
    opened.settle()
    assert opened.widget.selected_ids == list(few)
    find(opened.page, "plan", "missing")
    opened.page.get_by_role("button", name="Add to selection").click()
    opened.settle()
    assert opened.widget.selected_ids == list(rows.index[(rows["age"] >= 65) | rows["plan"].isna()])
    find(opened.page, "age", "<", "young")
    assert opened.status() == "'age' holds numbers, and 'young' is none."
    assert not opened.page.locator("[role=search] .ftx-sphere-results").is_visible()


def test_a_search_by_keyboard_alone(open_sphere: Open) -> None:
    xyz, rows = table()
    opened: Any = open_sphere(SphereExplorer(xyz, rows=rows))
    keyboard = opened.page.keyboard
    opened.focus()
    keyboard.press("/")
    keyboard.type("TEAM")
    keyboard.press("Enter")
    opened.settle()
    assert opened.status() == f"{(rows['plan'] == 'team').sum()} rows found"
    for _ in range(4):
        keyboard.press("Tab")
    keyboard.press("Enter")
    opened.settle()
    assert set(opened.widget.selection["plan"]) == {"team"}
    opened.page.get_by_label("Value to look for").focus()
    keyboard.press("Escape")
    opened.settle()
    assert opened.status() == ""
    opened.page.get_by_role("tab", name="Find").focus()
    keyboard.press("ArrowLeft")
    assert opened.page.get_by_label("Colour by", exact=True).is_visible()


def clustered() -> pd.DataFrame:
    """The table of `table`, as a model with clusters tells it; row 3 is far from all others."""
    xyz, rows = table(300)
    frame = pd.DataFrame(xyz, columns=["x", "y", "z"], index=rows.index)
    labels = rows["plan"].map({"basic": 0, "pro": 1, "team": 2}).fillna(3)
    frame["cluster_4"] = labels.astype(np.uint8)
    frame.attrs["featrix"] = {"best_k": 4, "available_k": [4]}
    frame["<i>plan</i>"], frame["age"] = rows["plan"], rows["age"]
    return frame


def vectors(frame: pd.DataFrame) -> np.ndarray:
    found = np.random.default_rng(0).normal(0, 0.1, (len(frame), 6)) + np.ones(6)
    found[3] = -found[3]
    return found


def test_nearest_rows_are_drawn_listed_and_told_in_python(open_sphere: Open) -> None:
    frame = clustered()
    sphere = SphereExplorer(frame, embeddings=vectors(frame))
    opened: Any = open_sphere(sphere)
    keyboard = opened.page.keyboard
    opened.focus()
    keyboard.press("k")
    opened.settle()
    assert "Choose a point first" in opened.panel.inner_text()
    opened.focus()
    keyboard.press("n")
    opened.settle(900)
    assert opened.changed_by(lambda: keyboard.press("k")) > 300, "nothing drawn"
    first = frame.index[sphere._order[0]]
    items = opened.page.locator(".ftx-sphere-ranked li")
    expected = sphere.neighbours(first, show=False)
    assert items.first.inner_text().split() == [
        str(expected.index[0]),
        f"{expected['similarity'].iloc[0]:.3f}",
    ]
    assert items.count() == 10
    assert "Nearest in the full embedding." in opened.panel.inner_text()
    items.first.get_by_role("button").press("Enter")
    opened.settle(900)
    assert str(expected.index[0]) in opened.page.locator(".ftx-sphere-card").inner_text()
    opened.page.get_by_role("button", name="Select these").click()
    opened.settle()
    assert sorted(opened.widget.selected_ids) == sorted(expected.index)
    opened.page.get_by_role("button", name="Hide").click()
    opened.settle()
    assert sphere._neighbours == {}
    assert items.count() == 0
    sphere.neighbours(first, k=3)
    opened.push()
    assert items.count() == 3


def test_isolated_rows_are_listed_and_selected(open_sphere: Open) -> None:
    frame = clustered()
    opened: Any = open_sphere(SphereExplorer(frame, embeddings=vectors(frame)))
    opened.tab("Find")
    button = opened.page.get_by_role("button", name="Most isolated rows")
    assert opened.changed_by(button.click) > 100
    assert opened.page.locator(".ftx-sphere-ranked li").first.inner_text().split()[0] == "1003"
    opened.page.get_by_role("button", name="Select these").click()
    opened.settle()
    assert set(opened.widget.selected_ids) == set(opened.widget.outliers().index)


def test_a_group_says_what_is_different(open_sphere: Open) -> None:
    frame = clustered()
    opened: Any = open_sphere(SphereExplorer(frame))
    opened.tab("Groups")
    group, compare = opened.page.get_by_label("Group to compare"), "What is different?"
    group.select_option(label="Cluster 1")
    opened.page.get_by_role("button", name=compare).press("Enter")
    opened.settle()
    first = opened.page.locator(".ftx-sphere-traits li").first.inner_text()
    assert first.startswith("<i>plan</i>\n= pro: 100%, elsewhere 0%")
    assert opened.page.locator("main .ftx-sphere-traits b i").count() == 0
    group.select_option(label="The selected rows")
    opened.page.get_by_role("button", name=compare).click()
    opened.settle()
    assert "Select some of the rows" in opened.panel.inner_text()
    opened.widget.select(frame.index[frame["age"] > 45])
    opened.push()
    opened.page.get_by_role("button", name=compare).click()
    opened.settle()
    assert opened.page.locator(".ftx-sphere-traits li").first.inner_text().startswith("age\nmedian")


class Model:
    """A model like the client's, which puts every record before the reader's eye."""

    name, status = "Plans", "done"

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def projections_frame(self) -> pd.DataFrame:
        frame = clustered()
        frame.insert(0, "__featrix_row_id", frame.index)
        return frame

    def get_projections(self) -> None:
        raise AssertionError("there is a frame")

    def encode(self, records: list[dict[str, Any]], short: bool) -> list[dict[str, Any]]:
        self.asked += records
        return [{"embedding": list(FRONT)} for _ in records]


def test_a_new_record_is_placed_and_taken_away(open_sphere: Open) -> None:
    model = Model()
    opened: Any = open_sphere(SphereExplorer(model))
    opened.tab("Row")
    opened.page.get_by_text("Place a new record").click()
    place = opened.page.get_by_role("button", name="Place", exact=True)
    place.click()
    opened.settle()
    assert "Fill in at least one value." in opened.panel.inner_text()
    opened.page.get_by_label("age").fill("old")
    place.click()
    opened.settle()
    assert "'age' holds numbers, and 'old' is none." in opened.panel.inner_text()
    opened.page.get_by_label("age").fill("41")
    opened.page.get_by_label("<i>plan</i>").fill("<b>pro</b>")
    assert opened.changed_by(lambda: opened.page.keyboard.press("Enter")) > 150, "no mark"
    assert model.asked == [{"<i>plan</i>": "<b>pro</b>", "age": 41.0}]
    (mark,) = opened.widget.placed
    assert mark.xyz == pytest.approx(FRONT)
    opened.widget.place({"age": 3}, "<u>mine</u>")
    opened.push()
    opened.page.get_by_role("button", name="Remove record 1").click()
    opened.settle()
    assert [one.label for one in opened.widget.placed] == ["<u>mine</u>"]
    opened.widget.placed[0].remove()
    opened.push()
    assert opened.page.locator(".ftx-sphere-marks li").count() == 0


def test_range_handles_hide_what_is_outside(open_sphere: Open) -> None:
    xyz, rows = table()
    opened: Any = open_sphere(SphereExplorer(xyz, rows=rows, color_by="age"))
    low = opened.page.get_by_label("Lowest value shown")
    high = opened.page.get_by_label("Highest value shown")
    before = low.get_attribute("aria-valuetext")
    low.focus()
    # Many steps at once.
    assert opened.changed_by(lambda: [low.press("PageUp") for _ in range(6)]) > 1000
    edge = float(low.get_attribute("aria-valuetext"))
    assert edge > float(before)
    assert "shown" in opened.page.locator(".ftx-sphere-range").inner_text()
    opened.page.get_by_role("button", name="Select shown").click()
    opened.settle()
    chosen = opened.widget.selection["age"]
    assert chosen.min() >= edge - 0.5
    assert len(chosen) == pytest.approx((rows["age"] >= edge).sum(), abs=25)
    high.press("Home")
    assert high.input_value() == low.input_value(), "handles cross"
    opened.page.get_by_label("Colour by", exact=True).select_option(label="Density of rows")
    opened.settle()
    assert low.input_value() == "1"
    assert opened.widget.color_by == "density"


def test_a_hostile_table_can_be_asked(open_sphere: Open) -> None:
    rows = hostile()
    xyz = np.random.default_rng(1).normal(size=(len(rows), 3))
    opened: Any = open_sphere(SphereExplorer(xyz, rows=rows))
    opened.page.on("dialog", lambda dialog: opened.complaints.append(dialog.message))
    opened.tab("Find")
    for column, operator, value, found in [
        ("<script>alert(1)</script>", "contains", "<IMG", 160),
        ("nothing", "missing", "", 320),
        ("number", ">", "1e307", 2),
        ("long", "contains", "x" * 9_000, 320),
        ("עברית", "contains", "עולם", 320),
        ("🎉 emoji", "equals", "👩‍👩‍👧‍👦", 320),
        ("lists", "contains", "[7, {", 1),
    ]:
        find(opened.page, column, operator, value)
        words = f"{found} {'row' if found == 1 else 'rows'} found"
        assert opened.status() == words, column
    opened.page.get_by_role("button", name="Next row found").click()
    opened.page.get_by_role("button", name="Select", exact=True).click()
    opened.settle(900)
    opened.tab("Row")
    opened.page.get_by_role("button", name="Nearest rows").click()
    opened.settle()
    assert opened.page.locator(".ftx-sphere-ranked li").count() == 10
    opened.tab("Groups")
    opened.page.get_by_role("button", name="What is different?").click()
    opened.settle()
    assert "The selected rows: 1 row" in opened.panel.inner_text()
    assert opened.page.locator("main img, main script").count() == 0


def test_a_page_without_a_kernel_finds_the_same(browser: Browser, tmp_path: Path) -> None:
    n = 40
    rows = pd.DataFrame(
        {
            "plan": ["Basic", "<b>pro</b>", None, "straße 'x'"] * 10,
            "age": [*range(n - 2), None, np.inf],
            "joined": pd.date_range("2024-01-01 18:30", periods=n, freq="D"),
            "text": ["שלום 👩‍👩‍👧‍👦"] * n,
        },
    )
    sphere = SphereExplorer(np.random.default_rng(0).normal(size=(n, 3)), rows=rows)
    sphere.to_html(tmp_path / "page.html")
    page = browser.new_page()
    complaints = complaints_of(page)
    page.goto((tmp_path / "page.html").as_uri())
    page.get_by_role("tab", name="Find").click()
    for column, operator, value in [
        ("plan", "contains", "<B>"),
        ("plan", "differs", "Basic"),
        ("age", ">", "30"),
        ("age", "missing", ""),
        ("joined", "<=", "2024-01-03"),
        ("joined", ">", "2024-01-03 12:00"),
        ("text", "contains", "👩"),
        ("Any column", "contains", "17"),
    ]:
        find(page, column, operator, value)
        known = sphere.search(None if column == "Any column" else column, operator, value)
        words = f"{len(known)} {'row' if len(known) == 1 else 'rows'} found"
        assert page.locator("form .ftx-sphere-found").inner_text() == words, (
            column,
            operator,
            value,
        )
        assert len(known)
    assert page.locator("main p b, main option b, main dd b").count() == 0
    page.get_by_role("button", name="Most isolated rows").click()
    settle(page, 350)
    assert page.locator(".ftx-sphere-ranked li").count() == 20
    page.locator(".ftx-sphere-stage").focus()
    page.keyboard.press("n")
    page.keyboard.press("k")
    settle(page, 900)
    assert "Nearest on the sphere only" in page.locator(".ftx-sphere-panel").inner_text()
    page.get_by_role("tab", name="Groups").click()
    page.get_by_role("button", name="What is different?").click()
    settle(page, 350)
    assert "no kernel behind it" in page.locator(".ftx-sphere-panel").inner_text()
    assert complaints == []
    page.close()
