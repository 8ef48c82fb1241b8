"""Deprecated models: what every answer says about them, and the end of their predictions."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Protocol
from urllib.parse import quote

from featrix_server.answer_headers import add_headers
from featrix_server.db import now
from featrix_server.errors import ApiError, invalid_input

WARNING_HEADER = "X-Featrix-Deprecation"
"""The warning itself, as percent-encoded UTF-8; the standard headers have room for dates only."""


class MayExpire(Protocol):
    """What there is to know of a model's end: a `SessionRow`, or those columns of one."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str | None: ...
    @property
    def deprecated_at(self) -> datetime | None: ...
    @property
    def deprecation_warning(self) -> str | None: ...
    @property
    def expires_at(self) -> datetime | None: ...


def parse_expiration(text: str) -> datetime:
    """Read the date after which a model gives no predictions; without a zone it is in UTC.

    Raises
    ------
    ApiError
        422 if it is no ISO 8601 date, or not in the future.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise invalid_input(
            f"{text!r} is not a date.",
            hint="Give an ISO 8601 date, such as 2027-01-31 or 2027-01-31T12:00:00Z.",
            field="expiration_date",
        ) from None
    if moment <= now():
        raise invalid_input(
            f"The expiration date {text!r} is not in the future.",
            hint="Give a later one.",
            field="expiration_date",
        )
    return moment


def expiration(row: MayExpire) -> dict[str, Any] | None:
    """Return the wire's ``model_expiration``; None unless the model is deprecated."""
    if row.deprecated_at is None or row.expires_at is None:
        return None
    return {
        "warning_message": row.deprecation_warning,
        "expiration_date": row.expires_at.isoformat(),
    }


def mark_answer(row: MayExpire) -> None:
    """Let the answer being made say that its model is deprecated, if it is.

    ``Deprecation`` is that of RFC 9745, ``Sunset`` that of RFC 8594.
    """
    if row.deprecated_at is None or row.expires_at is None:
        return
    add_headers(
        {
            "Deprecation": f"@{int(row.deprecated_at.timestamp())}",
            "Sunset": format_datetime(row.expires_at, usegmt=True),
            WARNING_HEADER: quote(row.deprecation_warning or ""),
        }
    )


def refuse_expired(row: MayExpire) -> None:
    """Refuse with 410 to predict with a model whose date has passed."""
    if row.expires_at is not None and row.expires_at <= now():
        raise ApiError(
            410,
            "expired",
            f"The model {row.name or row.id!r} gives no predictions any more: it expired on "
            f"{row.expires_at:%Y-%m-%d at %H:%M} UTC.",
            hint=row.deprecation_warning,
        )
