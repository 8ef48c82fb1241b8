"""Encoded rows of a table, held in memory or read from disk as training needs them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .batches import Layout, Rows
from .columns import encoder_for
from .plan import Plan
from .schema import Schema
from .table import Table

FIT_ROWS = 100_000
"""Training rows that encoders are fitted on at most."""


READ_CELLS = 2_000_000
"""Values read at a time: a wide table is not opened once a column, a long one not held whole."""


class ColumnReader:
    """Columns of some rows of a table by name, read a group of neighbours at a time."""

    def __init__(self, table: Table, index: np.ndarray, names: list[str]) -> None:
        self._table, self._index, self._names = table, index, names
        self._size = max(1, READ_CELLS // max(len(index), 1))
        self._held: dict[str, pa.ChunkedArray] = {}

    def __call__(self, name: str) -> pa.ChunkedArray:
        """All values of one column, in the order of the rows."""
        if name not in self._held:
            at = self._names.index(name)
            group = self._names[at : at + self._size]
            self._held = dict(zip(group, self._table.take(self._index, group).columns, strict=True))
        return self._held[name]


def fit_encoders(table: Table, schema: Schema, train: np.ndarray, seed: int) -> list[Any]:
    """Fit each column's encoder on training rows only (a seeded sample of at most 100,000)."""
    if len(train) > FIT_ROWS:
        train = np.sort(np.random.default_rng([seed, 2]).choice(train, FIT_ROWS, replace=False))
    read = ColumnReader(table, train, [spec.name for spec in schema.columns])
    return [encoder_for(spec.type).fit(spec, read(spec.name), seed=seed) for spec in schema.columns]


class TrainingData:
    """The rows of one training.

    Parameters
    ----------
    table, layout, plan
        The table, its fitted columns and what was planned.
    """

    def __init__(self, table: Table, layout: Layout, plan: Plan) -> None:
        self._table = table
        self._layout = layout
        self._plan = plan
        self._train, validation = plan.split()
        self.validation = self.rows(plan.validation_sample(validation))
        self._held = None if plan.foundation else self.rows(self._train)
        # Targets of the first epoch's rows: all training rows unless read from disk.
        self.targets = self.epoch(1).targets

    def rows(self, index: np.ndarray, *, unseen: bool | None = None) -> Rows:
        """Encoded rows of the table by number; ``unseen`` as in :meth:`~.Layout.encode`."""
        return self._layout.encode(
            ColumnReader(self._table, index, [one.name for one in self._layout.encoders]),
            len(index),
            unseen=self._layout.has_unseen if unseen is None else unseen,
        )

    def epoch(self, epoch: int) -> Rows:
        """Training rows that an epoch draws its batches from."""
        return self._read(epoch) if self._held is None else self._held

    def _read(self, epoch: int) -> Rows:
        """A seeded sample of the training rows of one row group of the Parquet file."""
        rng = np.random.default_rng([self._plan.seed, 3, epoch])
        with pq.ParquetFile(self._table.path) as file:
            sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
            starts = np.concatenate([[0], np.cumsum(sizes)])
            group = int(rng.choice(len(sizes), p=np.array(sizes) / sum(sizes)))
            first, last = np.searchsorted(self._train, starts[group : group + 2])
            mine = self._train[first:last] - starts[group]
            wanted = min(len(mine), self._plan.steps * self._plan.batch)
            places = pa.array(np.sort(rng.choice(mine, wanted, replace=False)))
            names = [encoder.name for encoder in self._layout.encoders]
            part = file.read_row_group(group, columns=names).take(places)
        return self._layout.encode(
            lambda name: part[name], len(part), unseen=self._layout.has_unseen
        )
