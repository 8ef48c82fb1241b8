"""The bodies of requests and answers about predictors."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from featrix_server.schemas import MAX_NAME_CHARS, from_json_text

ProblemType = Literal["binary", "multiclass", "regression"]
TargetType = Literal["set", "scalar"]


_ENGINE_OPTIONS = {"target_column", "epochs", "rare_label_value", "class_imbalance"}
_ENGINE_OPTIONS |= {"cost_false_positive", "cost_false_negative"}


def _label_text(value: Any) -> Any:
    """Give a label of another type the text it has in a table."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, int | float) else value


class TrainPredictor(BaseModel):
    """What may be said about a new predictor; the fields of JSON, or of the form (as text).

    Unknown fields are ignored, so that clients of other versions can be used.
    """

    model_config = ConfigDict(extra="ignore")

    target_column: str
    target_column_type: TargetType = Field(description="`scalar` for numbers, `set` for classes.")
    problem_type: ProblemType | None = Field(
        None, description="`binary`: refuse a target with more than two classes."
    )
    name: str | None = Field(None, max_length=MAX_NAME_CHARS)
    epochs: int = Field(0, ge=0, le=100_000, description="0: automatic.")
    rare_label_value: Annotated[str | None, BeforeValidator(_label_text)] = None
    cost_false_positive: float | None = None
    cost_false_negative: float | None = None
    class_imbalance: Annotated[dict[str, float] | None, BeforeValidator(from_json_text)] = None

    def engine_options(self) -> dict[str, Any]:
        """Return the arguments of ``engine.PredictorOptions``."""
        return self.model_dump(include=_ENGINE_OPTIONS) | {"target_type": self.target_column_type}


class TrainWithLabels(TrainPredictor):
    """Fields of the form beside the labels file."""

    foundation_model_id: str = Field(description="The trained model to build on.")


class PredictorCreated(BaseModel):
    """A new predictor, whose training has been queued."""

    session_id: str
    predictor_id: str
    job_id: str
    status: str
    name: str | None
    target_column: str
    target_column_type: str
    problem_type: str
    warnings: list[str]
    compute_cluster: str


class TrainMore(BaseModel):
    """Body of `train_predictor_more`; without a predictor the newest of the target is meant."""

    model_config = ConfigDict(extra="ignore")

    epochs: int = Field(50, ge=1, le=100_000)
    target_column: str | None = None
    predictor_id: str | None = None


class PredictorColumns(BaseModel):
    """What may be queried."""

    predictor_id: str
    target_column: str
    columns: list[str]
    column_names: list[str]
    column_types: dict[str, str]
    num_columns: int


class _Query(BaseModel):
    model_config = ConfigDict(extra="ignore")

    predictor_id: str
    best_metric_preference: Literal["roc_auc", "pr_auc"] | None = Field(
        None, description="Which kept checkpoint answers; left out: the predictor's own choice."
    )


class PredictRequest(_Query):
    """Body of `predict`. Columns may be missing; unknown ones are named in the answer."""

    query_record: dict[str, Any]
    feature_importance: bool = Field(False, description="Say how much each column matters.")


class PredictTableRequest(_Query):
    """Body of `predict_table`. A record that cannot be answered gets an answer with `error`."""

    records: list[Any]


class ExplainRequest(_Query):
    """Body of `explain`."""

    query_record: dict[str, Any]
    class_idx: int | str | None = Field(
        None, description="Class to explain, by number or name; left out: the predicted one."
    )


class EvaluateRequest(_Query):
    """Body of `evaluate`: records, and what the truth was for each; null where unknown."""

    records: list[Any]
    labels: list[Any]


class PredictionAnswer(BaseModel):
    """One prediction; `error` says why there is none."""

    prediction_uuid: str
    prediction: Any
    predicted_class: str | None
    probabilities: dict[str, float]
    probability: float | None
    confidence: float | None
    threshold: float | None
    pos_label: str | None
    sigma: float | None
    interval_low: float | None
    interval_high: float | None
    coverage_level: float | None
    guardrails: dict[str, str]
    ignored_query_columns: list[str]
    available_query_columns: list[str]
    feature_importance: dict[str, float] | None = None
    error: str | None
    target_column: str
    predictor_id: str
    session_id: str
    model_type: Literal["sp"]
    model_version: None
    checkpoint_info: dict[str, Any]


class PredictionTable(BaseModel):
    """One prediction a record, in the order of the records."""

    predictions: list[PredictionAnswer]


class Explanation(BaseModel):
    """What each column that was sent adds to one answer, signed."""

    attributions: dict[str, float]
    predicted_class: str | None
    explained_class: str | None
    base_value: float
    value: float
    unit: str
    predictor_id: str
    target_column: str


class Evaluation(BaseModel):
    """How well a predictor does on rows whose truth is known."""

    metrics: dict[str, Any]
    n_rows: int = Field(description="Rows that could be compared.")
    n_left_out: int = Field(description="Rows without a label, or without a prediction.")


class TrainingInProgress(BaseModel):
    """Answer (503) while a predictor has not been trained far enough to answer."""

    status: Literal["training_in_progress_no_checkpoint", "training_not_started"]
    message: str
    training_info: dict[str, Any]
