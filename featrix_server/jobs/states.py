"""The states a job goes through, and what else changes with them, in the caller's transaction."""

from __future__ import annotations

from sqlalchemy.orm import Session

from featrix_server.db import (
    ERRANDS,
    OPEN_STATUSES,
    SPACE_JOBS,
    JobRow,
    PredictorRow,
    SessionRow,
    Status,
    add_event,
    now,
)
from featrix_server.jobs.notices import tell_finished


def set_status(session: Session, job: JobRow, status: str) -> None:
    """Set a job's status, let the session follow, and say so in the event log."""
    job.status = status
    if job.job_type in SPACE_JOBS:  # later jobs (predictors) leave a done model done
        row = session.get_one(SessionRow, job.session_id)
        if status == "running":
            row.status, row.started_at = "running", row.started_at or job.started_at
        elif status not in OPEN_STATUSES:
            row.status, row.error, row.finished_at = status, job.error, job.finished_at
    payload = {
        "job_id": job.id,
        "status": status,
        "requested": job.requested,
        "error": job.error,
    }
    add_event(session, job.session_id, "status", payload, job.id)


def trained_by(session: Session, job: JobRow) -> SessionRow | PredictorRow:
    """Return the row of what a job that is done has trained, or published."""
    if job.predictor_id is None:
        return session.get_one(SessionRow, job.session_id)
    predictor = session.get_one(PredictorRow, job.predictor_id)
    predictor.trained_at = now()
    return predictor


def rest(session: Session, job: JobRow, status: Status) -> None:
    """Take a job from its worker, to go on from its checkpoint another time."""
    if status == "paused":
        job.requested = None
    job.lease_owner = job.lease_expires_at = None
    job.attempts = 0
    set_status(session, job, status)


def finish(session: Session, job: JobRow, status: Status, error: str | None = None) -> None:
    """End a job for good."""
    if status == "cancelled" and _was_trained_before(session, job):
        status = "done"  # what was asked for is over, and the predictor is as it was
    if status != "done" and job.job_type in ERRANDS:
        _free_name(session, job)
    job.error, job.finished_at, job.requested = error, now(), None
    job.lease_owner = job.lease_expires_at = None
    set_status(session, job, status)
    add_event(session, job.session_id, "done", {"job_id": job.id, "status": status}, job.id)
    tell_finished(session, job)


def _was_trained_before(session: Session, job: JobRow) -> bool:
    predictor = session.get(PredictorRow, job.predictor_id) if job.predictor_id else None
    return predictor is not None and predictor.trained_at is not None


def _free_name(session: Session, job: JobRow) -> None:
    """Undo what was done in advance for a publishing that came to nothing."""
    row = session.get_one(SessionRow, job.session_id)
    if row.published_name is not None and row.published_at is None:
        row.published_name = None
        row.deletion_protection = job.spec.get("was_protected", False)
