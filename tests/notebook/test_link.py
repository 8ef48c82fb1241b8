"""`link`: what is told to the page, which rows are the same, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from featrix_notebook import (
    PredictionHeatmap,
    SphereExplorer,
    TrainingDashboard,
    TrainingMovie,
    link,
)
from featrix_notebook.widgets.rows import keys_of
from tests.notebook.page_data import page_data


def sphere(ids: Any = range(30), **options: Any) -> SphereExplorer:
    ids = list(ids)
    xyz = np.random.default_rng(1).normal(size=(len(ids), 3))
    rows = pd.DataFrame({"place": range(len(ids))}, index=ids)
    return SphereExplorer(xyz, rows=rows, **options)


def dashboard() -> TrainingDashboard:
    return TrainingDashboard({"loss": [3.0, 2.0, 1.0]})


def keys(widget: Any, dtype: str = "<u4") -> list[Any]:
    """The key of each row of the table, in its order."""
    told = np.frombuffer(widget._keys, dtype)
    return told[np.argsort(widget._order)].tolist()


def test_a_link_joins_its_widgets_until_it_ends() -> None:
    a, b, c = sphere(), sphere(), dashboard()
    first = link(a, b, what=("camera", "selection"))
    second = link(b, c)
    assert a._links == [b._links[0]]
    assert a._links[0]["what"] == ["selection", "camera"]
    assert b._links[1:] == c._links
    assert c._links[0]["what"] == ["selection", "hover", "color", "camera", "epoch"]
    assert (first.widgets, first.what) == ((a, b), ("selection", "camera"))
    assert repr(first) == "<Link of SphereExplorer, SphereExplorer: selection, camera>"
    first.unlink()
    first.unlink()
    assert (a._links, b._links) == ([], c._links)
    assert "unlinked" in repr(first)
    with second:
        assert second.what
    assert b._links == c._links == []


def test_rows_have_the_same_key_in_every_widget() -> None:
    whole, some = sphere(range(100, 130)), sphere([129, 7, 101])
    assert whole._keys == b"", "rows of an unlinked widget need no names"
    link(whole, some, what="hover")
    assert keys(whole) == list(range(100, 130))
    assert keys(some) == [129, 7, 101]


def test_a_movie_and_a_sphere_name_their_rows_alike() -> None:
    xyz = np.random.default_rng(0).normal(size=(3, 40, 3))
    rows = pd.DataFrame({"x": range(40)}, index=[f"row {i}" for i in range(40)])
    movie = TrainingMovie(xyz, rows=rows, max_points=10, autoplay=False)
    whole = SphereExplorer(xyz[2], rows=rows)
    link(movie, whole)
    named = dict(zip(whole._points.row_ids, keys(whole, "<f8"), strict=True))
    assert keys(movie, "<f8") == [named[row] for row in movie._points.row_ids]
    assert len(keys(movie, "<f8")) == 10


def test_keys_go_with_the_last_link_that_needs_them() -> None:
    a, b = sphere(), sphere()
    rows, camera = link(a, b, what="selection"), link(a, b, what="camera")
    rows.unlink()
    assert (a._keys, b._keys) == (b"", b"")
    camera.unlink()


def test_other_rows_have_other_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    source = pd.DataFrame(np.eye(3), columns=["x", "y", "z"])
    a, b = SphereExplorer(source), sphere()
    link(a, b)
    source.index = [5, 6, 7]
    a.refresh()
    assert keys(a) == [5, 6, 7]


@pytest.mark.parametrize(
    "ids",
    [
        ["a", "b", "c"],
        [2**53 - 1, 2**40, 0],
        [-1, 0, 1],
        [0.5, None, 2.0],
        ["1", 1, "x"],
        ["same", "same", "same"],
        [4, 4, 5],
        list(pd.date_range("2024-01-01", periods=3)),
        ["👩‍👩‍👧", "</script>", "\u202eabc"],
    ],
)
def test_any_ids_can_tell_rows_apart(ids: list[Any]) -> None:
    given = pd.Index(ids).to_numpy()
    found = keys_of(given)
    assert len(np.unique(found)) == len(set(map(repr, enumerate(ids)))) or ids == ["1", 1, "x"]
    assert np.array_equal(found, keys_of(given.copy()))
    assert np.array_equal(found, np.float64(found)), "the page counts in float64"


def test_keys_of_whole_numbers_do_not_depend_on_how_they_are_held() -> None:
    held = [np.array([3, 1]), np.array([3, 1], "u1"), np.array([3, 1], object)]
    assert all(keys_of(ids).tolist() == [3, 1] for ids in held)
    assert keys_of(np.empty(0, np.int64)).size == 0


def test_what_cannot_be_linked_is_refused() -> None:
    a, b, closed = sphere(), dashboard(), sphere()
    closed.close()
    with pytest.raises(ValueError, match="at least two widgets, not 1"):
        link(a)
    with pytest.raises(ValueError, match="at least two widgets, not 0"):
        link()
    with pytest.raises(ValueError, match=r"Widget 3, .*twice"):
        link(a, b, a)
    with pytest.raises(ValueError, match=r"Widget 2, .*closed"):
        link(a, closed)
    with pytest.raises(TypeError, match="argument 2 is a str"):
        link(a, "b")  # type: ignore[arg-type]  # that is the point
    with pytest.raises(ValueError, match="Did you mean 'camera'"):
        link(a, b, what="camra")
    with pytest.raises(ValueError, match="what is empty"):
        link(a, b, what=())
    for what in (3, ["epoch", 3]):
        with pytest.raises(TypeError, match="text or a sequence of texts"):
            link(a, b, what=what)  # type: ignore[arg-type]  # that is the point
    assert a._links == b._links == []


def test_closing_one_widget_leaves_the_others_linked() -> None:
    a, b, c = sphere(), sphere(), sphere()
    joined = link(a, b, c)
    a.close()
    assert b._links == c._links != []
    with pytest.raises(ValueError, match="closed"):
        joined.to_html()
    joined.unlink()
    assert b._links == []


def test_a_page_holds_each_bundle_once_and_every_answer(tmp_path: Any) -> None:
    grid = pd.DataFrame([[1.0, 2.0], [3.0, 4.0]], index=["lo", "hi"], columns=["</script>", "b"])
    a, b = sphere(color_by="place"), sphere(range(10, 40))
    joined = link(a, b, dashboard(), PredictionHeatmap(grid))
    text = joined.to_html(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == text
    page = page_data(text)
    assert sorted(page["bundles"]) == ["dashboard", "heatmap", "sphere"]
    assert [part["bundle"] for part in page["widgets"]] == ["sphere"] * 2 + ["dashboard", "heatmap"]
    assert all(part["state"]["_links"] == a._links for part in page["widgets"])
    assert not any("_esm" in part["state"] for part in page["widgets"])
    one, _, third, heat = page["widgets"]
    assert one["answers"]["row/0"]["message"]["values"][1] == ["place", str(a._order[0])]
    assert one["answers"]["color/0"]["state"]["_spec"]["color"]["label"] == "place"
    assert third["state"]["snapshot"]["message"]["runs"][0]["controls"] is False
    assert sorted(heat["answers"]) == ["cell/0,0", "cell/0,1", "cell/1,0", "cell/1,1"]
    assert a.color_by == "place"
