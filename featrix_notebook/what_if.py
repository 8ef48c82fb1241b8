"""Asking a predictor "what if": what the other columns of a record may become, and asking for the
newest wish only."""

from __future__ import annotations

import math
import numbers
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeGuard

import numpy as np
import pandas as pd

from featrix_client.records import clean

MOST_CHOICES = 300
_FEW_NUMBERS = 2
_FAR_STD = 4


@dataclass(frozen=True)
class Range:
    """What a column of the record may be set to.

    Attributes
    ----------
    column
        Its name.
    low, high, whole
        Of numbers: where its slider begins and ends, and whether it stops at whole numbers only.
    choices
        Of categories: the values, the commonest first.
    """

    column: str
    kind: Literal["number", "category"]
    low: float = 0.0
    high: float = 1.0
    whole: bool = False
    choices: tuple[Any, ...] = ()

    def ticks(self, count: int) -> list[Any]:
        """`count` values along it, for an axis; of categories all, at most `count`."""
        if self.kind == "category":
            return list(self.choices[:count])
        values = np.linspace(self.low, self.high, count)
        return sorted({round(value) for value in values}) if self.whole else values.tolist()


def read_ranges(given: Any) -> dict[str, Range]:
    """What the columns may be set to, from what a person gives.

    Parameters
    ----------
    given
        A table: numbers run over its inner part, categories are its values. Or a mapping of
        column to (low, high) or to a list of values.

    Raises
    ------
    TypeError, ValueError
        If it is neither, or an entry says nothing usable.
    """
    if isinstance(given, pd.DataFrame):
        found = {str(name): _of_values(str(name), given[name]) for name in given.columns}
        return {name: one for name, one in found.items() if one is not None}
    if not isinstance(given, Mapping):
        raise TypeError(
            f"ranges must be a table or a dict of columns, not a {type(given).__name__}. "
            "For instance ranges={'age': (18, 90), 'plan': ['basic', 'gold']}."
        )
    return {str(name): _of_pair(str(name), wish) for name, wish in given.items()}


def _of_pair(name: str, wish: Any) -> Range:
    if isinstance(wish, tuple) and len(wish) == 2 and all(map(_is_number, wish)):
        low, high = sorted(map(float, wish))
        whole = all(isinstance(end, numbers.Integral) for end in wish)
        return Range(name, "number", low, high, whole)
    if isinstance(wish, str | bytes | Mapping) or not hasattr(wish, "__iter__"):
        raise TypeError(
            f"The range of {name!r} must be a pair (low, high) or a list of values, not {wish!r}."
        )
    choices = tuple(dict.fromkeys(clean(value) for value in wish))
    if not choices:
        raise ValueError(f"The range of {name!r} is empty.")
    return Range(name, "category", choices=choices[:MOST_CHOICES])


def _of_values(name: str, values: pd.Series) -> Range | None:
    known = values.dropna()
    dtype = known.dtype
    if pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype):
        finite = known.to_numpy(dtype=np.float64)
        finite = finite[np.isfinite(finite)]
        if np.unique(finite).size >= _FEW_NUMBERS:
            return _of_numbers(
                name, finite.min(), finite.max(), finite.mean(), finite.std(),
                bool((finite == np.trunc(finite)).all()),
            )  # fmt: skip
        return None
    try:
        counts = known.value_counts()
    except TypeError:  # lists and dicts
        return None
    if not 0 < len(counts) <= MOST_CHOICES:
        return None
    return Range(name, "category", choices=tuple(clean(value) for value in counts.index))


def _of_numbers(name: str, low: float, high: float, mean: float, std: float, whole: bool) -> Range:
    """Cut where a few extreme values would squeeze all the others into a corner of the slider."""
    if math.isfinite(mean) and math.isfinite(std) and std > 0:
        low, high = max(low, mean - _FAR_STD * std), min(high, mean + _FAR_STD * std)
    if whole:
        low, high = math.floor(low), math.ceil(high)
    return Range(name, "number", float(low), float(high), whole)


def card_ranges(card: Mapping[str, Any]) -> dict[str, Range]:
    """What the columns may be set to, from a model card: its ``feature_inventory``."""
    found: dict[str, Range] = {}
    for entry in card.get("feature_inventory") or ():
        name, statistics = entry.get("name"), entry.get("statistics") or {}
        if not isinstance(name, str):
            continue
        low, high = statistics.get("min"), statistics.get("max")
        if entry.get("type", entry.get("detected_type")) == "set":
            choices = [*statistics] or [*(entry.get("sample_values") or ())]
            if choices:
                found[name] = Range(name, "category", choices=tuple(choices[:MOST_CHOICES]))
        elif _is_number(low) and _is_number(high) and low < high:
            distinct = entry.get("unique_values") or math.inf
            whole = float(low).is_integer() and float(high).is_integer()
            found[name] = _of_numbers(
                name, low, high, _or_nan(statistics.get("mean")), _or_nan(statistics.get("std")),
                whole and distinct <= high - low + 1,
            )  # fmt: skip
    return found


def _is_number(value: Any) -> TypeGuard[float]:
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return real and math.isfinite(float(value))


def _or_nan(value: Any) -> float:
    return float(value) if _is_number(value) else math.nan


def predictor_ranges(predictor: Any) -> dict[str, Range]:
    """What a predictor's columns may be set to, asked of its server; empty if it cannot say."""
    ask = getattr(predictor, "get_model_card", None)
    card = ask() if callable(ask) else None
    return card_ranges(card) if isinstance(card, Mapping) else {}


def ask(predictor: Any, records: Sequence[dict[str, Any]]) -> list[Any]:
    """Answers to records in their order, from any client's predictor."""
    if hasattr(predictor, "predict_parts"):
        plain = [clean(record) for record in records]
        return [result for part in predictor.predict_parts(plain) for result in part]
    answers = list(predictor.batch_predict(list(records), show_progress=False))
    if len(answers) != len(records):
        raise RuntimeError(f"The predictor gave {len(answers)} answers to {len(records)} records.")
    return answers


Stale = Callable[[], bool]


class NewestOnly:
    """Does one job at a time in a thread of its own; of those that wait, only the newest."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._idle = threading.Condition()
        self._next: Callable[[Stale], None] | None = None
        self._running = False
        self._closed = False

    @property
    def busy(self) -> bool:
        with self._idle:
            return self._running

    def do(self, job: Callable[[Stale], None]) -> None:
        """Do `job` when the one under way is over; it is told whether a newer one waits.

        A job must not raise.
        """
        with self._idle:
            if self._closed:
                return
            self._next = job
            if self._running:
                return
            self._running = True
        threading.Thread(target=self._work, name=self._name, daemon=True).start()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until there is nothing left to do; False if it took longer than `timeout` s."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._running, timeout)

    def close(self) -> None:
        """Drop what waits and take nothing new; a job under way is told that it is stale."""
        with self._idle:
            self._closed, self._next = True, None

    def _stale(self) -> bool:
        with self._idle:
            return self._closed or self._next is not None

    def _work(self) -> None:
        while True:
            with self._idle:
                job, self._next = self._next, None
                if job is None:
                    self._running = False
                    self._idle.notify_all()
                    return
            job(self._stale)
