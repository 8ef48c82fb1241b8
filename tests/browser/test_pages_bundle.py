"""Each widget as a page of its own, opened from a file in a real Chromium without a network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser

from featrix_notebook import PredictionHeatmap, SphereExplorer, TrainingDashboard, TrainingMovie
from featrix_notebook.widgets.base import FeatrixWidget
from tests.browser.sphere_page import FRONT, complaints_of, settle, table

EPOCHS = 6
# The share of the pixels of all layers of a canvas's place that anything is drawn in.
PAINTED = """(el) => {
  const layers = [...el.querySelectorAll("canvas")].map((canvas) => {
    const copy = Object.assign(document.createElement("canvas"), { width: 300, height: 200 });
    const context = copy.getContext("2d");
    context.drawImage(canvas, 0, 0, 300, 200);
    return context.getImageData(0, 0, 300, 200).data;
  });
  return layers[0].filter((_, i) => i % 4 === 3 && layers.some((l) => l[i] > 0)).length / 60_000;
}"""


def sphere() -> SphereExplorer:
    xyz, rows = table(200)
    return SphereExplorer(xyz, rows=rows, color_by="plan", height=300)


def movie() -> TrainingMovie:
    xyz, rows = table(200)
    share = np.linspace(0, 1, EPOCHS)[:, None, None]
    losses = np.linspace(3, 1, EPOCHS)
    frames = np.array(FRONT) * (1 - share) + xyz * share
    return TrainingMovie(frames, rows=rows, losses=losses, autoplay=False, height=300)


def heatmap() -> PredictionHeatmap:
    index, columns = pd.Index([20, 40, 60], name="age"), pd.Index(["a", "b"], name="plan")
    return PredictionHeatmap(pd.DataFrame(np.arange(6.0).reshape(3, 2), index, columns))


def dashboard() -> TrainingDashboard:
    return TrainingDashboard({"epoch": range(EPOCHS), "loss": np.linspace(3, 1, EPOCHS)})


@pytest.mark.parametrize(
    ("make", "title", "stage"),
    [
        (sphere, "Rows on a sphere", ".ftx-sphere-stage"),
        (movie, "Training movie", ".ftx-movie .ftx-sphere-stage"),
        (heatmap, "Heatmap: value", ".ftx-heat-stage"),
        (dashboard, "training log", ".ftx-dash .ftx-chart"),
    ],
)
def test_a_widget_is_a_page_that_needs_nothing_else(
    browser: Browser,
    tmp_path: Path,
    make: Callable[[], FeatrixWidget],
    title: str,
    stage: str,
) -> None:
    path = tmp_path / "page.html"
    assert make().to_html(path) == path.read_text(encoding="utf-8")
    context = browser.new_context(offline=True, viewport={"width": 900, "height": 700})
    page = context.new_page()
    complaints = complaints_of(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    place = page.locator(stage).first
    place.wait_for()
    settle(page, 400)
    assert page.title() == title
    assert place.evaluate(PAINTED) > 0.01
    assert page.locator(".ftx-error:visible").count() == 0
    outside = [url for url in asked if not url.startswith(("file:", "blob:", "data:"))]
    assert (complaints, outside) == ([], [])
    context.close()
