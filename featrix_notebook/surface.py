"""Predictions along one to three axes as arrays: what a heatmap shows, with no server behind it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from featrix_client.grid_axes import Axis
from featrix_notebook import coding

Floats = NDArray[np.float64]
Position = tuple[int, ...]

FIRST_CELLS = 400
"""Most cells of the first look at a surface: what a reader who drags a slider waits for."""

PART_CELLS = 2000
"""Cells asked at a time after the first look, as `featrix_client` asks for a grid."""


@dataclass
class Surface:
    """Cells along one to three axes, each with the answer to one record.

    Attributes
    ----------
    axes
        What the cells stand for. An axis with `steps` says what each of its cells changes in a
        record; without them it is only named.
    title
        What the values are, where no predictor says so.
    target
        Column that is predicted; empty for plain values.
    base
        What the records of all cells have in common.
    own
        By cell, what its record has of its own, where the axes do not say it.
    target_class
        The class whose probability is the value; None chooses one.
    given_threshold
        Takes the place of the predictor's own.
    maximize
        Whether the largest value is the best.
    step
        1, or n while only every n-th cell along each axis has been answered and stands for its
        neighbours.
    """

    axes: list[Axis]
    title: str = ""
    target: str = ""
    base: dict[str, Any] = field(default_factory=dict)
    own: dict[int, dict[str, Any]] = field(default_factory=dict)
    target_class: str | None = None
    given_threshold: float | None = None
    maximize: bool = True
    step: int = 1

    def __post_init__(self) -> None:
        self.shape: Position = tuple(len(axis.ticks) for axis in self.axes)
        self.size = math.prod(self.shape)
        self.layers: dict[str, Floats] = {}  # class, or "" for numbers: (size,), NaN unfilled
        self.confidence: Floats | None = None
        self.predicted: NDArray[np.int64] = np.full(self.size, -1)  # place in `classes`
        self.classes: list[str] = []
        self.results: dict[int, Any] = {}
        self._rule: tuple[float, str | None] | None = None  # threshold, positive class

    def emptied(
        self, axes: list[Axis] | None = None, base: Mapping[str, Any] | None = None
    ) -> Surface:
        """The same question with other axes or another record, and nothing answered yet."""
        return Surface(
            self.axes if axes is None else axes,
            self.title,
            self.target,
            dict(self.base if base is None else base),
            self.own if axes is None else {},
            self.target_class,
            self.given_threshold,
            self.maximize,
        )

    # ---------------------------------------------------------------- filling

    def put(self, places: Sequence[int], results: Iterable[Any]) -> None:
        """Store the answers to the cells `places` (in row-major order).

        A result is anything with ``probabilities`` (class to probability) or a number as its
        ``prediction``; ``predicted_class``, ``confidence``, ``threshold``, ``pos_label`` and
        ``error`` are read where it has them.
        """
        for place, result in zip(places, results, strict=True):
            self.results[place] = result
            told = self._told(result)
            for label, layer in self.layers.items():
                layer[place] = told.get(label, np.nan)
            for label in told.keys() - self.layers.keys():
                self.layers[label] = np.full(self.size, np.nan)
                self.layers[label][place] = told[label]
            self._put_decision(place, result if told else None)

    @staticmethod
    def _told(result: Any) -> dict[str, float]:
        if getattr(result, "error", None) is not None:
            return {}
        shares = getattr(result, "probabilities", None)
        if shares:
            return {str(label): _number(share) for label, share in shares.items()}
        return {"": _number(getattr(result, "prediction", None))}

    def _put_decision(self, place: int, result: Any) -> None:
        self.predicted[place] = -1
        if self.confidence is not None:
            self.confidence[place] = np.nan
        label = getattr(result, "predicted_class", None)
        if label is not None and getattr(result, "probabilities", None):
            if not self.classes:
                self.classes = [str(name) for name in result.probabilities]
            if str(label) not in self.classes:
                self.classes.append(str(label))
            self.predicted[place] = self.classes.index(str(label))
        confidence = getattr(result, "confidence", None)
        if confidence is not None:
            if self.confidence is None:
                self.confidence = np.full(self.size, np.nan)
            self.confidence[place] = _number(confidence)
        threshold = getattr(result, "threshold", None)
        if threshold is not None:
            positive = getattr(result, "pos_label", None)
            self._rule = (float(threshold), None if positive is None else str(positive))

    def spread(self, step: int) -> None:
        """Let every `step`-th cell along each axis stand for its neighbours, for a first look."""
        self.step = step
        if step == 1:
            return
        places = np.indices(self.shape)
        source = np.ravel_multi_index(tuple(places // step * step), self.shape).ravel()
        for label, layer in self.layers.items():
            self.layers[label] = layer[source]
        self.predicted = self.predicted[source]
        if self.confidence is not None:
            self.confidence = self.confidence[source]

    # ---------------------------------------------------------------- reading

    @property
    def shown_class(self) -> str | None:
        """The class whose probability is the value; None for numbers and an empty surface."""
        if self.target_class in self.layers:
            return self.target_class
        positive: str | None = self._rule[1] if self._rule else None
        if positive is not None and positive in self.layers:
            return positive
        counts = Counter(self.predicted[self.predicted >= 0].tolist())
        if not counts:
            return None
        commonest: int = min(counts, key=lambda place: (-counts[place], place))
        return self.classes[commonest]

    @property
    def values(self) -> Floats:
        """What is shown, as an array of the surface's shape; NaN where nothing is filled."""
        flat = self.layers.get(self.shown_class or "")
        return (np.full(self.size, np.nan) if flat is None else flat.copy()).reshape(self.shape)

    @property
    def threshold(self) -> float | None:
        """From which value on the class shown is predicted; None unless there is such a value."""
        if self.given_threshold is not None:
            return self.given_threshold
        if self._rule is None or len(self.classes) > 2:
            return None
        value, positive = self._rule
        return value if positive is None or positive == self.shown_class else None

    @property
    def meaning(self) -> str:
        """What the values are, in words."""
        if self.title:
            return self.title
        if not self.target:
            return "value"
        label = self.shown_class
        return (
            f"predicted {self.target}"
            if label is None
            else f"probability of {self.target} = {label}"
        )

    @property
    def optimum(self) -> Position | None:
        """The best finite cell, the first in row-major order if several are; None without one."""
        return self._best(self.maximize)

    def get_optimal_position(self, maximize: bool = True) -> Position:
        """As `PredictionGrid.get_optimal_position`, so that it is drawn as a grid is."""
        best = self._best(maximize)
        if best is None:
            raise ValueError("No cell is filled, so there is no best one.")
        return best

    def _best(self, maximize: bool) -> Position | None:
        values = self.values.ravel()
        known = np.flatnonzero(np.isfinite(values))
        if not known.size:
            return None
        best = np.argmax(values[known]) if maximize else np.argmin(values[known])
        return self.position(int(known[best]))

    @property
    def axis_labels(self) -> list[str]:
        """Names of the axes."""
        return [axis.label for axis in self.axes]

    @property
    def axis_values(self) -> list[list[Any]]:
        """What stands along each axis."""
        return [axis.ticks for axis in self.axes]

    @property
    def filled(self) -> int:
        """Number of cells that have been answered."""
        return int((~np.isnan(self.values)).sum())

    def position(self, place: int) -> Position:
        """The position of a cell given by its place in row-major order."""
        indices = []
        for size in reversed(self.shape):  # thousands of times a surface: faster than NumPy
            place, index = divmod(place, size)
            indices.append(index)
        return tuple(reversed(indices))

    def place(self, position: Position) -> int:
        """The place of a cell in row-major order."""
        return int(np.ravel_multi_index(position, self.shape))

    def record(self, place: int) -> dict[str, Any]:
        """The record of a cell; without a predictor, what stands on the axes there."""
        record = dict(self.base)
        for axis, index in zip(self.axes, self.position(place), strict=True):
            record.update(axis.steps[index] if axis.steps else {})
        record.update(self.own.get(place, {}))
        if place not in self.own and not any(axis.steps for axis in self.axes):
            for axis, index in zip(self.axes, self.position(place), strict=True):
                record.setdefault(axis.label, axis.ticks[index])
        return record

    def codes(self) -> coding.Coding | None:
        """The predicted classes coded for the page, in an order that does not depend on counts
        while there are few; None without classes."""
        if not self.classes:
            return None
        return coding.code_column(
            pd.Series(
                pd.Categorical.from_codes(self.predicted, pd.Index(self.classes), ordered=True)
            )
        )

    def in_words(self) -> str:
        """What the surface shows, for a reader who does not see it."""
        over = " and ".join(map(_axis_words, self.axes))
        words = coding.text(self.meaning, 120)
        said = [f"{words[:1].upper()}{words[1:]} over {over}"]
        if self.filled < self.size:
            said.append(f"{self.filled:,} of {self.size:,} cells filled")
        best = self.optimum
        if best is None:
            return ". ".join(said)
        finite = self.values[np.isfinite(self.values)]
        said.append(f"Values from {finite.min():.4g} to {finite.max():.4g}")
        where = ", ".join(
            f"{coding.text(axis.label)} = {tick_text(axis.ticks[at])}"
            for axis, at in zip(self.axes, best, strict=True)
        )
        said.append(f"{'Largest' if self.maximize else 'Smallest'} at {where}")
        if self.threshold is not None:
            share = float((finite >= self.threshold).mean())
            said.append(f"{share:.0%} of the cells at or above {self.threshold:.4g}")
        return ". ".join(said)

    def to_frame(self) -> pd.DataFrame:
        """The cells as a table: a column an axis, ``value``, ``confidence`` and ``class`` where
        there are such, one row a cell in row-major order."""
        places = np.indices(self.shape).reshape(len(self.shape), -1)
        columns: dict[str, Any] = {
            axis.label: [axis.ticks[place] for place in along]
            for axis, along in zip(self.axes, places.tolist(), strict=True)
        }
        columns["value"] = self.values.ravel()
        if self.confidence is not None:
            columns["confidence"] = self.confidence
        if self.classes:
            names = [*self.classes, None]  # -1 is the last
            columns["class"] = [names[place] for place in self.predicted.tolist()]
        return pd.DataFrame(columns)


def _axis_words(axis: Axis) -> str:
    ticks = axis.ticks
    ends = tick_text(ticks[0]) + (f" to {tick_text(ticks[-1])}" if len(ticks) > 1 else "")
    values = "value" if len(ticks) == 1 else "values"
    return f"{coding.text(axis.label)} ({len(ticks):,} {values}, {ends})"


def tick_text(value: Any) -> str:
    """What stands at a cell of an axis, in words."""
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return "missing"
    if hasattr(value, "isoformat") or isinstance(value, np.datetime64):
        value = pd.Timestamp(value)
    return coding.text(value) or "(empty)"


def looks(shape: Position) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """The cells of a surface in an order that shows the whole of it early.

    Yields
    ------
    (step, places)
        First every `step`-th cell along each axis, at most about `FIRST_CELLS`, then the rest in
        parts of at most `PART_CELLS` with `step` 1.
    """
    step = 1
    while math.prod(math.ceil(size / step) for size in shape) > FIRST_CELLS:
        step += 1
    places = np.indices(shape)
    first = (places % step == 0).all(axis=0).ravel()
    yield step, np.flatnonzero(first)
    rest = np.flatnonzero(~first)
    for start in range(0, len(rest), PART_CELLS):
        yield 1, rest[start : start + PART_CELLS]


def narrowed(axis: Axis, at: int) -> Axis:
    """An axis as long as `axis` over the stretch between the neighbours of its place `at`.

    Whole numbers stay whole, so that there may be fewer of them. An axis that is not of numbers
    in order is returned as it is.
    """
    numbers = axis_numbers(axis.ticks)
    if numbers is None or len(numbers) < 3 or not axis.is_column:
        return axis
    low, high = numbers[max(0, at - 1)], numbers[min(len(numbers) - 1, at + 1)]
    ticks: list[Any] = np.linspace(low, high, len(numbers)).tolist()
    if all(float(value).is_integer() for value in numbers):
        if abs(high - low) + 1 < len(numbers):
            ticks = list(dict.fromkeys(round(value) for value in ticks))
        elif all(isinstance(value, int | np.integer) for value in axis.ticks):
            ticks = [round(value) for value in ticks]
    return Axis(axis.label, ticks, [{axis.label: value} for value in ticks], is_column=True)


def axis_numbers(ticks: Sequence[Any]) -> list[float] | None:
    """What stands along an axis as finite numbers that rise or fall throughout; None if it is not
    so."""
    kinds = (int, float, np.integer, np.floating)
    if not all(isinstance(tick, kinds) and not isinstance(tick, bool) for tick in ticks):
        return None
    numbers = [float(tick) for tick in ticks]
    steps = np.diff(numbers)
    if not np.isfinite(numbers).all() or not ((steps > 0).all() or (steps < 0).all()):
        return None
    return numbers


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan
