"""The part of a sphere that says what makes a group of rows different."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from featrix_notebook import coding, pages
from featrix_notebook.explore import signatures
from featrix_notebook.explore.signatures import Trait
from featrix_notebook.widgets import sphere_colors
from featrix_notebook.widgets.desk import Answer, Asked
from featrix_notebook.widgets.sphere_search import Searches

SELECTION = "selection"
_MOST_TRAITS = 12
_MOST_PAGE_TEXT = 300_000


class Signatures(Searches):
    """Columns whose values differ most between a group and the other rows."""

    _color_by: Hashable | None

    def signatures(self, of: int | str | None = None, *, k: int | None = None) -> pd.DataFrame:
        """Tell what makes clusters, or the selected rows, different from all other rows.

        Parameters
        ----------
        of
            A cluster's number; ``"selection"``; or None for every cluster, one after the other.
        k
            Which clustering, by its number of clusters; by default the model's best.

        Returns
        -------
        pandas.DataFrame
            One row a column of the table, the most different first: ``cluster`` (where `of` is
            None), ``column``; ``difference``, the share of rows that would have to have other
            values for the two distributions to be one, beyond what chance would make of it (0 to
            1); ``what`` tells it best (``"median"``, or the share of rows that are ``"missing"``,
            have a value or are in a range), and its size ``inside`` and ``outside``.

        Raises
        ------
        ValueError
            Without such a cluster or clustering, or when no rows or all are selected.

        Examples
        --------
        >>> sphere.signatures(of=2).head()           # doctest: +SKIP
        """
        with self._lock:
            names = self._points.rows.columns
            if of == SELECTION:
                return signatures.as_frame(self._differences(self._inside_selection()), names)
            labels = self._labels(k)
            if of is not None:
                return signatures.as_frame(self._differences(_inside(labels, of)), names)
            parts = []
            for label in np.unique(labels).tolist():
                part = signatures.as_frame(self._differences(labels == label), names)
                part.insert(0, "cluster", label)
                parts.append(part)
            return pd.concat(parts, ignore_index=True)

    def _labels(self, k: int | None) -> NDArray[np.uint8]:
        known = self._points.clusters
        wanted = self._points.best_k if k is None else k
        if wanted is None:
            raise ValueError("These rows have no clusters: ask for of='selection'.")
        if wanted not in known:
            numbers = ", ".join(map(str, sorted(known))) or "none"
            raise ValueError(f"There is no clustering into {wanted!r}. Known: {numbers}.")
        return known[wanted]

    def _inside_selection(self) -> NDArray[np.bool_]:
        inside = np.zeros(len(self._points), np.bool_)
        inside[self._selected_rows()] = True
        if not inside.any() or inside.all():
            raise ValueError("Select some of the rows, not all, to compare them with the others.")
        return inside

    def _differences(self, inside: NDArray[np.bool_]) -> list[Trait]:
        width = self._points.rows.shape[1]
        found = (signatures.compare(i, self._read(i), inside) for i in range(width))
        return [trait for trait in found if trait is not None]

    # ------------------------------------------------------------------ for the page

    def _shown_k(self) -> int | None:
        """The clustering on show, else the best one."""
        points, name = self._points, self._color_by
        k = None if name in points.rows.columns else sphere_colors.cluster_number(points, name)
        return k or points.best_k

    def _answer_signature(self, asked: Asked) -> Answer:
        of = asked.get("of")
        with self._lock:
            if of == SELECTION:
                return self._told_signature(self._inside_selection()), {}
            k, _, label = str(of).partition("/")
            if not (k.isdecimal() and label.isdecimal()):
                raise ValueError(f"There is no group {of!r}.")
            return self._told_signature(_inside(self._labels(int(k)), int(label))), {}

    def _told_signature(self, inside: NDArray[np.bool_]) -> dict[str, Any]:
        traits = sorted(self._differences(inside), key=lambda trait: -trait.difference)
        shown = [trait for trait in traits if trait.difference > 0][:_MOST_TRAITS]
        names = self._points.rows.columns
        return {
            "rows": int(inside.sum()),
            "traits": [
                {
                    "column": coding.text(names[trait.column]),
                    "difference": round(trait.difference, 4),
                    "words": signatures.words(trait, date=self._read(trait.column).kind == "date"),
                }
                for trait in shown
            ],
        }

    def _page_signatures(self, brief: bool) -> dict[str, Any]:
        """Of every cluster, for a page with no kernel, as far as there is room."""
        room, answers = pages.room(_MOST_PAGE_TEXT, brief), {}
        for request, inside in self._clusters_by_request():
            told = self._told_signature(inside)
            room -= len(json.dumps(told))
            if room < 0:
                break
            answers[request] = {"message": told}
        return answers

    def _clusters_by_request(self) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        for k, labels in self._points.clusters.items():
            for label in np.unique(labels).tolist():
                yield f"signature/{k}/{label}", labels == label


def _inside(labels: NDArray[np.uint8], label: Any) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = labels == label
    if not inside.any():
        last = int(labels.max(initial=0))
        raise ValueError(f"There is no cluster {label!r}; their numbers are 0 to {last}.")
    return inside
