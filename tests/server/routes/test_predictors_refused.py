"""Predictors that cannot be: what is refused, in which words, and that nothing is left behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import Server, Trained, running_copy
from .predicting import WITH_LABELS, ask, ask_with_labels, labels_of, left
from .test_gate import assert_envelope


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
