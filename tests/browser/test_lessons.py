"""The lessons of ``examples/``: run in JupyterLab, checked, saved, and shown without a kernel.

Opened again, every widget is its picture; converted by nbconvert it is interactive. Each cell is
run as a reader would. Cells marked ``NBVAL_CHECK_OUTPUT`` must give what is stored with the lesson;
``pytest --nbval-lax examples`` checks the same. The quickstart has its own test.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator

from tests.browser.conftest import ROOT, Lab, Notebook, pixels
from tests.browser.converted import WIDGET, check_alive, converted, widgets_in
from tests.waiting import wait_until

EXAMPLES = ROOT / "examples"
LESSONS = sorted(path.name for path in EXAMPLES.glob("0[2-9]_*.ipynb"))
MOST_BYTES = 3_000_000
VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.mark.timeout(900)
@pytest.mark.parametrize("lesson", LESSONS)
def test_lesson(
    lesson: str,
    lab: Lab,
    open_notebook: Callable[..., Notebook],
    chromium: Browser,
    tmp_path: Path,
) -> None:
    shutil.copytree(EXAMPLES, lab.notebooks, dirs_exist_ok=True)
    notebook = open_notebook(lesson)
    code = [place for place, cell in enumerate(notebook.cells()) if cell["type"] == "code"]
    for place in code:
        notebook.run(place, seconds=600)
    assert notebook.complaints == []
    saved = run_and_saved(notebook)
    stored = read(EXAMPLES / lesson)
    for place in code:
        if "NBVAL_CHECK_OUTPUT" in "".join(stored[place]["source"]):
            assert words(saved[place]) == words(stored[place]), "".join(stored[place]["source"])
    for session in lab.api("GET", "sessions").json():
        lab.api("DELETE", f"sessions/{session['id']}")
    check_pictures(open_notebook(lesson, kernel=False), saved)
    file = lab.notebooks / lesson
    assert file.stat().st_size < MOST_BYTES
    if widgets_in(file):
        with converted(chromium, file, tmp_path) as page:
            check_alive(page, file)


def read(path: Path) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["cells"]
    return cells


def run_and_saved(notebook: Notebook) -> list[dict[str, Any]]:
    """The cells as they are on disk, once the last code cell's run is there."""
    file = notebook.lab.notebooks / notebook.path

    def cells() -> list[dict[str, Any]] | None:
        notebook.command("docmanager:save")
        found = read(file)
        last = [cell for cell in found if cell["cell_type"] == "code"][-1]
        return found if last["execution_count"] else None

    result: list[dict[str, Any]] = wait_until(cells, "the notebook is saved", 60, every=1)
    return result


def words(cell: dict[str, Any]) -> list[str]:
    """What a cell says in plain text."""
    said = [o.get("text") or o["data"]["text/plain"] for o in cell["outputs"]]
    return ["".join(text).strip() for text in said]


def check_pictures(notebook: Notebook, cells: list[dict[str, Any]]) -> None:
    """Every widget and figure of the saved lesson is a picture, with no kernel behind it."""
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
