"""The movie in a real JupyterLab: a training that runs makes it grow; an epoch is published."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.sphere_page import settle

SURVEYS = Path(__file__).resolve().parents[2] / "examples" / "data" / "portal_surveys.csv.gz"
CELLS = (
    f"""
import pandas as pd
from featrix_client import FeatrixSphere
from featrix_notebook import TrainingMovie

animals = pd.read_csv({str(SURVEYS)!r}).sample(300, random_state=1)
animals = animals[["species_id", "sex", "hindfoot_length", "weight"]]
featrix = FeatrixSphere()
fm = featrix.create_foundational_model(name="animals", df=animals, epochs=4)
counts = []
movie = TrainingMovie(fm, fps=8)
movie.observe(lambda change: counts.append(len(change["new"]["epochs"])), "_spec")
movie
""",
    "movie.epoch = 1",
)


@pytest.mark.timeout(600)
def test_a_running_training_is_played_and_an_epoch_published(
    lab: Any, open_notebook: Callable[[str], Any]
) -> None:
    notebook = open_notebook(lab.write("movie.ipynb", *CELLS))
    page = notebook.page
    notebook.run(0)
    panel = page.locator(".ftx-movie-panel")
    panel.wait_for()
    page.wait_for_function(
        "() => { const text = document.querySelector('.ftx-movie-panel').innerText;"
        " return /epochs/.test(text) && !/training$/m.test(text.split('\\n')[1] ?? ''); }",
        timeout=180_000,
    )
    last = notebook.python("movie.epochs[-1]")
    page.wait_for_function(
        f"() => document.querySelector('.ftx-movie-caption').textContent === 'Epoch {last}'",
        timeout=60_000,
    )
    counts = notebook.python("counts")
    assert len({count for count in counts if count}) >= 2, "the movie did not grow"
    assert page.locator(".ftx-movie-values").inner_text().count("\n") >= 2
    notebook.run(1)
    page.wait_for_function(
        "() => document.querySelector('.ftx-movie-caption').textContent === 'Epoch 1'"
    )
    # Keys the notebook knows as commands belong to the movie while it has the focus.
    before = len(notebook.cells())
    page.locator(".ftx-sphere-stage").focus()
    for key in ("b", "b", "ArrowRight", "Home", "]", "[", "End"):
        page.keyboard.press(key)
    page.wait_for_function(
        f"() => document.querySelector('.ftx-movie-caption').textContent === 'Epoch {last}'"
    )
    notebook.becomes("movie.epoch", last)
    assert len(notebook.cells()) == before
    kept = notebook.python("fm.epochs")
    notebook.python(f"[movie.set_trait('epoch', {kept})] and 0")
    settle(page, 600)
    page.get_by_role("button", name="Publish", exact=True).click()
    page.get_by_role("button", name=f"Publish epoch {kept}").click()
    said = page.locator(".ftx-movie-drawer:visible [role='status']")
    page.wait_for_function(
        "() => /Published as|kept/.test([...document.querySelectorAll('.ftx-movie-drawer')]"
        ".map((e) => e.innerText).join())",
        timeout=180_000,
    )
    assert "Published as" in said.inner_text(), said.inner_text()
    notebook.theme("Dark")
    settle(page, 600)
    notebook.screenshot("movie-dark")
    assert notebook.complaints == []
