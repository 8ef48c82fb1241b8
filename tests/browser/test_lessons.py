"""The lessons of ``examples/``: run in JupyterLab, checked, saved, and shown without a kernel.

Opened again, every widget is its picture; converted by nbconvert it is interactive. Each cell is
run as a reader would. Cells marked ``NBVAL_CHECK_OUTPUT`` must give what is stored with the lesson,
as under nbval (`tests/docs/test_lessons.py`). The quickstart has its own test.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import ROOT, Lab, Notebook
from tests.browser.saved import check_passed_on, read, saved_cells

EXAMPLES = ROOT / "examples"
LESSONS = sorted(path.name for path in EXAMPLES.glob("0[2-9]_*.ipynb"))


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
    saved, stored = saved_cells(notebook), read(EXAMPLES / lesson)
    for place in code:
        if "NBVAL_CHECK_OUTPUT" in "".join(stored[place]["source"]):
            assert words(saved[place]) == words(stored[place]), "".join(stored[place]["source"])
    check_passed_on(notebook, open_notebook, chromium, tmp_path)


def words(cell: dict[str, Any]) -> list[str]:
    """What a cell says in plain text."""
    said = [o.get("text") or o["data"]["text/plain"] for o in cell["outputs"]]
    return ["".join(text).strip() for text in said]
