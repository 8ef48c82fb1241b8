"""Asking predictors: one record, a table of them, why, and how well."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from fastapi import Path as PathParameter
from starlette.responses import Response

from featrix_server.context import ContextDep, failures
from featrix_server.errors import invalid_input
from featrix_server.predicting import ask
from featrix_server.prediction_log import Asker
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
from featrix_server.routes.customer import CustomerMetadata
from featrix_server.scoring import score

router = APIRouter(prefix="/compute/session/{session_id}", tags=["predictions"])

_FAILURES = failures(401, 403, 404, 409, 410, 413, 422, 429) | {
    503: {"model": TrainingInProgress, "description": "The predictor is still being trained."}
}
SessionId = Annotated[str, PathParameter(description="Id of the predictor's model.")]


@router.post(
    "/predict",
    response_class=SafeJSONResponse,
    responses={200: {"model": PredictionAnswer}, **_FAILURES},
)
def predict(
    body: PredictRequest, session_id: SessionId, context: ContextDep, metadata: CustomerMetadata
) -> Response:
    """Predict one record. Columns may be missing; what the predictor does not know is named.

    The answer is logged before it is given, for feedback and alerts.
    """
    asked = ask(context, session_id, body.predictor_id)
    if isinstance(asked, Response):
        return asked
    answer = asked.predict_one(
        body.query_record, body.best_metric_preference, Asker(customer_metadata=metadata)
    )
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
    body: PredictTableRequest,
    session_id: SessionId,
    context: ContextDep,
    metadata: CustomerMetadata,
) -> Response:
    """Predict many records: one answer each, in their order, and all of them logged."""
    asked = ask(context, session_id, body.predictor_id)
    if isinstance(asked, Response):
        return asked
    asker = Asker(customer_metadata=metadata)
    answers = asked.predict(body.records, body.best_metric_preference, asker)
    return SafeJSONResponse({"predictions": answers})


@router.post(
    "/explain",
    response_class=SafeJSONResponse,
    responses={200: {"model": Explanation}, **_FAILURES},
)
def explain(body: ExplainRequest, session_id: SessionId, context: ContextDep) -> Response:
    """Say what each column that was sent adds to one answer."""
    asked = ask(context, session_id, body.predictor_id)
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
    asked = ask(context, session_id, body.predictor_id)
    if isinstance(asked, Response):
        return asked
    with refusing():
        predictions = asked.model.predict(body.records, preference=body.best_metric_preference)
    metrics, n_rows = score(predictions, body.labels, asked.model.classes)
    return SafeJSONResponse(
        {"metrics": metrics, "n_rows": n_rows, "n_left_out": len(body.records) - n_rows}
    )
