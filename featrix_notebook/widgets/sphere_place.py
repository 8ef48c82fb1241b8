"""The part of a sphere on which new records are placed."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import traitlets

from featrix_notebook import coding
from featrix_notebook.explore import search
from featrix_notebook.widgets.desk import Answer, Asked
from featrix_notebook.widgets.rows import ShowsRows

_MOST_VALUES = 200


@dataclass(frozen=True)
class Placed:
    """A record that is no row of the table, at its place on the sphere.

    Attributes
    ----------
    record : dict
        What was placed.
    label : str
        How it is marked.
    xyz : tuple of float
        Its place, of length one.
    """

    record: dict[str, Any]
    label: str
    xyz: tuple[float, float, float]
    _sphere: PlacesRecords = field(repr=False, compare=False)
    _id: str = field(repr=False)

    def remove(self) -> None:
        """Take it off the sphere. Doing so twice is harmless."""
        self._sphere._unplace(self._id)


class PlacesRecords(ShowsRows):
    """New records among the rows, where the model would put them."""

    # The marks on the page; a reader may take some away (`js/src/sphere/placed.ts`).
    _placed = traitlets.List(traitlets.Dict()).tag(sync=True)
    _source: Any

    def _begin_rows(self, seed: int) -> None:
        super()._begin_rows(seed)
        self._marks: dict[str, Placed] = {}
        self._count = 0

    def place(self, record: Mapping[str, Any], label: str | None = None) -> Placed:
        """Mark where the model puts a record that is no row of the table.

        Parameters
        ----------
        record
            Values by column; columns it does not have count as not known.
        label
            Words beside the mark; by default ``record 1``, ``record 2``, ...

        Returns
        -------
        Placed
            Its ``xyz``, and ``remove()``.

        Raises
        ------
        ValueError
            If the sphere is not a model's, or it is no record.
        requests.HTTPError
            With ``.status`` 409 while the model is being trained.

        Examples
        --------
        >>> mark = sphere.place({"age": 41, "plan": "pro"}, "who called")    # doctest: +SKIP
        >>> mark.remove()                                                    # doctest: +SKIP
        """
        if not self._can_place():
            raise ValueError(
                "Only a model knows the place of a new record: make the explorer from a "
                "foundational model."
            )
        if not isinstance(record, Mapping):
            raise ValueError(f"place() needs one record, a dict, not a {type(record).__name__}.")
        (found,) = self._source.encode([dict(record)], short=True)
        # Another client gives the short vectors as they are.
        short = found["embedding"] if isinstance(found, Mapping) else found
        point = np.asarray(short, np.float64)
        length = float(np.linalg.norm(point))
        if point.shape != (3,) or not np.isfinite(length) or not length:
            raise ValueError("The model gave the record no place on the sphere.")
        x, y, z = (point / length).tolist()
        with self._lock:
            self._count += 1
            name = coding.text(label) if label else f"record {self._count}"
            placed = Placed(dict(record), name, (x, y, z), self, uuid.uuid4().hex)
            values = [
                [coding.text(key), coding.text(value)]
                for key, value in list(record.items())[:_MOST_VALUES]
            ]
            mark = {"id": placed._id, "label": name, "xyz": [x, y, z], "values": values}
            self._marks[placed._id] = placed
            self._placed = [*self._placed, mark]
        return placed

    @property
    def placed(self) -> list[Placed]:
        """The records placed and not taken away, in their order."""
        known = self._marks
        return [known[mark["id"]] for mark in self._placed if mark.get("id") in known]

    def _can_place(self) -> bool:
        return hasattr(self._source, "get_projections") and hasattr(self._source, "encode")

    def _unplace(self, name: str) -> None:
        with self._lock:
            self._placed = [mark for mark in self._placed if mark.get("id") != name]

    def _answer_place(self, asked: Asked) -> Answer:
        """Place what a reader typed: texts by the number of their column."""
        table, types = self._points.rows, self._points.column_types
        record: dict[str, Any] = {}
        for key, words in dict(asked.get("values") or {}).items():
            place = int(key)
            if not 0 <= place < table.shape[1]:
                raise ValueError(f"There is no column number {key!r}.")
            name = str(table.columns[place])
            kind = search.kind_of(table.iloc[:, place], types.get(name))
            value = str(words).strip()
            record[name] = search.number(value, name) if kind == "number" else value
        if not record:
            raise ValueError("Fill in at least one value.")
        self.place(record)
        return {}, {}
