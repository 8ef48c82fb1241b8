"""Hostile tables in every widget, with its kernel and as an exported page: nothing but text."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.hostile import STAGES, TABLES, WIDGETS
from tests.browser.sphere_page import complaints_of, opener, settle
from tests.browser.test_pages_bundle import PAINTED

KEYS = {
    "sphere": ("n", "Enter", "Shift+N", "p"),
    "movie": ("n", "Enter", "End", "ArrowLeft"),
    "dashboard": ("Home", "ArrowRight", "End"),
    "heatmap": ("Home", "ArrowRight", "ArrowDown", "Enter", "End"),
}


def use(page: Page, name: str) -> None:
    """Point at things, choose every colour there is, and look for anything but text."""
    stage = page.locator(STAGES[name]).first
    stage.wait_for()
    settle(page, 300)
    assert stage.evaluate(PAINTED) > 0.01
    stage.focus()
    for key in KEYS[name]:
        page.keyboard.press(key)
    stage.hover()
    settle(page, 300)
    chooser = page.get_by_label("Colour by", exact=True)
    if chooser.count():
        for choice in range(chooser.locator("option").count()):
            chooser.select_option(index=choice)
            settle(page, 30)
    settle(page, 100)
    assert page.locator(".ftx img, .ftx script").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("name", WIDGETS)
def test_a_hostile_table_is_only_text(
    browser: Browser, tmp_path: Path, name: str, table: str
) -> None:
    widget = WIDGETS[name](TABLES[table]())
    with opener(browser) as open_:
        opened = open_(widget)
        dialogs: list[str] = opened.complaints
        opened.page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        use(opened.page, name)
    widget.to_html(tmp_path / "page.html")
    context = browser.new_context(offline=True, viewport={"width": 960, "height": 640})
    page = context.new_page()
    complaints = complaints_of(page)
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.goto((tmp_path / "page.html").as_uri())
    use(page, name)
    context.close()
    widget.close()
    assert complaints == []
