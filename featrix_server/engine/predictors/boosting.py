"""Gradient-boosted members: LightGBM on our own category ids, kept in its own text format."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np

from .members import Folds, Trial, log_softmax

MAX_ROUNDS = 1_500
PATIENCE = 40
MAX_THREADS = 8
MUCH_TRAINING, MANY_ROWS = 100_000, 8_192
"""Rows to fit, and rows to answer, from which several threads are worth starting."""

_SHARED = {
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "cat_smooth": 20,
    "verbosity": -1,
    "deterministic": True,
    "force_row_wise": True,
}
VARIANTS: dict[str, dict[str, Any]] = {
    "boosted-15": {
        "num_leaves": 15, "feature_fraction": 0.6, "min_child_samples": 10, "learning_rate": 0.1,
    },
    "boosted-31": {
        "num_leaves": 31, "feature_fraction": 0.8, "min_child_samples": 20, "learning_rate": 0.05,
    },
    "boosted-random": {
        "num_leaves": 31, "feature_fraction": 0.7, "min_child_samples": 5, "learning_rate": 0.2,
        "extra_trees": True,
    },
}  # fmt: skip
"""Shapes of trees that err differently; none is best on every table. A fourth shape, three seeds
of each, or half the rate where it is above 0.05 took up to six times the trees for the same
scores: random splits need so many that they made half the time of an answer."""
RANDOM_FOREST: dict[str, Any] = {
    "boosting": "rf",
    "bagging_fraction": 0.632,
    "bagging_freq": 1,
    "extra_trees": True,
    "feature_fraction_bynode": 0.3,
    "num_leaves": 64,
    "min_child_samples": 3,
    "lambda_l2": 1.0,
}
FOREST_ROUNDS = 300


class FittedTrees:
    """A booster.

    Parameters
    ----------
    form
        Which :class:`~.features.Inputs` form it takes.
    booster
        LightGBM's.
    n_classes
        0 for numbers.
    """

    def __init__(self, form: str, booster: lgb.Booster, n_classes: int) -> None:
        self.form = form
        self.booster = booster
        self.n_classes = n_classes
        # The raw score of a random forest is the sum over its trees, not their mean.
        self._scale = 1 / max(booster.current_iteration(), 1) if is_forest(booster) else 1.0

    def answer(self, x: np.ndarray) -> np.ndarray:
        """Log-probabilities (n, classes), or standardised numbers (n, 1)."""
        if not len(x):
            return np.zeros((0, max(self.n_classes, 1)))
        threads = 1 if len(x) < MANY_ROWS else threads_for(MUCH_TRAINING)
        score = np.asarray(self.booster.predict(x, raw_score=True, num_threads=threads))
        return from_score(self._scale * score, self.n_classes)


def is_forest(booster: lgb.Booster) -> bool:
    """Whether the trees are averaged rather than added; its text says so in the header."""
    return "average_output" in booster.model_to_string(num_iteration=1).split("Tree=0")[0]


def from_score(score: np.ndarray, n_classes: int) -> np.ndarray:
    """Log-probabilities (n, classes) of raw scores; numbers as (n, 1)."""
    if n_classes == 0:
        return score[:, None]
    if n_classes == 2:
        return np.stack([-np.logaddexp(0, score), -np.logaddexp(0, -score)], axis=1)
    return log_softmax(score)


def threads_for(n: int) -> int:
    """Threads worth starting for ``n`` rows: on few they wait for one another, badly so on busy
    machines."""
    return 1 if n < MUCH_TRAINING else min(MAX_THREADS, os.cpu_count() or 1)


@dataclass(frozen=True)
class BoostedMember:
    """How to fit one variant.

    Attributes
    ----------
    name, form
        Of the member, and of the inputs it takes.
    parameters
        LightGBM's, besides the shared ones.
    categorical
        Positions of category ids.
    """

    name: str
    form: str
    parameters: dict[str, Any]
    categorical: tuple[int, ...]

    def evaluate(
        self, x: np.ndarray, y: np.ndarray, folds: Folds, n_classes: int, seed: int
    ) -> Trial:
        """Fit on each fold's training rows, stopping where its other rows gain no more."""
        boosters, rounds = [], []
        for train, valid in folds:
            data = self._data(x[train], y[train], n_classes, seed)
            held = data.create_valid(x[valid], y[valid], params=data.params)
            stop = lgb.early_stopping(PATIENCE, verbose=False)
            forest = self.parameters.get("boosting") == "rf"
            boosters.append(
                lgb.train(
                    self._parameters(len(train), n_classes, seed), data,
                    FOREST_ROUNDS if forest else MAX_ROUNDS,
                    valid_sets=[held], callbacks=[] if forest else [stop],
                )
            )  # fmt: skip
            rounds.append(boosters[-1].best_iteration or FOREST_ROUNDS)
        models = [FittedTrees(self.form, one, n_classes) for one in boosters]
        # All rows bear somewhat longer training than a fold's.
        more = math.sqrt(len(x) / np.mean([len(train) for train, _ in folds]))
        return Trial(models, {"rounds": max(1, round(more * float(np.mean(rounds))))})

    def refit(
        self, x: np.ndarray, y: np.ndarray, setting: dict[str, Any], n_classes: int, seed: int
    ) -> FittedTrees:
        """Fit on all rows for the number of rounds found."""
        data = self._data(x, y, n_classes, seed)
        parameters = self._parameters(len(x), n_classes, seed)
        return FittedTrees(self.form, lgb.train(parameters, data, setting["rounds"]), n_classes)

    def _data(self, x: np.ndarray, y: np.ndarray, n_classes: int, seed: int) -> lgb.Dataset:
        return lgb.Dataset(
            x, y, categorical_feature=list(self.categorical), free_raw_data=False,
            params=self._parameters(len(x), n_classes, seed),
        )  # fmt: skip

    def _parameters(self, n: int, n_classes: int, seed: int) -> dict[str, Any]:
        task: dict[str, Any] = {"objective": "regression"}
        if n_classes:
            task = {"objective": "binary"}
        if n_classes > 2:
            task = {"objective": "multiclass", "num_class": n_classes}
        own = {"seed": seed, "num_threads": threads_for(n)}
        return {**_SHARED, **self.parameters, **task, **own}
