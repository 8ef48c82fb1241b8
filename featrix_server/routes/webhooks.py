"""Webhooks of a model and its predictors: setting, reading, disabling, and the log of the calls."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import select
from sqlalchemy.orm import Session

from featrix_server.context import ContextDep, OpenSession, SessionDep, failures
from featrix_server.db import DeliveryRow, DeliveryStatus, SessionRow, owners
from featrix_server.webhook_call import stamp
from featrix_server.webhook_schemas import (
    ConfigureWebhooks,
    Deliveries,
    Delivery,
    DisableWebhook,
    Webhooks,
)
from featrix_server.webhooks import (
    check_event,
    check_webhooks,
    disable_webhook,
    set_webhooks,
    shown,
)

router = APIRouter(prefix="/compute/session/{session_id}", tags=["webhooks"])

_COMMON = failures(401, 403, 404, 422)

PredictorId = Annotated[
    str | None, Query(description="Only this predictor's, with those it has from its model.")
]


@router.post("/configure_webhooks", response_model=Webhooks, responses=_COMMON | failures(507))
def configure_webhooks(
    body: ConfigureWebhooks, session: SessionDep, context: ContextDep
) -> Webhooks:
    """Set the URLs of the events that are named, and leave the others as they are.

    Without a predictor they are the model's: called for what happens to the model itself, and
    for what happens to a predictor that has no URL of its own for the event.
    """
    given = check_webhooks(body.webhooks, allow_private=context.settings.private_urls_allowed)
    place = _place(session, body.predictor_id)
    with context.database.write() as database:
        database.get_one(SessionRow, place[0], with_for_update=True)
        set_webhooks(database, *place, given)
        return _shown(database, session, body.predictor_id)


@router.post("/disable_webhook", response_model=Webhooks, responses=_COMMON | failures(507))
def disable(body: DisableWebhook, session: SessionDep, context: ContextDep) -> Webhooks:
    """Have an event no longer told; what waits to be told of it is not told either."""
    check_event(body.event_type)
    place = _place(session, body.predictor_id)
    with context.database.write() as database:
        database.get_one(SessionRow, place[0], with_for_update=True)
        disable_webhook(database, *place, body.event_type)
        return _shown(database, session, body.predictor_id)


@router.get("/webhooks", response_model=Webhooks, responses=_COMMON)
def get_webhooks(
    session: SessionDep, context: ContextDep, predictor_id: PredictorId = None
) -> Webhooks:
    """Tell which URLs are called; a secret is only told to be there."""
    with context.database.read() as database:
        return _shown(database, session, predictor_id)


def _place(session: OpenSession, predictor_id: str | None) -> tuple[str, str | None]:
    """Return the session, and the predictor in it, whose webhooks are meant."""
    if predictor_id is None:
        return session.row.id, None
    return session.predictor(predictor_id).session_id, predictor_id


def _shown(database: Session, session: OpenSession, predictor_id: str | None) -> Webhooks:
    model = owners(database, session.row.id, None)
    own = {
        row.id: [found for found in chain if found.owner_id == row.id]
        for row in session.all_predictors
        if (chain := owners(database, row.session_id, row.id))
    }
    if predictor_id is None:  # a client that names none means "mine", whichever that is
        in_force = [*(row for rows in own.values() for row in rows), *model]
    else:
        in_force = owners(database, *_place(session, predictor_id))
    return Webhooks(
        webhooks=shown(in_force),
        model=shown(model),
        predictors={name: shown(rows) for name, rows in own.items() if rows},
    )


@router.get("/webhook_deliveries", response_model=Deliveries, responses=_COMMON)
def webhook_deliveries(
    session: SessionDep,
    context: ContextDep,
    predictor_id: Annotated[str | None, Query(description="Only what tells of it.")] = None,
    event: Annotated[str | None, Query(description="Only this event.")] = None,
    status: Annotated[DeliveryStatus | None, Query(description="Only such.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Deliveries:
    """Tell what was called, is being called and will be called, newest first.

    Finished calls are kept for 30 days.
    """
    query = select(DeliveryRow)
    if predictor_id is not None:
        session.predictor(predictor_id)
        query = query.where(DeliveryRow.predictor_id == predictor_id)
    else:
        places = {session.row.id, *(row.session_id for row in session.labelled)}
        query = query.where(DeliveryRow.session_id.in_(places))
    if event is not None:
        check_event(event)
        query = query.where(DeliveryRow.event == event)
    if status is not None:
        query = query.where(DeliveryRow.status == status)
    newest = query.order_by(DeliveryRow.created_at.desc(), DeliveryRow.id).limit(limit)
    with context.database.read() as database:
        return Deliveries(deliveries=[_told(row) for row in database.scalars(newest)])


def _told(row: DeliveryRow) -> Delivery:
    names = ("id", "event", "predictor_id", "url", "data", "status", "tries")
    return Delivery.model_validate(
        {name: getattr(row, name) for name in names}
        | {
            "created_at": stamp(row.created_at),
            "due_at": stamp(row.due_at) if row.status == "waiting" else None,
            "finished_at": stamp(row.finished_at) if row.finished_at else None,
        }
    )
