"""The events a server can call a URL for, and the check of what a user asks for."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from urllib.parse import urlsplit

from featrix_client.errors import FeatrixInputError

WEBHOOK_EVENTS = (
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

SECRET = "webhook_secret"
"""Name under which the secret for signatures travels beside the URLs."""


def check_webhooks(webhooks: Mapping[str, str]) -> dict[str, str]:
    """Return webhooks as a dict after checking names and addresses.

    Parameters
    ----------
    webhooks : mapping of str to str
        Event to ``http://`` or ``https://`` URL; may hold ``webhook_secret``.

    Raises
    ------
    FeatrixInputError
        If an event is unknown or an address is not http(s).
    """
    if not isinstance(webhooks, Mapping):
        raise FeatrixInputError(
            f"webhooks must be a dict of events and URLs, not a {type(webhooks).__name__}.",
            field="webhooks",
        )
    for event, url in webhooks.items():
        if event == SECRET:
            continue
        if event not in WEBHOOK_EVENTS:
            near = difflib.get_close_matches(str(event), WEBHOOK_EVENTS, 1)
            raise FeatrixInputError(
                f"{event!r} is not a webhook event" + (f"; is {near[0]!r} meant?" if near else "."),
                hint=f"The events are: {', '.join(WEBHOOK_EVENTS)}.",
                field="webhooks",
            )
        if not _is_http(url):
            raise FeatrixInputError(
                f"The webhook {event!r} needs an http:// or https:// URL, not {url!r}.",
                field="webhooks",
            )
    return dict(webhooks)


def _is_http(url: object) -> bool:
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
    except ValueError:
        return False
    return parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname)
