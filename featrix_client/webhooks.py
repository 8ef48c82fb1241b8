"""Webhooks: the events a server can call a URL for, setting them, and trusting what they say."""

from __future__ import annotations

import difflib
import hashlib
import hmac
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from featrix_client.errors import FeatrixInputError
from featrix_client.transport import Transport

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

SIGNATURE_HEADER = "X-Featrix-Signature"
"""Header of a call that holds its signature: ``sha256=`` and a hexadecimal number."""


def verify_signature(
    body: bytes | str,
    header: str | None,
    secret: str,
    *,
    max_age_s: float | None = 300.0,
    now: float | None = None,
) -> bool:
    """Tell whether a call of a webhook comes from who knows the secret, and is not an old one.

    Parameters
    ----------
    body : bytes
        The body of the request as it came: not parsed and written again.
    header : str or None
        Its header ``X-Featrix-Signature``; None if it has none.
    secret : str
        The ``webhook_secret`` that was configured.
    max_age_s : float, optional
        Farthest the signed ``timestamp`` may be from now, in seconds, either way, so that nobody
        can play a call again that was overheard; None accepts any. The same event may still come
        twice within that time: ``X-Featrix-Delivery`` tells which have been seen.
    now : float, optional
        The present, in seconds since 1970; left out, the clock's.

    Returns
    -------
    bool
        False for anything that is not a fresh message signed with `secret`.

    Raises
    ------
    ValueError
        If `secret` is empty: anybody could sign with that.

    Notes
    -----
    The signature is ``sha256=`` and HMAC-SHA256 (RFC 2104) of the body, in hexadecimal.
    """
    if not secret:
        raise FeatrixInputError("secret is empty: anybody could sign with that.", field="secret")
    raw = body.encode() if isinstance(body, str) else bytes(body)
    signed = "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(signed.encode(), (header or "").strip().encode("utf-8", "replace")):
        return False
    if max_age_s is None:
        return True
    try:
        sent = datetime.fromisoformat(json.loads(raw)["timestamp"]).timestamp()
    except (ValueError, TypeError, KeyError):
        return False
    return abs((time.time() if now is None else now) - sent) <= max_age_s


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
            if not isinstance(url, str) or not url:
                raise FeatrixInputError(f"{SECRET} must be a text, not {url!r}.", field=SECRET)
            continue
        _check_event(event)
        if not _is_http(url):
            raise FeatrixInputError(
                f"The webhook {event!r} needs an http:// or https:// URL, not {url!r}.",
                field="webhooks",
            )
    return dict(webhooks)


def _check_event(event: object) -> None:
    if event not in WEBHOOK_EVENTS:
        near = difflib.get_close_matches(str(event), WEBHOOK_EVENTS, 1)
        raise FeatrixInputError(
            f"{event!r} is not a webhook event" + (f"; is {near[0]!r} meant?" if near else "."),
            hint=f"The events are: {', '.join(WEBHOOK_EVENTS)}.",
            field="webhooks",
        )


def _is_http(url: object) -> bool:
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
    except ValueError:
        return False
    return parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname)


class WebhookOwner(ABC):
    """What has webhooks: base of `FoundationalModel` and `Predictor`."""

    _transport: Transport

    @property
    @abstractmethod
    def _path(self) -> str:
        """Path of the model on the server."""

    def _as_predictor(self) -> dict[str, str]:
        """What names this object in a request; nothing for the model itself."""
        return {}

    def configure_webhooks(
        self,
        training_started: str | None = None,
        training_finished: str | None = None,
        alert_drift: str | None = None,
        alert_performance_degradation: str | None = None,
        alert_error_rate: str | None = None,
        alert_quota_threshold: str | None = None,
        prediction_error: str | None = None,
        batch_job_completed: str | None = None,
        webhook_secret: str | None = None,
    ) -> dict[str, str]:
        """Set the URLs that the server calls (POST) when something happens.

        Only what is named is set; the rest stays. A model's webhooks are also called for its
        predictors, where these have none of their own for the event.

        Parameters
        ----------
        training_started, training_finished : str, optional
            A training begins; it ends, well or not (``data["status"]``).
        alert_drift : str, optional
            What is asked, or answered, differs from the training data (PSI above 0.2).
        alert_performance_degradation : str, optional
            Feedback shows the score more than 5 points below that of the validation.
        alert_error_rate : str, optional
            More than 5 % of the last 100 records could not be answered.
        alert_quota_threshold : str, optional
            80 % or 95 % of a limit is used up.
        prediction_error : str, optional
            A record cannot be answered.
        batch_job_completed : str, optional
            A table of records has been answered.
        webhook_secret : str, optional
            Signs every call; see `verify_signature`.

        Returns
        -------
        dict
            As `get_webhooks` does.

        Raises
        ------
        ValueError
            If nothing is named, or something is no http(s) URL that the server may call.
        """
        named = {
            "training_started": training_started,
            "training_finished": training_finished,
            "alert_drift": alert_drift,
            "alert_performance_degradation": alert_performance_degradation,
            "alert_error_rate": alert_error_rate,
            "alert_quota_threshold": alert_quota_threshold,
            "prediction_error": prediction_error,
            "batch_job_completed": batch_job_completed,
            SECRET: webhook_secret,
        }
        given = check_webhooks({name: url for name, url in named.items() if url is not None})
        if not given:
            raise FeatrixInputError(
                "No webhook is named.",
                hint='For instance: configure_webhooks(training_finished="https://...").',
                field="webhooks",
            )
        body = {"webhooks": given, **self._as_predictor()}
        return self._read(
            self._transport.post(f"{self._path}/configure_webhooks", body, repeatable=True)
        )

    def get_webhooks(self) -> dict[str, str]:
        """Return events and the URLs that are called for them.

        Returns
        -------
        dict
            Event to URL; for a predictor also those it has from its model. ``webhook_secret`` is
            there, but masked, if calls are signed.
        """
        return self._read(self._transport.get(f"{self._path}/webhooks", **self._as_predictor()))

    def disable_webhook(self, event_type: str) -> dict[str, str]:
        """Have an event no longer told; returns what is left, as `get_webhooks` does.

        Parameters
        ----------
        event_type : str
            One of `WEBHOOK_EVENTS`.

        Raises
        ------
        ValueError
            If there is no such event.
        """
        _check_event(event_type)
        body = {"event_type": event_type, **self._as_predictor()}
        answer = self._transport.post(f"{self._path}/disable_webhook", body, repeatable=True)
        return self._read(answer) if "webhooks" in answer else self.get_webhooks()

    def get_webhook_deliveries(self, limit: int = 100) -> list[dict[str, Any]]:
        """Return the log of the calls, newest first.

        Parameters
        ----------
        limit : int
            Most calls to return, 1 to 1000.

        Returns
        -------
        list of dict
            ``id`` (as in ``X-Featrix-Delivery``), ``event``, ``predictor_id``, ``url``, ``data``,
            ``status`` (``waiting``, ``delivered``, ``failed`` or ``cancelled``), ``created_at``,
            ``due_at``, ``finished_at`` and ``tries``: ``at``, ``seconds``, ``status_code`` and
            ``error`` of each.
        """
        answer = self._transport.get(
            f"{self._path}/webhook_deliveries", limit=limit, **self._as_predictor()
        )
        deliveries: list[dict[str, Any]] = answer["deliveries"]
        return deliveries

    def _read(self, answer: dict[str, Any]) -> dict[str, str]:
        told = None if self._as_predictor() else answer.get("model")
        webhooks: dict[str, str] = answer["webhooks"] if told is None else told
        return webhooks
