"""JSON that every reader accepts: UTF-8, and null instead of NaN and infinities."""

from __future__ import annotations

import json
import math
from datetime import date, time
from typing import Any

import numpy as np


def finite(value: Any) -> Any:
    """Return `value` with every non-finite float in it, at any depth, replaced by None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def dumps(value: Any) -> str:
    """Serialise `value` compactly.

    Non-finite floats become null, NumPy values plain ones, times ISO text, and anything else
    that a table cell may hold its text. Half a surrogate pair, which is no text, becomes "?".
    """
    try:
        # The C encoder finds the rare non-finite float; the common value is walked only once.
        text = _encode(value)
    except ValueError:
        text = _encode(finite(value))
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _encode(value: Any) -> str:
    return json.dumps(
        value, allow_nan=False, ensure_ascii=False, separators=(",", ":"), default=_plain
    )


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return finite(value.tolist())
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)
