"""`PredictionHeatmap`: predictions along one to three axes, to read, to vary and to refine."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, cast

import numpy as np
import pandas as pd
import traitlets

from featrix_client.grid_axes import MAX_AXES
from featrix_client.records import clean_record
from featrix_notebook import pages, surface_sources, what_if
from featrix_notebook.profiler import Profiler
from featrix_notebook.surface import Floats, Position
from featrix_notebook.widgets import heatmap_spec
from featrix_notebook.widgets.base import FeatrixWidget
from featrix_notebook.widgets.heatmap_cells import HasCells
from featrix_notebook.widgets.heatmap_desk import Desk

View = Literal["value", "confidence", "class"]
_PUSH_S = 0.1


class PredictionHeatmap(HasCells, FeatrixWidget):
    """Show how a prediction moves when a record is varied along one to three axes.

    Cells appear while they are filled. With a predictor behind them, the other columns of the
    record can be set on the page, and the surface answers; a click on a cell gives its record.

    Parameters
    ----------
    source
        A `PredictionGrid` (filled, or still to be filled: then it is followed); a predictor, with
        `axes`; a table whose index stands down and whose columns stand across, or one of a row a
        cell with names of columns as `x` and `y`; an array of one to three dimensions.
    x, y, z
        With an array: what stands along its axes, or ``(name, values)``. ``x`` runs across
        (axis 1), ``y`` downwards (axis 0), ``z`` is turned by a slider.
    values
        With a table of one row a cell: the column of the values; by default the last.
    axes
        With a predictor: column to the values along it, or a list of one to three columns, whose
        values then come from `ranges`. The first runs downwards, the second across.
    record
        With a predictor: what all cells have in common.
    ranges
        What the columns may be set to: a table to learn it from, or column to ``(low, high)`` or
        to a list of values. By default the predictor's model card says it.
    show
        ``"value"``, ``"confidence"`` or ``"class"``.
    target_class
        With more than two classes: the one whose probability is the value.
    threshold
        Where a line is drawn through the surface; by default the predictor's own.
    limits
        The ends of the colour scale; by default the range of the values.
    maximize
        Mark the largest value as the best one; False for the smallest.
    units
        Column to its unit.
    title
        What the values are.
    height
        Of the picture, in pixels (at least 200).

    Raises
    ------
    TypeError
        For a source of another kind, or an unknown keyword.
    ValueError
        If the axes do not fit the source, or an option is out of range.

    Examples
    --------
    >>> heatmap = PredictionHeatmap(predictor, axes=["age", "plan"])  # doctest: +SKIP
    >>> heatmap                      # drag the sliders, click a cell ...   # doctest: +SKIP
    >>> heatmap.record               # ... and go on with its record       # doctest: +SKIP
    """

    _bundle = "heatmap"
    _grid: Any = None
    _stop_following: Callable[[], None] | None = None
    _spec = traitlets.Dict().tag(sync=True)
    _cells = traitlets.Bytes(b"").tag(sync=True)
    _show = traitlets.Enum(list(heatmap_spec.VIEWS), "value").tag(sync=True)

    def __init__(
        self,
        source: Any,
        x: Any = None,
        y: Any = None,
        z: Any = None,
        *,
        values: str | None = None,
        axes: Mapping[str, Any] | Sequence[str] | None = None,
        record: Mapping[str, Any] | None = None,
        ranges: Any = None,
        show: View = "value",
        target_class: str | None = None,
        threshold: float | None = None,
        limits: tuple[float, float] | None = None,
        maximize: bool = True,
        units: Mapping[str, str] | None = None,
        title: str = "",
        height: int = 460,
        **kwargs: Any,
    ) -> None:
        self._reject_unknown(kwargs)
        if show not in heatmap_spec.VIEWS:
            raise ValueError(f"show must be one of {', '.join(heatmap_spec.VIEWS)}, not {show!r}.")
        self._limits = None if limits is None else _checked_limits(limits)
        self._height = _checked_height(height)
        self._units = dict(units or {})
        self._reached: tuple[float, float] | None = None
        self._pushed_at, self._faced = 0.0, False
        self._timer: threading.Timer | None = None
        given = None if ranges is None else what_if.read_ranges(ranges)
        read = surface_sources.read_source(source, (x, y, z), values, axes, record, given)
        read.surface.target_class = read.surface.target_class or target_class
        read.surface.given_threshold = None if threshold is None else float(threshold)
        read.surface.maximize = bool(maximize)
        read.surface.title = str(title or read.surface.title)
        self._begin_cells(
            Profiler(read.surface, read.predictor, read.ranges or {}, self._changed, self._settled)
        )
        self._desk = Desk(self)
        self._list_controls()
        super().__init__(_show=show, **self._state(), **kwargs)
        self._face_optimum()
        self.on_msg(self._desk.receive)
        self._grid = read.grid
        if self._grid is not None:
            self._stop_following = self._grid.on_fill(self._on_fill)
        elif read.predictor is not None:
            self._profiler.ask(self._profiler.axes, self._profiler.base)
        if read.predictor is not None and read.ranges is None:
            threading.Thread(target=self._profiler.learn_ranges, daemon=True).start()

    def _changed(self, moved: bool) -> None:
        """Show what the profiler has; called under its lock, from any thread."""
        if moved:
            self._reached, self._faced = None, False
            self._select([])
        self._list_controls()
        self._push()

    def _settled(self, quiet: bool) -> None:
        """A surface is whole: bring what is stored with the notebook up to date."""
        if not quiet:
            self._face_optimum()
        self.refresh_outputs()

    def _list_controls(self) -> None:
        asked = self._profiler
        self._controls = (
            []
            if asked.predictor is None
            else heatmap_spec.controls(asked.initial | asked.base, asked.ranges, asked.taken)
        )

    # ---------------------------------------------------------------- what is shown

    @property
    def values(self) -> Floats:
        """What the cells show, in the shape of the axes; NaN where nothing is filled.

        Of an array or a table others can be assigned; a predictor's are its own.
        """
        with self._lock:
            return self._surface.values

    @values.setter
    def values(self, values: Any) -> None:
        surface = self._surface
        if surface.target:
            raise ValueError("These values are predictions; set base_record to have others.")
        array = np.asarray(values, dtype=np.float64)
        if array.shape != surface.shape:
            raise ValueError(f"The values have the shape {array.shape}, not {surface.shape}.")
        with self._lock:
            surface.layers[""] = array.ravel().copy()
            self._push()

    def to_frame(self) -> pd.DataFrame:
        """The cells as a table, one row a cell in row-major order."""
        with self._lock:
            return self._surface.to_frame()

    @property
    def optimum(self) -> Position | None:
        """Where the best finite value is; None if nothing is filled."""
        with self._lock:
            return self._surface.optimum

    @property
    def show(self) -> View:
        """What the colours mean: ``"value"``, ``"confidence"`` or ``"class"``."""
        return cast("View", self._show)

    @show.setter
    def show(self, view: View) -> None:
        there = heatmap_spec.views(self._surface)
        if view not in there:
            raise ValueError(f"This heatmap can show {', '.join(there)}, not {view!r}.")
        self._show = view

    @property
    def target_class(self) -> str | None:
        """The class whose probability is the value; None for numbers."""
        with self._lock:
            return self._surface.shown_class

    @target_class.setter
    def target_class(self, label: str | None) -> None:
        with self._lock:
            known = heatmap_spec.class_choices(self._surface)
            if label is not None and label not in self._surface.layers:
                raise ValueError(
                    f"There is no class {label!r}. The classes are: {', '.join(known)}."
                )
            self._surface.target_class = label
            self._reached = None
            self._push()

    def _state(self) -> dict[str, Any]:
        """Both halves of what the page is told."""
        surface = self._surface
        codes = surface.codes()
        dtype, data = heatmap_spec.cells(surface, codes)
        self._reached = heatmap_spec.limits(surface, self._reached)
        spec = {
            **heatmap_spec.describe(surface, codes, self._units),
            **heatmap_spec.describe_asking(self._profiler, self._controls),
            "dtype": dtype,
            "limits": self._limits or self._reached,
            "height": self._height,
            "summary": self.summary(),
        }
        return {"_spec": spec, "_cells": data}

    def _push(self) -> None:
        with self._lock, self.hold_sync():
            self._pushed_at = time.monotonic()
            for name, value in self._state().items():
                setattr(self, name, value)

    def _face_optimum(self) -> None:
        """Of three axes, turn to the plane of the optimum, once: then the reader turns."""
        best = self._surface.optimum
        if best is None or self._faced:
            return
        self._faced = True
        if len(best) == MAX_AXES:
            self._slice = best[2]

    # ---------------------------------------------------------------- asking

    @property
    def base_record(self) -> dict[str, Any]:
        """What the records of all cells have in common; assign another to ask for its surface.

        With a predictor only. It holds the newest wish: `wait` for the answer.
        """
        with self._lock:
            return dict(self._profiler.base)

    @base_record.setter
    def base_record(self, record: Mapping[str, Any]) -> None:
        self._profiler.set_base(clean_record(record))

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the surface answers the newest wish; False after `timeout` seconds."""
        return self._profiler.wait(timeout)

    def refine(self) -> None:
        """Look closer: narrow each axis of numbers to the neighbours of the optimum, and ask again.

        Raises
        ------
        ValueError
            If there is no predictor to ask, nothing is filled, or no axis can be narrowed.
        """
        self._profiler.refine()

    def back(self) -> None:
        """Return to the axes before the last `refine`.

        Raises
        ------
        ValueError
            If nothing was refined.
        """
        self._profiler.back()

    # ---------------------------------------------------------------- a grid that is being filled

    def _on_fill(self, _: Any, __: Any) -> None:
        """Called in the thread that fills, after each part of a batch."""
        with self._lock:
            due = time.monotonic() - self._pushed_at >= _PUSH_S
            if not due and self._timer is None:
                self._timer = threading.Timer(_PUSH_S, self._follow_grid)
                self._timer.daemon = True
                self._timer.start()
        if due:
            self._follow_grid()

    def _follow_grid(self) -> None:
        with self._lock:
            self._timer = None
            if self._stop_following is None:
                return
            before, surface = self._surface, surface_sources.read_grid(self._grid)
            surface.given_threshold, surface.maximize = before.given_threshold, before.maximize
            surface.title = before.title
            surface.target_class = before.target_class or surface.target_class
        self._profiler.take(surface)

    def _page_title(self) -> str:
        with self._lock:
            return f"Heatmap: {self._surface.meaning}"

    def _page_part(self, *, brief: bool = False) -> dict[str, Any]:
        with self._lock:
            part = super()._page_part(brief=brief)
            still = {"asks": False, "canRefine": False, "canReturn": False}
            spec = {**self._spec, **still, "controls": [], "classChoices": []}
            cells = np.ndindex(*spec["shape"])
            facts = (
                (f"cell/{','.join(map(str, at))}", self._desk.cell({"at": at})) for at in cells
            )
            return {
                **part,
                "state": {**part["state"], "_spec": spec},
                "answers": pages.within(facts, brief=brief),
            }

    def close(self) -> None:
        """Take the widget off the page; what is under way is dropped."""
        if self._stop_following is not None:
            self._stop_following()
            self._stop_following = None
        if "_profiler" in self.__dict__:  # absent where the constructor raised
            self._profiler.close()
        super().close()

    # ---------------------------------------------------------------- without a kernel

    def summary(self) -> str:
        """What the heatmap shows, in words."""
        return self._surface.in_words()

    def snapshot_png(self) -> bytes | None:
        """The grid as a still picture; None when nothing is filled."""
        with self._lock:
            surface = self._surface
            if not np.isfinite(surface.values).any():
                return None
        # matplotlib is loaded when a picture is wanted
        from featrix_notebook.widgets.heatmap_picture import draw_heatmap

        return draw_heatmap(surface)


def _checked_limits(limits: Any) -> tuple[float, float]:
    try:
        low, high = map(float, limits)
    except (TypeError, ValueError):
        raise TypeError(f"limits must be a pair (low, high), not {limits!r}.") from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"limits must be two finite numbers that rise, not {limits!r}.")
    return low, high


def _checked_height(height: Any) -> int:
    if isinstance(height, bool) or not isinstance(height, int | float | np.number):
        raise TypeError(f"height must be a number of pixels, not {height!r}.")
    if not 200 <= height <= 4000:
        raise ValueError(f"height must be between 200 and 4000 pixels, not {height!r}.")
    return int(height)
