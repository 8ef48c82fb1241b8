"""Predictions that were made, and what was true of them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi import Path as PathParameter

from featrix_server.context import (
    Context,
    ContextDep,
    SessionDep,
    failures,
    find_predictor,
)
from featrix_server.db import FeedbackRow, PredictorRow
from featrix_server.errors import invalid_input
from featrix_server.feedback import (
    READY_FEEDBACKS,
    count_feedback,
    current_feedback,
    history,
    keep_feedback,
    unknown_prediction,
)
from featrix_server.feedback_schemas import (
    Feedback,
    FeedbackKept,
    FeedbackRequest,
    GroundTruthStats,
    KnownPrediction,
    Labelled,
    LabelRequest,
    Labels,
)
from featrix_server.tables import read_schema

router = APIRouter(tags=["feedback"])

_COMMON = failures(401, 403, 404, 422)
PredictionUuid = Annotated[str, PathParameter(description="`prediction_uuid` of an answer.")]


@router.post(
    "/compute/session/{session_id}/predict/{prediction_uuid}/feedback",
    response_model=FeedbackKept,
    responses=_COMMON | failures(413),
)
def send_feedback(
    body: FeedbackRequest,
    prediction_uuid: PredictionUuid,
    session: SessionDep,
    context: ContextDep,
) -> FeedbackKept:
    """Say what was true of a prediction. The last word counts; all are kept.

    Feedback changes no model: it feeds the predictor's rolling scores, and can be had as labels
    for a new predictor.
    """
    row, replaced = keep_feedback(
        context.database,
        context.predictions,
        prediction_uuid,
        body.ground_truth,
        meta=body.meta,
        session_id=session.row.id,
    )
    return _kept(row, replaced)


@router.post(
    "/compute/prediction/{prediction_uuid}/update_label",
    response_model=FeedbackKept,
    responses=_COMMON | failures(413),
)
def update_label(
    body: LabelRequest, prediction_uuid: PredictionUuid, context: ContextDep
) -> FeedbackKept:
    """Say what was true of a prediction, without naming the model."""
    if body.prediction_id not in (None, prediction_uuid):
        raise invalid_input(
            f"prediction_id is {body.prediction_id!r}, but the path names {prediction_uuid!r}.",
            field="prediction_id",
        )
    row, replaced = keep_feedback(
        context.database, context.predictions, prediction_uuid, body.user_label
    )
    return _kept(row, replaced)


@router.get(
    "/compute/prediction/{prediction_uuid}", response_model=KnownPrediction, responses=_COMMON
)
def prediction(prediction_uuid: PredictionUuid, context: ContextDep) -> KnownPrediction:
    """Give a prediction as it was answered, with all feedback on it."""
    found = context.predictions.find(prediction_uuid)
    if found is None:
        raise unknown_prediction(prediction_uuid)
    predictor = find_predictor(found.predictor_id, context)
    told = vars(found) | {
        "prediction_uuid": found.uuid,
        "session_id": predictor.session_id,
        "created_at": found.created_at.isoformat(),
        "feedback": [_feedback(row) for row in history(context.database, prediction_uuid)],
    }
    return KnownPrediction.model_validate(told)


@router.get(
    "/compute/session/{session_id}/ground_truth_stats",
    response_model=GroundTruthStats,
    responses=_COMMON,
)
def ground_truth_stats(session: SessionDep, context: ContextDep) -> GroundTruthStats:
    """Tell how many of the model's predictions have feedback, and how many since it was trained."""
    ids = [one.id for one in session.predictors]
    trained = max((one.trained_at for one in session.predictors if one.trained_at), default=None)
    predictions = context.predictions.usage(ids).predictions
    told = count_feedback(context.database, ids)
    fresh = count_feedback(context.database, ids, since=trained) if trained else told
    return GroundTruthStats(
        total_predictions=predictions,
        total_corrections=told,
        corrections_since_last_training=fresh,
        last_trained_at=trained.isoformat() if trained else None,
        correction_rate=told / predictions if predictions else 0.0,
        ready_for_retraining=fresh >= READY_FEEDBACKS,
    )


@router.get("/compute/predictor/{predictor_id}/feedback", response_model=Labels, responses=_COMMON)
def labels(
    predictor_id: Annotated[str, PathParameter(description="Id of a predictor.")],
    context: ContextDep,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
) -> Labels:
    """Give records with what was true of them, newest first: labels for a new predictor."""
    predictor = find_predictor(predictor_id, context)
    rows = current_feedback(context.database, predictor.id, limit=limit, offset=offset)
    columns = _columns(context, predictor)
    return Labels(
        predictor_id=predictor.id,
        target_column=predictor.target_column,
        target_column_type=predictor.target_type,
        total=count_feedback(context.database, [predictor.id]),
        offset=offset,
        rows=[_labelled(row, columns) for row in rows],
    )


def _columns(context: Context, predictor: PredictorRow) -> set[str]:
    schema = read_schema(context.store.folder(predictor.session_id))
    return {column["name"] for column in schema["columns"]} - {predictor.target_column}


def _labelled(row: FeedbackRow, columns: set[str]) -> Labelled:
    record = row.answered["record"]
    return Labelled(
        prediction_uuid=row.prediction_uuid,
        record={name: record[name] for name in record if name in columns}
        if isinstance(record, dict)
        else {},
        ground_truth=row.ground_truth,
        unseen_label=not row.is_usable,
        predicted_class=row.answered["predicted_class"],
        prediction=row.answered["prediction"],
        created_at=row.created_at.isoformat(),
    )


def _feedback(row: FeedbackRow) -> Feedback:
    return Feedback(
        prediction_uuid=row.prediction_uuid,
        ground_truth=row.ground_truth,
        is_current=row.is_current,
        unseen_label=not row.is_usable,
        meta=row.meta,
        created_at=row.created_at.isoformat(),
    )


def _kept(row: FeedbackRow, replaced: bool) -> FeedbackKept:
    return FeedbackKept(
        **_feedback(row).model_dump(),
        replaced=replaced,
        predictor_id=row.predictor_id,
        predicted_class=row.answered["predicted_class"],
        prediction=row.answered["prediction"],
    )
