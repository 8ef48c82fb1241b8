"""Asking predictors: one record, many, why, how well; the same answers after a restart."""

from __future__ import annotations

from typing import Any

import pytest

from featrix_server.settings import Settings

from .conftest import KEY, running
from .predicting import ROW, Asked
from .test_gate import assert_envelope

FIELDS = {
    "prediction_uuid", "prediction", "predicted_class", "probabilities", "probability",
    "confidence", "threshold", "pos_label", "guardrails", "ignored_query_columns",
    "available_query_columns", "interval_low", "interval_high", "sigma", "coverage_level", "error",
    "target_column", "predictor_id", "session_id", "model_type", "model_version",
    "checkpoint_info",
}  # fmt: skip


def without_uuid(answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**answer, "prediction_uuid": None} for answer in answers]


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    for name in ("probabilities", "probability", "confidence", "interval_low", "sigma"):
        assert one[name] == pytest.approx(other[name])  # 1e-6; None stands for itself
    if isinstance(other["prediction"], float):
        assert one["prediction"] == pytest.approx(other["prediction"])
    else:
        assert one["predicted_class"] == other["predicted_class"]


def test_an_answer_of_several_classes(asked: Asked) -> None:
    answer = asked.predict("plan", {**ROW, "shoe_size": 44})
    assert set(answer) == FIELDS
    assert set(answer["probabilities"]) == {"basic", "plus", "pro"}
    assert sum(answer["probabilities"].values()) == pytest.approx(1)
    assert answer["predicted_class"] == answer["prediction"] == "pro"
    assert answer["probability"] == answer["probabilities"]["pro"]
    assert answer["confidence"] == pytest.approx((answer["probability"] - 1 / 3) / (2 / 3))
    assert answer["threshold"] is answer["pos_label"] is answer["sigma"] is None
    assert answer["ignored_query_columns"] == ["plan", "shoe_size"]  # the target is no help
    assert answer["available_query_columns"] == ["age", "price", "note"]
    assert answer["target_column"] == "plan"
    assert answer["checkpoint_info"]["metric_type"] == "roc_auc"
    assert 0 < answer["checkpoint_info"]["metric_value"] <= 1


def test_an_answer_of_two_classes(asked: Asked) -> None:
    answer = asked.predict("churned", ROW)
    p, t = answer["probabilities"][answer["pos_label"]], answer["threshold"]
    assert (answer["predicted_class"] == answer["pos_label"]) == (p >= t)
    assert answer["probability"] == answer["probabilities"][answer["predicted_class"]]
    expected = (p - t) / (1 - t) if p >= t else (t - p) / t
    assert answer["confidence"] == pytest.approx(expected)
    assert t == pytest.approx(1 / 6, abs=0.1)  # missing a churner costs five times as much


def test_an_answer_in_numbers(asked: Asked) -> None:
    answer = asked.predict("price", ROW)
    assert isinstance(answer["prediction"], float)
    assert answer["interval_low"] < answer["prediction"] < answer["interval_high"]
    assert answer["coverage_level"] == 0.9
    assert answer["sigma"] > 0
    assert answer["probabilities"] == {}
    assert answer["probability"] is answer["threshold"] is None
    assert 0 <= answer["confidence"] <= 1


def test_unusual_values_are_told(asked: Asked) -> None:
    answer = asked.predict("plan", {**ROW, "age": 900, "note": "never seen"})
    assert answer["guardrails"]["age"].startswith("severe:")
    assert answer["guardrails"]["note"].startswith("unseen_category:")
    assert asked.predict("plan", {**ROW, "age": None, "note": None})["guardrails"] == {}


@pytest.mark.parametrize("target", ["plan", "price", "churned"])
def test_many_records_are_answered_as_one_by_one_and_in_order(asked: Asked, target: str) -> None:
    records = [{**ROW, "age": age, "price": age / 3} for age in range(18, 58)]
    answers = asked.table(target, records)
    assert len({answer["prediction_uuid"] for answer in answers}) == len(records)
    for record, answer in zip(records[::13], answers[::13], strict=True):
        assert_same(asked.predict(target, record), answer)
    for again, answer in zip(asked.table(target, records[::-1])[::-1], answers, strict=True):
        assert_same(again, answer)


def test_a_bad_row_does_not_sink_the_batch(asked: Asked) -> None:
    answers = asked.table("plan", [ROW, "text", {}, {"shoe": 1}, None, {"age": "old"}, ROW])
    assert [answer["error"] is None for answer in answers] == [1, 0, 0, 0, 0, 1, 1]
    assert "not str" in answers[1]["error"]
    assert "age, price, note" in answers[3]["error"]
    assert answers[3]["ignored_query_columns"] == ["shoe"]
    for answer in answers:
        assert answer["available_query_columns"] == ["age", "price", "note"]
    assert answers[1]["prediction"] is None
    assert set(answers[1]) == FIELDS
    assert answers[5]["guardrails"]["age"].startswith("unparseable:")
    assert answers[0]["probabilities"] == pytest.approx(answers[-1]["probabilities"])
    assert asked.table("plan", []) == []


def test_a_record_that_cannot_be_answered_is_refused(asked: Asked) -> None:
    for record in ({}, {"shoe": 1}, {"plan": "pro"}):
        told = assert_envelope(
            asked.post("plan", "predict", query_record=record), 422, "invalid_input"
        )
        assert told["field"] == "query_record"
        assert "age, price, note" in told["error"]
    text = asked.post("plan", "predict", query_record="text")
    assert assert_envelope(text, 422, "invalid_input")["field"] == "query_record"


def test_a_preference_chooses_the_checkpoint(asked: Asked) -> None:
    for preference in ("roc_auc", "pr_auc"):
        answer = asked.predict("churned", ROW, best_metric_preference=preference)
        assert answer["checkpoint_info"]["metric_type"] == preference
    for target, preference in (("churned", "accuracy"), ("price", "roc_auc")):
        wish = {"query_record": ROW, "best_metric_preference": preference}
        told = assert_envelope(asked.post(target, "predict", **wish), 422, "invalid_input")
        assert told["field"] == "best_metric_preference"


def test_importance_is_shared_out_among_the_columns(asked: Asked) -> None:
    record = {"age": 30, "price": 23.5}
    found = asked.predict("plan", record, feature_importance=True)["feature_importance"]
    assert set(found) == {"age", "price", "note"}
    assert sum(found.values()) == pytest.approx(1)
    assert found["price"] > found["age"]
    assert found["note"] == 0
    assert "feature_importance" not in asked.predict("plan", record)


def test_an_answer_is_explained_column_by_column(asked: Asked) -> None:
    record = {"age": 30, "price": 23.5}
    told = asked.post("plan", "explain", query_record=record).json()
    assert set(told["attributions"]) == {"age", "price"}
    assert told["predicted_class"] == told["explained_class"] == "pro"
    assert told["attributions"]["price"] > 0
    assert told["value"] > told["base_value"]
    for other in ("basic", 0):
        told = asked.post("plan", "explain", query_record=record, class_idx=other).json()
        assert told["explained_class"] in ("basic", "plus", "pro")
    for wrong in ("gold", 3):
        bad = asked.post("plan", "explain", query_record=record, class_idx=wrong)
        assert assert_envelope(bad, 422, "invalid_input")["field"] == "class_idx"
    assert_envelope(asked.post("plan", "explain", query_record={}), 422, "invalid_input")
    numbers = asked.post("price", "explain", query_record=ROW).json()
    assert numbers["predicted_class"] is None
    assert numbers["unit"].startswith("standard deviations")


def test_a_predictor_is_evaluated_on_known_rows(asked: Asked) -> None:
    records = [{"age": 30, "price": price} for price in (8.5, 13.5, 23.5, 8.1, 23.3)]
    labels = ["basic", "plus", "pro", None, "gold"]
    told = asked.post("plan", "evaluate", records=records, labels=labels).json()
    assert (told["n_rows"], told["n_left_out"]) == (3, 2)
    assert 0 <= told["metrics"]["accuracy"] <= 1
    assert {"roc_auc", "pr_auc", "f1", "log_loss", "ece"} <= set(told["metrics"])
    numbers = asked.post("price", "evaluate", records=records, labels=[8, 13, "23", "x", None])
    assert numbers.json()["n_rows"] == 3
    assert {"r2", "rmse", "mae"} <= set(numbers.json()["metrics"])
    nothing = asked.post("plan", "evaluate", records=[], labels=[]).json()
    assert nothing == {"metrics": {}, "n_rows": 0, "n_left_out": 0}
    uneven = asked.post("plan", "evaluate", records=records, labels=[1])
    assert assert_envelope(uneven, 422, "invalid_input")["field"] == "labels"


def test_unknown_predictors_and_models_are_told_apart(asked: Asked) -> None:
    http, model = asked.model.server.http, asked.model
    for predictor_id in ("none", "../plan"):
        query = {"query_record": ROW, "predictor_id": predictor_id}
        told = assert_envelope(http.post(f"{model.path}/predict", json=query), 404, "not_found")
        assert told["field"] == "predictor_id"
    parents = asked.made["plan"]["predictor_id"]  # not of the session made for the labels
    path = f"/compute/session/{asked.made['churned']['session_id']}/predict"
    told = assert_envelope(
        http.post(path, json={"query_record": ROW, "predictor_id": parents}), 404, "not_found"
    )
    assert told["field"] == "predictor_id"
    query = {"query_record": ROW, "predictor_id": asked.made["plan"]["predictor_id"]}
    nowhere = http.post("/compute/session/none/predict", json=query)
    assert assert_envelope(nowhere, 404, "not_found")["field"] == "session_id"


def test_answers_are_the_same_after_a_restart_and_with_one_model_in_memory(asked: Asked) -> None:
    records = [{**ROW, "age": age} for age in range(20, 40)]
    before = {target: without_uuid(asked.table(target, records)) for target in asked.made}
    settings = Settings(
        data_dir=asked.model.server.settings.data_dir, api_key=KEY, encode_cache_models=1
    )
    with running(settings) as server:
        for target, made in [*asked.made.items()] * 2:
            body = {"records": records, "predictor_id": made["predictor_id"]}
            path = f"/compute/session/{made['session_id']}/predict_table"
            answers = server.http.post(path, json=body).json()["predictions"]
            assert without_uuid(answers) == before[target]
