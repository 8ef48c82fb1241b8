"""Making a session from a data file: read the table, look at its columns, queue the training."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from featrix_server.context import Context
from featrix_server.db import TRAIN_JOB, JobRow, SessionRow, add_event, fresh_stamp
from featrix_server.errors import from_validation_details, unusable
from featrix_server.schemas import CreateOptions, SessionCreated
from featrix_server.store import DATA_FILE, SCHEMA_FILE, Draft, new_id
from featrix_server.webhooks import check_webhooks, set_webhooks

if TYPE_CHECKING:
    from featrix_server.engine import Table

UPLOAD_FILE = "upload"
"""Name of the data file as it came, inside a session's folder until its table has been read."""


_KEPT_OPTIONS = {"ignore_columns", "column_overrides", "epochs", "foundation_mode"}


def options_from_form(fields: dict[str, str]) -> CreateOptions:
    """Check the text fields of the upload form."""
    given = {key: value for key, value in fields.items() if value.strip()}
    try:
        return CreateOptions.model_validate(given)
    except ValidationError as error:
        raise from_validation_details(error.errors()) from error


def session_with_key(context: Context, key: str | None) -> SessionCreated | None:
    """Return the session that an earlier request with the same idempotency key made."""
    if not key:
        return None
    with context.database.read() as database:
        row = database.scalars(
            select(SessionRow).where(
                SessionRow.idempotency_key == key, SessionRow.deleted_at.is_(None)
            )
        ).first()
        if row is None:
            return None
        job_id = database.scalars(
            select(JobRow.id).where(JobRow.session_id == row.id).order_by(JobRow.created_at)
        ).first()
        return _created(row, job_id)


def _read_into(
    folder: Path, options: CreateOptions, filename: str, max_bytes: int
) -> tuple[list[str], list[str]]:
    """Turn the data file in a session's folder into the session's table and schema.

    Parameters
    ----------
    folder
        The session's folder with the file `UPLOAD_FILE`; on return that file is gone, and
        `DATA_FILE` and `SCHEMA_FILE` are there.
    options
        What the caller asked for.
    filename
        The file's own name, which tells its format.
    max_bytes
        Most bytes the file may hold unpacked.

    Returns
    -------
    tuple of two lists of str
        The columns in the model, and warnings to show.

    Raises
    ------
    ApiError
        413 if it holds too much, 422 if it cannot be read or has too few rows or columns.
    """
    # The engine takes a second to import, which a server that only lists models need not pay.
    from featrix_server import engine

    try:
        table = engine.read_table(
            folder / UPLOAD_FILE, folder / DATA_FILE, filename=filename, max_bytes=max_bytes
        )
        schema = engine.detect_schema(
            table,
            ignore_columns=options.ignore_columns or (),
            column_overrides=options.column_overrides,
        )
    except engine.TableError as error:
        raise unusable(error) from error
    (folder / SCHEMA_FILE).write_text(json.dumps(schema.to_dict()), "utf-8")
    (folder / UPLOAD_FILE).unlink()
    warnings = [*reading_notes(table), *(warning["message"] for warning in schema.warnings)]
    return [column.name for column in schema.columns], warnings


def reading_notes(table: Table) -> list[str]:
    """Return what a person should know about how a table was read."""
    notes = list(table.report.notes)
    if table.report.bad_line_count:
        first = table.report.bad_lines[0]
        notes.append(
            f"{table.report.bad_line_count:,} lines could not be read and are not in the table; "
            f"the first is line {first.line}: {first.reason}"
        )
    return notes


def create_session(
    context: Context,
    draft: Draft,
    options: CreateOptions,
    filename: str,
    *,
    cluster: str,
    idempotency_key: str | None = None,
) -> SessionCreated:
    """Make a session of the data file in a draft folder of a store, and queue its training.

    If another request with the same idempotency key was faster, its session is returned and
    this one leaves nothing behind.

    Raises
    ------
    ApiError
        422 if the file cannot be read, has too few rows or columns, or a webhook cannot be called.
    """
    webhooks = check_webhooks(
        options.webhooks or {}, allow_private=context.settings.private_urls_allowed
    )
    columns, warnings = _read_into(
        draft.folder, options, filename, context.settings.max_unpacked_bytes
    )
    row = SessionRow(
        id=new_id(options.session_name_prefix or options.name),
        name=options.name,
        compute_cluster=cluster,
        user_metadata=options.user_metadata,
        columns=columns,
        options=options.model_dump(include=_KEPT_OPTIONS, exclude_none=True),
        warnings=warnings,
        idempotency_key=idempotency_key,
        source_filename=filename,
    )
    job = JobRow(
        id=str(uuid.uuid4()),
        session_id=row.id,
        job_type=TRAIN_JOB,
        spec={"epochs": options.epochs, "foundation_mode": options.foundation_mode},
        total_epochs=options.epochs,
        name=options.name,
    )
    draft.publish(row.id)
    try:
        with context.database.write() as database:
            row.created_at = fresh_stamp(database, SessionRow.created_at)
            job.created_at = fresh_stamp(database, JobRow.created_at)
            database.add(row)
            database.flush()
            database.add(job)
            if webhooks:
                set_webhooks(database, row.id, None, webhooks)
            queued = {"job_id": job.id, "status": "queued", "requested": None, "error": None}
            add_event(database, row.id, "status", queued, job.id)
            return _created(row, job.id)
    except BaseException as error:
        context.store.remove(row.id)
        earlier = session_with_key(context, idempotency_key)
        if isinstance(error, IntegrityError) and earlier is not None:
            return earlier
        raise


def _created(row: SessionRow, job_id: str | None) -> SessionCreated:
    return SessionCreated(
        session_id=row.id,
        name=row.name,
        status=row.status,
        job_id=job_id,
        warnings=row.warnings,
        compute_cluster=row.compute_cluster,
    )
