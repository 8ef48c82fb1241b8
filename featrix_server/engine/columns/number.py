"""Numbers: clipped raw values and their quantile bins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np

from featrix_server.engine.columns.base import MAX_TARGETS, ColumnSpec, Encoded
from featrix_server.engine.columns.values import pack, parse_number, text_of, to_floats, unpack

CLAMP = 100.0  # standard deviations a value is clipped at
OFFSET_FROM = 1e4  # |mean| / std above which float32 would lose what sets values apart


class NumberEncoder:
    """A number column.

    Attributes
    ----------
    offset : float
        Subtracted before anything else, 0 except for columns far from zero for their spread
        (epoch seconds, serial numbers), whose differences float32 could not hold.
    edges : float32 (n_bins + 1,)
        Strictly increasing bin edges, less `offset`; bins hold about equally many training
        values, a frequent value has a bin of its own. At most 24 bins.
    mean, std, min, max, median : float
        Of the training values, less `offset`. ``std`` is never 0 (1 where constant).
    """

    type: ClassVar[str] = "scalar"
    kind: ClassVar[Literal["number"]] = "number"

    def __init__(
        self, name: str, edges: np.ndarray, statistics: dict[str, float], n_unique: int
    ) -> None:
        self.name = name
        self.edges = edges
        self.n_targets = len(edges) - 1
        self.n_unique = n_unique
        self.offset = statistics["offset"]
        self.mean = statistics["mean"]
        self.std = statistics["std"]
        self.min = statistics["min"]
        self.max = statistics["max"]
        self.median = statistics["median"]
        self._constant = self.min == self.max
        span = CLAMP * self.std
        self._low, self._high = self.mean - span, self.mean + span
        self._inner = edges[1:-1].astype(np.float64)

    @classmethod
    def fit(cls, spec: ColumnSpec, values: Sequence[Any], *, seed: int) -> Self:
        """Fit on training values; nothing here is random."""
        numbers = to_floats(values)
        numbers = numbers[~np.isnan(numbers)]
        if not len(numbers):
            numbers = np.zeros(1)
        # Beyond float32 a number is as good as infinite; squares must stay finite too.
        numbers = np.clip(numbers, -1e18, 1e18)
        mean, std = float(numbers.mean()), float(numbers.std())
        offset = float(np.round(np.median(numbers))) if abs(mean) > OFFSET_FROM * std > 0 else 0.0
        numbers = numbers - offset
        low, high = float(numbers.min()), float(numbers.max())
        statistics = {
            "offset": offset,
            "mean": mean - offset,
            "std": std if high > low and std > 0 else 1.0,
            "min": low,
            "max": high,
            "median": float(np.median(numbers)),
        }
        return cls(spec.name, quantile_edges(numbers), statistics, len(np.unique(numbers)))

    def encode(self, values: Sequence[Any]) -> Encoded:
        """Encode values; texts are parsed, what is no number counts as missing."""
        numbers = to_floats(values)
        missing = np.isnan(numbers)
        numbers -= self.offset
        np.minimum(np.maximum(numbers, self._low, out=numbers), self._high, out=numbers)
        target = self._inner.searchsorted(numbers, side="right").astype(np.int32)
        if missing.any():
            numbers[missing] = 0.0
            target[missing] = -1
        return Encoded(missing, numbers.astype(np.float32), None, None, target)

    def check(self, value: Any) -> str | None:
        """Compare with the training values: semantics of the documented z ranges."""
        if text_of(value) is None:
            return None
        number = parse_number(value)
        if math.isnan(number):
            return f"unparseable: {str(value)[:80]!r} is not a number; treated as missing"
        low, high = self.min + self.offset, self.max + self.offset
        if self._constant:
            if number == low:
                return None
            return f"extrapolation: {number:g} where all training values are {low:g}"
        distance = abs(number - self.offset - self.mean) / self.std
        seen = f"{number:g} is {distance:.1f} standard deviations from the training mean"
        seen += f" (training range {low:g} to {high:g})"
        if distance > CLAMP:
            return f"clamped: {seen}; cut to {CLAMP:g}, the result is unreliable"
        if distance > 20:
            return f"severe: {seen}; quality uncertain"
        if distance > 4:
            return f"extrapolation: {seen}; less accurate"
        if distance > 3:
            return f"extreme: {seen}"
        return None

    def to_dict(self) -> dict[str, Any]:
        """Return the fitted state."""
        return {
            "name": self.name,
            "edges": pack(self.edges),
            "n_unique": self.n_unique,
            "statistics": {
                key: getattr(self, key) for key in ("offset", "mean", "std", "min", "max", "median")
            },
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Restore what `to_dict` gave."""
        return cls(data["name"], unpack(data["edges"]), data["statistics"], data["n_unique"])

    def describe(self) -> dict[str, Any]:
        """Return statistics in the column's own units."""
        return {
            "encoding_strategy": f"{self.n_targets} quantile bins and the standardised value",
            "statistics": {
                "min": self.min + self.offset,
                "max": self.max + self.offset,
                "mean": self.mean + self.offset,
                "std": 0.0 if self._constant else self.std,
                "median": self.median + self.offset,
            },
            "unique_values": self.n_unique,
            "sample_values": [
                float(edge) + self.offset
                for edge in self.edges[:: max(1, self.n_targets // 4)].tolist()
            ],
        }


def quantile_edges(numbers: np.ndarray, bins: int = MAX_TARGETS) -> np.ndarray:
    """Cut numbers into at most `bins` bins of about equal counts.

    Edges lie halfway between neighbouring distinct values, so a value is never on an edge and
    one that fills a bin by itself is alone in it.

    Parameters
    ----------
    numbers : float64 (n,), n >= 1, finite

    Returns
    -------
    float32 (n_bins + 1,), strictly increasing, 1 <= n_bins <= bins
    """
    values, counts = np.unique(numbers.astype(np.float32), return_counts=True)
    if len(values) == 1:
        reach = max(0.5, abs(float(values[0])) * 1e-3)
        return np.array([values[0] - reach, values[0] + reach], dtype=np.float32)
    if len(values) <= bins:
        last = np.arange(len(values) - 1)
    else:
        cumulative = np.cumsum(counts)
        ends: list[int] = []  # index of the last distinct value of each bin but the last
        start = 0
        while len(ends) < bins - 1 and start < len(values) - 1:
            done = cumulative[start - 1] if start else 0
            want = done + (cumulative[-1] - done) / (bins - len(ends))
            end = int(np.searchsorted(cumulative, want))
            if end > start and counts[end] >= cumulative[-1] / bins:
                end -= 1  # a frequent value begins a bin of its own
            ends.append(min(end, len(values) - 2))
            start = ends[-1] + 1
        last = np.array(ends)
    halfway = values[last] + (values[last + 1] - values[last]) / 2
    return np.unique(np.concatenate([values[:1], halfway, values[-1:]]).astype(np.float32))
