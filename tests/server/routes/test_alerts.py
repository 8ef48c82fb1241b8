"""What webhooks are told of predictors in use: batches, failures, and alerts from real traffic."""

from __future__ import annotations

import functools
import json
import random
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from featrix_client import WEBHOOK_EVENTS
from featrix_server.alerts import Pace
from featrix_server.db import (
    AlertRow,
    DeliveryRow,
    FeedbackRow,
    PredictionBlockRow,
    UsageRow,
    open_database,
)
from featrix_server.settings import Settings
from tests.server.receiver import Receiver

from .conftest import KEY, Trained, make_table, running
from .predicting import Asked
from .test_gate import assert_envelope
from .test_webhooks import QUICK

PACE = Pace(check_s=0.05)
NONSENSE = {"shoe_size": 44}


@contextmanager
def watching(asked: Asked, folder: Path, receiver: Receiver, **settings: Any) -> Iterator[Asked]:
    """Serve a copy of the predictors that were never asked; every event is told to the receiver."""
    shutil.copytree(asked.model.server.settings.data_dir, folder)
    given = Settings(data_dir=folder, api_key=KEY, **settings)
    database = open_database(given)
    with database.write() as session:
        for kind in (PredictionBlockRow, UsageRow, FeedbackRow):
            session.execute(delete(kind))
    database.close()
    with running(given, webhook_times=QUICK, alert_pace=PACE) as server:
        copy = Trained(server, asked.model.path, asked.model.session_id)
        body = {"webhooks": dict.fromkeys(WEBHOOK_EVENTS, receiver.url)}
        assert server.http.post(f"{copy.path}/configure_webhooks", json=body).is_success
        yield Asked(copy, asked.made)


@pytest.fixture
def watched(asked: Asked, tmp_path: Path, receiver: Receiver) -> Iterator[Asked]:
    with watching(asked, tmp_path / "data", receiver) as here:
        yield here


def rows(n: int, seed: int = 1, **changed: Any) -> list[dict[str, Any]]:
    """Records like those of the training, but for what is changed."""
    lines = make_table(n, seed).decode().splitlines()
    names = lines[0].split(",")
    return [dict(zip(names, line.split(","), strict=True)) | changed for line in lines[1:]]


def settled(asked: Asked, until: Callable[..., None]) -> None:
    """Wait until what has happened was looked at, and what is told of it was told."""
    time.sleep(6 * PACE.check_s)

    def waiting() -> int:
        with asked.model.server.context.database.read() as database:
            return database.query(DeliveryRow).filter(DeliveryRow.status == "waiting").count()

    until(lambda: not waiting())


def told(receiver: Receiver, event: str) -> list[dict[str, Any]]:
    return [call.payload for call in receiver.told if call.payload["event"] == event]


def test_a_batch_and_its_failures_are_told(
    watched: Asked, receiver: Receiver, until: Callable[..., None]
) -> None:
    answers = watched.table("plan", [*rows(3), NONSENSE, "no record"])
    settled(watched, until)
    (batch,) = told(receiver, "batch_job_completed")
    assert batch["predictor_id"] == watched.made["plan"]["predictor_id"]
    facts = batch["data"]
    assert (facts["records"], facts["succeeded"], facts["errors"]) == (5, 3, 2)
    assert facts["seconds"] > 0
    assert facts["target_column"] == "plan"
    failures = sorted(told(receiver, "prediction_error"), key=lambda one: one["data"]["row"])
    assert [one["data"]["row"] for one in failures] == [3, 4]
    for failure, answer in zip(failures, answers[3:], strict=True):
        assert failure["data"]["prediction_uuid"] == answer["prediction_uuid"]
        assert failure["data"]["error"] == answer["error"]
    made = watched.made["plan"]
    body = json.dumps({"predictor_id": made["predictor_id"], "query_record": {"\ud800": 1}})
    path = f"/compute/session/{made['session_id']}/predict"  # half a surrogate pair is no text
    kind = {"Content-Type": "application/json"}
    answer = watched.model.server.http.post(path, content=body.encode(), headers=kind)
    assert answer.status_code == 422
    settled(watched, until)
    assert len(told(receiver, "prediction_error")) == 3
    assert len(told(receiver, "batch_job_completed")) == 1


def test_many_failures_of_one_batch_are_not_each_told(
    watched: Asked, receiver: Receiver, until: Callable[..., None]
) -> None:
    watched.table("plan", 2500 * [NONSENSE])
    settled(watched, until)
    failures = told(receiver, "prediction_error")
    assert len(failures) == 20
    assert {one["data"]["failed_records"] for one in failures} == {2500}
    (batch,) = told(receiver, "batch_job_completed")
    assert batch["data"]["errors"] == 2500


def test_predictors_with_labels_of_their_own_are_told_of_by_their_model(
    watched: Asked, receiver: Receiver, until: Callable[..., None]
) -> None:
    watched.table("churned", rows(2))
    settled(watched, until)
    (batch,) = told(receiver, "batch_job_completed")
    assert batch["predictor_id"] == watched.made["churned"]["predictor_id"]
    log = watched.model.get("/webhook_deliveries").json()["deliveries"]
    assert [one["id"] for one in log] == [receiver.told[0].headers["X-Featrix-Delivery"]]
    own = {"predictor_id": batch["predictor_id"]}
    assert len(watched.model.get("/webhook_deliveries", **own).json()["deliveries"]) == 1
    path = f"/compute/session/{watched.made['churned']['session_id']}/webhooks"
    shown = watched.model.server.http.get(path, params=own).json()["webhooks"]
    assert set(shown) == set(WEBHOOK_EVENTS)


def test_usual_traffic_raises_no_alert(
    watched: Asked, receiver: Receiver, until: Callable[..., None]
) -> None:
    for target in ("plan", "price", "churned"):
        watched.table(target, rows(400))
    watched.table("plan", 4 * [NONSENSE])
    settled(watched, until)
    assert {call.payload["event"] for call in receiver.told} == {
        "batch_job_completed",
        "prediction_error",
    }


def test_drift_is_told_once_an_hour_and_only_if_there_is_something_new(
    watched: Asked, receiver: Receiver, until: Callable[..., None]
) -> None:
    watched.table("churned", rows(199, age=17))
    settled(watched, until)
    assert told(receiver, "alert_drift") == []  # too few to say
    watched.table("churned", rows(60, age=17))
    until(lambda: told(receiver, "alert_drift"))
    (alert,) = told(receiver, "alert_drift")
    facts = alert["data"]
    assert list(facts["columns"]) == ["age"]
    assert facts["columns"]["age"]["psi"] == facts["max_psi"] > 0.2
    assert facts["predictions"] == 259
    watched.table("churned", rows(60, age=17))
    settled(watched, until)
    assert len(told(receiver, "alert_drift")) == 1
    an_hour_later(watched)
    settled(watched, until)
    assert len(told(receiver, "alert_drift")) == 1
    watched.table("churned", rows(10, age=17))
    until(lambda: len(told(receiver, "alert_drift")) == 2)


def an_hour_later(asked: Asked) -> None:
    with asked.model.server.context.database.write() as database:
        for row in database.query(AlertRow):
            row.raised_at -= timedelta(hours=1)


@pytest.mark.parametrize("target", ["plan", "price"])
def test_answers_that_become_others_are_drift(
    watched: Asked, receiver: Receiver, until: Callable[..., None], target: str
) -> None:
    changed = {"plan": {"price": 24.0}, "price": {"plan": "pro"}}[target]
    watched.table(target, rows(300, **changed))
    until(lambda: told(receiver, "alert_drift"))
    facts = told(receiver, "alert_drift")[0]["data"]
    assert next(iter(changed)) in facts["columns"]
    assert facts["prediction_psi"] > 0.2


def test_errors_are_told_from_more_than_five_in_the_last_hundred(
    watched: Asked, receiver: Receiver, until: Callable[..., None]
) -> None:
    watched.table("plan", [*rows(94), *(5 * [NONSENSE])])  # one short of a hundred
    settled(watched, until)
    watched.table("plan", rows(1))
    settled(watched, until)
    assert told(receiver, "alert_error_rate") == []  # five are not more than five
    watched.post("plan", "predict", query_record=NONSENSE)
    until(lambda: told(receiver, "alert_error_rate"))
    (alert,) = told(receiver, "alert_error_rate")
    assert alert["data"]["errors"] == 6
    assert alert["data"]["error_rate"] == 0.06
    assert "columns" in alert["data"]["last_error"]


def feed_back(asked: Asked, target: str, answers: list[dict[str, Any]], truths: list[Any]) -> None:
    session = asked.made[target]["session_id"]
    for answer, truth in zip(answers, truths, strict=True):
        path = f"/compute/session/{session}/predict/{answer['prediction_uuid']}/feedback"
        sent = asked.model.server.http.post(path, json={"ground_truth": str(truth)})
        assert sent.status_code == 200, sent.text


def test_a_score_that_falls_is_told(
    watched: Asked, receiver: Receiver, until: Callable[..., None]
) -> None:
    answers = watched.table("plan", rows(60))
    right = [one["predicted_class"] for one in answers]
    wrong = ["pro" if one == "basic" else "basic" for one in right]
    feed_back(watched, "plan", answers[:30], wrong[:30])
    settled(watched, until)
    assert told(receiver, "alert_performance_degradation") == []  # too few to say
    feed_back(watched, "plan", answers[30:], right[30:])
    until(lambda: told(receiver, "alert_performance_degradation"))
    facts = told(receiver, "alert_performance_degradation")[0]["data"]
    assert facts["metric"] == "accuracy"
    assert facts["rolling"] <= facts["validation"] - 0.05
    assert 50 <= facts["feedbacks"] <= 60


def test_a_score_that_stays_is_not_told(
    watched: Asked, receiver: Receiver, until: Callable[..., None]
) -> None:
    answers = watched.table("plan", rows(60))
    feed_back(watched, "plan", answers, [one["predicted_class"] for one in answers])
    settled(watched, until)
    assert told(receiver, "alert_performance_degradation") == []


def test_an_error_of_numbers_that_grows_is_told(
    watched: Asked, receiver: Receiver, until: Callable[..., None]
) -> None:
    answers = watched.table("price", rows(60))
    rng = random.Random(0)
    feed_back(watched, "price", answers, [one["prediction"] + rng.gauss(30, 5) for one in answers])
    until(lambda: told(receiver, "alert_performance_degradation"))
    facts = told(receiver, "alert_performance_degradation")[0]["data"]
    assert facts["metric"] == "mae"
    assert facts["rolling"] > 1.2 * facts["validation"]


def test_nobody_is_told_what_was_disabled(
    watched: Asked, receiver: Receiver, until: Callable[..., None]
) -> None:
    made = watched.made["plan"]
    path = f"/compute/session/{made['session_id']}/disable_webhook"
    for event in ("alert_error_rate", "alert_drift", "prediction_error"):
        body = {"event_type": event, "predictor_id": made["predictor_id"]}
        assert watched.model.server.http.post(path, json=body).is_success
    watched.table("plan", [*rows(250, age=17), *(60 * [NONSENSE])])
    settled(watched, until)
    assert receiver.events() == ["batch_job_completed"]


def test_the_quota_of_a_day_is_told_twice_and_then_kept(
    asked: Asked, tmp_path: Path, receiver: Receiver, until: Callable[..., None]
) -> None:
    with watching(asked, tmp_path / "data", receiver, predictions_per_day=200) as watched:
        watched.table("plan", rows(159))
        settled(watched, until)
        assert told(receiver, "alert_quota_threshold") == []
        watched.table("plan", rows(1))
        until(lambda: told(receiver, "alert_quota_threshold"))
        watched.table("plan", rows(39))
        until(lambda: len(told(receiver, "alert_quota_threshold")) == 2)
        an_hour_later(watched)
        refused = watched.post("plan", "predict_table", records=rows(2))
        body = assert_envelope(refused, 429, "quota")
        assert "199 of them are used up" in body["error"]
        assert 0 < int(refused.headers["Retry-After"]) <= 86_400
        watched.predict("plan", rows(1)[0])
        assert_envelope(watched.post("plan", "predict", query_record=rows(1)[0]), 429, "quota")
        watched.predict("price", rows(1)[0])  # which has a quota of its own
        settled(watched, until)
    facts = [one["data"] for one in told(receiver, "alert_quota_threshold")]
    assert [(one["used"], one["threshold"]) for one in facts] == [(160, 0.8), (199, 0.95)]
    assert {one["limit"] for one in facts} == {200}


def test_requests_at_the_same_moment_stay_within_the_quota(asked: Asked, tmp_path: Path) -> None:
    with (
        asked.copy(tmp_path / "data", predictions_per_day=20) as own,
        ThreadPoolExecutor(16) as threads,
    ):
        refused = own.post("plan", "predict_table", records=rows(2), best_metric_preference="luck")
        assert refused.status_code == 422  # costs nothing
        ask = functools.partial(own.post, "plan", "predict_table")
        answers = [*threads.map(lambda _: ask(records=rows(3)), range(16))]
        codes = [one.status_code for one in answers]
        assert sorted(codes) == [200] * 6 + [429] * 10
        assert own.post("plan", "predict_table", records=rows(2)).status_code == 200
        assert own.post("plan", "predict", query_record=rows(1)[0]).status_code == 429


def test_servers_that_share_a_database_share_the_quota(asked: Asked, tmp_path: Path) -> None:
    with (
        asked.copy(tmp_path / "data", predictions_per_day=20) as own,
        running(own.model.server.settings) as second,
    ):
        model = Trained(second, own.model.path, own.model.session_id)
        both = own, Asked(model, own.made)
        for one in both:
            one.table("plan", rows(9))
        for one in both:
            assert_envelope(one.post("plan", "predict_table", records=rows(3)), 429, "quota")
        both[0].table("plan", rows(2))
        for one in both:
            assert one.post("plan", "predict", query_record=rows(1)[0]).status_code == 429
