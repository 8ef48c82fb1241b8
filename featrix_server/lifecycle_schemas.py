"""The bodies of requests and answers about what becomes of models after their training."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from featrix_server.schemas import MAX_NAME_CHARS


class PublishRequest(BaseModel):
    """Body of `publish`."""

    model_config = ConfigDict(extra="ignore")

    name: str | None = Field(
        None, max_length=MAX_NAME_CHARS, description="Left out: the model's own name."
    )
    org_id: str | None = Field(None, description="Accepted and not needed here.")


class Published(BaseModel):
    """A model is published (`already_published`), or on its way: see `publish_job`."""

    session_id: str
    name: str
    status: str
    job_id: str | None = None


class PublishJob(BaseModel):
    """How far publishing has come; `status` ends as `completed` or `failed`."""

    job_id: str
    status: str
    message: str
    step: str
    progress_pct: float
    eta_minutes: float | None
    bytes_copied: int
    files_copied: int
    published_path: str | None
    error: str | None


class Unpublished(BaseModel):
    """A model has no published name any more; its deletion protection is as it was."""

    session_id: str
    status: Literal["unpublished", "not_published"]
    name: str | None
    deletion_protection: bool


class PublishCheckpoint(BaseModel):
    """Body of `publish_partial_foundation`."""

    model_config = ConfigDict(extra="ignore")

    name: str = Field(min_length=1, max_length=MAX_NAME_CHARS, pattern=r"\S")
    publish: bool = Field(False, description="Publish the new model under that name, too.")
    org_id: str | None = Field(None, description="Accepted and not needed here.")
    checkpoint_epoch: int | None = Field(None, ge=0, description="Left out: the last saved.")
    session_name_prefix: str | None = Field(None, max_length=MAX_NAME_CHARS)


class CheckpointPublished(BaseModel):
    """A new model made of a checkpoint. While its `status` is open its sphere is being computed."""

    foundation_session_id: str
    checkpoint_epoch: int
    parent_id: str
    name: str
    status: str
    job_id: str


class CloneRequest(BaseModel):
    """Body of `clone_embedding_space`."""

    model_config = ConfigDict(extra="ignore")

    to_compute: str | None = Field(None, description="Name of a store; left out: the model's own.")
    new_session_name: str | None = Field(
        None, max_length=MAX_NAME_CHARS, description="Left out: the model's with `-clone`."
    )


class Cloned(BaseModel):
    """The new model, complete."""

    new_session_id: str
    name: str
    compute_cluster: str


class DeprecateRequest(BaseModel):
    """Body of `deprecate`."""

    model_config = ConfigDict(extra="ignore")

    warning_message: str = Field(min_length=1, max_length=2000, pattern=r"\S")
    expiration_date: str = Field(max_length=100, description="ISO 8601; without a zone, UTC.")


class Deprecated(BaseModel):
    """A model is deprecated: answers say so, and predictions end at the date."""

    session_id: str
    warning_message: str
    expiration_date: str


class CollectRequest(BaseModel):
    """Body of `collect`."""

    older_than_days: float = Field(
        0.0, ge=0, le=36_500, description="Leave what was deleted less long ago."
    )


class KeptModel(BaseModel):
    """A deleted model that is still needed, and for what."""

    session_id: str
    reason: str


class Collected(BaseModel):
    """The deleted models whose data has been removed, and those that are still in use."""

    removed: list[str]
    kept: list[KeptModel]
