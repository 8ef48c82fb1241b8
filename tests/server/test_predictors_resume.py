"""A predictor's training survives `kill -9` of its worker, and its answers a restart."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from .conftest import Host

pytestmark = pytest.mark.timeout(300)

ROWS = 520  # enough labels for a network, whose epochs can be interrupted


def labelled_table() -> bytes:
    draw = random.Random(3)
    lines = ["age,plan,churned"]
    for _ in range(ROWS):
        age, plan = draw.randint(18, 80), draw.choice(["basic", "plus", "pro"])
        likely = {"basic": 0.8, "plus": 0.4, "pro": 0.1}[plan]
        lines.append(f"{age},{plan},{'yes' if draw.random() < likely else 'no'}")
    return "\n".join(lines).encode()


def test_a_killed_worker_costs_an_epoch_at_most_and_a_restart_nothing(
    host: Host, until: Callable[..., None]
) -> None:
    with host.api(host.start()) as api:
        files = {"file": ("people.csv", labelled_table())}
        made = api.post("/compute/upload_with_new_session/", files=files, data={"epochs": "1"})
        path = f"/compute/session/{made.json()['session_id']}"
        until(lambda: api.get(path).json()["session"]["status"] == "done", 120)
        body = {"target_column": "churned", "target_column_type": "set", "epochs": 400}
        created = api.post(f"{path}/train_predictor", json=body).json()

        def job() -> dict[str, Any]:
            found: dict[str, Any] = api.get(path).json()["jobs"][created["job_id"]]
            return found

        until(lambda: (job()["current_epoch"] or 0) >= 2, 120)
        (worker,) = host.workers()
        worker.kill()
        reached = job()["current_epoch"]
        until(lambda: job()["current_epoch"] > reached + 1, 120)
        stop = {"action": "stop", "job_id": created["job_id"]}
        api.post(f"{path}/control", json=stop)
        until(lambda: job()["status"] == "done", 120)
        told = api.get(f"{path}/training_metrics").json()["training_metrics"]["training_info"]
        assert [row["epoch_idx"] for row in told] == [*range(job()["current_epoch"])]
        before = answers(api, path, created["predictor_id"])
    assert host.run("stop").returncode == 0
    with host.api(host.start()) as api:
        assert answers(api, path, created["predictor_id"]) == before


def answers(api: httpx.Client, path: str, predictor_id: str) -> list[dict[str, Any]]:
    records = [{"age": age, "plan": plan} for age in (20, 50) for plan in ("basic", "pro", "new")]
    body = {"records": records, "predictor_id": predictor_id}
    found = api.post(f"{path}/predict_table", json=body).json()["predictions"]
    return [{**one, "prediction_uuid": None} for one in found]
