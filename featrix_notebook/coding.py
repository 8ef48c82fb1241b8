"""From a column of any kind to one byte a row, its colours and its legend."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

# Told apart with normal, protan, deutan and tritan sight (the smallest distance of any two in
# OKLab, simulated after Machado et al. 2009, was maximised), light enough for a dark page and
# dark enough for a light one. The last is for "other".
CATEGORY_COLORS = (
    "#367ad1", "#e38231", "#2eb69c", "#b01f4f", "#eb9fe6", "#6e568d",
    "#c5c93a", "#a56d0f", "#9b8df5", "#70e093", "#db4b71", "#66788a",
)  # fmt: skip
# Even steps of OKLab lightness (0.44 to 0.90) while the hue turns from violet to yellow.
NUMBER_COLORS = (
    "#573b9f", "#3a5cb3", "#017bb6", "#0693ad", "#07aba8", "#3cc099", "#7dd084", "#bada6b",
    "#f6e057",
)  # fmt: skip
PLAIN_COLOR = "#367ad1"
MOST_CATEGORIES = 12
FEW_NUMBERS = 6
LABEL_LENGTH = 60
_STEPS = 254
_NUMBER_TYPES = frozenset({"scalar", "timestamp"})


@dataclass(frozen=True)
class Coding:
    """How a column is coloured.

    ``codes`` is uint8 (n,): 0 missing; a category's place from 1; or 1..255 along the scale of a
    number, from ``low`` to ``high`` (of ``dates`` in seconds since 1970). ``ticks`` are (place in
    0..1, label) on the colour bar; ``open_low`` and ``open_high`` say that values beyond the ends
    take the colour of the end.
    """

    kind: str
    codes: NDArray[np.uint8]
    colors: tuple[str, ...]
    entries: tuple[tuple[str, int], ...] = ()
    missing: int = 0
    ticks: tuple[tuple[float, str], ...] = ()
    low: float | None = None
    high: float | None = None
    dates: bool = False
    open_low: bool = False
    open_high: bool = False

    def legend(self) -> dict[str, Any]:
        """The JSON half of the coding; the codes travel as bytes."""
        return {
            "kind": self.kind,
            "colors": list(self.colors),
            "entries": [{"label": label, "count": count} for label, count in self.entries],
            "missing": self.missing,
            "ticks": [{"at": at, "label": label} for at, label in self.ticks],
            "low": self.low,
            "high": self.high,
            "dates": self.dates,
            "openLow": self.open_low,
            "openHigh": self.open_high,
        }


def plain(n: int) -> Coding:
    """One colour for all of ``n`` rows."""
    return Coding("none", np.zeros(n, np.uint8), (PLAIN_COLOR,))


def code_column(values: pd.Series, type_word: str | None = None) -> Coding:
    """Code a column; ``type_word`` is the engine's type of it, where known.

    Numbers and times with more than a few values become a continuous scale; everything else
    becomes categories, the commonest eleven by name and the rest as "other".
    """
    numbers = _as_numbers(values, type_word)
    if numbers is None:
        return _code_categories(values)
    return _code_numbers(numbers, dates=_is_time(values, type_word))


def code_clusters(labels: NDArray[np.uint8]) -> Coding:
    """Code cluster labels 0, 1, ... in their own order."""
    names = [f"Cluster {label}" for label in range(int(labels.max(initial=0)) + 1)]
    return _code_labels(labels.astype(np.int64), names, by_count=False)


def text(value: Any, length: int = LABEL_LENGTH) -> str:
    """A value as one short line of text; never raises, whatever the value."""
    try:
        if isinstance(value, (float, np.floating)):
            words = f"{value:.6g}"
        elif isinstance(value, pd.Timestamp):
            words = str(value.date()) if value == value.normalize() else str(value)
        else:
            words = str(value)
    except Exception as error:
        words = f"<{type(value).__name__}: {error}>"
    # Cut before cleaning: a cell may hold megabytes.
    words = " ".join(words[: 4 * length].split())
    return words if len(words) <= length else words[: length - 1] + "…"


def unknown(what: str, name: Any, known: Iterable[Any], use: str = "") -> str:
    """Words for a name that is not among those known, with the closest of them."""
    names = [str(one) for one in known]
    close = difflib.get_close_matches(str(name), names, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    shown = ", ".join(map(repr, names[:20])) or "none"
    return f"There is no {what} {text(name)!r}{use}.{hint} Known: {shown}."


def _is_time(values: pd.Series, type_word: str | None) -> bool:
    return type_word == "timestamp" or pd.api.types.is_datetime64_any_dtype(values.dtype)


def _as_numbers(values: pd.Series, type_word: str | None) -> NDArray[np.float64] | None:
    """The column as float64 with NaN for missing, or None when it is better read as categories."""
    dtype = values.dtype
    if _is_time(values, type_word):
        times = pd.to_datetime(values, errors="coerce", utc=True)
        seconds = times.to_numpy(dtype="datetime64[us]").astype(np.int64) / 1e6
        return np.where(times.isna().to_numpy(), np.nan, seconds)
    if type_word is not None and type_word not in _NUMBER_TYPES:
        return None
    if pd.api.types.is_bool_dtype(dtype) or isinstance(dtype, pd.CategoricalDtype):
        return None
    if pd.api.types.is_complex_dtype(dtype):
        return None
    if type_word == "scalar" and not pd.api.types.is_numeric_dtype(dtype):
        values = pd.to_numeric(values, errors="coerce")
    elif pd.api.types.is_timedelta64_dtype(dtype):
        return np.asarray(values.dt.total_seconds(), dtype=np.float64)
    elif not pd.api.types.is_numeric_dtype(dtype):
        return None
    numbers: NDArray[np.float64] = values.to_numpy(dtype=np.float64, na_value=np.nan)
    if type_word is None and pd.api.types.is_integer_dtype(values.dtype):
        few = values.nunique() <= FEW_NUMBERS
        return None if few else numbers
    return numbers


def _code_numbers(numbers: NDArray[np.float64], *, dates: bool) -> Coding:
    finite = numbers[np.isfinite(numbers)]
    missing = int(np.isnan(numbers).sum())
    if not finite.size:
        codes = np.where(np.isnan(numbers), 0, np.where(numbers > 0, 255, 1)).astype(np.uint8)
        return Coding("number", codes, NUMBER_COLORS, missing=missing)
    low, high = float(finite.min()), float(finite.max())
    if finite.size > 20:
        # A few extreme values must not squeeze all the others into one colour.
        inner_low, inner_high = np.percentile(finite, [1, 99])
        if high - low > 3 * (inner_high - inner_low) > 0:
            low, high = float(inner_low), float(inner_high)
    # Halved before subtracting: the range of two finite floats need not be finite.
    half = high / 2 - low / 2
    with np.errstate(invalid="ignore", over="ignore"):
        place = np.clip((numbers / 2 - low / 2) / half, 0, 1) if half > 0 else numbers * 0 + 0.5
        place = np.where(np.isinf(numbers), (numbers > 0).astype(float), place)
        codes = np.where(np.isnan(numbers), 0, 1 + np.rint(place * _STEPS)).astype(np.uint8)
    return Coding(
        "number",
        codes,
        NUMBER_COLORS,
        missing=missing,
        ticks=tuple(_date_ticks(low, high) if dates else _ticks(low, high)),
        low=low,
        high=high,
        dates=dates,
        open_low=bool((numbers < low).any()),
        open_high=bool((numbers > high).any()),
    )


def _ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Round numbers between low and high, three to six of them."""
    span = high - low
    if span == 0:
        return [(0.5, f"{low:.6g}")]
    if not 1e-300 < span < math.inf:  # beyond what steps can be computed for
        return [(0.0, f"{low:.3g}"), (1.0, f"{high:.3g}")]
    rough = span / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough), rough)
    if low + step == low:  # finer than the numbers themselves
        return [(0.0, f"{low:.6g}"), (1.0, f"{high:.6g}")]
    first = math.ceil(low / step)
    count = int(math.floor(high / step) - first) + 1
    return [
        ((value - low) / span, _number_label(value, step))
        for value in ((first + i) * step for i in range(count))
    ]


def _number_label(value: float, step: float) -> str:
    size = max(abs(value), step)
    if size >= 1e6 or step < 1e-4:
        return f"{value:.4g}"
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    if decimals and not math.isclose(step * 10**decimals, round(step * 10**decimals)):
        decimals += 1
    return f"{value + 0.0:,.{decimals}f}"


def _date_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """First, middle and last moment, as finely as the range needs."""
    days = (high - low) / 86_400
    pattern = "%Y-%m" if days > 700 else "%Y-%m-%d" if days > 3 else "%m-%d %H:%M"
    if high == low:
        return [(0.5, pd.Timestamp(low, unit="s").strftime("%Y-%m-%d %H:%M"))]
    return [
        (at, pd.Timestamp(low + at * (high - low), unit="s").strftime(pattern))
        for at in (0.0, 0.5, 1.0)
    ]


def _code_categories(values: pd.Series) -> Coding:
    names: Any
    try:
        places, names = pd.factorize(values)
    except TypeError:  # lists, dicts and other values without a hash
        there = values.notna()
        words = [text(value) if ok else None for value, ok in zip(values, there, strict=True)]
        places, names = pd.factorize(pd.Series(words, dtype="str"))
    ordered = isinstance(values.dtype, pd.CategoricalDtype) and values.dtype.ordered
    numeric = pd.api.types.is_numeric_dtype(values.dtype)  # includes bool
    natural = ordered or (numeric and not pd.api.types.is_complex_dtype(values.dtype))
    if natural and len(names):
        rank = np.argsort(np.argsort(_sortable(names, values.dtype)))
        order = np.argsort(rank)
        places = np.where(places < 0, -1, rank[places])
        names = [names[i] for i in order]
    return _code_labels(places, [text(name) for name in names], by_count=not natural)


def _sortable(names: Any, dtype: Any) -> NDArray[Any]:
    if isinstance(dtype, pd.CategoricalDtype):
        return np.asarray(dtype.categories.get_indexer(names))
    return np.asarray(names, dtype=np.float64)


def _code_labels(places: NDArray[np.int64], names: Sequence[str], *, by_count: bool) -> Coding:
    """Categories by their place in ``names`` (-1 missing), at most twelve of them."""
    counts = np.bincount(places[places >= 0], minlength=len(names))
    missing = int((places < 0).sum())
    crowded = len(names) > MOST_CATEGORIES
    order = np.argsort(-counts, kind="stable") if by_count or crowded else np.arange(len(names))
    kept = order[: MOST_CATEGORIES - 1] if crowded else order
    lookup = np.full(len(names) + 1, MOST_CATEGORIES, np.uint8)
    lookup[kept] = np.arange(1, len(kept) + 1)
    lookup[-1] = 0  # where -1 points
    entries = [(names[i] or "(empty)", int(counts[i])) for i in kept]
    colors = CATEGORY_COLORS[: len(kept)]
    if crowded:
        rest = len(names) - len(kept)
        entries.append((f"Other ({rest:,} values)", int(counts.sum() - counts[kept].sum())))
        colors = CATEGORY_COLORS
    return Coding("category", lookup[places], tuple(colors), tuple(entries), missing)
