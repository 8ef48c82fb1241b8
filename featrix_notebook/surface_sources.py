"""From what people have - grids, tables, arrays - to a `Surface`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from featrix_client.grid_axes import MAX_AXES, Axis, read_axes
from featrix_client.records import clean_record
from featrix_notebook.surface import Surface
from featrix_notebook.what_if import Range, predictor_ranges

MAX_CELLS = 4_000_000
_ACROSS = ("x", "y", "z")


AXIS_CELLS = 25
"""Cells along an axis that is given by its column only."""


@dataclass
class Source:
    """What a heatmap was given.

    Attributes
    ----------
    surface
        What it holds now.
    predictor
        Who can be asked for another; None for plain values.
    grid
        A grid of ours, which tells when cells are filled.
    ranges
        What the columns may be set to, as far as it is known by now.
    """

    surface: Surface
    predictor: Any = None
    grid: Any = None
    ranges: Mapping[str, Range] | None = None


def read_source(
    source: Any,
    across: tuple[Any, Any, Any],
    values: str | None,
    axes: Mapping[str, Any] | Sequence[str] | None,
    record: Mapping[str, Any] | None,
    ranges: Mapping[str, Range] | None,
) -> Source:
    """Read whatever a heatmap can be made of; see `PredictionHeatmap`.

    Raises
    ------
    TypeError, ValueError
        If it is nothing of the kind, or the other arguments do not fit it.
    """
    asks = callable(getattr(source, "batch_predict", None))
    follows = all(hasattr(source, name) for name in ("axis_values", "results", "on_fill"))
    exports = callable(getattr(source, "export_data", None))
    if asks or follows or exports:
        for name, wish in zip(_ACROSS, across, strict=True):
            if wish is not None:
                raise ValueError(f"{name} is for arrays and tables; name columns with axes=.")
    if asks:
        return _read_predictor(source, axes, record, ranges)
    for name, wish in (("axes", axes), ("record", record)):
        if wish is not None:
            raise ValueError(f"{name} is for a predictor; this source has its own.")
    if follows:
        return Source(read_grid(source), source.predictor, source, ranges)
    if exports:
        return Source(read_foreign_grid(source))
    return Source(read_values(source, *across, values=values))


def _read_predictor(predictor: Any, axes: Any, record: Any, ranges: Any) -> Source:
    if axes is None or not len(axes):
        raise ValueError(
            "A predictor needs axes: axes={'age': [20, 40, 60], 'plan': ['basic', 'gold']}, "
            "or the columns only, axes=['age', 'plan']."
        )
    if not isinstance(axes, Mapping):
        columns = [axes] if isinstance(axes, str) else [str(name) for name in axes]
        ranges = predictor_ranges(predictor) if ranges is None else ranges
        axes = {name: _ticks_of(name, ranges) for name in columns}
    listed = {str(name): _listed(str(name), ticks) for name, ticks in axes.items()}
    if not 1 <= len(listed) <= MAX_AXES or not all(listed.values()):
        raise ValueError("A heatmap has one to three axes, each of at least one value.")
    read = read_axes(listed, tuple(map(len, listed.values())))
    target = str(getattr(predictor, "target_column", "") or "prediction")
    base = {} if record is None else clean_record(record)
    return Source(Surface(read, target=target, base=base), predictor, None, ranges)


def _ticks_of(column: str, ranges: Mapping[str, Range]) -> list[Any]:
    if column not in ranges:
        known = ", ".join(ranges) or "none"
        raise ValueError(
            f"The range of {column!r} is not known (known: {known}). Give the values along it: "
            f"axes={{{column!r}: [...]}}."
        )
    return ranges[column].ticks(AXIS_CELLS)


def read_grid(grid: Any) -> Surface:
    """The cells that a `featrix_client.PredictionGrid` holds now."""
    axes = list(getattr(grid, "axes", ())) or [
        Axis(str(label), list(ticks), [], is_column=False)
        for label, ticks in zip(grid.axis_labels, grid.axis_values, strict=True)
    ]
    # The labels may have been set since.
    axes = [
        Axis(str(label), axis.ticks, axis.steps, axis.is_column)
        for axis, label in zip(axes, grid.axis_labels, strict=True)
    ]
    target = str(getattr(grid.predictor, "target_column", "") or "prediction")
    surface = Surface(axes, target=target, target_class=grid.target_class)
    if axes[0].steps:
        surface.base = dict(grid.base_record)
    else:
        surface.base, surface.own = _common(
            {surface.place(position): record for position, record in dict(grid.records).items()}
        )
    results = dict(grid.results)  # a copy: it may be filled from another thread
    surface.put([surface.place(position) for position in results], results.values())
    return surface


def _common(
    records: Mapping[int, Mapping[str, Any]],
) -> tuple[dict[str, Any], dict[int, dict[str, Any]]]:
    """Split records into what all of them share and what each has of its own."""
    first = next(iter(records.values()), {})
    shared = {
        name: value
        for name, value in first.items()
        if all(name in record and record[name] == value for record in records.values())
    }
    own = {
        place: {name: value for name, value in record.items() if name not in shared}
        for place, record in records.items()
    }
    return shared, own


def read_foreign_grid(grid: Any) -> Surface:
    """The cells of a grid with ``export_data()``: ``prediction_matrices`` by class,
    ``confidence_matrix``, ``grid_shape``, ``axis_labels``, ``axis_values``, ``filled_positions``.

    Raises
    ------
    ValueError
        If the dict holds no matrix, or one that does not fit its shape.
    """
    data = grid.export_data()
    shape = tuple(int(size) for size in data.get("grid_shape") or ())
    matrices = data.get("prediction_matrices") or {}
    if not 1 <= len(shape) <= MAX_AXES:
        raise ValueError(f"The grid's export_data() has no usable grid_shape: {shape!r}.")
    labels = data.get("axis_labels") or []
    ticks = data.get("axis_values") or []
    axes = [
        Axis(
            str(labels[i]) if i < len(labels) else f"axis {i}",
            list(ticks[i]) if i < len(ticks) and len(ticks[i]) == size else list(range(size)),
            [],
            is_column=False,
        )
        for i, size in enumerate(shape)
    ]
    predictor = getattr(grid, "predictor", None)
    surface = Surface(axes, target=str(getattr(predictor, "target_column", "") or "prediction"))
    filled = np.zeros(surface.size, bool)
    at = [surface.place(tuple(map(int, place))) for place in data.get("filled_positions") or ()]
    filled[at] = True
    for label, matrix in matrices.items():
        surface.layers[str(label)] = np.where(filled, _flat(matrix, shape, str(label)), np.nan)
    surface.classes = [str(label) for label in matrices]
    if len(matrices) > 1 and filled.any():
        stack = np.stack([np.nan_to_num(layer, nan=-np.inf) for layer in surface.layers.values()])
        surface.predicted = np.where(filled, stack.argmax(axis=0), -1)
    if data.get("confidence_matrix") is not None:
        confidence = _flat(data["confidence_matrix"], shape, "confidence_matrix")
        surface.confidence = np.where(filled, confidence, np.nan)
    if len(matrices) == 1:  # numbers come under a single name
        surface.layers, surface.classes = {"": next(iter(surface.layers.values()))}, []
    return surface


def _flat(matrix: Any, shape: tuple[int, ...], name: str) -> np.ndarray[Any, Any]:
    array = np.asarray(matrix, dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f"{name!r} has the shape {array.shape}; the grid has {shape}.")
    return array.ravel()


def read_values(source: Any, x: Any, y: Any, z: Any, values: str | None = None) -> Surface:
    """The cells of an array, or of a table.

    Parameters
    ----------
    source
        An array of one to three dimensions (y runs down, x across, z is the last); a table whose
        index stands down and whose columns stand across; or, with names of columns as `x` and
        `y`, a table of one row a cell.
    x, y, z
        What stands along the axes, or a pair of the axis's name and that.
    values
        With a table of one row a cell: the column of the values, by default the last.

    Raises
    ------
    TypeError, ValueError
        If it holds no numbers, has too many dimensions or cells, or the axes do not fit.
    """
    if isinstance(source, pd.DataFrame) and isinstance(x, str):
        return _read_tidy(source, [x, y, z], values)
    names: list[Any] = ["x", "y", "z"]
    if isinstance(source, pd.DataFrame):
        names = [source.columns.name or "x", source.index.name or "y", "z"]
        x = list(source.columns) if x is None else x
        y = list(source.index) if y is None else y
    elif isinstance(source, pd.Series):
        names[0] = source.index.name or "x"
        x = list(source.index) if x is None else x
    array = _numbers(source)
    order = {1: (0,), 2: (1, 0), 3: (1, 0, 2)}[array.ndim]
    given = (x, y, z)
    for i in set(range(MAX_AXES)) - set(order):
        if given[i] is not None:
            raise ValueError(f"{_ACROSS[i]} was given, but the values have {array.ndim} axes.")
    axes = [
        _axis(_ACROSS[i], str(names[i]), given[i], array.shape[place])
        for place, i in enumerate(order)
    ]
    title = str(source.name) if isinstance(source, pd.Series) and source.name is not None else ""
    surface = Surface(axes, title=title)
    surface.layers[""] = array.ravel().astype(np.float64)
    return surface


def _numbers(source: Any) -> np.ndarray[Any, Any]:
    if not isinstance(source, np.ndarray | Sequence | pd.DataFrame | pd.Series) and not hasattr(
        source, "__array__"
    ):
        raise TypeError(
            f"PredictionHeatmap cannot show a {type(source).__name__}. Give a PredictionGrid, a "
            "predictor with axes={column: values}, a DataFrame, or an array of numbers."
        )
    try:
        array = np.asarray(source, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"The values must be numbers of a regular shape: {error}") from None
    if not 1 <= array.ndim <= MAX_AXES:
        raise ValueError(f"The values have {array.ndim} dimensions; a heatmap shows 1 to 3.")
    if not 0 < array.size <= MAX_CELLS:
        raise ValueError(
            f"The values have {array.size:,} cells; a heatmap shows 1 to {MAX_CELLS:,}."
        )
    return array


def _axis(word: str, name: str, given: Any, size: int) -> Axis:
    if (
        isinstance(given, tuple)
        and len(given) == 2
        and isinstance(given[0], str)
        and isinstance(given[1], Iterable)
        and not isinstance(given[1], str)
    ):
        name, given = given
    ticks = list(range(size)) if given is None else _listed(word, given)
    if len(ticks) != size:
        raise ValueError(f"{word} has {len(ticks)} values; the array has {size} cells along it.")
    return Axis(name, ticks, [], is_column=False)


def _listed(word: str, given: Any) -> list[Any]:
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise TypeError(f"{word} needs a list of values, not {given!r}.")
    # An array of times would become integers in tolist().
    return list(pd.Index(given)) if isinstance(given, np.ndarray) else list(given)


def _read_tidy(table: pd.DataFrame, given: list[Any], values: str | None) -> Surface:
    """A table of one row a cell: the wanted columns become axes, in the order y, x, z."""
    x, y, z = given
    wanted = [name for name in (y, x, z) if name is not None]
    value = table.columns[-1] if values is None else values
    for name in [*wanted, value]:
        if name not in table.columns:
            known = [str(column) for column in table.columns]
            close = difflib.get_close_matches(str(name), known, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else f" It has {', '.join(known[:12])}."
            raise ValueError(f"The table has no column {name!r}.{hint}")
    if table.duplicated(wanted).any():
        raise ValueError(
            f"Several rows of the table fall into one cell of {', '.join(map(str, wanted))}. "
            "Aggregate them first, for example with table.groupby(...).mean()."
        )
    levels = [_level(table[name]) for name in wanted]
    full = table.set_index(wanted)[value].reindex(
        pd.MultiIndex.from_product(levels) if len(levels) > 1 else pd.Index(levels[0])
    )
    array = _numbers(
        full.to_numpy(dtype=np.float64, na_value=np.nan).reshape([len(v) for v in levels])
    )
    axes = [
        Axis(str(name), list(level), [], is_column=False)
        for name, level in zip(wanted, levels, strict=True)
    ]
    surface = Surface(axes, title=str(value))
    surface.layers[""] = array.ravel()
    return surface


def _level(column: pd.Series) -> list[Any]:
    """What stands along an axis: numbers and times in order, categories in theirs, text as it
    comes."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        there = set(column.dropna())
        return [value for value in column.cat.categories if value in there]
    found = column.dropna().drop_duplicates()
    ordered = pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column)
    return list(found.sort_values() if ordered else found)
