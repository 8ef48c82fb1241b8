"""What a finished ensemble is worth, on rows it did not learn from."""

from __future__ import annotations

from typing import Any

import numpy as np

from .blend import Temperature
from .data import LabelledData
from .deciding import Intervals, Threshold
from .metrics import calibration_report, class_metrics, confusion, number_metrics


def evaluate(
    data: LabelledData,
    index: np.ndarray,
    raw: np.ndarray,
    temperature: Temperature,
    final: np.ndarray,
    threshold: Threshold | None,
    intervals: Intervals | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Scores and calibration of some rows.

    Parameters
    ----------
    data, index
        Labelled rows, and which of them.
    raw, final
        Mixed answers before calibration, and after calibration and prior correction.
    temperature, threshold, intervals
        Of the ensemble; intervals only where coverage is to be measured.

    Returns
    -------
    metrics
        Scores at the operating threshold, with the confusion matrix (true classes in rows).
    calibration
        Method, parameters, ECE, Brier score and log-loss before and after.
    """
    y = data.y[index]
    if not data.n_classes:
        answer, truth = data.numbers(final), data.numbers(y[:, None])
        metrics: dict[str, Any] = number_metrics(answer, truth)
        if intervals:
            half = intervals.factor * intervals.sigma(answer)
            metrics["interval_coverage"] = float((np.abs(answer - truth) <= half).mean())
        return metrics, {"method": "none", "reason": "numbers have intervals instead"}
    chances = np.exp(final)
    predicted = decide_classes(chances, threshold)
    metrics = {**class_metrics(chances, y, predicted)}
    metrics["confusion_matrix"] = confusion(y, predicted, data.n_classes)
    metrics["argmax"] = {
        name: value
        for name, value in class_metrics(chances, y).items()
        if name in ("accuracy", "precision", "recall", "f1")
    }
    before, after = np.exp(raw), np.exp(temperature.apply(raw))
    calibration = {
        "method": "none" if temperature.value == 1.0 else "temperature",
        "parameters": {"temperature": temperature.value},
        "reason": temperature.reason,
        "before": calibration_report(before, y)
        | {"log_loss": class_metrics(before, y)["log_loss"]},
        "after": calibration_report(after, y) | {"log_loss": class_metrics(after, y)["log_loss"]},
    }
    return metrics, calibration


def decide_classes(chances: np.ndarray, threshold: Threshold | None) -> np.ndarray:
    """Predicted class ids: at the threshold if there is one, else the likeliest."""
    if threshold is None:
        predicted: np.ndarray = chances.argmax(1)
        return predicted
    return (chances[:, 1] >= threshold.value).astype(np.int64)
