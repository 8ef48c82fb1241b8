"""How the members' answers become one: weights from validation, then calibration.

Classes are mixed on the scale of log-probabilities (a weighted geometric mean, renormalised),
numbers by weighted mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.optimize import minimize, minimize_scalar

from .members import log_softmax, mean_loss

PRIOR_STRENGTH = 3.0
"""How many nats of validation loss it takes to leave the prior weights by one nat of divergence."""
LEASH_SHARE = 0.95
LEAST_WEIGHT = 0.1
"""Members below are left out: they cost time and change nothing."""

TEMPERATURES = (0.5, 4.0)
"""Lowest and highest; where every row is right, no temperature would be low enough."""


def mix(answers: Iterable[np.ndarray], weights: Iterable[float], n_classes: int) -> np.ndarray:
    """One answer of several members' (n, outputs)."""
    total = sum(weight * answer for weight, answer in zip(weights, answers, strict=True))
    return np.asarray(total) if n_classes == 0 else log_softmax(np.asarray(total))


@dataclass(frozen=True)
class Leash:
    """How far smooth members may stray from the trees when numbers are predicted.

    Trees cannot answer beyond what they have seen; networks and linear members extrapolate, and one
    strange row can then outweigh all others. They are believed as far as they and the trees
    disagreed on 95 % of validation rows.

    Attributes
    ----------
    anchors
        The trees, whose mean answer holds the others.
    limits
        Furthest distance of each other member, in standard deviations of the target.
    """

    anchors: list[str] = field(default_factory=list)
    limits: dict[str, float] = field(default_factory=dict)

    @classmethod
    def fit(cls, answers: Mapping[str, np.ndarray], anchors: list[str]) -> Leash:
        """Fit on validation answers (n, 1) of all members."""
        middle = np.mean([answers[name] for name in anchors], axis=0)
        limits = {
            name: float(np.quantile(np.abs(answer - middle), LEASH_SHARE))
            for name, answer in answers.items()
            if name not in anchors
        }
        return cls(anchors, limits)

    def hold(self, answers: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The answers, no limited one further from the anchors' mean than its limit."""
        if not self.anchors:
            return dict(answers)
        middle = np.mean([answers[name] for name in self.anchors], axis=0)
        return {
            name: middle + np.clip(answer - middle, -self.limits[name], self.limits[name])
            if name in self.limits
            else answer
            for name, answer in answers.items()
        }


def find_weights(
    answers: Mapping[str, np.ndarray], prior: Mapping[str, float], y: np.ndarray, n_classes: int
) -> dict[str, float]:
    """Weights of the members: the validation likelihood, held towards a prior.

    Minimises ``n * loss(mix) + PRIOR_STRENGTH * KL(weights, prior)`` (regression: the loss is half
    the logarithm of the squared error). On a few hundred rows the prior decides, on thousands the
    rows.

    Parameters
    ----------
    answers
        Validation answers (n, outputs) of each member, by models that never saw these rows.
    prior
        Positive weight of each member; need not sum to 1.
    y : (n,)
    n_classes
        0 for numbers.

    Returns
    -------
    dict
        Sums to 1; members that were left out are absent.
    """
    names = list(answers)
    stacked = np.stack([answers[name] for name in names])
    base = np.log([prior[name] for name in names])
    base -= np.logaddexp.reduce(base)

    def objective(free: np.ndarray) -> float:
        log_weight = base + free
        log_weight = log_weight - np.logaddexp.reduce(log_weight)
        weight = np.exp(log_weight)
        loss = mean_loss(mix(stacked, weight, n_classes), y, n_classes)
        if n_classes == 0:
            loss = 0.5 * np.log(loss + 1e-12)
        return float(len(y) * loss + PRIOR_STRENGTH * (weight * (log_weight - base)).sum())

    free = np.zeros(len(names))
    if len(names) > 1:
        free = minimize(objective, free, method="L-BFGS-B", options={"maxiter": 60}).x
    weight = np.exp(base + free - np.max(base + free))
    weight /= weight.sum()
    kept = {name: float(w) for name, w in zip(names, weight, strict=True) if w >= LEAST_WEIGHT} or {
        names[int(weight.argmax())]: 1.0
    }
    total = sum(kept.values())
    return {name: w / total for name, w in kept.items()}


@dataclass(frozen=True)
class Temperature:
    """Division of log-probabilities by one number (Guo et al. 2017); 1 changes nothing."""

    value: float = 1.0
    reason: str = ""

    def apply(self, log_chances: np.ndarray) -> np.ndarray:
        """Calibrated log-probabilities (n, classes)."""
        return log_chances if self.value == 1.0 else log_softmax(log_chances / self.value)


def calibrate(log_chances: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> Temperature:
    """Find a temperature; keep it only if it lowers the log-loss of rows it was not found on."""
    n_classes = log_chances.shape[1]
    half = rng.permutation(len(y)) % 2 == 0
    before = mean_loss(log_chances, y, n_classes)
    after = 0.0
    for part in (half, ~half):
        scaled = Temperature(_best_temperature(log_chances[part], y[part])).apply(
            log_chances[~part]
        )
        after += mean_loss(scaled, y[~part], n_classes) * float((~part).mean())
    value = _best_temperature(log_chances, y)
    figures = f"{before:.5f} before, {after:.5f} after, each half judged by the other"
    if after < before:
        return Temperature(value, f"temperature {value:.3f} lowers the log-loss: {figures}")
    return Temperature(1.0, f"no temperature lowers the log-loss: {figures}")


def _best_temperature(log_chances: np.ndarray, y: np.ndarray) -> float:
    def loss(log_value: float) -> float:
        scaled = log_softmax(log_chances / np.exp(log_value))
        return mean_loss(scaled, y, scaled.shape[1])

    return float(np.exp(minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded").x))


def shift_prior(log_chances: np.ndarray, log_ratio: np.ndarray | None) -> np.ndarray:
    """Log-probabilities where classes are as frequent as stated: ``p_k pi_k / rho_k``.

    Saerens et al., "Adjusting the outputs of a classifier to new a priori probabilities" (2002),
    equation 2.4.
    """
    return log_chances if log_ratio is None else log_softmax(log_chances + log_ratio)


def summary(weights: Mapping[str, float]) -> dict[str, Any]:
    """Weights rounded for reading, heaviest first."""
    return {name: round(w, 3) for name, w in sorted(weights.items(), key=lambda one: -one[1])}
