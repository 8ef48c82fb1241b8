"""What all dense column types share: distinct values, scaling, k-means cells, storage."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np

from featrix_server.engine.columns.base import DENSE_WIDTH, MAX_TARGETS, ColumnSpec, Encoded
from featrix_server.engine.columns.values import factorise, pack, text_of, unpack

FIT_LIMIT = 10_000  # distinct values the scales are fitted on
CELL_LIMIT = 4_096  # values the k-means cells are fitted on
CLIP = 5.0  # standard deviations


class DenseEncoder(ABC):
    """A column whose values become vectors of `DENSE_WIDTH` features of about unit variance.

    A column type says what a value's `key` is (its parsed form, None where it cannot be
    understood), how to fit (`_fit`) and compute (`_features`) features of keys, and how to
    store what was fitted (`_state`, `_restore`).
    """

    type: ClassVar[str]
    kind: ClassVar[Literal["dense"]] = "dense"
    strategy: ClassVar[str]
    noun: ClassVar[str]  # "a timestamp": for messages

    def __init__(self, name: str) -> None:
        self.name = name

    # -- for each column type ------------------------------------------------------------

    def key(self, value: Any) -> Hashable:
        """Return the hashable parsed form of a value, None if missing or not understood."""
        return text_of(value)

    @abstractmethod
    def _fit(self, spec: ColumnSpec, keys: list[Any], seed: int) -> None:
        """Fit what `_features` needs on distinct keys."""

    @abstractmethod
    def _features(self, keys: list[Any]) -> np.ndarray:
        """Return unscaled features of keys, float (n, at most DENSE_WIDTH)."""

    @abstractmethod
    def _state(self) -> dict[str, Any]:
        """Return what `_fit` found, safe for JSON."""

    @abstractmethod
    def _restore(self, state: dict[str, Any]) -> None:
        """Take back what `_state` gave."""

    def _prepare(self, spec: ColumnSpec, values: Sequence[Any]) -> None:  # noqa: B027 - may stay empty
        """Settle what `key` needs (a delimiter, an order of day and month)."""

    # -- shared ----------------------------------------------------------------------------

    @classmethod
    def fit(cls, spec: ColumnSpec, values: Sequence[Any], *, seed: int) -> Self:
        """Fit on training values."""
        encoder = cls(spec.name)
        encoder._prepare(spec, values)
        keys, codes = factorise(values, encoder.key)
        counts = np.bincount(codes[codes >= 0], minlength=len(keys)).astype(np.float64)
        encoder.n_unique = len(keys)
        common = np.argsort(-counts, kind="stable")[:5]
        encoder.samples = [encoder.show(keys[index]) for index in common]
        rng = np.random.default_rng(seed)
        if len(keys) > FIT_LIMIT:
            chosen = np.sort(rng.choice(len(keys), FIT_LIMIT, replace=False))
            keys, counts = [keys[index] for index in chosen], counts[chosen]
        encoder._fit(spec, keys, seed)
        encoder._fit_scale(encoder._raw(keys), counts)
        encoder.cells = _fit_cells(encoder._scaled(keys), counts, rng)
        encoder.n_targets = len(encoder.cells)
        return encoder

    def _raw(self, keys: list[Any]) -> np.ndarray:
        raw = np.zeros((len(keys), DENSE_WIDTH), dtype=np.float32)
        if keys:
            features = self._features(keys)
            raw[:, : features.shape[1]] = features
        return raw

    def _fit_scale(self, raw: np.ndarray, counts: np.ndarray) -> None:
        weights = counts / max(counts.sum(), 1.0)
        self.center = (weights @ raw).astype(np.float32)
        std = np.sqrt(weights @ np.square(raw - self.center))
        # A feature that never varied in training says nothing; noise must not be blown up.
        self.scale = np.where(std > 1e-5, 1 / np.maximum(std, 1e-5), 0).astype(np.float32)

    def _scaled(self, keys: list[Any]) -> np.ndarray:
        scaled: np.ndarray = (self._raw(keys) - self.center) * self.scale
        return np.clip(scaled, -CLIP, CLIP, out=scaled)

    def encode(self, values: Sequence[Any]) -> Encoded:
        """Encode values; each distinct one is computed once."""
        keys, codes = factorise(values, self.key)
        vectors = np.zeros((len(keys) + 1, DENSE_WIDTH), dtype=np.float32)
        targets = np.full(len(keys) + 1, -1, dtype=np.int32)
        if keys:
            vectors[:-1] = self._scaled(keys)
            targets[:-1] = _nearest(vectors[:-1], self.cells)
        return Encoded(codes < 0, None, None, vectors[codes], targets[codes])

    def check(self, value: Any) -> str | None:
        """Say whether a value that is not missing cannot be understood."""
        text = text_of(value)
        if text is None or self.key(value) is not None:
            return None
        return f"unparseable: {text[:80]!r} is not {self.noun}; treated as missing"

    def show(self, key: Any) -> str:
        """Return a key as text for the model card."""
        return str(key)[:200]

    def to_dict(self) -> dict[str, Any]:
        """Return the fitted state."""
        return {
            "name": self.name,
            "n_unique": self.n_unique,
            "samples": self.samples,
            "center": pack(self.center),
            "scale": pack(self.scale),
            "cells": pack(self.cells),
            "state": self._state(),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Restore what `to_dict` gave."""
        encoder = cls(data["name"])
        encoder.n_unique = data["n_unique"]
        encoder.samples = data["samples"]
        encoder.center = unpack(data["center"])
        encoder.scale = unpack(data["scale"])
        encoder.cells = unpack(data["cells"])
        encoder.n_targets = len(encoder.cells)
        encoder._restore(data["state"])
        return encoder

    def describe(self) -> dict[str, Any]:
        """Return what the model card says of the column."""
        return {
            "encoding_strategy": self.strategy,
            "statistics": self._statistics(),
            "unique_values": self.n_unique,
            "sample_values": self.samples,
        }

    def _statistics(self) -> dict[str, Any]:
        return {}

    n_targets: int
    n_unique: int
    samples: list[str]
    center: np.ndarray
    scale: np.ndarray
    cells: np.ndarray


def _fit_cells(vectors: np.ndarray, counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return k-means centres of at most `CELL_LIMIT` seeded values, float32 (k, width)."""
    from scipy.cluster.vq import kmeans2

    distinct: np.ndarray = np.unique(vectors, axis=0)
    if len(distinct) <= MAX_TARGETS:
        return distinct if len(distinct) else np.zeros((1, DENSE_WIDTH), np.float32)
    if len(vectors) > CELL_LIMIT:
        chosen = rng.choice(len(vectors), CELL_LIMIT, p=counts / counts.sum())
        vectors = vectors[chosen]
    k = min(MAX_TARGETS, max(2, len(np.unique(vectors, axis=0)) // 2))
    centres, labels = kmeans2(
        vectors.astype(np.float64), k, iter=15, minit="++", rng=rng, missing="warn"
    )
    kept: np.ndarray = centres[np.unique(labels)]
    return kept.astype(np.float32)


def _nearest(vectors: np.ndarray, cells: np.ndarray) -> np.ndarray:
    distance: np.ndarray = np.square(cells).sum(axis=1) - 2 * (vectors @ cells.T)
    nearest: np.ndarray = distance.argmin(axis=1)
    return nearest.astype(np.int32)
