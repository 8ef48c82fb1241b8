"""JSON that every reader accepts: UTF-8, and null instead of NaN and infinities."""

from __future__ import annotations

import json
import math
from typing import Any


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
    """Serialise `value` compactly; non-finite floats become null.

    The check is left to the C encoder, so the common all-finite value is walked only once.
    """
    try:
        return _encode(value)
    except ValueError:
        return _encode(finite(value))


def _encode(value: Any) -> str:
    return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
