"""What a reader can take away from a dashboard: CSV, PNG, SVG."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from featrix_notebook.widgets.dashboard import TrainingDashboard
from tests.browser.dashboard.page import Host
from tests.waiting import wait_until


def test_png_can_be_taken_away(show: Callable[..., Host]) -> None:
    host = show(TrainingDashboard({"loss": [3.0, 2.0, 1.0], "lr": [0.1, 0.1, 0.05]}))
    with host.page.expect_download() as caught:
        host.page.get_by_role("button", name="PNG").click()
    with Image.open(caught.value.path()) as image:
        assert image.format == "PNG"
        assert image.width > 800
        colours = np.unique(np.asarray(image.convert("RGB")).reshape(-1, 3), axis=0)
        assert len(colours) > 20


SVG = "{http://www.w3.org/2000/svg}"


def saved(host: Host, button: str) -> Path:
    """The file that a button offers."""
    with host.page.expect_download() as caught:
        host.page.get_by_role("button", name=button, exact=True).click()
    return Path(caught.value.path())


def test_svg_is_the_picture_in_lines_and_words(show: Callable[..., Host]) -> None:
    evil = 'a<b & "c" \u0001 \u202e\U0001f600'
    rng = np.random.default_rng(2)
    noisy = {"loss": 5 + rng.normal(size=20_000), "lr": np.full(20_000, 0.1)}
    host = show(TrainingDashboard({evil: noisy, "plain": {"loss": [4.0, 3.0]}}))
    path = saved(host, "SVG")
    drawing = ET.parse(path).getroot()
    words = [text.text or "" for text in drawing.iter(f"{SVG}text")]
    assert sum(word.startswith("a<b & ") for word in words) >= 2  # in the heading, and on its line
    assert any("20000 epochs" in word or "epoch 20000" in word for word in words)
    assert "Learning rate" in words
    assert {"5k", "10k", "5000", "10000"} & set(words)
    lines = [p.get("d") or "" for p in drawing.iter(f"{SVG}path") if "L" in (p.get("d") or "")]
    assert len(lines) == 3  # two losses, one rate
    # Drawn through the extremes of each pixel column, not through each of 20,000 rows.
    assert 1000 < max(line.count("L") for line in lines) < 2100
    assert path.stat().st_size < 200_000
    host.page.goto(path.as_uri() + "#")  # a browser reads it as well


def test_png_shows_what_svg_shows(show: Callable[..., Host]) -> None:
    host = show(TrainingDashboard({"loss": [3.0, 2.0, 1.0], "lr": [0.1, 0.1, 0.05]}))
    box = ET.parse(saved(host, "SVG")).getroot()
    with Image.open(saved(host, "PNG")) as image:
        size = (2 * float(box.get("width") or 0), 2 * float(box.get("height") or 0))
        assert image.size == pytest.approx(size, abs=1)
        rgb = np.asarray(image.convert("RGB"), dtype=int)
    assert (np.abs(rgb - (0x1F, 0x6F, 0xC4)).sum(axis=2) < 40).sum() > 500


def test_csv_holds_every_row_of_every_run(show: Callable[..., Host]) -> None:
    values = np.random.default_rng(3).normal(size=5000)
    values[7] = np.nan
    host = show(TrainingDashboard({"one": {"loss": values}, "two": {"loss": [1.0], "lr": [0.5]}}))
    files: list[Any] = []
    host.page.on("download", lambda file: files.append(file))
    host.page.get_by_role("button", name="CSV", exact=True).click()
    wait_until(lambda: (host.pump(), len(files) == 2)[1], "a file for each run")
    by_name = {file.suggested_filename: pd.read_csv(file.path()) for file in files}
    assert list(by_name) == ["one.csv", "two.csv"]
    np.testing.assert_array_equal(by_name["one.csv"]["loss"], values)
    assert by_name["two.csv"].to_dict("list") == {
        "epoch": [1],
        "loss": [1.0],
        "learning_rate": [0.5],
    }
