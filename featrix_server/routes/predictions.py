"""Asking predictors: one record, a table of them, why, and how well."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter
from fastapi import Path as PathParameter
from sqlalchemy import select
from starlette.responses import Response

from featrix_server.db import OPEN_STATUSES, JobRow, PredictorRow, SessionRow
from featrix_server.errors import invalid_input, not_ready
from featrix_server.predictor_creation import refusing
from featrix_server.predictor_schemas import (
    EvaluateRequest,
    Evaluation,
    ExplainRequest,
    Explanation,
    PredictionAnswer,
    PredictionTable,
    PredictRequest,
    PredictTableRequest,
    TrainingInProgress,
)
from featrix_server.responses import SafeJSONResponse
from featrix_server.routes.context import (
    Context,
    ContextDep,
    failures,
    find_session,
    unknown_predictor,
)
from featrix_server.scoring import score
from featrix_server.store import predictor_folder

if TYPE_CHECKING:
    from featrix_server.engine import Prediction, PredictorModel

router = APIRouter(prefix="/compute/session/{session_id}", tags=["predictions"])

_FAILURES = failures(401, 403, 404, 409, 413, 422) | {
    503: {"model": TrainingInProgress, "description": "The predictor is still being trained."}
}
SessionId = Annotated[str, PathParameter(description="Id of the predictor's model.")]


@router.post(
    "/predict",
    response_class=SafeJSONResponse,
    responses={200: {"model": PredictionAnswer}, **_FAILURES},
)
def predict(body: PredictRequest, session_id: SessionId, context: ContextDep) -> Response:
    """Predict one record. Columns may be missing; what the predictor does not know is named."""
    asked = _ask(context, session_id, body.predictor_id)
    if isinstance(asked, Response):
        return asked
    (answer,) = asked.predict([body.query_record], body.best_metric_preference)
    if answer["error"]:
        raise invalid_input(f"{answer['error']}.", field="query_record")
    if body.feature_importance:
        answer["feature_importance"] = asked.model.importance(
            body.query_record, preference=body.best_metric_preference
        )
    return SafeJSONResponse(answer)


@router.post(
    "/predict_table",
    response_class=SafeJSONResponse,
    responses={200: {"model": PredictionTable}, **_FAILURES},
)
def predict_table(
    body: PredictTableRequest, session_id: SessionId, context: ContextDep
) -> Response:
    """Predict many records: one answer each, in their order."""
    asked = _ask(context, session_id, body.predictor_id)
    if isinstance(asked, Response):
        return asked
    answers = asked.predict(body.records, body.best_metric_preference)
    return SafeJSONResponse({"predictions": answers})


@router.post(
    "/explain",
    response_class=SafeJSONResponse,
    responses={200: {"model": Explanation}, **_FAILURES},
)
def explain(body: ExplainRequest, session_id: SessionId, context: ContextDep) -> Response:
    """Say what each column that was sent adds to one answer."""
    asked = _ask(context, session_id, body.predictor_id)
    if isinstance(asked, Response):
        return asked
    with refusing():
        found = asked.model.explain(
            body.query_record, body.class_idx, preference=body.best_metric_preference
        )
    return SafeJSONResponse(found | asked.names)


@router.post(
    "/evaluate",
    response_class=SafeJSONResponse,
    responses={200: {"model": Evaluation}, **_FAILURES},
)
def evaluate(body: EvaluateRequest, session_id: SessionId, context: ContextDep) -> Response:
    """Say how well a predictor does on records whose truth is known."""
    if len(body.records) != len(body.labels):
        raise invalid_input(
            f"There are {len(body.records)} records and {len(body.labels)} labels.",
            hint="Send one label for each record; null where it is not known.",
            field="labels",
        )
    asked = _ask(context, session_id, body.predictor_id)
    if isinstance(asked, Response):
        return asked
    with refusing():
        predictions = asked.model.predict(body.records, preference=body.best_metric_preference)
    metrics, n_rows = score(predictions, body.labels, asked.model.classes)
    return SafeJSONResponse(
        {"metrics": metrics, "n_rows": n_rows, "n_left_out": len(body.records) - n_rows}
    )


@dataclass(frozen=True)
class _Asked:
    """A predictor that can answer."""

    row: PredictorRow
    model: PredictorModel

    @property
    def names(self) -> dict[str, Any]:
        """What an answer says about the predictor, by the protocol's names."""
        return {
            "target_column": self.row.target_column,
            "predictor_id": self.row.id,
            "session_id": self.row.session_id,
            "model_type": "sp",
            "model_version": None,
        }

    def predict(self, records: list[Any], preference: str | None) -> list[dict[str, Any]]:
        """Return one answer a record, as it goes over the wire."""
        with refusing():
            predictions = self.model.predict(records, preference=preference)
            variant = self.model.variant(preference)
        metric = preference or self.model.facts["default"]
        common = self.names | {
            "checkpoint_info": {
                "epoch": variant.epoch,
                "metric_type": metric,
                "metric_value": variant.metrics.get(metric),
            },
        }
        return [_answer(prediction) | common for prediction in predictions]


def _answer(prediction: Prediction) -> dict[str, Any]:
    # vars(), not asdict(): that one copies every dict and list of 100,000 answers.
    return {"prediction_uuid": str(uuid.uuid4()), **vars(prediction)}


def _ask(context: Context, session_id: str, predictor_id: str) -> _Asked | Response:
    """Return the predictor, or the answer (503) that it is still being trained.

    Raises
    ------
    ApiError
        404 if there is no such predictor; 409 if its training came to nothing.
    """
    query = (
        select(PredictorRow, JobRow)
        .join(JobRow, JobRow.id == PredictorRow.job_id)
        .join(SessionRow, SessionRow.id == PredictorRow.session_id)
        .where(
            PredictorRow.id == predictor_id,
            PredictorRow.session_id == session_id,
            SessionRow.deleted_at.is_(None),
        )
    )
    with context.database.read() as database:
        found = database.execute(query).first()
    if found is None:
        find_session(session_id, context)  # it may be the model that is not there
        raise unknown_predictor(session_id, predictor_id)
    row, job = found
    space = context.store.folder(session_id)
    model = context.models.predictor(predictor_folder(space, row.id), space)
    return _not_yet(row, job) if model is None else _Asked(row, model)


def _not_yet(row: PredictorRow, job: JobRow) -> Response:
    if job.status not in OPEN_STATUSES:
        raise not_ready(
            f"The predictor {row.id!r} was never trained: its training {job.status}.",
            hint=job.error or "Create it again.",
        )
    waiting = job.status == "queued" and job.current_epoch is None
    body = TrainingInProgress(
        status="training_not_started" if waiting else "training_in_progress_no_checkpoint",
        message=f"The predictor {row.id!r} is {'waiting to be' if waiting else 'being'} trained.",
        training_info={
            "is_training": job.status == "running",
            "epoch": job.current_epoch or 0,
            "total_epochs": job.total_epochs,
            "progress_percent": round(100 * job.progress),
        },
    )
    return SafeJSONResponse(body.model_dump(), 503)
