"""Predictors from end to end, on the real embedded server."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import requests

from featrix_client import FeatrixSphere, FoundationalModel, Predictor


@pytest.fixture(scope="module")
def parent(server_home, people) -> FoundationalModel:
    """A trained model whose table also holds a constant column and one too rare class."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FEATRIX_HOME", str(server_home))
        sphere = FeatrixSphere("local")
    df = people(300)
    df["group"] = np.where(df["spend"] > 60, "high", np.where(df.index % 3 == 0, "low", "mid"))
    df["lonely"] = ["one"] + ["many"] * 299
    df["same"] = "x"
    fm = sphere.create_foundational_model(name="parents", df=df, epochs=2)
    with pytest.raises(ValueError, match="not trained yet"):
        fm.create_binary_classifier("plan")
    return fm.wait_for_training(max_wait_time=280, show_progress=False)


@pytest.fixture(scope="module")
def classifier(parent) -> Predictor:
    """A binary classifier of ten epochs."""
    predictor = parent.create_binary_classifier(
        "plan", name="plans", rare_label_value="gold", epochs=10, cost_false_negative=3
    )
    assert (predictor.status, predictor.accuracy) == ("training", None)
    return predictor.wait_for_training(max_wait_time=250, show_progress=False)


def test_a_classifier_is_trained_found_and_followed(parent, classifier, featrix):
    assert classifier.status == "done"
    assert 0.7 < classifier.accuracy <= 1
    assert 0.7 < classifier.auc <= 1
    again = featrix.predictor(classifier.id, parent.id)
    assert repr(again) == repr(classifier)
    assert classifier.id in [one.id for one in parent.list_predictors()]
    told = list(classifier.events())
    epochs = [event.data["epoch"] for event in told if event.kind == "epoch"]
    assert epochs
    assert epochs == sorted(set(epochs))
    assert told[-1].data["status"] == "done"
    metrics = classifier.get_metrics()
    assert metrics["target_column"] == "plan"
    assert len(metrics["training_info"]) == len(epochs)
    assert classifier.get_training_metrics()["data"]["epochs"] == epochs
    parent.refresh()
    assert parent.status == "done"


def test_answers(classifier, people):
    rows = people(300, seed=3)
    result = classifier.predict({"age": 70, "spend": 85, "shoe": 1, "plan": "basic"})
    assert (result.predicted_class, result.pos_label) == ("gold", "gold")
    assert sum(result.probabilities.values()) == pytest.approx(1)
    assert set(result.ignored_query_columns) == {"shoe", "plan"}
    assert {"age", "spend"} <= set(result.available_query_columns)
    assert result.guardrails == {}
    assert "age" in classifier.predict({"age": 1e6, "spend": 85}).guardrails
    batch = classifier.batch_predict(rows)
    right = [r.predicted_class == plan for r, plan in zip(batch, rows["plan"], strict=True)]
    assert np.mean(right) > 0.7
    single = classifier.predict(rows.iloc[7])
    assert single.probabilities == pytest.approx(batch[7].probabilities, abs=1e-6)
    assert len({r.prediction_uuid for r in batch}) == 300


def test_importance_and_explanation(classifier):
    record = {"age": 70, "spend": 85}
    scores = classifier.predict(record, feature_importance=True).feature_importance
    assert sum(scores.values()) == pytest.approx(1)
    assert max(scores, key=scores.__getitem__) in record
    assert set(classifier.explain(record)["attributions"]) >= set(record)
    for preference in ("roc_auc", "pr_auc"):
        assert classifier.predict(record, best_metric_preference=preference).predicted_class


def test_a_csv_file_answers_as_its_records_do(classifier, tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("age,spend\n70,85\n20\n,18.5\n")
    first, bad, last = classifier.predict_csv_file(path)
    assert bad.error
    for result, record in ((first, {"age": 70, "spend": 85}), (last, {"spend": 18.5})):
        expected = classifier.predict(record).probabilities
        assert result.probabilities == pytest.approx(expected, abs=1e-6)


def test_a_grid_is_the_same_as_its_records(classifier):
    grid = classifier.predict_grid(2, (3, 2))
    grid.fill({"group": "mid"}, {"age": [20, 40, 70], "spend": [18, 85]})
    record = {"group": "mid", "age": 40, "spend": 85}
    expected = classifier.predict(record).probabilities["gold"]
    assert grid.values[1, 1] == pytest.approx(expected, abs=1e-6)
    assert grid.threshold == classifier.predict(record).threshold
    assert np.isfinite(grid.values).all()


def test_a_regressor_and_training_on(parent):
    regressor = parent.create_regressor("spend", epochs=5)
    regressor.wait_for_training(max_wait_time=250, show_progress=False)
    result = regressor.predict({"age": 70, "plan": "gold"})
    low, high = result.prediction_interval
    assert low < result.prediction < high
    assert 60 < result.prediction < 100
    assert (result.probabilities, regressor.target_type) == ({}, "numeric")
    with pytest.raises(ValueError, match="is for classifiers"):
        regressor.predict({"age": 70}, best_metric_preference="roc_auc")
    assert regressor.train_more(3).status == "training"
    regressor.wait_for_training(max_wait_time=250, show_progress=False)
    assert regressor.predict({"age": 70, "plan": "gold"}).prediction > 60


def test_labels_of_their_own(parent):
    labels = pd.DataFrame({"__featrix_row_id": range(0, 300, 2), "answer": ["a", "b", "a"] * 50})
    predictor = parent.create_multi_classifier("answer", labels_df=labels, epochs=2)
    predictor.wait_for_training(max_wait_time=250, show_progress=False)
    assert set(predictor.predict({"age": 30}).probabilities) == {"a", "b"}


@pytest.mark.parametrize(
    ("create", "says"),
    [
        (lambda fm: fm.create_binary_classifier("plam"), "no column 'plam'(.|\n)*plan"),
        (lambda fm: fm.create_binary_classifier("same"), "all labels of 'same'"),
        (lambda fm: fm.create_multi_classifier("lonely"), "single row"),
        (lambda fm: fm.create_binary_classifier("group"), "group"),
        (lambda fm: fm.create_regressor("plan"), "numbers"),
        (lambda fm: fm.create_binary_classifier("plan", rare_label_value="red"), "'red'"),
        (
            lambda fm: fm.create_binary_classifier("plan", class_imbalance={"gold": 1}),
            "class_imbalance",
        ),
        (
            lambda fm: fm.create_binary_classifier(
                "x", labels_df=pd.DataFrame({"x": ["a", "b"] * 20})
            ),
            "does not match",
        ),
        (
            lambda fm: fm.create_binary_classifier(
                "x", labels_df=pd.DataFrame({"__featrix_row_id": range(280, 320), "x": [0, 1] * 20})
            ),
            "__featrix_row_id",
        ),
    ],
)
def test_what_cannot_be_learned_leaves_nothing_behind(parent, featrix, create, says):
    before = [one.id for one in parent.list_predictors()], featrix.list_sessions()
    with pytest.raises(ValueError, match=says):
        create(parent)
    assert ([one.id for one in parent.list_predictors()], featrix.list_sessions()) == before


def test_bad_questions(classifier):
    with pytest.raises(ValueError, match="none of the predictor's columns"):
        classifier.predict({"shoe": 44})
    good, bad = classifier.batch_predict([{"age": 30}, {"shoe": 44}])
    assert (good.error, bad.prediction) == (None, None)
    assert "none of the predictor's columns" in bad.error
    grid = classifier.predict_grid(1, (2,))
    with pytest.raises(ValueError, match=r"does not use the column 'shoe'(.|\n)*age"):
        grid.fill({"age": 50}, {"shoe": [44, 45]})
    with pytest.raises(ValueError, match="does not use the column 'plan'"):
        grid.fill({"age": 50}, {"plan": ["gold", "basic"]})  # the target itself
    with pytest.raises(ValueError, match="records is empty"):
        classifier.batch_predict([])


def test_unknown_predictors_and_predictions(parent, featrix):
    with pytest.raises(requests.HTTPError) as caught:
        featrix.predictor("nobody", parent.id)
    assert caught.value.status == 404
