"""`GET /compute/session/{id}/events`: what happens in a session, as server-sent events.

Each event carries ``id`` (its sequence number), ``event`` (its kind) and ``data`` (JSON):

``status``
    ``job_id``, ``status``, ``requested``, ``error``: a job's state, or what was asked of it.
``epoch``
    ``job_id`` and the report of one epoch.
``frame``
    ``job_id``, ``epoch``: the sphere of this epoch can be fetched.
``done``
    ``job_id``, ``status``: nothing more will come from this job.

The stream ends when no job of the session is open any more. One that breaks is taken up again
with ``?after=`` or the header ``Last-Event-ID``, both the last ``id`` seen.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse

from featrix_server import safejson
from featrix_server.context import ContextDep, SessionDep, failures
from featrix_server.db import EventRow
from featrix_server.jobs.events import EventHub

HEARTBEAT_S = 10.0

router = APIRouter(prefix="/compute/session/{session_id}", tags=["sessions"])


@router.get("/events", response_class=StreamingResponse, responses=failures(401, 404, 422))
async def events(
    session: SessionDep,
    context: ContextDep,
    after: Annotated[int, Query(ge=0, description="Last event already seen.")] = 0,
    last_event_id: Annotated[int, Header(ge=0)] = 0,
) -> StreamingResponse:
    """Stream the events of a session."""
    # A browser that reconnects repeats its first address and adds the header: the later counts.
    stream = _stream(context.events, session.row.id, max(after, last_event_id))
    return StreamingResponse(
        stream,
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _stream(hub: EventHub, session_id: str, after: int) -> AsyncIterator[str]:
    async for page in hub.listen(session_id, after, HEARTBEAT_S):
        yield "".join(map(_encode, page)) or ": still here\n\n"


def _encode(event: EventRow) -> str:
    return f"id: {event.seq}\nevent: {event.kind}\ndata: {safejson.dumps(event.payload)}\n\n"
