"""Saying what was true of predictions, and what comes of it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from .predicting import ROW, Asked
from .test_gate import assert_envelope


@pytest.fixture
def own(asked: Asked, tmp_path: Path) -> Iterator[Asked]:
    """The predictors on a server of its own that remembers few predictions."""
    with asked.copy(tmp_path / "data", keep_predictions=5) as own:
        yield own


def tell(asked: Asked, answer: dict[str, Any], truth: Any, **more: Any) -> httpx.Response:
    path = f"/compute/session/{answer['session_id']}/predict/{answer['prediction_uuid']}/feedback"
    return asked.model.server.http.post(path, json={"ground_truth": truth, **more})


def told(asked: Asked, answer: dict[str, Any], truth: Any, **more: Any) -> dict[str, Any]:
    kept = tell(asked, answer, truth, **more)
    assert kept.status_code == 200, kept.text
    found: dict[str, Any] = kept.json()
    return found


def known(asked: Asked, answer: dict[str, Any]) -> dict[str, Any]:
    path = f"/compute/prediction/{answer['prediction_uuid']}"
    found: dict[str, Any] = asked.model.server.http.get(path).json()
    return found


def rolling(asked: Asked, target: str) -> dict[str, Any]:
    made = asked.made[target]
    metrics = asked.model.server.http.get(
        f"/compute/session/{made['session_id']}/training_metrics",
        params={"predictor_id": made["predictor_id"]},
    ).json()
    found: dict[str, Any] = metrics["training_metrics"]["feedback"]
    return found


def test_the_last_word_counts_and_all_are_kept(asked: Asked) -> None:
    answer = asked.predict("plan", {**ROW, "shoe": 44})
    first = told(asked, answer, "basic", meta={"by": "ann"})
    assert (first["replaced"], first["unseen_label"]) == (False, False)
    assert first["predicted_class"] == answer["predicted_class"]
    assert told(asked, answer, "pro")["replaced"]
    found = known(asked, answer)
    assert found["record"] == {**ROW, "shoe": 44}
    assert found["probabilities"] == answer["probabilities"]
    said = [(one["ground_truth"], one["is_current"], one["meta"]) for one in found["feedback"]]
    assert said == [("pro", True, None), ("basic", False, {"by": "ann"})]
    tell(asked, answer, "pro")  # the request is sent again
    assert known(asked, answer)["feedback"] == found["feedback"]


@pytest.mark.parametrize(
    ("target", "truth", "kept", "unseen"),
    [
        ("plan", " pro ", "pro", False),
        ("plan", "gold", "gold", True),
        ("plan", "<script>alert(1)</script>", "<script>alert(1)</script>", True),
        ("price", "12.5", "12.5", False),
        ("price", 12, "12", False),
        ("price", "cheap", "cheap", True),
        ("churned", "Yes", "Yes", True),
    ],
)
def test_labels_are_read_as_the_predictor_writes_them(
    asked: Asked, target: str, truth: Any, kept: str, unseen: bool
) -> None:
    found = told(asked, asked.predict(target, ROW), truth)
    assert (found["ground_truth"], found["unseen_label"]) == (kept, unseen)


@pytest.mark.parametrize("truth", ["", "  ", None, [], {}, "x" * 20_000])
def test_feedback_that_says_nothing_is_refused(asked: Asked, truth: Any) -> None:
    answer = asked.predict("plan", ROW)
    told = assert_envelope(tell(asked, answer, truth), 422, "invalid_input")
    assert "ground_truth" in told["field"]
    assert known(asked, answer)["feedback"] == []


def test_unknown_predictions_and_those_of_other_sessions_are_not_found(asked: Asked) -> None:
    answer = asked.predict("plan", ROW)
    for wrong in (
        {"prediction_uuid": str(uuid.uuid4())},
        {"prediction_uuid": "nonsense"},
        {"session_id": "none"},
        {"session_id": asked.made["churned"]["session_id"]},
    ):
        assert_envelope(tell(asked, answer | wrong, "pro"), 404, "not_found")
    assert known(asked, answer)["feedback"] == []
    http = asked.model.server.http
    path = f"/compute/prediction/{uuid.uuid4()}"
    assert_envelope(http.get(path), 404, "not_found")
    body = {"user_label": "pro"}
    assert_envelope(http.post(f"{path}/update_label", json=body), 404, "not_found")


def test_feedback_without_a_session(asked: Asked) -> None:
    answer = asked.predict("churned", ROW)
    path = f"/compute/prediction/{answer['prediction_uuid']}/update_label"
    body = {"prediction_id": answer["prediction_uuid"], "user_label": "yes"}
    assert asked.model.server.http.post(path, json=body).json()["ground_truth"] == "yes"
    wrong = asked.model.server.http.post(path, json=body | {"prediction_id": "another"})
    assert assert_envelope(wrong, 422, "invalid_input")["field"] == "prediction_id"


def test_rolling_scores_of_classes(own: Asked) -> None:
    before = rolling(own, "plan")
    assert before == {"total": 0, "unusable": 0, "n": 0, "metrics": {}, "since": None}
    answers = own.table("plan", [{**ROW, "price": price} for price in (8, 8.4, 13, 23, 23.5)])
    for place, answer in enumerate(answers):
        if place == 4:
            right = "basic" if answer["predicted_class"] != "basic" else "pro"
        else:
            right = answer["predicted_class"]
        told(own, answer, right)
    told(own, own.predict("plan", ROW), "gold")
    after = rolling(own, "plan")
    assert (after["total"], after["unusable"], after["n"]) == (6, 1, 5)
    assert after["metrics"]["accuracy"] == pytest.approx(0.8)
    assert 0 <= after["metrics"]["auc"] <= 1
    assert after["since"]


def test_rolling_scores_of_numbers_and_of_two_classes(own: Asked) -> None:
    for error in (1, -3):
        answer = own.predict("price", ROW)
        told(own, answer, str(answer["prediction"] + error))
    told(own, own.predict("price", ROW), "cheap")
    assert rolling(own, "price")["metrics"]["mae"] == pytest.approx(2)
    for price, truth in ((8, "yes"), (23.5, "no")):
        told(own, own.predict("churned", {**ROW, "price": price}), truth)
    found = rolling(own, "churned")
    assert found["n"] == 2
    assert {"accuracy", "auc", "f1"} <= set(found["metrics"])


def test_feedback_outlives_the_log(own: Asked) -> None:
    answer = own.predict("plan", ROW)
    told(own, answer, "pro")
    for _ in range(12):
        own.predict("plan", ROW)
    assert own.log.find(answer["prediction_uuid"]) is None
    assert told(own, answer, "basic")["replaced"]
    assert rolling(own, "plan")["total"] == 1


def test_what_is_known_of_the_truth_of_a_model(own: Asked) -> None:
    made = own.made["churned"]
    path = f"/compute/session/{made['session_id']}/ground_truth_stats"
    before = own.model.server.http.get(path).json()
    for _ in range(4):
        answer = own.predict("churned", ROW)
    told(own, answer, "yes")
    told(own, answer, "no")
    stats = own.model.server.http.get(path).json()
    assert stats["total_predictions"] - before["total_predictions"] == 4
    assert stats["total_corrections"] - before["total_corrections"] == 1
    assert stats["correction_rate"] == stats["total_corrections"] / stats["total_predictions"]
    assert stats["corrections_since_last_training"] == stats["total_corrections"]
    assert stats["last_trained_at"]
    assert not stats["ready_for_retraining"]


def test_feedback_comes_back_as_labels(own: Asked) -> None:
    made = own.made["plan"]["predictor_id"]
    path = f"/compute/predictor/{made}/feedback"
    before = own.model.server.http.get(path).json()["total"]
    for truth in ("pro", "gold"):
        told(own, own.predict("plan", {**ROW, "shoe": 44}), truth)
    found = own.model.server.http.get(path, params={"limit": 2}).json()
    assert (found["target_column"], found["total"]) == ("plan", before + 2)
    assert [row["ground_truth"] for row in found["rows"]] == ["gold", "pro"]
    assert [row["unseen_label"] for row in found["rows"]] == [True, False]
    assert found["rows"][0]["record"] == {name: ROW[name] for name in ("age", "price", "note")}
    page = own.model.server.http.get(path, params={"limit": 1, "offset": 1}).json()
    assert page["rows"] == found["rows"][1:]
    unknown = own.model.server.http.get("/compute/predictor/none/feedback")
    assert_envelope(unknown, 404, "not_found")


def test_two_at_once_leave_one_in_force(asked: Asked) -> None:
    answer = asked.predict("plan", ROW)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: told(asked, answer, "pro", meta={"by": n}), range(16)))
    said = known(asked, answer)["feedback"]
    assert len(said) == 16
    assert [one["is_current"] for one in said] == [True] + [False] * 15


def test_text_that_is_none_harms_nothing(asked: Asked) -> None:
    answer = asked.predict("plan", ROW)
    path = f"/compute/session/{answer['session_id']}/predict/{answer['prediction_uuid']}/feedback"
    headers = {"Content-Type": "application/json"}
    half = asked.model.server.http.post(
        path, content='{"ground_truth": "pro", "meta": {"a": "\\ud800"}}', headers=headers
    )
    assert half.json()["meta"] == {"a": "?"}
    odd = asked.model.server.http.post(path, content='{"ground_truth": "\\ud800"}', headers=headers)
    assert_envelope(odd, 422, "invalid_input")
    body = '{"predictor_id": "%s", "query_record": {"price": 9, "\\ud800": 1}}'
    named = asked.model.server.http.post(
        f"{asked.model.path}/predict", content=body % answer["predictor_id"], headers=headers
    )
    assert named.json()["ignored_query_columns"] == ["?"]
