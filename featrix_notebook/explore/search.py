"""Rows that answer a question about a column."""

from __future__ import annotations

import difflib
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from featrix_notebook.coding import text

Kind = Literal["number", "date", "text"]

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "equals": operator.eq,
    "differs": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_PRESENCE = ("missing", "present")
OF_TEXT = ("contains", "equals", "differs", *_PRESENCE)
OF_NUMBERS = (*_COMPARE, *_PRESENCE)
OPERATORS = ("contains", *_COMPARE, *_PRESENCE)
_DAY_S = 86_400
_DAY_TEXT = len("2024-01-31")


@dataclass(frozen=True)
class Readable:
    """A column as it is searched.

    ``numbers`` is float64 (n,) with NaN for missing; of dates, seconds since 1970. Of text,
    ``texts`` are the distinct ones and ``places`` (n,) says which a row has, -1 for missing.
    """

    kind: Kind
    numbers: NDArray[np.float64] | None = None
    texts: tuple[str, ...] = ()
    places: NDArray[np.int32] | None = None


def kind_of(values: pd.Series, type_word: str | None = None) -> Kind:
    """How a column is searched; ``type_word`` is the engine's type of it, where known."""
    dtype = values.dtype
    if type_word == "timestamp" or pd.api.types.is_datetime64_any_dtype(dtype):
        return "date"
    if type_word == "scalar":
        return "number"
    plain = not (pd.api.types.is_bool_dtype(dtype) or pd.api.types.is_complex_dtype(dtype))
    return "number" if pd.api.types.is_numeric_dtype(dtype) and plain else "text"


def read(values: pd.Series, type_word: str | None = None) -> Readable:
    """Bring a column of any kind to what is searched."""
    kind = kind_of(values, type_word)
    if kind == "text":
        return _read_text(values)
    if kind == "date":
        times = pd.to_datetime(values, errors="coerce", utc=True)
        seconds = times.to_numpy(dtype="datetime64[us]").astype(np.int64) / 1e6
        return Readable(kind, np.where(times.isna().to_numpy(), np.nan, seconds))
    if not pd.api.types.is_numeric_dtype(values.dtype):
        values = pd.to_numeric(values, errors="coerce")
    return Readable(kind, values.to_numpy(dtype=np.float64, na_value=np.nan))


def _read_text(values: pd.Series) -> Readable:
    try:
        places, distinct = pd.factorize(values)
    except TypeError:  # lists, dicts and other values without a hash
        there = values.notna().to_numpy()
        words = [_words(v) if ok else None for v, ok in zip(values, there, strict=True)]
        places, distinct = pd.factorize(pd.Series(words, dtype="str"))
    texts = tuple(_words(value) for value in distinct)
    return Readable("text", None, texts, places.astype(np.int32))


def _words(value: Any) -> str:
    try:
        return str(value)
    except Exception:  # a value of the caller's whose str() fails
        return text(value)


def check_operator(name: str) -> str:
    """Return it.

    Raises
    ------
    ValueError
        For one that is not known, with the closest.
    """
    if name in OPERATORS:
        return name
    close = difflib.get_close_matches(str(name), OPERATORS, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    known = ", ".join(map(repr, OPERATORS))
    raise ValueError(f"There is no operator {name!r}.{hint} Known: {known}.")


def matches(column: Readable, asked: str, value: Any, label: str) -> NDArray[np.bool_]:
    """Which rows answer the question; the page's own search is `js/src/shared/search.ts`.

    Parameters
    ----------
    column
        What is searched.
    asked
        One of `OPERATORS`. ``contains`` does not mind capitals, ``equals`` of text does. A row
        whose value is missing only answers ``missing``.
    value
        Text, a number, or a date; a date of a day alone means the whole day.
    label
        The column's name, for error messages.

    Raises
    ------
    ValueError
        For an operator or a value that does not go with the column.
    """
    allowed = OF_TEXT if column.kind == "text" else OF_NUMBERS
    if check_operator(asked) not in allowed:
        holds = {"text": "text", "number": "numbers", "date": "dates"}[column.kind]
        raise ValueError(
            f"{label!r} holds {holds}: ask with one of {', '.join(map(repr, allowed))}."
        )
    if column.kind == "text":
        return _of_text(column, asked, value)
    return _of_numbers(column, asked, value, label)


def _of_text(column: Readable, asked: str, value: Any) -> NDArray[np.bool_]:
    places = column.places
    assert places is not None
    if asked in _PRESENCE:
        gone: NDArray[np.bool_] = (places < 0) == (asked == "missing")
        return gone
    wanted = _wanted(value)
    if asked == "contains":
        wanted = wanted.lower()
        found = [wanted in words.lower() for words in column.texts]
    else:
        found = [(words == wanted) == (asked == "equals") for words in column.texts]
    # The last place, which -1 reads, stands for the missing ones.
    return np.array([*found, False])[places]


def _of_numbers(column: Readable, asked: str, value: Any, label: str) -> NDArray[np.bool_]:
    numbers = column.numbers
    assert numbers is not None
    if asked in _PRESENCE:
        gone: NDArray[np.bool_] = np.isnan(numbers) == (asked == "missing")
        return gone
    if column.kind == "date":
        wanted, whole_day = _moment(value, label)
        if whole_day:
            numbers = np.floor(numbers / _DAY_S) * _DAY_S
    else:
        wanted = number(value, label)
    found: NDArray[np.bool_] = _COMPARE[asked](numbers, wanted) & ~np.isnan(numbers)
    return found


def matches_any(columns: dict[str, Readable], asked: str, value: Any) -> NDArray[np.bool_] | None:
    """Which rows answer the question in any column that it can be asked of; None without one.

    Numbers *contain* what they are equal to.
    """
    found: NDArray[np.bool_] | None = None
    for label, column in columns.items():
        of_number = column.kind != "text" and asked == "contains"
        try:
            here = matches(column, "equals" if of_number else asked, value, label)
        except ValueError:
            continue
        found = here if found is None else found | here
    return found


def _wanted(value: Any) -> str:
    words = "" if value is None else _words(value)
    if not words:
        raise ValueError("Say what to look for; rows without a value are 'missing'.")
    return words


def number(value: Any, label: str) -> float:
    """Read a number that a person wrote.

    Raises
    ------
    ValueError
        If it is none; `label` names the column in the message.
    """
    words = _wanted(value)
    try:
        return float(words.strip().replace(",", ""))
    except ValueError:
        raise ValueError(f"{label!r} holds numbers, and {text(value)!r} is none.") from None


def _moment(value: Any, label: str) -> tuple[float, bool]:
    """Seconds since 1970, and whether a whole day is meant."""
    _wanted(value)
    try:
        moment = pd.to_datetime(value, utc=True)
        seconds = float(moment.timestamp())
    except (TypeError, ValueError, AttributeError):
        example = "write it as 2024-01-31 or 2024-01-31 18:30"
        raise ValueError(
            f"{label!r} holds dates, and {text(value)!r} is none: {example}."
        ) from None
    if not np.isfinite(seconds):
        raise ValueError("Say what to look for; rows without a value are 'missing'.")
    return seconds, isinstance(value, str) and len(value.strip()) <= _DAY_TEXT
