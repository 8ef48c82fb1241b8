"""The heatmap of a real predictor in a real JupyterLab: it fills while the kernel is busy, a slider
changes the surface, a click arrives in Python, and the notebook stores what is shown."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator

from tests.browser.conftest import ROOT, Lab, Notebook, pixels
from tests.waiting import wait_until

TRAIN = f"""
import numpy as np, pandas as pd
from featrix_client import FeatrixSphere
from featrix_notebook import PredictionHeatmap

surveys = pd.read_csv({str(ROOT / "examples" / "data" / "portal_surveys.csv.gz")!r})
wanted = ["species_id", "sex", "hindfoot_length", "weight", "month"]
table = surveys[surveys.species_id.isin(["DM", "PP", "OT"])][wanted].sample(400, random_state=1)
fm = FeatrixSphere("local").create_foundational_model(name="animals", df=table, epochs=2)
fm.wait_for_training(poll_interval=1, show_progress=False)
predictor = fm.create_multi_classifier(target_column="species_id", epochs=2)
predictor.wait_for_training(poll_interval=1, show_progress=False);
"""
SHOW = """
grid = predictor.predict_grid(2, (30, 30))
heatmap = PredictionHeatmap(grid, units={"weight": "g", "hindfoot_length": "mm"})
clicks = []
heatmap.on_click(lambda cell, record: clicks.append((cell, record)))
heatmap
"""
FILL = """
axes = {"weight": np.linspace(8, 60, 30).round(1), "hindfoot_length": np.linspace(12, 42, 30)}
grid.fill({"month": 6, "sex": "F"}, axes)
"""


def painted(stage: Locator) -> int:
    """How many pixels are coloured."""
    shot = pixels(stage)
    return int((shot.max(axis=2) - shot.min(axis=2) > 40).sum())


@pytest.mark.timeout(400)
def test_a_predictor_answers_what_the_page_asks(
    lab: Lab, open_notebook: Callable[[str], Notebook]
) -> None:
    notebook = open_notebook(lab.write("heatmap.ipynb", TRAIN, SHOW, FILL))
    notebook.run(0, seconds=240)
    notebook.run(1)
    stage = notebook.cell(1).locator(".ftx-heat-stage")
    assert painted(stage) < 20_000  # the colour scale alone
    notebook.run(2)
    stage = notebook.cell(1).locator(".ftx-heat-stage")
    wait_until(lambda: painted(stage) > 100_000, "the filled cells on the page", 20)
    check_that_a_slider_changes_the_surface(notebook, stage)
    check_that_a_click_gives_the_record(notebook, stage)
    check_that_the_notebook_stores_it(notebook)
    notebook.screenshot("heatmap-light", notebook.cell(1))
    notebook.theme("Dark")
    stage = notebook.cell(1).locator(".ftx-heat-stage")
    wait_until(lambda: pixels(stage)[3, 3].max() < 80, "the dark theme", 10)
    notebook.screenshot("heatmap-dark", notebook.cell(1))
    assert notebook.complaints == []


def check_that_a_slider_changes_the_surface(notebook: Notebook, stage: Locator) -> None:
    cell = notebook.cell(1)
    month = cell.get_by_role("slider", name="month")
    month.wait_for(timeout=20_000)  # its range comes from the model card
    before, values = pixels(stage), np.array(notebook.python("heatmap.values.tolist()"))
    month.focus()
    for _ in range(5):
        notebook.page.keyboard.press("ArrowRight")
    wait_until(lambda: notebook.python("heatmap.base_record")["month"] == 11, "the wish", 20)
    assert notebook.python("heatmap.wait(60)")
    expected = notebook.python(
        "predictor.predict(heatmap._surface.record(99)).probabilities[heatmap.target_class]"
    )
    after = np.array(notebook.python("heatmap.values.tolist()"))
    assert after.ravel()[99] == pytest.approx(expected, abs=1e-6)
    assert np.abs(after - values).max() > 1e-4
    wait_until(lambda: np.abs(pixels(stage) - before).max() > 20, "other pixels", 10)


def check_that_a_click_gives_the_record(notebook: Notebook, stage: Locator) -> None:
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    assert box is not None
    stage.click(position={"x": box["width"] * 0.5, "y": box["height"] * 0.4})
    ((at, record),) = wait_until(lambda: notebook.python("clicks"), "the click in Python", 20)
    assert record == notebook.python("heatmap.record")
    assert record["weight"] == notebook.python(f"float(axes['weight'][{at[0]}])")
    assert (record["sex"], record["month"]) == ("F", 11)
    assert notebook.python("heatmap.prediction.predicted_class") in ("DM", "PP", "OT")


def check_that_the_notebook_stores_it(notebook: Notebook) -> None:
    def stored() -> dict[str, Any]:
        outputs: list[dict[str, Any]] = notebook.page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.content.widgets[1].model.outputs.toJSON()"
        )
        (output,) = outputs
        data: dict[str, Any] = output["data"]
        return data

    before, said = stored(), notebook.python("heatmap.summary()")
    assert "Probability of species_id = " in before["text/plain"]
    assert "cells filled" not in before["text/plain"]
    assert before["text/plain"] != said, "nothing is drawn anew under the reader's hand"
    notebook.page.mouse.move(2, 2)
    notebook.page.evaluate("() => document.activeElement.blur()")
    wait_until(lambda: stored()["text/plain"] == said, "the reader's surface is stored", 20)
    assert base64.b64decode(stored()["image/png"]).startswith(b"\x89PNG")
    assert stored()["image/png"] != before["image/png"]
    notebook.cell(1).locator(".ftx-heat-stage").wait_for()
