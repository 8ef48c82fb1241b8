"""Rows of sessions, jobs, predictors, and what their training reports."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import BigInteger, ForeignKey, Index, Integer
from sqlalchemy.orm import Mapped, Session, mapped_column

from featrix_server.db.base import Base, now

Status = Literal["queued", "running", "paused", "done", "failed", "cancelled"]
Request = Literal["pause", "stop", "cancel"]
OPEN_STATUSES: tuple[Status, ...] = ("queued", "running", "paused")

TRAIN_JOB = "train_es"
CHECKPOINT_JOB = "train_embedding_space"
"""Finishes a model made of a checkpoint; by this name too clients know a model's own job."""
SPACE_JOBS = (TRAIN_JOB, CHECKPOINT_JOB)
"""Jobs a model's own state follows."""
PUBLISH_JOB = "publish"
ERRANDS = (CHECKPOINT_JOB, PUBLISH_JOB)
"""Short jobs, which need not wait until a worker has finished its training."""


class SessionRow(Base):
    """One session, which is one foundational model.

    ``options`` holds what the caller asked for: ``epochs``, ``seed``, ``foundation_mode``,
    ``ignore_columns``, ``column_overrides``. ``columns`` names the columns in the
    model. ``deleted_at`` is set by ``mark_for_deletion`` and hides the session. ``parent_id`` is
    the session whose trained space this one was made with; that one may be gone by now.
    ``parent_epoch`` is set when that was one of its checkpoints. ``published_name`` is taken from
    when publishing is asked for, ``published_at`` is when its copy was complete. From
    ``deprecated_at`` on answers carry ``deprecation_warning``; from ``expires_at`` on there are no
    more predictions.
    """

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(primary_key=True)
    parent_id: Mapped[str | None]
    parent_epoch: Mapped[int | None]
    name: Mapped[str | None]
    published_name: Mapped[str | None] = mapped_column(unique=True, index=True)
    published_at: Mapped[datetime | None]
    deprecated_at: Mapped[datetime | None]
    deprecation_warning: Mapped[str | None]
    expires_at: Mapped[datetime | None]
    status: Mapped[str] = mapped_column(default="queued")
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    compute_cluster: Mapped[str] = mapped_column(default="local")
    session_type: Mapped[str] = mapped_column(default="embedding_space")
    user_metadata: Mapped[dict[str, Any] | None]
    deletion_protection: Mapped[bool] = mapped_column(default=False)
    dimensions: Mapped[int | None]
    epochs: Mapped[int | None]
    final_loss: Mapped[float | None]
    columns: Mapped[list[str] | None]
    options: Mapped[dict[str, Any]] = mapped_column(default=dict)
    warnings: Mapped[list[str]] = mapped_column(default=list)
    idempotency_key: Mapped[str | None] = mapped_column(unique=True)
    source_filename: Mapped[str | None]
    error: Mapped[str | None]


class JobRow(Base):
    """One piece of work for a worker process.

    ``requested`` is what a person asked for and the worker has not yet done. ``spec`` are the
    job's own options (`SPACE_JOBS`: ``epochs``, ``seed``, ``foundation_mode``;
    ``train_single_predictor``: ``more`` epochs for a finished predictor; `PUBLISH_JOB`:
    ``was_protected``, the model's deletion protection before). ``detail`` tells how far
    the work has come where epochs do not. A worker owns a job while ``lease_owner`` is its name and
    ``lease_expires_at`` lies ahead.
    """

    __tablename__ = "jobs"
    __table_args__ = (Index("ix_jobs_status_created_at", "status", "created_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    session_id: Mapped[str] = mapped_column(
        ForeignKey("sessions.id", ondelete="CASCADE"), index=True
    )
    job_type: Mapped[str]
    status: Mapped[str] = mapped_column(default="queued")
    spec: Mapped[dict[str, Any]] = mapped_column(default=dict)
    detail: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    progress: Mapped[float] = mapped_column(default=0.0)
    current_epoch: Mapped[int | None]
    total_epochs: Mapped[int | None]
    error: Mapped[str | None]
    lease_owner: Mapped[str | None]
    lease_expires_at: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime | None]
    requested: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(default=0)
    predictor_id: Mapped[str | None]
    name: Mapped[str | None]


class PredictorRow(Base):
    """One predictor of a session. Its one job trains it, and trains it further when asked.

    ``options`` are those of ``engine.PredictorOptions``. ``trained_at`` is when its training was
    last finished; from the first time on it can answer, whatever becomes of a later training.
    ``labels_digest`` is the SHA-256 of the labels file it came with; such a predictor belongs to
    its session's parent, too. A copy of it has none.
    """

    __tablename__ = "predictors"

    id: Mapped[str] = mapped_column(primary_key=True)
    session_id: Mapped[str] = mapped_column(
        ForeignKey("sessions.id", ondelete="CASCADE"), index=True
    )
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), unique=True)
    name: Mapped[str | None]
    target_column: Mapped[str]
    target_type: Mapped[str]
    problem_type: Mapped[str]
    options: Mapped[dict[str, Any]]
    labels_digest: Mapped[str | None]
    warnings: Mapped[list[str]] = mapped_column(default=list)
    created_at: Mapped[datetime] = mapped_column(default=now)
    trained_at: Mapped[datetime | None]
    accuracy: Mapped[float | None]
    auc: Mapped[float | None]
    f1: Mapped[float | None]


class MetricRow(Base):
    """The report of one epoch of one job (``to_dict()`` of an engine's report)."""

    __tablename__ = "metrics"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    payload: Mapped[dict[str, Any]]


class EventRow(Base):
    """One entry of a session's event log; ``seq`` only ever grows."""

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_session_id_seq", "session_id", "seq"),
        {"sqlite_autoincrement": True},  # a removed session's numbers are never given out again
    )

    seq: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"))
    job_id: Mapped[str | None]
    kind: Mapped[str]
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=now)


def add_event(
    session: Session, session_id: str, kind: str, payload: dict[str, Any], job_id: str | None = None
) -> EventRow:
    """Append an event to a session's log, in the caller's transaction."""
    row = EventRow(session_id=session_id, job_id=job_id, kind=kind, payload=payload)
    session.add(row)
    return row
