"""Calling webhooks: the threads that make the calls that are due.

Calls are rows (`featrix_server.db.webhooks`) written in the same transaction as what they tell
of, so none is lost however a process ends. A server makes a try under a lease; one whose fate is
unknown, because the server died, is made again: a receiver may hear the same delivery twice, and
knows it by ``X-Featrix-Delivery``.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, or_, select, update
from sqlalchemy.orm import Session

from featrix_server.db import Database, DeliveryRow, DeliveryStatus, WebhookRow, now
from featrix_server.jobs import queue
from featrix_server.outgoing import OutgoingSession
from featrix_server.webhook_call import Call, Outcome, stamp

logger = logging.getLogger(__name__)

KEEP_DAYS = 30.0
"""Days for which the log tells of a finished delivery."""

_MAX_SENDING = 8
_MAX_SENDING_PER_OWNER = 2  # so that a slow receiver does not keep the others waiting
_LEASE_BEYOND_TIMEOUT_S = 20.0
_JITTER = 0.25
_GRACE_S = 3.0  # how long calls that were cut may take to see it


@dataclass(frozen=True)
class Times:
    """When calls are made.

    Attributes
    ----------
    retry_after_s : tuple of float
        Pauses after a failed try, in seconds, each lengthened by up to a quarter at random; one
        try more than there are pauses is made.
    timeout_s : float
        Longest time a receiver may take to answer, in seconds.
    poll_s : float
        Pause between two looks for calls that are due, in seconds.
    """

    retry_after_s: tuple[float, ...] = (1.0, 4.0, 16.0, 64.0)
    timeout_s: float = 10.0
    poll_s: float = 0.25

    @property
    def lease_s(self) -> float:
        """How long a try is a server's own, in seconds."""
        return self.timeout_s + _LEASE_BEYOND_TIMEOUT_S


TIMES = Times()


def has_waiting(database: Database) -> bool:
    """Tell whether any delivery still has to be made."""
    with database.read() as session:
        query = select(DeliveryRow.id).where(DeliveryRow.status == "waiting")
        return session.execute(query.limit(1)).first() is not None


class Dispatcher:
    """Makes the calls that are due, in threads of this process, until it is stopped.

    Parameters
    ----------
    database : Database
        Open database.
    allow_private : bool
        Whether private addresses may be called.
    times : Times
        When to call.
    """

    def __init__(self, database: Database, *, allow_private: bool, times: Times = TIMES) -> None:
        self._database = database
        self._allow_private = allow_private
        self._times = times
        self._owner = queue.owner_name()
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._sending: dict[str, str] = {}  # delivery -> whose webhook it is
        self._open: set[OutgoingSession] = set()
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)

    def start(self) -> None:
        """Start; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """End soon: calls under way are cut, and made again by the next server."""
        self._stopping.set()
        self._wake.set()
        with self._lock:
            for session in self._open:
                session.abort()
        if self._thread.ident is not None:
            self._thread.join()
        deadline = time.monotonic() + _GRACE_S
        while self._sending and time.monotonic() < deadline:
            time.sleep(0.01)

    # ------------------------------------------------------------------ claiming

    def _run(self) -> None:
        cleaned = 0.0
        self._guarded(self._release_dead)
        while not self._stopping.is_set():
            self._wake.clear()
            if not cleaned or time.monotonic() - cleaned > 3600:
                self._guarded(self._forget_old)
                cleaned = time.monotonic()
            self._guarded(self._send_due)
            self._wake.wait(self._times.poll_s)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:  # a database that is away for a while must not end the thread
            logger.exception("webhooks: looking for what is due")
            self._stopping.wait(5.0)

    def _send_due(self) -> None:
        for row in self._claim():
            with self._lock:
                self._sending[row.id] = row.owner_id
            # Not a pool: nobody can cut short a slow name server, and no thread of a pool may be
            # left behind when the process ends.
            threading.Thread(target=self._deliver, args=(row,), name="webhook", daemon=True).start()

    def _claim(self) -> Sequence[DeliveryRow]:
        """Take the calls that are due and that there is room for."""
        with self._lock:
            sending = list(self._sending)
            busy = Counter(self._sending.values())
        room = _MAX_SENDING - busy.total()
        crowded = [owner for owner, count in busy.items() if count >= _MAX_SENDING_PER_OWNER]
        due = (
            select(DeliveryRow.id, DeliveryRow.owner_id)
            .where(
                _is_due(self._times),
                DeliveryRow.owner_id.not_in(crowded),
                DeliveryRow.id.not_in(sending),
            )
            .order_by(DeliveryRow.due_at, DeliveryRow.created_at)
            .limit(room)
        )
        if room <= 0:
            return []
        with self._database.read() as session:  # the usual answer, "none", takes no write lock
            seen = session.execute(due).all()
        wanted = []
        for delivery_id, owner_id in seen:
            busy[owner_id] += 1
            if busy[owner_id] <= _MAX_SENDING_PER_OWNER:
                wanted.append(delivery_id)
        if not wanted:
            return []
        lease = now() + timedelta(seconds=self._times.lease_s)
        mine = and_(DeliveryRow.id.in_(wanted), DeliveryRow.lease_owner == self._owner)
        with self._database.write() as session:
            session.execute(
                update(DeliveryRow)
                .where(DeliveryRow.id.in_(wanted), _is_due(self._times))
                .values(lease_owner=self._owner, lease_expires_at=lease)
            )
            return session.scalars(select(DeliveryRow).where(mine)).all()

    def _release_dead(self) -> None:
        """Free the calls of servers that died in the middle of one."""
        held = select(DeliveryRow.lease_owner).where(
            DeliveryRow.status == "waiting", DeliveryRow.lease_owner.is_not(None)
        )
        with self._database.read() as session:
            owners = session.scalars(held.distinct()).all()
        dead = [owner for owner in owners if owner and queue.is_dead(owner)]
        if dead:
            with self._database.write() as session:
                session.execute(
                    update(DeliveryRow)
                    .where(DeliveryRow.lease_owner.in_(dead))
                    .values(lease_owner=None, lease_expires_at=None)
                )

    def _forget_old(self) -> None:
        limit = now() - timedelta(days=KEEP_DAYS)
        with self._database.write() as session:
            session.execute(delete(DeliveryRow).where(DeliveryRow.finished_at < limit))

    # ------------------------------------------------------------------- sending

    def _deliver(self, row: DeliveryRow) -> None:
        began, moment = time.monotonic(), now()
        try:
            call = self._look_up(row)
            outcome = self._try(call)
            entry = {
                "at": stamp(moment),
                "seconds": round(time.monotonic() - began, 3),
                "status_code": outcome.status_code,
                "error": outcome.error,
            }
            self._record(call, outcome, entry)
        except Exception:  # its lease runs out, and it is made again
            logger.exception("webhook delivery %s", row.id)
        finally:
            with self._lock:
                del self._sending[row.id]
            self._wake.set()

    def _look_up(self, row: DeliveryRow) -> Call:
        with self._database.read() as session:
            owner = session.get(WebhookRow, row.owner_id)
            url = owner.urls.get(row.event) if owner else None
            return Call(row, url, owner.secret if owner else None)

    def _try(self, call: Call) -> Outcome:
        longest = self._times.timeout_s
        with OutgoingSession(allow_private=self._allow_private, longest_s=longest) as session:
            with self._lock:
                self._open.add(session)
                if self._stopping.is_set():
                    session.abort()
            try:
                return call.make(session, longest)
            finally:
                with self._lock:
                    self._open.discard(session)

    def _record(self, call: Call, outcome: Outcome, entry: dict[str, Any]) -> None:
        with self._database.write() as session:
            query = select(DeliveryRow).where(
                DeliveryRow.id == call.row.id, DeliveryRow.lease_owner == self._owner
            )
            row = session.scalars(query.with_for_update()).first()
            if row is None:  # removed with its model, or another server's by now
                return
            row.lease_owner = row.lease_expires_at = None
            if self._stopping.is_set() and not outcome.is_success:
                return  # cut by us: no fault of the receiver's
            row.url = call.url or row.url
            row.tries = [*row.tries, entry] if call.url else row.tries
            pauses = self._times.retry_after_s
            if outcome.is_success:
                _close(row, "delivered")
            elif call.url is None:
                _close(row, "cancelled")
            elif outcome.is_final or outcome.is_gone or len(row.tries) > len(pauses):
                _close(row, "failed")
            else:
                pause = pauses[len(row.tries) - 1] * (1 + _JITTER * random.random())
                row.due_at = now() + timedelta(seconds=pause)
            if outcome.is_gone:
                _disable(session, row)
        logger.info(
            "webhook %s of %s, try %d: %s",
            row.event,
            row.owner_id,
            len(row.tries),
            row.status if outcome.is_success else outcome.error,
        )


def _is_due(times: Times) -> ColumnElement[bool]:
    """Return the condition for a call that should be made now and is nobody's.

    Times further ahead than any that are ever written mean that the clock was set back.
    """
    moment = now()
    pause = timedelta(seconds=(1 + _JITTER) * max(times.retry_after_s, default=0.0) + 60)
    lease = timedelta(seconds=times.lease_s + 60)
    return and_(
        DeliveryRow.status == "waiting",
        or_(DeliveryRow.due_at <= moment, DeliveryRow.due_at > moment + pause),
        or_(
            DeliveryRow.lease_expires_at.is_(None),
            DeliveryRow.lease_expires_at < moment,
            DeliveryRow.lease_expires_at > moment + lease,
        ),
    )


def _close(row: DeliveryRow, status: DeliveryStatus) -> None:
    row.status, row.finished_at = status, now()


def _disable(session: Session, row: DeliveryRow) -> None:
    """Take a webhook away whose receiver says that it is gone, unless it has moved meanwhile."""
    owner = session.get(WebhookRow, row.owner_id, with_for_update=True)
    if owner is not None and owner.urls.get(row.event) == row.url:
        owner.urls = {event: url for event, url in owner.urls.items() if event != row.event}
