"""What a session's status document says about the training of its foundational model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["training", "done", "error"]

_TRAINING_JOBS = frozenset({"train_es", "train_embedding_space", "training"})
_OPEN = frozenset({"queued", "pending", "ready", "running", "paused"})


@dataclass(frozen=True)
class TrainingState:
    """The training of one foundational model at one moment.

    Attributes
    ----------
    status : {"training", "done", "error"}
        In the words of the API reference.
    word : str
        In the words of the server: queued, running, paused, done, failed, cancelled.
    job_id : str or None
        The job that trains it.
    epoch, total_epochs : int or None
        Epochs completed, and epochs planned at most.
    error : str or None
        Why it failed.
    """

    status: Status
    word: str
    job_id: str | None
    epoch: int | None
    total_epochs: int | None
    error: str | None


def training_state(body: dict[str, Any]) -> TrainingState:
    """Read the training's state from ``GET /compute/session/{id}``."""
    session = body["session"]
    job_id, job = training_job(body.get("jobs") or {})
    words = {session.get("status"), job.get("status")}
    status: Status = "training"
    word = job.get("status") or session.get("status") or "queued"
    for end, name in (("done", "done"), ("failed", "error"), ("cancelled", "error")):
        if end in words:
            status, word = name, end  # type: ignore[assignment]  # the literals above are of the type
            break
    reasons = (
        source.get(key)
        for source in (job, session)
        for key in ("error", "error_message", "failure_reason")
    )
    return TrainingState(
        status=status,
        word=word,
        job_id=job_id,
        epoch=_first(job, "current_epoch", "epoch") if job else session.get("epochs"),
        total_epochs=_first(job, "total_epochs", "epochs"),
        error=next((reason for reason in reasons if reason), None),
    )


def training_job(jobs: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
    """Return id and entry of the newest job that trains the model itself; (None, {}) if none."""
    found = [(key, job) for key, job in jobs.items() if job.get("job_type") in _TRAINING_JOBS]
    return max(found, key=lambda item: item[1].get("created_at") or "", default=(None, {}))


def is_open(body: dict[str, Any]) -> bool:
    """Tell from the status document whether any work on the session is still to come."""
    jobs = body.get("jobs") or {}
    words = {job.get("status") for job in jobs.values()} or {body["session"].get("status")}
    return not words.isdisjoint(_OPEN)


def _first(source: dict[str, Any], *keys: str) -> Any:
    return next((source[key] for key in keys if source.get(key) is not None), None)
