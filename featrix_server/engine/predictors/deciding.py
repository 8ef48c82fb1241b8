"""From probabilities to decisions: thresholds, confidence; from numbers to intervals."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

MIN_ROWS = 50
"""Rows of either class below which a searched threshold would be chance."""
COVERAGE = 0.9
_BINS = 10


@dataclass(frozen=True)
class Threshold:
    """When a binary predictor says yes: at ``P(positive) >= value``.

    Attributes
    ----------
    value, theory
        The threshold, and the one theory gives for these costs (0.5 without costs).
    score
        Its F1, or its cost a row, on validation rows.
    reason
        How it was found.
    """

    value: float
    theory: float
    score: float
    reason: str


def find_threshold(
    chance: np.ndarray,
    positive: np.ndarray,
    costs: tuple[float, float] | None,
    weight: np.ndarray | None = None,
) -> Threshold:
    """Find the threshold with the best F1, or with costs the cheapest one.

    Parameters
    ----------
    chance, positive : (n,)
        P(positive), and whether it was, of validation rows.
    costs
        Of a false positive and a false negative; theory: C_fp / (C_fp + C_fn) (Elkan 2001).
    weight
        Of each row; class shares in use over those in training.
    """
    weight = np.ones(len(chance)) if weight is None else weight
    theory = 0.5 if costs is None else costs[0] / (costs[0] + costs[1])
    candidates, true_positive, false_positive = _curve(chance, positive, weight)
    n_positive = weight[positive].sum()
    if costs is None:
        score = 2 * true_positive / np.maximum(true_positive + false_positive + n_positive, 1e-12)
        gain, goal = score, "best F1"
    else:
        missed = n_positive - true_positive
        score = (costs[0] * false_positive + costs[1] * missed) / weight.sum()
        gain, goal = -score, "lowest cost"
    few = min(int(positive.sum()), int((~positive).sum()))
    if few < MIN_ROWS:
        at = int(np.argmin(np.abs(candidates - theory)))
        what = "the value theory gives for these costs" if costs else "even odds"
        reason = f"{what}: {few} validation rows of one class are too few for a search"
        return Threshold(theory, theory, float(score[at]), reason)
    best = np.flatnonzero(gain >= gain.max() - 1e-12)
    at = int(best[np.argmin(np.abs(candidates[best] - theory))])
    reason = f"{goal} on {len(chance):,} validation rows; theory: {theory:.4g}"
    return Threshold(float(candidates[at]), theory, float(score[at]), reason)


def _curve(
    chance: np.ndarray, positive: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Thresholds halfway between distinct chances, and weighted true and false positives."""
    order = np.argsort(-chance, kind="stable")
    sorted_chance = chance[order]
    last = np.flatnonzero(np.append(np.diff(sorted_chance) != 0, True))
    below = np.append(sorted_chance[last[:-1] + 1], 0.0)
    true_positive = np.cumsum(np.where(positive, weight, 0)[order])[last]
    false_positive = np.cumsum(np.where(positive, 0, weight)[order])[last]
    thresholds = (sorted_chance[last] + below) / 2
    return (
        np.concatenate([[(1 + sorted_chance[0]) / 2], thresholds]),
        np.concatenate([[0.0], true_positive]),
        np.concatenate([[0.0], false_positive]),
    )


def binary_confidence(chance: np.ndarray, threshold: float) -> np.ndarray:
    """0 at the threshold, 1 where P(positive) is 0 or 1."""
    t = min(max(threshold, 1e-6), 1 - 1e-6)
    return np.where(chance >= t, (chance - t) / (1 - t), (t - chance) / t)


def class_confidence(chances: np.ndarray) -> np.ndarray:
    """0 where all classes are equally likely, 1 where one is certain."""
    share = 1 / chances.shape[1]
    return (chances.max(1) - share) / (1 - share)


@dataclass(frozen=True)
class Intervals:
    """Split-conformal intervals whose width follows the prediction.

    Lei et al., "Distribution-free predictive inference for regression" (2018), section 5.2: the
    conformal score is the error over an estimate of its spread; ours is the mean absolute
    error among validation rows with about the same prediction.

    Attributes
    ----------
    at, spread
        Predictions and the spread there; linear between, flat beyond.
    factor
        Half an interval in spreads.
    middle
        Median spread.
    """

    at: list[float] = field(default_factory=list)
    spread: list[float] = field(default_factory=list)
    factor: float = 0.0
    middle: float = 0.0

    @classmethod
    def fit(cls, answer: np.ndarray, y: np.ndarray, coverage: float = COVERAGE) -> Intervals:
        """Fit on validation rows, in the units of the target."""
        error = np.abs(answer - y)
        floor = max(float(error.mean()), 1e-12) * 0.1
        bins = max(1, min(_BINS, len(y) // 50))
        parts = np.array_split(np.argsort(answer, kind="stable"), bins)
        at = np.array([answer[part].mean() for part in parts])
        spread = np.array([max(float(error[part].mean()), floor) for part in parts])
        local = np.interp(answer, at, spread)
        rank = min(math.ceil((len(y) + 1) * coverage), len(y))
        factor = float(np.sort(error / local)[rank - 1])
        return cls(at.tolist(), spread.tolist(), factor, float(np.median(local)))

    def sigma(self, answer: np.ndarray) -> np.ndarray:
        """Expected absolute error at these predictions."""
        return np.interp(answer, self.at, self.spread)

    def confidence(self, answer: np.ndarray) -> np.ndarray:
        """m / (m + s): 0.5 at the median spread, more where errors are smaller."""
        return self.middle / np.maximum(self.middle + self.sigma(answer), 1e-12)

    def to_dict(self) -> dict[str, Any]:
        """The intervals, safe for JSON."""
        return asdict(self)
