"""What figures of a finished predictor are drawn from, on rows that did not train it.

Every curve is thinned to `POINTS` points, so that all of them together stay a few kilobytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .metrics import BINS

POINTS = 101
MOST_CLASSES = 6
MOST_NUMBERS = 400


def class_curves(
    chances: np.ndarray,
    y: np.ndarray,
    classes: tuple[str, ...],
    costs: tuple[float, float] | None,
    weight: np.ndarray | None,
) -> dict[str, Any]:
    """ROC, precision and recall, calibration; of two classes also cost and F1 by threshold.

    Parameters
    ----------
    chances : (n, classes), y : (n,)
        Final probabilities, and true class ids.
    classes
        Labels (binary: negative, positive; else by falling frequency).
    costs
        Of a false positive and a false negative; None counts both as 1.
    weight : (n,), optional
        Of each row: class shares in use over those in training.

    Returns
    -------
    dict
        ``rows``; ``classes``, one entry for the positive class or each of the `MOST_CLASSES` most
        frequent ones, with ``label, false_positive_rate, true_positive_rate, recall, precision,
        share``; ``calibration`` {``chance, share, rows``} in bins of equal mass, of the positive
        class or of the likeliest one; ``thresholds`` {``threshold, cost, f1,
        cost_false_positive, cost_false_negative``}, the cost a row.
    """
    weight = np.ones(len(y)) if weight is None else weight
    binary = len(classes) == 2
    wanted = [1] if binary else [*range(min(len(classes), MOST_CLASSES))]
    told: dict[str, Any] = {
        "rows": len(y),
        "classes": [
            {"label": classes[k], **_one_against_rest(chances[:, k], y == k, weight)}
            for k in wanted
            if 0 < (y == k).sum() < len(y)
        ],
    }
    if binary:
        told["calibration"] = _calibration(chances[:, 1], y == 1, weight)
        told["thresholds"] = _thresholds(chances[:, 1], y == 1, weight, costs or (1.0, 1.0))
    else:
        told["calibration"] = _calibration(chances.max(1), chances.argmax(1) == y, weight)
    return told


def number_curves(
    predicted: np.ndarray, actual: np.ndarray, half: np.ndarray, seed: int
) -> dict[str, Any]:
    """Predicted and actual numbers with their intervals, of at most `MOST_NUMBERS` rows.

    Parameters
    ----------
    predicted, actual, half : (n,)
        In the units of the target; half an interval.
    seed
        Draws the rows.
    """
    rng = np.random.default_rng([seed, 31])
    chosen = np.sort(rng.permutation(len(actual))[:MOST_NUMBERS])
    series = {
        "predicted": predicted,
        "actual": actual,
        "low": predicted - half,
        "high": predicted + half,
    }
    numbers = {
        name: [float(f"{value:.6g}") for value in values[chosen]] for name, values in series.items()
    }
    return {"rows": len(actual), "numbers": numbers}


def _one_against_rest(
    chance: np.ndarray, positive: np.ndarray, weight: np.ndarray
) -> dict[str, Any]:
    order = np.argsort(-chance, kind="stable")
    last = np.append(np.diff(chance[order]) != 0, True)  # ties stand or fall together
    hits = np.cumsum(np.where(positive, weight, 0)[order])[last]
    false = np.cumsum(np.where(positive, 0, weight)[order])[last]
    hit_rate, false_rate = hits / hits[-1], false / false[-1]
    roc = _thinned(hit_rate + false_rate)
    pr = _thinned(hit_rate)
    precision = hits / (hits + false)
    return {
        "false_positive_rate": _plain(np.append(0, false_rate[roc])),
        "true_positive_rate": _plain(np.append(0, hit_rate[roc])),
        "recall": _plain(hit_rate[pr]),
        "precision": _plain(precision[pr]),
        "share": float(hits[-1] / (hits[-1] + false[-1])),
    }


def _thinned(along: np.ndarray) -> np.ndarray:
    """Places of at most `POINTS` points, evenly along a rising quantity; the last among them."""
    if len(along) <= POINTS:
        return np.arange(len(along))
    places = np.searchsorted(along, np.linspace(along[0], along[-1], POINTS))
    return np.unique(np.append(places, len(along) - 1))


def _calibration(chance: np.ndarray, right: np.ndarray, weight: np.ndarray) -> dict[str, Any]:
    parts = np.array_split(np.argsort(chance, kind="stable"), min(BINS, len(chance)))
    return {
        "chance": _plain([np.average(chance[part], weights=weight[part]) for part in parts]),
        "share": _plain([np.average(right[part], weights=weight[part]) for part in parts]),
        "rows": [len(part) for part in parts],
    }


def _thresholds(
    chance: np.ndarray, positive: np.ndarray, weight: np.ndarray, costs: tuple[float, float]
) -> dict[str, Any]:
    thresholds = np.linspace(0, chance.max(), POINTS)
    said = chance >= thresholds[:, None]
    hits, false = said @ np.where(positive, weight, 0), said @ np.where(positive, 0, weight)
    total = weight[positive].sum()
    return {
        "threshold": _plain(thresholds),
        "cost": _plain((costs[0] * false + costs[1] * (total - hits)) / weight.sum()),
        "f1": _plain(2 * hits / np.maximum(hits + false + total, 1e-12)),
        "cost_false_positive": costs[0],
        "cost_false_negative": costs[1],
    }


def _plain(values: Any) -> list[float]:
    rounded: list[float] = np.round(np.asarray(values, float), 5).tolist()
    return rounded
