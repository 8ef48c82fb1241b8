"""Columns as arrays: the fixed-shape form in which rows reach the compiled programs.

A program is compiled once a *shape*: how many number, category and dense columns it has room for,
and how many target ids in all. Real tables are padded up to a shape from a short ladder, so
different tables share programs. Padding is masked exactly: it changes no result.

Positions: the padded columns stand in one row, numbers first, then categories, then dense ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np

from .columns import DENSE_WIDTH

MAX_BINS = 24
"""Widest quantile code of a number column."""

ENCODE_ROWS = (1, 16, 256, 2048)
"""Batch sizes that encoding is compiled for; other numbers of rows are padded up or split."""

_LADDER = (12, 24, 48, 72, 96, 144, 192, 288, 384, 576, 768, 1152, 1536, 2304, 3072, 4608, 6144)
_DENSE_LADDER = (2, 6, *_LADDER)


def _rung(count: int, ladder: Sequence[int]) -> int:
    return next((rung for rung in ladder if rung >= count), count)


class Shape(NamedTuple):
    """The sizes a compiled program depends on (besides the batch)."""

    numbers: int
    categories: int
    dense: int
    targets: int

    @property
    def columns(self) -> int:
        """Padded columns in all."""
        return self.numbers + self.categories + self.dense


def shape_for(numbers: int, categories: int, dense: int, targets: int) -> Shape:
    """The smallest shape of the ladder with room for these counts."""
    padded_targets = 256
    while padded_targets < targets:
        padded_targets *= 2
    return Shape(
        _rung(numbers, _LADDER),
        _rung(categories, _LADDER),
        _rung(dense, _DENSE_LADDER),
        padded_targets,
    )


def batch_size(train_rows: int) -> int:
    """Rows a step: 512 from 12,000 training rows, 256 from 1,500, else 128."""
    if train_rows >= 12_000:
        return 512
    return 256 if train_rows >= 1_500 else 128


@dataclass(frozen=True)
class Rows:
    """``n`` encoded rows, compact and padded to a shape.

    Leading axes may be ``(n,)`` or, gathered for a program, ``(steps, batch)``.
    """

    numbers: np.ndarray  # float32 (..., N), NaN where missing
    categories: np.ndarray  # int32 (..., C), -1 missing, the column's count where unseen
    dense: np.ndarray  # float16 (..., D, DENSE_WIDTH)
    dense_missing: np.ndarray  # bool (..., D)
    targets: np.ndarray  # int32 (..., columns), -1 where there is nothing to predict
    unseen: np.ndarray | None = None  # float16 (..., C, DENSE_WIDTH), vectors of unseen categories

    @staticmethod
    def empty(shape: Shape, *axes: int, unseen: bool = False) -> Rows:
        """Rows with these leading axes and no value in any column."""
        vectors = np.zeros((*axes, shape.categories, DENSE_WIDTH), np.float16)
        return Rows(
            numbers=np.full((*axes, shape.numbers), np.nan, np.float32),
            categories=np.full((*axes, shape.categories), -1, np.int32),
            dense=np.zeros((*axes, shape.dense, DENSE_WIDTH), np.float16),
            dense_missing=np.ones((*axes, shape.dense), bool),
            targets=np.full((*axes, shape.columns), -1, np.int32),
            unseen=vectors if unseen else None,
        )

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, index: np.ndarray) -> Rows:
        """Rows at ``index`` (any shape); its axes replace the leading axis."""
        return Rows(**{name: part[index] for name, part in self._parts()})

    def pad(self, n: int) -> Rows:
        """The same rows followed by zero rows up to ``n``."""
        missing = n - len(self)
        return Rows(
            **{
                name: np.concatenate([part, np.zeros((missing, *part.shape[1:]), part.dtype)])
                for name, part in self._parts()
            }
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """The parts by name: what a program takes."""
        return dict(self._parts())

    def _parts(self) -> list[tuple[str, np.ndarray]]:
        pairs = [(field.name, getattr(self, field.name)) for field in fields(self)]
        return [(name, part) for name, part in pairs if part is not None]


class Layout:
    """Where each column of a model stands, and what its programs must know about it.

    Parameters
    ----------
    encoders
        Fitted column encoders, in table order.
    shape
        By default the smallest with room for them.
    """

    def __init__(self, encoders: Sequence[Any], shape: Shape | None = None) -> None:
        self.encoders = tuple(encoders)
        by_kind = {
            kind: [encoder for encoder in self.encoders if encoder.kind == kind]
            for kind in ("number", "category", "dense")
        }
        self._numbers = by_kind["number"]
        self._categories = by_kind["category"]
        self._dense = by_kind["dense"]
        n_targets = sum(encoder.n_targets for encoder in self.encoders)
        n_categories = sum(len(encoder.categories) for encoder in self._categories)
        self.shape = shape or shape_for(
            len(self._numbers),
            len(self._categories),
            len(self._dense),
            max(n_targets, n_categories),
        )
        self.position: dict[str, int] = {}
        for start, group in (
            (0, self._numbers),
            (self.shape.numbers, self._categories),
            (self.shape.numbers + self.shape.categories, self._dense),
        ):
            self.position.update({encoder.name: start + i for i, encoder in enumerate(group)})

    def constants(self) -> dict[str, np.ndarray]:
        """Everything the programs know about the columns and do not learn."""
        return {
            **self._number_constants(),
            **self._category_constants(),
            **self._target_constants(),
        }

    def _number_constants(self) -> dict[str, np.ndarray]:
        edges = np.zeros((self.shape.numbers, MAX_BINS + 1), np.float32)
        mean = np.zeros(self.shape.numbers, np.float32)
        std = np.ones(self.shape.numbers, np.float32)
        for i, encoder in enumerate(self._numbers):
            edges[i] = encoder.edges[-1]  # bins beyond the last have no width and code nothing
            edges[i, : len(encoder.edges)] = encoder.edges
            mean[i], std[i] = encoder.mean, encoder.std or 1.0
        return {"edges": edges, "mean": mean, "std": std}

    def _category_constants(self) -> dict[str, np.ndarray]:
        offset = np.zeros(self.shape.categories, np.int32)
        count = np.zeros(self.shape.categories, np.int32)
        vectors = np.zeros((self.shape.targets, DENSE_WIDTH), np.float32)
        start = 0
        for i, encoder in enumerate(self._categories):
            offset[i], count[i] = start, len(encoder.categories)
            vectors[start : start + count[i]] = np.asarray(encoder.table, np.float16)
            start += count[i]
        return {"category_offset": offset, "category_count": count, "category_vectors": vectors}

    def _target_constants(self) -> dict[str, np.ndarray]:
        offset = np.zeros(self.shape.columns, np.int32)
        active = np.zeros(self.shape.columns, np.float32)
        segment = np.full(self.shape.targets, -1, np.int32)
        start = 0
        for encoder in self.encoders:
            at = self.position[encoder.name]
            offset[at], active[at] = start, 1.0
            segment[start : start + encoder.n_targets] = at
            start += encoder.n_targets
        return {"target_offset": offset, "active": active, "segment": segment}

    @property
    def has_unseen(self) -> bool:
        """Whether some category column has more values than learned vectors."""
        return any(encoder.n_unique > len(encoder.categories) for encoder in self._categories)

    def log_prior(self, targets: np.ndarray) -> np.ndarray:
        """Logarithm of the share of each target id, float32 (targets,), from (n, columns) ids."""
        prior = np.zeros(self.shape.targets, np.float32)
        constants = self._target_constants()
        for encoder in self.encoders:
            at = self.position[encoder.name]
            ids = targets[:, at]
            counts = np.bincount(ids[ids >= 0], minlength=encoder.n_targets) + 0.5
            start = constants["target_offset"][at]
            prior[start : start + encoder.n_targets] = np.log(counts / counts.sum())
        return prior

    def encode(self, read: Callable[[str], Any], n: int, *, unseen: bool = False) -> Rows:
        """Encode ``n`` rows.

        Parameters
        ----------
        read
            Gives the values of a named column: a sequence of plain values or an Arrow array, of
            length ``n``.
        n
            Number of rows.
        unseen
            Whether to keep the vectors of categories that have no learned one.
        """
        rows = Rows.empty(self.shape, n, unseen=unseen)
        for encoder in self.encoders:
            self._place(rows, encoder, encoder.encode(read(encoder.name)))
        return rows

    def _place(self, rows: Rows, encoder: Any, encoded: Any) -> None:
        at = self.position[encoder.name]
        rows.targets[:, at] = encoded.target
        if encoder.kind == "number":
            rows.numbers[:, at] = np.where(encoded.missing, np.nan, encoded.number)
        elif encoder.kind == "category":
            at -= self.shape.numbers
            rows.categories[:, at] = np.where(encoded.missing, -1, encoded.category)
            if rows.unseen is not None:
                new = ~encoded.missing & (encoded.category == len(encoder.categories))
                rows.unseen[new, at] = encoded.dense[new]
        else:
            at -= self.shape.numbers + self.shape.categories
            rows.dense[:, at] = encoded.dense
            rows.dense_missing[:, at] = encoded.missing
