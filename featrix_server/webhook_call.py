"""One call of a webhook: its message, its signature, and the try to get it through."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime

import requests

from featrix_server import __version__, safejson
from featrix_server.db import DeliveryRow, now
from featrix_server.outgoing import OutgoingSession, RefusedAddressError


def signature(secret: str, body: bytes) -> str:
    """Return the value of ``X-Featrix-Signature``: HMAC-SHA256 (RFC 2104) of the body, in hex."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def stamp(moment: datetime) -> str:
    """Return a time as a payload has it: ISO 8601 with ``Z``, to the millisecond."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Outcome:
    """What came of a try. ``is_final``: another one would be no use."""

    status_code: int | None = None
    error: str | None = None
    is_final: bool = False

    @property
    def is_success(self) -> bool:
        """Whether the receiver has it."""
        return self.status_code is not None and 200 <= self.status_code < 300

    @property
    def is_gone(self) -> bool:
        """Whether the receiver wants no more of them."""
        return self.status_code == 410


@dataclass(frozen=True)
class Call:
    """A delivery with what a try needs; ``url`` is None when the webhook has been disabled."""

    row: DeliveryRow
    url: str | None
    secret: str | None

    def message(self) -> tuple[bytes, dict[str, str]]:
        """Return body and headers.

        The timestamp is that of the try: a receiver that turns away old messages, so that nobody
        can play them to it again, must not turn away what is late through no fault of its own.
        """
        body = safejson.encoded(
            {
                "event": self.row.event,
                "timestamp": stamp(now()),
                "foundational_model_id": self.row.session_id,
                "predictor_id": self.row.predictor_id,
                "data": self.row.data,
            }
        )
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"FeatrixNotebook/{__version__}",
            "X-Featrix-Event": self.row.event,
            "X-Featrix-Delivery": self.row.id,
        }
        if self.secret:
            headers["X-Featrix-Signature"] = signature(self.secret, body)
        return body, headers

    def make(self, session: OutgoingSession, longest_s: float) -> Outcome:
        """Try once to get the message through; does not raise for what the receiver does."""
        if self.url is None:
            return Outcome(error="the webhook was disabled", is_final=True)
        body, headers = self.message()
        try:
            # No credentials but our signature (requests would look into ~/.netrc), and nothing
            # of the answer but its head.
            with session.post(
                self.url,
                data=body,
                headers=headers,
                auth=_as_it_is,
                timeout=longest_s,
                allow_redirects=False,
                stream=True,
            ) as answer:
                return _judge(answer)
        except RefusedAddressError as error:
            return Outcome(error=str(error), is_final=True)
        except (requests.RequestException, OSError, ValueError) as error:
            late = session.is_over or isinstance(error, requests.Timeout | TimeoutError)
            return Outcome(error=f"no answer within {longest_s:g} s" if late else _reason(error))


def _judge(answer: requests.Response) -> Outcome:
    code = answer.status_code
    if 200 <= code < 300:
        return Outcome(code)
    error = f"the answer was {code} {answer.reason or ''}".rstrip()
    if 300 <= code < 400:
        error += "; redirects are not followed"
    elif code == 410:
        error += "; the webhook was disabled"
    return Outcome(code, error)


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _reason(error: BaseException) -> str:
    """Return the innermost reason of a failed request: the outer ones repeat it at length."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return str(error).strip()[:300] or type(error).__name__
