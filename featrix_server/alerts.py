"""Alerts about predictors in use: computed from the log of what they were asked and answered.

A thread looks for predictors that were asked, or told the truth, since the last look, and that
have a webhook for an alert. Each alert has a smallest sample, and is raised once an hour at most.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from featrix_server.db import (
    AlertRow,
    Database,
    FeedbackRow,
    PredictionBlockRow,
    PredictorRow,
    SessionRow,
    add_delivery,
    find_webhook,
    now,
)
from featrix_server.feedback import rolling
from featrix_server.models import PREDICTOR_FILE, ModelCache
from featrix_server.prediction_log import LoggedPrediction, PredictionLog
from featrix_server.quota import LEVELS, used_today
from featrix_server.store import DATA_FILE, LABELS_FILE, Store, predictor_folder

if TYPE_CHECKING:
    from featrix_server.engine import DriftReference

logger = logging.getLogger(__name__)

DRIFT_WINDOW = 1000
"""Predictions that drift is computed from, the newest ones; `engine.drift` has the fewest."""

ERROR_WINDOW = 100
MAX_ERROR_RATE = 0.05

FEEDBACK_WINDOW = 200
MIN_FEEDBACKS = 50
MAX_LOSS_OF_SCORE = 0.05
MAX_GAIN_OF_ERROR = 0.2

_REFERENCES = 32  # training distributions that are kept in memory
_SHOWN_COLUMNS = 20


@dataclass(frozen=True)
class Pace:
    """How often alerts are computed and raised.

    Attributes
    ----------
    check_s : float
        Pause between two looks for predictors in use, in seconds.
    cool_down_s : float
        Shortest time between two equal alerts about a predictor, in seconds.
    """

    check_s: float = 5.0
    cool_down_s: float = 3600.0


PACE = Pace()

Facts = dict[str, Any]
Source = type[PredictionBlockRow] | type[FeedbackRow]


class Monitor:
    """Watches the predictors of one server in a thread until it is stopped.

    Parameters
    ----------
    database, store, models, predictions
        The server's open parts.
    pace
        How often to look.
    daily_limit
        Predictions a day that each predictor answers; 0: any number.
    """

    def __init__(
        self,
        database: Database,
        store: Store,
        models: ModelCache,
        predictions: PredictionLog,
        pace: Pace = PACE,
        daily_limit: int = 0,
    ) -> None:
        self._database = database
        self._store = store
        self._models = models
        self._predictions = predictions
        self._pace = pace
        self._daily_limit = daily_limit
        self._seen: dict[Source, int] = {PredictionBlockRow: 0, FeedbackRow: 0}
        self._references: dict[str, tuple[int, DriftReference]] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)

    def start(self) -> None:
        """Start with what happens from now on; returns at once."""
        with self._database.read() as session:
            for kind in self._seen:
                self._seen[kind] = session.scalar(select(func.max(kind.id))) or 0
        self._thread.start()

    def stop(self) -> None:
        """End after the alert at hand."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._pace.check_s):
            try:
                for predictor in self._in_use():
                    self._check(predictor)
            except Exception:  # a database that is away for a while must not end the watch
                logger.exception("alerts")

    def _in_use(self) -> list[PredictorRow]:
        """Return the predictors that something new is known of."""
        ids: set[str] = set()
        with self._database.read() as session:
            for kind, seen in self._seen.items():
                if (session.scalar(select(func.max(kind.id))) or 0) < seen:
                    seen = self._seen[kind] = 0  # removed with its model: numbers are used again
                newest = select(kind.predictor_id, func.max(kind.id)).where(kind.id > seen)
                for predictor_id, last in session.execute(newest.group_by(kind.predictor_id)):
                    ids.add(predictor_id)
                    self._seen[kind] = max(self._seen[kind], last)
            if not ids:
                return []
            query = select(PredictorRow).join(SessionRow, SessionRow.id == PredictorRow.session_id)
            wanted = query.where(PredictorRow.id.in_(ids), SessionRow.deleted_at.is_(None))
            return list(session.scalars(wanted))

    def _check(self, predictor: PredictorRow) -> None:
        kinds: dict[str, tuple[Source, Callable[[PredictorRow], Facts | None]]] = {
            "alert_error_rate": (PredictionBlockRow, self._error_rate),
            "alert_drift": (PredictionBlockRow, self._drift),
            "alert_performance_degradation": (FeedbackRow, self._degradation),
        }
        for event, (source, compute) in kinds.items():
            if self._stopping.is_set():
                return
            mark = self._mark(source, predictor)
            if self._may_raise(event, event, predictor, mark):
                facts = compute(predictor)
                if facts is not None:
                    self._raise(event, event, predictor, mark, facts)
        self._check_quota(predictor)

    def _mark(self, source: Source, predictor: PredictorRow) -> int:
        with self._database.read() as session:
            query = select(func.max(source.id)).where(source.predictor_id == predictor.id)
            return session.scalar(query) or 0

    # ------------------------------------------------------------------- raising

    def _may_raise(self, event: str, kind: str, predictor: PredictorRow, mark: int) -> bool:
        """Tell whether somebody wants to know, and has not just been told."""
        with self._database.read() as session:
            if find_webhook(session, event, predictor.session_id, predictor.id) is None:
                return False
            return self._is_cool(session.get(AlertRow, (predictor.id, kind)), mark)

    def _is_cool(self, row: AlertRow | None, mark: int) -> bool:
        if row is None:
            return True
        since = now() - row.raised_at
        # One raised in the future: the clock was set back.
        cool = since >= timedelta(seconds=self._pace.cool_down_s) or since < timedelta(0)
        return cool and mark > row.mark

    def _raise(
        self, event: str, kind: str, predictor: PredictorRow, mark: int, facts: Facts
    ) -> None:
        about = {"target_column": predictor.target_column, "name": predictor.name}
        with self._database.write() as session:
            session.get(PredictorRow, predictor.id, with_for_update=True)  # one server at a time
            row = session.get(AlertRow, (predictor.id, kind), populate_existing=True)
            if not self._is_cool(row, mark):
                return
            session.merge(
                AlertRow(predictor_id=predictor.id, kind=kind, raised_at=now(), mark=mark)
            )
            add_delivery(session, event, predictor.session_id, predictor.id, about | facts)
        logger.info("%s of predictor %s", event, predictor.id)

    # ----------------------------------------------------------------- computing

    def _check_quota(self, predictor: PredictorRow) -> None:
        """Alert once a day at each level of the day's limit; of two levels at once, the higher."""
        if not self._daily_limit:
            return
        event, today = "alert_quota_threshold", now().toordinal()
        used = used_today(self._database, predictor.id)
        reached = [level for level in LEVELS if used >= level * self._daily_limit]
        if not reached:
            return
        kind = f"{event}:{reached[-1]:.0%}"
        if self._may_raise(event, kind, predictor, today):
            facts = {"used": used, "limit": self._daily_limit, "threshold": reached[-1]}
            self._raise(event, kind, predictor, today, facts | {"period": "day"})

    def _error_rate(self, predictor: PredictorRow) -> Facts | None:
        recent = self._predictions.recent(predictor.id, ERROR_WINDOW)
        errors = [one.error for one in recent if one.error is not None]
        if len(recent) < ERROR_WINDOW or len(errors) <= MAX_ERROR_RATE * len(recent):
            return None
        return {
            "error_rate": len(errors) / len(recent),
            "limit": MAX_ERROR_RATE,
            "errors": len(errors),
            "predictions": len(recent),
            "last_error": errors[0],
        }

    def _drift(self, predictor: PredictorRow) -> Facts | None:
        recent = self._predictions.recent(predictor.id, DRIFT_WINDOW)
        answered = [one for one in recent if one.error is None and isinstance(one.record, dict)]
        reference = self._reference(predictor)
        if reference is None:
            return None
        found = reference.compare([one.record for one in answered], _answers(predictor, answered))
        if not found:
            return None
        columns = [one for one in found if one.column is not None]
        answers = [one for one in found if one.column is None]
        return {
            "columns": {
                one.column: {"psi": round(one.psi, 4), "limit": round(one.limit, 4), "n": one.n}
                for one in columns[:_SHOWN_COLUMNS]
            },
            "drifted_columns": len(columns),
            "prediction_psi": round(answers[0].psi, 4) if answers else None,
            "max_psi": round(found[0].psi, 4),
            "predictions": len(answered),
        }

    def _reference(self, predictor: PredictorRow) -> DriftReference | None:
        """Return the training distributions of a predictor as it was last trained."""
        from featrix_server import engine

        space = self._store.folder(predictor.session_id)
        folder = predictor_folder(space, predictor.id)
        model = self._models.predictor(folder, space)
        if model is None:
            return None
        version = (folder / PREDICTOR_FILE).stat().st_mtime_ns
        known = self._references.get(predictor.id)
        if known is not None and known[0] == version:
            return known[1]
        table = engine.open_table(space / DATA_FILE)
        if (folder / LABELS_FILE).exists():  # rows of its own, or only labels for the model's
            labels = engine.open_table(folder / LABELS_FILE)
            table = labels if set(labels.columns) & set(model.columns) else table
        reference = engine.DriftReference.fit(model.encoders, table, model.variant().predicted)
        self._references.pop(predictor.id, None)
        self._references[predictor.id] = (version, reference)
        while len(self._references) > _REFERENCES:
            del self._references[next(iter(self._references))]
        return reference

    def _degradation(self, predictor: PredictorRow) -> Facts | None:
        space = self._store.folder(predictor.session_id)
        model = self._models.predictor(predictor_folder(space, predictor.id), space)
        found = rolling(self._database, predictor.id, FEEDBACK_WINDOW)
        if model is None or found.n < MIN_FEEDBACKS:
            return None
        validated = model.variant().metrics
        name = "mae" if predictor.target_type == "scalar" else "accuracy"
        before, after = validated.get(name), found.metrics.get(name)
        if before is None or after is None:
            return None
        if name == "mae":
            is_worse = after > (1 + MAX_GAIN_OF_ERROR) * before
        else:
            is_worse = after < before - MAX_LOSS_OF_SCORE
        if not is_worse:
            return None
        return {"metric": name, "validation": before, "rolling": after, "feedbacks": found.n}


def _answers(predictor: PredictorRow, logged: Sequence[LoggedPrediction]) -> list[Any]:
    if predictor.target_type == "scalar":
        return [one.prediction for one in logged]
    return [one.predicted_class for one in logged]
