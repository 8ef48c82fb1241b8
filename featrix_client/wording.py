"""Text from data in lines of our own."""

from __future__ import annotations


def one_line(text: object, width: int = 100) -> str:
    """Return text on one line of at most `width` characters, none of which steers a terminal."""
    line = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    return line if len(line) <= width else line[: width - 1] + "…"
