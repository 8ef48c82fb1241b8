"""Rows of webhooks, and of the calls that are made or were made to them."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import JSON, ForeignKey, Index
from sqlalchemy.orm import Mapped, Session, mapped_column

from featrix_server.db.base import Base, now

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


def find_webhook(
    session: Session, event: str, session_id: str, predictor_id: str | None
) -> WebhookRow | None:
    """Return the owner whose URL is called for an event; None if nobody asked for it."""
    for owner_id in filter(None, (predictor_id, session_id)):
        row = session.get(WebhookRow, owner_id)
        if row is not None and event in row.urls:
            return row if row.urls[event] else None
    return None


def add_delivery(
    session: Session, event: str, session_id: str, predictor_id: str | None, data: dict[str, Any]
) -> None:
    """Have the webhook of an event called, if there is one, once the transaction is committed.

    Parameters
    ----------
    session
        The transaction that writes what the event tells of.
    event
        Name of the event.
    session_id, predictor_id
        The model; and the predictor, None for what happens to the model itself.
    data
        The event's own part of the payload; JSON-safe.
    """
    owner = find_webhook(session, event, session_id, predictor_id)
    if owner is None:
        return
    session.add(
        DeliveryRow(
            id=str(uuid.uuid4()),
            session_id=session_id,
            predictor_id=predictor_id,
            owner_id=owner.owner_id,
            event=event,
            url=owner.urls[event],
            data=data,
        )
    )


def copy_webhooks(session: Session, parent_id: str, child_id: str) -> None:
    """Give a model made with the space of another one the webhooks of that one."""
    row = session.get(WebhookRow, parent_id)
    if row is not None:
        session.add(
            WebhookRow(owner_id=child_id, session_id=child_id, urls=row.urls, secret=row.secret)
        )
