"""What every column encoder is: the values it takes, the arrays it gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, Self, runtime_checkable

import numpy as np

DENSE_WIDTH = 48
"""Width of every dense column vector; narrower encodings are padded with zeros."""

MAX_TARGETS = 24
"""Most quantile bins of a number, and most k-means cells of a dense column."""


@dataclass(frozen=True)
class ColumnSpec:
    """What was decided about one column of a table.

    Attributes
    ----------
    name : str
    type : str
        One of `featrix_server.engine.columns.TYPES`.
    reason : str
        Why this type, in words for the model card.
    null_rate : float
        Share of missing values, 0 to 1.
    n_unique : int
        Distinct values other than missing (approximate above a million).
    options : dict
        What the type's encoder needs to know, e.g. ``{"delimiter": "|"}`` of a list.
    """

    name: str
    type: str
    reason: str = ""
    null_rate: float = 0.0
    n_unique: int = 0
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Encoded:
    """``n`` values of one column as arrays. Which are set depends on the encoder's `kind`.

    Attributes
    ----------
    missing : bool (n,)
        True where there is no value, or none that could be understood.
    number : float32 (n,) or None
        Kind "number": the value less the encoder's `offset`, clipped; 0 where missing.
    category : int32 (n,) or None
        Kind "category": 0..n_categories-1, ``n_categories`` for an unseen one, -1 missing.
    dense : float32 (n, DENSE_WIDTH) or None
        Kinds "dense" and "category" (there: what the text of the value looks like, so that
        an unseen category is near those spelt alike). Rows of missing values are 0.
    target : int32 (n,)
        What the marginal loss predicts, 0..n_targets-1; -1 missing (or an unseen category).
    """

    missing: np.ndarray
    number: np.ndarray | None
    category: np.ndarray | None
    dense: np.ndarray | None
    target: np.ndarray


@runtime_checkable
class ColumnEncoder(Protocol):
    """A fitted encoder of one column. Deterministic; the same in every process."""

    type: ClassVar[str]
    kind: ClassVar[Literal["number", "category", "dense"]]
    name: str
    n_targets: int

    @classmethod
    def fit(cls, spec: ColumnSpec, values: Sequence[Any], *, seed: int) -> Self:
        """Fit on training values (at most some 100,000 of them)."""
        ...

    def encode(self, values: Sequence[Any]) -> Encoded:
        """Encode plain Python values, a numpy array or a `pyarrow.ChunkedArray`.

        One odd value never raises: it counts as missing.
        """
        ...

    def check(self, value: Any) -> str | None:
        """Say what is unusual about a queried value: ``"kind: text"``, or None."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """All of the fitted state, safe for JSON; `from_dict` restores it exactly."""
        ...

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Restore what `to_dict` gave."""
        ...

    def describe(self) -> dict[str, Any]:
        """Facts for the model card: ``encoding_strategy``, ``unique_values`` and more."""
        ...
