"""Whether a process lives."""

from __future__ import annotations

import psutil


def is_alive(pid: int) -> bool:
    """Tell whether a process lives; one that ended and only awaits its parent does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
