"""The networks of a predictor in NumPy, for a few rows.

A compiled program hands its work to threads of its own. For one row that hand-over takes longer
than the work itself, and on a busy machine many times as long; here the asking thread works.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import expit

from ..batches import Layout, Rows
from ..network import CLIP, TOKEN_WIDTH, bin_code
from .network import WIDTH, PredictorNet


class HostNetworks:
    """Stacked networks, cut to the columns and outputs that are no padding.

    Parameters
    ----------
    nets
        With a leading axis of folds.
    layout
        The columns' places.
    n_outputs
        Classes, or 1 for numbers.
    """

    def __init__(self, nets: PredictorNet, layout: Layout, n_outputs: int) -> None:
        constants = layout.constants()
        kinds = [encoder.kind for encoder in layout.encoders]
        self._counts = n, c, d = [kinds.count(kind) for kind in ("number", "category", "dense")]
        real = np.flatnonzero(constants["active"])
        self._constants = {name: constants[name][:n] for name in ("edges", "mean", "std")}
        self._offset = constants["category_offset"][:c]
        self._category_count = constants["category_count"][:c]
        self._number_weight = np.array(nets.number_weight)[:, :n]
        self._category_table = np.array(nets.category_table)
        self._dense_weight = np.array(nets.dense_weight)[:, :d]
        self._column_bias = np.array(nets.column_bias)[:, None, real]
        self._missing = np.array(nets.missing)[:, None, real]
        enter = np.array(nets.enter)
        folds = len(enter)
        enter = enter.reshape(folds, -1, TOKEN_WIDTH, WIDTH)[:, real]
        self._enter = enter.reshape(folds, len(real) * TOKEN_WIDTH, WIDTH)
        self._enter_scale = np.array(nets.enter_scale)[:, None]
        self._enter_bias = np.array(nets.enter_bias)[:, None]
        self._sign = np.array(nets.sign)[:, None]
        self._middle = np.array(nets.middle)
        self._middle_scale = np.array(nets.middle_scale)[:, None]
        self._middle_bias = np.array(nets.middle_bias)[:, None]
        self._head = np.array(nets.head)[:, None, :, :, :n_outputs]
        self._head_bias = np.array(nets.head_bias)[:, None, :, :n_outputs]

    def answer(self, rows: Rows, n_classes: int) -> np.ndarray:
        """Mean answer of all members: probabilities, or numbers, float32 (n, outputs)."""
        logits = self._logits(rows)
        if n_classes:
            logits = np.exp(logits - logits.max(axis=-1, keepdims=True))
            logits /= logits.sum(axis=-1, keepdims=True)
        return np.asarray(logits.mean(axis=(0, 2)))

    def _logits(self, rows: Rows) -> np.ndarray:
        """Answer of each fold's members, float32 (folds, n, members, outputs)."""
        tokens = self._tokens(rows)
        folds, n = tokens.shape[:2]
        x = (tokens.reshape(folds, n, -1) @ self._enter)[:, :, None]
        x = _silu(x * self._enter_scale + self._enter_bias) * self._sign
        x = (x.reshape(folds, -1, WIDTH) @ self._middle).reshape(x.shape)
        x = _silu(x * self._middle_scale + self._middle_bias)
        return (x[..., None, :] @ self._head)[..., 0, :] + self._head_bias

    def _tokens(self, rows: Rows) -> np.ndarray:
        """Token of each real column, float32 (folds, n, columns, TOKEN_WIDTH)."""
        numbers, categories, dense = self._counts
        values = rows.numbers[:, :numbers]
        ids = rows.categories[:, :categories]
        wide = rows.dense[:, :dense].astype(np.float32)
        no_number, no_category = np.isnan(values), ids < 0
        values = np.where(no_number, np.float32(0), values)
        code, _ = bin_code(self._constants, values)
        level = (values - self._constants["mean"]) / self._constants["std"]
        level = np.minimum(np.maximum(level, -CLIP), CLIP)
        features = np.concatenate([code, level[..., None]], axis=-1)
        bias = self._column_bias
        bend = _each_column(features, self._number_weight) + bias[:, :, :numbers]
        unseen = ids >= self._category_count
        at = self._offset + np.where(unseen | no_category, 0, ids)
        looked_up = self._category_table[:, at]
        looked_up[:, unseen] = 0
        parts: Sequence[np.ndarray] = (
            np.maximum(bend, 0),
            looked_up + bias[:, :, numbers : numbers + categories],
            _each_column(wide, self._dense_weight) + bias[:, :, numbers + categories :],
        )
        absent = np.concatenate([no_number, no_category, rows.dense_missing[:, :dense]], axis=1)
        return np.where(absent[..., None], self._missing, np.concatenate(parts, axis=2))


def _each_column(features: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Features (n, columns, k) by weights (folds, columns, k, t) of each column."""
    return np.einsum("bnf,knft->kbnt", features, weight)


def _silu(x: np.ndarray) -> np.ndarray:
    return np.asarray(x * expit(x))
