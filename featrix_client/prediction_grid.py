"""Predictions along one to three axes: how the answer moves when a record is varied."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from featrix_client.errors import FeatrixInputError, FeatrixWarning
from featrix_client.grid_axes import (
    DEFAULT_SHAPE,
    Axis,
    Position,
    checked_position,
    checked_shape,
    read_axes,
)
from featrix_client.grid_cells import GridCells
from featrix_client.prediction import PredictionResult
from featrix_client.progress import told_when_interrupted
from featrix_client.records import clean_record

if TYPE_CHECKING:
    from featrix_client.grid_cells import Values
    from featrix_client.predictor_answers import AnswersOfPredictor

    Listener = Callable[[Values, Values], object]

_STATE = (
    "axis_labels", "axis_values", "results", "records", "base_record", "axes", "_layers", "_queue",
)  # fmt: skip

PART_CELLS = 2000
"""Cells a request: few enough that a large grid is seen to fill, enough to cost little."""


class PredictionGrid(GridCells):
    """Cells along one to three axes, each to hold the prediction of one record.

    Made by `Predictor.predict_grid`. Cells are filled either by `fill`, which varies a record
    along the axes, or one by one with `predict` and then `process_batch`. It can be read and
    drawn at any time; cells that are not filled are NaN.

    Attributes
    ----------
    predictor : Predictor
        Who is asked.
    shape : tuple of int
        Cells along each axis.
    axis_labels : list of str
        What the axes are called.
    axis_values : list of list
        What stands at the cells of each axis: values of a column, or numbers from 0.
    results : dict of tuple to PredictionResult
        The answers so far, by position; also those that failed.
    records : dict of tuple to dict
        What was asked for them.
    base_record : dict
        What `fill` was told that all cells have in common.
    axes : list of Axis
        What `fill` varies the record along; empty for a grid filled cell by cell.
    target_class : str or None
        With more than two classes: the one whose probability the cells show; None for the one
        predicted most often.
    """

    def __init__(
        self,
        predictor: AnswersOfPredictor,
        degrees_of_freedom: int = 2,
        grid_shape: Sequence[int] = DEFAULT_SHAPE,
    ) -> None:
        super().__init__(predictor, checked_shape(degrees_of_freedom, grid_shape))
        self.records: dict[Position, dict[str, Any]] = {}
        self.base_record: dict[str, Any] = {}
        self.axes: list[Axis] = []
        self._queue: dict[Position, dict[str, Any]] = {}
        self._listeners: list[Listener] = []

    def __repr__(self) -> str:
        sizes = " x ".join(map(str, self.shape))
        filled = sum(result.error is None for result in self.results.values())
        words = f"{sizes}: {', '.join(self.axis_labels)}; {filled} cells filled"
        return f"PredictionGrid({words}{f', {self.queued} queued' if self.queued else ''})"

    @property
    def queued(self) -> int:
        """Number of records that wait for `process_batch`."""
        return len(self._queue)

    def set_axis_labels(self, labels: Sequence[str]) -> None:
        """Name the axes.

        Raises
        ------
        ValueError
            If there is not one name for each axis, or one twice.
        """
        names = [labels] if isinstance(labels, str) else [str(label) for label in labels]
        if len(names) != len(self.shape) or len(set(names)) < len(names):
            raise FeatrixInputError(
                f"The grid has {len(self.shape)} axes and needs a name of its own for each; "
                f"given were {names!r}.",
                field="labels",
            )
        self.axis_labels = names

    def on_fill(self, listener: Listener) -> Callable[[], None]:
        """Call a function whenever cells have been filled, while a batch is under way.

        Parameters
        ----------
        listener : callable
            Called with the positions, int64 (n, axes), and their values, float64 (n,), in the
            thread that fills. With more than two classes and no `target_class` the class shown
            may change as cells arrive: `values` always holds the whole.

        Returns
        -------
        callable
            Stops the calls.
        """
        self._listeners.append(listener)

        def stop() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return stop

    def predict(self, record: Mapping[str, Any], grid_position: int | Sequence[int]) -> None:
        """Queue a record for a cell; `process_batch` sends it. A later one replaces it.

        Parameters
        ----------
        record : dict
            The whole record.
        grid_position : tuple of int
            One index for each axis, from 0.

        Raises
        ------
        ValueError
            If the position is not in the grid, or `record` no record.
        """
        self._queue[checked_position(grid_position, self.shape)] = clean_record(record)

    def process_batch(self, show_progress: bool = False) -> int:
        """Send everything queued as one batch and fill the cells as answers arrive.

        If it is interrupted, what has arrived stays and the rest remains queued.

        Parameters
        ----------
        show_progress : bool
            Show a bar.

        Returns
        -------
        int
            Number of cells filled; 0 if nothing was queued.

        Warns
        -----
        FeatrixWarning
            If some of the records could not be answered.
        """
        return self._process(show_progress, ())

    def fill(
        self,
        base_record: Mapping[str, Any],
        axes: Mapping[str, Iterable[Any]],
        show_progress: bool = False,
    ) -> int:
        """Fill every cell with the prediction of a record varied along the axes.

        What the grid held or had queued before is dropped, unless the call is refused. If it is
        interrupted, what has arrived stays and the rest remains queued for `process_batch`.

        Parameters
        ----------
        base_record : dict
            What all cells have in common; may be empty.
        axes : dict
            For each axis, in order, its column and the values along it. An axis whose values are
            themselves dicts is one of whole records: its key only names it, and each dict
            replaces what it holds in the record.
        show_progress : bool
            Show a bar.

        Returns
        -------
        int
            Number of cells filled.

        Raises
        ------
        ValueError
            If the axes do not fit the grid, or one of them changes no column of the predictor.

        Examples
        --------
        >>> grid = predictor.predict_grid(2, (3, 2))  # doctest: +SKIP
        >>> grid.fill({"plan": "basic"}, {"age": [20, 40, 60], "city": ["Oslo", "Rome"]})
        ... # doctest: +SKIP
        """
        base = clean_record(base_record, "base_record")
        read = read_axes(axes, self.shape)
        before = {name: getattr(self, name) for name in _STATE}
        self.axis_labels = [axis.label for axis in read]
        self.axis_values = [axis.ticks for axis in read]
        self.base_record, self.axes = base, read
        self.results, self.records, self._layers, self._queue = {}, {}, {}, {}
        places = itertools.product(*map(range, self.shape))
        for place, steps in zip(places, itertools.product(*(a.steps for a in read)), strict=True):
            record = dict(base)
            for step in steps:
                record.update(step)
            self._queue[place] = record
        try:
            return self._process(show_progress, read)
        except FeatrixInputError:
            if not self.results:
                vars(self).update(before)
            raise

    def _process(self, show_progress: bool, axes: Sequence[Axis]) -> int:
        from tqdm.auto import tqdm

        positions, filled, failed = list(self._queue), 0, []
        parts = self.predictor.predict_parts(list(self._queue.values()), part=PART_CELLS)

        def words() -> str:
            return (
                f"Interrupted when {len(positions) - self.queued:,} of {len(positions):,} cells "
                "were answered. They stay; process_batch() asks for the rest."
            )

        with (
            told_when_interrupted(words),
            tqdm(
                total=len(positions), desc="Predicting", unit="cell", disable=not show_progress
            ) as bar,
        ):
            for start, results in zip(range(0, len(positions), PART_CELLS), parts, strict=False):
                if start == 0:
                    self._check_axes(axes, results[0])
                places = positions[start : start + len(results)]
                failed += [
                    (place, result.error)
                    for place, result in zip(places, results, strict=True)
                    if result.error is not None
                ]
                filled = start + len(results) - len(failed)
                self._store(places, results)
                bar.update(len(results))
        if failed:
            place, reason = failed[0]
            warnings.warn(
                f"{len(failed)} of {len(positions)} cells could not be predicted; "
                f"the first, {place}: {reason}",
                FeatrixWarning,
                stacklevel=3,
            )
        return filled

    def _check_axes(self, axes: Sequence[Axis], result: PredictionResult) -> None:
        """Refuse an axis that changes nothing: the predictor uses none of its columns."""
        known, unknown = result.available_query_columns, set(result.ignored_query_columns)
        for axis in axes:
            names = dict.fromkeys(name for step in axis.steps for name in step)
            if not (unknown.issuperset(names) or (known and set(known).isdisjoint(names))):
                continue
            which = f"column {axis.label!r}"
            if not axis.is_column:
                which = f"columns of the axis {axis.label!r} ({', '.join(names) or 'none'})"
            raise FeatrixInputError(
                f"The predictor does not use the {which}, so nothing changes along it.",
                hint=f"Its columns are: {', '.join(known)}." if known else None,
                field="axes",
            )

    def _store(self, places: list[Position], results: list[PredictionResult]) -> None:
        import numpy as np

        for place, result in zip(places, results, strict=True):
            self.results.pop(place, None)  # so that the latest answers stand last
            self.results[place] = result
            self.records[place] = self._queue.pop(place, {})
            told: dict[str, Any] = {}
            if result.error is None:
                told = result.probabilities or {"": result.prediction}
            for label in told:
                if label not in self._layers:
                    self._layers[label] = np.full(self.shape, np.nan)
            for label, layer in self._layers.items():
                layer[place] = told.get(label, np.nan)
        if self._listeners:
            at = np.array(places, dtype=np.int64).reshape(-1, len(self.shape))
            values = self.values[tuple(at.T)]
            for listener in list(self._listeners):
                listener(at, values)
