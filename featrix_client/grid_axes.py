"""The frame of a prediction grid: its shape, positions in it, and the axes it is filled along."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from featrix_client.errors import FeatrixInputError
from featrix_client.records import clean_record

Position = tuple[int, ...]

MAX_AXES = 3
DEFAULT_SHAPE = (10, 10)


@dataclass(frozen=True)
class Axis:
    """One axis along which a record is varied.

    Attributes
    ----------
    label : str
        Its column, or the name of an axis of whole records.
    ticks : list
        What stands at its cells.
    steps : list of dict
        What each cell changes in the record.
    is_column : bool
        Whether `label` is a column.
    """

    label: str
    ticks: list[Any]
    steps: list[dict[str, Any]]
    is_column: bool


def checked_shape(degrees: Any, given: Any) -> Position:
    """Return the shape of a grid after checking that it fits the degrees of freedom."""
    try:
        count = 0 if isinstance(degrees, bool) else operator.index(degrees)
    except TypeError:
        count = 0
    if not 1 <= count <= MAX_AXES:
        raise FeatrixInputError(
            f"degrees_of_freedom must be 1, 2 or 3, not {degrees!r}.", field="degrees_of_freedom"
        )
    try:
        shape = tuple(operator.index(size) for size in given)
    except TypeError:
        shape = ()
    if count == 1 and shape == DEFAULT_SHAPE:
        shape = shape[:1]
    if len(shape) != count or min(shape) < 1:
        raise FeatrixInputError(
            f"grid_shape must be {count} whole number{'s' if count > 1 else ''} of at least 1, "
            f"one for each degree of freedom, not {given!r}.",
            hint=f"For instance grid_shape={(10,) * count}.",
            field="grid_shape",
        )
    return shape


def checked_position(given: int | Sequence[int], shape: Position) -> Position:
    """Return a position as a tuple after checking that it lies in the grid."""
    try:
        items = tuple(given) if isinstance(given, Iterable) else (given,)
        place = tuple(operator.index(item) for item in items)
    except TypeError:
        place = ()
    fits = len(place) == len(shape) and all(
        0 <= index < size for index, size in zip(place, shape, strict=True)
    )
    if not fits:
        last = tuple(size - 1 for size in shape)
        raise FeatrixInputError(
            f"{given!r} is no position of a grid of {_sizes(shape)} cells.",
            hint=f"Positions run from {(0,) * len(shape)} to {last}.",
            field="grid_position",
        )
    return place


def read_axes(axes: Mapping[str, Iterable[Any]], shape: Position) -> list[Axis]:
    """Read the axes given to `PredictionGrid.fill`.

    Raises
    ------
    FeatrixInputError
        If they are none, or do not fit the shape of the grid.
    """
    if not isinstance(axes, Mapping):
        raise FeatrixInputError(
            f"axes must be a dict of columns and values, not {axes!r}.",
            hint="For instance axes={'age': [20, 40, 60], 'plan': ['basic', 'gold']}.",
            field="axes",
        )
    read = [_read_axis(str(name), values) for name, values in axes.items()]
    sizes = tuple(len(axis.ticks) for axis in read)
    if sizes != shape:
        raise FeatrixInputError(
            f"The axes have {_sizes(sizes) or 'no'} values, the grid {_sizes(shape)} cells.",
            hint=f"Make the grid to measure: predict_grid({len(sizes)}, grid_shape={sizes}).",
            field="axes",
        )
    return read


def _read_axis(name: str, given: Any) -> Axis:
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise FeatrixInputError(
            f"The axis {name!r} needs a list of values, not {given!r}.", field="axes"
        )
    values = list(given)
    kinds = {isinstance(value, Mapping) for value in values}
    if len(kinds) > 1:
        raise FeatrixInputError(
            f"The axis {name!r} mixes values and whole records; use one kind.", field="axes"
        )
    if kinds == {True}:
        steps = [clean_record(value) for value in values]
        return Axis(name, list(range(len(values))), steps, is_column=False)
    return Axis(name, values, [clean_record({name: value}) for value in values], is_column=True)


def _sizes(shape: Position) -> str:
    return " x ".join(map(str, shape))
