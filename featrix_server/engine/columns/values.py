"""Plain values: what counts as missing, how a value reads as text, as a number."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable, Hashable, Sequence
from datetime import date, datetime, time
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MISSING_TEXTS = frozenset(
    ["", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "-NaN", "NaT", "null", "NULL", "Null"]
)
"""Texts that mean "no value" once trimmed. Not "None", "unknown" or "0": those are values."""

_NUMBER = re.compile(
    r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d*)?(?:[eE][-+]?\d+)?", re.ASCII
)  # 1,234.5 and 1e-3; parse_number checks that there is a digit


def text_of(value: Any) -> str | None:
    """Return a value as trimmed text, the same for 1, 1.0 and numpy's 1; None if missing."""
    if isinstance(value, str):
        text = value.strip()
        return None if text in MISSING_TEXTS else text
    if value is None:
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return _other_text(value)


def _other_text(value: Any) -> str | None:
    if isinstance(value, bytes):
        return text_of(value.decode("utf-8", "replace"))
    if isinstance(value, dict | list | tuple | set | np.ndarray):
        return json.dumps(_plain(value), sort_keys=True, ensure_ascii=False, default=str)
    if type(value).__name__ in ("NaTType", "NAType"):
        return None
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return text_of(str(value))


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    return sorted(map(str, value)) if isinstance(value, set) else value


def parse_number(value: Any) -> float:
    """Return a value as a finite number, or NaN where it is none.

    Understands thousands separators, one leading currency sign, a trailing ``%`` (kept as
    percent, not divided). Booleans count as 0 and 1, infinities as no number.
    """
    if isinstance(value, str):
        text = value.strip()
        sign = -1.0 if text.startswith("-") else 1.0
        text = text.lstrip("+-").lstrip("$€£¥").strip().removesuffix("%").rstrip()
        if not text or not _NUMBER.fullmatch(text) or not (text[0].isdigit() or text[0] == "."):
            return math.nan
        value = text.replace(",", "")
    else:
        sign = 1.0
    try:
        number = sign * float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan
    return number if math.isfinite(number) else math.nan


def to_floats(values: Sequence[Any] | pa.ChunkedArray) -> np.ndarray:
    """Return values as float64 (n,), NaN where missing or not a finite number."""
    if isinstance(values, pa.ChunkedArray | pa.Array):
        kind = values.type
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
            if pa.types.is_boolean(kind):
                values = values.cast(pa.uint8())
            array: np.ndarray = pc.cast(values, pa.float64(), safe=False).to_numpy(
                zero_copy_only=False
            )
            return np.where(np.isfinite(array), array, np.nan)
        uniques, codes = factorise(values)
        parsed = np.array([*map(parse_number, uniques), math.nan], dtype=np.float64)
        return parsed.take(codes, mode="wrap")  # -1 is the last
    if isinstance(values, np.ndarray) and values.dtype.kind in "fiub":
        array = values.astype(np.float64)
        return np.where(np.isfinite(array), array, np.nan)
    if all(type(value) in _NUMERIC for value in values):
        try:
            array = np.array(values, dtype=np.float64)
        except OverflowError:  # an int beyond 1e308
            return np.array([parse_number(value) for value in values])
        array[~np.isfinite(array)] = math.nan
        return array
    return np.array([parse_number(value) for value in values], dtype=np.float64)


_NUMERIC = frozenset([float, int, type(None)])


def factorise(
    values: Sequence[Any] | pa.ChunkedArray,
    key: Callable[[Any], Hashable] = text_of,
) -> tuple[list[Any], np.ndarray]:
    """Split values into distinct ones and a code for each row.

    Work on distinct values once, append one result for "missing", then index with the codes:
    -1, the code of a missing value, picks that last one.

    Returns
    -------
    uniques : list of n_unique values, as `key` gives them (``None`` never among them)
    codes : int64 (n,), -1 where the value is missing
    """
    if isinstance(values, pa.ChunkedArray | pa.Array) and not pa.types.is_nested(values.type):
        if isinstance(values, pa.ChunkedArray):
            values = values.combine_chunks()
        if not pa.types.is_dictionary(values.type):
            values = values.dictionary_encode()
        indices = values.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
        uniques, codes = _factorise(values.dictionary.to_pylist(), key)
        return uniques, np.append(codes, -1)[indices]
    if isinstance(values, pa.ChunkedArray | pa.Array):
        values = values.to_pylist()
    return _factorise(values, key)


def _factorise(values: Sequence[Any], key: Callable[[Any], Hashable]) -> tuple[list[Any], Any]:
    seen: dict[Hashable, int] = {None: -1}
    codes = [seen.setdefault(key(value), len(seen) - 1) for value in values]
    del seen[None]
    return list(seen), np.array(codes, dtype=np.int64)


def pack(array: np.ndarray) -> dict[str, Any]:
    """Return an array in a JSON-safe form that `unpack` restores bit by bit."""
    data = np.ascontiguousarray(array)
    return {
        "dtype": data.dtype.str,
        "shape": list(data.shape),
        "base64": base64.b64encode(data.tobytes()).decode("ascii"),
    }


def unpack(data: dict[str, Any]) -> np.ndarray:
    """Restore an array from `pack`'s form."""
    raw = np.frombuffer(base64.b64decode(data["base64"]), dtype=np.dtype(data["dtype"]))
    return raw.reshape(data["shape"]).copy()
