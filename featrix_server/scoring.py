"""How well predictions agree with what was true."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from featrix_server.engine import Prediction


def score(
    predictions: Sequence[Prediction], labels: Sequence[Any], classes: Sequence[str]
) -> tuple[dict[str, Any], int]:
    """Compare predictions with labels.

    Parameters
    ----------
    predictions, labels
        One each a row; None for a label that is not known.
    classes
        Of the predictor (binary: negative, positive); empty for numbers.

    Returns
    -------
    metrics
        As of ``engine.predictors.metrics``; empty when no row can be compared.
    n_rows
        How many rows that were. Rows without a prediction, without a label or with one of a class
        the predictor does not know are left out.
    """
    from featrix_server.engine.columns.values import text_of, to_floats
    from featrix_server.engine.predictors.metrics import (
        calibration_report,
        class_metrics,
        number_metrics,
    )

    answered = np.array([one.error is None for one in predictions], bool)
    if not classes:
        truth = to_floats(list(labels))
        usable = np.flatnonzero(answered & ~np.isnan(truth)).tolist()
        if not usable:
            return {}, 0
        numbers = np.array([predictions[i].prediction for i in usable], float)
        return number_metrics(numbers, truth[usable]), len(usable)
    place = {label: at for at, label in enumerate(classes)}
    ids = np.array([place.get(text_of(label) or "", -1) for label in labels])
    usable = np.flatnonzero(answered & (ids >= 0)).tolist()
    if not usable:
        return {}, 0
    chances = np.array([[predictions[i].probabilities[k] for k in classes] for i in usable])
    predicted = np.array([place[predictions[i].predicted_class or ""] for i in usable])
    metrics: dict[str, Any] = class_metrics(chances, ids[usable], predicted)
    return metrics | calibration_report(chances, ids[usable]), len(usable)
