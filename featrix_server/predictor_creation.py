"""Making predictors: check the target, write the rows, queue the training."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from featrix_server.context import Context, OpenSession, unknown_predictor
from featrix_server.copies import rename_card
from featrix_server.creation import UPLOAD_FILE, reading_notes
from featrix_server.db import (
    OPEN_STATUSES,
    JobRow,
    PredictorRow,
    SessionRow,
    add_event,
    fresh_stamp,
    now,
)
from featrix_server.errors import from_validation_details, invalid_input, unusable
from featrix_server.jobs.states import set_status
from featrix_server.predictor_schemas import (
    PredictorCreated,
    TrainMore,
    TrainPredictor,
    TrainWithLabels,
)
from featrix_server.store import (
    DATA_FILE,
    LABELS_FILE,
    SCHEMA_FILE,
    Draft,
    new_id,
    predictor_folder,
)

if TYPE_CHECKING:
    from pathlib import Path

    from featrix_server.engine import Table, TargetSummary


def options_from_form(fields: dict[str, str]) -> TrainWithLabels:
    """Check the text fields of the form that comes with a labels file."""
    given = {key: value for key, value in fields.items() if value.strip()}
    try:
        return TrainWithLabels.model_validate(given)
    except ValidationError as error:
        raise from_validation_details(error.errors()) from error


@contextmanager
def refusing() -> Iterator[None]:
    """Turn what the engine refuses to do into the answer 422."""
    from featrix_server import engine

    try:
        yield
    except (engine.PredictorError, engine.TableError) as error:
        raise unusable(error) from error


def create_predictor(
    context: Context, parent: OpenSession, body: TrainPredictor
) -> PredictorCreated:
    """Queue the training of a predictor on the labels in the model's own table.

    The same request once more, while that training is open, gives the same predictor: clients
    repeat requests whose answer they did not get.

    Raises
    ------
    ApiError
        422 if the model is not trained, or the target or an option cannot be used.
    """
    _require_space(parent)
    summary = _check_target(parent.folder, body, None)
    predictor = _new_row(parent.row.id, body, summary)
    with context.database.write() as database:
        # Held to the end, so that two equal requests cannot both find no earlier one.
        database.get_one(SessionRow, parent.row.id, with_for_update=True)
        earlier = _find_open(database, predictor, SessionRow.id == parent.row.id)
        if earlier is not None:
            return _created(context, *earlier)
        return _created(context, *_queue(database, predictor))


def create_with_labels(
    context: Context, draft: Draft, parent: OpenSession, body: TrainWithLabels, filename: str
) -> PredictorCreated:
    """Make a session with the parent's space, and queue a predictor on labels of their own.

    Parameters
    ----------
    context, parent
        The server's parts, and the trained model to build on.
    draft
        A folder with the labels file as `UPLOAD_FILE`.
    body, filename
        What is asked for, and the file's own name.

    Raises
    ------
    ApiError
        422 if the model is not trained, the file cannot be read or does not fit the model, or the
        target or an option cannot be used; nothing is left behind then.
    """
    from featrix_server import engine

    _require_space(parent)
    upload = draft.folder / UPLOAD_FILE
    with upload.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    draft.link_space(parent.folder)
    predictor_id = new_id(body.name or body.target_column)
    folder = predictor_folder(draft.folder, predictor_id)
    folder.mkdir(parents=True)
    with refusing():
        labels = engine.read_table(
            upload,
            folder / LABELS_FILE,
            filename=filename,
            max_bytes=context.settings.max_unpacked_bytes,
        )
    upload.unlink()
    summary = _check_target(draft.folder, body, labels)
    row = _child_of(parent.row, body)
    row.compute_cluster = context.store.default  # where the draft is
    predictor = _new_row(row.id, body, summary, id=predictor_id, labels_digest=digest)
    predictor.warnings = [*reading_notes(labels), *predictor.warnings]
    rename_card(draft.folder, row)
    draft.publish(row.id)
    try:
        with context.database.write() as database:
            database.get_one(SessionRow, parent.row.id, with_for_update=True)
            earlier = _find_open(database, predictor, SessionRow.parent_id == parent.row.id)
            if earlier is None:
                database.add(row)
                database.flush()
                return _created(context, *_queue(database, predictor))
    except BaseException:
        context.store.remove(row.id)
        raise
    context.store.remove(row.id)
    return _created(context, *earlier)


def train_more(context: Context, session: OpenSession, body: TrainMore) -> PredictorCreated:
    """Queue further epochs for a finished predictor.

    Raises
    ------
    ApiError
        404 if there is no such predictor; 422 if it is being trained or never was.
    """
    wanted = [
        row
        for row in session.all_predictors
        if body.predictor_id in (None, row.id)
        and (body.predictor_id is not None or body.target_column in (None, row.target_column))
    ]
    if not wanted:
        raise unknown_predictor(session.row.id, body.predictor_id or body.target_column or "")
    with context.database.write() as database:
        newest = max(wanted, key=lambda row: row.created_at)
        job = database.get_one(JobRow, newest.job_id, with_for_update=True)
        predictor = database.get_one(PredictorRow, newest.id)
        if job.status in OPEN_STATUSES:
            if job.spec.get("more") != body.epochs:
                raise invalid_input(
                    f"The predictor {predictor.id!r} is being trained.",
                    hint="Wait for it first: predictor.wait_for_training().",
                )
        elif predictor.trained_at is None:
            raise invalid_input(
                f"The predictor {predictor.id!r} has never been trained: it {job.status}.",
                hint=job.error or "Create it again.",
            )
        else:
            _train_further(database, job, body.epochs)
        return _created(context, predictor, job)


def _train_further(database: Session, job: JobRow, epochs: int) -> None:
    """Put the finished job of a predictor back into the queue, in the caller's transaction.

    It keeps its id, by which clients know the predictor, and its epochs: further ones are numbered
    after all of them.
    """
    job.spec = {"more": epochs}
    job.created_at = fresh_stamp(database, JobRow.created_at)
    job.started_at, job.finished_at, job.error = None, None, None
    job.attempts, job.progress, job.total_epochs = 0, 0.0, (job.current_epoch or 0) + epochs
    set_status(database, job, "queued")


def _require_space(session: OpenSession) -> None:
    if session.status == "done":
        return
    if session.status in OPEN_STATUSES:
        hint = "Wait for the end of its training: fm.wait_for_training()."
    else:
        hint = "Create the model again."
    raise invalid_input(
        f"A predictor needs a trained model; {session.row.id!r} is {session.status}.", hint=hint
    )


def _check_target(folder: Path, body: TrainPredictor, labels: Table | None) -> TargetSummary:
    """Say what the target is, or refuse it."""
    from featrix_server import engine

    with refusing():
        summary = engine.check_target(
            engine.open_table(folder / DATA_FILE),
            engine.Schema.from_dict(json.loads((folder / SCHEMA_FILE).read_text("utf-8"))),
            engine.PredictorOptions(**body.engine_options()),
            labels,
        )
    if body.problem_type == "binary" and summary.kind != "binary":
        raise invalid_input(
            f"{body.target_column!r} has {len(summary.classes)} classes "
            f"({', '.join(summary.classes[:5])}, ...); a binary classifier has two.",
            hint="Use fm.create_multi_classifier(), or leave the rows of other classes unlabelled.",
            field="target_column",
        )
    return summary


def _new_row(
    session_id: str, body: TrainPredictor, summary: TargetSummary, **more: Any
) -> PredictorRow:
    given = {"id": new_id(body.name or body.target_column)} | more
    return PredictorRow(
        session_id=session_id,
        job_id=str(uuid.uuid4()),
        name=body.name,
        target_column=body.target_column,
        target_type=body.target_column_type,
        problem_type=summary.kind,
        options=body.engine_options(),
        warnings=[warning["message"] for warning in summary.warnings],
        **given,
    )


def _find_open(
    database: Session, like: PredictorRow, of_session: Any
) -> tuple[PredictorRow, JobRow] | None:
    """Return a predictor in training that was asked for in the very same words."""
    query = (
        select(PredictorRow, JobRow)
        .join(JobRow, JobRow.id == PredictorRow.job_id)
        .join(SessionRow, SessionRow.id == PredictorRow.session_id)
        .where(
            of_session,
            SessionRow.deleted_at.is_(None),
            JobRow.status.in_(OPEN_STATUSES),
            PredictorRow.trained_at.is_(None),
            PredictorRow.name.is_not_distinct_from(like.name),
            PredictorRow.labels_digest.is_not_distinct_from(like.labels_digest),
        )
    )
    for predictor, job in database.execute(query):
        if predictor.options == like.options:
            return predictor, job
    return None


def _queue(database: Session, predictor: PredictorRow) -> tuple[PredictorRow, JobRow]:
    job = JobRow(
        id=predictor.job_id,
        session_id=predictor.session_id,
        job_type="train_single_predictor",
        created_at=fresh_stamp(database, JobRow.created_at),
        total_epochs=predictor.options["epochs"] or None,
        predictor_id=predictor.id,
        name=predictor.name,
    )
    database.add(job)
    database.flush()
    predictor.created_at = fresh_stamp(database, PredictorRow.created_at)
    database.add(predictor)
    queued = {"job_id": job.id, "status": "queued", "requested": None, "error": None}
    add_event(database, job.session_id, "status", queued, job.id)
    database.flush()
    return predictor, job


def _child_of(parent: SessionRow, body: TrainWithLabels) -> SessionRow:
    name = body.name or " ".join(filter(None, (parent.name, body.target_column)))
    copied = ("session_type", "dimensions", "epochs", "final_loss", "columns")
    moment = now()
    return SessionRow(
        id=new_id(name),
        parent_id=parent.id,
        name=name,
        status="done",
        started_at=moment,
        finished_at=moment,
        source_filename=parent.source_filename,
        **{field: getattr(parent, field) for field in copied},
    )


def _created(context: Context, predictor: PredictorRow, job: JobRow) -> PredictorCreated:
    return PredictorCreated(
        session_id=predictor.session_id,
        predictor_id=predictor.id,
        job_id=job.id,
        status=job.status,
        name=predictor.name,
        target_column=predictor.target_column,
        target_column_type=predictor.target_type,
        problem_type=predictor.problem_type,
        warnings=predictor.warnings,
        compute_cluster=context.settings.compute_cluster,
    )
