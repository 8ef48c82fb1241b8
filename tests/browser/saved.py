"""A notebook that was run and is passed on: reopened with no kernel, and converted."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator

from tests.browser.conftest import Notebook, pixels
from tests.browser.converted import WIDGET, check_alive, converted, widgets_in
from tests.waiting import wait_until

MOST_BYTES = 3_000_000
VIEW = "application/vnd.jupyter.widget-view+json"


def read(path: Path) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["cells"]
    return cells


def saved_cells(notebook: Notebook) -> list[dict[str, Any]]:
    """The cells as they are on disk, once the last code cell's run is there."""
    file = notebook.lab.notebooks / notebook.path

    def cells() -> list[dict[str, Any]] | None:
        notebook.command("docmanager:save")
        found = read(file)
        last = [cell for cell in found if cell["cell_type"] == "code"][-1]
        return found if last["execution_count"] else None

    result: list[dict[str, Any]] = wait_until(cells, "the notebook is saved", 60, every=1)
    return result


def check_passed_on(
    notebook: Notebook, open_notebook: Callable[..., Notebook], browser: Browser, folder: Path
) -> None:
    """With its kernel gone, every widget is its picture; converted by nbconvert it is alive."""
    saved, lab = saved_cells(notebook), notebook.lab
    for session in lab.api("GET", "sessions").json():
        lab.api("DELETE", f"sessions/{session['id']}")
    check_pictures(open_notebook(notebook.path, kernel=False), saved)
    file = lab.notebooks / notebook.path
    assert file.stat().st_size < MOST_BYTES
    if widgets_in(file):
        with converted(browser, file, folder) as page:
            check_alive(page, file)


def check_pictures(notebook: Notebook, cells: list[dict[str, Any]]) -> None:
    """Every widget and figure of the saved notebook is a picture, with no kernel behind it."""
    shown = 0
    for place, cell in enumerate(cells):
        data = [output.get("data", {}) for output in cell.get("outputs", ())]
        widgets = sum(WIDGET in one for one in data)
        figures = sum("image/png" in one and VIEW not in one for one in data)
        if not widgets + figures:
            continue
        images = notebook.cell(place).get_by_role("img")
        images.first.wait_for()
        assert images.count() >= widgets + figures
        for image in images.all():
            check_picture(image)
        words_there = notebook.cell(place).locator(".jp-OutputArea").inner_text()
        assert not re.search("not found|Loading widget|Error", words_there)
        shown += widgets + figures
    assert shown


def check_picture(image: Locator) -> None:
    assert image.evaluate("(i) => i.decode().then(() => i.naturalWidth)") >= 300
    assert len({tuple(pixel) for pixel in pixels(image).reshape(-1, 3)[::37]}) > 5
