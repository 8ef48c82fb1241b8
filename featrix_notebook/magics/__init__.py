"""The magics ``%featrix`` and ``%%featrix``, and what loading the extension puts into a notebook.

The magic is a short way to write what the client does: every command returns the Python object
it made, so the next cell goes on from there. `load` and `unload` are a pair: what the first puts
into the shell, the second takes out, and whatever had been in its place comes back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from featrix_notebook import display

from .commands import FeatrixMagic
from .completion import Completer
from .names import ABSENT
from .parsing import MAGIC

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["load", "unload"]

NAMES = ("FeatrixSphere",)
_KINDS = ("line", "cell")


@dataclass
class _Loaded:
    """What `load` put into a shell, and what had been there."""

    magics_before: dict[str, Any]
    matcher: Any
    names: dict[str, Any]
    restore_displays: Callable[[], None]


_LOADED: WeakKeyDictionary[InteractiveShell, _Loaded] = WeakKeyDictionary()


def load(shell: InteractiveShell) -> None:
    """Register magics, completion, displays and `NAMES`; a second call does nothing."""
    if shell in _LOADED:
        return
    import featrix_client

    magic = FeatrixMagic(shell)
    manager = shell.magics_manager
    matcher = Completer(magic.names, magic.parsers).matcher("IPCompleter.file_matcher")
    loaded = _Loaded(
        magics_before={kind: manager.magics[kind].get(MAGIC, ABSENT) for kind in _KINDS},
        matcher=matcher,
        names={},
        restore_displays=display.register(shell),
    )
    manager.register_function(magic.run, "line", MAGIC)
    manager.register_function(magic.run_cell, "cell", MAGIC)
    shell.Completer.custom_matchers.append(matcher)
    for name in NAMES:
        if name not in shell.user_ns:
            loaded.names[name] = shell.user_ns[name] = getattr(featrix_client, name)
    _LOADED[shell] = loaded


def unload(shell: InteractiveShell) -> None:
    """Undo `load`; objects the user made with the magic stay."""
    loaded = _LOADED.pop(shell, None)
    if loaded is None:
        return
    manager = shell.magics_manager
    for kind, before in loaded.magics_before.items():
        manager.magics[kind].pop(MAGIC, None)
        vars(manager.user_magics).pop(MAGIC, None)
        if before is not ABSENT:
            manager.register_function(before, kind, MAGIC)
    shell.Completer.custom_matchers.remove(loaded.matcher)
    loaded.restore_displays()
    for name, value in loaded.names.items():
        if shell.user_ns.get(name) is value:
            del shell.user_ns[name]
