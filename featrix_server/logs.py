"""Printing the end of a log file, and what is added to it."""

from __future__ import annotations

import os
import time
from collections import deque
from pathlib import Path
from typing import TextIO

from featrix_server.process import ServerError

_POLL_S = 0.2


def print_log(path: Path, lines: int, follow: bool) -> None:
    """Print the last lines of a log; with `follow`, go on until interrupted.

    Raises
    ------
    ServerError
        If there is no log yet.
    """
    try:
        file = path.open(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise ServerError(f"there is no log yet at {path}: no server has run there.") from None
    try:
        print("".join(deque(file, maxlen=max(0, lines))), end="", flush=True)
        while follow:
            _print_rest(file)
            if path.exists() and path.stat().st_ino != os.fstat(file.fileno()).st_ino:
                # The log was renewed: print what the old one still got, go on in the new one.
                _print_rest(file)
                file.close()
                file = path.open(encoding="utf-8", errors="replace")
            time.sleep(_POLL_S)
    finally:
        file.close()


def _print_rest(file: TextIO) -> None:
    if text := file.read():
        print(text, end="", flush=True)
