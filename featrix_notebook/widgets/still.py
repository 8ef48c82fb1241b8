"""A dashboard's curves as a still picture, for places that show no widgets.

Drawn from background threads too, so it leaves pyplot and matplotlib's settings alone: whatever
differs from their defaults is said explicitly.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..metric_log import SPHERE

# As on the page: js/src/shared/base.css and js/src/plot/palette.ts.
_COLORS = ("#1f6fc4", "#c4501b", "#16826a", "#9a3f8f", "#8a6d00")
_INK, _SOFT, _LINE = "#1c1f24", "#5c6370", "#e3e5e8"
_LOSSES = (("loss", "training", "-"), ("validation_loss", "validation", (0, (4, 2))))
_SMALL = (
    ("learning_rate", "Learning rate"),
    ("gradient_norm", "Gradient norm"),
    ("sphere_loss", "Sphere loss"),
)

Log = tuple[str, pd.DataFrame, int | None]
"""Name, rows (one an epoch), and the best epoch where it is known."""


def curves_png(logs: Sequence[Log]) -> bytes:
    """Draw the loss of each log, and below it learning rate and gradient norm where known.

    Returns
    -------
    bytes
        A PNG of about 1,350 x 750 pixels on a white ground.
    """
    small = [(key, title) for key, title in _SMALL if any(_known(t, key) for _, t, _ in logs)]
    figure = Figure(figsize=(9, 5 if small else 3.6), layout="constrained", facecolor="white")
    grid = figure.add_gridspec(2 if small else 1, 1, height_ratios=(2.2, 1) if small else None)
    main = figure.add_subplot(grid[0])
    _plain(main)
    for i, (name, table, best) in enumerate(logs):
        _draw_losses(main, i, name if len(logs) > 1 else "", table, best)
    main.set_title(
        ", ".join(name for name, _, _ in logs)[:80],
        loc="left", color=_INK, fontsize=11, parse_math=False,
    )  # fmt: skip
    if main.lines:
        legend = main.legend(frameon=False, fontsize=9, labelcolor=_INK)
        for text in legend.get_texts():
            text.set_parse_math(False)  # a "$" in a name is a dollar sign
    if small:
        below = grid[1].subgridspec(1, len(small))
        for k, (key, title) in enumerate(small):
            axes = figure.add_subplot(below[k])
            _plain(axes)
            axes.set_title(title, loc="left", color=_SOFT, fontsize=9)
            for i, (_, table, _) in enumerate(logs):
                table = table if key == "sphere_loss" else _space(table)
                if _known(table, key):
                    axes.plot(table["epoch"], table[key], color=_color(i), linewidth=1.4)
    out = io.BytesIO()
    FigureCanvasAgg(figure).print_figure(out, format="png", dpi=150)
    return out.getvalue()


def _draw_losses(axes: Axes, i: int, name: str, table: pd.DataFrame, best: int | None) -> None:
    table = _space(table)
    for k, (key, label, dash) in enumerate(_LOSSES):
        if _known(table, key):
            color = _color(i if name else k)
            axes.plot(
                table["epoch"], table[key], color=color, linestyle=dash, linewidth=1.8,
                label=f"{name[:30]} {label}".strip(), marker="." if len(table) == 1 else "",
            )  # fmt: skip
    key = "validation_loss" if _known(table, "validation_loss") else "loss"
    at = table[table["epoch"] == best]
    if not len(at) and _known(table, key):
        at = table.loc[[table[key].idxmin()]]
    if len(at) and _known(at, key):
        epoch, loss = float(at["epoch"].iloc[0]), float(at[key].iloc[0])
        axes.plot([epoch], [loss], marker="o", markersize=8, fillstyle="none", color=_INK)
        axes.annotate(
            f"best {loss:.4g} at {epoch:g}", (epoch, loss), (6, 8), textcoords="offset points",
            fontsize=9, color=_INK, annotation_clip=True,
        )  # fmt: skip
    axes.set_xlabel("epoch", color=_SOFT, fontsize=9)
    axes.set_ylabel("loss", color=_SOFT, fontsize=9)


def _space(table: pd.DataFrame) -> pd.DataFrame:
    """The rows in which the embedding is trained: the sphere has a loss and rates of its own."""
    return table[table["phase"] != SPHERE] if "phase" in table else table


def _known(table: pd.DataFrame, key: str) -> bool:
    return key in table and bool(np.isfinite(table[key]).any())


def _color(i: int) -> str:
    return _COLORS[i % len(_COLORS)]


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    axes.set_facecolor("white")
    axes.grid(True, color=_LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=9, labelcolor=_SOFT)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
