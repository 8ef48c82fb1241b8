"""Chromium, pages with a dashboard in them, and a run to follow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright

from featrix_notebook.widgets.dashboard import TrainingDashboard
from tests.browser.dashboard.page import Host, ScriptedRun
from tests.browser.sphere_page import launched


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    with launched(playwright) as running:
        yield running


@pytest.fixture
def show(browser: Browser) -> Iterator[Callable[..., Host]]:
    """Open a widget in a page of its own; a complaint of the page fails the test."""
    pages: list[Page] = []
    complaints: list[str] = []
    widgets: list[TrainingDashboard] = []

    def show_(widget: TrainingDashboard, width: int = 1000, **context: Any) -> Host:
        page = browser.new_page(viewport={"width": width, "height": 900}, **context)
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        pages.append(page)
        widgets.append(widget)
        return Host(page, widget)

    yield show_
    for page in pages:
        page.close()
    for widget in widgets:
        widget.close()
    assert complaints == []


@pytest.fixture
def run(request: pytest.FixtureRequest) -> Iterator[ScriptedRun]:
    made = ScriptedRun(request.node.name)
    made.tell("status", status="running", requested=None, error=None)
    yield made
    made.over = True
