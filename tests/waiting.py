"""Waiting for what happens on another thread, in another process or on a page."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest


def wait_until(true: Callable[[], Any], what: str, seconds: float = 60, every: float = 0.05) -> Any:
    """Return the first truthy value of `true`; fail with `what` when it takes too long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := true():
            return value
        time.sleep(every)
    pytest.fail(f"Not within {seconds:g} s: {what}")
