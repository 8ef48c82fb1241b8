"""Rows as the members of a predictor take them.

Three forms of the same encoded rows: :class:`~..batches.Rows` for the network, a matrix with
category ids for boosted trees, and a matrix of indicator columns for linear members. The target
is in none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ..batches import Layout, Rows
from ..columns import DENSE_WIDTH
from ..model import EmbeddingModel, load_columns
from ..network import bin_code
from ..table import Table

MAX_INDICATORS = 64
"""Most frequent categories of a column that a linear member tells apart."""


class Features:
    """The columns a predictor sees: those of the embedding space without the target.

    Parameters
    ----------
    space_folder
        Of the finished embedding space.
    target
        Column to be hidden.

    Attributes
    ----------
    layout
        The columns' places.
    columns
        Their names.
    target_in_space
        Whether the space has learned from the target.
    """

    def __init__(self, space_folder: Path, target: str) -> None:
        self._space_folder = space_folder
        self.target = target
        _, layout = load_columns(space_folder)
        self.layout = Layout([one for one in layout.encoders if one.name != target])
        self.encoders = {encoder.name: encoder for encoder in self.layout.encoders}
        self.columns = tuple(self.encoders)
        self.target_in_space = len(layout.encoders) > len(self.columns)
        self.constants = jax.device_put(self.layout.constants())
        kinds = [encoder.kind for encoder in self.layout.encoders]
        self._counts = [kinds.count(kind) for kind in ("number", "category", "dense")]

    @cached_property
    def space(self) -> EmbeddingModel:
        """The embedding, loaded when first needed."""
        return EmbeddingModel.load(self._space_folder)

    def encode(self, read: Callable[[str], Any], n: int) -> Rows:
        """Encode ``n`` rows; ``read`` gives the values of a column."""
        return self.layout.encode(read, n)

    def read_table(self, table: Table, index: np.ndarray) -> Callable[[str], Any]:
        """How to read columns of some rows of a table; absent ones are missing."""
        known = [name for name in self.columns if name in table.columns]
        part = table.take(index, known)
        return lambda name: part[name] if name in known else [None] * len(index)

    def embed(self, read: Callable[[str], Any], n: int) -> np.ndarray:
        """Embeddings (n, d) with the target hidden."""
        space = self.space
        rows = space.layout.encode(
            lambda name: [None] * n if name == self.target else read(name), n, unseen=True
        )
        hidden = np.zeros((n, space.layout.shape.columns), bool)
        if self.target_in_space:
            hidden[:, space.layout.position[self.target]] = True
        return space.place(rows, hidden)[0]

    # -- boosted trees ---------------------------------------------------------------------

    @property
    def categorical(self) -> list[int]:
        """Which columns of :meth:`table_matrix` are category ids."""
        numbers, categories, _ = self._counts
        return list(range(numbers, numbers + categories))

    def table_matrix(self, rows: Rows) -> np.ndarray:
        """float32 (n, numbers + categories + 48 dense); NaN where missing."""
        numbers, categories, dense = self._counts
        ids = rows.categories[:, :categories].astype(np.float32)
        ids[ids < 0] = np.nan
        wide = rows.dense[:, :dense].astype(np.float32)
        wide[rows.dense_missing[:, :dense]] = np.nan
        return np.concatenate(
            [rows.numbers[:, :numbers], ids, wide.reshape(len(rows), dense * DENSE_WIDTH)], axis=1
        )

    # -- linear members --------------------------------------------------------------------

    def linear_matrix(self, rows: Rows, *, codes: bool) -> np.ndarray:
        """Standardised numbers, missing flags, indicators of categories, dense features.

        Parameters
        ----------
        rows
            Encoded rows.
        codes
            Whether to add the piecewise-linear quantile code of each number.

        Returns
        -------
        float32 (n, features)
        """
        numbers, categories, dense = self._counts
        values = rows.numbers[:, :numbers]
        missing = np.isnan(values)
        constants = self._host_constants
        known = np.where(missing, np.float32(0), values)
        level = (known - constants["mean"]) / constants["std"]
        level = np.minimum(np.maximum(level, -5), 5)
        parts = [np.where(missing, 0, level), missing.astype(np.float32)]
        if codes and numbers:
            code, _ = bin_code(constants, known)
            code = code * ~missing[..., None]
            parts.append(code.reshape(len(rows), -1))
        for i in range(categories):
            count = min(len(self._category_encoders[i].categories), MAX_INDICATORS)
            ids = rows.categories[:, i, None]
            parts.append((ids == np.arange(-1, count)).astype(np.float32))
        parts.append(rows.dense[:, :dense].reshape(len(rows), -1).astype(np.float32))
        return np.concatenate(parts, axis=1, dtype=np.float32)

    @cached_property
    def _host_constants(self) -> dict[str, np.ndarray]:
        numbers = self._counts[0]
        constants = self.layout.constants()
        return {name: constants[name][:numbers] for name in ("edges", "mean", "std")}

    @cached_property
    def _category_encoders(self) -> list[Any]:
        return [one for one in self.layout.encoders if one.kind == "category"]


class Inputs:
    """Some rows in every form a member may ask for, each made when first asked for.

    Parameters
    ----------
    features
        The columns.
    read, n
        Gives the values of a named column; number of rows.
    """

    def __init__(self, features: Features, read: Callable[[str], Any], n: int) -> None:
        self.features = features
        self._read = read
        self.n = n
        self.rows = features.encode(read, n)
        self._forms: dict[str, np.ndarray] = {}

    @classmethod
    def of_records(cls, features: Features, records: Sequence[dict[str, Any]]) -> Inputs:
        """Rows given as dicts; absent columns are missing."""
        return cls(features, lambda name: [one.get(name) for one in records], len(records))

    def form(self, name: str) -> np.ndarray:
        """Float32 (n, width): ``columns``, ``raw``, ``codes`` or ``embedding``, or ``a+b``."""
        if name not in self._forms:
            self._forms[name] = self._make(name)
        return self._forms[name]

    def _make(self, name: str) -> np.ndarray:
        if "+" in name:
            return np.concatenate([self.form(one) for one in name.split("+")], axis=1)
        if name == "columns":
            return self.features.table_matrix(self.rows)
        if name == "embedding":
            return self.features.embed(self._read, self.n)
        return self.features.linear_matrix(self.rows, codes=name == "codes")
