"""What a training leaves: its metrics, the model card, the preview picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import FileResponse, Response

from featrix_server.context import Context, ContextDep, OpenSession, SessionDep, failures
from featrix_server.db import PredictorRow
from featrix_server.errors import not_ready
from featrix_server.feedback import rolling
from featrix_server.metrics import (
    as_series,
    column_lists,
    epoch_reports,
    metric_lists,
    predictor_metrics,
)
from featrix_server.responses import SafeJSONResponse
from featrix_server.schemas import TrainingMetrics
from featrix_server.store import predictor_folder

router = APIRouter(prefix="/compute/session/{session_id}", tags=["training"])

_COMMON = failures(401, 403, 404, 422)


PredictorQuery = Annotated[str | None, Query(description="Id of one of the model's predictors.")]


@router.get(
    "/training_metrics",
    response_model=TrainingMetrics,
    response_model_exclude_unset=True,
    responses=_COMMON,
)
def training_metrics(
    session: SessionDep, context: ContextDep, predictor_id: PredictorQuery = None
) -> TrainingMetrics:
    """Give the losses, learning rates and other figures of every epoch so far.

    With a predictor, `training_metrics` are its own, also while it is being trained; without,
    those of the predictor whose training was finished last.
    """
    told = _told_predictor(session, predictor_id)
    about: dict[str, Any] = {}
    if told is not None:
        about["training_metrics"] = _predictor_metrics(session, context, told)
    job = session.training
    if job is None:  # its space was trained by another session
        job = next((one for one in session.jobs if told and one.id == told.job_id), None)
        lists = metric_lists(epoch_reports(context.database, job))
        return TrainingMetrics(source="single_predictor_training", **_series(lists), **about)
    reports = epoch_reports(context.database, job)
    lists = metric_lists(reports)
    best_epoch = reports[-1]["best_epoch"] if reports else None
    best_loss = next((r["validation_loss"] for r in reports if r["epoch"] == best_epoch), None)
    data: dict[str, Any] = {
        **lists,
        "columns": column_lists(reports),
        "best_epoch": best_epoch,
        "best_val_loss": best_loss,
        "d_model": session.row.dimensions,
        "metadata": {"n_parameters": _n_parameters(session.folder)},
    }
    series = _series(lists)
    return TrainingMetrics(source="embedding_space_training", data=data, **series, **about)


def _series(lists: dict[str, list[Any]]) -> dict[str, Any]:
    return {
        "loss_history": lists["train_loss"],
        "lr_history": lists["learning_rate"],
        "validation_loss": as_series(lists["epochs"], lists["val_loss"]),
    }


def _told_predictor(session: OpenSession, predictor_id: str | None) -> PredictorRow | None:
    if predictor_id is not None:
        return session.predictor(predictor_id)
    trained = [(one.trained_at, one) for one in session.all_predictors if one.trained_at]
    return max(trained, key=lambda pair: pair[0], default=(None, None))[1]


def _folder(context: Context, predictor: PredictorRow) -> Path:
    return predictor_folder(context.store.folder(predictor.session_id), predictor.id)


def _predictor_metrics(
    session: OpenSession, context: Context, predictor: PredictorRow
) -> dict[str, Any]:
    jobs = session.jobs + session.labelled_jobs
    job = next(job for job in jobs if job.id == predictor.job_id)
    reports = epoch_reports(context.database, job)
    folder = _folder(context, predictor)
    found = predictor_metrics(folder, predictor.target_column, reports)
    told = vars(rolling(context.database, predictor.id))
    return found | {
        "predictor_id": predictor.id,
        "problem_type": predictor.problem_type,
        "feedback": told | {"since": told["since"] and told["since"].isoformat()},
    }


@router.get(
    "/model_card",
    response_class=SafeJSONResponse,
    responses=_COMMON
    | failures(409)
    | {
        200: {
            "content": {"application/json": {"schema": {"type": "object"}}},
            "description": "The card: every decision of the training, with its reason.",
        }
    },
)
def model_card(
    session: SessionDep, context: ContextDep, predictor_id: PredictorQuery = None
) -> Response:
    """Give the model card; `predictors` in it are the cards of the trained predictors, by id.

    With a predictor, give that one's card alone.
    """
    if predictor_id is not None:
        path = _folder(context, session.predictor(predictor_id)) / "card.json"
        if path.exists():
            return FileResponse(path, media_type="application/json")
        raise not_ready(
            f"The model card of the predictor {predictor_id!r} is there once it is trained.",
            hint="Wait for the end of the training: predictor.wait_for_training().",
        )
    path = _finished_file(session, "card.json")
    cards = {one.id: _folder(context, one) for one in session.all_predictors}
    found = {
        name: json.loads((folder / "card.json").read_text("utf-8"))
        for name, folder in cards.items()
        if (folder / "card.json").exists()
    }
    return SafeJSONResponse(json.loads(path.read_text("utf-8")) | {"predictors": found})


@router.get(
    "/preview",
    response_class=Response,
    responses=_COMMON
    | failures(409)
    | {200: {"content": {"image/png": {}}, "description": "The picture."}},
)
def preview(session: SessionDep) -> Response:
    """Give a picture (PNG) of the sphere."""
    return FileResponse(_finished_file(session, "preview.png"), media_type="image/png")


def require_done(session: OpenSession, what: str) -> None:
    """Refuse with 409 what only a finished training has."""
    if session.status == "done":
        return
    if session.status == "failed":
        hint = f"The training failed: {session.row.error}"
    elif session.status == "cancelled":
        hint = "The training was cancelled. Create the model again."
    else:
        hint = "Wait for the end of the training: fm.wait_for_training()."
    raise not_ready(
        f"The {what} of {session.row.id!r} is there once the training is done; "
        f"it is {session.status}.",
        hint=hint,
    )


def _finished_file(session: OpenSession, name: str) -> Path:
    require_done(session, {"card.json": "model card", "preview.png": "preview"}[name])
    return session.folder / name


def _n_parameters(folder: Path) -> int | None:
    """Return the number of the model's parameters, once there is a card that tells it."""
    path = folder / "card.json"
    if not path.exists():
        return None
    card = json.loads(path.read_text("utf-8"))
    count: int | None = card.get("embedding_space", {}).get("num_parameters")
    return count
