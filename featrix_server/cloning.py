"""Cloning a model: a new, independent one with the same weights, card, history and predictors."""

from __future__ import annotations

import uuid

from featrix_server.context import Context, OpenSession
from featrix_server.copies import copy_reports, rename_card
from featrix_server.db import (
    OPEN_STATUSES,
    SPACE_JOBS,
    JobRow,
    PredictorRow,
    SessionRow,
    add_event,
    fresh_stamp,
    now,
)
from featrix_server.errors import invalid_input
from featrix_server.lifecycle_schemas import Cloned
from featrix_server.store import Draft, new_id, predictor_folder

_SESSION_FIELDS = (
    "session_type", "user_metadata", "dimensions", "epochs", "final_loss", "columns", "warnings",
    "source_filename",
)  # fmt: skip
_JOB_FIELDS = ("job_type", "spec", "progress", "current_epoch", "total_epochs", "name")
_PREDICTOR_FIELDS = (
    "name", "target_column", "target_type", "problem_type", "options", "labels_digest", "warnings",
    "trained_at", "accuracy", "auc", "f1",
)  # fmt: skip


def clone(context: Context, source: OpenSession, cluster: str, name: str | None) -> Cloned:
    """Clone a trained model into a store.

    Copied are weights, card, metrics, movie, checkpoints and trained predictors; not endpoints,
    feedback, vector databases and webhooks.

    Parameters
    ----------
    context, source
        The server's parts, and the model.
    cluster
        Name of the store.
    name
        Name of the clone; None: that of the model with ``-clone`` after it.

    Raises
    ------
    ApiError
        422 if the model or one of its predictors is being trained, or the model never was.
    """
    trained = _trained_predictors(source)
    row = SessionRow(
        id=new_id(name or f"{source.row.name or source.row.id}-clone"),
        name=name or f"{source.row.name or source.row.id}-clone",
        status="done",
        started_at=now(),
        finished_at=now(),
        compute_cluster=cluster,
        options={key: value for key, value in source.row.options.items() if key != "webhooks"},
        **{field: getattr(source.row, field) for field in _SESSION_FIELDS},
    )
    ids = {one.id: new_id(one.name or one.target_column) for one in trained}
    with context.store.draft(cluster) as draft:
        _copy_files(context, draft, source, row, ids)
        draft.publish(row.id)
    try:
        _copy_rows(context, source, row, trained, ids)
    except BaseException:
        context.store.remove(row.id)
        raise
    return Cloned(new_session_id=row.id, name=row.name or row.id, compute_cluster=cluster)


def _trained_predictors(source: OpenSession) -> list[PredictorRow]:
    if source.status != "done":
        raise invalid_input(
            f"Only a trained model can be cloned; {source.row.id!r} is {source.status}.",
            hint="Wait for the end of its training: fm.wait_for_training()."
            if source.status in OPEN_STATUSES
            else "Create the model again.",
        )
    jobs = {job.id: job for job in source.jobs + source.labelled_jobs}
    found = [one for one in source.all_predictors if one.trained_at is not None]
    for one in found:
        if jobs[one.job_id].status in OPEN_STATUSES:
            raise invalid_input(
                f"The predictor {one.id!r} of this model is being trained further.",
                hint="Clone the model when that is done: predictor.wait_for_training().",
            )
    return found


def _copy_files(
    context: Context, draft: Draft, source: OpenSession, row: SessionRow, ids: dict[str, str]
) -> None:
    draft.link_space(source.folder)
    rename_card(draft.folder, row, cloned_from=source.row.id)
    if (source.folder / "checkpoints").exists():
        draft.link_tree(source.folder / "checkpoints", "checkpoints")
    for old, new in ids.items():
        predictor = source.predictor(old)  # with labels of its own, it is in another session
        folder = predictor_folder(context.store.folder(predictor.session_id), old)
        copy = predictor_folder(draft.folder, new)
        draft.link_tree(folder, str(copy.relative_to(draft.folder)))
        rename_card(copy, row, name=predictor.name or predictor.target_column)


def _copy_rows(
    context: Context,
    source: OpenSession,
    row: SessionRow,
    trained: list[PredictorRow],
    ids: dict[str, str],
) -> None:
    predictors = {one.job_id: one for one in trained}
    with context.database.write() as database:
        row.created_at = fresh_stamp(database, SessionRow.created_at)
        database.add(row)
        database.flush()
        for job in source.jobs + source.labelled_jobs:
            predictor = predictors.get(job.id)
            if predictor is None and job.job_type not in SPACE_JOBS:
                continue
            copy = JobRow(
                id=str(uuid.uuid4()),
                session_id=row.id,
                status="done",
                created_at=job.created_at,  # their order tells which one is the newest
                started_at=job.started_at,
                finished_at=job.finished_at,
                predictor_id=ids[predictor.id] if predictor else None,
                **{field: getattr(job, field) for field in _JOB_FIELDS},
            )
            database.add(copy)
            database.flush()
            copy_reports(database, job.id, copy)
            if predictor is not None:
                database.add(
                    PredictorRow(
                        id=ids[predictor.id],
                        session_id=row.id,
                        job_id=copy.id,
                        created_at=predictor.created_at,
                        **{field: getattr(predictor, field) for field in _PREDICTOR_FIELDS},
                    )
                )
            done = {"job_id": copy.id, "status": "done", "requested": None, "error": None}
            add_event(database, row.id, "status", done, copy.id)
            add_event(database, row.id, "done", {"job_id": copy.id, "status": "done"}, copy.id)
