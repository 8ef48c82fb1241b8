"""The bodies of requests and answers, as wire-level types that also make the OpenAPI page."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

MAX_METADATA_BYTES = 32 * 1024
MAX_NAME_CHARS = 200


def iso(moment: datetime | None) -> str | None:
    """Return a time as ISO 8601 text with its offset, which every parser knows."""
    return None if moment is None else moment.isoformat()


class ErrorBody(BaseModel):
    """Every answer that is not a success."""

    error: str = Field(description="What was wrong, and where.")
    code: str = Field(description="One word for programs.")
    hint: str | None = Field(description="What to do about it.")
    field: str | None = Field(description="The parameter, form field or column at fault.")
    detail: str = Field(description="The same as `error`.")
    compute_cluster: str


class Health(BaseModel):
    """Answer of `/health`."""

    status: Literal["ok"] = "ok"
    version: str
    compute_cluster: str
    compute_clusters: list[str] = Field(description="The stores that models can be made in.")
    pid: int = Field(description="The server's process, as in server.json.")


def from_json_text(value: Any) -> Any:
    """Parse what a form can only send as text; JSON bodies hold the real thing already."""
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError("is not valid JSON") from None


class CreateOptions(BaseModel):
    """What may be said about a new model; the fields of the upload form (as text) or of JSON.

    Unknown fields are ignored, so that clients of other versions can be used.
    """

    model_config = ConfigDict(extra="ignore")

    name: str | None = Field(None, max_length=MAX_NAME_CHARS)
    session_name_prefix: str | None = Field(None, max_length=MAX_NAME_CHARS)
    ignore_columns: Annotated[list[str] | None, BeforeValidator(from_json_text)] = None
    column_overrides: Annotated[dict[str, Any] | None, BeforeValidator(from_json_text)] = None
    epochs: int | None = Field(None, ge=1, le=100_000, description="Left out: automatic.")
    webhooks: Annotated[dict[str, str] | None, BeforeValidator(from_json_text)] = None
    user_metadata: Annotated[dict[str, Any] | None, BeforeValidator(from_json_text)] = Field(
        None, description="At most 32 KB as UTF-8 JSON; given back as it is."
    )
    foundation_mode: bool | None = None

    @field_validator("user_metadata")
    @classmethod
    def _is_small(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        size = len(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))
        if size > MAX_METADATA_BYTES:
            raise ValueError(f"is {size:,} bytes as JSON; at most {MAX_METADATA_BYTES:,} are kept")
        return value


class CreateFromUrl(CreateOptions):
    """Body of `create-embedding-space`: the options, and where the table is."""

    s3_file_data_set_training: str = Field(description="An `https://` or `s3://` URL.")


class SessionCreated(BaseModel):
    """A new model, whose training has been queued."""

    session_id: str
    name: str | None
    status: str
    job_id: str | None
    warnings: list[str]
    compute_cluster: str


class JobInfo(BaseModel):
    """One job of a session."""

    job_type: str
    session_id: str = Field(
        description="Whose job it is: of a predictor with labels of its own, another session's."
    )
    status: str
    requested: str | None = Field(description="Asked for, and not done yet.")
    name: str | None
    predictor_id: str | None
    created_at: str
    started_at: str | None
    finished_at: str | None
    progress: float
    current_epoch: int | None
    total_epochs: int | None
    error: str | None
    liveness_age_seconds: float | None = Field(
        description="Seconds since the worker was last heard of; null when it has none."
    )


class PredictorJobInfo(JobInfo):
    """The job of a predictor."""

    target_column: str
    target_column_type: str
    problem_type: str
    trained: bool = Field(description="It can answer, whatever becomes of a further training.")
    accuracy: float | None
    auc: float | None
    f1: float | None


class SessionInfo(BaseModel):
    """The session part of the status document; one session is one foundational model."""

    session_id: str
    parent_id: str | None = Field(description="The model whose trained space this one has.")
    parent_epoch: int | None = Field(description="Of which epoch, when it is a checkpoint.")
    published_name: str | None = Field(description="The name it can be found by, if published.")
    published_at: str | None
    model_expiration: dict[str, Any] | None = Field(
        description="`warning_message` and `expiration_date` of a deprecated model."
    )
    name: str | None
    status: str
    failed: bool
    queue_position: int | None
    created_at: str
    started_at: str | None
    finished_at: str | None
    session_type: str
    compute_cluster: str
    es_status: str
    sp_status: str | None
    user_metadata: dict[str, Any] | None
    deletion_protection: bool
    es_architecture: dict[str, int]
    dimensions: int | None
    epochs: int | None
    final_loss: float | None
    columns: list[str]
    warnings: list[str]
    error: str | None
    single_predictors: list[str]
    predictor_deletion_protection: dict[str, bool]
    job_plan: list[dict[str, Any]]


class StatusDocument(BaseModel):
    """What `GET /compute/session/{session_id}` answers."""

    session: SessionInfo
    jobs: dict[str, PredictorJobInfo | JobInfo]


class SessionListItem(BaseModel):
    """One model in the list of models."""

    session_id: str
    parent_id: str | None
    parent_epoch: int | None
    published_name: str | None
    published_at: str | None
    model_expiration: dict[str, Any] | None
    name: str | None
    status: str
    es_status: str
    sp_status: str | None
    d_model: int | None
    epochs: int | None
    final_loss: float | None
    created_at: str
    session_type: str
    compute_cluster: str
    user_metadata: dict[str, Any] | None
    deletion_protection: bool


class SessionList(BaseModel):
    """All models, newest first."""

    sessions: list[SessionListItem]


class ExcludedColumn(BaseModel):
    """A column that is not in the model, and why."""

    name: str
    code: str
    reason: str


class Columns(BaseModel):
    """The columns in the model."""

    column_names: list[str]
    columns: list[str]
    column_types: dict[str, str]
    num_columns: int
    excluded_columns: list[ExcludedColumn]


class TrainingMetrics(BaseModel):
    """The training so far; the lists in `data` have one entry an epoch, null where unknown.

    `training_metrics` are a predictor's: those of the one asked for, else of the one whose
    training was finished last, if there is any. A model with the space of another one has only
    those.
    """

    source: Literal["embedding_space_training", "single_predictor_training"]
    data: dict[str, Any] | None = None
    loss_history: list[float | None]
    lr_history: list[float | None]
    validation_loss: list[dict[str, Any]]
    training_metrics: dict[str, Any] | None = None


class ProtectionRequest(BaseModel):
    """Body of `deletion_protection`."""

    protected: bool


class Protection(BaseModel):
    """Whether a model is protected from deletion."""

    session_id: str
    deletion_protection: bool


class Deleted(BaseModel):
    """A model has been marked for deletion: it is gone from every list, its data goes later."""

    session_id: str
    status: Literal["marked_for_deletion"] = "marked_for_deletion"


class CancelRequest(BaseModel):
    """Body of `cancel`."""

    reason: str | None = None


class Cancelled(BaseModel):
    """Outcome of `cancel`: whether a job was there to cancel, and its status by now."""

    cancelled: bool
    status: str
    requested: str | None


class ControlRequest(BaseModel):
    """Body of `control`; without `job_id` the newest open job is meant."""

    action: Literal["pause", "resume", "stop"]
    job_id: str | None = None


class Controlled(BaseModel):
    """A job after a request: `requested` is what it has been asked and has not done yet."""

    job_id: str
    status: str
    requested: str | None


Intent = Literal["clustering", "visualization", "near_lossless", "highly_encoded"]


class EncodeRequest(BaseModel):
    """Body of `encode_records`. Columns may be missing; unknown ones are ignored."""

    model_config = ConfigDict(extra="ignore")

    records: list[dict[str, Any]]
    intent: Intent | None = None
    expected_missing: list[str] = Field(
        default_factory=list, description="Columns to be left out of account in every record."
    )


class EncodedRecords(BaseModel):
    """One result a record, in order.

    Each has `query_record`, `embedding` (the point on the unit sphere) and `embedding_long` (the
    unit vector of `d_model` numbers); with an `intent` the one `embedding` that fits it.
    """

    results: list[dict[str, Any]]
