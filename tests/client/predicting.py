"""A small server of one model that trains predictors at once and answers by a formula."""

from __future__ import annotations

import json
import math
import uuid
from typing import Any
from urllib.parse import urlsplit

from featrix_client import FeatrixSphere
from tests.client.scripted import Answer, Request

COLUMNS = ["age", "plan", "visits"]
STREAM = {"Content-Type": "text/event-stream"}


def probability(record: dict[str, Any]) -> float:
    """P(churned = yes): grows with age; missing values count as their middle."""
    age = 45.0 if record.get("age") is None else float(record["age"])
    plan = {"gold": -1.0, "basic": 1.0}.get(record.get("plan"), 0.0)
    return 1 / (1 + math.exp(-((age - 45) / 10 + plan)))


class ModelServer:
    """Speaks the protocol's bodies for session ``m-1``; `jobs` is what the status tells."""

    featrix: FeatrixSphere

    def __init__(self) -> None:
        self.fm_status = "done"
        self.jobs: dict[str, dict[str, Any]] = {}
        self.plan: list[dict[str, Any]] = []
        self.bodies: list[tuple[str, Any]] = []
        self.metrics: dict[str, Any] = {}
        self.card: dict[str, Any] | None = None
        self.streams: list[Answer] = []
        self.offers_importance = False
        self.kind = "binary"
        self.failure: Answer | None = None

    def __call__(self, request: Request) -> Answer:
        address = urlsplit(request.path)
        route = address.path.removeprefix("/compute/session/m-1").strip("/")
        if request.method == "GET":
            return self.get(route, address.query)
        if request.headers.get("Content-Type", "").startswith("multipart"):
            return self.create({"labels": request.body, "target_column_type": "set"})
        body = json.loads(request.body)
        self.bodies.append((route, body))
        if self.failure is not None:
            return self.failure
        if route == "train_predictor":
            return self.create(body)
        return getattr(self, route.rpartition("/")[2])(body)

    def get(self, route: str, query: str) -> Answer:
        if route == "":
            return Answer(self.status())
        if route == "training_metrics":
            self.bodies.append((route, query))
            return Answer(self.metrics)
        if route == "model_card" and self.card is not None:
            self.bodies.append((route, query))
            return Answer(self.card)
        if route == "events" and self.streams:
            return self.streams.pop(0)
        return Answer({"error": "no such thing"}, 404)

    def status(self) -> dict[str, Any]:
        main = {"job_type": "train_es", "status": self.fm_status, "created_at": "2026-01-01"}
        session = {"session_id": "m-1", "name": "m", "status": self.fm_status, "final_loss": 1.0}
        session |= {"job_plan": self.plan, "columns": [*COLUMNS, "churned"]}
        return {"session": session, "jobs": {"j0": main, **self.jobs}}

    def add(self, predictor_id: str, status: str = "done", **facts: Any) -> None:
        job = {"job_type": "train_single_predictor", "predictor_id": predictor_id}
        job |= {"target_column": "churned", "target_column_type": "set", "name": None}
        job |= {"created_at": f"2026-01-01T00:00:{len(self.jobs):02d}.5Z", "status": status}
        job |= {"accuracy": 0.8, "auc": 0.9, "f1": 0.7} if status == "done" else {}
        self.jobs[f"job-{predictor_id}"] = job | facts

    def create(self, body: dict[str, Any]) -> Answer:
        name = f"p{len(self.jobs)}"
        facts = {key: body[key] for key in ("target_column", "name") if key in body}
        self.add(name, target_column_type=body["target_column_type"], **facts)
        return Answer({"predictor_id": name})

    def control(self, body: dict[str, Any]) -> Answer:
        return Answer({"job_id": body["job_id"], "status": "running", "requested": body["action"]})

    def train_predictor_more(self, body: dict[str, Any]) -> Answer:
        self.jobs[f"job-{body['predictor_id']}"]["status"] = "queued"
        return Answer({"status": "queued"})

    def predict(self, body: dict[str, Any]) -> Answer:
        one = self.one(body["query_record"])
        if body.get("feature_importance") and self.offers_importance:
            one["feature_importance"] = {"age": 1.0}
        return Answer(one)

    def predict_table(self, body: dict[str, Any]) -> Answer:
        return Answer({"predictions": [self.one(record) for record in body["records"]]})

    def explain(self, body: dict[str, Any]) -> Answer:
        return Answer({"attributions": {"age": 0.5}, "baseline": 0.0, "prediction": 0.5})

    def feedback(self, body: dict[str, Any]) -> Answer:
        return Answer({"stored": True})

    def update_label(self, body: dict[str, Any]) -> Answer:
        return Answer({"stored": True})

    def one(self, record: dict[str, Any]) -> dict[str, Any]:
        told: dict[str, Any] = {
            "prediction_uuid": str(uuid.uuid4()),
            "ignored_query_columns": [name for name in record if name not in COLUMNS],
            "available_query_columns": COLUMNS,
            "guardrails": {},
        }
        if record.get("age") == "broken":
            return told | {"prediction_uuid": None, "error": "age cannot be read"}
        p = probability(record)
        if self.kind == "regression":
            return told | {"prediction": 100 * p, "prediction_interval": [100 * p - 5, 100 * p + 5]}
        if self.kind == "multi":
            parts = {"high": p * p, "low": (1 - p) ** 2, "middle": 2 * p * (1 - p)}
            label = max(parts, key=parts.__getitem__)
            return told | {"predicted_class": label, "prediction": label, "probabilities": parts}
        label = "yes" if p >= 0.4 else "no"
        return told | {
            "predicted_class": label,
            "prediction": label,
            "probabilities": {"yes": p, "no": 1 - p},
            "probability": p if label == "yes" else 1 - p,
            "confidence": (p - 0.4) / 0.6 if label == "yes" else (0.4 - p) / 0.4,
            "threshold": 0.4,
            "pos_label": "yes",
        }
