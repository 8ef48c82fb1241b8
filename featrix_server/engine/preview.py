"""A still picture of the sphere, drawn without a browser."""

from __future__ import annotations

import io

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

SIZE = 512
MAX_POINTS = 20_000
PALETTE = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9",
    "#F0E442", "#882255", "#44AA99", "#999933", "#AA4499", "#888888",
)  # fmt: skip
"""Okabe and Ito (2008), continued with colours of Tol's muted scheme: told apart by all eyes,
and none lost on a white or a black page."""


def draw_preview(xyz: np.ndarray, labels: np.ndarray, *, seed: int = 0) -> bytes:
    """Draw points on the unit sphere, seen along z, as a 512 x 512 PNG on no ground.

    Parameters
    ----------
    xyz
        float32 (n, 3) unit points; above 20,000 a seeded sample is drawn.
    labels
        int (n,) cluster of each, its colour.
    """
    if len(xyz) > MAX_POINTS:
        sample = np.random.default_rng([seed, 10]).choice(len(xyz), MAX_POINTS, replace=False)
        xyz, labels = xyz[sample], labels[sample]
    figure = Figure(figsize=(SIZE / 100, SIZE / 100), dpi=100, facecolor="none")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=(-1.08, 1.08), ylim=(-1.08, 1.08), aspect="equal")
    axes.axis("off")
    colours = np.array(PALETTE)[labels % len(PALETTE)]
    size = float(np.clip(20_000 / max(len(xyz), 1), 4.0, 24.0))
    front = xyz[:, 2] >= 0
    for side, alpha, order in ((~front, 0.12, 1), (front, 0.9, 3)):
        # Farther points first, so that nearer ones cover them.
        near = np.flatnonzero(side)[np.argsort(xyz[side, 2])]
        axes.scatter(
            xyz[near, 0], xyz[near, 1], s=size, c=colours[near], alpha=alpha, linewidths=0,
            zorder=order,
        )  # fmt: skip
    _graticule(axes)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=100, metadata={"Software": None})
    return content.getvalue()


def _graticule(axes) -> None:  # type: ignore[no-untyped-def]  # matplotlib Axes
    turn = np.linspace(0, 2 * np.pi, 181)
    lines = [
        np.stack([np.cos(lat) * np.cos(turn), np.full_like(turn, np.sin(lat)),
                  np.cos(lat) * np.sin(turn)])
        for lat in np.radians(np.arange(-60, 61, 30))
    ] + [
        np.stack([np.cos(turn) * np.cos(lon), np.sin(turn), np.cos(turn) * np.sin(lon)])
        for lon in np.radians(np.arange(0, 180, 30))
    ]  # fmt: skip
    for line in lines:
        x, y, depth = line
        axes.plot(np.where(depth >= 0, x, np.nan), y, color="#888888", lw=0.4, alpha=0.5, zorder=2)
    axes.plot(np.cos(turn), np.sin(turn), color="#555555", lw=0.8, zorder=2)
