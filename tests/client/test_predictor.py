"""Predictors: creating, finding and following them, over HTTP."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pandas as pd
import pytest
import requests

from featrix_client import (
    FeatrixInputError,
    FeatrixTimeoutError,
    FeatrixTrainingError,
    FeatrixWarning,
)
from tests.client.predicting import STREAM
from tests.client.scripted import Answer


def sse(seq: int, kind: str, **data: object) -> bytes:
    return f"id: {seq}\nevent: {kind}\ndata: {json.dumps(data)}\n\n".encode()


# ---------------------------------------------------------------------- creating


def test_a_binary_classifier_is_created_with_every_option(model, fm):
    predictor = fm.create_binary_classifier(
        target_column="churned",
        name="churn",
        rare_label_value=np.int64(1),
        epochs=5,
        cost_false_positive=1,
        cost_false_negative=20.5,
        class_imbalance={True: 0.02, 0.0: 0.98},
    )
    assert model.bodies == [
        (
            "train_predictor",
            {
                "target_column": "churned",
                "target_column_type": "set",
                "epochs": 5,
                "name": "churn",
                "problem_type": "binary",
                "rare_label_value": "1",
                "cost_false_positive": 1.0,
                "cost_false_negative": 20.5,
                "class_imbalance": {"true": 0.02, "0": 0.98},
            },
        )
    ]
    assert (predictor.session_id, predictor.name) == ("m-1", "churn")
    assert (predictor.target_column, predictor.target_type) == ("churned", "set")


def test_only_what_was_given_is_sent(model, fm):
    multi = fm.create_multi_classifier("churned")
    regressor = fm.create_regressor("spend")
    assert [body for _, body in model.bodies] == [
        {"target_column": "churned", "target_column_type": "set", "epochs": 0},
        {"target_column": "spend", "target_column_type": "scalar", "epochs": 0},
    ]
    assert (multi.target_type, regressor.target_type) == ("set", "numeric")
    assert multi.name == "churned"


def test_what_the_server_finds_odd_is_a_warning(model, fm):
    model.add("p1")
    model.create = lambda body: Answer({"predictor_id": "p1", "warnings": ["only 50 labels"]})
    with pytest.warns(FeatrixWarning, match="only 50 labels") as caught:
        fm.create_regressor("spend")
    assert caught[0].filename == __file__


def test_a_predictor_that_is_named_later_is_waited_for(model, fm, monkeypatch):
    model.add("p1")

    def create(body):
        asked = iter(range(2))
        status = model.status

        def later():
            if next(asked, None) is None and "job-p2" not in model.jobs:
                model.add("p2", status="queued")
            return status()

        model.status = later
        return Answer({"queued": True, "queue_position": 3})

    model.create = create
    predictor = fm.create_binary_classifier("churned")
    assert (predictor.id, predictor.status) == ("p2", "training")
    monkeypatch.setattr("featrix_client.predictor_creation._NAMING_LIMIT_S", 0.1)
    with pytest.raises(FeatrixTimeoutError, match=r"into a queue(.|\n)*list_predictors"):
        fm.create_binary_classifier("spent")


def test_labels_travel_as_a_file(model, fm, tmp_path):
    path = tmp_path / "labels.csv.gz"
    path.write_bytes(gzip.compress(b"churned\nyes\n"))
    sent = []
    model.create = lambda body: (
        sent.append(body["labels"]) or Answer({"predictor_id": "p1", "session_id": "m-1"})
    )
    model.add("p1")
    fm.create_binary_classifier("churned", labels_file=path, class_imbalance={"a": 1, "b": 3})
    assert path.read_bytes() in sent[0]
    for part in (
        b'filename="labels.csv.gz"',
        b'name="epochs"\r\n\r\n0\r\n',
        b'{"a": 1.0, "b": 3.0}',
    ):
        assert part in sent[0]
    assert b'name="foundation_model_id"\r\n\r\nm-1\r\n' in sent[0]
    fm.create_multi_classifier("churned", labels_df=pd.DataFrame({"churned": ["yes", "no"]}))
    assert b'filename="labels.parquet"' in sent[1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"target_column": ""}, "target_column must be a text"),
        ({"target_column": ["a"]}, "target_column must be a text"),
        ({"name": 5}, "name must be a text"),
        ({"epochs": -1}, "epochs must be a whole number"),
        ({"epochs": 2.5}, "epochs must be a whole number"),
        ({"epochs": True}, "epochs must be a whole number"),
        ({"cost_false_positive": 0}, "cost_false_positive must be a finite number above 0"),
        ({"cost_false_negative": -2}, "cost_false_negative must be a finite number above 0"),
        ({"cost_false_negative": float("inf")}, "finite number above 0, not inf"),
        ({"cost_false_positive": "5"}, "finite number above 0, not '5'"),
        ({"class_imbalance": {}}, "class_imbalance must be a dict"),
        ({"class_imbalance": [0.1, 0.9]}, "class_imbalance must be a dict"),
        ({"class_imbalance": {"yes": 0, "no": 1}}, "share of class 'yes' must be"),
        ({"class_imbalance": {"yes": float("nan")}}, "share of class 'yes' must be"),
        ({"labels_file": "nowhere.csv"}, "There is no file"),
        ({"labels_file": pd.DataFrame()}, "labels_file must be a path(.|\n)*labels_df="),
        ({"labels_file": "a.csv", "labels_df": pd.DataFrame()}, "both given"),
        ({"labels_df": pd.DataFrame()}, "0 rows and 0 columns"),
        ({"labels_df": "a.csv"}, "must be a pandas DataFrame"),
    ],
)
def test_bad_wishes_are_refused_before_anything_is_sent(model, fm, arguments, says):
    with pytest.raises(ValueError, match=says) as caught:
        fm.create_binary_classifier(**{"target_column": "churned"} | arguments)
    assert isinstance(caught.value, FeatrixInputError)
    assert model.bodies == []


def test_a_model_that_trains_has_no_predictors_yet(model, fm):
    model.fm_status = "running"
    fm.refresh()
    with pytest.raises(ValueError, match=r"not trained yet(.|\n)*fm.wait_for_training\(\)"):
        fm.create_regressor("spend")
    model.fm_status = "failed"
    with pytest.raises(ValueError, match=r"failed(.|\n)*create_foundational_model"):
        fm.create_regressor("spend")
    assert model.bodies == []
    model.fm_status = "done"  # seen without a refresh of one's own
    assert fm.create_regressor("spend").status == "done"


def test_what_the_server_finds_wrong_is_a_value_error(model, fm):
    refusal = {"error": "The table has no column 'churn'.", "code": "invalid_input"}
    model.failure = Answer(refusal | {"hint": "Did you mean 'churned'?"}, 422)
    with pytest.raises(ValueError, match=r"no column 'churn'(.|\n)*Did you mean"):
        fm.create_binary_classifier("churn")
    assert fm.list_predictors() == []


# ----------------------------------------------------------------------- finding


def test_predictors_are_listed_and_found(model, fm):
    model.add("p1", name="first")
    model.add("p2", status="running", target_column="spend", target_column_type="scalar")
    first, second = fm.list_predictors()
    assert (first.id, first.name, first.status) == ("p1", "first", "done")
    assert (first.accuracy, first.auc, first.f1) == (0.8, 0.9, 0.7)
    assert (second.id, second.name, second.status) == ("p2", "spend", "training")
    assert (second.accuracy, second.target_type) == (None, "numeric")
    assert repr(model.featrix.predictor("p1", "m-1")) == repr(first)
    for fact in ("p1", "churned", "set", "done", "accuracy=0.8", "auc=0.9", "f1=0.7"):
        assert fact in repr(first)


def test_a_predictor_that_stands_only_in_the_plan(model, fm):
    model.plan = [
        {
            "job_type": "train_single_predictor",
            "job_id": "gone",
            "predictor_id": "p9",
            "status": "completed",
            "spec": {"target_column": "churned", "target_column_type": "set"},
        }
    ]
    model.metrics = {
        "training_metrics": {
            "target_column": "churned",
            "final_metrics": {"accuracy": 0.75, "roc_auc": 0.85, "f1": 0.5},
        }
    }
    (predictor,) = fm.list_predictors()
    assert (predictor.id, predictor.status) == ("p9", "done")
    assert (predictor.accuracy, predictor.auc, predictor.f1) == (0.75, 0.85, 0.5)


def test_an_unknown_predictor_is_a_404(model):
    model.add("p1")
    with pytest.raises(
        requests.HTTPError, match=r"no predictor 'p7'(.|\n)*p1 \(churned\)"
    ) as caught:
        model.featrix.predictor("p7", "m-1")
    assert caught.value.status == caught.value.response.status_code == 404
    with pytest.raises(requests.HTTPError) as caught:
        model.featrix.predictor("p1", "m-2")
    assert caught.value.status == 404
    with pytest.raises(ValueError, match="not the id of a model"):
        model.featrix.predictor("p1", "../m-1")


# --------------------------------------------------------------------- following


def test_waiting_shows_the_predictor_and_not_its_neighbours(model, predictor, capsys):
    model.add("p1", status="running", started_at="x")
    done = [
        sse(1, "epoch", job_id="j0", epoch=900, total_epochs=900, loss=9.0),
        sse(2, "status", job_id="j0", status="done"),
        sse(3, "epoch", job_id="job-p1", epoch=7, total_epochs=20, loss=0.5, roc_auc=0.8),
        sse(4, "status", job_id="job-p1", status="done"),
        sse(5, "done", job_id="job-p1"),
    ]

    class Stream:
        """Ends the training when the stream is read."""

        def pop(self, _):
            model.add("p1")
            return Answer(headers=STREAM, chunks=tuple(done))

    model.streams = Stream()
    assert predictor.wait_for_training() is predictor
    assert (predictor.status, predictor.accuracy) == ("done", 0.8)
    shown = capsys.readouterr().err
    assert "Training churned" in shown
    assert "7/20" in shown
    assert "900" not in shown


def test_events_are_its_own_and_end_with_it(model, predictor):
    chunks = (
        sse(1, "epoch", job_id="j0", epoch=1),
        sse(4, "epoch", job_id="job-p1", epoch=1),
        sse(5, "epoch", job_id="job-p2", epoch=1),
        sse(6, "status", job_id="job-p1", status="done"),
        sse(7, "done", job_id="job-p1"),
        sse(8, "epoch", job_id="job-p2", epoch=2),
    )
    model.add("p2", status="running")
    model.streams = [
        Answer(headers=STREAM, chunks=chunks),
        Answer(headers=STREAM, chunks=chunks[5:]),
    ]
    told = [(event.seq, event.kind) for event in predictor.events()]
    assert told == [(4, "epoch"), (6, "status"), (7, "done")]


def test_a_server_without_a_stream_is_polled(model, predictor):
    row = {"epoch_idx": 0, "loss": 0.7, "hyperparameters": {"learning_rate": 0.1}}
    model.metrics = {
        "training_metrics": {
            "target_column": "churned",
            "training_info": [row | {"metrics": {"roc_auc": 0.8}}, {"loss": 1.0}],
            "final_metrics": {"accuracy": 0.8},
        }
    }
    told = list(predictor.events(after=10))
    assert [(event.seq, event.kind) for event in told] == [
        (11, "epoch"),
        (12, "status"),
        (13, "done"),
    ]
    assert told[0].data["epoch"] == 1
    assert told[0].data["roc_auc"] == 0.8
    assert predictor.get_metrics() == model.metrics["training_metrics"]
    assert ("training_metrics", "predictor_id=p1") in model.bodies
    data = predictor.get_training_metrics()["data"]
    assert (data["epochs"], data["train_loss"], data["learning_rate"]) == ([1], [0.7], [0.1])


def test_failures_and_time_limits_name_the_predictor(model, predictor):
    model.add("p1", status="running", current_epoch=3, total_epochs=10)
    with pytest.raises(FeatrixTimeoutError, match=r"epoch 3 of 10(.|\n)*predictor.stop\(\)"):
        predictor.wait_for_training(max_wait_time=0.1, poll_interval=0.05, show_progress=False)
    model.add("p1", status="failed", error="out of disk")
    with pytest.raises(FeatrixTrainingError, match=r"out of disk(.|\n)*predictor.refresh"):
        predictor.wait_for_training()
    assert predictor.status == "error"
    model.add("p1", status="cancelled")
    with pytest.raises(RuntimeError, match="cancelled"):
        predictor.wait_for_training()


def test_steering_names_the_job(model, predictor):
    assert predictor.pause()["requested"] == "pause"
    predictor.resume()
    predictor.stop()
    assert model.bodies == [
        ("control", {"action": action, "job_id": "job-p1"})
        for action in ("pause", "resume", "stop")
    ]


def test_train_more(model, predictor):
    assert predictor.train_more(20) is predictor
    assert predictor.status == "training"
    wish = {"epochs": 20, "target_column": "churned", "predictor_id": "p1"}
    assert model.bodies == [("train_predictor_more", wish)]
    for bad in (0, -3, 1.5, True, "many"):
        with pytest.raises(ValueError, match="epochs must be a whole number of at least 1"):
            predictor.train_more(bad)
