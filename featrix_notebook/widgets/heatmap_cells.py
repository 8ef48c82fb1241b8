"""Cells of a heatmap: which one is selected, its record and its answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import traitlets

from featrix_client.grid_axes import MAX_AXES
from featrix_notebook.profiler import Profiler
from featrix_notebook.surface import Position, Surface
from featrix_notebook.widgets.handlers import Handler, Handlers


class HasCells(traitlets.HasTraits):
    """The part of a heatmap that knows which cell is selected, and what stands there.

    A heatmap calls :meth:`_begin_cells` before its traits are set.
    """

    # Positions as lists, empty for none; the page may link them to other widgets.
    _cell = traitlets.List(traitlets.Int()).tag(sync=True)
    _hover = traitlets.List(traitlets.Int()).tag(sync=True)
    _slice = traitlets.Int(0).tag(sync=True)
    _profiler: Profiler
    _lock: threading.RLock

    def _begin_cells(self, profiler: Profiler) -> None:
        self._profiler, self._lock = profiler, profiler.lock
        self._handlers = Handlers("on_click")
        self._cause = "user"

    @property
    def _surface(self) -> Surface:
        return self._profiler.surface

    @property
    def cell(self) -> Position | None:
        """Position of the selected cell, or None; assign one, or None, to select.

        Raises
        ------
        ValueError
            For a position that is not on the heatmap.
        """
        at = tuple(self._cell)
        return at if self._is_cell(at) else None

    @cell.setter
    def cell(self, position: int | Sequence[int] | None) -> None:
        if position is None:
            self._select([])
            return
        at = (position,) if isinstance(position, int | np.integer) else tuple(position)
        if not self._is_cell(at):
            sizes = " x ".join(map(str, self._surface.shape))
            raise ValueError(f"{position!r} is no cell of a heatmap of {sizes} cells.")
        self._select([int(index) for index in at])
        if len(at) == MAX_AXES:
            self._slice = int(at[2])

    def _select(self, at: list[int]) -> None:
        self._cause = "python"
        try:
            self._cell = at
        finally:
            self._cause = "user"

    def _is_cell(self, at: Sequence[Any]) -> bool:
        shape = self._surface.shape
        return len(at) == len(shape) and all(
            isinstance(index, int | np.integer) and 0 <= index < size
            for index, size in zip(at, shape, strict=True)
        )

    @property
    def record(self) -> dict[str, Any] | None:
        """The record of the selected cell; without a predictor, what stands on the axes there."""
        with self._lock:
            at = self.cell
            return None if at is None else self._surface.record(self._surface.place(at))

    @property
    def prediction(self) -> Any:
        """The answer to the selected cell: a `PredictionResult`, or the value where there is none.

        None without a selected cell.
        """
        with self._lock:
            at = self.cell
            if at is None:
                return None
            value = float(self._surface.values[at])
            return self._surface.results.get(self._surface.place(at), value)

    def on_click(self, handler: Handler) -> Callable[[], None]:
        """Call ``handler(cell, record)`` whenever the reader selects a cell.

        A handler of one parameter gets the position alone. It should be quick: the page waits.

        Returns
        -------
        Callable
            Call it to stop the handler.
        """
        return self._handlers.add(handler)

    @traitlets.observe("_cell")
    def _on_cell(self, _: Any) -> None:
        at = self.cell
        if at is not None and self._cause == "user":
            self._handlers.call(at, self.record)
