"""What a training leaves: its metrics, the model card, the preview picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from starlette.responses import FileResponse, Response

from featrix_server.errors import not_ready
from featrix_server.metrics import as_series, column_lists, epoch_reports, metric_lists
from featrix_server.responses import SafeJSONResponse
from featrix_server.routes.context import ContextDep, OpenSession, SessionDep, failures
from featrix_server.schemas import TrainingMetrics

router = APIRouter(prefix="/compute/session/{session_id}", tags=["training"])

_COMMON = failures(401, 403, 404, 422)


@router.get("/training_metrics", response_model=TrainingMetrics, responses=_COMMON)
def training_metrics(session: SessionDep, context: ContextDep) -> TrainingMetrics:
    """Give the losses, learning rates and other figures of every epoch so far."""
    reports = epoch_reports(context.database, session.training)
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
    return TrainingMetrics(
        data=data,
        loss_history=lists["train_loss"],
        lr_history=lists["learning_rate"],
        validation_loss=as_series(lists["epochs"], lists["val_loss"]),
    )


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
def model_card(session: SessionDep) -> Response:
    """Give the model card."""
    return FileResponse(_finished_file(session, "card.json"), media_type="application/json")


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
