"""Categories: one id for each frequent value, and what the text of any other looks like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa

from featrix_server.engine.columns.base import DENSE_WIDTH, ColumnSpec, Encoded
from featrix_server.engine.columns.hashing import text_vectors
from featrix_server.engine.columns.values import factorise, text_of

MAX_CATEGORIES = 512


class CategoryEncoder:
    """A category column.

    Attributes
    ----------
    categories : tuple of str
        By falling count, ties by text; the most frequent 512.
    counts : tuple of int
        Training rows of each.
    table : float32 (n_categories, DENSE_WIDTH)
        Hashed character n-gram vector of each, as in `Encoded.dense`.
    """

    type: ClassVar[str] = "set"
    kind: ClassVar[Literal["category"]] = "category"

    def __init__(
        self, name: str, categories: Sequence[str], counts: Sequence[int], n_unique: int
    ) -> None:
        self.name = name
        self.categories = tuple(categories)
        self.counts = tuple(counts)
        self.n_targets = max(1, len(self.categories))
        self.n_unique = n_unique
        self.table = text_vectors(self.categories)
        self._ids = {category: index for index, category in enumerate(self.categories)}
        # Rows n_categories and -1 stand for unseen and missing until they are known better.
        self._vectors = np.concatenate([self.table, np.zeros((2, DENSE_WIDTH), np.float32)])
        self._boolean = bool(self.categories) and set(self.categories) <= {"true", "false"}

    @classmethod
    def fit(cls, spec: ColumnSpec, values: Sequence[Any], *, seed: int) -> Self:
        """Count training values; nothing here is random."""
        uniques, codes = factorise(values)
        present = np.bincount(codes[codes >= 0], minlength=len(uniques)).tolist()
        counted = Counter(dict(zip(uniques, present, strict=True)))
        ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
        kept = ordered[:MAX_CATEGORIES]
        return cls(
            spec.name, [text for text, _ in kept], [count for _, count in kept], len(ordered)
        )

    def _text(self, value: Any) -> str | None:
        text = text_of(value)
        return text.lower() if text is not None and self._boolean else text

    def encode(self, values: Sequence[Any]) -> Encoded:
        """Encode values, compared as trimmed text; an unseen one keeps its own vector."""
        if isinstance(values, pa.ChunkedArray | pa.Array) or len(values) > 64:
            uniques, codes = factorise(values, self._text)
        else:
            uniques = [self._text(value) for value in values]
            codes = None
        unseen_id = len(self.categories)
        lookup = self._ids
        ids = [-1 if text is None else lookup.get(text, unseen_id) for text in (*uniques, None)]
        per_unique = np.array(ids, dtype=np.int32)
        vectors = self._vectors[per_unique]
        if unseen_id in ids:
            unseen = [index for index, known in enumerate(ids) if known == unseen_id]
            vectors[unseen] = text_vectors([uniques[index] for index in unseen])
        if codes is None:
            category, dense = per_unique[:-1], vectors[:-1]
        else:
            category, dense = per_unique[codes], vectors[codes]
        target = np.where(category == unseen_id, np.int32(-1), category)
        return Encoded(category < 0, None, category, dense, target)

    def check(self, value: Any) -> str | None:
        """Say whether the value was never (or too rarely) seen in training."""
        text = self._text(value)
        if text is None or text in self._ids:
            return None
        return f"unseen_category: {text[:80]!r} is not among the {self.n_unique} training values"

    def to_dict(self) -> dict[str, Any]:
        """Return the fitted state."""
        return {
            "name": self.name,
            "categories": list(self.categories),
            "counts": list(self.counts),
            "n_unique": self.n_unique,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Restore what `to_dict` gave."""
        return cls(data["name"], data["categories"], data["counts"], data["n_unique"])

    def describe(self) -> dict[str, Any]:
        """Return the most frequent categories with their counts."""
        return {
            "encoding_strategy": (
                f"{len(self.categories)} learned vectors; hashed character n-grams for others"
            ),
            "statistics": dict(zip(self.categories[:20], self.counts[:20], strict=True)),
            "unique_values": self.n_unique,
            "sample_values": list(self.categories[:5]),
        }
