"""Lists in one cell ("red|green"): pooled tokens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from scipy import sparse

from featrix_server.engine.columns.base import DENSE_WIDTH, ColumnSpec
from featrix_server.engine.columns.dense import DenseEncoder
from featrix_server.engine.columns.hashing import N_BUCKETS, token_hashes
from featrix_server.engine.columns.projection import Projection
from featrix_server.engine.columns.values import factorise, text_of

DELIMITERS = ("|", ";", ",", "\t")
MAX_TOKENS = 256


def split_list(text: str, delimiter: str) -> list[str]:
    """Return the trimmed, non-empty tokens of a list written as text or as a JSON array."""
    if text.startswith("[") and text.endswith("]"):
        try:
            items = [text_of(item) for item in json.loads(text)]
        except ValueError:
            items = [part.strip(" '\"") for part in text[1:-1].split(delimiter)]
    else:
        items = [part.strip() for part in text.split(delimiter)]
    return [item for item in items if item][:MAX_TOKENS]


def find_delimiter(texts: Sequence[str]) -> str:
    """Return the delimiter that most texts hold, ``"|"`` where none does."""
    holding = {mark: sum(mark in text for text in texts) for mark in DELIMITERS}
    return max(DELIMITERS, key=holding.__getitem__)


class ListEncoder(DenseEncoder):
    """Lists that share tokens get near vectors; the order of tokens does not matter."""

    type: ClassVar[str] = "list"
    strategy: ClassVar[str] = "hashed tokens, inverse document frequency, pooled; number of tokens"
    noun: ClassVar[str] = "a list"
    delimiter: str
    projection: Projection

    def _prepare(self, spec: ColumnSpec, values: Sequence[Any]) -> None:
        given = spec.options.get("delimiter")
        self.delimiter = given or find_delimiter(factorise(values)[0][:1000])

    def _fit(self, spec: ColumnSpec, keys: list[str], seed: int) -> None:
        self.projection = Projection.fit(self._tokens(keys), DENSE_WIDTH - 1, seed=seed)

    def _features(self, keys: list[str]) -> np.ndarray:
        counts = self._tokens(keys)
        size = np.log1p(np.asarray(counts.sum(axis=1)))
        return np.hstack([self.projection(counts), size])

    def _tokens(self, keys: list[str]) -> sparse.csr_matrix:
        split = [split_list(key, self.delimiter) for key in keys]
        rows = np.repeat(np.arange(len(keys)), [len(tokens) for tokens in split])
        buckets = token_hashes([token for tokens in split for token in tokens])
        ones = np.ones(len(rows), dtype=np.float32)
        return sparse.coo_matrix((ones, (rows, buckets)), shape=(len(keys), N_BUCKETS)).tocsr()

    def _state(self) -> dict[str, Any]:
        return {"delimiter": self.delimiter, "projection": self.projection.to_dict()}

    def _restore(self, state: dict[str, Any]) -> None:
        self.delimiter = state["delimiter"]
        self.projection = Projection.from_dict(state["projection"])

    def _statistics(self) -> dict[str, Any]:
        return {"delimiter": self.delimiter}
