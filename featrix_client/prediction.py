"""What a predictor answers, and how to tell the server what was true."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from featrix_client.errors import FeatrixInputError
from featrix_client.records import clean
from featrix_client.transport import Transport
from featrix_client.wording import one_line

if TYPE_CHECKING:
    import pandas as pd

_METADATA_BYTES = 16 * 1024
_SHOWN_RESULTS = 5


@dataclass(slots=True, repr=False, eq=False)
class PredictionResult:
    """The answer to one record.

    Attributes
    ----------
    prediction_uuid : str or None
        Names this answer, for feedback. None if the record could not be answered.
    predicted_class : str or None
        The class, or the number, as text.
    prediction : object
        The class in the type of the target column; for numbers, the number in its own units.
    probability : float or None
        Probability of the predicted class; below 0.5 where another threshold decides. None for
        numbers.
    confidence : float or None
        0 at the border between two classes, 1 at most. For numbers: 0.5 where the expected error
        is the usual one, more where it is smaller.
    probabilities : dict of str to float
        Class to probability, together 1. Empty for numbers.
    threshold : float or None
        Of two classes: the positive one is predicted from this probability on.
    pos_label : str or None
        Of two classes: the positive one.
    guardrails : dict of str to str
        Column to warning, for the columns with something to say.
    feature_importance : dict of str to float, or None
        Column to its share in the prediction, together 1; None unless asked for.
    ignored_query_columns : list of str
        Columns of the record that the model does not use.
    available_query_columns : list of str
        Columns that the model uses.
    prediction_interval : (float, float) or None
        For numbers: where the true value lies in nine of ten cases.
    error : str or None
        Why this record could not be answered; everything but the two lists of columns is then
        empty.
    raw : dict
        The answer of the server as it came.
    """

    prediction_uuid: str | None = None
    predicted_class: str | None = None
    prediction: Any = None
    probability: float | None = None
    confidence: float | None = None
    probabilities: dict[str, float] = field(default_factory=dict)
    threshold: float | None = None
    pos_label: str | None = None
    guardrails: dict[str, str] = field(default_factory=dict)
    feature_importance: dict[str, float] | None = None
    ignored_query_columns: list[str] = field(default_factory=list)
    available_query_columns: list[str] = field(default_factory=list)
    prediction_interval: tuple[float, float] | None = None
    error: str | None = None
    raw: dict[str, Any] = field(default_factory=dict)
    _transport: Transport | None = None
    _session_id: str | None = None

    @classmethod
    def from_wire(
        cls, item: dict[str, Any], transport: Transport, session_id: str
    ) -> PredictionResult:
        """Read one prediction of the protocol; what the server leaves out is None or empty.

        Some servers give only the distribution, or only the class, as ``prediction``.
        """
        given, item = item, _completed(item)
        get = item.get
        interval = get("prediction_interval")
        if interval is None and get("interval_low") is not None:
            interval = item["interval_low"], get("interval_high")
        return cls(
            prediction_uuid=get("prediction_uuid") or get("prediction_id"),
            predicted_class=get("predicted_class"),
            prediction=get("prediction"),
            probability=get("probability"),
            confidence=get("confidence"),
            probabilities=get("probabilities") or {},
            threshold=get("threshold"),
            pos_label=get("pos_label"),
            guardrails=get("guardrails") or {},
            feature_importance=get("feature_importance"),
            ignored_query_columns=get("ignored_query_columns") or [],
            available_query_columns=get("available_query_columns") or [],
            prediction_interval=tuple(interval) if interval else None,
            error=get("error"),
            raw=given,
            _transport=transport,
            _session_id=get("session_id") or session_id,
        )

    def __repr__(self) -> str:
        if self.error is not None:
            return f"PredictionResult(error={self.error!r})"
        facts = [repr(self.prediction if self.predicted_class is None else self.predicted_class)]
        if not self.probabilities and isinstance(self.prediction, int | float):
            facts = [f"{self.prediction:.6g}"]
        for name in ("probability", "confidence", "threshold"):
            value = getattr(self, name)
            if value is not None:
                facts.append(f"{name}={value:.4g}")
        if self.prediction_interval:
            low, high = self.prediction_interval
            facts.append(f"prediction_interval=({low:.6g}, {high:.6g})")
        if self.guardrails:
            facts.append(f"guardrails={self.guardrails!r}")
        return f"PredictionResult({', '.join(facts)})"

    def send_feedback(self, ground_truth: Any) -> PredictionFeedback:
        """Prepare to tell the server what was true; `PredictionFeedback.send` does it.

        Parameters
        ----------
        ground_truth : str or number
            What the prediction should have been.

        Raises
        ------
        ValueError
            If there is nothing in it, or if this record was never answered.
        """
        if self.prediction_uuid is None or self._transport is None:
            raise FeatrixInputError(
                "There is no prediction to give feedback on"
                + (f": {self.error}" if self.error else "."),
            )
        return PredictionFeedback(
            self.prediction_uuid, ground_truth, self._transport, self._session_id
        )


def _completed(item: dict[str, Any]) -> dict[str, Any]:
    """Fill in the class where ``prediction`` tells it."""
    told = item.get("prediction")
    if isinstance(told, dict) and told and not item.get("probabilities"):
        label = max(told, key=told.__getitem__)
        found = {"probabilities": told, "predicted_class": label, "prediction": label}
        return item | found | {"probability": told[label], "confidence": told[label]}
    if isinstance(told, str) and item.get("predicted_class") is None:
        return item | {"predicted_class": told}
    return item


class PredictionFeedback:
    """What was true of one prediction. Nothing is sent before `send`.

    Attributes
    ----------
    prediction_uuid : str
        The prediction.
    ground_truth : str
        What was true, as text.
    sent : bool
        Whether the server has it.
    """

    def __init__(
        self,
        prediction_uuid: str,
        ground_truth: Any,
        transport: Transport,
        session_id: str | None = None,
    ) -> None:
        truth = clean(ground_truth)
        if not isinstance(truth, str | int | float) or not str(truth).strip():
            raise FeatrixInputError(
                f"ground_truth must be a text or a number, not {ground_truth!r}.",
                field="ground_truth",
            )
        if not isinstance(prediction_uuid, str) or not prediction_uuid.strip("./ "):
            raise FeatrixInputError(
                f"{prediction_uuid!r} is not the id of a prediction.",
                hint="PredictionResult.prediction_uuid holds it.",
                field="prediction_uuid",
            )
        self.prediction_uuid = prediction_uuid
        # As a table has it: a server that compares texts knows "true", not "True".
        self.ground_truth = str(truth).lower() if isinstance(truth, bool) else str(truth)
        self._transport = transport
        self._session_id = session_id
        self.sent = False

    def __repr__(self) -> str:
        state = "" if self.sent else "  # not sent yet: .send()"
        told = f"{self.prediction_uuid!r}, ground_truth={self.ground_truth!r}"
        return f"PredictionFeedback({told}){state}"

    def send(self) -> dict[str, Any]:
        """Send it. A later feedback on the same prediction replaces it.

        Returns
        -------
        dict
            What the server answers.

        Raises
        ------
        requests.HTTPError
            With ``.status`` 404 if the server does not know the prediction.
        """
        if self._session_id is None:
            path = f"/compute/prediction/{self.prediction_uuid}/update_label"
            body = {"prediction_id": self.prediction_uuid, "user_label": self.ground_truth}
        else:
            path = f"/compute/session/{self._session_id}/predict/{self.prediction_uuid}/feedback"
            body = {"ground_truth": self.ground_truth}
        answer: dict[str, Any] = self._transport.post(path, body, repeatable=True)
        self.sent = True
        return answer


class BatchResults(list[PredictionResult]):
    """The answers to many records, in their order."""

    def __repr__(self) -> str:
        if len(self) <= _SHOWN_RESULTS:
            return f"BatchResults({list(self)!r})"
        head = BatchResults(self[:_SHOWN_RESULTS]).to_frame().drop(columns="prediction_uuid")
        table = head.to_string(max_cols=8, max_colwidth=24, line_width=100)
        return f"BatchResults: {self.summary()}\n{table}\n... to_frame() gives all of them"

    def summary(self) -> str:
        """Return in a line how many answers there are, and of which kind."""
        failed = sum(result.error is not None for result in self)
        good = [result for result in self if result.error is None]
        parts = [f"{len(self):,} predictions"]
        if any(result.probabilities for result in good):
            counts = Counter(str(result.predicted_class) for result in good).most_common()
            told = [f"{one_line(label, 24)} {count:,}" for label, count in counts[:_SHOWN_RESULTS]]
            left = len(counts) - _SHOWN_RESULTS
            parts.append(", ".join(told) + (f" and {left} further classes" if left > 0 else ""))
        elif numbers := [r.prediction for r in good if isinstance(r.prediction, int | float)]:
            parts.append(f"{min(numbers):.4g} to {max(numbers):.4g}")
        if warned := sum(bool(result.guardrails) for result in good):
            parts.append(f"{warned:,} with warnings")
        if failed:
            parts.append(f"{failed:,} not answered")
        return "; ".join(parts)

    def to_frame(self) -> pd.DataFrame:
        """Return the answers as a table, one row a record.

        Returns
        -------
        pandas.DataFrame
            ``prediction``; for classes ``probability``, ``confidence`` and a column
            ``probability_<class>`` for each; for numbers ``interval_low`` and ``interval_high``;
            ``error`` if a record failed; ``prediction_uuid``.
        """
        import pandas as pd

        columns: dict[str, list[Any]] = {"prediction": [r.prediction for r in self]}
        labels = dict.fromkeys(label for result in self for label in result.probabilities)
        if labels:
            columns["probability"] = [r.probability for r in self]
            columns["confidence"] = [r.confidence for r in self]
        for label in labels:
            columns[f"probability_{label}"] = [r.probabilities.get(label) for r in self]
        intervals = [r.prediction_interval or (None, None) for r in self]
        if any(low is not None for low, _ in intervals):
            columns["interval_low"] = [low for low, _ in intervals]
            columns["interval_high"] = [high for _, high in intervals]
        if any(r.error for r in self):
            columns["error"] = [r.error for r in self]
        columns["prediction_uuid"] = [r.prediction_uuid for r in self]
        return pd.DataFrame(columns)


def customer_headers(metadata: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the header that carries what a caller wants kept with a prediction.

    Raises
    ------
    FeatrixInputError
        If `metadata` is no dict, or more than 16 KB as JSON.
    """
    if metadata is None:
        return {}
    if not isinstance(metadata, Mapping):
        raise FeatrixInputError(
            f"customer_metadata must be a dict, not a {type(metadata).__name__}.",
            field="customer_metadata",
        )
    text = json.dumps(clean(metadata))  # ASCII, as headers must be
    if len(text) > _METADATA_BYTES:
        raise FeatrixInputError(
            f"customer_metadata is {len(text):,} bytes as JSON; at most {_METADATA_BYTES:,} fit.",
            field="customer_metadata",
        )
    return {"X-Featrix-Customer-Metadata": text}


def occlusion_importance(
    whole: PredictionResult, without: Iterable[tuple[str, PredictionResult]]
) -> dict[str, float]:
    """Tell from predictions with one column hidden each how much the columns count.

    A column's score is how far hiding it moves the log-odds of the class that was predicted (or
    the number), whichever way; scores together are 1, all 0 if nothing moves. Columns the model
    expects and the record lacks score 0.

    Parameters
    ----------
    whole : PredictionResult
        Of the record as it is.
    without : iterable of (str, PredictionResult)
        Column, and the result of the record without it.
    """
    scores = dict.fromkeys(whole.available_query_columns, 0.0)
    for column, result in without:
        if column not in whole.ignored_query_columns:
            scores[column] = _distance(whole, result)
    total = sum(scores.values())
    return {column: score / total if total else 0.0 for column, score in scores.items()}


def _distance(one: PredictionResult, other: PredictionResult) -> float:
    if other.error is not None:
        return 0.0
    if not one.probabilities:
        return abs(float(one.prediction) - float(other.prediction))
    label = str(one.predicted_class)
    return abs(
        _log_odds(one.probabilities.get(label, 0.0))
        - _log_odds(other.probabilities.get(label, 0.0))
    )


def _log_odds(probability: float) -> float:
    p = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(p / (1 - p))
