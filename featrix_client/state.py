"""What a session's status document says about its trainings: of the model, of its predictors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["training", "done", "error"]

_TRAINING_JOBS = frozenset({"train_es", "train_embedding_space", "training"})
_PREDICTOR_JOB = "train_single_predictor"
_OPEN = frozenset({"queued", "pending", "ready", "running", "paused"})


@dataclass(frozen=True)
class TrainingState:
    """The training of one model or predictor at one moment.

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

    status: Status = "training"
    word: str = "queued"
    job_id: str | None = None
    epoch: int | None = None
    total_epochs: int | None = None
    error: str | None = None


@dataclass(frozen=True)
class PredictorEntry:
    """What the status document says about one predictor.

    Attributes
    ----------
    id, name, target_column : str
        Its own id, its name, and the column it predicts.
    target_type : {"set", "numeric"}
        In the words of the API reference.
    state : TrainingState
        Of its newest training.
    session_id : str or None
        The session it lives in, where the server says so: one with labels of its own lives in
        another than its model.
    accuracy, auc, f1 : float or None
        None before it is trained, for numbers, and where the server tells them elsewhere.
    """

    id: str
    name: str
    target_column: str
    target_type: Literal["set", "numeric"]
    state: TrainingState
    session_id: str | None
    accuracy: float | None
    auc: float | None
    f1: float | None


def training_state(body: dict[str, Any]) -> TrainingState:
    """Read the state of the model's own training from ``GET /compute/session/{id}``."""
    job_id, job = training_job(body.get("jobs") or {})
    return _state(job_id, job, body["session"])


def predictor_entries(body: dict[str, Any]) -> list[PredictorEntry]:
    """Read the predictors from ``GET /compute/session/{id}``, oldest first.

    A predictor stands in the plan of the session, in its jobs, or in both; of several trainings
    of one the newest counts.
    """
    jobs: dict[str, Any] = body.get("jobs") or {}
    told: dict[str, tuple[str | None, dict[str, Any]]] = {}
    plan = [(item.get("job_id"), item) for item in body["session"].get("job_plan") or ()]
    for job_id, item in plan + list(jobs.items()):
        if item.get("job_type") != _PREDICTOR_JOB:
            continue
        spec = item.get("spec") or item.get("job_spec") or {}
        item = spec | (item if job_id is None else item | jobs.get(job_id, {}))
        key = item.get("predictor_id") or f"predictor-{item.get('target_column')}"
        before = told.get(key, (None, {}))[1]
        if (item.get("created_at") or "") >= (before.get("created_at") or ""):
            told[key] = job_id, before | item
    found = sorted(told.items(), key=lambda pair: pair[1][1].get("created_at") or "")
    return [_predictor_entry(key, job_id, item) for key, (job_id, item) in found]


def _predictor_entry(key: str, job_id: str | None, item: dict[str, Any]) -> PredictorEntry:
    if item.get("status") == "completed":  # the word of plans
        item = item | {"status": "done"}
    target = str(item.get("target_column"))
    numeric = item.get("target_column_type") in ("scalar", "numeric")
    return PredictorEntry(
        id=key,
        name=item.get("name") or target,
        target_column=target,
        target_type="numeric" if numeric else "set",
        state=_state(job_id, item, {}),
        session_id=item.get("session_id"),
        accuracy=item.get("accuracy"),
        auc=_first(item, "auc", "roc_auc"),
        f1=_first(item, "f1", "f1_score"),
    )


def _state(job_id: str | None, job: dict[str, Any], session: dict[str, Any]) -> TrainingState:
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


def is_open(body: dict[str, Any], job_id: str | None = None) -> bool:
    """Tell from the status document whether work is still to come on the session, or on one job."""
    jobs = body.get("jobs") or {}
    if job_id is not None:
        return jobs.get(job_id, {}).get("status") in _OPEN
    session = body["session"]
    words = {
        job.get("status")
        for job in jobs.values()
        if job.get("session_id") in (None, session.get("session_id"))
    } or {session.get("status")}
    return not words.isdisjoint(_OPEN)


def _first(source: dict[str, Any], *keys: str) -> Any:
    return next((source[key] for key in keys if source.get(key) is not None), None)
