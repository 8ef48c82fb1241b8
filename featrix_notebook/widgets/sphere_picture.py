"""The sphere as a still picture, for notebooks without a kernel, PDFs and pages of code hosts."""

from __future__ import annotations

import io
import warnings

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from numpy.typing import NDArray

from featrix_notebook.coding import Coding, text

# The camera the page starts with (HOME in js/src/gl/camera.ts).
YAW, PITCH = -0.6, 0.35
INK, SOFT, LINE = "#1c1f24", "#5c6370", "#c9cfd8"
MISSING = "#8e9298"


def draw_sphere(
    xyz: NDArray[np.float32],
    coding: Coding,
    shown: NDArray[np.int64],
    label: str,
    alt: str,
) -> bytes:
    """PNG of points on the sphere with their legend.

    Parameters
    ----------
    xyz
        (n, 3) unit vectors.
    coding
        Colours of all rows; ``shown`` (n,) says which rows the points are.
    label
        Heading of the legend.
    alt
        Description stored in the file.
    """
    figure = Figure(figsize=(7.2, 5.2), dpi=110, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.02, 0.03, 0.68, 0.94))
    axes.set(xlim=(-1.06, 1.06), ylim=(-1.06, 1.06), aspect="equal")
    axes.axis("off")
    view = _rotation()
    _draw_ball(axes, view)
    seen = xyz @ view.T
    order = np.argsort(seen[:, 2])
    depth = seen[order, 2]
    front = np.clip((depth + 0.3) / 0.55, 0, 1)[:, None]
    table = _palette(coding)
    colors = table[coding.codes[shown[order]]]
    haze = 0.55 + (0.10 * (1 - depth[:, None]) - 0.55) * front
    rgba = np.hstack([colors * (1 - haze) + haze, 0.38 + 0.62 * front])
    size = np.clip(9 - 1.5 * np.log10(max(len(xyz), 1)), 1.6, 7) * (0.62 + 0.19 * (depth + 1))
    axes.scatter(
        seen[order, 0], seen[order, 1], s=size**2, c=rgba, edgecolors="white", linewidths=0.25
    )
    _draw_legend(figure, coding, label)
    out = io.BytesIO()
    with warnings.catch_warnings():
        # A box in place of an emoji is no news to somebody who looks at the picture.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(out, format="png", metadata={"Description": _latin(alt)})
    return out.getvalue()


def _rotation() -> NDArray[np.float64]:
    cy, sy, cp, sp = np.cos(YAW), np.sin(YAW), np.cos(PITCH), np.sin(PITCH)
    return np.array([[-sy, cy, 0], [-cy * sp, -sy * sp, cp], [cy * cp, sy * cp, sp]])


def _draw_ball(axes: Axes, view: NDArray[np.float64]) -> None:
    ball = Circle((0, 0), 1, facecolor="#f6f8fb", edgecolor=LINE, linewidth=0.8)
    axes.add_patch(ball)
    turn = np.linspace(0, 2 * np.pi, 121)
    zero = np.zeros_like(turn)
    lines = [
        np.stack([np.cos(turn) * np.cos(lon), np.cos(turn) * np.sin(lon), np.sin(turn)])
        for lon in np.deg2rad(np.arange(0, 180, 30))
    ] + [
        np.stack([np.cos(lat) * np.cos(turn), np.cos(lat) * np.sin(turn), zero + np.sin(lat)])
        for lat in np.deg2rad(np.arange(-60, 61, 30))
    ]
    for line in lines:
        x, y, z = view @ line
        for side, alpha in ((z >= 0, 0.8), (z < 0, 0.3)):
            axes.plot(
                np.where(side, x, np.nan), np.where(side, y, np.nan),
                color=LINE, alpha=alpha, linewidth=0.6,
            )  # fmt: skip


def _palette(coding: Coding) -> NDArray[np.float64]:
    """256 x RGB in 0..1, as `buildPalette` of the page."""
    table = np.tile(np.array(to_rgb(MISSING)), (256, 1))
    if coding.kind == "number":
        colormap = LinearSegmentedColormap.from_list("featrix", coding.colors)
        table[1:] = colormap(np.linspace(0, 1, 255))[:, :3]
    elif coding.kind == "none":
        table[0] = to_rgb(coding.colors[0])
    else:
        for place, color in enumerate(coding.colors, start=1):
            table[place] = to_rgb(color)
    return table


def _draw_legend(figure: Figure, coding: Coding, label: str) -> None:
    if coding.kind == "none":
        return
    left, top, step = 0.73, 0.9, 0.05
    # parse_math: a column may be called "$5 or $10".
    figure.text(left, top, label[:28], weight="bold", size=9, color=INK, parse_math=False)
    if coding.kind == "number":
        bar = figure.add_axes((left, top - 0.58, 0.025, 0.54))
        ramp = _palette(coding)[1:, None]
        bar.imshow(ramp, aspect="auto", origin="lower", extent=(0, 1, 0, 1))
        bar.yaxis.tick_right()
        bar.set_xticks([])
        bar.set_yticks([at for at, _ in coding.ticks], [text for _, text in coding.ticks])
        bar.tick_params(labelsize=8, colors=SOFT, length=2)
        bar.spines[:].set_visible(False)
        top -= 0.6
    rows = [
        (name, count, color)
        for (name, count), color in zip(coding.entries, coding.colors, strict=False)
    ]
    if coding.missing:
        rows.append(("Missing", coding.missing, MISSING))
    for name, count, color in rows:
        top -= step
        figure.text(left, top, "●", color=color, size=9)
        words = f"{text(name, 24)}  {count:,}"
        figure.text(left + 0.025, top, words, size=8, color=INK, parse_math=False)


def _latin(words: str) -> str:
    """PNG text chunks are Latin-1."""
    return words.encode("latin-1", "replace").decode("latin-1")
