"""What webhooks are told of a training, in the transaction that begins or ends it."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from featrix_server.db import PUBLISH_JOB, JobRow, PredictorRow, SessionRow, add_delivery


def tell_started(session: Session, job: JobRow) -> None:
    """Have ``training_started`` told; not again when a training goes on after a pause."""
    facts = {"started_at": job.started_at.isoformat() if job.started_at else None}
    _tell(session, job, "training_started", facts | {"total_epochs": job.total_epochs})


def tell_finished(session: Session, job: JobRow) -> None:
    """Have ``training_finished`` told: ``status`` is ``done``, ``error`` or ``cancelled``."""
    facts: dict[str, Any] = {
        "status": "error" if job.status == "failed" else job.status,
        "error": job.error,
        "epochs_trained": job.current_epoch or 0,
        "finished_at": job.finished_at.isoformat() if job.finished_at else None,
    }
    if job.predictor_id:
        predictor = session.get_one(PredictorRow, job.predictor_id)
        facts |= {name: getattr(predictor, name) for name in ("accuracy", "auc", "f1")}
    else:
        model = session.get_one(SessionRow, job.session_id)
        facts |= {name: getattr(model, name) for name in ("dimensions", "final_loss")}
        if job.status == "done":  # the job's own count also holds the epochs of the sphere
            facts["epochs_trained"] = model.epochs
    _tell(session, job, "training_finished", facts)


def _tell(session: Session, job: JobRow, event: str, facts: dict[str, Any]) -> None:
    if job.job_type == PUBLISH_JOB:
        return
    about = {"job_id": job.id, "name": job.name}
    if job.predictor_id:
        about["target_column"] = session.get_one(PredictorRow, job.predictor_id).target_column
    add_delivery(session, event, job.session_id, job.predictor_id, facts | about)
