"""When a request is sent again, and after how long.

A request that may already have been carried out is only repeated if that does no harm: it
reads, it says the same thing twice, or it carries an idempotency key.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

TRAINING_WORDS = frozenset(
    {
        "training_in_progress_no_checkpoint",
        "training_in_progress",
        "training_not_started",
        "no_training_started",
    }
)
"""Values of ``status`` in a 503 that means "not trained yet", which no retry will mend."""

_UPGRADE_SIGNS = ("NodeUpgradingException", "is currently upgrading")


@dataclass(frozen=True)
class RetryPolicy:
    """How patient a transport is; all times in seconds.

    Attributes
    ----------
    attempts : int
        Times one request is sent at most, at least 1.
    connect_attempts : int
        The same while nobody answers at all: most often the address is wrong.
    base_delay, max_delay : float
        Wait before the second attempt, doubled each time up to the maximum. A random part of up
        to a quarter is taken off, so that many clients do not come back at one moment.
    total : float
        Longest time spent on one request, waits included.
    queue_wait, queue_total : float
        Step and limit of waiting for room in a full job queue.
    upgrade_wait, upgrade_total : float
        Step and limit of waiting for a server that says it is being upgraded.
    """

    attempts: int = 5
    connect_attempts: int = 3
    base_delay: float = 2.0
    max_delay: float = 16.0
    total: float = 120.0
    queue_wait: float = 15.0
    queue_total: float = 3600.0
    upgrade_wait: float = 15.0
    upgrade_total: float = 1200.0


@dataclass
class Patience:
    """What is left of the patience for one request.

    Parameters
    ----------
    policy : RetryPolicy
        The limits.
    repeatable : bool
        Whether sending the request twice does no harm.
    """

    policy: RetryPolicy
    repeatable: bool
    _failures: int = 0
    _start: float = field(default_factory=time.monotonic)

    def after_silence(self) -> float | None:
        """Return the wait after a request that was sent but not answered; None to give up."""
        return self._delay() if self.repeatable else None

    def after_refusal(self) -> float | None:
        """Return the wait when no connection came about; None to give up."""
        return self._delay(attempts=self.policy.connect_attempts)

    def after_answer(self, status: int, headers: Mapping[str, str], body: Any) -> float | None:
        """Return the wait after an answer with an error status; None to give up."""
        wish = retry_after(headers)
        fields = body if isinstance(body, dict) else {}
        detail = fields.get("detail")
        if status == 429 and fields.get("quota_exceeded"):
            return self._patient(wish or self.policy.queue_wait, self.policy.queue_total)
        if status == 429 or (status == 409 and detail == "stalled-node-busy"):
            return self._delay(wish)
        if status in (500, 503) and any(sign in str(detail) for sign in _UPGRADE_SIGNS):
            return self._patient(wish or self.policy.upgrade_wait, self.policy.upgrade_total)
        if status == 503 and fields.get("status") in TRAINING_WORDS:
            return None
        if status == 503 or (status in (500, 502, 504) and self.repeatable):
            return self._delay(wish)
        return None

    def _patient(self, delay: float, limit: float) -> float | None:
        return delay if time.monotonic() - self._start + delay <= limit else None

    def _delay(self, wish: float | None = None, attempts: int | None = None) -> float | None:
        """Count a failure and return the next wait, at least what the server wished for."""
        self._failures += 1
        if self._failures >= (attempts or self.policy.attempts):
            return None
        delay = min(self.policy.base_delay * 2 ** (self._failures - 1), self.policy.max_delay)
        delay = max(delay * random.uniform(0.75, 1.0), wish or 0.0)
        return self._patient(delay, self.policy.total)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Read ``Retry-After`` (seconds or an HTTP date); None when absent or unreadable."""
    text = headers.get("Retry-After", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except (TypeError, ValueError):
            return None
        if moment.tzinfo is None:  # "-0000": a time in UTC that claims no zone
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - datetime.now(UTC)).total_seconds()
    return max(seconds, 0.0) if math.isfinite(seconds) else None
