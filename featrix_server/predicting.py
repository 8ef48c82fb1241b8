"""A predictor that is asked: finding it, its answers as they go over the wire, logging them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, or_, select
from sqlalchemy.orm import aliased
from starlette.responses import Response

from featrix_server.context import Context, find_session, labelled_for, unknown_predictor
from featrix_server.db import OPEN_STATUSES, Database, JobRow, PredictorRow, SessionRow
from featrix_server.deprecation import expiration, mark_answer, refuse_expired
from featrix_server.errors import ApiError, invalid_input, not_ready
from featrix_server.prediction_log import Asker, PredictionLog, new_uuids
from featrix_server.prediction_notices import prediction_notices
from featrix_server.predictor_creation import refusing
from featrix_server.predictor_schemas import TrainingInProgress
from featrix_server.quota import Quota
from featrix_server.responses import SafeJSONResponse
from featrix_server.store import predictor_folder

if TYPE_CHECKING:
    from featrix_server.engine import PredictorModel

_NAMED = aliased(SessionRow)
# Made once: putting it together takes longer than running it. Bare columns, for the same reason;
# those without a label are of the model that was named.
_ASKED = (
    select(
        PredictorRow.id.label("predictor_id"),
        PredictorRow.session_id.label("predictor_session_id"),
        PredictorRow.name.label("predictor_name"),
        PredictorRow.target_column,
        JobRow.status.label("job_status"),
        JobRow.error.label("job_error"),
        JobRow.progress,
        JobRow.current_epoch,
        JobRow.total_epochs,
        _NAMED.id,
        _NAMED.name,
        _NAMED.deprecated_at,
        _NAMED.deprecation_warning,
        _NAMED.expires_at,
    )
    .join(JobRow, JobRow.id == PredictorRow.job_id)
    .join(SessionRow, SessionRow.id == PredictorRow.session_id)
    .join(_NAMED, _NAMED.id == bindparam("session"))
    .where(
        PredictorRow.id == bindparam("predictor"),
        or_(PredictorRow.session_id == _NAMED.id, labelled_for(bindparam("session"))),
        SessionRow.deleted_at.is_(None),
        _NAMED.deleted_at.is_(None),
    )
)


@dataclass(frozen=True)
class Asked:
    """A predictor that can answer; ``row`` is of `_ASKED`."""

    row: Any
    model: PredictorModel
    log: PredictionLog
    database: Database
    quota: Quota

    @property
    def names(self) -> dict[str, Any]:
        """What an answer says about the predictor, by the protocol's names."""
        found = expiration(self.row)
        return {
            "target_column": self.row.target_column,
            "predictor_id": self.row.predictor_id,
            "session_id": self.row.predictor_session_id,
            "model_type": "sp",
            "model_version": None,
            **({} if found is None else {"model_expiration": found}),
        }

    def predict(
        self, records: list[Any], preference: str | None, asker: Asker, *, is_batch: bool = True
    ) -> list[dict[str, Any]]:
        """Return one answer a record, as it goes over the wire; each is logged.

        Webhooks are told of those that failed, and of the end of a batch.

        Raises
        ------
        ApiError
            429 if that is more than may be asked in a day.
        """
        with self.quota.take(self.row.predictor_id, len(records)):
            return self._predict(records, preference, asker, is_batch)

    def _predict(
        self, records: list[Any], preference: str | None, asker: Asker, is_batch: bool
    ) -> list[dict[str, Any]]:
        start = time.perf_counter()
        try:
            with refusing():
                predictions = self.model.predict(records, preference=preference)
                variant = self.model.variant(preference)
        except ApiError:
            raise  # of the question, not of the records
        except Exception as error:
            self._log_crash(records, error, start, asker, is_batch)
            raise
        metric = preference or self.model.facts["default"]
        common = self.names | {
            "checkpoint_info": {
                "epoch": variant.epoch,
                "metric_type": metric,
                "metric_value": variant.metrics.get(metric),
            },
        }
        # vars(), not asdict(): that one copies every dict and list of 100,000 answers.
        answers: list[dict[str, Any]] = [
            {"prediction_uuid": uuid, **vars(prediction), **common}
            for uuid, prediction in zip(new_uuids(len(records)), predictions, strict=True)
        ]
        self._log(records, answers, start, asker, is_batch)
        return answers

    def _log(
        self,
        records: list[Any],
        answers: list[dict[str, Any]],
        start: float,
        asker: Asker,
        is_batch: bool,
    ) -> None:
        latency_ms = 1000 * (time.perf_counter() - start)
        predictor_id = self.row.predictor_id
        notices = prediction_notices(
            self.database,
            (self.row.predictor_session_id, predictor_id),
            {"target_column": self.row.target_column, "name": self.row.predictor_name},
            answers,
            seconds=latency_ms / 1000,
            is_batch=is_batch,
        )
        self.log.write(
            predictor_id, records, answers, latency_ms=latency_ms, asker=asker, deliveries=notices
        )

    def _log_crash(
        self, records: list[Any], error: Exception, start: float, asker: Asker, is_batch: bool
    ) -> None:
        from featrix_server.engine import Prediction

        failed = vars(Prediction(error=f"the server failed ({type(error).__name__})"))
        answers = [{"prediction_uuid": one, **failed} for one in new_uuids(len(records))]
        self._log(records, answers, start, asker, is_batch)

    def predict_one(
        self, record: dict[str, Any], preference: str | None, asker: Asker
    ) -> dict[str, Any]:
        """Return the answer to one record; a failure is logged, too.

        Raises
        ------
        ApiError
            422 if the record cannot be answered.
        """
        (answer,) = self.predict([record], preference, asker, is_batch=False)
        if answer["error"]:
            raise invalid_input(f"{answer['error']}.", field="query_record")
        return answer


def ask(context: Context, session_id: str, predictor_id: str) -> Asked | Response:
    """Return the predictor, or the answer (503) that it is still being trained.

    Raises
    ------
    ApiError
        404 if there is no such predictor; 409 if its training came to nothing; 410 if the model
        has expired.
    """
    with context.database.look() as database:
        row = database.execute(_ASKED, {"predictor": predictor_id, "session": session_id}).first()
    if row is None:
        known = find_session(session_id, context).row.id  # it may be the model that is not there
        if known != session_id:  # a published name
            return ask(context, known, predictor_id)
        raise unknown_predictor(session_id, predictor_id)
    mark_answer(row)
    refuse_expired(row)
    space = context.store.folder(row.predictor_session_id)
    model = context.models.predictor(predictor_folder(space, predictor_id), space)
    if model is None:
        return _not_yet(row)
    return Asked(row, model, context.predictions, context.database, context.quota)


def _not_yet(row: Any) -> Response:
    if row.job_status not in OPEN_STATUSES:
        raise not_ready(
            f"The predictor {row.predictor_id!r} was never trained: its training {row.job_status}.",
            hint=row.job_error or "Create it again.",
        )
    waiting = row.job_status == "queued" and row.current_epoch is None
    body = TrainingInProgress(
        status="training_not_started" if waiting else "training_in_progress_no_checkpoint",
        message=f"The predictor {row.predictor_id!r} is "
        f"{'waiting to be' if waiting else 'being'} trained.",
        training_info={
            "is_training": row.job_status == "running",
            "epoch": row.current_epoch or 0,
            "total_epochs": row.total_epochs,
            "progress_percent": round(100 * row.progress),
        },
    )
    return SafeJSONResponse(body.model_dump(), 503)
