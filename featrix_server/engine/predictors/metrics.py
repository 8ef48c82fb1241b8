"""Scores of predictions, and how far probabilities can be believed."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import rankdata

BINS = 15


def roc_auc(positive: np.ndarray, score: np.ndarray) -> float:
    """Area under the ROC curve (ties count half); 0.5 where only one class is there."""
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    if n_positive == 0 or n_negative == 0:
        return 0.5
    ranks = rankdata(score)[positive].sum() - n_positive * (n_positive + 1) / 2
    return float(ranks / (n_positive * n_negative))


def pr_auc(positive: np.ndarray, score: np.ndarray) -> float:
    """Average precision: mean precision at each threshold, weighted by the recall gained."""
    n_positive = int(positive.sum())
    if n_positive == 0:
        return 0.0
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(positive[order])
    last = np.append(np.diff(score[order]) != 0, True)  # ties stand or fall together
    gained = np.diff(hits[last], prepend=0)
    precision = hits[last] / (np.flatnonzero(last) + 1)
    return float((precision * gained).sum() / n_positive)


def class_metrics(
    chances: np.ndarray, y: np.ndarray, predicted: np.ndarray | None = None
) -> dict[str, float]:
    """Scores of class probabilities.

    Parameters
    ----------
    chances : (n, classes)
        Binary: the second class is the positive one.
    y, predicted : int (n,)
        True classes, and predicted ones (by default the likeliest).

    Returns
    -------
    dict
        ``roc_auc, pr_auc, auc, accuracy, precision, recall, f1, log_loss``; of more than two
        classes the macro averages, each class against the rest.
    """
    y = y.astype(np.int64)
    predicted = chances.argmax(1) if predicted is None else predicted
    n_classes = chances.shape[1]
    wanted = [1] if n_classes == 2 else [k for k in range(n_classes) if (y == k).any()]
    roc = [roc_auc(y == k, chances[:, k]) for k in wanted if not (y == k).all()] or [0.5]
    pr = [pr_auc(y == k, chances[:, k]) for k in wanted]
    parts = [_precision_recall(y == k, predicted == k) for k in wanted]
    precision, recall, f1 = np.mean(parts, axis=0)
    likely = np.clip(chances[np.arange(len(y)), y], 1e-12, 1)
    return {
        "roc_auc": float(np.mean(roc)),
        "pr_auc": float(np.mean(pr)),
        "auc": float(np.mean(roc)),
        "accuracy": float((predicted == y).mean()),
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
        "log_loss": float(-np.log(likely).mean()),
    }


def _precision_recall(positive: np.ndarray, predicted: np.ndarray) -> tuple[float, float, float]:
    hits = float((positive & predicted).sum())
    precision = hits / max(float(predicted.sum()), 1.0)
    recall = hits / max(float(positive.sum()), 1.0)
    f1 = 2 * hits / max(float(predicted.sum() + positive.sum()), 1.0)
    return precision, recall, f1


def number_metrics(answer: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """``r2, rmse, mae`` of predicted numbers, in the units of ``y``."""
    error = answer - y
    spread = float(np.square(y - y.mean()).sum())
    return {
        "r2": 1 - float(np.square(error).sum()) / spread if spread else 0.0,
        "rmse": float(np.sqrt(np.square(error).mean())),
        "mae": float(np.abs(error).mean()),
    }


def calibration_error(positive: np.ndarray, chance: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error: |share - mean chance| over bins of equal mass."""
    order = np.argsort(chance, kind="stable")
    parts = np.array_split(order, min(bins, len(order)))
    gaps = [len(part) * abs(positive[part].mean() - chance[part].mean()) for part in parts]
    return float(sum(gaps) / len(order))


def calibration_report(chances: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """``ece`` (15 equal-mass bins) and ``brier``: of the positive class, or of the likeliest one
    (ECE) and all (Brier) when there are more than two."""
    y = y.astype(np.int64)
    if chances.shape[1] == 2:
        right, chance = y == 1, chances[:, 1]
        brier = float(np.square(chance - right).mean())
    else:
        top = chances.argmax(1)
        right, chance = top == y, chances.max(1)
        brier = float(np.square(chances - np.eye(chances.shape[1])[y]).sum(1).mean())
    return {"ece": calibration_error(right, chance), "brier": brier}


def confusion(y: np.ndarray, predicted: np.ndarray, n_classes: int) -> list[list[int]]:
    """Rows: true classes; columns: predicted ones."""
    pairs = y.astype(np.int64) * n_classes + predicted
    table: list[list[int]] = np.bincount(pairs, minlength=n_classes**2).reshape(
        n_classes, n_classes
    ).tolist()  # fmt: skip
    return table
