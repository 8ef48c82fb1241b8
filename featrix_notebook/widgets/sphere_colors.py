"""What a sphere can be coloured by, and the codes of each choice."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from featrix_notebook import coding
from featrix_notebook.coding import Coding
from featrix_notebook.frames import Points

CLUSTER = "cluster"
VALUES = "values"
DENSITY = "density"


@dataclass(frozen=True)
class Choice:
    """One entry of the column chooser; ``key`` is what ``color_by`` takes."""

    key: Hashable
    label: str
    group: str


def choices(points: Points) -> list[Choice]:
    """All there is to choose from, clusters first."""
    found: list[Choice] = []
    if points.best_k is not None:
        found.append(Choice(CLUSTER, f"Best: {points.best_k} clusters", "Clusters"))
    found += [
        Choice(f"{CLUSTER}_{k}", f"{k} clusters", "Clusters") for k in sorted(points.clusters)
    ]
    found += [Choice(name, coding.text(name), "Columns") for name in points.rows.columns]
    found += [
        Choice(name, coding.text(name), "Predictions") for name in points.derived if name != DENSITY
    ]
    return found


def label(points: Points, name: Hashable | None) -> str:
    """Heading of the legend; "" for one colour."""
    if name is None:
        return ""
    of_clusters = name not in points.rows.columns and cluster_number(points, name) is not None
    return "clusters" if of_clusters else coding.text(name)


def code(points: Points, color_by: Any) -> tuple[Hashable | None, Coding]:
    """Code the rows by a column, by clusters, or by one value a row.

    None takes the clusters where there are any, else one colour.

    Returns
    -------
    (name, coding)
        The name is what a later call takes for the same; "values" for values given directly.

    Raises
    ------
    ValueError
        For an unknown column, with the closest name, and for values of the wrong number.
    """
    n = len(points)
    if color_by is None:
        if points.best_k is None:
            return None, coding.plain(n)
        color_by = CLUSTER
    if isinstance(color_by, (np.ndarray, pd.Series, pd.Index, list)):
        values = pd.Series(color_by)
        if len(values) != n:
            raise ValueError(f"color_by has {len(values):,} values, but the sphere has {n:,} rows.")
        return VALUES, coding.code_column(values)
    if isinstance(color_by, Hashable) and color_by in points.rows.columns:
        return color_by, _code_column(points, color_by)
    if isinstance(color_by, Hashable) and color_by in points.derived:
        return color_by, coding.code_column(points.derived[color_by])
    k = cluster_number(points, color_by)
    if k is not None:
        return color_by, coding.code_clusters(points.clusters[k])
    if not n and isinstance(color_by, str):
        return color_by, coding.plain(0)  # before a model's first epoch no column is known
    known = [choice.key for choice in choices(points)]
    raise ValueError(coding.unknown("column", color_by, known, " to colour by"))


def _code_column(points: Points, name: Hashable) -> Coding:
    column: Any = points.rows[name]
    if isinstance(column, pd.DataFrame):  # the name occurs twice: take the first
        column = column.iloc[:, 0]
    return coding.code_column(column, points.column_types.get(str(name)))


def cluster_number(points: Points, name: Any) -> int | None:
    if not isinstance(name, str):
        return None
    if name == CLUSTER:
        return points.best_k
    digits = name.removeprefix(f"{CLUSTER}_")
    k = int(digits) if digits.isdecimal() else None
    return k if k in points.clusters else None
