"""A predictor that is asked: finding it, its answers as they go over the wire, logging them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, or_, select
from starlette.responses import Response

from featrix_server.context import Context, find_session, labelled_for, unknown_predictor
from featrix_server.db import OPEN_STATUSES, Database, JobRow, PredictorRow, SessionRow
from featrix_server.deprecation import expiration, mark_answer, refuse_expired
from featrix_server.errors import ApiError, invalid_input, not_ready
from featrix_server.prediction_log import Asker, PredictionLog, new_uuids
from featrix_server.prediction_notices import prediction_notices
from featrix_server.predictor_creation import refusing
from featrix_server.predictor_schemas import TrainingInProgress
from featrix_server.quota import check_quota
from featrix_server.responses import SafeJSONResponse
from featrix_server.store import predictor_folder

if TYPE_CHECKING:
    from featrix_server.engine import PredictorModel

# Made once: putting it together takes longer than running it.
_ASKED = (
    select(PredictorRow, JobRow)
    .join(JobRow, JobRow.id == PredictorRow.job_id)
    .join(SessionRow, SessionRow.id == PredictorRow.session_id)
    .where(
        PredictorRow.id == bindparam("predictor"),
        or_(PredictorRow.session_id == bindparam("session"), labelled_for(bindparam("session"))),
        SessionRow.deleted_at.is_(None),
    )
)


@dataclass(frozen=True)
class Asked:
    """A predictor that can answer."""

    row: PredictorRow
    model: PredictorModel
    log: PredictionLog
    session: SessionRow
    database: Database
    daily_limit: int

    @property
    def names(self) -> dict[str, Any]:
        """What an answer says about the predictor, by the protocol's names."""
        return {
            "target_column": self.row.target_column,
            "predictor_id": self.row.id,
            "session_id": self.row.session_id,
            "model_type": "sp",
            "model_version": None,
            **self._expiration,
        }

    @property
    def _expiration(self) -> dict[str, Any]:
        found = expiration(self.session)
        return {} if found is None else {"model_expiration": found}

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
        check_quota(self.database, self.daily_limit, self.row.id, len(records))
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
        notices = prediction_notices(
            self.database, self.row, answers, seconds=latency_ms / 1000, is_batch=is_batch
        )
        self.log.write(
            self.row.id, records, answers, latency_ms=latency_ms, asker=asker, deliveries=notices
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
    with context.database.read() as database:
        session = database.get(SessionRow, session_id)
        found = database.execute(_ASKED, {"predictor": predictor_id, "session": session_id}).first()
    if found is None or session is None or session.deleted_at is not None:
        known = find_session(session_id, context).row.id  # it may be the model that is not there
        if known != session_id:  # a published name
            return ask(context, known, predictor_id)
        raise unknown_predictor(session_id, predictor_id)
    mark_answer(session)
    refuse_expired(session)
    row, job = found
    space = context.store.folder(row.session_id)
    model = context.models.predictor(predictor_folder(space, row.id), space)
    if model is None:
        return _not_yet(row, job)
    limit = context.settings.predictions_per_day
    return Asked(row, model, context.predictions, session, context.database, limit)


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
