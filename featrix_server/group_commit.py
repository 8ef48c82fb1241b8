"""Many threads, one transaction at a time: whoever waits shares the next one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass
class _Ticket(Generic[Item]):
    item: Item
    is_done: bool = False
    error: Exception | None = None


class GroupCommit(Generic[Item]):
    """Hand items to a function that commits a list of them; return when one's own is committed.

    A thread that finds nobody committing commits its item at once, on its own stack. Those that
    come meanwhile wait, and one of them then commits the items of all. So a lone caller pays one
    commit, and a crowd pays one commit between them.

    Parameters
    ----------
    commit
        Stores all of the items it is given, or none of them and raises. Never runs twice at once.
    """

    def __init__(self, commit: Callable[[list[Item]], None]) -> None:
        self._commit = commit
        self._turn = threading.Condition()
        self._waiting: list[_Ticket[Item]] = []
        self._is_busy = False

    def add(self, item: Item) -> None:
        """Return once `item` is committed.

        Raises
        ------
        Exception
            What the commit of this item raised; other callers do not see it.
        """
        ticket = _Ticket(item)
        with self._turn:
            self._waiting.append(ticket)
            self._turn.wait_for(lambda: ticket.is_done or not self._is_busy)
            if not ticket.is_done:
                group, self._waiting = self._waiting, []
                self._is_busy = True
        if not ticket.is_done:
            try:
                self._commit_all(group)
            finally:
                with self._turn:
                    self._is_busy = False
                    for one in group:
                        one.is_done = True
                    self._turn.notify_all()
        if ticket.error is not None:
            raise ticket.error

    def _commit_all(self, group: list[_Ticket[Item]]) -> None:
        try:
            self._commit([ticket.item for ticket in group])
        except Exception as error:
            if len(group) == 1:
                group[0].error = error
                return
            for ticket in group:  # whose fault it was shows when each goes alone
                self._commit_all([ticket])
