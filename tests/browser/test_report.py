"""`export_report` of a real model with a predictor and a grid, opened without a network."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser, Locator, Page

from featrix_client import FeatrixSphere, FoundationalModel, Predictor
from featrix_notebook import SphereExplorer, export_report
from tests.browser.conftest import ROOT, SCREENS, Lab, pixels
from tests.browser.sphere_page import complaints_of
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(900)  # the first of them trains


@pytest.fixture(scope="module")
def trained(lab: Lab) -> tuple[FoundationalModel, Predictor]:
    """A small model and a predictor, on the server that the laboratory stops in the end."""
    surveys = pd.read_csv(ROOT / "examples" / "data" / "portal_surveys.csv.gz")
    wanted = ["species_id", "sex", "hindfoot_length", "weight", "month"]
    animals = surveys[wanted].dropna().sample(300, random_state=1).reset_index(drop=True)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HOME", "FEATRIX_HOME"):
            patch.setenv(name, lab.env[name])
        featrix = FeatrixSphere()
        fm = featrix.create_foundational_model(
            name="animals <b>", df=animals, ignore_columns=["species_id"], epochs=3
        )
        fm.wait_for_training(poll_interval=1, show_progress=False)
        predictor = fm.create_binary_classifier("sex", epochs=3)
        predictor.wait_for_training(poll_interval=1, show_progress=False)
    return fm, predictor


Scheme = Literal["light", "dark"]


def ink(of: Locator) -> int:
    """How many pixels are strongly coloured: neither paper nor text."""
    shot = pixels(of)
    return int((shot.max(axis=2) - shot.min(axis=2) > 60).sum())


def opened(browser: Browser, path: Path, scheme: Scheme = "light") -> tuple[Page, list[str]]:
    """The file in a browser without a network, and what it complained of or asked for."""
    context = browser.new_context(offline=True, color_scheme=scheme)
    page = context.new_page()
    page.set_viewport_size({"width": 1100, "height": 900})
    noted = complaints_of(page)
    own = ("file:", "blob:", "data:")
    page.on("request", lambda r: None if r.url.startswith(own) else noted.append(r.url))
    page.goto(path.as_uri())
    return page, noted


def test_a_report_is_a_page_that_needs_nothing_else(
    trained: tuple[FoundationalModel, Predictor], chromium: Browser, tmp_path: Path
) -> None:
    fm, predictor = trained
    grid = predictor.predict_grid(2, (9, 8))
    axes = {"weight": np.linspace(10, 90, 9), "hindfoot_length": np.linspace(15, 50, 8)}
    grid.fill({"month": 6}, axes)
    path = tmp_path / "report.html"
    assert export_report(fm, path, grids=[grid]) == path
    assert list(tmp_path.iterdir()) == [path]
    page, noted = opened(chromium, path)
    assert page.title() == "animals <b>"
    # Its own; the heatmap has headings, too, once it is there.
    titles = page.locator("main > section > h2").all_inner_texts()
    assert titles == [
        "Training",
        "The space it learned",
        "How it learned",
        "Predicting sex",
        "What if",
        "Model card",
    ]
    page.locator(".ftx-heat-stage").wait_for(timeout=60_000)  # the last widget on the page
    stages = page.locator(".ftx-sphere-stage")
    for place, there in enumerate(
        (page.locator(".ftx-chart").first, *stages.all(), page.locator(".ftx-heat-stage"))
    ):
        there.scroll_into_view_if_needed()
        wait_until(lambda at=there: ink(at) > 150, f"colours in stage {place}")
    assert page.locator("img.figure").evaluate("(i) => i.naturalWidth") > 400
    # Choosing another colour for the sphere is answered by the page itself, here and in the movie.
    chooser = page.get_by_label("Colour by", exact=True)
    chooser.first.select_option(label="weight")
    page.locator(".ftx-sphere-strip").first.wait_for()
    wait_until(lambda: chooser.nth(1).locator("option:checked").inner_text() == "weight", "linked")
    section = page.locator('details:has(> summary:text-is("Columns"))').last
    section.locator("summary").click()
    assert section.get_by_role("table").first.is_visible()
    assert noted == []
    SCREENS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENS / "report-light.png", full_page=True)
    page.context.close()
    page, noted = opened(chromium, path, "dark")
    page.locator(".ftx-heat-stage").wait_for(timeout=60_000)
    page.screenshot(path=SCREENS / "report-dark.png", full_page=True)
    assert noted == []
    page.context.close()


def test_a_sphere_in_the_colours_of_its_predictor(
    trained: tuple[FoundationalModel, Predictor], chromium: Browser, tmp_path: Path
) -> None:
    """The server is asked of every row, and the page tells the answer with the row."""
    fm, predictor = trained
    sphere = SphereExplorer(fm, color_by=(predictor, "F"))
    rows = sphere._points.rows
    said = predictor.batch_predict(rows)
    chance = np.array([one.probabilities["F"] for one in said])
    assert sphere.color_by == "probability of F"
    codes = np.frombuffer(sphere._codes, np.uint8).astype(int)
    assert (np.diff(codes[np.argsort(chance[sphere._order])]) >= 0).all(), "as the chances rise"
    assert len(set(codes)) > 20
    sphere.color_by = "predicted sex"
    counts = {entry["label"]: entry["count"] for entry in sphere._spec["color"]["entries"]}
    assert counts == pd.Series([one.predicted_class for one in said]).value_counts().to_dict()
    path = tmp_path / "sphere.html"
    sphere.to_html(path)
    page, noted = opened(chromium, path)
    page.get_by_label("Colour by", exact=True).select_option(label="probability of F")
    page.locator(".ftx-sphere-strip").wait_for()
    stage = page.locator(".ftx-sphere-stage")
    stage.focus()
    page.keyboard.press("n")
    page.locator(".ftx-sphere-card").wait_for()
    told = page.locator(".ftx-sphere-card").locator("dt, dd").all_inner_texts()
    assert told[0] == "probability of F"
    assert float(told[1]) == pytest.approx(chance[sphere._order[0]], rel=0.01)
    assert told[told.index("predicted sex") + 1] in ("F", "M")
    assert ink(stage) > 150
    assert noted == []
    page.context.close()


def test_a_report_that_cannot_be_made_leaves_what_was_there(
    trained: tuple[FoundationalModel, Predictor], tmp_path: Path
) -> None:
    fm, _ = trained
    with pytest.raises(ValueError, match="no folder"):
        export_report(fm, tmp_path / "missing" / "report.html")
    path = tmp_path / "report.html"
    path.write_text("mine")
    with pytest.raises(TypeError, match="cannot show a object"):
        export_report(fm, path, predictors=[], grids=[object()])
    assert [p.read_text() for p in tmp_path.iterdir()] == ["mine"]
