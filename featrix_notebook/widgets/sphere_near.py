"""The part of a sphere that knows the full embedding: who is near whom, and who is alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import requests
import traitlets
from numpy.typing import NDArray

from featrix_notebook import coding, frames
from featrix_notebook.explore import space
from featrix_notebook.frames import Points
from featrix_notebook.widgets.desk import Answer, Asked
from featrix_notebook.widgets.rows import ShowsRows

NEIGHBOURS = 10
OUTLIERS = 20
_MOST_LISTED = 200
# Rows and characters of a page with no kernel: what is beyond is left to the notebook.
_MOST_ON_PAGE = 5_000
_MOST_PAGE_TEXT = 1_500_000
IN_FULL = "Nearest in the full embedding."
IN_3D = "Nearest on the sphere only: the full embedding is not known"


@dataclass(frozen=True)
class Near:
    """Rows near another one, nearest first, and in which space they are."""

    rows: NDArray[np.int64]
    similarities: NDArray[np.float32]
    note: str


class KnowsSpace(ShowsRows):
    """Neighbours and outliers in the full embedding, as far as it is known."""

    # What is drawn of a point's neighbours; empty for nothing (`js/src/sphere/neighbours.ts`).
    _neighbours = traitlets.Dict().tag(sync=True)
    _source: Any

    def _take(self, points: Points) -> None:
        super()._take(points)
        self._vectors: NDArray[np.float32] | None = None

    # ------------------------------------------------------------------ neighbours

    def neighbours(self, row_id: Any, k: int = NEIGHBOURS, *, show: bool = True) -> pd.DataFrame:
        """Find the rows most like one, in the model's full embedding.

        Of a model it is asked; for positions of your own give ``embeddings=`` to the explorer.
        Where only the sphere is known, nearness on it is what counts, and it is said.

        Parameters
        ----------
        row_id
            The row, as in `selected_ids`.
        k
            How many, at least 1; all if there are fewer.
        show
            Also draw them on the page.

        Returns
        -------
        pandas.DataFrame
            The rows, nearest first, with a column ``similarity`` before their own (the cosine, -1
            to 1). ``.attrs["note"]`` says in which space they are near.

        Raises
        ------
        ValueError
            For a row that is not on the sphere.
        """
        (row,) = self._rows_of([row_id])
        near = self._near(int(row), _at_least_one(k))
        if show:
            self._show_neighbours(int(row), near)
        return self._with_column(near.rows, "similarity", near.similarities, near.note)

    def _near(self, row: int, k: int) -> Near:
        if self._points.embeddings is None and hasattr(self._source, "create_reference_record"):
            try:
                return self._near_by_asking(row, k)
            except (requests.RequestException, ValueError, KeyError, TypeError) as error:
                note = f"{IN_3D} ({_reason(error)})."
        else:
            note = IN_FULL if self._points.embeddings is not None else f"{IN_3D}."
        return self._near_by_vectors(row, k, note)

    def _near_by_asking(self, row: int, k: int) -> Near:
        """The model looks among the rows it was trained on; its ids are those of the rows."""
        record = self._points.rows.iloc[row].to_dict()
        reference = self._source.create_reference_record(record)
        hits = reference.find_similar(k + 1)
        rows = self._index.get_indexer(pd.Index([hit["id"] for hit in hits]))
        if (rows < 0).any():
            raise ValueError("the model's rows have other ids")
        similarities = np.array([hit["similarity"] for hit in hits], np.float32)
        others = np.flatnonzero(rows != row)[:k]
        return Near(rows[others], similarities[others], IN_FULL)

    def _near_by_vectors(self, row: int, k: int, note: str) -> Near:
        given = self._points.embeddings is not None
        vectors = self._full_vectors() if given else self._points.xyz
        if np.isnan(vectors[row]).any():
            raise ValueError("This row has no vector of its own in embeddings.")
        return Near(*space.nearest(vectors, vectors[row], k, without=row), note)

    def _show_neighbours(self, row: int, near: Near) -> None:
        with self._lock:
            self._neighbours = self._told(row, near)

    def _told(self, row: int, near: Near) -> dict[str, Any]:
        ids, places = self._points.row_ids, self._places_of(np.append(near.rows, row)).tolist()
        return {
            "point": places.pop(),
            "label": coding.text(ids[row]),
            "points": places,
            "labels": [coding.text(ids[one]) for one in near.rows],
            "similarities": [round(float(one), 4) for one in near.similarities],
            "note": near.note,
        }

    def hide_neighbours(self) -> None:
        """Take the drawing of neighbours off the page."""
        self._neighbours = {}

    def _answer_neighbours(self, asked: Asked) -> Answer:
        row = self._row_of_point(asked.get("point"))
        self._show_neighbours(row, self._near(row, NEIGHBOURS))
        return {}, {}

    # ------------------------------------------------------------------ outliers

    def outliers(self, n: int = OUTLIERS, *, select: bool = False) -> pd.DataFrame:
        """Find the rows that are most alone: far from their ten nearest in the full embedding.

        Parameters
        ----------
        n
            How many, at least 1.
        select
            Also select them, on the page as well.

        Returns
        -------
        pandas.DataFrame
            The rows, the most isolated first, with a column ``isolation`` before their own: one
            minus the mean cosine to their ten nearest others. ``.attrs["note"]`` says in which
            space, and with how many rows each was compared.
        """
        rows, distance, note = self._most_isolated(_at_least_one(n))
        if select:
            with self._lock:
                self._select_places(np.sort(self._places_of(rows)))
        return self._with_column(rows, "isolation", distance, note)

    def _most_isolated(self, n: int) -> tuple[NDArray[np.int64], NDArray[np.float32], str]:
        try:
            vectors, note = self._full_vectors(), "Far from all others in the full embedding."
        except (requests.RequestException, LookupError) as error:
            vectors = self._points.xyz
            reason = f" ({_reason(error)})" if str(error) else ""
            note = f"Far on the sphere only: the full embedding is not known{reason}."
        alone = space.isolation(vectors, NEIGHBOURS, self._seed)
        if alone.compared < np.isfinite(alone.distance).sum():
            note += f" Each row was compared with a sample of {alone.compared:,}."
        known = np.flatnonzero(np.isfinite(alone.distance))
        order = known[np.argsort(-alone.distance[known], kind="stable")][:n]
        return order, alone.distance[order], note

    def _full_vectors(self) -> NDArray[np.float32]:
        """The rows' full vectors, of length one; asked of the model once.

        Raises
        ------
        LookupError
            When nobody knows them.
        """
        if self._vectors is None:
            points = self._points
            if points.embeddings is not None:
                self._vectors = space.unit(points.embeddings)
            elif not hasattr(self._source, "row_embeddings") or frames.is_training(self._source):
                raise LookupError
            else:
                self._vectors = space.unit(self._source.row_embeddings()[points.row_ids])
        return self._vectors

    def _answer_outliers(self, asked: Asked) -> Answer:
        rows, distance, note = self._most_isolated(OUTLIERS)
        labels = [coding.text(self._points.row_ids[row]) for row in rows[:_MOST_LISTED]]
        told = {
            "points": self._places_of(rows).tolist(),
            "labels": labels,
            "values": [round(float(one), 4) for one in distance],
            "note": note,
        }
        return told, {}

    # ------------------------------------------------------------------ without a kernel

    def _page_near(self) -> dict[str, Any]:
        """Neighbours of each row, and outliers, for a page with no kernel; none of large tables."""
        n = len(self._points)
        if not 1 < n <= _MOST_ON_PAGE:
            return {}
        try:
            vectors, note = self._full_vectors(), IN_FULL
        except (requests.RequestException, LookupError):
            vectors, note = self._points.xyz, f"{IN_3D}."
        answers: dict[str, Any] = {"outliers": {"message": self._answer_outliers({})[0]}}
        room = _MOST_PAGE_TEXT
        for point, row in enumerate(self._order.tolist()):
            if np.isnan(vectors[row]).any():
                continue
            near = Near(*space.nearest(vectors, vectors[row], NEIGHBOURS, without=row), note)
            told = self._told(row, near)
            room -= len(json.dumps(told))
            if room < 0:
                break
            answers[f"neighbours/{point}"] = {"state": {"_neighbours": told}}
        return answers

    # ------------------------------------------------------------------ shared

    def _with_column(
        self, rows: NDArray[np.int64], name: str, values: NDArray[np.float32], note: str
    ) -> pd.DataFrame:
        found = self._points.rows.iloc[rows].copy()
        while name in found.columns:
            name += "_"
        found.insert(0, name, values)
        found.attrs["note"] = note
        return found


def _at_least_one(k: Any) -> int:
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
        raise ValueError(f"Ask for at least one row, by a whole number, not {k!r}.")
    return int(k)


def _reason(error: Exception) -> str:
    return coding.text(error, 120).rstrip(".")
