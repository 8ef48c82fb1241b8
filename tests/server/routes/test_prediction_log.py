"""The log of predictions: everything that was answered is in it, once, whatever was asked."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from featrix_server.db import open_database
from featrix_server.prediction_log import LoggedPrediction, PredictionLog
from featrix_server.settings import Settings
from tests.server.conftest import Host

from .predicting import ROW, Asked
from .test_gate import assert_envelope

METADATA = "X-Featrix-Customer-Metadata"


def logged(asked: Asked, answer: dict[str, Any]) -> LoggedPrediction:
    found = asked.log.find(answer["prediction_uuid"])
    assert found is not None
    return found


@pytest.fixture
def small_log(asked: Asked, tmp_path: Path) -> Iterator[Asked]:
    """The same predictors on a server that keeps twenty predictions."""
    with asked.copy(tmp_path / "data", keep_predictions=20) as small:
        yield small


def test_answers_are_in_the_log_as_they_were_given(asked: Asked) -> None:
    for target in asked.made:
        answer = asked.predict(target, {**ROW, "shoe": 44})
        found = logged(asked, answer)
        assert found.record == {**ROW, "shoe": 44}
        for name in ("prediction", "predicted_class", "probabilities", "confidence", "error"):
            assert getattr(found, name) == answer[name]
        assert found.predictor_id == answer["predictor_id"]
        assert (found.endpoint_id, found.customer_metadata) == (None, None)
        assert found.latency_ms > 0
        assert asked.log.recent(found.predictor_id, 1) == [found]


def test_a_batch_is_in_the_log_record_by_record(asked: Asked) -> None:
    records: list[Any] = [{**ROW, "price": price / 100} for price in range(2300)]
    records[7], records[1500] = "text", {"shoe": 1}
    before = asked.log.usage([asked.made["plan"]["predictor_id"]])
    answers = asked.table("plan", records)
    uuids = [answer["prediction_uuid"] for answer in answers]
    assert len(set(uuids)) == 2300
    assert {uuid.UUID(one).version for one in uuids} == {4}
    recent = asked.log.recent(answers[0]["predictor_id"], 2300)[::-1]
    assert [one.uuid for one in recent] == uuids
    assert [one.record for one in recent] == records
    assert [one.error for one in recent] == [answer["error"] for answer in answers]
    for place in (0, 7, 999, 1000, 2299):
        assert logged(asked, answers[place]) == recent[place]
    after = asked.log.usage([answers[0]["predictor_id"]])
    assert (after.calls - before.calls, after.errors - before.errors) == (1, 2)
    assert after.predictions - before.predictions == 2300


def test_a_record_that_was_refused_is_in_the_log_as_an_error(asked: Asked) -> None:
    assert asked.post("plan", "predict", query_record={"shoe": 1}).status_code == 422
    (found,) = asked.log.recent(asked.made["plan"]["predictor_id"], 1)
    assert found.record == {"shoe": 1}
    assert "age, price, note" in (found.error or "")
    assert found.prediction is None


def test_questions_that_are_no_predictions_are_not_in_the_log(asked: Asked) -> None:
    made = [asked.made["plan"]["predictor_id"]]
    before = asked.log.usage(made)
    asked.post("plan", "explain", query_record=ROW)
    asked.post("plan", "evaluate", records=[ROW], labels=["pro"])
    asked.post("plan", "predict", query_record="text")
    asked.post("price", "predict", query_record=ROW, best_metric_preference="roc_auc")
    asked.table("plan", [])
    assert asked.log.usage(made) == before


def test_unknown_predictions(asked: Asked) -> None:
    known = asked.predict("plan", ROW)["prediction_uuid"]
    last = f"{(int(known[-12:], 16) + 1):012x}"
    for other in (str(uuid.uuid4()), known[:-12] + last, known.upper() + "0", "", "../x", "-" * 36):
        assert asked.log.find(other) is None
    assert asked.log.recent("nobody", 5) == []


def test_what_callers_send_along_is_kept_and_never_seen_by_the_model(asked: Asked) -> None:
    path = f"{asked.model.path}/predict"
    made = asked.made["plan"]["predictor_id"]
    plain = asked.predict("plan", ROW)
    for sent, kept in (
        ('{"plan": "basic", "age": 20}', {"plan": "basic", "age": 20}),
        ('{"who": "Zoë"}'.encode(), {"who": "Zoë"}),
        ("", None),
        (json.dumps({"a": "x" * 16_000}), {"a": "x" * 16_000}),
    ):
        answer = asked.model.server.http.post(
            path, json={"query_record": ROW, "predictor_id": made}, headers={METADATA: sent}
        ).json()
        assert answer["probabilities"] == plain["probabilities"]
        assert logged(asked, answer).customer_metadata == kept
    for wrong in (json.dumps({"a": "x" * 17_000}), "[1]", "{", "1", "[" * 10_000):
        bad = asked.model.server.http.post(
            path, json={"query_record": ROW, "predictor_id": made}, headers={METADATA: wrong}
        )
        assert assert_envelope(bad, 422, "invalid_input")["field"] == METADATA


@pytest.mark.parametrize(
    "value",
    ["NaN", "-Infinity", "1e999", "1" + "0" * 400, '"\\ud800"', '"\\u0000"', '""', "[[1],{}]",
     "[" * 500 + "]" * 500, "[" * 100_000 + "]" * 100_000, "1" * 5000, '"' + "x" * 300_000 + '"',
     '{"' + "k" * 300_000 + '": {"a": [1]}}'],
    ids=lambda value: value[:12] + str(len(value)),
)  # fmt: skip
def test_no_value_breaks_a_prediction_or_the_log(asked: Asked, value: str) -> None:
    made = asked.made["plan"]["predictor_id"]
    for field in ("note", "age", "unknown"):
        record = f'{{"price": 20, "{field}": {value}}}'
        body = f'{{"predictor_id": "{made}", "query_record": {record}}}'
        answer = asked.model.server.http.post(
            f"{asked.model.path}/predict",
            content=body,
            headers={"Content-Type": "application/json"},
        )
        if len(value) == 200_000 or value[0] == value[-1] == "1":  # deeper than JSON may be read
            assert_envelope(answer, 400, "bad_request")
            continue
        assert answer.status_code == 200, answer.text
        assert logged(asked, answer.json()).record["price"] == 20
        (last,) = asked.log.recent(made, 1)
        assert len(json.dumps(last.record)) < 70_000


def test_only_the_newest_predictions_are_kept(small_log: Asked) -> None:
    old = small_log.predict("plan", ROW)
    answers = small_log.table("plan", [ROW] * 25)
    made = old["predictor_id"]
    for _ in range(40):
        small_log.predict("plan", ROW)
    assert small_log.log.find(old["prediction_uuid"]) is None
    assert small_log.log.find(answers[0]["prediction_uuid"]) is None
    kept = small_log.log.recent(made, 1000)
    assert 20 <= len(kept) <= 40
    assert small_log.log.usage([made]).predictions == 66


def test_many_clients_at_once_lose_and_double_nothing(asked: Asked) -> None:
    made = asked.made["plan"]["predictor_id"]
    before = asked.log.usage([made])

    def work(number: int) -> list[dict[str, Any]]:
        if number % 10 == 0:
            return asked.table("plan", [{**ROW, "age": number}] * 30)
        return [asked.predict("plan", {**ROW, "age": number})]

    with ThreadPoolExecutor(16) as threads:
        answers = [answer for some in threads.map(work, range(200)) for answer in some]
    after = asked.log.usage([made])
    assert (after.calls - before.calls, after.errors) == (200, before.errors)
    assert after.predictions - before.predictions == len(answers) == 180 + 20 * 30
    found = asked.log.recent(made, len(answers))
    assert {one.uuid for one in found} == {answer["prediction_uuid"] for answer in answers}


def test_no_acknowledged_prediction_is_lost_when_the_server_is_killed(
    asked: Asked, host: Host
) -> None:
    data = asked.model.server.settings.data_dir
    shutil.copytree(data, host.data_dir, dirs_exist_ok=True, ignore=lambda *_: ["compile-cache"])
    record = host.start()
    database = open_database(Settings(data_dir=host.data_dir))
    log = PredictionLog(database, 1000)
    before = log.usage([asked.made["plan"]["predictor_id"]]).calls
    acknowledged: list[str] = []
    made = asked.made["plan"]["predictor_id"]

    def work(_: int) -> None:
        with host.api(record) as http:
            http.timeout = httpx.Timeout(120)  # the first one loads and compiles the predictor
            body = {"predictor_id": made, "query_record": ROW}
            while True:
                try:
                    answer = http.post(f"{asked.model.path}/predict", json=body)
                except (httpx.NetworkError, httpx.RemoteProtocolError):  # it was killed
                    return
                acknowledged.append(answer.json()["prediction_uuid"])
                if len(acknowledged) == 60:
                    (server,) = [one for one in host.processes() if one.pid == record.pid]
                    server.kill()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    assert len(acknowledged) >= 60
    new = log.usage([made]).calls - before
    kept = {one.uuid for one in log.recent(made, new)}
    database.close()
    assert set(acknowledged) <= kept
    assert len(kept) == new <= len(acknowledged) + 8
