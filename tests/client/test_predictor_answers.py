"""What predictors answer: single records, batches, CSV files, importance, feedback."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest
import requests

from featrix_client import BatchResults, PredictionResult
from featrix_client.predictor_answers import BATCH_ROWS
from tests.client.predicting import COLUMNS, probability
from tests.client.scripted import Answer

# -------------------------------------------------------------------- predicting


def test_one_prediction(model, predictor):
    result = predictor.predict({"age": np.float64(70), "plan": None, "shoe": 44})
    assert model.bodies[-1] == (
        "predict",
        {"query_record": {"age": 70.0, "plan": None, "shoe": 44}, "predictor_id": "p1"},
    )
    assert isinstance(result, PredictionResult)
    assert (result.predicted_class, result.prediction, result.error) == ("yes", "yes", None)
    p = probability({"age": 70})
    assert result.probabilities == {"yes": p, "no": 1 - p}
    assert (result.probability, result.threshold, result.pos_label) == (p, 0.4, "yes")
    assert result.confidence == pytest.approx((p - 0.4) / 0.6)
    assert (result.guardrails, result.feature_importance) == ({}, None)
    assert result.ignored_query_columns == ["shoe"]
    assert result.available_query_columns == COLUMNS
    assert repr(result).startswith("PredictionResult('yes', probability=0.9241")
    assert predictor.predict(pd.Series({"age": 70})).probabilities == result.probabilities


def test_a_number(model, predictor):
    model.kind = "regression"
    result = predictor.predict({"age": 45})
    assert (result.prediction, result.prediction_interval) == (50.0, (45.0, 55.0))
    assert (result.predicted_class, result.probability, result.probabilities) == (None, None, {})
    assert repr(result) == "PredictionResult(50, prediction_interval=(45, 55))"


def test_servers_that_tell_the_class_as_the_prediction(model, predictor):
    model.one = lambda record: {"prediction": {"yes": 0.7, "no": 0.3}, "prediction_id": "u"}
    result = predictor.predict({"age": 45})
    assert (result.predicted_class, result.prediction, result.prediction_uuid) == (
        "yes",
        "yes",
        "u",
    )
    assert (result.probability, result.confidence) == (0.7, 0.7)
    assert result.probabilities == {"yes": 0.7, "no": 0.3}
    assert result.raw["prediction"] == {"yes": 0.7, "no": 0.3}
    model.one = lambda record: {"prediction": "yes", "probabilities": {"yes": 0.7, "no": 0.3}}
    result = predictor.predict({"age": 45})
    assert (result.predicted_class, result.probability) == ("yes", None)


def test_the_checkpoint_can_be_chosen(model, predictor):
    predictor.predict({"age": 1}, best_metric_preference="pr_auc")
    assert model.bodies[-1][1]["best_metric_preference"] == "pr_auc"
    with pytest.raises(ValueError, match="'roc_auc' or 'pr_auc', not 'f1'"):
        predictor.predict({"age": 1}, best_metric_preference="f1")
    model.add("p2", target_column_type="scalar")
    with pytest.raises(ValueError, match="is for classifiers"):
        model.featrix.predictor("p2", "m-1").predict({}, best_metric_preference="roc_auc")
    assert len(model.bodies) == 1


def test_importance_comes_from_the_server_that_offers_it(model, predictor):
    model.offers_importance = True
    result = predictor.predict({"age": 70}, feature_importance=True)
    assert result.feature_importance == {"age": 1.0}
    assert [route for route, _ in model.bodies] == ["predict"]


@pytest.mark.parametrize("kind", ["binary", "regression", "multi"])
def test_importance_is_measured_where_it_is_not_offered(model, predictor, kind):
    model.kind = kind
    record = {"age": 70, "plan": "basic", "visits": 5, "shoe": 44, "nothing": None}
    result = predictor.predict(record, feature_importance=True)
    scores = result.feature_importance
    assert [route for route, _ in model.bodies] == ["predict", "predict_table"]
    hidden = model.bodies[-1][1]["records"]
    assert hidden == [record | {name: None} for name in ("age", "plan", "visits", "shoe")]
    assert set(scores) == set(COLUMNS)  # only what the model knows
    assert sum(scores.values()) == pytest.approx(1)
    assert scores["age"] > scores["plan"] > scores["visits"] == 0
    if kind == "binary":  # log-odds: 2.5 from age, 1 from the plan
        assert scores["age"] == pytest.approx(2.5 / 3.5)


def test_importance_of_nothing_is_nothing(model, predictor):
    scores = predictor.predict({"visits": 3}, feature_importance=True).feature_importance
    assert scores == dict.fromkeys(COLUMNS, 0.0)


def test_explain(model, predictor):
    assert predictor.explain({"age": 3})["attributions"] == {"age": 0.5}
    assert model.bodies == [("explain", {"query_record": {"age": 3}, "predictor_id": "p1"})]


@pytest.mark.parametrize("bad", [None, 5, "age=3", [("age", 3)], [{"age": 3}], pd.DataFrame()])
def test_what_is_no_record(model, predictor, bad):
    with pytest.raises(ValueError, match="record must be a dict"):
        predictor.predict(bad)
    with pytest.raises(ValueError, match="record must be a dict"):
        predictor.explain(bad)
    assert model.bodies == []


def test_a_predictor_that_still_trains(model, predictor):
    words = {"status": "training_in_progress_no_checkpoint", "message": "Predictor is training."}
    model.failure = Answer(words, 503)
    for ask in (lambda: predictor.predict({"age": 1}), lambda: predictor.batch_predict([{}])):
        with pytest.raises(requests.HTTPError, match=r"is training(.|\n)*wait_for") as caught:
            ask()
        assert caught.value.status == 503
    assert len(model.bodies) == 2  # asking again at once would not help


# ----------------------------------------------------------------------- batches


def test_a_batch_keeps_its_order_over_many_requests(model, predictor, capsys):
    n = BATCH_ROWS + 500
    ages = np.arange(n) / 100
    frame = pd.DataFrame({"age": ages, "plan": pd.Categorical(["gold", None] * (n // 2))})
    results = predictor.batch_predict(frame, show_progress=True)
    assert [len(body["records"]) for _, body in model.bodies] == [BATCH_ROWS, 500]
    assert isinstance(results, BatchResults)
    records = [{"age": age, "plan": ["gold", None][i % 2]} for i, age in enumerate(ages.tolist())]
    assert [r.probabilities["yes"] for r in results] == [probability(r) for r in records]
    assert "Predicting: 100%" in capsys.readouterr().err
    again = predictor.batch_predict(iter(records[:10]))
    assert [r.probabilities for r in again] == [r.probabilities for r in results[:10]]
    assert capsys.readouterr().err == ""


def test_one_bad_record_does_not_sink_the_batch(predictor):
    results = predictor.batch_predict([{"age": 1}, {"age": "broken"}, {"age": 80}])
    assert [r.predicted_class for r in results] == ["no", None, "yes"]
    assert [r.error for r in results] == [None, "age cannot be read", None]
    assert repr(results[1]) == "PredictionResult(error='age cannot be read')"
    frame = results.to_frame()
    assert list(frame.columns) == [
        *("prediction", "probability", "confidence", "probability_yes", "probability_no"),
        *("error", "prediction_uuid"),
    ]
    assert frame["probability_yes"].isna().tolist() == [False, True, False]


def test_numbers_as_a_frame(model, predictor):
    model.kind = "regression"
    frame = predictor.batch_predict([{"age": 45}, {"age": 46}]).to_frame()
    assert list(frame.columns) == ["prediction", "interval_low", "interval_high", "prediction_uuid"]
    assert frame["prediction"].iloc[0] == 50


@pytest.mark.parametrize(
    ("records", "says"),
    [
        ([], "records is empty"),
        (pd.DataFrame({"age": []}), "records is empty"),
        ([{"age": 1}, 5], "Record 1 is a int"),
        ("people.csv", "records must be a list"),
        (None, "records must be a list"),
    ],
)
def test_bad_batches(model, predictor, records, says):
    with pytest.raises(ValueError, match=says):
        predictor.batch_predict(records)
    assert model.bodies == []


def test_too_few_answers_are_noticed(model, predictor):
    model.failure = Answer({"predictions": [model.one({})]})
    with pytest.raises(RuntimeError, match="1 predictions to 2 records"):
        predictor.batch_predict([{}, {}])


# --------------------------------------------------------------------- CSV files


def test_a_csv_file_with_bad_lines(model, predictor, tmp_path):
    path = tmp_path / "people.csv"
    path.write_text(
        '\ufeffage;plan\n20;gold\n30\n\n70;"ba""sic"\n1;2;3\n;\n80;\n', encoding="utf-8"
    )
    results = predictor.predict_csv_file(path)
    assert model.bodies[-1][1]["records"] == [
        {"age": "20", "plan": "gold"},
        {"age": "70", "plan": 'ba"sic'},
        {"age": "80", "plan": None},
    ]
    assert [r.error for r in results] == [
        None,
        "Line 3 of the file has 1 values for 2 columns.",
        None,
        "Line 6 of the file has 3 values for 2 columns.",
        None,
    ]
    assert [r.predicted_class for r in results] == ["no", None, "yes", None, "yes"]
    assert all(r.available_query_columns == COLUMNS for r in results)


@pytest.mark.parametrize("delimiter", [",", "\t", "|", ";"])
def test_separators_encodings_and_gzip(model, predictor, tmp_path, delimiter):
    text = f"age{delimiter}plan\r\n70{delimiter}Zoë\r\n"
    for name, content in (
        ("a.csv", text.encode("cp1252")),
        ("b.csv", text.encode("utf-16")),
        ("c.csv.gz", gzip.compress(text.encode())),
    ):
        (tmp_path / name).write_bytes(content)
        predictor.predict_csv_file(str(tmp_path / name))
        assert model.bodies[-1][1]["records"] == [{"age": "70", "plan": "Zoë"}]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"age,plan\n", r"no records below its header \(age, plan\)"),
        (b"\n\n", "has no records"),
        (b"age,age\n1,2\n", "names twice: 'age'"),
        (b"age,plan\n1\n", "No line of(.|\n)*Line 2 of the file has 1 values"),
        (b"\x1f\x8bjunk", "is damaged"),
        (b"a\n" + b"x" * 200_000, "cannot be read as CSV: line 2"),
    ],
)
def test_bad_csv_files(model, predictor, tmp_path, content, says):
    path = tmp_path / "people.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=says):
        predictor.predict_csv_file(path)
    assert model.bodies == []


def test_no_csv_file(predictor, tmp_path):
    with pytest.raises(ValueError, match="There is no file"):
        predictor.predict_csv_file(tmp_path / "none.csv")
    with pytest.raises(ValueError, match=r"file_path must be a path(.|\n)*batch_predict"):
        predictor.predict_csv_file(pd.DataFrame())


# ---------------------------------------------------------------------- feedback


def test_feedback_is_sent_when_told(model, predictor):
    result = predictor.predict({"age": 70})
    feedback = result.send_feedback(np.int64(1))
    assert feedback.ground_truth == "1"
    assert [route for route, _ in model.bodies] == ["predict"]
    assert feedback.send() == {"stored": True}
    route = f"predict/{result.prediction_uuid}/feedback"
    assert model.bodies[-1] == (route, {"ground_truth": "1"})
    model.featrix.prediction_feedback("u-1", "yes")
    assert model.bodies[-1] == (
        "compute/prediction/u-1/update_label",
        {"prediction_id": "u-1", "user_label": "yes"},
    )


def test_feedback_on_nothing(model, predictor):
    for bad in (None, "", float("nan"), {"a": 1}):
        with pytest.raises(ValueError, match="ground_truth must be"):
            model.featrix.prediction_feedback("u-1", bad)
    with pytest.raises(ValueError, match="not the id of a prediction"):
        model.featrix.prediction_feedback(None, "yes")
    (failed,) = predictor.batch_predict([{"age": "broken"}])
    with pytest.raises(ValueError, match=r"no prediction(.|\n)*cannot be read"):
        failed.send_feedback("yes")


def test_the_model_card_is_the_predictors_own(model, predictor):
    model.card = {"feature_inventory": []}
    assert predictor.get_model_card() == {"feature_inventory": []}
    assert model.bodies[-1] == ("model_card", f"predictor_id={predictor.id}")
