"""Telling Python code that the model it uses is deprecated, from the headers of answers."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from urllib.parse import unquote

from featrix_client.errors import FeatrixInputError

_PACKAGE = str(Path(__file__).parent)


def warn_if_deprecated(headers: Mapping[str, str]) -> None:
    """Emit a `DeprecationWarning` if an answer has the header ``Deprecation`` (RFC 9745)."""
    if "Deprecation" not in headers:
        return
    message = unquote(headers.get("X-Featrix-Deprecation", "")) or "This model is deprecated."
    until = headers.get("Sunset")
    if until:
        message += f" (It gives no predictions from {until} on.)"
    warnings.warn(message, DeprecationWarning, stacklevel=_level_of_caller())


def _level_of_caller() -> int:
    """Return the stack level of the code that called into this package: Python shows it that."""
    level, frame = 2, sys._getframe(2)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    return level


def expiration_text(when: str | date) -> str:
    """Return the date of a deprecation as ISO 8601 text in UTC; without a zone it is meant so.

    Raises
    ------
    ValueError
        If it is no date, or not in the future.
    """
    try:
        if isinstance(when, date) and not isinstance(when, datetime):
            when = datetime.combine(when, time())
        moment = when if isinstance(when, datetime) else datetime.fromisoformat(when.strip())
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, AttributeError, OverflowError):
        raise FeatrixInputError(
            f"{when!r} is not a date.",
            hint="Give an ISO 8601 date, such as '2027-01-31'.",
            field="expiration_date",
        ) from None
    if moment <= datetime.now(UTC):
        raise FeatrixInputError(
            f"The expiration date {moment.isoformat()} is not in the future.",
            field="expiration_date",
        )
    return moment.isoformat()
