"""A movie as pictures: the sphere, its caption, the loss with a playhead, and the legend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from featrix_notebook.coding import Coding
from featrix_notebook.movie.legend import MISSING, palette, write_legend
from featrix_notebook.movie.lettering import write
from featrix_notebook.movie.losses import Losses
from featrix_notebook.movie.path import Path
from featrix_notebook.movie.plot import LossPlot
from featrix_notebook.movie.raster import (
    DARK,
    LIGHT,
    Floats,
    Picture,
    Points,
    View,
    ball,
    paint_trails,
    rgb,
)

if TYPE_CHECKING:
    from featrix_notebook.widgets.movie import TrainingMovie

SPEEDS = (0.25, 8.0)
_REST_S = 1.0
_TRAILS = 500
_TRAIL_FRAMES, _TRAIL_STEPS = 3, 5


class Film:
    """Pictures of a movie.

    Parameters
    ----------
    xyz
        float32 (frames, n, 3), unit vectors; at least one frame and one point.
    epochs
        int32 (frames,).
    codes
        uint8 (frames, n), or (1, n) for the same colours in every frame.
    coding
        What the codes mean.
    label
        Heading of the legend.
    losses
        The curves beside the sphere.
    title
        What the movie is of.
    selected
        bool (n,): points that stand out.
    camera
        As the page has it; what is missing is as in its first view.
    fps, speed
        Frames a second, and how many times as fast.
    trails
        Draw the way that points have just come.
    size
        Width and height in pixels, each from 160 to 4096; odd ones lose a pixel, for video.
    dark
        Light on a dark ground.
    """

    def __init__(
        self,
        xyz: Floats,
        epochs: NDArray[np.int32],
        codes: NDArray[np.uint8],
        coding: Coding,
        *,
        label: str,
        losses: Losses,
        title: str = "",
        selected: NDArray[np.bool_] | None = None,
        camera: Mapping[str, Any] | None = None,
        fps: float = 2,
        speed: float = 1,
        trails: bool = False,
        size: tuple[int, int] = (1280, 720),
        dark: bool = False,
    ) -> None:
        if not len(xyz):
            raise ValueError("The movie has no frames yet.")
        if not SPEEDS[0] <= float(speed) <= SPEEDS[1]:
            raise ValueError(f"speed must be between 0.25 and 8, not {speed!r}.")
        self.width, self.height = (_even(side) for side in size)
        self.epochs = epochs
        self._rate = fps * float(speed)
        self._coding, self._label, self._title, self._losses = coding, label, title, losses
        self._theme = DARK if dark else LIGHT
        self._colors = palette(coding)[codes]
        self._path = Path(xyz)
        self._last = len(xyz) - 1
        self._selected = selected
        self._scale = min(self.width / 1280, self.height / 720)
        self._lay_out(camera, xyz.shape[1])
        self._trails: _Past | None = None
        if trails:
            rows = np.flatnonzero(selected) if selected is not None else np.arange(xyz.shape[1])
            self._trails = _Past(xyz, rows[:_TRAILS])

    def _lay_out(self, camera: Mapping[str, Any] | None, n: int) -> None:
        """The sphere at the left and words at the right; in an upright picture the sphere alone."""
        self._wide = self.width >= 1.25 * self.height and self.width >= 480
        self._stage = int(self.width * 0.63) // 2 * 2 if self._wide else self.width
        self._view = View(self._stage, self.height, camera)
        self._points = Points(self._view, self._theme, self._view.point_size(n), self.width)
        self._still = np.empty((self.height, self.width, 3), np.uint8)
        self._still[:] = np.rint(rgb(self._theme.ground))
        self._still[:, : self._stage] = ball(self._view, self._theme)
        self._plot: LossPlot | None = None
        if self._wide:
            self._write_panel()

    def _write_panel(self) -> None:
        s, theme, still = self._scale, self._theme, self._still
        left, right = self._stage + int(12 * s), self.width - int(44 * s)
        top = int(64 * s)
        if self._title:
            write(
                still, left, top, self._title, max(9, int(30 * s)), theme.ink, bold=True,
                room=right - left,
            )  # fmt: skip
            top += int(48 * s)
        n = self._colors.shape[1]
        words = f"{n:,} {'row' if n == 1 else 'rows'}, {self._last + 1:,} epochs"
        write(still, left, top, words, max(8, int(18 * s)), theme.soft)
        top += int(52 * s)
        if len(self._losses.rows):
            bottom = top + int(236 * s)
            self._plot = LossPlot(self._losses, self.epochs, theme, (left, top, right, bottom), s)
            self._plot.draw(still)
            top = bottom + int(34 * s)
        bottom = self.height - int(24 * s)
        write_legend(still, (left, top, right, bottom), self._coding, self._label, theme, s)

    # ------------------------------------------------------------------ pictures

    def times(self, rate: float) -> NDArray[np.float64]:
        """When each picture is, counted in frames, at ``rate`` pictures a second."""
        playing = round(self._last / self._rate * rate)
        moving = np.linspace(0, self._last, playing + 1)
        return np.concatenate([moving, np.full(int(_REST_S * rate), float(self._last))])

    def pictures(self, rate: float) -> Iterator[Picture]:
        """Each picture in turn, uint8 (height, width, 3), in one array that is painted anew."""
        picture = np.empty_like(self._still)
        for time in self.times(rate):
            np.copyto(picture, self._still)
            self._paint(picture, float(time))
            yield picture

    def at(self, time: float) -> Picture:
        """The picture at a time counted in frames."""
        picture = self._still.copy()
        self._paint(picture, time)
        return picture

    def sphere(self, time: float) -> Picture:
        """The sphere alone, uint8 (height, stage width, 3)."""
        return self.at(time)[:, : self._stage]

    def _paint(self, picture: Picture, time: float) -> None:
        frame = min(round(time), self._last)
        colors = self._colors[min(frame, len(self._colors) - 1)]
        if self._trails is not None:
            past = self._trails.before(time)
            if len(past) > 1:
                width = self._points.size * 0.35
                paint_trails(picture, self._view, past, colors[self._trails.rows], width)
        self._points.paint(picture, self._path.at(time), colors, self._selected)
        self._caption(picture, time)
        if self._plot is not None:
            self._plot.playhead(picture, self._epoch(time))

    def palette(self) -> Image.Image:
        """A palette image of 256 colours: those that mean something exactly, the rest by use."""
        theme = self._theme
        exact = [*self._coding.colors, *theme.curves, theme.ground, theme.ink, MISSING]
        known = np.array([rgb(color) for color in exact], np.uint8)
        times = (0.0, self._last / 2, float(self._last))
        sample = Image.fromarray(np.concatenate([self.at(time)[::2, ::2] for time in times]))
        used = np.array(sample.quantize(256 - len(known)).getpalette(), np.uint8).reshape(-1, 3)
        colors = np.zeros((256, 3), np.uint8)
        colors[: len(known)] = known
        colors[len(known) : len(known) + len(used)] = used[: 256 - len(known)]
        image = Image.new("P", (16, 16))
        image.putpalette(colors.tobytes())
        return image

    def _epoch(self, time: float) -> float:
        return float(np.interp(time, np.arange(self._last + 1), self.epochs))

    def _caption(self, picture: Picture, time: float) -> None:
        s, theme = self._scale, self._theme
        passed = int(time + 1e-6)
        words, size = f"Epoch {self.epochs[passed]}", max(11, int(34 * s))
        write(picture, 32 * s, self.height - 34 * s, words, size, theme.ink, bold=True, anchor="ls")


def film_of(movie: TrainingMovie, options: Mapping[str, Any]) -> Film:
    """The film of a widget as it is now; `options` as of `Film`, in place of the widget's own."""
    with movie._lock:
        order = movie._order
        chosen = None
        if len(movie._selected):
            chosen = np.zeros(len(order), bool)
            chosen[np.frombuffer(movie._selected, "<u4")] = True
        return Film(
            movie._movie.xyz[:, order],
            movie._movie.epochs,
            movie.codes_of_frames(),
            movie._coding,
            label=str(movie._spec["color"]["label"]),
            losses=movie._losses,
            title=movie._points.title,
            selected=chosen,
            camera=movie._camera,
            **{"fps": movie._options["fps"], "trails": movie._options["trails"], **options},
        )


class _Past:
    """Where some points were at the moments before; each moment is computed once."""

    def __init__(self, xyz: Floats, rows: NDArray[np.int64]) -> None:
        self.rows = rows
        self._path = Path(np.ascontiguousarray(xyz[:, rows]))
        self._moments: dict[int, Floats] = {}

    def before(self, time: float) -> Floats:
        """Positions (moments, rows, 3), now first."""
        newest = int(np.ceil(time * _TRAIL_STEPS - 1e-6)) - 1
        oldest = max(newest - _TRAIL_FRAMES * _TRAIL_STEPS + 1, 0)
        for moment in range(oldest, newest + 1):
            if moment not in self._moments:
                self._moments[moment] = self._path.at(moment / _TRAIL_STEPS)
        for moment in [known for known in self._moments if known < oldest]:
            del self._moments[moment]
        older = [self._moments[moment] for moment in range(newest, oldest - 1, -1)]
        return np.stack([self._path.at(time), *older])


def _even(side: Any) -> int:
    number = int(side)
    if not 160 <= number <= 4096:
        raise ValueError(f"size must be two numbers of pixels from 160 to 4096, not {side!r}.")
    return number // 2 * 2
