"""What the figures decide from data, without a server: smoothing, colours, labels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from featrix_notebook.figures.base import shown
from featrix_notebook.figures.embedding import TOP, color
from featrix_notebook.figures.training import smoothed
from featrix_notebook.frames import read_points


def table(**columns: object) -> pd.DataFrame:
    """Twenty points on the sphere with these columns beside them."""
    xyz = np.random.default_rng(0).normal(size=(20, 3))
    return pd.DataFrame(xyz, columns=list("xyz")).assign(**columns)


def test_smoothing_keeps_constants_and_follows_trends() -> None:
    np.testing.assert_allclose(smoothed(np.ones(50)), 1)
    noisy = np.linspace(5, 1, 200) + np.random.default_rng(0).normal(0, 0.3, 200)
    smooth = smoothed(noisy)
    assert np.abs(np.diff(smooth)).mean() < np.abs(np.diff(noisy)).mean() / 3
    assert abs(smooth[-1] - 1) < 0.4
    assert smoothed(np.array([])).size == 0


def test_smoothing_passes_over_gaps() -> None:
    values = np.array([1.0, np.nan, 1.0, 1.0])
    assert np.isfinite(smoothed(values)[2:]).all()


@pytest.mark.parametrize(
    "values",
    [
        np.arange(20.0),
        np.arange(20),
        pd.array([None, *range(19)], dtype="Int64"),
        pd.date_range("2001-01-01", periods=20, freq="40D"),
    ],
    ids=["float", "int", "nullable", "times"],
)
def test_numbers_and_times_get_a_scale(values: object) -> None:
    coloring = color(read_points(table(value=values)), "value")
    assert coloring.values is not None
    assert not coloring.groups
    low, high = coloring.limits
    assert low < high


@pytest.mark.parametrize(
    "values",
    [
        ["a", "b"] * 10,
        [True, False] * 10,
        pd.Categorical(["a", "b"] * 10),
        [["a", 1], None] * 10,
        [{"a": 1}, "text"] * 10,
    ],
    ids=["text", "bool", "category", "lists", "mixed"],
)
def test_everything_else_gets_groups(values: object) -> None:
    coloring = color(read_points(table(value=values)), "value")
    assert coloring.values is None
    assert [int(group.where.sum()) for group in coloring.groups] == [10, 10]


def test_one_outlier_does_not_take_the_scale() -> None:
    values = np.append(np.linspace(0, 1, 19), 1e12)
    frame = pd.concat([table(value=values)] + [table(value=np.linspace(0, 1, 20))] * 10)
    coloring = color(read_points(frame), "value")
    assert coloring.limits[1] < 2


def test_infinities_and_gaps_are_missing() -> None:
    values = np.linspace(0, 1, 20)
    values[:3] = np.nan, np.inf, -np.inf
    coloring = color(read_points(table(value=values)), "value")
    assert coloring.values is not None
    assert np.isnan(coloring.values[:3]).all()
    assert np.isfinite(coloring.limits).all()
    nothing = color(read_points(table(value=np.full(20, np.nan))), "value")
    assert nothing.limits == (0.0, 1.0)


def test_groups_never_look_alike() -> None:
    coloring = color(read_points(table(value=[f"c{i}" for i in range(19)] + [None])), "value")
    assert len(coloring.groups) == TOP + 2
    assert coloring.groups[-1].label == "missing"
    looks = {(group.color, group.marker) for group in coloring.groups}
    assert len(looks) == len(coloring.groups)
    assert sum(int(group.where.sum()) for group in coloring.groups) == 20


def test_without_clusters_all_points_are_one_group() -> None:
    coloring = color(read_points(table()), None)
    (everyone,) = coloring.groups
    assert everyone.where.all()


def test_labels_are_cut_and_never_private() -> None:
    assert shown("weight") == "weight"
    assert shown("x" * 500).endswith("…")
    assert len(shown("x" * 500)) == 28
    assert not shown("_private").startswith("_")
    assert shown("two\nlines") == "two lines"
