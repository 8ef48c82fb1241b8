"""The bodies of requests and answers about endpoints."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from featrix_server.schemas import MAX_NAME_CHARS


class CreateEndpoint(BaseModel):
    """What may be said about a new endpoint."""

    model_config = ConfigDict(extra="ignore")

    name: str = Field(min_length=1, max_length=MAX_NAME_CHARS)
    session_id: str
    predictor_id: str
    description: str | None = Field(None, max_length=10_000)
    api_key: str | None = Field(
        None, description="A key of your own, at least 43 characters; left out: one is made."
    )
    requests_per_minute: int | None = Field(
        None, ge=1, le=10_000_000, description="Left out: as many as the server's settings allow."
    )


class RevokeKey(BaseModel):
    """Body of `revoke_key`."""

    model_config = ConfigDict(extra="ignore")

    make_public: bool = Field(False, description="Answer everybody from now on, without a key.")


class EndpointQuery(BaseModel):
    """Body of an endpoint's `predict`."""

    model_config = ConfigDict(extra="ignore")

    query_record: dict[str, Any]


class EndpointInfo(BaseModel):
    """An endpoint. Lists leave `api_key` out."""

    id: str
    name: str
    description: str | None
    session_id: str
    serving_predictor_id: str
    target_column: str
    has_api_key: bool
    api_key: str | None = Field(
        description="None also for a key of the caller's own choice, of which we keep a hash."
    )
    api_key_created_at: str | None
    is_public: bool = Field(description="Whether it answers everybody, without a key.")
    requests_per_minute: int | None
    predict_url: str
    created_at: str
    last_used_at: str | None
    usage_count: int
    plan: dict[str, Any] = Field(description="What answers beside the predictor: nothing.")


class EndpointList(BaseModel):
    """All endpoints, newest first."""

    endpoints: list[EndpointInfo]


class EndpointStats(BaseModel):
    """How much an endpoint was used. Calls that were refused do not count."""

    id: str
    usage_count: int
    error_count: int = Field(description="Calls whose record could not be answered.")
    avg_latency_ms: float | None = Field(description="Time to compute an answer, on average.")
    last_used_at: str | None
    created_at: str
    by_day: dict[str, int] = Field(description="Day (UTC, ISO) to the number of calls.")


class EndpointDeleted(BaseModel):
    """Answer to the removal of an endpoint."""

    id: str
    deleted: bool = True
