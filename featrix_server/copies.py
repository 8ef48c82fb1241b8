"""What sessions made of other ones have in common: reports that are copied, a card of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from featrix_server.db import EventRow, JobRow, MetricRow, SessionRow, add_event

CARD_FILE = "card.json"


def rename_card(folder: Path, row: SessionRow, **more: Any) -> None:
    """Let the model card in a folder with the space of another session name its own.

    Parameters
    ----------
    folder
        Of a session in the making, or of a predictor of it.
    row
        The session.
    more
        Further facts for the card's ``model_identification``.
    """
    path = folder / CARD_FILE
    card = json.loads(path.read_text("utf-8"))
    own = {"session_id": row.id, "parent_id": row.parent_id, "compute_cluster": row.compute_cluster}
    card["model_identification"] |= own | {"name": row.name or row.id} | more
    path.unlink()  # it may be one with the other session's
    path.write_text(json.dumps(card), "utf-8")


def copy_reports(database: Session, of_job: str, to: JobRow, up_to: int | None = None) -> None:
    """Give a job the epochs of another one: their metrics, and their events.

    Parameters
    ----------
    database
        The caller's transaction.
    of_job
        Id of the job that has them.
    to
        The job that gets them.
    up_to
        The last epoch to copy; None: all.
    """
    metrics = select(MetricRow).where(MetricRow.job_id == of_job).order_by(MetricRow.epoch)
    for row in database.scalars(metrics):
        if up_to is None or row.epoch <= up_to:
            database.add(MetricRow(job_id=to.id, epoch=row.epoch, payload=row.payload))
    events = select(EventRow).where(
        EventRow.job_id == of_job, EventRow.kind.in_(("epoch", "frame"))
    )
    for event in database.scalars(events.order_by(EventRow.seq)):
        if up_to is None or event.payload["epoch"] <= up_to:
            payload = event.payload | {"job_id": to.id}
            add_event(database, to.session_id, event.kind, payload, to.id)
