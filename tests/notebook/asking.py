"""A predictor of no server of ours, with only what every client's has; heatmaps that ask it."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from featrix_notebook import PredictionHeatmap

AXES = {"age": [20, 35, 50, 65, 90], "plan": ["basic", "gold", None]}

CARD = {
    "feature_inventory": [
        {
            "name": "age",
            "type": "scalar",
            "statistics": {"min": 18.0, "max": 90.0, "mean": 45.0, "std": 15.0},
            "unique_values": 73,
        },
        {
            "name": "charge",
            "type": "scalar",
            "statistics": {"min": 18.25, "max": 118.75, "mean": 65.0, "std": 30.0},
            "unique_values": 900,
        },
        {"name": "plan", "type": "set", "statistics": {"basic": 9, "gold": 5, "trial": 2}},
        {"name": "note", "type": "free_string", "statistics": {}},
    ]
}


class AnyPredictor:
    """Answers by a formula; `gate` holds its answers back until it is set."""

    target_column = "churned"

    def __init__(self, kind: str = "binary") -> None:
        self.kind = kind
        self.asked: list[list[dict[str, Any]]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.failure: Exception | None = None

    def get_model_card(self) -> dict[str, Any]:
        return CARD

    def batch_predict(
        self, records: Sequence[dict[str, Any]], show_progress: bool = True
    ) -> list[Any]:
        self.asked.append([dict(record) for record in records])
        assert self.gate.wait(20)
        if self.failure is not None:
            raise self.failure
        return [self.one(record) for record in records]

    def one(self, record: dict[str, Any]) -> Any:
        if record.get("plan") == "broken":
            return SimpleNamespace(error="plan cannot be read", probabilities={}, prediction=None)
        p = probability(record)
        if self.kind == "regression":
            return SimpleNamespace(prediction=100 * p, prediction_interval=(90 * p, 110 * p))
        if self.kind == "multi":
            shares = {"stays": (1 - p) ** 2, "pauses": 2 * p * (1 - p), "leaves": p * p}
            label = max(shares, key=shares.__getitem__)
            return SimpleNamespace(
                probabilities=shares, predicted_class=label, confidence=shares[label]
            )
        label = "yes" if p >= 0.4 else "no"
        return SimpleNamespace(
            probabilities={"no": 1 - p, "yes": p},
            predicted_class=label,
            confidence=(p - 0.4) / 0.6 if p >= 0.4 else (0.4 - p) / 0.4,
            threshold=0.4,
            pos_label="yes",
            guardrails={"age": "extreme: far from the mean"} if record.get("age") == 90 else {},
        )


def probability(record: dict[str, Any]) -> float:
    """P(churned = yes): has a hill along age, grows with charge, and differs by plan."""
    age, charge = record.get("age") or 45.0, record.get("charge") or 65.0
    plan = {"basic": 0.7, "gold": -0.7}.get(record.get("plan") or "", 0.0)
    return 1 / (1 + math.exp(((age - 50) / 12) ** 2 - (charge - 65) / 40 - plan))


def asking(kind: str = "binary", **options: Any) -> tuple[AnyPredictor, PredictionHeatmap]:
    """A heatmap whose first surface is answered."""
    predictor = AnyPredictor(kind)
    options = {"axes": AXES, "record": {"charge": 65.0}} | options
    heatmap = PredictionHeatmap(predictor, **options)
    assert heatmap.wait(20)
    return predictor, heatmap


def ask(heatmap: PredictionHeatmap, kind: str, **body: Any) -> dict[str, Any]:
    """What the page would be answered."""
    sent: list[dict[str, Any]] = []
    heatmap.send = lambda content, buffers=None: sent.append(content)
    heatmap._handle_custom_msg({"kind": kind, "id": "1", **body}, [])
    (answer,) = sent
    assert answer["id"] == "1"
    return answer
