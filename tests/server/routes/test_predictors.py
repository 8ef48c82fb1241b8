"""Making predictors: what is refused, what the status tells, labels of their own, training on."""

from __future__ import annotations

import csv
import io
import random
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from featrix_server.app import collect
from featrix_server.db import JobRow, PredictorRow, SessionRow, now
from featrix_server.jobs import queue

from .conftest import Server, Trained, make_table, running_copy
from .test_gate import assert_envelope

WITH_LABELS = "/compute/train_on_foundational_model"


@pytest.fixture
def model(trained: Trained, tmp_path: Path) -> Iterator[Trained]:
    """A trained model of its own."""
    with running_copy(trained, tmp_path / "data") as copy:
        yield copy


@pytest.fixture(scope="module")
def refusing(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    """A trained model that is asked for what cannot be, and must be as it was in the end."""
    with running_copy(trained, tmp_path_factory.mktemp("refusing") / "data") as copy:
        yield copy
        assert left(copy) == (1, 1, 0)
        assert [one.name for one in copy.server.settings.sessions_dir.iterdir()] == [
            copy.session_id
        ]
        assert not (copy.server.context.store.folder(copy.session_id) / "predictors").exists()


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


# -- the way of a predictor ----------------------------------------------------------------


def test_the_status_follows_a_predictor_from_queue_to_scores(model: Trained) -> None:
    created = create(model, name="Plans")
    assert created["status"] == "queued"
    assert created["problem_type"] == "multiclass"
    assert created["session_id"] == model.session_id
    predictor_id, job_id = created["predictor_id"], created["job_id"]
    assert predictor_id.startswith("plans-")

    session, jobs = model.get().json().values()
    assert (session["status"], session["sp_status"]) == ("done", "queued")
    assert session["single_predictors"] == [""]
    assert session["predictor_deletion_protection"] == {predictor_id: False}
    plan = session["job_plan"][-1]
    assert plan["predictor_index"] == 0
    assert plan["spec"]["target_column"] == "plan"
    assert plan["spec"]["target_column_type"] == "set"
    told = {"job_id": job_id, "predictor_id": predictor_id, "name": "Plans"}
    assert told.items() <= plan.items()
    told = {"predictor_id": predictor_id, "target_column": "plan", "target_column_type": "set"}
    told |= {"status": "queued", "name": "Plans", "trained": False, "auc": None}
    assert told.items() <= jobs[job_id].items()
    assert "training_metrics" not in model.get("/training_metrics").json()

    model.server.train()
    session, jobs = model.get().json().values()
    assert (session["status"], session["sp_status"]) == ("done", "done")
    assert session["single_predictors"] == [f"predictors/{predictor_id}"]
    job = jobs[job_id]
    assert (job["status"], job["progress"], job["trained"]) == ("done", 1.0, True)
    assert job["current_epoch"] == job["total_epochs"] >= 1
    assert job["started_at"] > job["created_at"]
    assert all(0 < job[name] <= 1 for name in ("accuracy", "auc", "f1"))


def test_its_epochs_come_with_the_events_and_its_scores_with_the_metrics(model: Trained) -> None:
    created = create(model)
    model.server.train()
    text = model.get("/events").text
    assert text.count(f'event: epoch\ndata: {{"job_id":"{created["job_id"]}"') >= 1
    assert f'event: done\ndata: {{"job_id":"{created["job_id"]}","status":"done"}}' in text

    body = model.get("/training_metrics").json()
    assert body["source"] == "embedding_space_training"
    assert body["data"]["epochs"]
    told = body["training_metrics"]
    assert (told["target_column"], told["predictor_id"]) == ("plan", created["predictor_id"])
    assert [row["epoch_idx"] for row in told["training_info"]] == [
        *range(len(told["training_info"]))
    ]
    assert told["training_info"][0]["metrics"]["auc"] > 0
    job = model.get().json()["jobs"][created["job_id"]]
    assert told["final_metrics"]["accuracy"] == job["accuracy"]
    assert told["final_metrics"]["roc_auc"] == job["auc"]
    assert set(told["checkpoints"]) == {"roc_auc", "pr_auc"}

    other = create(model, "price", "scalar")
    latest = model.get("/training_metrics").json()["training_metrics"]
    assert latest["predictor_id"] == created["predictor_id"]  # the last one that is trained
    own = model.get("/training_metrics", predictor_id=other["predictor_id"]).json()
    assert own["training_metrics"]["target_column"] == "price"
    assert own["training_metrics"]["training_info"] == []
    assert_envelope(model.get("/training_metrics", predictor_id="none"), 404, "not_found")


def test_its_model_card_stands_in_the_models_card_and_alone(model: Trained) -> None:
    created = create(model)
    predictor_id = created["predictor_id"]
    waiting = model.get("/model_card", predictor_id=predictor_id)
    assert_envelope(waiting, 409, "not_ready")
    assert model.get("/model_card").json()["predictors"] == {}
    model.server.train()
    whole = model.get("/model_card").json()
    assert whole["model_identification"]["model_type"] == "Embedding Space"
    card = whole["predictors"][predictor_id]
    assert card["model_identification"]["target_column"] == "plan"
    assert card["model_identification"]["name"] == "plan"
    assert model.get("/model_card", predictor_id=predictor_id).json() == card
    assert_envelope(model.get("/model_card", predictor_id="none"), 404, "not_found")


def test_the_same_request_again_gives_the_same_predictor_while_it_trains(model: Trained) -> None:
    first = create(model, name="a")
    assert create(model, name="a")["predictor_id"] == first["predictor_id"]
    others = [create(model), create(model, name="b"), create(model, name="a", epochs=3)]
    others.append(create(model, "price", "scalar", name="a"))
    assert len({one["predictor_id"] for one in [first, *others]}) == 5
    assert left(model) == (1, 6, 5)
    stamps = [job["created_at"] for job in model.get().json()["jobs"].values()]
    assert stamps == sorted(set(stamps))


def test_requests_at_the_same_time_make_one_predictor(model: Trained) -> None:
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(ask(model).json()["predictor_id"]))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1


def test_its_columns_are_the_models_without_the_target(model: Trained) -> None:
    predictor_id = create(model)["predictor_id"]
    columns = model.server.http.get(f"/compute/predictor/{predictor_id}/columns").json()
    assert columns["columns"] == columns["column_names"] == ["age", "price", "note"]
    assert columns["column_types"]["age"] == "scalar"
    assert columns["target_column"] == "plan"
    unknown = model.server.http.get("/compute/predictor/none/columns")
    assert_envelope(unknown, 404, "not_found")
    model.server.http.post(f"{model.path}/mark_for_deletion")
    gone = model.server.http.get(f"/compute/predictor/{predictor_id}/columns")
    assert_envelope(gone, 404, "not_found")


# -- what is refused -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "field", "words"),
    [
        ({"target_column": "plam"}, "target_column", "plam"),
        ({"target_column": "note", "target_column_type": "scalar"}, "target_column", "numbers"),
        ({"target_column_type": "ranking"}, "target_column_type", "set"),
        ({"problem_type": "binary"}, "target_column", "3 classes"),
        ({"rare_label_value": "pro"}, "rare_label_value", "3"),
        ({"cost_false_positive": 0}, "cost_false_positive", "0"),
        ({"cost_false_negative": -1}, "cost_false_negative", "-1"),
        ({"class_imbalance": {"pro": 0.5, "plus": 0.5}}, "class_imbalance", "basic"),
        ({"class_imbalance": {"pro": 1, "plus": 1, "basic": 0}}, "class_imbalance", "basic"),
        ({"epochs": -1}, "epochs", "0"),
        ({"target_column": None}, "target_column", "string"),
    ],
)
def test_what_cannot_be_predicted_is_refused_at_once(
    refusing: Trained, wish: dict[str, Any], field: str, words: str
) -> None:
    body = {"target_column": "plan", "target_column_type": "set", **wish}
    answer = refusing.server.http.post(f"{refusing.path}/train_predictor", json=body)
    told = assert_envelope(answer, 422, "invalid_input")
    assert told["field"] == field
    assert words in told["error"]


def test_an_unknown_target_comes_with_the_nearest_name(refusing: Trained) -> None:
    assert "'plan'" in assert_envelope(ask(refusing, "plam"), 422, "invalid_input")["hint"]


@pytest.mark.parametrize(
    ("labels", "field", "words"),
    [
        (b"churned\n" + b"yes\n" * 200, "target_column", "all labels"),
        (b"churned\n" + b"yes\n" * 199 + b"no\n", "target_column", "single row"),
        (b"churned\n" + b"yes\nno\n" * 20, "labels", "40 rows"),
        (b"shoe,churned\n" + b"1,yes\n2,no\n" * 20, "labels", "shoe"),
        (b"age,plan\n" + b"1,yes\n2,no\n" * 20, "target_column", "churned"),
        (b"__featrix_row_id,churned\n" + b"900,yes\n1,no\n" * 20, "labels", "900"),
        (b"", None, ""),
    ],
)
def test_labels_that_do_not_fit_leave_nothing_behind(
    refusing: Trained, labels: bytes, field: str | None, words: str
) -> None:
    told = assert_envelope(ask_with_labels(refusing, labels), 422, "invalid_input")
    assert told["field"] == field or field is None
    assert words in told["error"]


def test_the_form_of_labels_says_what_it_lacks(refusing: Trained) -> None:
    http = refusing.server.http
    files = {"file": ("labels.csv", labels_of(30))}
    told = assert_envelope(http.post(WITH_LABELS, files=files), 422, "invalid_input")
    assert told["field"] == "target_column"
    assert_envelope(ask_with_labels(refusing, b"", foundation_model_id="no"), 404, "not_found")
    bad = ask_with_labels(refusing, labels_of(30), class_imbalance="{yes")
    assert assert_envelope(bad, 422, "invalid_input")["field"] == "class_imbalance"
    no_form = http.post(WITH_LABELS, json={})
    assert assert_envelope(no_form, 422, "invalid_input")["field"] == "file"


def test_a_model_in_training_has_no_predictors_yet(server: Server) -> None:
    path = server.create()
    model = Trained(server, path, path.rsplit("/", 1)[-1])
    for answer in (ask(model), ask_with_labels(model, labels_of(30))):
        told = assert_envelope(answer, 422, "invalid_input")
        assert "queued" in told["error"]
        assert "wait_for_training" in told["hint"]
    assert left(model) == (1, 1, 0)


def test_a_failed_training_tells_why_and_leaves_the_model_alone(model: Trained) -> None:
    created = create(model)
    with model.server.context.database.write() as database:
        options = database.get_one(PredictorRow, created["predictor_id"]).options
        options = options | {"target_column": "gone"}  # as if the table had changed
        database.get_one(PredictorRow, created["predictor_id"]).options = options
    model.server.train()
    session, jobs = model.get().json().values()
    assert (session["status"], session["sp_status"]) == ("done", "failed")
    assert session["error"] is None
    assert "gone" in jobs[created["job_id"]]["error"]
    query = {"query_record": {"age": 3}, "predictor_id": created["predictor_id"]}
    answer = model.server.http.post(f"{model.path}/predict", json=query)
    assert "gone" in assert_envelope(answer, 409, "not_ready")["hint"]


# -- labels in a table of their own --------------------------------------------------------


def test_labels_make_a_session_that_outlives_the_one_it_came_from(model: Trained) -> None:
    http, context = model.server.http, model.server.context
    created = ask_with_labels(model, labels_of(120), name="churn").json()
    again = ask_with_labels(model, labels_of(120), name="churn").json()
    assert again["predictor_id"] == created["predictor_id"]
    assert ask_with_labels(model, labels_of(90), name="churn").json() != created
    assert created["problem_type"] == "binary"
    assert created["session_id"] not in (model.session_id, None)
    child = Trained(
        model.server, f"/compute/session/{created['session_id']}", created["session_id"]
    )
    session = child.get().json()["session"]
    assert session["parent_id"] == model.session_id
    assert (session["status"], session["es_status"]) == ("done", "done")
    assert session["dimensions"] == model.get().json()["session"]["dimensions"]

    http.post(f"{model.path}/mark_for_deletion")
    with context.database.write() as database:
        database.get_one(SessionRow, model.session_id).deleted_at = now() - timedelta(days=99)
    collect(context)
    assert not context.store.folder(model.session_id).exists()

    model.server.train()
    model.server.train()
    query = {"query_record": {"plan": "basic"}, "predictor_id": created["predictor_id"]}
    answer = http.post(f"{child.path}/predict", json=query).json()
    assert set(answer["probabilities"]) == {"yes", "no"}
    assert answer["pos_label"] in ("yes", "no")
    assert len(child.get("/projections").json()["projections"]["coords"]) == 200
    identity = child.get("/model_card").json()["model_identification"]
    assert (identity["session_id"], identity["name"]) == (child.session_id, "churn")
    metrics = child.get("/training_metrics").json()
    assert "data" not in metrics
    assert metrics["training_metrics"]["target_column"] == "churned"
    assert len(metrics["loss_history"]) == len(metrics["training_metrics"]["training_info"])


def test_labels_may_come_by_row_or_by_position(model: Trained) -> None:
    rng = random.Random(1)
    words = [rng.choice(["yes", "no"]) for _ in range(200)]
    by_position = "churned\n" + "\n".join(words)
    by_row = "__featrix_row_id,churned\n" + "\n".join(f"{i},{words[i]}" for i in range(60))
    for labels in (by_position, by_row):
        answer = ask_with_labels(model, labels.encode())
        assert answer.status_code == 200, answer.text
        assert answer.json()["problem_type"] == "binary"


# -- control and training on ---------------------------------------------------------------


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
    waiting = model.server.http.post(f"{network['path']}/predict", json=query)
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
    with pytest.raises(queue.ControlError):
        queue.control(model.server.context.database, model.session_id, "pause", created["job_id"])
