"""Asking about rows in the sphere bundle, in a real Chromium: what is found, and what is shown."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, Playwright

from featrix_notebook.widgets.sphere import SphereExplorer
from tests.browser.sphere_page import Kernel, Open, Opened, launched, opener, settle, table


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
        return self.page.locator(".ftx-sphere-found").inner_text()

    def changed_by(self, act: Callable[[], None], ms: int = 350) -> int:
        """Pixels of the picture that are others after `act`."""
        before = self.pixels()
        act()
        self.settle(ms)
        return int((np.abs(self.pixels() - before).max(axis=2) > 40).sum())


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    with launched(playwright) as running:
        yield running


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
    assert opened.page.locator(".ftx-sphere-results").inner_text().startswith("‹\n1 of")
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
    assert not opened.page.locator(".ftx-sphere-results").is_visible()


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
    complaints: list[str] = []
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else 0)
    page.on("pageerror", lambda error: complaints.append(str(error)))
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
        assert page.locator(".ftx-sphere-found").inner_text() == words, (column, operator, value)
        assert len(known)
    assert page.locator("main b").count() == 0
    assert complaints == []
    page.close()
