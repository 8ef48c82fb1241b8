"""What an output keeps of a widget for pages with no kernel: enough, little, and nothing unsafe."""

from __future__ import annotations

import base64
import io
import json
import re
import zlib
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ipywidgets.widgets.widget import _instances
from PIL import Image

from featrix_notebook import SphereExplorer, TrainingDashboard, TrainingMovie, keeping
from featrix_notebook.widgets.base import bundle
from featrix_notebook.widgets.rows import keys_of
from tests.browser.sphere_page import table
from tests.notebook.page_data import unfolded

N = 6_000
HOSTILE = '<img src=x onerror="alert(1)"></script>'


def attribute(html: str, name: str) -> str:
    found = re.search(rf'\b{name}="([^"]*)"', html)
    assert found is not None
    return unescape(found[1])


def unpacked(html: str, name: str) -> Any:
    return json.loads(zlib.decompress(base64.b64decode(attribute(html, f"data-{name}"))))


def array(value: dict[str, str], kind: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(value["bytes"]), kind)


@pytest.fixture
def large() -> SphereExplorer:
    xyz, rows = table(N)
    return SphereExplorer(xyz, rows=rows, color_by="plan")


def test_the_whole_of_a_small_table_is_kept() -> None:
    xyz, rows = table(50)
    html = SphereExplorer(xyz, rows=rows).mime_bundle()["text/html"]
    part, code = unpacked(html, "part"), unpacked(html, "code")
    assert code == {"host": bundle("page"), "bundle": bundle("sphere")}
    assert len(array(part["state"]["_positions"], "<i2")) == 2 * 50
    assert {f"row/{i}" for i in range(50)} <= part["answers"].keys()
    assert all(part["columns"])


def test_of_a_large_table_an_even_sample_is_kept_and_said(large: SphereExplorer) -> None:
    chosen = large._points.row_ids[large._order[[3, 1_999, 2_000, 5_000]]]
    large.select(chosen)
    told = set(_instances)
    html = large.mime_bundle()["text/html"]
    assert len(html) < 300_000
    part = unpacked(html, "part")
    state, spec = part["state"], part["state"]["_spec"]
    assert spec["n"] == 2_000
    assert "2,000 of 6,000 rows are shown" in " ".join(spec["notes"])
    xyz = unfolded(array(state["_positions"], "<i2").reshape(-1, 2))
    assert np.abs(xyz.mean(axis=0) - large._points.xyz.mean(axis=0)).max() < 0.02
    # Each point in the colour it has in the notebook, and selected if it is there.
    words = {
        key: dict(answer["message"]["values"])
        for key, answer in part["answers"].items()
        if key.startswith("row/")
    }
    codes, ids = array(state["_codes"], "u1"), large._points.row_ids.astype(str)
    known = dict(zip(ids, large._coding.codes, strict=True))
    assert all(codes[i] == known[words[f"row/{i}"]["row"]] for i in range(0, 2_000, 37))
    selected = [words[f"row/{i}"]["row"] for i in array(state["_selected"], "<u4")]
    assert sorted(selected) == sorted(map(str, chosen[:2]))
    # Nobody is told of the sample, and the widget is as it was.
    assert set(_instances) == told
    assert len(large._points) == N
    assert sorted(large.selected_ids) == sorted(chosen)


def test_of_a_movie_fewer_rows_are_kept_as_epochs_grow() -> None:
    xyz, rows = table(500)
    share = np.linspace(0.1, 1, 120)[:, None, None]
    movie = TrainingMovie(np.array([0, 0, 1]) * (1 - share) + xyz * share, rows=rows)
    movie.epoch = 119
    part = unpacked(movie.mime_bundle()["text/html"], "part")
    frames = np.frombuffer(base64.b64decode(part["frames"]), "<i2")
    assert frames.size == 120 * 250 * 2
    assert part["frameBytes"] == 250 * 4
    assert part["state"]["epoch"] == 119
    assert part["state"]["_spec"]["n"] == 250
    assert movie._spec["n"] == 500


def test_linked_widgets_stay_linked(large: SphereExplorer) -> None:
    large._links = [{"group": "a", "what": ["selection"]}]
    state = unpacked(large.mime_bundle()["text/html"], "part")["state"]
    assert state["_links"] == large._links
    assert state["_uid"] == large._uid
    assert set(array(state["_keys"], "<u4")) < set(keys_of(large._points.row_ids))


def test_the_picture_has_its_words_and_they_are_only_text() -> None:
    log = {HOSTILE: pd.DataFrame({"epoch": [0, 1], "loss": [2.0, 1.0]})}
    data = TrainingDashboard(log).mime_bundle()
    html = data["text/html"]
    assert attribute(html, "alt") == data["text/plain"]
    assert HOSTILE in data["text/plain"]
    assert HOSTILE not in html
    assert html.count("</script>") == 1
    _, _, source = attribute(html, "src").partition("base64,")
    with Image.open(io.BytesIO(base64.b64decode(source))) as picture:
        assert picture.width == 1_000


def test_what_would_make_a_notebook_balloon_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "_MOST_CHARACTERS", 10_000)
    data = TrainingDashboard({"epoch": [0, 1], "loss": [2.0, 1.0]}).mime_bundle()
    assert "image/png" in data
    assert "text/html" not in data


def test_an_interrupted_export_leaves_file_and_widget_as_they_were(
    large: SphereExplorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.html"
    page.write_text("of yesterday")
    before, code, asked = large._coding, large._code, []

    def interrupted(choice: str | None) -> Any:
        asked.append(choice)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return code(choice)

    monkeypatch.setattr(large, "_code", interrupted)
    with pytest.raises(KeyboardInterrupt):
        large.to_html(page)
    assert large._coding is before
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"]
    assert page.read_text() == "of yesterday"
