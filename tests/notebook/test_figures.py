"""What the figures decide from data, without a server: smoothing, colours, labels."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from featrix_notebook.figures.base import COLORS, MARKERS, new_figure, shown, style
from featrix_notebook.figures.embedding import TOP, color
from featrix_notebook.figures.training import smoothed, training_comparison, training_loss
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


# ------------------------------------------------------------------------------ in print


def a_run(epochs: int = 30, best: int = 20) -> Any:
    """A model whose training is known to the last digit."""
    at = np.arange(1, epochs + 1)
    loss = 1 + 1 / at + 0.1 * np.sin(at)
    told = {
        "epochs": at.tolist(),
        "train_loss": (loss - 0.2).tolist(),
        "val_loss": loss.tolist(),
        "learning_rate": (1e-3 / at).tolist(),
        "best_epoch": best,
    }
    return SimpleNamespace(name="run", id="r", get_training_metrics=lambda: {"data": told})


def lightness(color: str) -> float:
    """CIE L* of an sRGB colour, 0 to 100 (IEC 61966-2-1, CIE 15)."""
    parts = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(116 * np.cbrt(linear @ [0.2126, 0.7152, 0.0722]) - 16)


def test_groups_are_told_apart_in_grey() -> None:
    looks = [(MARKERS[i], lightness(COLORS[i % len(COLORS)])) for i in range(TOP)]
    for i, (shape, light) in enumerate(looks):
        alike = [other for other in looks[:i] if other[0] == shape]
        assert all(abs(light - other) > 12 for _, other in alike), i


def test_many_models_are_told_apart_in_grey() -> None:
    runs = [a_run() for _ in range(12)]
    figure = training_comparison(runs, [f"model {i}" for i in range(12)], (8, 5))
    lines = [line for line in figure.axes[0].lines if str(line.get_label()).startswith("model")]
    looks = {
        (line.get_linestyle(), line.get_marker(), line.get_markerfacecolor() == "white")
        for line in lines
    }
    assert len(looks) >= 9


def test_the_raw_curve_is_faint_behind_the_smooth_one_and_the_best_epoch_is_marked() -> None:
    axes, rate = training_loss(a_run(), "notebook", True, True, (6, 3)).axes
    raw, smooth = (
        [
            line
            for line in axes.lines
            if len(line.get_xdata()) == 30 and (line.get_alpha() or 1) < 1
        ],
        [line for line in axes.lines if line.get_label() in ("training", "validation")],
    )
    assert (len(raw), len(smooth)) == (2, 2)
    for behind, line in zip(raw, smooth, strict=True):
        assert np.abs(np.diff(line.get_ydata())).sum() < np.abs(np.diff(behind.get_ydata())).sum()
    (star,) = [line for line in axes.lines if line.get_marker() == "*"]
    assert star.get_xdata() == 20
    assert axes.get_zorder() > rate.get_zorder()  # the legend is never crossed by the rate


@pytest.mark.parametrize("users", ["dark_background", "ggplot", "default"])
def test_a_figure_is_drawn_in_its_own_style(users: str, tmp_path: Path) -> None:
    plain = training_loss(a_run(), "paper", True, True, (4, 3))
    plain.savefig(tmp_path / "plain.png")
    with plt.style.context(users):
        figure = training_loss(a_run(), "paper", True, True, (4, 3))
        before = dict(plt.rcParams)
        figure.savefig(tmp_path / "mine.png")
        shown_png = figure._repr_mimebundle_()[0]["image/png"]
        assert dict(plt.rcParams) == before
    assert (tmp_path / "mine.png").read_bytes() == (tmp_path / "plain.png").read_bytes()
    with Image.open(tmp_path / "mine.png") as picture:
        assert picture.size == (1200, 900)  # 300 dots an inch
        assert picture.convert("RGB").getpixel((2, 2)) == (255, 255, 255)
    with Image.open(io.BytesIO(shown_png)) as picture:
        assert picture.size == (600, 450)


def test_the_user_may_still_choose_how_a_figure_is_saved(tmp_path: Path) -> None:
    with style("notebook"):
        figure = new_figure((4, 3))
    figure.savefig(tmp_path / "own.png", dpi=50, facecolor="red")
    with Image.open(tmp_path / "own.png") as picture:
        assert picture.size == (200, 150)
        assert picture.convert("RGB").getpixel((2, 2)) == (255, 0, 0)
