"""Running one claimed job: the database and the session's folder on one side, the engine on
the other."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from featrix_server import engine
from featrix_server.db import (
    CHECKPOINT_JOB,
    PUBLISH_JOB,
    TRAIN_JOB,
    Database,
    JobRow,
    PredictorRow,
    SessionRow,
    now,
)
from featrix_server.jobs import queue
from featrix_server.publishing import copy_out
from featrix_server.settings import Settings
from featrix_server.store import DATA_FILE, LABELS_FILE, SCHEMA_FILE, Store, predictor_folder

# A cancelled training stops like a paused one, at once and with nothing more to compute;
# `queue.settle` then records it as cancelled.
_DECISIONS: dict[str | None, engine.Decision] = {
    None: "continue",
    "pause": "pause",
    "stop": "stop",
    "cancel": "pause",
}


class UnknownJobError(ValueError):
    """A job of a type that this version cannot run."""


def train(settings: Settings, database: Database, held: queue.Claim) -> str:
    """Run a claimed job until it is finished or paused, and settle it.

    Training goes on from the checkpoint in the session's folder if one is there.

    Returns
    -------
    str
        ``"done"``, ``"stopped"`` or ``"paused"``, as the engine says.

    Raises
    ------
    UnknownJobError
        If this version has no such type of job.
    queue.LeaseLostError
        If another worker has the job now.
    Exception
        Whatever the engine raises; the job is then still this worker's, and not settled.
    """
    if held.job_type not in _RUNNERS:
        raise UnknownJobError(
            f"This server cannot run jobs of type {held.job_type!r}: it was made by another "
            "version of featrix-notebook. Run the newer of the two."
        )
    with database.read() as session:
        job = session.get_one(JobRow, held.job_id)
        row = session.get_one(SessionRow, held.session_id)
        predictor = session.get(PredictorRow, job.predictor_id) if job.predictor_id else None
    folder = Store(settings).folder(row.id)
    work = _Work(database, held, folder, settings.published_dir / row.id, job, row, predictor)
    status, outcome = _RUNNERS[held.job_type](work)
    if status == "paused":
        queue.settle(database, held, "paused")
    else:
        queue.settle(database, held, "done", outcome=outcome)
    return status


@dataclass(frozen=True)
class _Work:
    """A claimed job with what it is about."""

    database: Database
    held: queue.Claim
    folder: Path
    published: Path
    job: JobRow
    row: SessionRow
    predictor: PredictorRow | None

    @property
    def table(self) -> engine.Table:
        return engine.open_table(self.folder / DATA_FILE)

    @property
    def schema(self) -> engine.Schema:
        return engine.Schema.from_dict(json.loads((self.folder / SCHEMA_FILE).read_text("utf-8")))

    def card_facts(self, name: str | None) -> dict[str, Any]:
        """Return what a model card says beyond what the engine knows."""
        return {
            "session_id": self.row.id,
            "job_id": self.job.id,
            "name": name or self.row.name or self.row.id,
            "created_at": (self.predictor or self.row).created_at.isoformat(),
            "compute_cluster": self.row.compute_cluster,
        }


def _train_space(work: _Work) -> tuple[str, dict[str, Any]]:
    def on_epoch(report: engine.EpochReport) -> engine.Decision:
        framed = engine.FrameStore(work.folder).epochs[-1:] == [report.epoch]
        requested = queue.record_epoch(work.database, work.held, report.to_dict(), framed=framed)
        if requested == "stop" and report.phase == "sphere":
            return "continue"  # it is finishing already, and a few steps make no good sphere
        return _DECISIONS[requested]

    result = engine.pretrain(
        work.table,
        work.schema,
        work.folder,
        engine.TrainOptions(**work.job.spec),
        on_epoch,
        info=work.card_facts(None),
    )
    return result.status, {
        "dimensions": result.d_model,
        "epochs": result.epochs,
        "final_loss": result.final_loss,
    }


def _finish_checkpoint(work: _Work) -> tuple[str, dict[str, Any]]:
    with work.database.read() as session:
        parent = session.get(SessionRow, work.row.parent_id)
    lineage = {"parent_id": work.row.parent_id, "parent_name": parent.name if parent else None}
    options = engine.TrainOptions(**work.job.spec)
    facts = work.card_facts(None) | lineage
    outcome = engine.finish_snapshot(work.table, work.folder, options, info=facts)
    return "done", outcome | (_publish(work)[1] if work.row.published_name else {})


def _publish(work: _Work) -> tuple[str, dict[str, Any]]:
    def tell(detail: dict[str, Any]) -> None:
        queue.tell(work.database, work.held, detail)

    tell(copy_out(work.folder, work.published, tell))
    return "done", {"published_at": now()}


def _train_predictor(work: _Work) -> tuple[str, dict[str, Any]]:
    assert work.predictor is not None
    folder = predictor_folder(work.folder, work.predictor.id)
    labels = folder / LABELS_FILE

    def on_epoch(report: engine.PredictorReport) -> engine.Decision:
        requested = queue.record_epoch(work.database, work.held, report.to_dict(), framed=False)
        return _DECISIONS[requested]

    places = (work.table, work.schema, work.folder, folder)
    facts: dict[str, Any] = {
        "labels": engine.open_table(labels) if labels.exists() else None,
        "info": work.card_facts(work.predictor.name or work.predictor.target_column),
    }
    more = work.job.spec.get("more")
    if more is None:
        options = engine.PredictorOptions(**work.predictor.options)
        result = engine.fit_predictor(*places, options, on_epoch, **facts)
    else:
        result = engine.train_more(*places, more, on_epoch, **facts)
    return result.status, {name: result.metrics.get(name) for name in ("accuracy", "auc", "f1")}


_RUNNERS: dict[str, Callable[[_Work], tuple[str, dict[str, Any]]]] = {
    TRAIN_JOB: _train_space,
    CHECKPOINT_JOB: _finish_checkpoint,
    PUBLISH_JOB: _publish,
    "train_single_predictor": _train_predictor,
}
