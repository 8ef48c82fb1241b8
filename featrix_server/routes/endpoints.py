"""Production endpoints: making and managing them, and predicting through them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Path as PathParameter
from sqlalchemy import select
from starlette.responses import Response

from featrix_server.context import Context, ContextDep, failures, find_session
from featrix_server.db import EndpointRow, PredictorRow
from featrix_server.endpoint_schemas import (
    CreateEndpoint,
    EndpointDeleted,
    EndpointInfo,
    EndpointList,
    EndpointQuery,
    EndpointStats,
    RevokeKey,
)
from featrix_server.endpoints import Door
from featrix_server.predicting import ask
from featrix_server.prediction_log import Asker
from featrix_server.predictor_schemas import PredictionAnswer, TrainingInProgress
from featrix_server.responses import SafeJSONResponse
from featrix_server.routes.customer import CustomerMetadata
from featrix_server.schemas import iso

router = APIRouter(tags=["endpoints"])

_COMMON = failures(401, 403, 404, 422)
EndpointId = Annotated[str, PathParameter(description="Id of an endpoint.")]


@router.post(
    "/endpoint/{endpoint_id}/predict",
    response_class=SafeJSONResponse,
    responses={
        200: {"model": PredictionAnswer},
        **_COMMON,
        **failures(409, 410, 413, 429),
        503: {"model": TrainingInProgress, "description": "The predictor is still being trained."},
    },
)
def predict_through_endpoint(
    body: EndpointQuery,
    endpoint_id: EndpointId,
    request: Request,
    context: ContextDep,
    metadata: CustomerMetadata,
) -> Response:
    """Predict one record through an endpoint; its own key is enough.

    The answer is logged and counted before it is given.
    """
    door: Door = request.state.endpoint  # the gate has looked at the key
    asked = ask(context, door.session_id, door.predictor_id)
    if isinstance(asked, Response):
        return asked
    asker = Asker(endpoint_id=endpoint_id, customer_metadata=metadata)
    return SafeJSONResponse(asked.predict_one(body.query_record, None, asker))


@router.post("/endpoints", response_model=EndpointInfo, responses=_COMMON | failures(413))
def create_endpoint(body: CreateEndpoint, request: Request, context: ContextDep) -> EndpointInfo:
    """Make an endpoint of a predictor. The answer holds its key."""
    session = find_session(body.session_id, context)
    session.predictor(body.predictor_id)
    facts = body.model_dump(exclude={"api_key"}) | {"session_id": session.row.id}
    row = context.endpoints.create(api_key=body.api_key, **facts)
    info = _info(context, request, row)
    return info.model_copy(update={"api_key": body.api_key or context.endpoints.key_of(row)})


@router.get("/endpoints", response_model=EndpointList, responses=failures(401, 403, 422))
def list_endpoints(request: Request, context: ContextDep) -> EndpointList:
    """List the endpoints, newest first, without their keys."""
    return EndpointList(endpoints=_infos(context, request, context.endpoints.all()))


@router.get("/endpoints/{endpoint_id}", response_model=EndpointInfo, responses=_COMMON)
def endpoint(endpoint_id: EndpointId, request: Request, context: ContextDep) -> EndpointInfo:
    """Give an endpoint with its key."""
    row = context.endpoints.find(endpoint_id)
    key = context.endpoints.key_of(row)
    return _info(context, request, row).model_copy(update={"api_key": key})


@router.post(
    "/endpoints/{endpoint_id}/regenerate_key", response_model=EndpointInfo, responses=_COMMON
)
def regenerate_key(endpoint_id: EndpointId, request: Request, context: ContextDep) -> EndpointInfo:
    """Give an endpoint a new key, also after it was revoked; the old one fails at once."""
    row = context.endpoints.regenerate(endpoint_id)
    key = context.endpoints.key_of(row)
    return _info(context, request, row).model_copy(update={"api_key": key})


@router.post("/endpoints/{endpoint_id}/revoke_key", response_model=EndpointInfo, responses=_COMMON)
def revoke_key(
    endpoint_id: EndpointId,
    request: Request,
    context: ContextDep,
    body: RevokeKey | None = None,
) -> EndpointInfo:
    """Take the key away: the endpoint refuses every call, or with `make_public`, none."""
    make_public = body is not None and body.make_public
    row = context.endpoints.revoke(endpoint_id, make_public=make_public)
    return _info(context, request, row)


@router.get("/endpoints/{endpoint_id}/stats", response_model=EndpointStats, responses=_COMMON)
def endpoint_stats(endpoint_id: EndpointId, context: ContextDep) -> EndpointStats:
    """Tell how much an endpoint was used. Refused calls do not count."""
    row = context.endpoints.find(endpoint_id)
    usage = context.endpoints.usage([row.id])[row.id]
    return EndpointStats(
        id=row.id,
        usage_count=usage.usage_count,
        error_count=usage.error_count,
        avg_latency_ms=usage.avg_latency_ms,
        last_used_at=iso(usage.last_used_at),
        created_at=row.created_at.isoformat(),
        by_day=usage.by_day,
    )


@router.delete("/endpoints/{endpoint_id}", response_model=EndpointDeleted, responses=_COMMON)
def delete_endpoint(endpoint_id: EndpointId, context: ContextDep) -> EndpointDeleted:
    """Remove an endpoint; the predictor stays."""
    context.endpoints.delete(endpoint_id)
    return EndpointDeleted(id=endpoint_id)


def _info(context: Context, request: Request, row: EndpointRow) -> EndpointInfo:
    return _infos(context, request, [row])[0]


def _infos(context: Context, request: Request, rows: list[EndpointRow]) -> list[EndpointInfo]:
    used = context.endpoints.usage([row.id for row in rows])
    query = select(PredictorRow.id, PredictorRow.target_column)
    query = query.where(PredictorRow.id.in_([row.predictor_id for row in rows]))
    with context.database.read() as database:
        targets = {row.id: row.target_column for row in database.execute(query)}
    return [
        EndpointInfo(
            id=row.id,
            name=row.name,
            description=row.description,
            session_id=row.session_id,
            serving_predictor_id=row.predictor_id,
            target_column=targets[row.predictor_id],
            has_api_key=row.key_hash is not None,
            api_key=None,
            api_key_created_at=iso(row.key_created_at),
            is_public=row.is_public,
            requests_per_minute=row.requests_per_minute,
            predict_url=str(request.url_for("predict_through_endpoint", endpoint_id=row.id)),
            created_at=row.created_at.isoformat(),
            last_used_at=iso(used[row.id].last_used_at),
            usage_count=used[row.id].usage_count,
            plan={"shadows": []},
        )
        for row in rows
    ]
