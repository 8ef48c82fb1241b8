"""The bodies of requests and answers about webhooks."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from featrix_server.db import DeliveryStatus


class ConfigureWebhooks(BaseModel):
    """Body of `configure_webhooks`: events and URLs, and perhaps `webhook_secret`."""

    model_config = ConfigDict(extra="ignore")

    webhooks: dict[str, str | None] = Field(description="Null leaves an event as it is.")
    predictor_id: str | None = Field(None, description="Left out: the model's own webhooks.")


class DisableWebhook(BaseModel):
    """Body of `disable_webhook`."""

    model_config = ConfigDict(extra="ignore")

    event_type: str
    predictor_id: str | None = Field(None, description="Left out: the model's own webhooks.")


class Webhooks(BaseModel):
    """Events and the URLs that are called, secrets masked."""

    webhooks: dict[str, str] = Field(
        description="Those of the model and of the predictor asked for, or of all its predictors."
    )
    model: dict[str, str] = Field(description="The model's own.")
    predictors: dict[str, dict[str, str]] = Field(description="Each predictor's own.")


class DeliveryTry(BaseModel):
    """One try to make a call."""

    at: str
    seconds: float
    status_code: int | None
    error: str | None


class Delivery(BaseModel):
    """One call of a webhook."""

    id: str = Field(description="As in the header `X-Featrix-Delivery`.")
    event: str
    predictor_id: str | None
    url: str
    data: dict[str, Any]
    status: DeliveryStatus
    created_at: str
    due_at: str | None = Field(description="Time of the next try; null when there is none.")
    finished_at: str | None
    tries: list[DeliveryTry]


class Deliveries(BaseModel):
    """The log of a model's calls, newest first."""

    deliveries: list[Delivery]
