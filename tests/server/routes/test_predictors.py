"""Making predictors: what the status and the metrics tell, labels of their own."""

from __future__ import annotations

import random
import threading
from datetime import timedelta

from featrix_server.collecting import collect
from featrix_server.db import PredictorRow, SessionRow, now

from .conftest import Trained
from .predicting import ask, ask_with_labels, create, labels_of, left
from .test_gate import assert_envelope

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
    collect(context, timedelta(days=7))
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


def test_a_predictor_with_labels_of_its_own_belongs_to_its_model_too(model: Trained) -> None:
    http = model.server.http
    plain, created = create(model), ask_with_labels(model, labels_of(120), name="churn").json()
    model.server.train()
    model.server.train()
    session, jobs = model.get().json().values()
    assert (session["status"], session["sp_status"]) == ("done", "done")
    assert session["single_predictors"] == [
        f"predictors/{one['predictor_id']}" for one in (plain, created)
    ]
    plan = [one for one in session["job_plan"] if one["job_id"] == created["job_id"]]
    assert plan[0]["spec"]["target_column"] == "churned"
    assert plan[0]["predictor_index"] == 1
    assert jobs[plain["job_id"]]["session_id"] == model.session_id
    assert jobs[created["job_id"]]["session_id"] == created["session_id"]

    # A client that knows the model alone asks there, as the vendor's does.
    query = {"query_record": {"plan": "basic"}, "predictor_id": created["predictor_id"]}
    answer = http.post(f"{model.path}/predict", json=query).json()
    assert answer["session_id"] == created["session_id"]
    assert set(answer["probabilities"]) == {"yes", "no"}
    told = model.get("/training_metrics", predictor_id=created["predictor_id"]).json()
    assert told["training_metrics"]["target_column"] == "churned"
    latest = model.get("/training_metrics").json()["training_metrics"]
    assert latest["predictor_id"] == created["predictor_id"]
    card = model.get("/model_card", predictor_id=created["predictor_id"]).json()
    assert model.get("/model_card").json()["predictors"][created["predictor_id"]] == card
    more = {"target_column": "churned", "epochs": 2}
    asked = http.post(f"{model.path}/train_predictor_more", json=more).json()
    assert (asked["job_id"], asked["session_id"]) == (created["job_id"], created["session_id"])

    http.post(f"/compute/session/{created['session_id']}/mark_for_deletion")
    assert created["job_id"] not in model.get().json()["jobs"]
    assert_envelope(http.post(f"{model.path}/predict", json=query), 404, "not_found")


def test_labels_may_come_by_row_or_by_position(model: Trained) -> None:
    rng = random.Random(1)
    words = [rng.choice(["yes", "no"]) for _ in range(200)]
    by_position = "churned\n" + "\n".join(words)
    by_row = "__featrix_row_id,churned\n" + "\n".join(f"{i},{words[i]}" for i in range(60))
    for labels in (by_position, by_row):
        answer = ask_with_labels(model, labels.encode())
        assert answer.status_code == 200, answer.text
        assert answer.json()["problem_type"] == "binary"
