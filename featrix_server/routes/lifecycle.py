"""What becomes of a model beside and after its training: published, copied, deprecated, removed."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Path as PathParameter
from starlette.concurrency import run_in_threadpool

from featrix_server.checkpoints import publish_checkpoint
from featrix_server.cloning import clone
from featrix_server.collecting import collect
from featrix_server.context import (
    Context,
    ContextDep,
    OpenSession,
    SessionDep,
    failures,
    known_cluster,
)
from featrix_server.db import OPEN_STATUSES, SessionRow, now
from featrix_server.deprecation import parse_expiration
from featrix_server.lifecycle_schemas import (
    CheckpointPublished,
    Cloned,
    CloneRequest,
    Collected,
    CollectRequest,
    Deprecated,
    DeprecateRequest,
    PublishCheckpoint,
    Published,
    PublishJob,
    PublishRequest,
    Unpublished,
)
from featrix_server.pending import Pending
from featrix_server.publishing import publish, publish_job, unpublish

router = APIRouter(prefix="/compute/session/{session_id}", tags=["lifecycle"])

server_router = APIRouter(tags=["lifecycle"])
"""Routes that belong to no one model."""

_COMMON = failures(401, 403, 404, 422)
_ANSWER_WITHIN_S = 5.0
"""Clients wait some 10 to 30 s for an answer; what takes longer is told as under way."""
_LOOK_EVERY_S = 0.1


@router.post(
    "/publish_partial_foundation",
    response_model=CheckpointPublished,
    responses=_COMMON | failures(409, 507),
)
async def publish_partial_foundation(
    body: PublishCheckpoint, session: SessionDep, context: ContextDep
) -> CheckpointPublished:
    """Make a model of one epoch of this one, also while it is being trained.

    Weights are kept of the best, the last and every 10th epoch. The new model can be used once its
    `status` is `done`: most often when this answers, and for large tables some time later.
    """
    created = await run_in_threadpool(_publish_checkpoint, context, session, body)
    deadline = asyncio.get_running_loop().time() + _ANSWER_WITHIN_S
    while created.status in OPEN_STATUSES:
        if asyncio.get_running_loop().time() > deadline:
            break
        await asyncio.sleep(_LOOK_EVERY_S)
        created.status = await run_in_threadpool(_status, context, created.foundation_session_id)
    return created


def _publish_checkpoint(
    context: Context, session: OpenSession, body: PublishCheckpoint
) -> CheckpointPublished:
    with context.store.draft(context.store.where(session.row.id)) as draft:
        return publish_checkpoint(context, draft, session, body)


def _status(context: Context, session_id: str) -> str:
    with context.database.read() as database:
        row = database.get(SessionRow, session_id)
        return "cancelled" if row is None else row.status


@router.post(
    "/clone_embedding_space", response_model=Cloned, responses=_COMMON | failures(409, 507)
)
async def clone_embedding_space(
    body: CloneRequest, request: Request, session: SessionDep, context: ContextDep
) -> Cloned:
    """Clone a trained model, also to another store: a new, independent one.

    It has the weights, card, metrics, movie and trained predictors; not the endpoints, feedback
    and vector databases. The same request once more, while this one is being served, gets the same
    clone.
    """
    cluster = known_cluster(context, body.to_compute or context.store.where(session.row.id))
    name = (body.new_session_name or "").strip() or None
    pending: Pending = request.app.state.pending
    return await pending.run(
        f"clone {session.row.id} {cluster} {name!r}",
        lambda: clone(context, session, cluster, name),
        request,
    )


@router.post("/publish", response_model=Published, responses=_COMMON | failures(507))
def publish_model(
    session: SessionDep, context: ContextDep, body: PublishRequest | None = None
) -> Published:
    """Publish a trained model: copy it to a permanent place, under a name it can be found by.

    It is protected from deletion from now on. The copying is a job; see `publish_job`.
    """
    name = ((body.name if body else None) or session.row.name or session.row.id).strip()
    return publish(context, session, name)


@router.get("/publish_job/{job_id}", response_model=PublishJob, responses=_COMMON)
def publish_job_status(
    job_id: Annotated[str, PathParameter(description="From `publish`.")],
    session: SessionDep,
    context: ContextDep,
) -> PublishJob:
    """Tell how far publishing has come."""
    return publish_job(session, job_id)


@router.post("/unpublish", response_model=Unpublished, responses=_COMMON | failures(409, 507))
def unpublish_model(session: SessionDep, context: ContextDep) -> Unpublished:
    """Take a model's published name away. It stays protected from deletion."""
    return unpublish(context, session)


@router.post("/deprecate", response_model=Deprecated, responses=_COMMON | failures(507))
def deprecate(body: DeprecateRequest, session: SessionDep, context: ContextDep) -> Deprecated:
    """Warn the users of a model until a date, and end its predictions there.

    Answers about the model carry `Deprecation` and `Sunset` headers from now on, predictions also
    `model_expiration`; after the date predictions are refused with 410. A later request replaces
    warning and date.
    """
    expires_at = parse_expiration(body.expiration_date)
    with context.database.write() as database:
        row = database.get_one(SessionRow, session.row.id)
        row.deprecated_at = row.deprecated_at or now()
        row.deprecation_warning, row.expires_at = body.warning_message.strip(), expires_at
    return Deprecated(
        session_id=row.id,
        warning_message=body.warning_message.strip(),
        expiration_date=expires_at.isoformat(),
    )


@server_router.post(
    "/compute/collect", response_model=Collected, responses=failures(401, 403, 422, 507)
)
def collect_deleted(context: ContextDep, body: CollectRequest | None = None) -> Collected:
    """Remove the data of deleted models now instead of days later; what is in use is kept."""
    return collect(context, timedelta(days=body.older_than_days if body else 0.0))
