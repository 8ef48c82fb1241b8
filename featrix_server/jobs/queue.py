"""The job queue: rows that worker processes claim, hold by a lease, report to and settle.

A worker owns a job while ``lease_owner`` is its name and the lease has not run out. Every
write a worker makes first renews the lease with a compare-and-set update, so a worker that
lost its job (it hung, the machine slept) can change nothing any more, and on every database
the writes about one job happen one after another.
"""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, cast

from sqlalchemy import CursorResult, Update, and_, or_, select, update
from sqlalchemy.orm import Session

from featrix_server.alive import is_alive
from featrix_server.db import (
    ERRANDS,
    Database,
    EventRow,
    JobRow,
    MetricRow,
    add_event,
    now,
)
from featrix_server.jobs.notices import tell_started
from featrix_server.jobs.states import finish, rest, set_status, trained_by

LEASE_S = 15.0
"""A job whose worker has not been heard of for this long is given to another worker."""

MAX_ATTEMPTS = 3
"""Workers that may die in a row over one job, without a new epoch, before it counts as failed."""


class LeaseLostError(RuntimeError):
    """The job was given to another worker, or settled by someone else."""


@dataclass(frozen=True)
class Claim:
    """A job that a worker holds."""

    job_id: str
    session_id: str
    job_type: str
    owner: str


def owner_name() -> str:
    """Return a fresh name for this process as an owner of jobs: host, process id, random part."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def claim(database: Database, owner: str, *, errands: bool | None = None) -> Claim | None:
    """Take the oldest job that waits or whose worker has vanished; None if there is none.

    A job that has already cost `MAX_ATTEMPTS` workers is marked failed and passed over.

    Parameters
    ----------
    database, owner
        The database, and the name of this worker.
    errands
        True takes only short jobs (`db.ERRANDS`), False only the others, None any.
    """
    while True:
        with database.read() as session:  # the usual answer, "none", takes no write lock
            seen = session.execute(_claimable(errands).limit(1)).first()
        if seen is None:
            return None
        with database.write() as session:
            taken = _rows_changed(
                session,
                update(JobRow)
                .where(
                    JobRow.id == seen.id,
                    JobRow.status == seen.status,
                    JobRow.lease_owner.is_not_distinct_from(seen.lease_owner),
                    _lease_is_over(),
                )
                .values(lease_owner=owner, **_fresh_lease()),
            )
            if not taken:  # another worker was faster
                continue
            job = session.get_one(JobRow, seen.id)
            if job.attempts >= MAX_ATTEMPTS:
                finish(session, job, "failed", _worn_out(job))
                continue
            job.attempts += 1
            if job.started_at is None:
                job.started_at = now()
                tell_started(session, job)
            if job.status != "running":
                set_status(session, job, "running")
            return Claim(job.id, job.session_id, job.job_type, owner)


def heartbeat(database: Database, held: Claim) -> bool:
    """Renew the lease; False if the job is not this worker's any more."""
    with database.write() as session:
        return _renew(session, held)


def record_epoch(
    database: Database, held: Claim, report: dict[str, Any], *, framed: bool
) -> str | None:
    """Store one epoch: its metrics, its events, the job's progress, in one transaction.

    An epoch that was reported before (training resumed from a checkpoint before it) replaces
    the earlier report and its events. Epoch 0, the untrained space, counts for no metrics.

    Parameters
    ----------
    database, held
        The database, and the claim of the worker.
    report
        ``EpochReport.to_dict()``: JSON-safe, with ``epoch`` and ``total_epochs``.
    framed
        Whether the epoch has a frame of the movie.

    Returns
    -------
    str or None
        What was asked of the job meanwhile: ``"pause"``, ``"stop"``, ``"cancel"`` or None.

    Raises
    ------
    LeaseLostError
        If the job is not this worker's any more; nothing was stored.
    """
    epoch: int = report["epoch"]
    with database.write() as session:
        job = _own(session, held)
        if epoch == 0 or session.get(MetricRow, (job.id, epoch)) is not None:
            _forget_events(session, job, epoch)
        if epoch > 0:
            session.merge(MetricRow(job_id=job.id, epoch=epoch, payload=report))
            add_event(session, job.session_id, "epoch", {"job_id": job.id, **report}, job.id)
            if epoch > (job.current_epoch or 0):
                job.current_epoch = epoch
                job.attempts = 1  # progress: what went wrong before has been overcome
            job.total_epochs = report["total_epochs"]
            job.progress = min(1.0, (job.current_epoch or 0) / max(1, job.total_epochs or 1))
        if framed:
            add_event(session, job.session_id, "frame", {"job_id": job.id, "epoch": epoch}, job.id)
        return job.requested


def tell(database: Database, held: Claim, detail: dict[str, Any]) -> None:
    """Say how far a job has come that has no epochs.

    Raises
    ------
    LeaseLostError
        If the job is not this worker's any more.
    """
    with database.write() as session:
        _own(session, held).detail = detail


def settle(
    database: Database,
    held: Claim,
    status: Literal["done", "failed", "paused"],
    *,
    error: str | None = None,
    outcome: dict[str, Any] | None = None,
) -> None:
    """Give a job back: finished, failed, or at rest with a checkpoint to go on from.

    Parameters
    ----------
    database, held
        The database, and the claim of the worker.
    status
        How the work ended. ``"paused"`` becomes ``"cancelled"`` when that was asked for, and
        goes straight back into the queue when the pause was taken back meanwhile.
    error
        For ``"failed"``: what went wrong and what to do about it.
    outcome
        For ``"done"``: what to set in the row of what was trained: ``dimensions``, ``epochs``,
        ``final_loss`` and ``published_at`` of a session, ``accuracy``, ``auc`` and ``f1`` of a
        predictor.

    Raises
    ------
    LeaseLostError
        If the job is not this worker's any more; nothing was changed.
    """
    with database.write() as session:
        job = _own(session, held)
        if status != "paused":
            if status == "done":
                job.progress, job.total_epochs = 1.0, job.current_epoch
                trained = trained_by(session, job)
                for key, value in (outcome or {}).items():
                    setattr(trained, key, value)
            finish(session, job, status, error)
        elif job.requested == "cancel":
            finish(session, job, "cancelled")
        else:
            rest(session, job, "paused" if job.requested == "pause" else "queued")


def release_dead(database: Database, *, blame: bool = True) -> int:
    """Free the jobs of this machine's workers that are no longer alive; return how many.

    Called by the supervisor, which knows at once what a lease would show only seconds later.

    Parameters
    ----------
    database
        The database.
    blame
        False when the workers were stopped on purpose, so that it does not count as an attempt.
    """
    with database.read() as session:
        owners = session.scalars(
            select(JobRow.lease_owner).where(
                JobRow.status == "running", JobRow.lease_owner.is_not(None)
            )
        ).all()
    dead = [owner for owner in owners if owner and is_dead(owner)]
    if not dead:
        return 0
    values: dict[str, Any] = {"lease_owner": None, "lease_expires_at": None}
    if not blame:
        values["attempts"] = JobRow.attempts - 1
    with database.write() as session:
        return _rows_changed(
            session,
            update(JobRow)
            .where(JobRow.status == "running", JobRow.lease_owner.in_(dead))
            .values(**values),
        )


def has_work(database: Database) -> bool:
    """Tell whether any job waits or runs (a paused one does not keep a server busy)."""
    with database.read() as session:
        query = select(JobRow.id).where(JobRow.status.in_(("queued", "running")))
        return session.execute(query.limit(1)).first() is not None


def _lease_is_over() -> Any:
    """The condition that nobody holds a job.

    A lease that ends later than any taken now could is from before the clock was set back; the
    clocks of several machines may differ by most of a minute.
    """
    moment = now()
    return or_(
        JobRow.lease_expires_at.is_(None),
        JobRow.lease_expires_at < moment,
        JobRow.lease_expires_at > moment + timedelta(seconds=4 * LEASE_S),
    )


def has_errand(database: Database) -> bool:
    """Tell whether a short job could be claimed."""
    with database.read() as session:
        return session.execute(_claimable(errands=True).limit(1)).first() is not None


def _claimable(errands: bool | None) -> Any:
    query = (
        select(JobRow.id, JobRow.status, JobRow.lease_owner)
        .where(
            or_(
                JobRow.status == "queued",
                and_(JobRow.status == "running", _lease_is_over()),
            )
        )
        .order_by(JobRow.created_at, JobRow.id)
    )
    if errands is None:
        return query
    return query.where(JobRow.job_type.in_(ERRANDS) == errands)


def _fresh_lease() -> dict[str, Any]:
    moment = now()
    return {"heartbeat_at": moment, "lease_expires_at": moment + timedelta(seconds=LEASE_S)}


def _renew(session: Session, held: Claim) -> bool:
    renewed = _rows_changed(
        session,
        update(JobRow)
        .where(
            JobRow.id == held.job_id,
            JobRow.lease_owner == held.owner,
            JobRow.status == "running",
        )
        .values(**_fresh_lease()),
    )
    return renewed > 0


def _rows_changed(session: Session, statement: Update) -> int:
    return cast("CursorResult[Any]", session.execute(statement)).rowcount


def _own(session: Session, held: Claim) -> JobRow:
    if not _renew(session, held):
        raise LeaseLostError(f"job {held.job_id} is no longer held by {held.owner}")
    return session.get_one(JobRow, held.job_id)


def _forget_events(session: Session, job: JobRow, epoch: int) -> None:
    """Remove the events of an epoch that is being reported again, so that each occurs once."""
    query = (
        select(EventRow)
        .where(EventRow.job_id == job.id, EventRow.kind.in_(("epoch", "frame")))
        .order_by(EventRow.seq.desc())
        .limit(16)  # a repeated epoch is among the last ones: at most one epoch is ever lost
    )
    for row in session.scalars(query):
        if row.payload["epoch"] == epoch:
            session.delete(row)


def _worn_out(job: JobRow) -> str:
    return (
        f"The training process died {job.attempts} times in a row without finishing an epoch "
        f"(last finished: {job.current_epoch or 'none'}). Most often the machine ran out of "
        "memory: train on fewer rows or columns, close other programs, or use a machine with "
        "more memory. `featrix-server logs` shows the last messages."
    )


def is_dead(owner: str) -> bool:
    """Tell whether an owner (see `owner_name`) was a process of this machine that has ended."""
    host, pid, _ = owner.rsplit(":", 2)
    return host == socket.gethostname() and not is_alive(int(pid))
