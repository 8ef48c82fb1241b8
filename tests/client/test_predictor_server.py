"""Predictors from end to end, on the real embedded server."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import requests


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
    card = classifier.get_model_card()
    assert card["model_identification"]["target_column"] == "plan"
    assert card["decisions"]["threshold"]
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


def test_labels_of_their_own(parent, featrix):
    labels = pd.DataFrame({"__featrix_row_id": range(0, 300, 2), "answer": ["a", "b", "a"] * 50})
    predictor = parent.create_multi_classifier("answer", labels_df=labels, epochs=2)
    predictor.wait_for_training(max_wait_time=250, show_progress=False)
    assert set(predictor.predict({"age": 30}).probabilities) == {"a", "b"}
    assert predictor.session_id != parent.id
    listed = {one.id: one for one in parent.list_predictors()}[predictor.id]
    found = featrix.predictor(predictor.id, parent.id)
    for other in (listed, found):
        assert repr(other) == repr(predictor)
        assert other.session_id == predictor.session_id
        assert other.predict({"age": 30}).probabilities == pytest.approx(
            predictor.predict({"age": 30}).probabilities
        )
    assert found.get_metrics()["predictor_id"] == predictor.id


def test_unknown_predictors_and_predictions(parent, featrix):
    with pytest.raises(requests.HTTPError) as caught:
        featrix.predictor("nobody", parent.id)
    assert caught.value.status == 404
