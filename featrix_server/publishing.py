"""Publishing: a permanent copy under a name of its own, protected from deletion."""

from __future__ import annotations

import os
import secrets
import shutil
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from featrix_server.context import Context, OpenSession
from featrix_server.db import OPEN_STATUSES, PUBLISH_JOB, JobRow, SessionRow
from featrix_server.errors import ApiError, invalid_input
from featrix_server.lifecycle_schemas import Published, PublishJob, Unpublished

_TELL_EVERY_S = 0.5
_PARTS = ("checkpoints", "predictors")
"""What belongs to a model beside the files of its folder; indexes of vector databases do not."""


def publish(context: Context, session: OpenSession, name: str) -> Published:
    """Queue the copying of a trained model to its permanent place, under a name.

    The name is taken, and the model protected, from now on; both are undone if it fails. The same
    request once more gets the same job, and when it is done the answer that it is.

    Raises
    ------
    ApiError
        422 if the model is not trained, or the name cannot be used or is another model's.
    """
    check_name(name)
    with context.database.write() as database:
        row = database.get_one(SessionRow, session.row.id, with_for_update=True)
        if row.published_at is not None and row.published_name == name:
            return Published(status="already_published", name=name, session_id=row.id)
        if session.status != "done":
            raise invalid_input(
                f"Only a trained model can be published; {row.id!r} is {session.status}.",
                hint="Wait for the end of its training: fm.wait_for_training()."
                if session.status in OPEN_STATUSES
                else "Create the model again.",
            )
        if row.published_at is not None:
            raise invalid_input(
                f"The model {row.id!r} is published already, as {row.published_name!r}.",
                hint="Unpublish it first: fm.unpublish().",
                field="name",
            )
        job = _open_job(database, row.id)
        if job is not None and row.published_name == name:
            return Published(status="running", name=name, session_id=row.id, job_id=job.id)
        if job is not None:
            raise invalid_input(
                f"The model {row.id!r} is being published as {row.published_name!r}.",
                hint="Wait until that is done, then unpublish it first: fm.unpublish().",
                field="name",
            )
        was_protected = row.deletion_protection
        take_name(database, row, name)
        job = JobRow(
            id=str(uuid.uuid4()),
            session_id=row.id,
            job_type=PUBLISH_JOB,
            spec={"was_protected": was_protected},
            name=name,
        )
        database.add(job)
        return Published(status="queued", name=name, session_id=row.id, job_id=job.id)


def check_name(name: str) -> None:
    """Refuse with 422 a name that cannot be part of an address."""
    if "/" in name or not name.isprintable() or not name.strip("."):
        raise invalid_input(
            f"{name!r} cannot be the name of a published model.",
            hint="Use a name without slashes and control characters.",
            field="name",
        )


def take_name(database: Session, row: SessionRow, name: str) -> None:
    """Give a model a published name, and protect it.

    Raises
    ------
    ApiError
        422 if another model has that name.
    """
    other = database.scalar(
        select(SessionRow.id).where(SessionRow.published_name == name, SessionRow.id != row.id)
    )
    if other is None:
        row.published_name, row.deletion_protection = name, True
        try:
            database.flush()
            return
        except IntegrityError:  # another process was faster
            other = "another one"
    raise invalid_input(
        f"A model is published as {name!r} already: {other}.",
        hint="Choose another name, or unpublish that model first.",
        field="name",
    )


def unpublish(context: Context, session: OpenSession) -> Unpublished:
    """Give the name free again. Protection stays, and the copy until it is collected.

    Raises
    ------
    ApiError
        409 while the model is being published.
    """
    with context.database.write() as database:
        row = database.get_one(SessionRow, session.row.id, with_for_update=True)
        if _open_job(database, row.id) is not None or (row.published_name and not row.published_at):
            raise ApiError(
                409,
                "publishing",
                f"The model {row.id!r} is being published.",
                hint="Wait until that is done, then unpublish it.",
            )
        name, row.published_name, row.published_at = row.published_name, None, None
        protected = row.deletion_protection
    return Unpublished(
        session_id=session.row.id,
        status="unpublished" if name else "not_published",
        name=name,
        deletion_protection=protected,
    )


def publish_job(session: OpenSession, job_id: str) -> PublishJob:
    """Tell how far publishing has come.

    Raises
    ------
    ApiError
        404 if the model has no such job.
    """
    job = next(
        (job for job in session.jobs if (job.id, job.job_type) == (job_id, PUBLISH_JOB)), None
    )
    if job is None:
        raise ApiError(
            404,
            "not_found",
            f"The model {session.row.id!r} has no publishing {job_id!r}.",
            field="job_id",
        )
    words = {"done": "completed", "cancelled": "failed"}
    detail = job.detail or {}
    message = {
        "queued": "Waiting for its turn.",
        "running": "Copying the model to its permanent place.",
        "done": f"The model is published as {job.name!r}.",
    }.get(job.status, "The model was not published.")
    total = detail.get("bytes_total") or 0
    share = detail.get("bytes_copied", 0) / total if total else 0.0
    return PublishJob(
        job_id=job.id,
        status=words.get(job.status, job.status),
        message=message,
        step="copy" if job.status in OPEN_STATUSES else job.status,
        progress_pct=100.0 if job.status == "done" else round(100 * share, 1),
        eta_minutes=0.0 if job.status == "done" else detail.get("eta_minutes"),
        bytes_copied=detail.get("bytes_copied", 0),
        files_copied=detail.get("files_copied", 0),
        published_path=detail.get("published_path"),
        error=job.error or ("cancelled" if job.status == "cancelled" else None),
    )


def _open_job(database: Session, session_id: str) -> JobRow | None:
    query = select(JobRow).where(
        JobRow.session_id == session_id,
        JobRow.job_type == PUBLISH_JOB,
        JobRow.status.in_(OPEN_STATUSES),
    )
    return database.scalars(query).first()


def copy_out(folder: Path, place: Path, tell: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Copy a session's folder to its permanent place, whole or not at all, and onto the disk.

    Parameters
    ----------
    folder
        The session's folder. Hidden files are left out.
    place
        Folder that is made, or replaced.
    tell
        Hears now and then how far it has come.

    Returns
    -------
    dict
        ``bytes_total``, ``bytes_copied``, ``files_copied`` and ``published_path``.
    """
    inside = (path for part in _PARTS for path in (folder / part).rglob("*"))
    files = [path for path in sorted((*folder.iterdir(), *inside)) if path.is_file()]
    files = [path for path in files if _is_shown(path.relative_to(folder))]
    far: dict[str, Any] = {
        "bytes_total": sum(path.stat().st_size for path in files),
        "bytes_copied": 0,
        "files_copied": 0,
        "published_path": str(place),
    }
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_name(f".new-{secrets.token_hex(8)}")
    began = told = time.monotonic()
    try:
        for path in files:
            target = draft / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                far["bytes_copied"] += _copy(path, target)
            except FileNotFoundError:  # of a predictor that is being trained
                continue
            far["files_copied"] += 1
            if time.monotonic() - told > _TELL_EVERY_S:
                told = time.monotonic()
                left = far["bytes_total"] - far["bytes_copied"]
                minutes = left / max(far["bytes_copied"], 1) * (told - began) / 60
                tell({**far, "eta_minutes": round(minutes, 2)})
        if place.exists():
            place.rename(place.with_name(f".old-{secrets.token_hex(8)}"))
        draft.rename(place)
    finally:
        for left_over in place.parent.glob(".old-*"):
            shutil.rmtree(left_over, ignore_errors=True)
        shutil.rmtree(draft, ignore_errors=True)
    return far


def _is_shown(path: Path) -> bool:
    return not any(part.startswith(".") for part in path.parts)


def _copy(source: Path, target: Path) -> int:
    with source.open("rb") as file, target.open("wb") as copy:
        shutil.copyfileobj(file, copy, 1024**2)
        copy.flush()
        os.fsync(copy.fileno())
        return copy.tell()
