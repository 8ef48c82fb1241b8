"""The event log of the sessions as its listeners see it.

Events are rows, written by the worker processes in the same transaction as what they tell of.
One query every 100 ms finds the sessions whose log has grown, however many listen; only their
listeners then read.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from featrix_server.db import OPEN_STATUSES, Database, EventRow, JobRow

logger = logging.getLogger(__name__)

POLL_S = 0.1
PAGE = 500


class EventHub:
    """Gives any number of listeners the events of their sessions as they are written.

    Belongs to one event loop; looks into the database only while somebody listens.

    Parameters
    ----------
    database : Database
        Open database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listeners: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._watch: asyncio.Task[None] | None = None
        self._closed = False

    async def listen(
        self, session_id: str, after: int, heartbeat_s: float
    ) -> AsyncIterator[Sequence[EventRow]]:
        """Yield the events of a session behind `after`, until none of its jobs is open.

        Parameters
        ----------
        session_id : str
            The session.
        after : int
            Sequence number of the last event already known; 0 for all.
        heartbeat_s : float
            An empty sequence is yielded when nothing has happened for this long.
        """
        grown = asyncio.Event()
        self._add(session_id, grown)
        try:
            while not self._closed:
                grown.clear()  # before reading: what is written from here on sets it again
                is_open, events = await asyncio.to_thread(self._read, session_id, after)
                if events:
                    after = events[-1].seq
                    yield events
                elif not is_open:
                    return
                if len(events) < PAGE and is_open and not await _is_set(grown, heartbeat_s):
                    yield ()
        finally:
            self._remove(session_id, grown)

    def close(self) -> None:
        """Let every listener end after what it is reading."""
        self._closed = True
        self._wake(list(self._listeners))

    def _add(self, session_id: str, grown: asyncio.Event) -> None:
        self._listeners[session_id].add(grown)
        if self._watch is None:
            self._watch = asyncio.create_task(self._watch_log())

    def _remove(self, session_id: str, grown: asyncio.Event) -> None:
        self._listeners[session_id].discard(grown)
        if not self._listeners[session_id]:
            del self._listeners[session_id]
        if not self._listeners and self._watch is not None:
            self._watch.cancel()
            self._watch = None

    async def _watch_log(self) -> None:
        last: int | None = None
        while True:
            try:
                if last is None:
                    last = await asyncio.to_thread(self._last_seq)
                    self._wake(list(self._listeners))  # they may have read before `last` was
                for session_id, seq in await asyncio.to_thread(self._grown_since, last):
                    last = max(last, seq)
                    self._wake([session_id])
            except DBAPIError:  # a database that is away for a while must not end the watch
                logger.exception("reading the event log")
            await asyncio.sleep(POLL_S)

    def _wake(self, session_ids: Sequence[str]) -> None:
        for session_id in session_ids:
            for grown in self._listeners.get(session_id, ()):
                grown.set()

    def _last_seq(self) -> int:
        with self._database.read() as session:
            return session.scalar(select(func.max(EventRow.seq))) or 0

    def _grown_since(self, seq: int) -> Sequence[tuple[str, int]]:
        with self._database.read() as session:
            query = select(EventRow.session_id, func.max(EventRow.seq)).where(EventRow.seq > seq)
            return [(row[0], row[1]) for row in session.execute(query.group_by("session_id"))]

    def _read(self, session_id: str, after: int) -> tuple[bool, Sequence[EventRow]]:
        """Return whether a job of the session is open, and the next events of its log."""
        with self._database.read() as session:  # one consistent picture of both
            open_job = select(JobRow.id).where(
                JobRow.session_id == session_id, JobRow.status.in_(OPEN_STATUSES)
            )
            is_open = session.execute(open_job.limit(1)).first() is not None
            events = select(EventRow).where(EventRow.session_id == session_id, EventRow.seq > after)
            return is_open, session.scalars(events.order_by(EventRow.seq).limit(PAGE)).all()


async def _is_set(event: asyncio.Event, timeout_s: float) -> bool:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), timeout_s)
    return event.is_set()
