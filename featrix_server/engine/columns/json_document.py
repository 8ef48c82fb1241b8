"""JSON documents: flattened to dotted fields, numbers scaled, everything else hashed."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from typing import Any, ClassVar

import numpy as np
from scipy import sparse

from featrix_server.engine.columns.base import DENSE_WIDTH, ColumnSpec
from featrix_server.engine.columns.dense import CLIP, DenseEncoder
from featrix_server.engine.columns.hashing import N_BUCKETS, token_hashes
from featrix_server.engine.columns.projection import Projection
from featrix_server.engine.columns.values import text_of

MAX_DEPTH = 3
MAX_LEAVES = 256
NUMBER_FIELDS = 16  # dotted fields whose numbers have a dense feature of their own


def parse_document(text: str) -> dict[str, Any] | list[Any] | None:
    """Return a JSON object or array; None for any other text."""
    if text[:1] not in ("{", "["):
        return None
    try:
        document: dict[str, Any] | list[Any] = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return document


def leaves(document: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield (dotted field, value) of a document; what lies deeper than 3 comes as JSON text.

    The items of an array share the field ``name[]``.
    """
    if isinstance(document, dict | list) and depth >= MAX_DEPTH:
        yield path, json.dumps(document, sort_keys=True)
    elif isinstance(document, dict):
        for name, value in document.items():
            yield from leaves(value, f"{path}.{name}" if path else name, depth + 1)
    elif isinstance(document, list):
        for value in document:
            yield from leaves(value, f"{path}[]", depth + 1)
    else:
        yield path, document


class JsonEncoder(DenseEncoder):
    """Documents that share fields and values get near vectors."""

    type: ClassVar[str] = "json"
    strategy: ClassVar[str] = (
        f"flattened to dotted fields of depth {MAX_DEPTH}; the {NUMBER_FIELDS} most frequent "
        "number fields scaled, all other leaves hashed and projected"
    )
    noun: ClassVar[str] = "a JSON object or array"
    numbers: dict[str, tuple[float, float]]  # dotted field -> mean, standard deviation
    projection: Projection

    def key(self, value: Any) -> str | None:
        """Return the document's text."""
        text = text_of(value)
        return text if text is not None and parse_document(text) is not None else None

    def _fit(self, spec: ColumnSpec, keys: list[str], seed: int) -> None:
        found: defaultdict[str, list[float]] = defaultdict(list)
        for key in keys:
            for field, value in _some_leaves(key):
                if _is_number(value):
                    found[field].append(float(value))
        frequent = sorted(found, key=lambda field: (-len(found[field]), field))[:NUMBER_FIELDS]
        self.numbers = {
            field: (float(np.mean(found[field])), float(np.std(found[field])) or 1.0)
            for field in frequent
        }
        hashed = self._split(keys)[1]
        self.projection = Projection.fit(hashed, DENSE_WIDTH - NUMBER_FIELDS, seed=seed)

    def _features(self, keys: list[str]) -> np.ndarray:
        scaled, hashed = self._split(keys)
        return np.hstack([scaled, self.projection(hashed)])

    def _split(self, keys: list[str]) -> tuple[np.ndarray, sparse.csr_matrix]:
        scaled = np.zeros((len(keys), NUMBER_FIELDS), dtype=np.float32)
        place = {field: index for index, field in enumerate(self.numbers)}
        rows: list[int] = []
        tokens: list[str] = []
        for row, key in enumerate(keys):
            for field, value in _some_leaves(key):
                rows.append(row)
                if field in place and _is_number(value):
                    mean, std = self.numbers[field]
                    z = (float(value) - mean) / std
                    scaled[row, place[field]] = min(max(z, -CLIP), CLIP)
                    tokens.append(field)
                else:
                    tokens.append(f"{field}={text_of(value)}")
        ones = np.ones(len(rows), dtype=np.float32)
        cells = (ones, (rows, token_hashes(tokens)))
        return scaled, sparse.coo_matrix(cells, shape=(len(keys), N_BUCKETS)).tocsr()

    def _state(self) -> dict[str, Any]:
        return {"numbers": self.numbers, "projection": self.projection.to_dict()}

    def _restore(self, state: dict[str, Any]) -> None:
        self.numbers = {field: (mean, std) for field, (mean, std) in state["numbers"].items()}
        self.projection = Projection.from_dict(state["projection"])

    def _statistics(self) -> dict[str, Any]:
        return {"number_fields": list(self.numbers)}


def _some_leaves(text: str) -> list[tuple[str, Any]]:
    return list(islice(leaves(parse_document(text)), MAX_LEAVES))


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and abs(value) < 1e30
