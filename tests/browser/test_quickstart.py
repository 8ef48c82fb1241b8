"""The quickstart, run cell by cell in a real JupyterLab, the way a newcomer runs it."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator

from tests.browser.conftest import ROOT, Lab, Notebook, pixels
from tests.browser.saved import check_passed_on
from tests.waiting import wait_until

QUICKSTART = "01_quickstart.ipynb"


@pytest.fixture
def quickstart(lab: Lab, open_notebook: Callable[[str], Notebook]) -> Notebook:
    shutil.copytree(ROOT / "examples", lab.notebooks, dirs_exist_ok=True)
    return open_notebook(QUICKSTART)


def ink(of: Locator) -> int:
    """How many pixels are strongly coloured: lines and points, neither paper nor text."""
    shot = pixels(of)
    return int((shot.max(axis=2) - shot.min(axis=2) > 60).sum())


@pytest.mark.timeout(600)
def test_quickstart(
    quickstart: Notebook,
    open_notebook: Callable[..., Notebook],
    chromium: Browser,
    tmp_path: Path,
) -> None:
    nb = quickstart
    watch, wait, look = (
        nb.index(text) for text in ("TrainingDashboard(fm)", "wait_for", "SphereExplorer(fm")
    )
    for place in range(watch + 1):
        if nb.cells()[place]["type"] == "code":
            nb.run(place)
    check_that_the_curve_grows(nb, watch)
    check_that_pause_pauses(nb, watch)
    nb.run(wait, seconds=300)
    nb.screenshot("quickstart-dashboard-light", nb.cell(watch))
    nb.run(look)
    nb.screenshot("quickstart-sphere-light", nb.cell(look))
    check_that_a_click_selects(nb, look)
    for place in range(look + 1, len(nb.cells())):
        if nb.cells()[place]["type"] == "code":
            nb.run(place)
    nb.screenshot("quickstart-selection-light", nb.cell(look))
    nb.theme("Dark")
    nb.screenshot("quickstart-selection-dark", nb.cell(look))
    nb.screenshot("quickstart-dashboard-dark", nb.cell(watch))
    nb.screenshot("quickstart-model-dark", nb.cell(wait))
    assert nb.complaints == []
    check_passed_on(nb, open_notebook, chromium, tmp_path)


def check_that_the_curve_grows(nb: Notebook, place: int) -> None:
    """In pixels on the page and in numbers in the kernel, while the model trains."""
    chart = nb.cell(place).locator("canvas").first
    chart.wait_for(timeout=120_000)  # a new server compiles before the first epoch
    wait_until(lambda: epochs(nb) >= 2, "two epochs in the dashboard", 120)
    before, drawn = epochs(nb), ink(chart)
    wait_until(lambda: epochs(nb) >= before + 3, "three more epochs in the dashboard", 120)
    wait_until(lambda: ink(chart) != drawn, "new pixels in the chart", 10)
    assert job(nb) == "running"


def check_that_pause_pauses(nb: Notebook, place: int) -> None:
    """The button stops the job on the server, and the same button lets it go on."""
    cell = nb.cell(place)
    cell.get_by_role("button", name="Pause training").click()
    resume = cell.get_by_role("button", name="Resume training")
    resume.wait_for(timeout=30_000)
    assert job(nb) == "paused"
    held = epochs(nb)
    time.sleep(3)
    assert epochs(nb) == held
    nb.screenshot("quickstart-dashboard-paused", cell)
    resume.click()
    wait_until(lambda: epochs(nb) > held, "an epoch after resuming", 60)


def check_that_a_click_selects(nb: Notebook, place: int) -> None:
    """The sphere paints its points, and a click on one of them arrives in Python."""
    stage = nb.cell(place).locator(".ftx-sphere-stage")
    stage.scroll_into_view_if_needed()
    wait_until(lambda: ink(stage) > 5_000, "points on the sphere", 30)
    shot = pixels(stage)
    grey = float((shot == 128).all(axis=2).mean())
    assert grey < 0.01, "the ball has not the colours of the theme"
    colored = np.argwhere(shot.max(axis=2) - shot.min(axis=2) > 60)
    middle = np.array(shot.shape[:2]) / 2
    y, x = colored[np.abs(colored - middle).sum(axis=1).argmin()]
    stage.click(position={"x": float(x), "y": float(y)})
    (row,) = wait_until(
        lambda: (ids := nb.python("sphere.selected_ids")) and len(ids) == 1 and ids,
        "one selected row in Python",
        20,
    )
    assert nb.python("len(sphere.selection)") == 1
    assert row in nb.python("fm.projections_frame()['__featrix_row_id'].tolist()")


def epochs(nb: Notebook) -> int:
    """How far the dashboard says it is; the sphere's epochs come after all others."""
    found = re.search(r"(epoch|sphere) (\d+)", nb.python("dashboard.summary()"))
    return int(found[2]) + 1_000 * (found[1] == "sphere") if found else 0


def job(nb: Notebook) -> str:
    """What the server says of the training job."""
    word: str = nb.python("next(iter(fm.refresh()['jobs'].values()))['status']")
    return word
