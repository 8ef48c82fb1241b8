"""Predictors side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

SCORES = ("accuracy", "roc_auc", "pr_auc", "f1", "log_loss", "r2", "rmse", "mae")


def predictor_scores(predictors: Sequence[Any], labels: Sequence[str]) -> pd.DataFrame:
    """The scores of predictors on the rows held back from their training.

    Parameters
    ----------
    predictors, labels
        The predictors, and a name for each.

    Returns
    -------
    pandas.DataFrame
        A row a predictor; ``predicts``, ``status`` and those of `SCORES` that one of them has.
        NaN where there is no such score, or none yet.
    """
    rows = []
    for predictor in predictors:
        told = predictor.get_metrics()
        final = (told.get("training_metrics") or told).get("final_metrics") or {}
        row = {"predicts": predictor.target_column, "status": predictor.status}
        rows.append(row | {name: final.get(name) for name in SCORES})
    table = pd.DataFrame(rows, index=pd.Index(labels, name="predictor"))
    scores = table[list(SCORES)].astype(float).dropna(axis="columns", how="all")
    return pd.concat([table[["predicts", "status"]], scores], axis=1)
