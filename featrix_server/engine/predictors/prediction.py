"""What a predictor answers: for one row as values, for many as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Prediction:
    """The answer for one row.

    Attributes
    ----------
    prediction
        The class in its column's own type, or the number; None if the row failed.
    predicted_class
        The class as text; of numbers, the number as text.
    probabilities
        Class as text to calibrated, prior-corrected probability; empty for numbers.
    probability, confidence
        Of the predicted class; 0 (at the boundary) to 1.
    threshold, pos_label
        Of binary predictors: positive if P(pos_label) >= threshold.
    guardrails
        Column to what is unusual about its value.
    ignored_query_columns, available_query_columns
        Sent but not used; known to the predictor.
    interval_low, interval_high, coverage_level, sigma
        Of numbers: interval with this coverage, expected absolute error.
    error
        Why there is no prediction.
    """

    prediction: Any = None
    predicted_class: str | None = None
    probabilities: dict[str, float] = field(default_factory=dict)
    probability: float | None = None
    confidence: float | None = None
    threshold: float | None = None
    pos_label: str | None = None
    guardrails: dict[str, str] = field(default_factory=dict)
    ignored_query_columns: list[str] = field(default_factory=list)
    available_query_columns: Sequence[str] = ()
    interval_low: float | None = None
    interval_high: float | None = None
    sigma: float | None = None
    coverage_level: float | None = None
    error: str | None = None


@dataclass(frozen=True)
class Answers:
    """The answers for ``n`` rows as arrays; which are set depends on the kind of target.

    Attributes
    ----------
    probabilities : (n, classes), predicted : int (n,)
        Of classes.
    numbers, low, high, sigma : (n,)
        Of numbers.
    confidence : (n,)
    """

    confidence: np.ndarray
    probabilities: np.ndarray | None = None
    predicted: np.ndarray | None = None
    numbers: np.ndarray | None = None
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    sigma: np.ndarray | None = None
