"""What a predictor says of every row, as columns to colour by."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from featrix_notebook.coding import text


@dataclass(frozen=True)
class Predicted:
    """What a predictor says of each row.

    ``columns`` are by name ``predicted <target>``, the class or the number, and for classes
    ``probability of <class>`` for each. ``first`` is the one to show.
    """

    columns: dict[Hashable, pd.Series]
    first: Hashable


def is_predictor(value: Any) -> bool:
    """Whether it predicts records: ours, or any object with ``batch_predict(records)``."""
    return callable(getattr(value, "batch_predict", None))


def predict_rows(predictor: Any, rows: pd.DataFrame, label: str | None = None) -> Predicted:
    """Ask for a prediction of every row.

    Parameters
    ----------
    predictor
        Any client's predictor.
    rows
        The table.
    label
        Show the probability of this class first, not the predicted class.

    Raises
    ------
    ValueError
        For a class that the predictor does not know, and when it can read none of the rows.
    """
    target = text(getattr(predictor, "target_column", None) or "prediction")
    results = list(predictor.batch_predict(rows.to_dict("records")))
    if len(results) != len(rows):
        raise ValueError(f"The predictor gave {len(results):,} answers to {len(rows):,} rows.")
    problems = [problem for one in results if (problem := getattr(one, "error", None))]
    if len(problems) == len(results):
        raise ValueError(f"The predictor could read none of the rows: {text(problems[0], 200)}")
    shares = [getattr(one, "probabilities", None) or {} for one in results]
    labels = list(dict.fromkeys(name for share in shares for name in share))
    said = [
        getattr(one, "predicted_class", None) if labels else getattr(one, "prediction", None)
        for one in results
    ]
    first: Hashable = f"predicted {target}"
    values = pd.Series(said) if labels else pd.to_numeric(pd.Series(said), errors="coerce")
    columns: dict[Hashable, pd.Series] = {first: values}
    for name in labels:
        chance = [share.get(name, np.nan) for share in shares]
        columns[f"probability of {text(name)}"] = pd.Series(chance, dtype=float)
    if label is not None:
        first = f"probability of {text(label)}"
        if first not in columns:
            known = ", ".join(map(repr, labels)) or "none, it predicts numbers"
            raise ValueError(f"The predictor has no class {label!r}. Known: {known}.")
    return Predicted(columns, first)
