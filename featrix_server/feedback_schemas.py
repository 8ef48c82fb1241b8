"""The bodies of requests and answers about predictions that were made, and what was true."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Truth = Annotated[
    Annotated[str, Field(max_length=10_000)] | float,
    Field(description="What was true: the class, or the number; as text or as it is."),
]


class FeedbackRequest(BaseModel):
    """Body of `feedback`."""

    model_config = ConfigDict(extra="ignore")

    ground_truth: Truth
    meta: dict[str, Any] | None = Field(None, description="Kept with it.")


class LabelRequest(BaseModel):
    """Body of `update_label`."""

    model_config = ConfigDict(extra="ignore")

    prediction_id: str | None = Field(None, description="The prediction, as in the path.")
    user_label: Truth


class Feedback(BaseModel):
    """What somebody said was true of a prediction."""

    prediction_uuid: str
    ground_truth: str
    is_current: bool = Field(description="False once a later one replaced it.")
    unseen_label: bool = Field(
        description="The predictor never saw this class (or predicts numbers and this is none): "
        "kept, but no score counts it."
    )
    meta: dict[str, Any] | None
    created_at: str


class FeedbackKept(Feedback):
    """Answer to feedback."""

    replaced: bool = Field(description="Whether there was feedback on this prediction before.")
    predictor_id: str
    predicted_class: str | None
    prediction: Any


class KnownPrediction(BaseModel):
    """A prediction as it is in the log, and all that was said of it, newest first."""

    prediction_uuid: str
    session_id: str
    predictor_id: str
    endpoint_id: str | None
    created_at: str
    latency_ms: float = Field(description="Time its whole request took to be computed.")
    customer_metadata: dict[str, Any] | None
    record: Any
    prediction: Any
    predicted_class: str | None
    probabilities: dict[str, float]
    confidence: float | None
    error: str | None
    feedback: list[Feedback]


class Labelled(BaseModel):
    """A record and what was true of it."""

    prediction_uuid: str
    record: dict[str, Any] = Field(description="Only the columns that the predictor uses.")
    ground_truth: str
    unseen_label: bool
    predicted_class: str | None
    prediction: Any
    created_at: str


class Labels(BaseModel):
    """Feedback in force on one predictor, newest first."""

    predictor_id: str
    target_column: str
    target_column_type: str
    total: int
    offset: int
    rows: list[Labelled]


class GroundTruthStats(BaseModel):
    """How much is known of the truth of a model's predictions."""

    total_predictions: int
    total_corrections: int = Field(description="Predictions with feedback.")
    corrections_since_last_training: int
    last_trained_at: str | None
    correction_rate: float = Field(description="Share of predictions with feedback.")
    ready_for_retraining: bool
