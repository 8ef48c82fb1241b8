"""Models as records: status, listing, columns, protection, deletion, and control of training."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi import Path as PathParameter
from sqlalchemy import func, or_, select

from featrix_server.context import (
    Context,
    ContextDep,
    OpenSession,
    SessionDep,
    failures,
    find_session,
)
from featrix_server.db import OPEN_STATUSES, JobRow, SessionRow, now
from featrix_server.deprecation import expiration
from featrix_server.errors import ApiError
from featrix_server.jobs.control import Action, ControlError
from featrix_server.jobs.control import control as control_job
from featrix_server.schemas import (
    Cancelled,
    CancelRequest,
    Columns,
    Controlled,
    ControlRequest,
    Deleted,
    JobInfo,
    PredictorJobInfo,
    Protection,
    ProtectionRequest,
    SessionInfo,
    SessionList,
    SessionListItem,
    StatusDocument,
)
from featrix_server.tables import read_schema

router = APIRouter(tags=["models"])

_COMMON = failures(401, 403, 404, 422)
SessionId = Annotated[str, PathParameter(description="Id of a model.")]


@router.get(
    "/compute/sessions-for-org", response_model=SessionList, responses=failures(401, 403, 422)
)
def list_sessions(
    context: ContextDep,
    name_prefix: Annotated[
        str, Query(description="Start of the name, the published name, or the id.")
    ] = "",
) -> SessionList:
    """List the models whose name, published name or id starts with `name_prefix`, newest first."""
    start = name_prefix.lower()
    query = select(SessionRow).where(SessionRow.deleted_at.is_(None))
    if start:
        query = query.where(
            or_(
                func.lower(SessionRow.name).startswith(start, autoescape=True),
                func.lower(SessionRow.published_name).startswith(start, autoescape=True),
                SessionRow.id.startswith(start, autoescape=True),
            )
        )
    with context.database.read() as database:
        rows = database.scalars(query.order_by(SessionRow.created_at.desc(), SessionRow.id)).all()
        jobs: dict[str, list[JobRow]] = {row.id: [] for row in rows}
        wanted = select(JobRow).join(SessionRow).where(SessionRow.deleted_at.is_(None))
        for job in database.scalars(wanted.order_by(JobRow.created_at, JobRow.id)):
            jobs.get(job.session_id, []).append(job)
    found = (OpenSession(row, tuple(jobs[row.id]), context.store.folder(row.id)) for row in rows)
    return SessionList(sessions=[_list_item(session) for session in found])


@router.get("/compute/session/{session_id}", response_model=StatusDocument, responses=_COMMON)
def session_status(session: SessionDep, context: ContextDep) -> StatusDocument:
    """Tell everything about a model: its state, its jobs, their progress."""
    row = session.row
    job, jobs = session.training, session.jobs + session.labelled_jobs
    info = SessionInfo(
        **_shared_fields(session),
        failed=session.status == "failed",
        queue_position=_queue_position(context, job) if job else None,
        started_at=stamp(row.started_at),
        finished_at=stamp(row.finished_at),
        es_architecture={} if row.dimensions is None else {"d_model": row.dimensions},
        dimensions=row.dimensions,
        epochs=row.epochs,
        columns=row.columns or [],
        warnings=row.warnings,
        error=row.error,
        single_predictors=[
            f"predictors/{one.id}" if one.trained_at else "" for one in session.all_predictors
        ],
        predictor_deletion_protection={
            one.id: row.deletion_protection for one in session.all_predictors
        },
        job_plan=[_plan_entry(session, job) for job in jobs],
    )
    return StatusDocument(session=info, jobs={job.id: _job_info(session, job) for job in jobs})


@router.get("/compute/session/{session_id}/columns", response_model=Columns, responses=_COMMON)
def columns(session: SessionDep) -> Columns:
    """Name the columns in the model with their types, and those left out with the reason."""
    schema = read_schema(session.folder)
    names = [column["name"] for column in schema["columns"]]
    return Columns(
        column_names=names,
        columns=names,
        column_types={column["name"]: column["type"] for column in schema["columns"]},
        num_columns=len(names),
        excluded_columns=schema["excluded"],
    )


@router.post(
    "/compute/session/{session_id}/deletion_protection",
    response_model=Protection,
    responses=_COMMON | failures(507),
)
def set_deletion_protection(
    body: ProtectionRequest, session: SessionDep, context: ContextDep
) -> Protection:
    """Protect a model from deletion, or lift the protection."""
    with context.database.write() as database:
        database.get_one(SessionRow, session.row.id).deletion_protection = body.protected
    return Protection(session_id=session.row.id, deletion_protection=body.protected)


@router.post(
    "/compute/session/{session_id}/mark_for_deletion",
    response_model=Deleted,
    responses=_COMMON | failures(409, 507),
)
def mark_for_deletion(session_id: SessionId, context: ContextDep) -> Deleted:
    """Delete a model: its jobs are cancelled, it is hidden at once, its data is removed later.

    Sent again, it is answered as before, until the data is removed.
    """
    with context.database.read() as database:
        known = database.get(SessionRow, session_id)
    if known is not None and known.deleted_at is not None:
        return Deleted(session_id=session_id)
    session = find_session(session_id, context)
    with context.database.write() as database:
        row = database.get_one(SessionRow, session.row.id, with_for_update=True)
        if row.published_name is not None:
            raise ApiError(
                409,
                "published",
                f"The model {row.id!r} is published as {row.published_name!r}.",
                hint="First fm.unpublish(), then fm.set_deletion_protection(False).",
            )
        if row.deletion_protection:
            raise ApiError(
                409,
                "protected",
                f"The model {row.id!r} is protected from deletion.",
                hint="Lift the protection first: fm.set_deletion_protection(False).",
            )
        row.deleted_at = now()
        row.idempotency_key = None  # sent again, it asks for a new model
    for job in session.jobs:
        if job.status in OPEN_STATUSES:
            _control(context, session, "cancel", job.id)
    context.models.drop(session.folder)
    context.vectors.forget(session.row.id)
    return Deleted(session_id=session.row.id)


@router.post("/compute/session/{session_id}/cancel", response_model=Cancelled, responses=_COMMON)
def cancel(
    session: SessionDep, context: ContextDep, body: CancelRequest | None = None
) -> Cancelled:
    """Cancel the training: at once if it waits, at the end of its epoch if it runs."""
    job = _control(context, session, "cancel")
    if job is None:
        return Cancelled(cancelled=False, status=session.status, requested=None)
    return Cancelled(cancelled=True, status=job.status, requested=job.requested)


@router.post("/compute/session/{session_id}/control", response_model=Controlled, responses=_COMMON)
def control(body: ControlRequest, session: SessionDep, context: ContextDep) -> Controlled:
    """Pause, resume or stop a training.

    A running one acts at the end of its epoch; until then `requested` says what it was asked.
    *Stop* finishes early with a complete model. A training that has ended is left as it is.
    """
    job = _control(context, session, body.action, body.job_id)
    if job is None:
        job = next((job for job in session.jobs if job.id == body.job_id), session.training)
    if job is None:
        raise ApiError(404, "not_found", f"The model {session.row.id!r} has no job.")
    return Controlled(job_id=job.id, status=job.status, requested=job.requested)


def _control(
    context: Context, session: OpenSession, action: Action, job_id: str | None = None
) -> JobRow | None:
    """Ask for an action; None when there is nothing open that it could be done to."""
    try:
        return control_job(context.database, session.row.id, action, job_id)
    except LookupError:
        raise ApiError(
            404,
            "not_found",
            f"The model {session.row.id!r} has no job {job_id!r}.",
            hint="Leave job_id out to mean the training under way.",
            field="job_id",
        ) from None
    except ControlError:
        return None


def stamp(moment: datetime | None) -> str | None:
    """Return a time as ISO text, to the microsecond, with ``Z``."""
    return None if moment is None else moment.isoformat(timespec="microseconds")[:-6] + "Z"


def _shared_fields(session: OpenSession) -> dict[str, Any]:
    row = session.row
    return {
        "session_id": row.id,
        "parent_id": row.parent_id,
        "parent_epoch": row.parent_epoch,
        "published_name": row.published_name if row.published_at else None,
        "published_at": stamp(row.published_at),
        "model_expiration": expiration(row),
        "name": row.name,
        "status": session.status,
        "es_status": session.training.status if session.training else row.status,
        "sp_status": session.predictor_training.status if session.predictor_training else None,
        "final_loss": row.final_loss,
        "created_at": stamp(row.created_at),
        "session_type": row.session_type,
        "compute_cluster": row.compute_cluster,
        "user_metadata": row.user_metadata,
        "deletion_protection": row.deletion_protection,
    }


def _list_item(session: OpenSession) -> SessionListItem:
    job = session.training
    epochs = session.row.epochs or (job.current_epoch if job else None)
    return SessionListItem(**_shared_fields(session), d_model=session.row.dimensions, epochs=epochs)


def _job_info(session: OpenSession, job: JobRow) -> JobInfo:
    age = (now() - job.heartbeat_at).total_seconds() if job.heartbeat_at else None
    fields: dict[str, Any] = {
        "job_type": job.job_type,
        "session_id": job.session_id,
        "status": job.status,
        "requested": job.requested,
        "name": job.name,
        "predictor_id": job.predictor_id,
        "created_at": stamp(job.created_at) or "",
        "started_at": stamp(job.started_at),
        "finished_at": stamp(job.finished_at),
        "progress": job.progress,
        "current_epoch": job.current_epoch,
        "total_epochs": job.total_epochs,
        "error": job.error,
        "liveness_age_seconds": age if job.status == "running" else None,
    }
    if job.predictor_id is None:
        return JobInfo(**fields)
    predictor = session.predictor(job.predictor_id)
    return PredictorJobInfo(
        **fields,
        target_column=predictor.target_column,
        target_column_type=predictor.target_type,
        problem_type=predictor.problem_type,
        trained=predictor.trained_at is not None,
        accuracy=predictor.accuracy,
        auc=predictor.auc,
        f1=predictor.f1,
    )


def _plan_entry(session: OpenSession, job: JobRow) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "job_type": job.job_type,
        "job_id": job.id,
        "status": job.status,
        "name": job.name,
        "created_at": stamp(job.created_at),
        "spec": job.spec,
    }
    if job.predictor_id is None:
        return entry
    predictor = session.predictor(job.predictor_id)
    return entry | {
        "predictor_id": predictor.id,
        "predictor_index": session.all_predictors.index(predictor),
        "spec": {
            **predictor.options,
            "target_column_type": predictor.target_type,
        },
    }


def _queue_position(context: Context, job: JobRow) -> int | None:
    """Return how many jobs go first, plus one; None unless the job waits."""
    if job.status != "queued":
        return None
    earlier = select(func.count()).where(
        JobRow.status == "queued", JobRow.created_at < job.created_at
    )
    with context.database.read() as database:
        return 1 + database.scalars(earlier).one()
