"""Steering the training of predictors: pause, resume, stop, cancel, and training on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from featrix_server.jobs.control import ControlError
from featrix_server.jobs.control import control as control_job

from .conftest import Trained
from .predicting import ask_with_labels, create, labels_of
from .test_gate import assert_envelope


@pytest.fixture
def network(model: Trained) -> dict[str, Any]:
    """A queued predictor with labels enough for a network, and epochs enough to act."""
    answer = ask_with_labels(model, labels_of(520), epochs="60")
    assert answer.status_code == 200, answer.text
    created: dict[str, Any] = answer.json()
    return created | {"path": f"/compute/session/{created['session_id']}"}


def job_of(model: Trained, predictor: dict[str, Any]) -> dict[str, Any]:
    jobs = model.server.http.get(predictor["path"]).json()["jobs"]
    found: dict[str, Any] = jobs[predictor["job_id"]]
    return found


def control(model: Trained, predictor: dict[str, Any], action: str) -> dict[str, Any]:
    body = {"action": action, "job_id": predictor["job_id"]}
    answer = model.server.http.post(f"{predictor['path']}/control", json=body)
    assert answer.status_code == 200, answer.text
    answered: dict[str, Any] = answer.json()
    return answered


def epochs_of(model: Trained, predictor: dict[str, Any]) -> list[int]:
    body = model.server.http.get(f"{predictor['path']}/training_metrics").json()
    return [row["epoch_idx"] + 1 for row in body["training_metrics"]["training_info"]]


def train_until(model: Trained, condition: Callable[[], object], act: Callable[[], Any]) -> None:
    worker = threading.Thread(target=model.server.train)
    worker.start()
    while worker.is_alive() and not condition():
        time.sleep(0.02)
    act()
    worker.join()


def test_a_predictor_is_paused_resumed_stopped_and_trained_on(
    model: Trained, network: dict[str, Any]
) -> None:
    def running() -> bool:
        return (job_of(model, network)["current_epoch"] or 0) >= 2

    train_until(model, running, lambda: control(model, network, "pause"))
    paused = job_of(model, network)
    assert (paused["status"], paused["trained"]) == ("paused", False)
    query = {"query_record": {"plan": "pro"}, "predictor_id": network["predictor_id"]}
    others = {"predict_table": {"records": [{}, {}]}, "explain": query, "predict": query}
    for route, body in others.items():
        wish = body | {"predictor_id": network["predictor_id"]}
        waiting = model.server.http.post(f"{network['path']}/{route}", json=wish)
        assert waiting.status_code == 503
    assert waiting.json()["status"] == "training_in_progress_no_checkpoint"
    assert waiting.json()["training_info"]["epoch"] == paused["current_epoch"]
    assert waiting.json()["training_info"]["total_epochs"] >= 60

    assert control(model, network, "resume")["status"] == "queued"

    def further() -> bool:
        return job_of(model, network)["current_epoch"] > paused["current_epoch"] + 1

    train_until(model, further, lambda: control(model, network, "stop"))
    stopped = job_of(model, network)
    assert stopped["status"] == "done"
    assert epochs_of(model, network) == [*range(1, stopped["current_epoch"] + 1)]
    before = model.server.http.post(f"{network['path']}/predict", json=query).json()

    more = {"epochs": 3, "target_column": "churned"}
    path = f"{network['path']}/train_predictor_more"
    asked = model.server.http.post(path, json=more).json()
    assert asked["job_id"] == network["job_id"]
    assert model.server.http.post(path, json=more).json()["status"] == "queued"  # sent again
    other = model.server.http.post(path, json={"epochs": 4})
    assert "is being trained" in assert_envelope(other, 422, "invalid_input")["error"]
    during = model.server.http.post(f"{network['path']}/predict", json=query).json()
    assert during["probabilities"] == before["probabilities"]
    model.server.train()
    job = job_of(model, network)
    assert (job["status"], job["trained"]) == ("done", True)
    assert epochs_of(model, network) == [*range(1, job["current_epoch"] + 1)]
    body = model.server.http.get(f"{network['path']}/training_metrics").json()
    phases = [row["phase"] for row in body["training_metrics"]["training_info"]]
    assert phases.count("network") >= paused["current_epoch"] + 3


def test_a_cancelled_continuation_leaves_the_predictor_as_it_was(model: Trained) -> None:
    created = create(model)
    path = f"{model.path}/train_predictor_more"
    too_early = model.server.http.post(path, json={"target_column": "plan", "epochs": 3})
    assert_envelope(too_early, 422, "invalid_input")
    model.server.train()
    missing = model.server.http.post(path, json={"target_column": "price"})
    assert_envelope(missing, 404, "not_found")
    asked = model.server.http.post(path, json={"predictor_id": created["predictor_id"]})
    assert asked.json()["status"] == "queued"
    cancelled = model.server.http.post(f"{model.path}/cancel").json()
    assert (cancelled["cancelled"], cancelled["status"]) == (True, "done")
    job = model.get().json()["jobs"][created["job_id"]]
    assert (job["status"], job["trained"]) == ("done", True)
    query = {"query_record": {"age": 33}, "predictor_id": created["predictor_id"]}
    assert model.server.http.post(f"{model.path}/predict", json=query).status_code == 200


def test_a_cancelled_predictor_says_so(model: Trained) -> None:
    created = create(model)
    model.server.http.post(f"{model.path}/cancel")
    assert model.get().json()["jobs"][created["job_id"]]["status"] == "cancelled"
    query = {"query_record": {"age": 3}, "predictor_id": created["predictor_id"]}
    answer = model.server.http.post(f"{model.path}/predict", json=query)
    assert "cancelled" in assert_envelope(answer, 409, "not_ready")["error"]
    with pytest.raises(ControlError):
        control_job(model.server.context.database, model.session_id, "pause", created["job_id"])
