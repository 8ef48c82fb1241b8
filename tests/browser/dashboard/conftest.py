"""Chromium, pages with a dashboard in them, and a run to follow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from featrix_notebook.widgets.dashboard import TrainingDashboard
from tests.browser.dashboard.page import Host, ScriptedRun
from tests.browser.sphere_page import complaints_of


@pytest.fixture
def show(browser: Browser) -> Iterator[Callable[..., Host]]:
    """Open a widget in a page of its own; a complaint of the page fails the test."""
    pages: list[Page] = []
    complaints: list[list[str]] = []
    widgets: list[TrainingDashboard] = []

    def show_(widget: TrainingDashboard, width: int = 1000, **context: Any) -> Host:
        page = browser.new_page(viewport={"width": width, "height": 900}, **context)
        complaints.append(complaints_of(page))
        pages.append(page)
        widgets.append(widget)
        return Host(page, widget)

    yield show_
    for page in pages:
        page.close()
    for widget in widgets:
        widget.close()
    assert not any(complaints), complaints


@pytest.fixture
def run(request: pytest.FixtureRequest) -> Iterator[ScriptedRun]:
    made = ScriptedRun(request.node.name)
    made.tell("status", status="running", requested=None, error=None)
    yield made
    made.over = True
