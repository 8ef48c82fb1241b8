"""The part of a sphere that finds rows by their values."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
import traitlets
from numpy.typing import NDArray

from featrix_notebook import coding, pages
from featrix_notebook.explore import search
from featrix_notebook.explore.search import Readable
from featrix_notebook.frames import Points
from featrix_notebook.widgets.desk import Answer, Asked
from featrix_notebook.widgets.rows import ShowsRows

_MOST_COLUMNS = 500
_MOST_PAGE_BYTES = 2_000_000


class Searches(ShowsRows):
    """Search over all rows, from Python and for the page."""

    # What can be searched, in the order of the table: label and kind of each column.
    _columns = traitlets.List(traitlets.Dict()).tag(sync=True)

    def _take(self, points: Points) -> None:
        super()._take(points)
        self._readable: dict[int, Readable] = {}

    def _describe_columns(self) -> list[dict[str, str]]:
        table, types = self._points.rows, self._points.column_types
        return [
            {
                "label": coding.text(name),
                "kind": search.kind_of(table.iloc[:, place], types.get(str(name))),
            }
            for place, name in enumerate(table.columns[:_MOST_COLUMNS])
        ]

    def search(
        self,
        column: Hashable | None = None,
        operator: str = "contains",
        value: Any = None,
        *,
        select: bool = False,
    ) -> pd.DataFrame:
        """Find rows by their values.

        Parameters
        ----------
        column
            A column of the table; None asks of every column that the question makes sense for.
        operator
            ``"contains"`` (of text; does not mind capitals), ``"equals"``, ``"differs"``,
            ``"<"``, ``"<="``, ``">"``, ``">="`` (of numbers and dates), ``"missing"`` or
            ``"present"``.
        value
            What to compare with. A date of a day alone, as text, means the whole day.
        select
            Also select what is found, on the page as well.

        Returns
        -------
        pandas.DataFrame
            The rows found, in table order, with their own index.

        Raises
        ------
        ValueError
            For an unknown column or operator, with the closest one, and for a value that does
            not go with the column.

        Examples
        --------
        >>> sphere.search("age", ">=", 65)                 # doctest: +SKIP
        >>> sphere.search("plan", "missing", select=True)  # doctest: +SKIP
        """
        with self._lock:
            place = None if column is None else self._place_of_column(column)
            rows = self._search(place, operator, value)
            if select:
                self._select_places(np.sort(self._places_of(rows)))
            return self._points.rows.iloc[rows]

    def _place_of_column(self, name: Hashable) -> int:
        columns = self._points.rows.columns
        found = np.flatnonzero(columns == name)
        if len(found):
            return int(found[0])
        raise ValueError(coding.unknown("column", name, columns))

    def _search(self, place: int | None, operator: str, value: Any) -> NDArray[np.int64]:
        """Rows that answer, in table order."""
        search.check_operator(operator)
        columns = self._points.rows.columns
        if place is not None:
            label = coding.text(columns[place])
            return np.flatnonzero(search.matches(self._read(place), operator, value, label))
        readable = {f"{i}": self._read(i) for i in range(len(columns))}
        found = search.matches_any(readable, operator, value)
        if found is None:
            raise ValueError(
                f"No column can be asked whether its value {operator} {coding.text(value)!r}."
            )
        return np.flatnonzero(found)

    def _read(self, place: int) -> Readable:
        """A column as it is searched, read once."""
        if place not in self._readable:
            table = self._points.rows
            word = self._points.column_types.get(str(table.columns[place]))
            self._readable[place] = search.read(table.iloc[:, place], word)
        return self._readable[place]

    def _answer_search(self, asked: Asked) -> Answer:
        with self._lock:
            place, columns = asked.get("column"), self._points.rows.shape[1]
            if place is not None and not (isinstance(place, int) and 0 <= place < columns):
                raise ValueError(f"There is no column number {place!r} to search.")
            rows = self._search(place, str(asked.get("operator")), asked.get("value"))
            return {}, {"points": self._places_of(rows).astype(np.uint32)}

    def _page_columns(self, brief: bool) -> list[dict[str, Any] | None]:
        """The columns for a page that searches by itself; None where there is no room."""
        room, columns = pages.room(_MOST_PAGE_BYTES, brief), []
        for place in range(len(self._columns)):
            column = self._page_column(place)
            room -= sum(len(str(value)) for value in column.values())
            columns.append(column if room >= 0 else None)
        return columns

    def _page_column(self, place: int) -> dict[str, Any]:
        column = self._read(place)
        if column.numbers is not None:
            numbers = column.numbers[self._order].astype("<f8")
            return {"kind": column.kind, "numbers": pages.coded(numbers.tobytes())["bytes"]}
        assert column.places is not None
        places = column.places[self._order].astype("<i4").tobytes()
        return {
            "kind": "text",
            "texts": list(column.texts),
            "places": pages.coded(places)["bytes"],
        }
