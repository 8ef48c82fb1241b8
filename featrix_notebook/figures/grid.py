"""Prediction grids as figures: a line, a heatmap, or slices of one."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ..coding import NUMBER_COLORS
from .base import COLORS, FeatrixFigure, new_figure, note, shown, style

Values = npt.NDArray[np.float64]


class Grid(Protocol):
    """What can be drawn: a `PredictionGrid`, or anything else that tells as much."""

    @property
    def axis_labels(self) -> list[str]: ...

    @property
    def axis_values(self) -> list[list[Any]]: ...

    @property
    def values(self) -> Values: ...

    @property
    def threshold(self) -> float | None: ...

    @property
    def meaning(self) -> str: ...

    def get_optimal_position(self, maximize: bool = True) -> tuple[int, ...]: ...


MOST_TICKS = 12
MOST_SLICES = 12
_SIZES = {1: (9.0, 4.5), 2: (8.0, 6.5), 3: (12.0, 8.0)}
# White with a black edge, and black on white: both show on every colour of the map.
_OPTIMUM: dict[str, Any] = {
    "marker": "*",
    "markersize": 17,
    "color": "white",
    "markeredgecolor": "black",
    "markeredgewidth": 1.2,
}
_THRESHOLD: dict[str, Any] = {"color": "black", "linestyle": "dashed", "linewidth": 1.4}
_MAP = LinearSegmentedColormap.from_list("featrix", NUMBER_COLORS)
_UNFILLED: dict[str, Any] = {"facecolor": "#EEEEEE", "edgecolor": "#9E9E9E", "hatch": "///"}


def plot_heatmap(
    grid: Grid, figsize: tuple[float, float] | None = None, maximize: bool = True
) -> FeatrixFigure:
    """See `PredictionGrid.plot_heatmap`; `maximize` says which value is the best."""
    values = grid.values
    best = grid.get_optimal_position(maximize) if np.isfinite(values).any() else None
    with style("notebook"):
        figure = new_figure(figsize or _SIZES[values.ndim])
        if values.ndim == 1:
            _draw_line(figure.add_subplot(), grid, values, best)
        elif values.ndim == 2:
            axes = figure.add_subplot()
            image = _draw_map(axes, grid, values, best, _limits(values))
            figure.colorbar(image, ax=axes, label=shown(grid.meaning, 60))
        else:
            _draw_slices(figure, grid, values, best)
        word = "largest value" if maximize else "smallest value"
        _explain_marks(figure, grid, word if best is not None else "")
        figure.alt = _in_words(grid, values, best, word)
        return figure


def _limits(values: Values) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if not known.size:
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _draw_line(axes: Axes, grid: Grid, values: Values, best: Any) -> None:
    places = np.arange(len(values))
    axes.plot(places, values, marker="o", color=COLORS[0])
    for place in places[~np.isfinite(values)]:
        axes.axvspan(place - 0.5, place + 0.5, linewidth=0, **_UNFILLED)
    if grid.threshold is not None:
        axes.axhline(grid.threshold, **_THRESHOLD)
    if best is not None:
        _mark(axes, best[0], values[best])
    axes.set(xlabel=shown(grid.axis_labels[0]), ylabel=shown(grid.meaning, 60))
    axes.set_xlim(-0.5, len(values) - 0.5)
    _ticks(axes, "x", grid.axis_values[0])
    if best is None:
        note(axes, "No cell is filled yet.")


def _draw_map(
    axes: Axes, grid: Grid, values: Values, best: Any, limits: tuple[float, float]
) -> AxesImage:
    """One heatmap, its first axis downwards; `best` is a position in it, or None."""
    axes.patch.set(**_UNFILLED)  # seen through the cells that have no value
    axes.grid(visible=False)
    image = axes.imshow(values, aspect="auto", vmin=limits[0], vmax=limits[1], cmap=_MAP)
    threshold = grid.threshold
    enough = min(values.shape) > 1 and np.isfinite(values).any()
    if threshold is not None and enough and np.nanmin(values) < threshold < np.nanmax(values):
        axes.contour(values, levels=[threshold], colors="white", linewidths=3.6)
        axes.contour(
            values, levels=[threshold], colors="black", linewidths=1.4, linestyles="dashed"
        )
    if best is not None:
        _mark(axes, best[1], best[0])
    axes.set(xlabel=shown(grid.axis_labels[1]), ylabel=shown(grid.axis_labels[0]))
    _ticks(axes, "y", grid.axis_values[0])
    _ticks(axes, "x", grid.axis_values[1])
    return image


def _draw_slices(figure: FeatrixFigure, grid: Grid, values: Values, best: Any) -> None:
    """Heatmaps for values of the last axis, all with one colour scale."""
    chosen = _slices(values.shape[2], None if best is None else best[2])
    columns = math.ceil(math.sqrt(len(chosen)))
    rows = math.ceil(len(chosen) / columns)
    every = figure.subplots(rows, columns, squeeze=False)
    for axes in every.ravel()[len(chosen) :]:
        axes.remove()
    for axes, place in zip(every.ravel(), chosen, strict=False):
        here = best[:2] if best is not None and best[2] == place else None
        image = _draw_map(axes, grid, values[:, :, place], here, _limits(values))
        axes.set_title(shown(f"{grid.axis_labels[2]} = {_tick(grid.axis_values[2][place])}"))
    figure.colorbar(image, ax=every.ravel()[: len(chosen)].tolist(), label=shown(grid.meaning, 60))


def _slices(count: int, best: int | None) -> list[int]:
    """Evenly spread places along the last axis, at most `MOST_SLICES`, the optimum's among them."""
    chosen = set(np.linspace(0, count - 1, min(count, MOST_SLICES)).round().astype(int).tolist())
    if best is not None and best not in chosen:
        chosen.remove(min(chosen, key=lambda place: abs(place - best)))
        chosen.add(best)
    return sorted(chosen)


def _explain_marks(figure: FeatrixFigure, grid: Grid, best: str) -> None:
    """Say below the figure what star, line and hatching mean."""
    marks: list[Any] = []
    if best:
        marks.append(Line2D([], [], linestyle="", label=best, **_OPTIMUM))
    if grid.threshold is not None:
        marks.append(Line2D([], [], label=f"threshold, {grid.threshold:.3g}", **_THRESHOLD))
    if not np.isfinite(grid.values).all():
        marks.append(Patch(label="not filled", **_UNFILLED))
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks))


def _mark(axes: Axes, x: float, y: float) -> None:
    axes.plot(x, y, clip_on=False, **_OPTIMUM)


def _ticks(axes: Axes, which: str, ticks: list[Any]) -> None:
    places = range(0, len(ticks), math.ceil(len(ticks) / MOST_TICKS))
    labels = [shown(_tick(ticks[place]), 16) for place in places]
    if which == "y":
        axes.set_yticks(list(places), labels)
        return
    crowded = sum(map(len, labels)) > 60
    axes.set_xticks(list(places), labels, rotation=30 if crowded else 0)
    if crowded:
        for label in axes.get_xticklabels():
            label.set_horizontalalignment("right")


def _tick(value: Any) -> str:
    if value is None or value != value:  # NaN is the one value that differs from itself
        return "missing"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _in_words(grid: Grid, values: Values, best: Any, word: str) -> str:
    filled = int(np.isfinite(values).sum())
    words = f"{grid.meaning} over {', '.join(grid.axis_labels)}; "
    words += f"{filled} of {values.size} cells filled"
    if best is not None:
        where = ", ".join(
            f"{label} = {_tick(ticks[place])}"
            for label, ticks, place in zip(grid.axis_labels, grid.axis_values, best, strict=True)
        )
        words += f"; {word} {values[best]:.4g} at {where}"
    return f"{words[0].upper()}{words[1:]}."
