"""Figures of the learned sphere: a 3D scatter that turns, one that stands still, its coverage."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go
from matplotlib.colors import LinearSegmentedColormap

from ..coding import NUMBER_COLORS, text
from ..frames import Points, read_points
from .base import COLORS, MARKERS, MISSING, FeatrixFigure, new_figure, note, shown, style

TOP = 12
HOVER_COLUMNS = 10
PIXELS_PER_INCH = 100
SCALE = LinearSegmentedColormap.from_list("featrix", NUMBER_COLORS)


@dataclass(frozen=True)
class Group:
    """Points drawn alike: those of one category, or all with a number."""

    label: str
    where: npt.NDArray[np.bool_]
    color: str
    marker: tuple[str, str, bool]


@dataclass(frozen=True)
class Coloring:
    """What the colours of the points mean: a continuous scale, or groups."""

    title: str
    groups: list[Group]
    values: npt.NDArray[np.float64] | None = None  # continuous: one number a point, NaN unknown
    limits: tuple[float, float] = (0.0, 1.0)

    def in_words(self) -> str:
        """For the text alternative."""
        if self.values is not None:
            low, high = self.limits
            return f"coloured by {self.title} from {low:.4g} to {high:.4g}"
        total = sum(int(group.where.sum()) for group in self.groups) or 1
        shares = ", ".join(f"{g.label} {g.where.sum() / total:.0%}" for g in self.groups)
        return f"coloured by {self.title}: {shares}"


class EmbeddingFigure(go.Figure):  # type: ignore[misc]  # plotly has no types
    """A plotly figure that needs no network and carries a still picture beside itself.

    Attributes
    ----------
    alt : str
        A text alternative of one or two sentences.
    """

    alt = ""
    _still: Callable[[], FeatrixFigure]
    # Plotly would display by a renderer of its own choice; the bundle below works in every host.
    _ipython_display_ = None

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = self._still()._repr_mimebundle_()
        data["application/vnd.plotly.v1+json"] = json.loads(self.to_json())
        return data, metadata


def embedding_space_3d(
    fm: Any, sample_size: int, interactive: bool, color_by: str | None, figsize: Sequence[float]
) -> FeatrixFigure | EmbeddingFigure:
    """See `NotebookHelper.embedding_space_3d`."""
    if sample_size < 1:
        raise ValueError(f"sample_size must be at least 1, not {sample_size}.")
    points = read_points(fm)
    total = len(points)
    if not total:
        raise ValueError("There are no points yet: wait until the first epoch is finished.")
    if total > sample_size:
        # Rows come in the order of the table, which is often sorted: the first ones mislead.
        chosen = np.sort(np.random.default_rng(0).choice(total, sample_size, replace=False))
        points = points.of(chosen)
    coloring = color(points, color_by)
    title = shown(points.title, 60)
    alt = f"{len(points):,} of {total:,} rows of {title} on a sphere, {coloring.in_words()}."

    def still() -> FeatrixFigure:
        return _matplotlib(points, coloring, title, alt, figsize)

    if not interactive:
        return still()
    figure = _plotly(points, coloring, title, figsize)
    figure.alt = alt
    figure._still = still
    return figure


def color(points: Points, color_by: str | None) -> Coloring:
    """Decide how to colour: a scale for numbers and times, else at most 12 groups and the rest.

    Raises
    ------
    ValueError
        For a column that is not in the model's table.
    """
    if color_by is None:
        if points.best_k is None:
            everyone = np.ones(len(points), dtype=bool)
            return Coloring("nothing", [Group("rows", everyone, COLORS[0], MARKERS[0])])
        labels = points.clusters[points.best_k]
        return _groups("cluster", pd.Series(labels.astype(str)))
    if color_by not in points.rows.columns:
        known = ", ".join(str(column) for column in points.rows.columns)
        raise ValueError(f"There is no column {color_by!r} to colour by. The columns are: {known}.")
    column = points.rows[color_by]
    numbers = None if points.column_types.get(color_by) == "set" else _as_numbers(column)
    if numbers is None:
        return _groups(color_by, column)
    known_numbers = numbers[np.isfinite(numbers)]
    # One outlier must not push all other points into one colour.
    limits = np.quantile(known_numbers, (0.01, 0.99)) if known_numbers.size else (0.0, 1.0)
    numbers[~np.isfinite(numbers)] = np.nan
    return Coloring(color_by, [], numbers, (float(limits[0]), float(limits[1])))


def _as_numbers(column: pd.Series[Any]) -> npt.NDArray[np.float64] | None:
    """Numbers as they are, times as years; None for anything else."""
    if pd.api.types.is_datetime64_any_dtype(column):
        column = column.dt.year + (column.dt.day_of_year - 1) / 366
    elif pd.api.types.is_bool_dtype(column) or not pd.api.types.is_numeric_dtype(column):
        return None
    return np.array(column.to_numpy(dtype=np.float64, na_value=np.nan))


def _groups(title: str, column: pd.Series[Any]) -> Coloring:
    missing = column.isna().to_numpy()
    texts = np.array([text(value) for value in column], dtype=object)
    counts = pd.Series(texts[~missing]).value_counts()
    top = counts.index[:TOP]
    groups = [
        Group(
            shown(name),
            (texts == name) & ~missing,
            COLORS[place % len(COLORS)],
            MARKERS[place % len(MARKERS)],
        )
        for place, name in enumerate(top)
    ]
    if len(counts) > TOP:
        rest = ~missing & ~np.isin(texts.astype(str), top.to_numpy(dtype=str))
        groups.append(Group(f"other ({len(counts) - TOP} more)", rest, "#BDBDBD", MARKERS[0]))
    if missing.any():
        groups.append(Group("missing", missing, MISSING, ("x", "x", True)))
    return Coloring(title, groups)


def _matplotlib(
    points: Points, coloring: Coloring, title: str, alt: str, figsize: Sequence[float]
) -> FeatrixFigure:
    with style("notebook"):
        figure = new_figure([side / PIXELS_PER_INCH for side in figsize])
        axes: Any = figure.add_subplot(projection="3d")
        xyz = points.xyz
        size = float(np.clip(30_000 / max(len(points), 1), 4, 40))
        _draw_globe(axes)
        if coloring.values is not None:
            known = np.isfinite(coloring.values)
            if not known.all():
                axes.scatter(*xyz[~known].T, s=size, color=MISSING, marker="x", label="missing")
            low, high = coloring.limits
            drawn = axes.scatter(
                *xyz[known].T, s=size, c=coloring.values[known], cmap=SCALE, vmin=low, vmax=high
            )
            figure.colorbar(drawn, ax=axes, label=shown(coloring.title), shrink=0.7, extend="both")
        for group in coloring.groups:
            axes.scatter(
                *xyz[group.where].T,
                s=size,
                edgecolors=group.color,
                facecolors=group.color if group.marker[2] else "none",
                marker=group.marker[0],
                label=group.label,
            )
        if len(coloring.groups) > 1:
            figure.legend(title=shown(coloring.title), loc="outside right center")
        axes.set_title(title)
        figure.alt = alt
        return figure


def _draw_globe(axes: Any) -> None:
    """Faint circles of latitude and longitude, equal axes, no box."""
    turn = np.linspace(0, 2 * np.pi, 97)
    line = {"color": "#9E9E9E", "linewidth": 0.4, "alpha": 0.5}
    for height in (-0.5, 0.0, 0.5):
        radius = np.sqrt(1 - height**2)
        axes.plot(radius * np.cos(turn), radius * np.sin(turn), height, **line)
    for angle in np.arange(0, np.pi, np.pi / 3):
        side = np.cos(turn)
        axes.plot(side * np.cos(angle), side * np.sin(angle), np.sin(turn), **line)
    axes.set_box_aspect((1, 1, 1), zoom=1.4)
    axes.set_axis_off()


def _plotly(
    points: Points, coloring: Coloring, title: str, figsize: Sequence[float]
) -> EmbeddingFigure:
    figure = EmbeddingFigure()
    hover = _hover_texts(points.rows)
    xyz = points.xyz

    def add(name: str, where: npt.NDArray[np.bool_], marker: dict[str, Any]) -> None:
        x, y, z = xyz[where].T
        figure.add_scatter3d(
            x=x,
            y=y,
            z=z,
            mode="markers",
            name=escape(name),
            text=hover[where],
            hoverinfo="text",
            marker={"size": 3, "opacity": 0.85, **marker},
        )

    if coloring.values is not None:
        known = np.isfinite(coloring.values)
        low, high = coloring.limits
        scale = {
            "color": coloring.values[known],
            "colorscale": list(NUMBER_COLORS),
            "cmin": low,
            "cmax": high,
            "colorbar": {"title": escape(shown(coloring.title))},
        }
        add(coloring.title, known, scale)
        if not known.all():
            add("missing", ~known, {"color": MISSING, "symbol": "x"})
    for group in coloring.groups:
        add(group.label, group.where, {"color": group.color, "symbol": group.marker[1]})
    hidden = {"visible": False, "range": [-1.05, 1.05]}
    figure.update_layout(
        width=figsize[0],
        height=figsize[1],
        template="plotly_white",
        title=escape(title),
        margin={"l": 0, "r": 0, "b": 0, "t": 48},
        scene={"xaxis": hidden, "yaxis": hidden, "zaxis": hidden, "aspectmode": "cube"},
        legend={"title": escape(shown(coloring.title)), "itemsizing": "constant"},
        showlegend=coloring.values is None and len(coloring.groups) > 1,
    )
    return figure


def _hover_texts(rows: pd.DataFrame) -> npt.NDArray[np.object_]:
    """A few lines for each row; plotly reads them as HTML, so all of it is escaped."""
    columns = rows.columns[:HOVER_COLUMNS]
    names = [escape(shown(column)) for column in columns]
    known = rows[columns].notna().to_numpy()
    values = rows[columns].astype(object).itertuples(index=False, name=None)
    texts = [
        "<br>".join(
            f"{name}: {escape(text(value))}"
            for name, value, there in zip(names, row, mask, strict=True)
            if there
        )
        for row, mask in zip(values, known, strict=True)
    ]
    return np.array(texts, dtype=object)


def draw_coverage(axes: Any, fm: Any, columns: int = 48, rows: int = 24) -> str:
    """Draw how densely the rows cover the sphere, on a map whose cells have equal areas.

    The map is Lambert's cylindrical one: longitude against the sine of latitude.

    Returns
    -------
    str
        The share of cells with a row in them, beside the share that as many evenly scattered
        rows would reach: ``1 - (1 - 1/cells) ** rows``.
    """
    axes.set(
        title="Coverage of the sphere", xlabel="longitude (degrees)", ylabel="sine of latitude"
    )
    axes.grid(visible=False)
    points = read_points(fm)
    if not len(points):
        note(axes, "The first points come with the first epoch.")
        return "There are no points yet."
    x, y, z = points.xyz.T
    longitude = np.degrees(np.arctan2(y, x))
    counts, xs, ys = np.histogram2d(
        longitude,
        np.clip(z, -1, 1),
        bins=(columns, rows),
        range=((-180, 180), (-1, 1)),
    )
    cells = columns * rows
    covered = np.count_nonzero(counts) / cells
    even = 1 - (1 - 1 / cells) ** len(points)
    drawn = axes.pcolormesh(xs, ys, np.where(counts > 0, counts, np.nan).T, cmap=SCALE)
    axes.figure.colorbar(drawn, ax=axes, label="rows in a cell")
    said = f"{covered:.0%} of the sphere is covered; rows scattered evenly would cover {even:.0%}."
    axes.set_title(f"Coverage of the sphere\n{said}", fontsize="medium")
    return said
