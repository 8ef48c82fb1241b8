"""What was true of predictions: kept, compared with what was said, given back as labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, or_, select, update
from sqlalchemy.orm import Session

from featrix_server.context import labelled_for
from featrix_server.db import Database, FeedbackRow, PredictorRow, SessionRow
from featrix_server.errors import ApiError, invalid_input
from featrix_server.prediction_log import PredictionLog
from featrix_server.scoring import score

WINDOW = 1000
"""Feedbacks that rolling scores are computed from, the newest ones."""

READY_FEEDBACKS = 50
"""Labels since the last training from which training again makes sense."""

_KEPT = (
    *("record", "prediction", "predicted_class", "probabilities", "confidence", "error"),
    *("endpoint_id", "customer_metadata"),
)


@dataclass(frozen=True)
class Rolling:
    """How a predictor does on the newest predictions whose truth is known.

    Attributes
    ----------
    total : int
        Predictions with feedback.
    unusable : int
        Those of them whose truth the predictor cannot be scored on: a class it never saw, or no
        number where it predicts numbers.
    n : int
        Predictions in `metrics`, at most `WINDOW`.
    metrics : dict
        As of `scoring.score`: ``accuracy``, ``auc``... or ``mae``...; empty if `n` is 0.
    since : datetime or None
        When the oldest of them was told.
    """

    total: int
    unusable: int
    n: int
    metrics: dict[str, Any]
    since: datetime | None


def keep_feedback(
    database: Database,
    log: PredictionLog,
    prediction_uuid: str,
    ground_truth: str | float,
    *,
    meta: dict[str, Any] | None = None,
    session_id: str | None = None,
) -> tuple[FeedbackRow, bool]:
    """Keep what was true of a prediction; what was said of it before is no longer current.

    The same said once more, as by a request that is sent again, is kept once.

    Parameters
    ----------
    session_id
        The session the prediction must be of; None: any.

    Returns
    -------
    row, replaced
        The row; whether there was one already.

    Raises
    ------
    ApiError
        404 if the prediction is not known; 422 if there is nothing in `ground_truth`.
    """
    found = log.find(prediction_uuid)
    with database.write() as session:
        earlier = session.scalars(_of_prediction(prediction_uuid).limit(1)).first()
        if found is not None:
            of, answered = found.predictor_id, {name: getattr(found, name) for name in _KEPT}
        elif earlier is not None:  # the log has forgotten it
            of, answered = earlier.predictor_id, earlier.answered
        else:
            raise unknown_prediction(prediction_uuid)
        predictor = _predictor(session, of, session_id)
        if predictor is None:
            raise unknown_prediction(prediction_uuid)
        classes = tuple(answered["probabilities"])
        label, is_usable = _read(ground_truth, classes, predictor.target_type == "set")
        if earlier is not None and (earlier.ground_truth, earlier.meta) == (label, meta):
            return earlier, True  # sent again: nothing new was said
        session.execute(
            update(FeedbackRow)
            .where(FeedbackRow.prediction_uuid == prediction_uuid)
            .values(is_current=False)
        )
        row = FeedbackRow(
            prediction_uuid=prediction_uuid,
            predictor_id=predictor.id,
            ground_truth=label,
            is_usable=is_usable,
            meta=meta,
            answered=answered,
        )
        session.add(row)
        session.flush()
    return row, earlier is not None


def _of_prediction(prediction_uuid: str) -> Select[FeedbackRow]:
    query = select(FeedbackRow).where(FeedbackRow.prediction_uuid == prediction_uuid)
    return query.order_by(FeedbackRow.id.desc())


def _predictor(session: Session, predictor_id: str, session_id: str | None) -> PredictorRow | None:
    query = (
        select(PredictorRow)
        .join(SessionRow, SessionRow.id == PredictorRow.session_id)
        .where(PredictorRow.id == predictor_id, SessionRow.deleted_at.is_(None))
    )
    if session_id is not None:
        query = query.where(or_(SessionRow.id == session_id, labelled_for(session_id)))
    return session.scalars(query).first()


def _read(truth: str | float, classes: Sequence[str], is_class: bool) -> tuple[str, bool]:
    """Return the truth as the predictor would write it, and whether it can be scored on it."""
    from featrix_server.engine.columns.values import text_of

    text = text_of(truth)
    if not text:
        raise invalid_input(
            f"ground_truth says nothing: {truth!r}.",
            hint="Send what was true, as text or as a number.",
            field="ground_truth",
        )
    number = _number(text)
    if not is_class:
        return text, number is not None
    # Clients send every label as text: True and 1.0 must find the classes "true" and "1".
    spellings = [text, text.lower() if text in ("True", "False") else text, text_of(number)]
    label = next((one for one in spellings if one and one in classes), text)
    return label, not classes or label in classes


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def unknown_prediction(prediction_uuid: str) -> ApiError:
    """Return the 404 for a prediction that is not in the log."""
    return ApiError(
        404,
        "not_found",
        f"There is no prediction {prediction_uuid!r} on this server.",
        hint="PredictionResult.prediction_uuid holds the id. The oldest predictions are forgotten "
        "(FEATRIX_SERVER_KEEP_PREDICTIONS).",
        field="prediction_uuid",
    )


def history(database: Database, prediction_uuid: str) -> list[FeedbackRow]:
    """Return all feedback on a prediction, newest first."""
    with database.read() as session:
        return list(session.scalars(_of_prediction(prediction_uuid)))


def current_feedback(
    database: Database, predictor_id: str, *, limit: int | None = None, offset: int = 0
) -> list[FeedbackRow]:
    """Return the feedback in force on a predictor's answers, newest first."""
    query = (
        select(FeedbackRow)
        .where(FeedbackRow.predictor_id == predictor_id, FeedbackRow.is_current)
        .order_by(FeedbackRow.id.desc())
    )
    with database.read() as session:
        return list(session.scalars(query.limit(limit).offset(offset)))


def count_feedback(
    database: Database,
    predictor_ids: Sequence[str],
    *,
    since: datetime | None = None,
    only_unusable: bool = False,
) -> int:
    """Return how many answers of predictors have feedback, all together."""
    query = select(func.count()).where(
        FeedbackRow.predictor_id.in_(predictor_ids), FeedbackRow.is_current
    )
    if since is not None:
        query = query.where(FeedbackRow.created_at > since)
    if only_unusable:
        query = query.where(FeedbackRow.is_usable.is_(False))
    with database.read() as session:
        return session.scalar(query) or 0


def rolling(database: Database, predictor_id: str, window: int = WINDOW) -> Rolling:
    """Score a predictor on the newest of its answers whose truth is known.

    Parameters
    ----------
    window
        Feedbacks to look at, at least 1.
    """
    rows = [row for row in current_feedback(database, predictor_id, limit=window) if row.is_usable]
    metrics, n = _score(rows) if rows else ({}, 0)
    ids = [predictor_id]
    return Rolling(
        total=count_feedback(database, ids),
        unusable=count_feedback(database, ids, only_unusable=True),
        n=n,
        metrics=metrics,
        since=rows[-1].created_at if rows else None,
    )


def _score(rows: list[FeedbackRow]) -> tuple[dict[str, Any], int]:
    from featrix_server.engine import Prediction

    said = [
        Prediction(
            prediction=row.answered["prediction"],
            predicted_class=row.answered["predicted_class"],
            probabilities=row.answered["probabilities"],
            error=row.answered["error"],
        )
        for row in rows
    ]
    classes = next((tuple(one.probabilities) for one in said if one.probabilities), ())
    return score(said, [row.ground_truth for row in rows], classes)
