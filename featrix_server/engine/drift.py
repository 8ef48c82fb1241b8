"""Whether what a predictor is asked, and what it answers, still looks like its training data.

Both are compared bin by bin with the population stability index,

    PSI = sum over bins of (actual share - expected share) * ln(actual share / expected share)

(N. Siddiqi, Credit Risk Scorecards, 2006, ch. 11, where 0.1 to 0.25 is called a small change and
more than that a large one). Between two samples of one distribution it is not 0 but about
(1/n + 1/m) times a chi-squared variable of B - 1 degrees of freedom, n and m being their sizes and
B the number of bins (B. Yurdakul and J. Naranjo, Statistical properties of the population
stability index, Journal of Risk Model Validation 14(4), 2020). A PSI that chance explains is no
drift, whatever its size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from .columns import ColumnEncoder
from .table import Table

LIMIT = 0.2
"""PSI above which a distribution counts as another one."""

CHANCE = 1e-3
"""Probability at most of a false alarm, over all columns together."""

MIN_ROWS = 200
"""Fewest values that are compared."""

_BINS = 9  # of values; missing ones have one more
_SAMPLE_ROWS = 20_000
_SMOOTHING = 0.5  # added to every count: an empty bin is no proof that nothing falls into it


@dataclass(frozen=True)
class Drift:
    """A distribution that has become another one.

    Attributes
    ----------
    column : str or None
        None for the predictor's own answers.
    psi : float
    limit : float
        What it had to exceed: `LIMIT`, or more where chance explains more.
    n : int
        Values that were compared.
    """

    column: str | None
    psi: float
    limit: float
    n: int


def psi(expected: np.ndarray, actual: np.ndarray) -> float:
    """Population stability index of two lists of counts of the same bins, each smoothed."""
    first, second = (
        (counts + _SMOOTHING) / (counts.sum() + _SMOOTHING * len(counts))
        for counts in (expected, actual)
    )
    return float(((second - first) * np.log(second / first)).sum())


def chance_limit(n_expected: float, n_actual: float, bins: int, tests: int = 1) -> float:
    """PSI that samples of one distribution exceed with probability `CHANCE` over `tests` tests."""
    from scipy.stats import chi2

    if bins < 2:
        return 0.0
    quantile = float(chi2.isf(CHANCE / max(tests, 1), bins - 1))
    return (1 / n_expected + 1 / n_actual) * quantile


class ColumnReference:
    """The training distribution of one column.

    Parameters
    ----------
    encoder
        Sorts values into its own fine bins, which are merged here.
    values
        Those of the training.
    """

    def __init__(self, encoder: ColumnEncoder, values: Any) -> None:
        self._encoder = encoder
        fine = self._fine(values)
        n_fine = encoder.n_targets + 1  # the last one: categories never seen
        counts = np.bincount(fine[fine >= 0], minlength=n_fine)
        self._coarse = _in_order(counts) if encoder.kind == "number" else _by_count(counts)
        self.counts = self.count(values)

    def count(self, values: Any) -> np.ndarray:
        """Counts of values by bin, missing ones last."""
        fine = self._fine(values)
        bins = int(self._coarse.max()) + 1
        coarse = np.where(fine >= 0, self._coarse[np.maximum(fine, 0)], bins)
        return np.bincount(coarse, minlength=bins + 1)

    def _fine(self, values: Any) -> np.ndarray:
        encoded = self._encoder.encode(values)
        return encoded.target if encoded.category is None else encoded.category


def _in_order(counts: np.ndarray) -> np.ndarray:
    """Merge neighbouring bins into `_BINS` of about equal counts; return each one's place."""
    before = np.cumsum(counts) - counts / 2
    places = np.minimum((before * _BINS / max(counts.sum(), 1)).astype(int), _BINS - 1)
    return np.unique(places, return_inverse=True)[1]


def _by_count(counts: np.ndarray) -> np.ndarray:
    """Give the most frequent bins a place of their own, all the others the last one."""
    order = np.argsort(-counts, kind="stable")
    places = np.full(len(counts), min(_BINS, len(counts)) - 1)
    places[order[: _BINS - 1]] = np.arange(min(_BINS - 1, len(counts)))
    return places


class DriftReference:
    """What a predictor was trained on, as distributions to compare with.

    Parameters
    ----------
    columns
        By name.
    answers
        ``predicted`` of the predictor's `Variant`; empty where that is not known.
    """

    def __init__(self, columns: Mapping[str, ColumnReference], answers: Mapping[str, Any]) -> None:
        self._columns = columns
        self._answers = answers

    @classmethod
    def fit(
        cls, encoders: Mapping[str, ColumnEncoder], table: Table, answers: Mapping[str, Any]
    ) -> Self:
        """Count the values of a sample of a training table's rows."""
        names = [name for name in encoders if name in table.columns]
        index = np.arange(table.n_rows)
        if len(index) > _SAMPLE_ROWS:
            rng = np.random.default_rng(0)
            index = np.sort(rng.choice(len(index), _SAMPLE_ROWS, replace=False))
        part = table.take(index, names)
        return cls({name: ColumnReference(encoders[name], part[name]) for name in names}, answers)

    def compare(
        self, records: Sequence[Mapping[str, Any]], predictions: Sequence[Any]
    ) -> list[Drift]:
        """Return what differs, the most different first.

        Parameters
        ----------
        records
            What was asked. A column that a record does not have at all says nothing.
        predictions
            What was answered: class labels as text, or numbers.
        """
        found = []
        tests = len(self._columns) + 1
        for name, reference in self._columns.items():
            values = [record[name] for record in records if name in record]
            if len(values) >= MIN_ROWS:
                actual = reference.count(values)
                found.append(_compare(name, reference.counts, actual, tests))
        if self._answers and len(predictions) >= MIN_ROWS:
            expected = np.array(self._answers["counts"], float)
            found.append(_compare(None, expected, self._count_answers(predictions), tests))
        differing = [one for one in found if one.psi > one.limit]
        return sorted(differing, key=lambda one: -one.psi)

    def _count_answers(self, predictions: Sequence[Any]) -> np.ndarray:
        if "classes" in self._answers:
            place = {label: at for at, label in enumerate(self._answers["classes"])}
            places = [place[one] for one in predictions if one in place]
            return np.bincount(places, minlength=len(place))
        edges = np.array(self._answers["edges"])
        return np.bincount(np.searchsorted(edges, predictions), minlength=len(edges) + 1)


def answer_counts(
    predicted: np.ndarray, classes: Sequence[str], weight: np.ndarray | None = None
) -> dict[str, Any]:
    """Return the distribution of a predictor's answers to rows it did not learn from.

    Parameters
    ----------
    predicted : (n,)
        Class ids, or numbers.
    classes
        Empty for numbers.
    weight : (n,), optional
        Of each row; scaled so that they sum to n.

    Returns
    -------
    dict
        ``counts``, and ``classes`` or the inner ``edges`` of the bins. JSON-safe.
    """
    if classes:
        weight = None if weight is None else weight * (len(weight) / weight.sum())
        counts = np.bincount(predicted, weights=weight, minlength=len(classes))
        return {"classes": list(classes), "counts": counts.tolist()}
    bins = min(_BINS + 1, max(1, len(predicted) // 5))
    edges = np.unique(np.quantile(predicted, np.arange(1, bins) / bins))
    counts = np.bincount(np.searchsorted(edges, predicted), minlength=len(edges) + 1)
    return {"edges": edges.tolist(), "counts": counts.tolist()}


def _compare(column: str | None, expected: np.ndarray, actual: np.ndarray, tests: int) -> Drift:
    n = int(actual.sum())
    used = int(((expected > 0) | (actual > 0)).sum())
    limit = max(LIMIT, chance_limit(float(expected.sum()), max(n, 1), used, tests))
    return Drift(column, psi(expected, actual), limit, n)
