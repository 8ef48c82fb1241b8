"""What becomes of a model beside and after its training: checkpoints of it as models."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool

from featrix_server.checkpoints import publish_checkpoint
from featrix_server.db import OPEN_STATUSES, SessionRow
from featrix_server.lifecycle_schemas import CheckpointPublished, PublishCheckpoint
from featrix_server.routes.context import Context, ContextDep, OpenSession, SessionDep, failures

router = APIRouter(prefix="/compute/session/{session_id}", tags=["lifecycle"])

_COMMON = failures(401, 403, 404, 422)
_ANSWER_WITHIN_S = 15.0
"""Clients wait 30 s for an answer; what takes longer is told as under way."""
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
    with context.store.draft() as draft:
        return publish_checkpoint(context, draft, session, body)


def _status(context: Context, session_id: str) -> str:
    with context.database.read() as database:
        row = database.get(SessionRow, session_id)
        return "cancelled" if row is None else row.status
