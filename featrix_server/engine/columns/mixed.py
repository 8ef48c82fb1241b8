"""Columns of numbers and texts together: a number path, a text path and a flag."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from featrix_server.engine.columns.base import ColumnSpec
from featrix_server.engine.columns.dense import CLIP, DenseEncoder
from featrix_server.engine.columns.hashing import text_vectors
from featrix_server.engine.columns.number import NumberEncoder
from featrix_server.engine.columns.values import parse_number

TEXT_WIDTH = 44


class MixedEncoder(DenseEncoder):
    """Numbers keep their order, texts their look; a flag says which a value is."""

    type: ClassVar[str] = "mixed"
    strategy: ClassVar[str] = (
        "standardised value and quantile of numbers, hashed character n-grams of texts, a flag"
    )
    noun: ClassVar[str] = "a number or a text"
    number: NumberEncoder

    def _fit(self, spec: ColumnSpec, keys: list[str], seed: int) -> None:
        self.number = NumberEncoder.fit(spec, keys, seed=seed)

    def _features(self, keys: list[str]) -> np.ndarray:
        encoded = self.number.encode(keys)
        is_text = encoded.missing[:, None]
        assert encoded.number is not None  # the kind of encoder it is
        z = (encoded.number - self.number.mean) / self.number.std
        numeric = np.stack([np.clip(z, -CLIP, CLIP), encoded.target / self.number.n_targets]).T
        return np.hstack(
            [
                is_text,
                np.where(is_text, 0, numeric),
                np.where(is_text, text_vectors([key[:200] for key in keys])[:, :TEXT_WIDTH], 0),
            ]
        )

    def check(self, value: Any) -> str | None:
        """Check a number against the training numbers; any text is fine."""
        return None if np.isnan(parse_number(value)) else self.number.check(value)

    def _state(self) -> dict[str, Any]:
        return {"number": self.number.to_dict()}

    def _restore(self, state: dict[str, Any]) -> None:
        self.number = NumberEncoder.from_dict(state["number"])

    def _statistics(self) -> dict[str, Any]:
        return dict(self.number.describe()["statistics"])
