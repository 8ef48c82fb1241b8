"""Questions that a display may ask: never for long, and never so that a server is started."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

PATIENCE = 1.5


def answers(client: Any) -> bool:
    """Whether asking is safe: a question to an embedded server that is gone would start it."""
    transport: Any = getattr(client, "_transport", None)
    if not getattr(transport, "is_local", False):
        return True
    address = urlsplit(transport.url)
    try:
        socket.create_connection((address.hostname, address.port), timeout=0.5).close()
    except OSError:
        return False
    return True


def fetch(*calls: Callable[[], Any], patience: float = PATIENCE) -> list[Any]:
    """Results of `calls`, made side by side; `None` for one that failed or took too long.

    The threads are daemons: a server that never answers holds up neither this call nor the end
    of the process.
    """
    results: list[Any] = [None] * len(calls)
    alive = True

    def work(place: int, call: Callable[[], Any]) -> None:
        try:
            value = call()
        except Exception:  # a display shows what it has; the user's own call will say what failed
            return
        if alive:
            results[place] = value

    threads = [
        threading.Thread(target=work, args=item, name="featrix-display", daemon=True)
        for item in enumerate(calls)
    ]
    deadline = time.monotonic() + patience
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    alive = False
    return list(results)
