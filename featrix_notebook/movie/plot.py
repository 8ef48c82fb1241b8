"""The loss curve of a film, with a playhead that moves over it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from featrix_notebook.movie.lettering import font, write
from featrix_notebook.movie.losses import Losses
from featrix_notebook.movie.raster import Picture, Theme, rgb

WORDS = {"loss": "training", "validation_loss": "validation"}
_FINER = 3
_DASHES = (None, (9, 6), (3, 5))


class LossPlot:
    """Curves in a box (left, top, right, bottom) of pixels; the playhead is drawn on a copy."""

    def __init__(
        self,
        losses: Losses,
        epochs: NDArray[np.int32],
        theme: Theme,
        box: tuple[int, int, int, int],
        scale: float,
    ) -> None:
        self._losses, self._theme, self._scale = losses, theme, scale
        self._small = max(8, int(16 * scale))
        left, top, right, bottom = box
        self._outer = box
        self._box = (left + int(52 * scale), top + int(34 * scale), right, bottom - int(26 * scale))
        xs = np.concatenate([losses.rows[:, 0], epochs])
        self._x = (float(xs.min()), max(float(xs.max()), float(xs.min()) + 1))
        values = losses.rows[:, 1:]
        finite = values[np.isfinite(values)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        air = (high - low) * 0.07 or abs(high) * 0.1 or 1.0
        self._y = (low - air, high + air)

    def _place(self, epoch: float, value: float) -> tuple[float, float]:
        left, top, right, bottom = self._box
        x = left + (epoch - self._x[0]) / (self._x[1] - self._x[0]) * (right - left)
        y = bottom - (value - self._y[0]) / (self._y[1] - self._y[0]) * (bottom - top)
        return x, y

    def draw(self, picture: Picture) -> None:
        """Axes, names and curves."""
        left, _, right, bottom = self._box
        theme, small = self._theme, self._small
        soft = theme.border
        for value in ticks(*self._y, 4):
            y = int(self._place(self._x[0], value)[1])
            picture[y : y + 1, left:right] = np.rint(rgb(soft))
            write(picture, left - 8, y, f"{value:g}", small, theme.soft, anchor="rm")
        named = False
        for epoch in ticks(*self._x, 5):
            if epoch == int(epoch):
                x = int(self._place(epoch, self._y[0])[0])
                words = f"{epoch:g}" if named else f"epoch {epoch:g}"
                write(picture, x, bottom + 8, words, small, theme.soft, anchor="ma")
                named = True
        self._draw_curves(picture)

    def _draw_curves(self, picture: Picture) -> None:
        x0, y0, x1, y1 = self._outer
        part = Image.fromarray(np.ascontiguousarray(picture[y0:y1, x0:x1]))
        for i, name in enumerate(self._losses.names[1:]):
            epochs, values = self._losses.series(name)
            line = [self._place(e, v) for e, v in zip(epochs, values, strict=True)]
            mask = Image.new("L", (part.width * _FINER, part.height * _FINER))
            pen = ImageDraw.Draw(mask)
            fine = [((x - x0) * _FINER, (y - y0) * _FINER) for x, y in line]
            wide = max(2, int(2.4 * self._scale * _FINER))
            for piece in dashed(fine, _DASHES[i % len(_DASHES)], self._scale * _FINER):
                pen.line(piece, fill=255, width=wide, joint="curve")
            if len(fine) == 1:
                ((x, y),) = fine
                pen.ellipse((x - wide, y - wide, x + wide, y + wide), fill=255)
            part.paste(self._color(i), mask=mask.resize(part.size, Image.Resampling.BOX))
        picture[y0:y1, x0:x1] = np.asarray(part)

    def _color(self, i: int) -> str:
        return self._theme.curves[i % len(self._theme.curves)]

    def playhead(self, picture: Picture, epoch: float) -> None:
        """The line at an epoch, and each curve's value there."""
        _, top, _, bottom = self._box
        x = int(self._place(epoch, self._y[0])[0])
        width = max(2, int(2 * self._scale))
        picture[top:bottom, x : x + width] = np.rint(rgb(self._theme.ink))
        at = self._losses.at(epoch)
        left = self._outer[0]
        for i, name in enumerate(self._losses.names[1:]):
            words, value = WORDS.get(name, name), at.get(name)
            said = "–" if value is None else f"{value:.4g}"
            line = self._outer[1] + int(8 * self._scale)
            ends = [(0.0, 0.0), (26 * self._scale, 0.0)]
            for piece in dashed(ends, _DASHES[i % len(_DASHES)], self._scale):
                first, last = (left + round(x) for x, _ in (piece[0], piece[-1]))
                picture[line : line + width, first:last] = np.rint(rgb(self._color(i)))
            left += int(34 * self._scale)
            write(picture, left, self._outer[1], words, self._small, self._theme.soft)
            left += int(font(self._small).getlength(words) + 8 * self._scale)
            write(picture, left, self._outer[1], said, self._small, self._theme.ink, bold=True)
            left += int(84 * self._scale)


Corner = tuple[float, float]


def dashed(line: list[Corner], dash: tuple[int, int] | None, scale: float) -> list[list[Corner]]:
    """A line as its visible pieces; ``dash`` is a length on and a length off."""
    if dash is None or len(line) < 2:
        return [line] if len(line) > 1 else []
    points = np.array(line)
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    on, off = dash[0] * scale, dash[1] * scale
    pieces: list[list[Corner]] = []
    for start in np.arange(0, along[-1], on + off):
        end = min(start + on, along[-1])
        between = along[(along > start) & (along < end)]
        at = np.concatenate([[start], between, [end]])
        x, y = (np.interp(at, along, points[:, axis]) for axis in (0, 1))
        pieces.append(list(zip(x.tolist(), y.tolist(), strict=True)))
    return pieces


def ticks(low: float, high: float, count: int) -> list[float]:
    """Round numbers from low to high, about so many."""
    rough = (high - low) / max(count, 1)
    if not rough > 0 or not math.isfinite(rough):
        return [low]
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    first = math.ceil(low / step)
    return [round((first + i) * step, 12) for i in range(int(high / step - first + 1e-9) + 1)]
