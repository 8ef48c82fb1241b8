"""What people ask of a training: to pause, to go on, to end."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from featrix_server.db import OPEN_STATUSES, PUBLISH_JOB, Database, JobRow
from featrix_server.jobs.states import finish, set_status

Action = Literal["pause", "resume", "stop", "cancel"]


class ControlError(ValueError):
    """What was asked of a job cannot be done in its present state."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


def control(
    database: Database, session_id: str, action: Action, job_id: str | None = None
) -> JobRow:
    """Pause, resume, stop or cancel a training of a session.

    A running job acts at the end of its epoch; ``requested`` says until then what was asked.
    *Stop* finishes early with a complete model; *cancel* keeps nothing but the checkpoints.

    Parameters
    ----------
    database
        The database.
    session_id, job_id
        The session, and its job; without `job_id` the newest job that is still open.
    action
        What to do. Asking for what is already so changes nothing.

    Returns
    -------
    JobRow
        The job afterwards (detached): see its ``status`` and ``requested``.

    Raises
    ------
    LookupError
        If the session has no such job.
    ControlError
        If no job of the session is open, or this one is finished.
    """
    with database.write() as session:
        job = _find_open(session, session_id, job_id)
        before = (job.status, job.requested)
        if job.status == "running":
            job.requested = None if action == "resume" else action
        elif action == "pause":
            job.status = "paused"
        elif action == "resume":
            job.status, job.requested = "queued", None
        elif action == "cancel" or job.current_epoch is None:
            finish(session, job, "cancelled")
            return job
        else:  # stop at rest: a worker has to complete the model from the checkpoint
            job.status, job.requested = "queued", "stop"
        if (job.status, job.requested) != before:
            set_status(session, job, job.status)
        return job


def _find_open(session: Session, session_id: str, job_id: str | None) -> JobRow:
    query = select(JobRow).where(JobRow.session_id == session_id).with_for_update()
    if job_id is not None:
        job = session.scalars(query.where(JobRow.id == job_id)).first()
        if job is None:
            raise LookupError(f"session {session_id!r} has no job {job_id!r}")
        if job.status not in OPEN_STATUSES:
            raise ControlError(f"job {job_id!r} is already {job.status}")
        return job
    open_jobs = query.where(JobRow.status.in_(OPEN_STATUSES), JobRow.job_type != PUBLISH_JOB)
    job = session.scalars(open_jobs.order_by(JobRow.created_at.desc()).limit(1)).first()
    if job is None:
        raise ControlError(
            f"nothing is being trained in session {session_id!r}",
            "Only a queued, running or paused training can be paused, resumed or stopped.",
        )
    return job
