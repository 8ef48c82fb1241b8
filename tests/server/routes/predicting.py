"""Asking a server for predictors, and the labels to ask with."""

from __future__ import annotations

import csv
import io
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx
from sqlalchemy import delete

from featrix_server.db import (
    EndpointRow,
    FeedbackRow,
    JobRow,
    PredictionBlockRow,
    PredictorRow,
    SessionRow,
    UsageRow,
)
from featrix_server.prediction_log import PredictionLog
from featrix_server.settings import Settings

from .conftest import KEY, Trained, make_table, running

ROW = {"plan": "pro", "age": 44, "price": 24.1, "note": "very loyal"}
WITH_LABELS = "/compute/train_on_foundational_model"


def left(model: Trained) -> tuple[int, ...]:
    with model.server.context.database.read() as database:
        return tuple(database.query(kind).count() for kind in (SessionRow, JobRow, PredictorRow))


def ask(model: Trained, target: str = "plan", kind: str = "set", **more: Any) -> httpx.Response:
    body = {"target_column": target, "target_column_type": kind, "epochs": 2, **more}
    return model.server.http.post(f"{model.path}/train_predictor", json=body)


def ask_with_labels(model: Trained, labels: bytes, **fields: str) -> httpx.Response:
    given = {
        "foundation_model_id": model.session_id,
        "target_column": "churned",
        "target_column_type": "set",
        "epochs": "2",
    }
    files = {"file": ("labels.csv", labels)}
    return model.server.http.post(WITH_LABELS, files=files, data=given | fields)


def create(model: Trained, *given: Any, **more: Any) -> dict[str, Any]:
    answer = ask(model, *given, **more)
    assert answer.status_code == 200, answer.text
    created: dict[str, Any] = answer.json()
    return created


def labels_of(n_rows: int, seed: int = 0) -> bytes:
    """Labels that hang on the plan: rows of the model's columns with the target."""
    rng = random.Random(seed)
    rows = list(csv.DictReader(io.StringIO(make_table(n_rows, seed).decode())))
    text = io.StringIO()
    writer = csv.DictWriter(text, [*rows[0], "churned"])
    writer.writeheader()
    for row in rows:
        likely = {"basic": 0.8, "plus": 0.3, "pro": 0.1}[row["plan"]]
        writer.writerow({**row, "churned": "yes" if rng.random() < likely else "no"})
    return text.getvalue().encode()


class Asked:
    """Three trained predictors: of three classes, of numbers, of two classes."""

    def __init__(self, model: Trained, made: dict[str, dict[str, Any]]) -> None:
        self.model = model
        self.made = made

    @classmethod
    def train(cls, model: Trained) -> Self:
        """Train the three."""
        churn = ask_with_labels(model, labels_of(150), cost_false_negative="5").json()
        made = {
            "plan": create(model, "plan"),
            "price": create(model, "price", "scalar"),
            "churned": churn,
        }
        for _ in made:
            model.server.train()
        return cls(model, made)

    @contextmanager
    def copy(self, folder: Path, **settings: Any) -> Iterator[Self]:
        """Serve a copy of the predictors that was never asked anything."""
        shutil.copytree(self.model.server.settings.data_dir, folder)
        with running(Settings(**{"data_dir": folder, "api_key": KEY} | settings)) as server:
            with server.context.database.write() as database:
                for kind in (FeedbackRow, PredictionBlockRow, UsageRow, EndpointRow):
                    database.execute(delete(kind))
            model = Trained(server, self.model.path, self.model.session_id)
            yield type(self)(model, self.made)

    def post(self, target: str, route: str, **body: Any) -> httpx.Response:
        made = self.made[target]
        path = f"/compute/session/{made['session_id']}/{route}"
        body = {"predictor_id": made["predictor_id"], **body}
        return self.model.server.http.post(path, json=body)

    def predict(self, target: str, record: dict[str, Any], **more: Any) -> dict[str, Any]:
        answer = self.post(target, "predict", query_record=record, **more)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def table(self, target: str, records: list[Any], **more: Any) -> list[dict[str, Any]]:
        answer = self.post(target, "predict_table", records=records, **more)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["predictions"]
        return found

    @property
    def log(self) -> PredictionLog:
        """The log of the server's predictions."""
        return self.model.server.context.predictions
