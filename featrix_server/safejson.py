"""JSON that every reader accepts: UTF-8, and null instead of NaN and infinities."""

from __future__ import annotations

import json
import math
from datetime import date, time
from typing import Any

import numpy as np
import orjson


def finite(value: Any) -> Any:
    """Return `value` with every non-finite float in it, at any depth, replaced by None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def encoded(value: Any) -> bytes:
    """Serialise `value` compactly, as UTF-8.

    Non-finite floats become null, NumPy values plain ones, times ISO text, and anything else
    that a table cell may hold its text. Half a surrogate pair, which is no text, becomes "?".

    Raises
    ------
    RecursionError
        If it is nested deeper than Python can follow.
    """
    try:
        return orjson.dumps(value, default=_plain)
    except TypeError:
        # What orjson has no form for: integers above 64 bits, keys that are no text, half a
        # surrogate pair, nesting beyond some hundred levels. The standard library's has one.
        return _slowly(value).encode("utf-8", "replace")


def dumps(value: Any) -> str:
    """Serialise `value` as `encoded` does, as text."""
    return encoded(value).decode()


def _slowly(value: Any) -> str:
    return json.dumps(
        finite(value), allow_nan=False, ensure_ascii=False, separators=(",", ":"), default=_plain
    )


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return finite(value.tolist())
    if isinstance(value, tuple):  # a named one
        return list(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)
