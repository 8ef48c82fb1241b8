"""Token buckets: how often something may be done, with a burst of one minute's worth."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass


@dataclass
class _Bucket:
    tokens: float
    filled_at: float


class RateLimiter:
    """Token buckets by name, safe to share between threads.

    A bucket holds as many tokens as a minute allows, starts full, and fills evenly. They are kept
    in memory: a restart fills them.
    """

    def __init__(self) -> None:
        self._buckets: dict[str, _Bucket] = {}
        self._lock = threading.Lock()

    def take(self, name: str, per_minute: int) -> float:
        """Take a token; return 0, or if there is none, the seconds until there will be."""
        rate = per_minute / 60
        now = time.monotonic()
        with self._lock:
            bucket = self._buckets.setdefault(name, _Bucket(per_minute, now))
            filled = bucket.tokens + (now - bucket.filled_at) * rate
            bucket.tokens, bucket.filled_at = min(per_minute, filled), now
            if bucket.tokens < 1:
                return (1 - bucket.tokens) / rate
            bucket.tokens -= 1
            return 0.0

    def forget(self, name: str) -> None:
        """Drop a bucket that will not be asked again."""
        with self._lock:
            self._buckets.pop(name, None)
