"""Making a model of one checkpoint of another one, also while that is being trained."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from featrix_server.context import Context, OpenSession
from featrix_server.copies import copy_reports
from featrix_server.db import (
    CHECKPOINT_JOB,
    OPEN_STATUSES,
    JobRow,
    MetricRow,
    SessionRow,
    add_event,
    fresh_stamp,
    now,
)
from featrix_server.errors import ApiError, invalid_input, not_ready
from featrix_server.lifecycle_schemas import CheckpointPublished, PublishCheckpoint
from featrix_server.publishing import check_name, take_name
from featrix_server.store import DATA_FILE, SCHEMA_FILE, Draft, new_id

_SHARED_FILES = (DATA_FILE, SCHEMA_FILE, "encoders.json")
_RESEND_S = 60.0
"""How long a request without an epoch may be the same one, sent again."""


def publish_checkpoint(
    context: Context, draft: Draft, parent: OpenSession, body: PublishCheckpoint
) -> CheckpointPublished:
    """Make a session of one epoch's weights, and queue the rest of its artefacts.

    A request that repeats one for the same name and epoch gets that one's session: clients send
    again what was not answered in time.

    Raises
    ------
    ApiError
        409 before the first checkpoint, or if it is damaged; 422 if no weights of that epoch are
        kept, or the name to publish it under is another model's.
    """
    if body.publish:
        check_name(body.name)
    trained = parent.training
    if trained is None or trained.job_type == CHECKPOINT_JOB:
        raise invalid_input(
            f"The model {parent.row.id!r} has no checkpoints: it was made of another model.",
            hint=f"Publish a checkpoint of the model {parent.row.parent_id!r} instead.",
        )
    epoch = _take(context, draft, parent, trained, body.checkpoint_epoch)
    row = _new_row(parent.row, body, epoch)
    job = JobRow(
        id=str(uuid.uuid4()),
        session_id=row.id,
        job_type=CHECKPOINT_JOB,
        spec=trained.spec,
        current_epoch=epoch,
        total_epochs=epoch,
        name=body.name,
    )
    draft.publish(row.id)
    try:
        with context.database.write() as database:
            # Held to the end, so that two equal requests cannot both find no earlier one.
            database.get_one(SessionRow, parent.row.id, with_for_update=True)
            earlier = _find_same(database, parent.row.id, body, epoch)
            if earlier is None:
                row.created_at = fresh_stamp(database, SessionRow.created_at)
                database.add(row)
                database.flush()
                if body.publish:
                    take_name(database, row, body.name)
                database.add(job)
                database.flush()
                copy_reports(database, trained.id, job, up_to=epoch)
                queued = {"job_id": job.id, "status": "queued", "requested": None, "error": None}
                add_event(database, row.id, "status", queued, job.id)
                return _answer(row, job)
    except BaseException:
        context.store.remove(row.id)
        raise
    context.store.remove(row.id)
    return _answer(*earlier)


def _take(
    context: Context, draft: Draft, parent: OpenSession, trained: JobRow, wanted: int | None
) -> int:
    from featrix_server import engine

    def find_report(epoch: int) -> dict[str, Any] | None:
        with context.database.read() as database:
            found = database.get(MetricRow, (trained.id, epoch))
            return found.payload if found else None

    try:
        epoch = engine.take_checkpoint(parent.folder, draft.folder, wanted, find_report)
    except engine.NotKeptError as error:
        if not error.kept:
            raise not_ready(
                f"The training of {parent.row.id!r} has saved no checkpoint yet.",
                hint="There is one after its first epoch.",
            ) from error
        kept = ", ".join(map(str, error.kept))
        raise invalid_input(
            f"No weights are kept of epoch {wanted}; the kept epochs are {kept}.",
            hint="Kept are the best, the last and every 10th epoch.",
            field="checkpoint_epoch",
        ) from error
    except engine.CheckpointError as error:
        raise ApiError(
            409,
            "damaged",
            f"The checkpoint cannot be used: {error}.",
            hint="Choose another epoch, or create the model again.",
            field="checkpoint_epoch",
        ) from error
    draft.link(parent.folder, _SHARED_FILES)
    return epoch


def _new_row(parent: SessionRow, body: PublishCheckpoint, epoch: int) -> SessionRow:
    copied = ("compute_cluster", "session_type", "columns", "source_filename")
    return SessionRow(
        id=new_id(body.session_name_prefix or body.name),
        parent_id=parent.id,
        parent_epoch=epoch,
        name=body.name,
        options={"checkpoint_epoch": body.checkpoint_epoch, "publish": body.publish},
        **{field: getattr(parent, field) for field in copied},
    )


def _find_same(
    database: Session, parent_id: str, body: PublishCheckpoint, epoch: int
) -> tuple[SessionRow, JobRow] | None:
    """Return the checkpoint that was made when the same was asked before."""
    query = (
        select(SessionRow, JobRow)
        .join(JobRow, JobRow.session_id == SessionRow.id)
        .where(
            SessionRow.parent_id == parent_id,
            SessionRow.parent_epoch.is_not(None),
            SessionRow.name == body.name,
            SessionRow.deleted_at.is_(None),
            JobRow.job_type == CHECKPOINT_JOB,
            JobRow.status.in_((*OPEN_STATUSES, "done")),
        )
        .order_by(SessionRow.created_at.desc())
    )
    recent = now() - timedelta(seconds=_RESEND_S)
    for row, job in database.execute(query):
        same = row.options["checkpoint_epoch"] == body.checkpoint_epoch
        sent_again = body.checkpoint_epoch is None and row.created_at > recent
        if same and (row.parent_epoch == epoch or sent_again):
            return row, job
    return None


def _answer(row: SessionRow, job: JobRow) -> CheckpointPublished:
    assert row.parent_id is not None
    assert row.parent_epoch is not None
    return CheckpointPublished(
        foundation_session_id=row.id,
        checkpoint_epoch=row.parent_epoch,
        parent_id=row.parent_id,
        name=row.name or row.id,
        status=row.status,
        job_id=job.id,
    )
