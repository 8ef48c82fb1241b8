"""What every member of an ensemble is: tried on folds, then fitted on all rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import numpy as np

Folds: TypeAlias = Sequence[tuple[np.ndarray, np.ndarray]]
"""Training and validation rows of each fold; no row is validated twice."""


class Fitted(Protocol):
    """A member that can answer."""

    @property
    def form(self) -> str:
        """The form of the columns that it takes (`features.py`)."""
        ...

    def answer(self, x: np.ndarray) -> np.ndarray:
        """Log-probabilities (n, classes), or standardised numbers (n, 1)."""
        ...


@dataclass(frozen=True)
class Trial:
    """A member tried on folds: a model a fold, and what to fit all rows with."""

    models: Sequence[Fitted]
    setting: dict[str, Any] = field(default_factory=dict)

    def validate(self, x: np.ndarray, folds: Folds) -> np.ndarray:
        """Answers for the validation rows, fold after fold, by models that never saw them."""
        parts = [
            model.answer(x[valid]) for model, (_, valid) in zip(self.models, folds, strict=True)
        ]
        return np.concatenate(parts)

    def test(self, x: np.ndarray) -> np.ndarray:
        """Mean answer of the folds' models for other rows."""
        return np.mean([model.answer(x) for model in self.models], axis=0)


class Member(Protocol):
    """How to fit one kind of member."""

    @property
    def name(self) -> str:
        """Of the member."""
        ...

    @property
    def form(self) -> str:
        """Which :class:`~.features.Inputs` form it takes."""
        ...

    def evaluate(
        self, x: np.ndarray, y: np.ndarray, folds: Folds, n_classes: int, seed: int
    ) -> Trial:
        """Try it on folds."""
        ...

    def refit(
        self, x: np.ndarray, y: np.ndarray, setting: dict[str, Any], n_classes: int, seed: int
    ) -> Any:
        """Fit it on all rows with the setting found."""
        ...


def make_folds(y: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Fold number of each row, int (n,): every class, or every stretch of numbers, in each fold."""
    order = np.lexsort((rng.random(len(y)), y))
    fold = np.empty(len(y), np.int64)
    fold[order] = (np.arange(len(y)) + rng.integers(count)) % count
    return fold


def log_softmax(score: np.ndarray) -> np.ndarray:
    """Log-probabilities (n, classes) of scores."""
    shifted = score - score.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def mean_loss(answer: np.ndarray, y: np.ndarray, n_classes: int) -> float:
    """Mean log-loss of log-probabilities (n, classes), or mean squared error of numbers (n, 1)."""
    if n_classes == 0:
        return float(np.square(answer[:, 0] - y).mean())
    return float(-answer[np.arange(len(y)), y.astype(np.int64)].mean())
