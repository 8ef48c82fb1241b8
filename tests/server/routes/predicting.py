"""Asking a server for predictors, and the labels to ask with."""

from __future__ import annotations

import csv
import io
import random
from typing import Any

import httpx

from featrix_server.db import JobRow, PredictorRow, SessionRow

from .conftest import Trained, make_table

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
