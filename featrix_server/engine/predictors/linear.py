"""Linear members: logistic and ridge regression with the strength found on folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from .members import Folds, Trial, log_softmax, mean_loss

STRENGTHS = (10.0, 100.0, 1_000.0)
"""Penalties tried: half this times the squared weights beside the summed loss."""
MAX_ROWS = 12_000
"""Rows fitted at most; more moved a linear member's scores by less than their noise."""
MAX_ITERATIONS = 60


@dataclass(frozen=True)
class FittedLinear:
    """An affine map of standardised features.

    Attributes
    ----------
    form
        Which :class:`~.features.Inputs` form it takes.
    weight, bias
        float64 (features, outputs) and (outputs,), of the raw features.
    numeric
        Whether the output is a number rather than classes.
    """

    form: str
    weight: np.ndarray
    bias: np.ndarray
    numeric: bool

    def answer(self, x: np.ndarray) -> np.ndarray:
        """Log-probabilities (n, classes), or standardised numbers (n, 1)."""
        score = x.astype(np.float64) @ self.weight + self.bias
        return score if self.numeric else log_softmax(score)


@dataclass(frozen=True)
class LinearMember:
    """How to fit one linear member.

    Attributes
    ----------
    name, form
        Of the member, and of the inputs it takes.
    strengths
        Penalties to be tried.
    """

    name: str
    form: str
    strengths: tuple[float, ...] = STRENGTHS

    def evaluate(
        self, x: np.ndarray, y: np.ndarray, folds: Folds, n_classes: int, seed: int
    ) -> Trial:
        """Fit each fold at each strength; keep the strength with the lowest mean loss."""
        paths = [
            self._path(x[train], y[train], self.strengths, n_classes, seed) for train, _ in folds
        ]
        losses = np.zeros(len(self.strengths))
        for path, (_, valid) in zip(paths, folds, strict=True):
            losses += [mean_loss(model.answer(x[valid]), y[valid], n_classes) for model in path]
        best = int(np.argmin(losses))
        return Trial([path[best] for path in paths], {"strength": self.strengths[best]})

    def refit(
        self, x: np.ndarray, y: np.ndarray, setting: dict[str, Any], n_classes: int, seed: int
    ) -> FittedLinear:
        """Fit on all rows at the strength found."""
        return self._path(x, y, (setting["strength"],), n_classes, seed)[0]

    def _path(
        self, x: np.ndarray, y: np.ndarray, strengths: tuple[float, ...], n_classes: int, seed: int
    ) -> list[FittedLinear]:
        """A model for each strength."""
        if len(x) > MAX_ROWS:
            chosen = np.random.default_rng([seed, 22]).choice(len(x), MAX_ROWS, replace=False)
            x, y = x[chosen], y[chosen]
        mean, std = x.mean(0, dtype=np.float64), x.std(0, dtype=np.float64)
        scale = np.where(std > 1e-6, 1 / np.maximum(std, 1e-6), 0.0)
        z = ((x - mean) * scale).astype(np.float32)
        fit = _ridge if n_classes == 0 else _logistic
        with threadpool_limits(1, "blas"):  # matrices too thin to share; threads would only wait
            found = fit(z, y, strengths, n_classes)
        models = []
        for weight, bias in found:
            weight = weight * scale[:, None]
            models.append(FittedLinear(self.form, weight, bias - mean @ weight, n_classes == 0))
        return models


def _ridge(z: np.ndarray, y: np.ndarray, strengths: tuple[float, ...], _: int) -> list[Any]:
    z = z.astype(np.float64)
    gram, moment, centre = z.T @ z, z.T @ (y - y.mean()), np.array([y.mean()])
    return [
        (np.linalg.solve(gram + strength * np.eye(len(gram)), moment)[:, None], centre)
        for strength in strengths
    ]


def _logistic(
    z: np.ndarray, y: np.ndarray, strengths: tuple[float, ...], n_classes: int
) -> list[Any]:
    """Multinomial logistic regression by L-BFGS, the strongest penalty first as a start."""
    hot = np.eye(n_classes, dtype=np.float32)[y.astype(np.int64)]
    n_features = z.shape[1]
    start = np.zeros((n_features + 1, n_classes))
    start[-1] = np.log(hot.mean(0) + 1e-3)
    found = {}
    for strength in sorted(strengths, reverse=True):

        def objective(flat: np.ndarray, strength: float = strength) -> tuple[float, np.ndarray]:
            both = flat.reshape(n_features + 1, n_classes).astype(np.float32)
            log_chance = log_softmax(z @ both[:-1] + both[-1])
            error = np.exp(log_chance) - hot
            gradient = np.concatenate([z.T @ error + strength * both[:-1], error.sum(0)[None]])
            loss = -(hot * log_chance).sum() + 0.5 * strength * np.square(both[:-1]).sum()
            return float(loss) / len(z), gradient.ravel().astype(np.float64) / len(z)

        result = minimize(
            objective, start.ravel(), jac=True, method="L-BFGS-B",
            options={"maxiter": MAX_ITERATIONS, "maxcor": 20},
        )  # fmt: skip
        start = result.x.reshape(n_features + 1, n_classes)
        found[strength] = start[:-1], start[-1]
    return [found[strength] for strength in strengths]
