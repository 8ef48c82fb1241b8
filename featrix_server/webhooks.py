"""Webhooks as they are configured: their events, what may be called, merging, masking."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from featrix_server.db import WebhookRow
from featrix_server.errors import invalid_input
from featrix_server.outgoing import RefusedAddressError, check_literal

EVENTS = (
    "training_started",
    "training_finished",
    "alert_drift",
    "alert_performance_degradation",
    "alert_error_rate",
    "alert_quota_threshold",
    "prediction_error",
    "batch_job_completed",
)
"""Events of the API reference."""

ACCEPTED_EVENTS = (*EVENTS, "usage")
"""What may be configured; nothing happens here that other clients' ``usage`` would tell of."""

SECRET = "webhook_secret"
"""Name under which the secret for signatures travels beside the URLs."""

MASK = "********"
"""What is shown in place of a secret; sent back, it changes nothing."""

MAX_URL_CHARS = 2048
MAX_SECRET_CHARS = 1024


def check_webhooks(webhooks: Mapping[str, str | None], *, allow_private: bool) -> dict[str, str]:
    """Return what of `webhooks` is to be stored.

    Parameters
    ----------
    webhooks
        Events and URLs, and perhaps `SECRET`. Null, and a secret as it is shown, say nothing.
    allow_private
        Whether the URLs may name private addresses.

    Raises
    ------
    ApiError
        422 if an event is unknown, or a URL cannot be called.
    """
    given = {name: value for name, value in webhooks.items() if value is not None}
    for name, value in given.items():
        if name == SECRET:
            if not 0 < len(value) <= MAX_SECRET_CHARS:
                raise invalid_input(
                    f"{SECRET} must have 1 to {MAX_SECRET_CHARS} characters, not {len(value):,}.",
                    field=SECRET,
                )
        else:
            check_event(name)
            _check_url(name, value, allow_private)
    if given.get(SECRET) == MASK:
        del given[SECRET]
    return given


def check_event(name: str) -> None:
    """Refuse (422) an event that does not exist."""
    if name not in ACCEPTED_EVENTS:
        raise invalid_input(
            f"{name!r} is not a webhook event.",
            hint=f"The events are: {', '.join(EVENTS)}.",
            field="webhooks",
        )


def _check_url(event: str, url: str, allow_private: bool) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
        usable = parts.scheme in ("http", "https") and bool(host) and url.isprintable()
    except ValueError:
        usable = False
    if not usable or " " in url or len(url) > MAX_URL_CHARS:
        raise invalid_input(
            f"The webhook {event!r} needs an http:// or https:// URL of at most {MAX_URL_CHARS:,} "
            f"characters, not {url[:200]!r}.",
            field="webhooks",
        )
    if parts.username is not None or parts.password is not None:
        raise invalid_input(
            f"The URL of the webhook {event!r} holds a user name or a password.",
            hint=f"Leave it out: with a {SECRET} every call is signed.",
            field="webhooks",
        )
    try:
        check_literal("127.0.0.1" if host == "localhost" else str(host), allow_private)
    except RefusedAddressError as error:
        raise invalid_input(
            f"The webhook {event!r} cannot be called: {error}.",
            hint="Use an address that can be reached from the internet, or have "
            "FEATRIX_SERVER_ALLOW_PRIVATE_URLS set on the server.",
            field="webhooks",
        ) from error


def set_webhooks(
    session: Session, session_id: str, predictor_id: str | None, given: Mapping[str, str]
) -> WebhookRow:
    """Merge checked webhooks into those of a model or a predictor, in the caller's transaction.

    The caller holds the lock of the model's row.
    """
    owner_id = predictor_id or session_id
    row = session.get(WebhookRow, owner_id)
    if row is None:
        row = WebhookRow(
            owner_id=owner_id, session_id=session_id, predictor_id=predictor_id, urls={}
        )
        session.add(row)
    row.urls = row.urls | {name: url for name, url in given.items() if name != SECRET}
    row.secret = given.get(SECRET, row.secret)
    return row


def disable_webhook(
    session: Session, session_id: str, predictor_id: str | None, event: str
) -> None:
    """Have an event no longer told to anybody, in the caller's transaction.

    A predictor of a model that has a URL for the event does not fall back to that one.
    The caller holds the lock of the model's row.
    """
    row = set_webhooks(session, session_id, predictor_id, {})
    urls = {name: url for name, url in row.urls.items() if name != event}
    row.urls = urls if predictor_id is None else urls | {event: None}


def shown(rows: Iterable[WebhookRow]) -> dict[str, str]:
    """Return events and URLs as they may be shown, of the first owner that says something."""
    urls: dict[str, str | None] = {}
    secret = False
    for row in rows:
        urls = row.urls | urls
        secret = secret or bool(row.secret)
    told = {event: url for event, url in urls.items() if url}
    return told | ({SECRET: MASK} if secret else {})
