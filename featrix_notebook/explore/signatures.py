"""What makes a group of rows different from the others, column by column."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from featrix_notebook import coding
from featrix_notebook.explore.search import Readable

_BINS = 10
_MOST_VALUES = 30
# A median that moved by less of the range from the 10th to the 90th percentile is no sign.
_MOVED = 0.1


@dataclass(frozen=True)
class Trait:
    """How a column's values differ inside a group.

    ``difference`` is the share of the rows that would have to have other values for the two
    distributions to be one (total variation distance, 0 to 1), less what chance alone would make
    of it. ``what`` names the plainest sign of it, ``inside`` and ``outside`` give its size: the
    ``"median"`` (of dates in seconds since 1970), or the share of rows that are ``"missing"``, have
    a value, ``"= <value>"``, or a number in a range.
    """

    column: int
    difference: float
    what: str
    inside: float
    outside: float


def compare(column: int, values: Readable, inside: NDArray[np.bool_]) -> Trait | None:
    """Compare a column inside a group with the rest; None when nothing can be told.

    Parameters
    ----------
    column
        Its place, for the result.
    values
        The column as read for searching.
    inside
        bool (n,): which rows belong to the group.
    """
    bins, names = _bins(values)
    size = int(inside.sum())
    rest = len(inside) - size
    if not size or not rest:
        return None
    count = len(names)
    p = np.bincount(bins[inside], minlength=count) / size
    q = np.bincount(bins[~inside], minlength=count) / rest
    both = (p * size + q * rest) / len(inside)
    # Of two samples of one distribution each share differs by a normal error; the mean of its size.
    spread = both * (1 - both) * (1 / size + 1 / rest)
    chance = float(np.sqrt(2 / np.pi * spread).sum() / 2)
    difference = max(0.0, float(np.abs(p - q).sum() / 2) - chance)
    what, low, high = _sign(values, names, p, q, inside)
    return Trait(column, difference, what, low, high)


def _sign(
    values: Readable,
    names: list[str],
    p: NDArray[np.float64],
    q: NDArray[np.float64],
    inside: NDArray[np.bool_],
) -> tuple[str, float, float]:
    """The bin whose share moved most, by name; of numbers the median, where that is what moved."""
    move = np.abs(p - q)
    numbers = values.numbers
    if numbers is not None and move[-1] <= move[:-1].sum() / 2:
        low, high = _median(numbers[inside]), _median(numbers[~inside])
        finite = numbers[np.isfinite(numbers)]
        spread = float(np.subtract(*np.quantile(finite, [0.9, 0.1]))) if len(finite) else 0.0
        if abs(low - high) > _MOVED * spread:  # never of NaN: then one side has no values
            return "median", low, high
    most = int(move.argmax())
    return names[most], float(p[most]), float(q[most])


def _median(numbers: NDArray[np.float64]) -> float:
    known = numbers[np.isfinite(numbers)]
    return float(np.median(known)) if len(known) else float("nan")


def _bins(values: Readable) -> tuple[NDArray[np.intp], list[str]]:
    """Bin of each row, and the bins' names; missing values are the last bin if there are any."""
    if values.numbers is not None:
        return _number_bins(values)
    assert values.places is not None
    places = values.places
    counts = np.bincount(places[places >= 0], minlength=len(values.texts))
    common = np.argsort(-counts, kind="stable")[:_MOST_VALUES]
    bin_of = np.full(len(values.texts) + 1, len(common))
    bin_of[common] = np.arange(len(common))
    names = [f"= {coding.text(values.texts[place])}" for place in common] + ["another value"]
    bin_of[-1] = len(names)  # which the places of missing values read
    return bin_of[places], [*names, "missing"]


def _number_bins(values: Readable) -> tuple[NDArray[np.intp], list[str]]:
    numbers = values.numbers
    assert numbers is not None
    known = numbers[np.isfinite(numbers)]
    edges = known  # no finite number makes no edges
    if len(known):
        edges = np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1]))
    bins = np.searchsorted(edges, numbers, side="right")
    bins[np.isnan(numbers)] = len(edges) + 1
    said = [said_number(edge, date=values.kind == "date") for edge in edges]
    between = [f"{low} to {high}" for low, high in pairwise(said)]
    names = [f"below {said[0]}", *between, f"{said[-1]} and more"] if said else ["any"]
    return bins, [*names, "missing"]


def as_frame(traits: list[Trait], names: pd.Index) -> pd.DataFrame:
    """Traits as a table, the strongest first."""
    ordered = sorted(traits, key=lambda trait: -trait.difference)
    columns: dict[str, list[Any]] = {
        "column": [names[trait.column] for trait in ordered],
        "difference": [trait.difference for trait in ordered],
        "what": [trait.what for trait in ordered],
        "inside": [trait.inside for trait in ordered],
        "outside": [trait.outside for trait in ordered],
    }
    return pd.DataFrame(columns)


def words(trait: Trait, *, date: bool) -> str:
    """A trait in words, such as ``median 52, elsewhere 40``."""
    if trait.what != "median":
        return f"{trait.what}: {trait.inside:.0%}, elsewhere {trait.outside:.0%}"
    inside, outside = (said_number(one, date=date) for one in (trait.inside, trait.outside))
    return f"median {inside}, elsewhere {outside}"


def said_number(value: float, *, date: bool) -> str:
    """A number, or the day of a moment in seconds since 1970."""
    if not date:
        return f"{value:.4g}"
    try:
        return str(pd.Timestamp(round(value), unit="s").date())
    except (ValueError, OverflowError):  # beyond what a calendar goes to
        return f"{value:.4g}"
