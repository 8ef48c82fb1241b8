"""The bodies of requests and answers about what becomes of models after their training."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from featrix_server.schemas import MAX_NAME_CHARS


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
