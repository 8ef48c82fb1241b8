"""The collector: removes for good what was deleted, and nothing that anything still needs."""

from __future__ import annotations

import logging
import shutil
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from featrix_server.context import Context
from featrix_server.db import JobRow, SessionRow, now
from featrix_server.lifecycle_schemas import Collected, KeptModel

logger = logging.getLogger(__name__)


def collect(context: Context, older_than: timedelta) -> Collected:
    """Remove the data of models that were deleted long enough ago.

    A model's rows go first, in one transaction; its folder follows, under a hidden name. So a
    model that is listed is whole, wherever this is interrupted; what is then left of a folder goes
    at the next time. Any number of processes may collect at once. Its endpoints and vector
    databases have been of no use since it was deleted, and go with it; models that were made of it
    have files of their own.

    Parameters
    ----------
    context
        The server's parts.
    older_than
        Models deleted less long ago are left alone.
    """
    removed: list[str] = []
    kept: list[KeptModel] = []
    limit = now() - older_than
    with context.database.read() as database:
        query = select(SessionRow.id).where(SessionRow.deleted_at <= limit)
        candidates = database.scalars(query.order_by(SessionRow.deleted_at)).all()
    for session_id in candidates:
        with context.database.write() as database:
            row = database.get(SessionRow, session_id, with_for_update=True)
            if row is None:  # another collector was faster
                continue
            reason = _needed_for(database, row)
            if reason is not None:
                kept.append(KeptModel(session_id=session_id, reason=reason))
                continue
            database.execute(delete(SessionRow).where(SessionRow.id == session_id))
        context.models.drop(context.store.folder(session_id))
        context.vectors.forget(session_id)
        context.store.remove(session_id)
        removed.append(session_id)
        logger.info("removed the deleted model %s", session_id)
    _collect_copies(context)
    with context.database.read() as database:
        known = set(database.scalars(select(SessionRow.id)))
    context.store.sweep(known)
    return Collected(removed=removed, kept=kept)


def _needed_for(database: Session, row: SessionRow) -> str | None:
    """Return what a deleted model is still needed for, None if for nothing."""
    if row.published_name is not None:
        return f"published as {row.published_name!r}"
    jobs = select(JobRow).where(JobRow.session_id == row.id)
    if database.scalars(jobs.where(JobRow.status.in_(("queued", "running"))).limit(1)).first():
        return "a job of it has not ended yet"
    return None


def _collect_copies(context: Context) -> None:
    """Remove the permanent copies of models that are not published any more."""
    place = context.settings.published_dir
    if not place.exists():
        return
    for folder in place.iterdir():
        if folder.name.startswith("."):  # being made, or half removed
            context.store.remove_if_old(folder)
            continue
        with context.database.write() as database:  # no model is published meanwhile
            row = database.get(SessionRow, folder.name)
            if row is not None and row.published_name is not None:
                continue
            doomed = folder.with_name(f".old-{folder.name}")
            folder.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)


def restore_published(context: Context) -> None:
    """Give published models whose folder is gone their files back, from the permanent copy."""
    with context.database.read() as database:
        query = select(SessionRow.id).where(SessionRow.published_at.is_not(None))
        published = database.scalars(query).all()
    for session_id in published:
        copy = context.settings.published_dir / session_id
        if context.store.folder(session_id).exists() or not copy.exists():
            continue
        with context.store.draft() as draft:
            shutil.copytree(copy, draft.folder, dirs_exist_ok=True)
            draft.publish(session_id)
        logger.warning("the folder of the published model %s was gone: restored", session_id)
