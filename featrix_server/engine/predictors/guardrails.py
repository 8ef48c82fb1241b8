"""What is unusual about queried values, found fast for many rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..batches import Rows
from .features import Features

Z_LIMIT = 3.0
MISSING_SHARE = 0.5


def warn_rows(
    features: Features, rows: Rows, records: Sequence[dict[str, Any]]
) -> list[dict[str, str]]:
    """Guardrail texts of each record, by column; semantics of the columns' own ``check``.

    Only values that their encoding shows to be unusual are looked at one by one.

    Parameters
    ----------
    features
        The predictor's columns.
    rows
        The records, encoded.
    records
        One dict a row.
    """
    found: list[dict[str, str]] = [{} for _ in records]
    absent = np.zeros(len(records), np.int64)
    for name, encoder in features.encoders.items():
        for i in np.flatnonzero(_unusual(features, rows, name)).tolist():
            value = records[i].get(name)
            if value is None:
                absent[i] += name not in records[i]
            elif text := encoder.check(value):
                found[i][name] = text
    limit = MISSING_SHARE * len(features.columns)
    for i in np.flatnonzero(absent > limit).tolist():
        for name in features.columns:
            if name not in records[i]:
                found[i][name] = (
                    f"missing: {int(absent[i])} of {len(features.columns)} columns were not sent"
                )
    return found


def _unusual(features: Features, rows: Rows, name: str) -> np.ndarray:
    """bool (n,): missing, unseen, or beyond three standard deviations."""
    encoder, layout = features.encoders[name], features.layout
    at = layout.position[name]
    if encoder.kind == "number":
        z = (rows.numbers[:, at] - encoder.mean) / (encoder.std or 1.0)
        constant = encoder.min == encoder.max
        return np.isnan(z) | (np.abs(z) > (0 if constant else Z_LIMIT - 1e-3))
    at -= layout.shape.numbers
    if encoder.kind == "category":
        ids = rows.categories[:, at]
        unseen: np.ndarray = (ids < 0) | (ids >= len(encoder.categories))
        return unseen
    if encoder.type == "free_string":
        return np.ones(len(rows), bool)  # a text that was cut shows in no array
    missing: np.ndarray = rows.dense_missing[:, at - layout.shape.categories]
    return missing
