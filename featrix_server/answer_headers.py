"""Headers that whatever serves a request adds to its answer, wherever the answer is made."""

from __future__ import annotations

from contextvars import ContextVar

# The dictionary, not a new value, is what threads that serve the request change.
_headers: ContextVar[dict[str, str] | None] = ContextVar("answer_headers", default=None)


def collect_headers() -> dict[str, str]:
    """Begin a request; return the dictionary that `add_headers` will fill."""
    found: dict[str, str] = {}
    _headers.set(found)
    return found


def add_headers(headers: dict[str, str]) -> None:
    """Add headers to the answer of the request that is being served, if one is."""
    found = _headers.get()
    if found is not None:
        found.update(headers)
