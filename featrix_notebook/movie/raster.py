"""Points on the sphere as pixels, with numpy alone: the page's picture for films and stills.

Shading, sizes, haze and rims are those of ``js/src/gl`` (shaders, backdrop, camera), so a film
looks like the widget it was made from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Floats = NDArray[Any]  # float32
Picture = NDArray[np.uint8]

# The first view of the page (HOME in js/src/gl/camera.ts).
HOME = {"yaw": -0.6, "pitch": 0.35, "zoom": 1.0, "panX": 0.0, "panY": 0.0}
_FILL = 0.9
_FINER = 4
# Sizes of stamps in a pixel of radius.
_STAMPS = 6
_LINES = tuple(np.deg2rad(np.arange(0, 180, 30))), tuple(np.deg2rad(np.arange(-60, 61, 30)))


@dataclass(frozen=True)
class Theme:
    """Colours as ``#rrggbb``; the names are those of the style sheets."""

    ground: str
    ink: str
    soft: str
    border: str
    light: str
    shade: str
    line: str
    far: str
    curves: tuple[str, ...]


LIGHT = Theme(
    "#ffffff", "#1c1f24", "#5c6370", "#d9dce1", "#ffffff", "#e6ebf2", "#bcc6d3", "#eef2f7",
    ("#1f6fc4", "#c4501b", "#16826a"),
)  # fmt: skip
DARK = Theme(
    "#111318", "#eceff4", "#a4adba", "#3a3f48", "#2c333f", "#171b22", "#3f4957", "#1c2129",
    ("#6cb2ff", "#ff9a5c", "#4fd0b0"),
)  # fmt: skip


def rgb(color: str) -> Floats:
    """``#rrggbb`` as three numbers from 0 to 255."""
    return np.array([int(color[at : at + 2], 16) for at in (1, 3, 5)], np.float32)


class View:
    """A camera before a picture of ``width`` x ``height`` pixels."""

    def __init__(self, width: int, height: int, camera: Mapping[str, Any] | None = None) -> None:
        chosen = {**HOME, **{key: float(value) for key, value in (camera or {}).items()}}
        self.width, self.height = width, height
        self.zoom = min(max(chosen["zoom"], 0.5), 60.0)
        self.radius = _FILL * self.zoom * min(width, height) / 2
        self.x = width / 2 + chosen["panX"] * self.radius
        self.y = height / 2 - chosen["panY"] * self.radius
        cy, sy = np.cos(chosen["yaw"]), np.sin(chosen["yaw"])
        cp, sp = np.cos(chosen["pitch"]), np.sin(chosen["pitch"])
        rows = [[-sy, cy, 0], [-cy * sp, -sy * sp, cp], [cy * cp, sy * cp, sp]]
        self.turn = np.array(rows, np.float32)

    def project(self, xyz: Floats) -> tuple[Floats, Floats, Floats]:
        """Pixel columns, rows, and depth (1 nearest, -1 farthest) of unit vectors (..., 3)."""
        seen = xyz @ self.turn.T
        return (
            self.x + self.radius * seen[..., 0],
            self.y - self.radius * seen[..., 1],
            seen[..., 2],
        )

    def point_size(self, count: int) -> float:
        """The diameter that suits a number of points, as ``Stage.pointSize`` of the page."""
        fitting = min(9.0, max(2.0, 16.5 - 3.1 * np.log10(max(count, 1))))
        scale = min(self.width, self.height) / 520
        return float(fitting * max(0.7, scale) * max(0.6, self.zoom) ** 0.4)


def ball(view: View, theme: Theme) -> Picture:
    """The sphere behind the points: shading, graticule and outline."""
    y, x = np.mgrid[0 : view.height, 0 : view.width].astype(np.float32) + np.float32(0.5)
    u, v = (x - view.x) / view.radius, (y - view.y) / view.radius
    cover = np.clip((1 - np.hypot(u, v)) * view.radius + 0.5, 0, 1)[..., None]
    glow = _glow(u, v)[..., None]
    filled = rgb(theme.light) * (1 - glow) + rgb(theme.shade) * glow
    picture = rgb(theme.ground) * (1 - cover) + filled * cover
    lines = _graticule(view)[..., None]
    picture += (rgb(theme.line) - picture) * lines
    rounded: Picture = np.rint(picture).astype(np.uint8)
    return rounded


def _glow(u: Floats, v: Floats) -> Floats:
    """Share of the way from the lit to the shaded colour: a radial gradient of two circles."""
    fx, fy, small = -0.35, -0.45, 0.05
    # Both circles grow into one another: |p - focus + t focus| = small + t grow, solved for t.
    grow = 1 - small
    a = fx * fx + fy * fy - grow * grow
    px, py = u - fx, v - fy
    b = -(px * fx + py * fy) + small * grow
    c = px * px + py * py - small * small
    share = (b - np.sqrt(np.maximum(b * b - a * c, 0))) / a
    return np.clip(share, 0, 1).astype(np.float32)


def _graticule(view: View) -> Floats:
    """How much of the line colour each pixel takes, 0 to 1."""
    side = (view.width * _FINER, view.height * _FINER)
    turn = np.linspace(0, 2 * np.pi, 145)
    zero = np.zeros_like(turn)
    meridians, parallels = _LINES
    rings = [
        np.stack([np.cos(turn) * np.cos(lon), np.cos(turn) * np.sin(lon), np.sin(turn)], 1)
        for lon in meridians
    ] + [
        np.stack([np.cos(lat) * np.cos(turn), np.cos(lat) * np.sin(turn), zero + np.sin(lat)], 1)
        for lat in parallels
    ]
    total: Floats = np.zeros((view.height, view.width), np.float32)
    edge = np.stack([view.x + view.radius * np.cos(turn), view.y + view.radius * np.sin(turn)], 1)
    layers: list[tuple[float, list[NDArray[np.float64]]]] = [(1.0, [edge])]
    for front, part in ((False, 0.22), (True, 0.75)):
        runs: list[NDArray[np.float64]] = []
        for ring in rings:
            x, y, depth = view.project(ring.astype(np.float32))
            there = (depth >= 0) == front
            for piece in np.split(np.arange(len(ring)), np.flatnonzero(np.diff(there)) + 1):
                if there[piece[0]] and len(piece) > 1:
                    runs.append(np.stack([x[piece], y[piece]], 1))
        layers.append((part, runs))
    for strength, runs in layers:
        mask = Image.new("L", side)
        pen = ImageDraw.Draw(mask)
        for run in runs:
            pen.line([tuple(p) for p in (run * _FINER).tolist()], fill=255, width=_FINER)
        fine = mask.resize((view.width, view.height), Image.Resampling.BOX)
        total = np.maximum(total, np.asarray(fine, np.float32) / 255 * strength)
    return total


class Points:
    """Paints points into pictures of one view.

    Parameters
    ----------
    view, theme
        Where from, and in which colours.
    size
        Diameter in pixels of a point facing the viewer.
    stride
        Width of the whole picture, of which the view is the left part.
    """

    def __init__(self, view: View, theme: Theme, size: float, stride: int) -> None:
        self._view, self.size, self._stride = view, size, stride
        self._far = rgb(theme.far)
        self._owner = np.empty(stride * view.height, np.int32)
        row, column = np.divmod(np.arange(len(self._owner), dtype=np.int32), np.int32(stride))
        self._middle = np.stack([column, row], 1).astype(np.float32) + np.float32(0.5)
        self._stamps: dict[int, NDArray[np.int64]] = {}

    def paint(
        self, picture: Picture, xyz: Floats, colors: Floats, chosen: NDArray[np.bool_] | None = None
    ) -> None:
        """Paint points over a picture (height, width, 3), far ones first.

        Parameters
        ----------
        picture
            Changed in place; contiguous.
        xyz
            float32 (n, 3), unit vectors.
        colors
            float32 (n, 3), 0 to 255.
        chosen
            bool (n,): points that stand out while the others step back.
        """
        x, y, z = self._view.project(xyz)
        if chosen is None:
            chosen = np.zeros(len(xyz), bool)
        dim = bool(chosen.any())
        table = self._table(x, y, z, colors, chosen, dim)
        for side in (z < 0, z >= 0) if dim else (np.ones(len(z), bool),):
            for group in (False, True) if dim else (False,):
                self._layer(picture, table, z, side & (chosen == group))

    def _table(
        self, x: Floats, y: Floats, z: Floats, colors: Floats, chosen: NDArray[np.bool_], dim: bool
    ) -> Floats:
        """One row a point: column, row, radius, rim, opacity, red, green, blue."""
        front = _smoothstep(-0.3, 0.25, z)
        haze = np.where(chosen, 0.25, 0.55) * (1 - front) + 0.10 * (1 - z) * front
        solid = np.where(chosen, 0.8, 0.38) * (1 - front) + front
        diameter = self.size * (0.81 + 0.19 * z) * np.where(chosen, 1.35, 1.0)
        table = np.empty((len(x), 8), np.float32)
        table[:, 0], table[:, 1] = x, y
        table[:, 2] = diameter / 2
        table[:, 3] = 0.45 * _smoothstep(4.0, 8.0, diameter)
        table[:, 4] = solid * np.where(dim & ~chosen, 0.22, 1.0)
        table[:, 5:] = colors + (self._far - colors) * haze[:, None]
        return table

    def _layer(self, picture: Picture, table: Floats, z: Floats, there: NDArray[np.bool_]) -> None:
        """Points that may hide one another; each pixel belongs to the nearest that covers it."""
        width, height = self._view.width, self._view.height
        margin = float(table[:, 2].max(initial=0)) + 2
        there = there & (table[:, 0] > margin) & (table[:, 0] < width - margin)
        there &= (table[:, 1] > margin) & (table[:, 1] < height - margin)
        (points,) = np.nonzero(there)
        if not points.size:
            return
        points = points[np.argsort(z[points])]
        owner = self._owner
        owner.fill(-1)
        x, y = table[points, 0], table[points, 1]
        home = y.astype(np.int64) * self._stride + x.astype(np.int64)
        quarter = 2 * (y % 1 >= 0.5) + (x % 1 >= 0.5)
        # Nearer means larger, so one stamp size after another goes from far to near. Where two
        # write the same pixel the later stays, within one assignment too.
        steps = np.ceil(table[points, 2] * _STAMPS).astype(np.int64)
        edges = np.flatnonzero(np.diff(steps, prepend=-1, append=-1))
        for begin, end in pairwise(edges):
            stamp = self._stamp(int(steps[begin]))[quarter[begin:end]]
            owner[(home[begin:end, None] + stamp).ravel()] = np.repeat(
                points[begin:end].astype(np.int32), stamp.shape[1]
            )
        self._blend(picture.reshape(-1, 3), table)

    def _stamp(self, step: int) -> NDArray[np.int64]:
        """Offsets of the pixels that a point of a radius covers, by the quarter its middle is in.

        The four rows are as long as the longest; what is missing repeats the middle.
        """
        if step not in self._stamps:
            reach = step / _STAMPS + 0.25
            most = int(np.ceil(reach)) + 1
            dy, dx = np.mgrid[-most : most + 1, -most : most + 1]
            found = []
            for down, right in ((0.25, 0.25), (0.25, 0.75), (0.75, 0.25), (0.75, 0.75)):
                inside = np.hypot(dx + 0.5 - right, dy + 0.5 - down) <= reach
                found.append((dy * self._stride + dx)[inside])
            stamp = np.zeros((4, max(map(len, found))), np.int64)
            for row, offsets in zip(stamp, found, strict=True):
                row[: len(offsets)] = offsets
            self._stamps[step] = stamp
        return self._stamps[step]

    def _blend(self, pixels: Picture, table: Floats) -> None:
        covered = np.flatnonzero(self._owner >= 0)
        mine = np.take(table, np.take(self._owner, covered), axis=0)
        away = np.take(self._middle, covered, axis=0)
        away -= mine[:, :2]
        distance = np.sqrt(away[:, 0] ** 2 + away[:, 1] ** 2)
        distance -= mine[:, 2]
        alpha = np.clip(np.float32(0.5) - distance, 0, 1) * mine[:, 4]
        rim = np.clip(distance + np.float32(1.5), 0, 1) * mine[:, 3]
        below = np.take(pixels, covered, axis=0)
        out = np.empty_like(below)
        for channel in range(3):
            color = mine[:, 5 + channel]
            color = color + (self._far[channel] - color) * rim
            under = below[:, channel].astype(np.float32)
            out[:, channel] = under + (color - under) * alpha + np.float32(0.5)
        pixels[covered] = out


def paint_trails(
    picture: Picture, view: View, past: NDArray[np.float32], colors: Floats, width: float
) -> None:
    """Paint the way of points as lines that fade into the past.

    Parameters
    ----------
    picture
        Changed in place; contiguous. The view is its left part.
    past
        float32 (moments, n, 3): where each point was, the present first.
    colors
        float32 (n, 3), 0 to 255.
    width
        Of the lines, in pixels.
    """
    stride = picture.shape[1]
    # Dots so close that they make a line, but for the few points that leap.
    leap = np.linalg.norm(np.diff(past, axis=0), axis=2) * view.radius
    fine = int(np.clip(np.ceil(np.percentile(leap, 97)), 4, 40))
    share = np.arange(0, 1, 1 / fine, dtype=np.float32)[:, None, None]
    moments = len(past) - 1
    ways = past[:-1, None] * (1 - share) + past[1:, None] * share
    x, y, z = view.project(ways.reshape(moments * fine, -1, 3))
    age = 1 - np.arange(moments * fine, dtype=np.float32)[:, None] / (moments * fine)
    # A dot stands for a part of the line as long as the step to the next one.
    step = np.hypot(np.diff(x, axis=0, append=x[-1:]), np.diff(y, axis=0, append=y[-1:]))
    weight = np.minimum(step * width, 1.0) * age * np.where(z >= 0, 0.75, 0.2)
    columns, rows = np.floor(x - 0.5), np.floor(y - 0.5)
    inside = (columns >= 0) & (rows >= 0) & (columns < view.width - 1) & (rows < view.height - 1)
    inside &= weight > 0.003
    fx, fy = (x - 0.5 - columns)[inside], (y - 0.5 - rows)[inside]
    at = (rows[inside] * stride + columns[inside]).astype(np.int64)
    mine = np.broadcast_to(np.arange(past.shape[1]), x.shape)[inside]
    weight = weight[inside]
    places = np.concatenate([at, at + 1, at + stride, at + stride + 1])
    parts = np.concatenate(
        [
            weight * (1 - fx) * (1 - fy),
            weight * fx * (1 - fy),
            weight * (1 - fx) * fy,
            weight * fx * fy,
        ]
    )
    total = np.bincount(places, parts, stride * view.height)
    owner = np.zeros(stride * view.height, np.int32)
    owner[places[::-1]] = np.tile(mine, 4)[::-1]
    (covered,) = np.nonzero(total > 0.004)
    pixels = picture.reshape(-1, 3)
    alpha = np.minimum(total[covered], 0.8).astype(np.float32)[:, None]
    below = pixels[covered].astype(np.float32)
    below += (colors[owner[covered]] - below) * alpha
    pixels[covered] = (below + 0.5).astype(np.uint8)


def reduced(picture: Picture, colors: Image.Image) -> Image.Image:
    """The picture in the colours of a palette image, of which one is white; white stays white.

    Pillow takes any colour near enough, which on white paper shows as a grey box.
    """
    few = Image.fromarray(picture).quantize(palette=colors, dither=Image.Dither.NONE)
    palette = np.array(colors.getpalette(), np.uint8).reshape(-1, 3)
    white = int((palette == 255).all(axis=1).argmax())
    few.paste(white, mask=Image.fromarray((picture == 255).all(axis=2)))
    return few


def _smoothstep(low: float, high: float, value: Floats) -> Floats:
    t = np.clip((value - low) / (high - low), 0, 1)
    smooth: Floats = t * t * (3 - 2 * t)
    return smooth
