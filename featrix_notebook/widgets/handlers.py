"""Functions of the user's that a widget calls."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

Handler = Callable[..., object]


class Handlers:
    """Functions that are called with two values, or with the first alone if they take one.

    Parameters
    ----------
    name
        The method by which they are added, for error messages.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._handlers: list[Handler] = []

    def add(self, handler: Handler) -> Callable[[], None]:
        """Add a function; the result, when called, takes it away again.

        Raises
        ------
        TypeError
            If it is none.
        """
        if not callable(handler):
            raise TypeError(f"{self._name} needs a function, not a {type(handler).__name__}.")
        self._handlers.append(handler)

        def stop() -> None:
            if handler in self._handlers:
                self._handlers.remove(handler)

        return stop

    def call(self, first: Any, second: Any) -> None:
        """Call each of them."""
        for handler in tuple(self._handlers):
            if _takes_two(handler):
                handler(first, second)
            else:
                handler(first)


def _takes_two(handler: Handler) -> bool:
    try:
        inspect.signature(handler).bind(None, None)
    except TypeError:
        return False
    except ValueError:  # some built-ins have no signature
        return False
    return True
