"""Running one claimed job: the database and the session's folder on one side, the engine on
the other."""

from __future__ import annotations

import json
from typing import Any

from featrix_server import engine
from featrix_server.db import Database, JobRow, SessionRow
from featrix_server.jobs import queue
from featrix_server.settings import Settings
from featrix_server.store import DATA_FILE, SCHEMA_FILE, Store

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
    if held.job_type != "train_es":
        raise UnknownJobError(
            f"This server cannot run jobs of type {held.job_type!r}: it was made by another "
            "version of featrix-notebook. Run the newer of the two."
        )
    with database.read() as session:
        job = session.get_one(JobRow, held.job_id)
        row = session.get_one(SessionRow, held.session_id)
    folder = Store(settings).folder(row.id)

    def on_epoch(report: engine.EpochReport) -> engine.Decision:
        framed = engine.FrameStore(folder).epochs[-1:] == [report.epoch]
        requested = queue.record_epoch(database, held, report.to_dict(), framed=framed)
        if requested == "stop" and report.phase == "sphere":
            return "continue"  # it is finishing already, and a few steps make no good sphere
        return _DECISIONS[requested]

    result = engine.pretrain(
        engine.open_table(folder / DATA_FILE),
        engine.Schema.from_dict(json.loads((folder / SCHEMA_FILE).read_text("utf-8"))),
        folder,
        engine.TrainOptions(**job.spec),
        on_epoch,
        info=_card_facts(job, row),
    )
    if result.status == "paused":
        queue.settle(database, held, "paused")
    else:
        outcome = {
            "dimensions": result.d_model,
            "epochs": result.epochs,
            "final_loss": result.final_loss,
        }
        queue.settle(database, held, "done", outcome=outcome)
    return result.status


def _card_facts(job: JobRow, row: SessionRow) -> dict[str, Any]:
    """Return what the model card says about the session, beyond what the engine knows."""
    return {
        "session_id": row.id,
        "job_id": job.id,
        "name": row.name or row.id,
        "created_at": row.created_at.isoformat(),
        "compute_cluster": row.compute_cluster,
    }
