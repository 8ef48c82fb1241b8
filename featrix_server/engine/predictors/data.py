"""The labelled rows of one training, and how they are divided."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from .features import Features, Inputs
from .members import Folds, make_folds
from .metrics import class_metrics, number_metrics
from .network import FOLDS
from .options import PredictorOptions
from .target import Target

MAX_ROWS = 500_000
FEW_LABELS = 500
TEST_FROM = 1_000
FOLDED_BELOW = 5_000
MAX_HELD = 10_000


@dataclass(frozen=True)
class Division:
    """Who trains, who validates, who is left alone; positions among the labelled rows.

    Attributes
    ----------
    folds
        Training and validation rows of each fold: four on few rows, else one.
    test
        Rows that choose nothing; none below 1,000.
    reasons
        Why, for the model card.
    """

    folds: Folds
    test: np.ndarray
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def valid(self) -> np.ndarray:
        """All validation rows, fold after fold."""
        return np.concatenate([valid for _, valid in self.folds])


def divide(y: np.ndarray, seed: int) -> Division:
    """Divide rows by their labels: every class or stretch of numbers everywhere."""
    rng = np.random.default_rng([seed, 20])
    n = len(y)
    rest, test = np.arange(n), np.zeros(0, np.int64)
    reasons = {"test_rows": f"none: {n} labelled rows are under {TEST_FROM:,}"}
    if n >= TEST_FROM:
        tenth = make_folds(y, 10, rng)
        rest, test = np.flatnonzero(tenth != 0), np.flatnonzero(tenth == 0)
        reasons["test_rows"] = f"{len(test)} of {n} labelled rows chose nothing"
    if len(rest) < FOLDED_BELOW:
        fold = make_folds(y[rest], FOLDS, rng)
        folds = [(rest[fold != k], rest[fold == k]) for k in range(FOLDS)]
        reasons["validation"] = f"{FOLDS} folds of {len(rest)} rows: each validates once"
        return Division(folds, test, reasons)
    parts = 6 if len(rest) < 20_000 else 10
    held = make_folds(y[rest], parts, rng) == 0
    if held.sum() > MAX_HELD:
        extra = rng.permutation(np.flatnonzero(held))[MAX_HELD:]
        held[extra] = False
    reasons["validation"] = f"{int(held.sum())} of {len(rest)} rows held out"
    return Division([(rest[~held], rest[held])], test, reasons)


class LabelledData:
    """Encoded rows and their labels.

    Attributes
    ----------
    inputs
        The rows.
    y : float64 (n,)
        Class ids, or standardised numbers.
    n_classes
        0 for numbers.
    mean, std
        Of the numbers; 0 and 1 for classes.
    division
        Folds and test rows.
    """

    def __init__(self, features: Features, target: Target, options: PredictorOptions) -> None:
        rows, values = target.rows, target.values
        if len(rows) > MAX_ROWS:
            rng = np.random.default_rng([options.seed, 24])
            chosen = np.sort(rng.choice(len(rows), MAX_ROWS, replace=False))
            rows, values = rows[chosen], values[chosen]
        self.features = features
        self.kind = target.summary.kind
        self.classes = target.summary.classes
        self.n_classes = len(self.classes)
        self.inputs = Inputs(features, features.read_table(target.source, rows), len(rows))
        self.mean, self.std = 0.0, 1.0
        if self.kind == "regression":
            self.mean, self.std = float(values.mean()), float(values.std())
        self.y = (values - self.mean) / self.std
        self.division = divide(self.y, options.seed)

    def __len__(self) -> int:
        return len(self.y)

    @property
    def few(self) -> bool:
        """Whether averaged simple heads do better than a network."""
        return len(self) < FEW_LABELS

    @cached_property
    def signature(self) -> int:
        """A number that other labels or another division would not have."""
        parts = (self.y, self.division.valid, self.division.test)
        total = 0
        for part in parts:
            total = zlib.crc32(np.ascontiguousarray(part).data, total)
        return total

    def metrics(self, answer: np.ndarray, index: np.ndarray) -> dict[str, float]:
        """Scores of log-probabilities, or standardised numbers, for some rows."""
        if self.n_classes:
            return class_metrics(np.exp(answer), self.y[index])
        return number_metrics(self.numbers(answer), self.numbers(self.y[index, None]))

    def numbers(self, standardised: np.ndarray) -> np.ndarray:
        """Numbers (n,) in the target's units of standardised ones (n, 1)."""
        return standardised[:, 0] * self.std + self.mean
