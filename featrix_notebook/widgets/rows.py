"""Rows as points of a widget: the order they are drawn in, which are selected, what they say."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd
import traitlets
from numpy.typing import NDArray

from featrix_notebook import coding
from featrix_notebook.coding import Coding
from featrix_notebook.frames import Points
from featrix_notebook.widgets.handlers import Handler, Handlers
from featrix_notebook.widgets.sphere_colors import DENSITY

Cause = Literal["user", "python"]
_CARD_TEXT = 300
_CARD_VALUES = 200


class ShowsRows(traitlets.HasTraits):
    """The part of a widget that knows which row each point stands for, and which are selected.

    A widget calls :meth:`_begin_rows` and :meth:`_take` before its traits are set.
    """

    # Places in the order of the points, uint32; the page never needs to know row ids.
    _selected = traitlets.CBytes(b"").tag(sync=True)
    # The rows of the points, for linked widgets: see `keys_of`. Empty while there are none.
    _keys = traitlets.Bytes(b"").tag(sync=True)
    _color_by: Hashable | None
    _coding: Coding
    _uid: str
    _links: list[dict[str, Any]]

    def _begin_rows(self, seed: int) -> None:
        self._seed = seed
        self._lock = threading.RLock()
        self._handlers = Handlers("on_select")
        self._cause: Cause = "user"

    def _take(self, points: Points) -> None:
        self._points = points
        self._order = stratified_order(points.xyz, self._seed)
        self._index = pd.Index(points.row_ids, copy=False)
        if self._keys:
            self._keys = keys_of(points.row_ids)[self._order].tobytes()

    @traitlets.observe("_links")
    def _on_links(self, change: Mapping[str, Any]) -> None:
        shared = {what for link in change["new"] for what in link["what"]}
        if not shared & {"selection", "hover"}:
            self._keys = b""
        elif not self._keys:
            self._keys = keys_of(self._points.row_ids)[self._order].tobytes()

    def _hand_to(self, sample: Any, keep: NDArray[np.int64]) -> None:
        """Let the same widget of these rows alone look like this one."""
        sample._color_by = self._color_by
        sample._coding = replace(self._coding, codes=self._coding.codes[keep])
        sample._uid, sample._links = self._uid, self._links
        rows = np.flatnonzero(np.isin(keep, self._selected_rows()))
        sample._select_places(np.sort(sample._places_of(rows)))

    @property
    def selection(self) -> pd.DataFrame:
        """The selected rows of the table, in table order, with their own index."""
        return self._points.rows.iloc[self._selected_rows()]

    @property
    def selected_ids(self) -> list[Any]:
        """The ids of the selected rows: the server's row ids, or labels of your own index."""
        ids: list[Any] = self._points.row_ids[self._selected_rows()].tolist()
        return ids

    def _selected_rows(self) -> NDArray[np.int64]:
        with self._lock:
            whole = len(self._selected) // 4
            places = np.frombuffer(self._selected, dtype="<u4", count=whole)
            return np.sort(self._order[places[places < len(self._order)]])

    def select(self, ids: Iterable[Any]) -> None:
        """Select rows by id, in place of what is selected; an empty list clears.

        Parameters
        ----------
        ids
            As in :attr:`selected_ids`. A boolean mask over the rows is accepted as well.

        Raises
        ------
        ValueError
            When an id is not on the sphere; nothing changes then.
        """
        rows = self._rows_of(ids)
        with self._lock:
            self._select_places(np.sort(self._places_of(rows)))

    def _places_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Places in the order of the points of rows of the table."""
        places = np.empty(len(self._order), np.int64)
        places[self._order] = np.arange(len(self._order))
        return places[rows]

    def _select_places(self, places: NDArray[np.int64]) -> None:
        self._cause = "python"
        try:
            self._selected = places.astype("<u4").tobytes()
        finally:
            self._cause = "user"

    def _rows_of(self, ids: Iterable[Any]) -> NDArray[np.int64]:
        if isinstance(ids, (str, bytes)) or not isinstance(ids, Iterable):
            raise TypeError(f"select() needs a list of row ids, not a {type(ids).__name__}.")
        n = len(self._points)
        if isinstance(ids, (np.ndarray, pd.Series)) and pd.api.types.is_bool_dtype(ids.dtype):
            mask = np.asarray(ids)
            if mask.shape != (n,):
                raise ValueError(f"The mask has the shape {mask.shape}; the sphere has {n:,} rows.")
            return np.flatnonzero(mask)
        wanted = pd.Index(list(ids))
        unknown = wanted[~wanted.isin(self._index)]
        if len(unknown):
            shown = ", ".join(repr(value) for value in unknown[:5].tolist())
            raise ValueError(
                f"{len(unknown):,} of {len(wanted):,} ids are not on the sphere: {shown}."
            )
        return np.flatnonzero(self._index.isin(wanted))

    def on_select(self, handler: Handler) -> Callable[[], None]:
        """Call ``handler(ids, cause)`` whenever the selection changes.

        ``cause`` is ``"user"`` or ``"python"``; a handler of one parameter gets the ids alone. It
        should be quick: the page waits for it.

        Returns
        -------
        Callable
            Call it to stop the handler.
        """
        return self._handlers.add(handler)

    @traitlets.observe("_selected")
    def _on_selected(self, change: Mapping[str, Any]) -> None:
        self._handlers.call(self.selected_ids, self._cause)

    def _row_of_point(self, point: Any) -> int:
        if not isinstance(point, int) or not 0 <= point < len(self._order):
            raise ValueError(f"There is no point {point!r}.")
        return int(self._order[point])

    def _row_values(self, point: Any) -> list[list[str | None]]:
        """Name and text of each value of a row; None where it is missing."""
        row = self._row_of_point(point)
        table = self._points.rows
        values: list[list[str | None]] = [["row", coding.text(self._points.row_ids[row])]]
        columns = range(min(table.shape[1], _CARD_VALUES))
        told: list[tuple[Any, Any]]
        told = [(table.columns[place], table.iloc[row, place]) for place in columns]
        for name, column in self._points.derived.items():
            if name != DENSITY or self._color_by == DENSITY:  # known since it was a choice
                told.append((name, column.iloc[row]))
        for name, value in told:
            gone = pd.api.types.is_scalar(value) and bool(pd.isna(value))
            words = None if gone else coding.text(value, _CARD_TEXT)
            values.append([coding.text(name), words])
        return values


def keys_of(row_ids: NDArray[Any]) -> NDArray[np.uint32] | NDArray[np.float64]:
    """A number a row that tells the same rows in every widget of a page.

    Whole numbers stand for themselves, in uint32 where they fit. Any other id becomes a negative
    number of 53 bits, its hash; of ids that repeat, those after the first go by their count, too.
    """
    index = pd.Index(row_ids).infer_objects()
    times = index.to_series().groupby(index, dropna=False).cumcount().to_numpy()
    if pd.api.types.is_integer_dtype(index.dtype) and not times.any():
        whole: NDArray[np.int64] = index.to_numpy()
        if not len(whole) or (whole.min() >= 0 and whole.max() < 2**32):
            return whole.astype(np.uint32)
        if whole.min() >= 0 and whole.max() < 2**53:
            return whole.astype(np.float64)
    words = index.astype(str).to_numpy(dtype=object)
    repeated = times > 0
    words[repeated] = words[repeated] + "\0" + times[repeated].astype(str).astype(object)
    hashes = pd.util.hash_array(words, categorize=False) >> np.uint64(11)
    return -1.0 - hashes.astype(np.float64)


def stratified_order(xyz: NDArray[np.float32], seed: int) -> NDArray[np.int64]:
    """An order of the points whose every prefix is spread over the sphere like the whole.

    Points are sorted along a path through the sphere's cells and taken from it at the places of a
    van der Corput sequence, that is systematic sampling at every length at once.
    """
    n = len(xyz)
    shuffled = np.random.default_rng(seed).permutation(n)
    cells = np.clip((xyz + 1) * 16, 0, 31).astype(np.uint16)
    # A snake through the cells keeps neighbours on the path neighbours on the sphere.
    z = cells[:, 2]
    y = np.where(z & 1, 31 - cells[:, 1], cells[:, 1])
    x = np.where(y & 1, 31 - cells[:, 0], cells[:, 0])
    path = shuffled[np.argsort(((z << 10) | (y << 5) | x)[shuffled], kind="stable")]
    places = np.zeros(1, np.uint32)
    while len(places) < n:  # 0; 0 1; 0 2 1 3; ...: counting with the bits read backwards
        places = np.concatenate([2 * places, 2 * places + 1])
    order: NDArray[np.int64] = path[places[places < n]]
    return order


def in_range(name: str, value: Any, low: float, high: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, not {value!r}.") from None
    if not low <= number <= high:
        raise ValueError(f"{name} must be between {low:g} and {high:g}, not {value!r}.")
    return number
