"""Rows of webhooks, of the calls that are made or were made to them, and of alerts."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import JSON, BigInteger, ForeignKey, Index
from sqlalchemy.orm import Mapped, Session, mapped_column

from featrix_server.db.base import Base, now
from featrix_server.db.training import PredictorRow, SessionRow

DeliveryStatus = Literal["waiting", "delivered", "failed", "cancelled"]


class WebhookRow(Base):
    """The webhooks of one owner: a model, or a predictor of it.

    ``urls`` maps events to URLs. A predictor uses its model's URL for an event that it has none
    for, unless it holds None under that event: then it was disabled for this predictor.
    """

    __tablename__ = "webhooks"

    owner_id: Mapped[str] = mapped_column(primary_key=True)
    session_id: Mapped[str] = mapped_column(
        ForeignKey("sessions.id", ondelete="CASCADE"), index=True
    )
    predictor_id: Mapped[str | None] = mapped_column(
        ForeignKey("predictors.id", ondelete="CASCADE")
    )
    urls: Mapped[dict[str, Any]] = mapped_column(default=dict)
    secret: Mapped[str | None]


class DeliveryRow(Base):
    """One call of a webhook: written with what it tells of, kept as a log when it is over.

    ``owner_id`` is whose webhook it is; the URL is looked up anew for each try, and ``url`` is the
    last one in force. ``tries`` has one entry a try: ``at``, ``seconds``, ``status_code`` and
    ``error``. A server makes a try while ``lease_owner`` is its name and the lease has not run out.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        Index("ix_webhook_deliveries_status_due_at", "status", "due_at"),
        Index("ix_webhook_deliveries_session_id_created_at", "session_id", "created_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"))
    predictor_id: Mapped[str | None]
    owner_id: Mapped[str]
    event: Mapped[str]
    url: Mapped[str]
    data: Mapped[dict[str, Any]]
    status: Mapped[str] = mapped_column(default="waiting")
    tries: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    created_at: Mapped[datetime] = mapped_column(default=now)
    due_at: Mapped[datetime] = mapped_column(default=now)
    finished_at: Mapped[datetime | None]
    lease_owner: Mapped[str | None]
    lease_expires_at: Mapped[datetime | None]


class AlertRow(Base):
    """When a predictor last raised an alert.

    ``mark`` is how far what it was computed from had come (the number of the newest prediction,
    say): there is no second alert without anything new.
    """

    __tablename__ = "alerts"

    predictor_id: Mapped[str] = mapped_column(
        ForeignKey("predictors.id", ondelete="CASCADE"), primary_key=True
    )
    kind: Mapped[str] = mapped_column(primary_key=True)
    raised_at: Mapped[datetime]
    mark: Mapped[int] = mapped_column(BigInteger)


def owners(session: Session, session_id: str, predictor_id: str | None) -> list[WebhookRow]:
    """Return those whose webhooks are called for a model or a predictor, nearest first.

    A predictor's own, then its model's. One with labels of its own lives in a session of its own,
    but belongs to the model that this one was made with.
    """
    ids = [session_id]
    if predictor_id is not None:
        ids.insert(0, predictor_id)
        predictor = session.get(PredictorRow, predictor_id)
        if predictor is not None and predictor.labels_digest is not None:
            child = session.get_one(SessionRow, session_id)
            ids += [child.parent_id] if child.parent_id else []
    rows = (session.get(WebhookRow, owner_id) for owner_id in ids)
    return [row for row in rows if row is not None]


def find_webhook(
    session: Session, event: str, session_id: str, predictor_id: str | None
) -> WebhookRow | None:
    """Return the owner whose URL is called for an event; None if nobody asked for it."""
    for row in owners(session, session_id, predictor_id):
        if event in row.urls:
            return row if row.urls[event] else None
    return None


def new_deliveries(
    session: Session,
    event: str,
    session_id: str,
    predictor_id: str | None,
    data: Sequence[dict[str, Any]],
) -> list[dict[str, Any]]:
    """Return the values of rows that have the webhook of an event called, if there is one.

    Parameters
    ----------
    session
        A transaction to look for the webhook in.
    event
        Name of the event.
    session_id, predictor_id
        The model; and the predictor, None for what happens to the model itself.
    data
        The event's own part of each payload; JSON-safe.
    """
    owner = find_webhook(session, event, session_id, predictor_id)
    if owner is None:
        return []
    common = {
        "session_id": session_id,
        "predictor_id": predictor_id,
        "owner_id": owner.owner_id,
        "event": event,
        "url": owner.urls[event],
    }
    return [common | {"id": str(uuid.uuid4()), "data": one} for one in data]


def add_delivery(
    session: Session, event: str, session_id: str, predictor_id: str | None, data: dict[str, Any]
) -> None:
    """Have the webhook of an event called, if there is one, once the transaction is committed.

    Parameters as of `new_deliveries`, in the transaction that writes what the event tells of.
    """
    for values in new_deliveries(session, event, session_id, predictor_id, [data]):
        session.add(DeliveryRow(**values))
