"""Free text: hashed words and character n-grams, projected."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from scipy import sparse

from featrix_server.engine.columns.base import DENSE_WIDTH, ColumnSpec
from featrix_server.engine.columns.dense import DenseEncoder
from featrix_server.engine.columns.hashing import words_and_ngrams
from featrix_server.engine.columns.projection import Projection
from featrix_server.engine.columns.values import text_of

MAX_CHARACTERS = 2_000
CHUNK = 2_000_000  # characters hashed at once: bounds the memory of long columns


class TextEncoder(DenseEncoder):
    """Texts that share words get near vectors. Reads the first 2,000 characters."""

    type: ClassVar[str] = "free_string"
    strategy: ClassVar[str] = (
        "hashed words and character n-grams, inverse document frequency, projected to "
        f"{DENSE_WIDTH - 2} latent dimensions, with length"
    )
    noun: ClassVar[str] = "a text"
    projection: Projection

    def key(self, value: Any) -> str | None:
        """Return the text that is read."""
        text = text_of(value)
        return None if text is None else text[:MAX_CHARACTERS]

    def _fit(self, spec: ColumnSpec, keys: list[str], seed: int) -> None:
        self.projection = Projection.fit(_hashed(keys), DENSE_WIDTH - 2, seed=seed)

    def _features(self, keys: list[str]) -> np.ndarray:
        lengths = np.log1p([[len(key), key.count(" ")] for key in keys])
        return np.hstack([self.projection(_hashed(keys)), lengths])

    def check(self, value: Any) -> str | None:
        """Say whether only the beginning of the text is read."""
        text = text_of(value)
        if text is None or len(text) <= MAX_CHARACTERS:
            return None
        return f"text_truncated: only the first {MAX_CHARACTERS:,} of {len(text):,} characters read"

    def _state(self) -> dict[str, Any]:
        return self.projection.to_dict()

    def _restore(self, state: dict[str, Any]) -> None:
        self.projection = Projection.from_dict(state)


def _hashed(texts: list[str]) -> sparse.csr_matrix:
    parts, start, size = [], 0, 0
    for index, text in enumerate(texts):
        size += len(text)
        if size > CHUNK:
            parts.append(words_and_ngrams(texts[start : index + 1]))
            start, size = index + 1, 0
    parts.append(words_and_ngrams(texts[start:]))
    return sparse.vstack(parts, format="csr")
