"""Answers: the same one by one, in batches and in another process; nothing leaks; all explained."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import numpy as np
import pytest

from featrix_server.engine import CheckpointError, PredictorError, PredictorModel


@pytest.fixture(scope="module")
def records(shop):
    return shop.table.rows(np.arange(720))


@pytest.fixture(scope="module")
def model(churn, shop):
    return PredictorModel.load(churn[0], shop.folder)


@pytest.fixture(scope="module")
def regressor(spent, shop):
    return PredictorModel.load(spent[0], shop.folder)


def numbers_of(prediction):
    return [*prediction.probabilities.values(), prediction.confidence, prediction.sigma or 0.0]


def test_batch_equals_single(model, regressor, records):
    for one in (model, regressor):
        batch = one.predict(records[:300])
        for record, together in zip(records[:40], batch, strict=False):
            alone = one.predict([record])[0]
            np.testing.assert_allclose(numbers_of(alone), numbers_of(together), atol=1e-6)
            assert alone.predicted_class == together.predicted_class or one is regressor
            assert alone.guardrails == together.guardrails
            if one is regressor:
                assert alone.prediction == pytest.approx(together.prediction, rel=1e-6)


def test_columns_equal_records(model, records, shop):
    together = model.predict_columns(shop.table)
    answers = model.predict(records)
    for row, one in enumerate(answers):
        chances = together.probabilities[row]
        np.testing.assert_allclose(list(one.probabilities.values()), chances, atol=1e-6)
    plain = model.predict_columns(lambda name: [one.get(name) for one in records[:5]], 5)
    np.testing.assert_allclose(plain.probabilities, together.probabilities[:5], atol=1e-6)


def test_a_fresh_process_answers_alike(churn, shop, model, records):
    code = f"""
import json, sys
from pathlib import Path
from featrix_server.engine import PredictorModel
model = PredictorModel.load(Path({str(churn[0])!r}), Path({str(shop.folder)!r}))
records = json.load(sys.stdin)
print(json.dumps([one.probabilities for one in model.predict(records)]))
"""
    sent = records[:20]
    found = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(sent), capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert json.loads(found.stdout) == [one.probabilities for one in model.predict(sent)]


def test_a_target_in_the_query_changes_nothing(model, regressor, records):
    for one, target in ((model, "churn"), (regressor, "spent")):
        for record in records[:10]:
            bare = {name: value for name, value in record.items() if name != target}
            asked = (bare, bare | {target: "yes"}, bare | {target: 1e9})
            answers = [one.predict([record])[0] for record in asked]
            assert len({json.dumps([one.prediction, one.confidence]) for one in answers}) == 1
            assert target in answers[1].ignored_query_columns
            assert target not in answers[1].available_query_columns
            assert target not in one.explain(bare | {target: "yes"})["attributions"]


def test_what_a_binary_answer_says(model, records):
    for one in model.predict(records[:50]):
        chance = one.probabilities["yes"]
        assert sum(one.probabilities.values()) == pytest.approx(1)
        assert one.predicted_class == ("yes" if chance >= one.threshold else "no")
        assert one.prediction == one.predicted_class
        assert one.probability == one.probabilities[one.predicted_class]
        assert 0 <= one.confidence <= 1
        assert one.pos_label == "yes"
        assert one.interval_low is None
        assert one.error is None


def test_what_a_number_says(regressor, records):
    hits = 0
    for record, one in zip(records, regressor.predict(records), strict=True):
        assert one.probabilities == {}
        assert one.probability is None
        assert one.threshold is None
        assert one.interval_low < one.prediction < one.interval_high
        assert one.coverage_level == 0.9
        assert one.sigma > 0
        assert 0 < one.confidence < 1
        hits += one.interval_low <= record["spent"] <= one.interval_high
    assert hits > 0.87 * len(records)


def test_classes_keep_their_type(size, shop, records):
    answer = PredictorModel.load(size[0], shop.folder).predict(records[:3])[0]
    assert answer.prediction in (1, 2, 3)
    assert isinstance(answer.prediction, int)
    assert answer.predicted_class == str(answer.prediction)
    assert answer.threshold is None


def test_bad_rows_do_not_sink_the_batch(model, records):
    rows = [records[0], {}, {"colour": "red"}, "no dict", {"age": "?!", "colour": 1}, records[1]]
    answers = model.predict(rows)
    assert len(answers) == len(rows)
    assert [one.error is None for one in answers] == [True, False, False, False, True, True]
    for one in answers[1:4]:
        assert one.prediction is None
    assert "colour" in answers[2].error
    assert "age" in answers[2].error, "says what is known"
    assert all(one.available_query_columns == model.columns for one in answers)
    ignored = [one.ignored_query_columns for one in answers]
    assert ignored[1:5] == [[], ["colour"], [], ["colour"]]
    alone = model.predict([records[1]])[0]
    np.testing.assert_allclose(numbers_of(answers[5]), numbers_of(alone), atol=1e-6)
    assert model.predict([]) == []


def test_guardrails(model, records):
    def warn(**change):
        return model.predict([records[0] | change])[0].guardrails

    clean = {"age": 44.0, "visits": 6}
    assert warn(**clean) == {}
    assert warn(**clean | {"age": 88.0})["age"].startswith("extreme:")
    assert warn(**clean | {"age": 120.0})["age"].startswith("extrapolation:")
    assert warn(**clean | {"age": 900})["age"].startswith("severe:")
    assert warn(**clean | {"age": -1e7})["age"].startswith("clamped:")
    assert warn(**clean | {"plan": "platinum"})["plan"].startswith("unseen_category:")
    assert warn(**clean | {"age": "old"})["age"].startswith("unparseable:")
    assert warn(**clean | {"age": None, "plan": math.nan}) == {}
    sparse = model.predict([{"age": 44.0}])[0].guardrails
    assert set(sparse) == {"visits", "plan", "town", "since", "spent"}
    assert all(text.startswith("missing:") for text in sparse.values())


def test_importance_and_explanation(model, regressor, records):
    for one in (model, regressor):
        shares = one.importance(records[0])
        assert set(shares) == set(one.columns)
        assert sum(shares.values()) == pytest.approx(1)
        assert min(shares.values()) >= 0
        assert one.importance({"plan": "gold", "age": None})["age"] == 0
    mean = dict.fromkeys(regressor.columns, 0.0)
    for record in records[:30]:
        for name, share in regressor.importance(record).items():
            mean[name] += share / 30
    assert max(mean, key=mean.get) == "visits"
    busy, idle = (regressor.explain(records[0] | {"visits": n}) for n in (14, 1))
    assert busy["attributions"]["visits"] > 0 > idle["attributions"]["visits"]
    told = model.explain(records[0], "yes")
    other = model.explain(records[0], "no")
    assert told["value"] == pytest.approx(-other["value"])
    chance = model.predict([records[0]])[0].probabilities["yes"]
    assert told["value"] == pytest.approx(math.log(chance / (1 - chance)), abs=1e-5)
    for name, value in told["attributions"].items():
        assert value == pytest.approx(-other["attributions"][name], abs=1e-6)


def test_impossible_questions(model, regressor, records, tmp_path, shop):
    with pytest.raises(PredictorError, match="roc_auc"):
        model.predict(records[:1], preference="accuracy")
    with pytest.raises(PredictorError, match="one checkpoint"):
        regressor.predict(records[:1], preference="roc_auc")
    with pytest.raises(PredictorError, match="no class"):
        model.explain(records[0], "maybe")
    with pytest.raises(PredictorError, match="none of the predictor's columns"):
        model.explain({"colour": "red"})
    with pytest.raises(CheckpointError, match="no finished predictor"):
        PredictorModel.load(tmp_path, shop.folder)


def test_both_checkpoints_answer(model, records):
    for preference in ("roc_auc", "pr_auc", None):
        answers = model.predict(records[:5], preference=preference)
        assert all(one.error is None for one in answers)


def test_a_damaged_predictor_is_refused(churn, shop, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(churn[0], copy)
    weights = next(copy.glob("network_*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-9])
    with pytest.raises(CheckpointError):
        PredictorModel.load(copy, shop.folder)
    next(copy.glob("*.txt")).unlink()
    with pytest.raises(CheckpointError):
        PredictorModel.load(copy, shop.folder)
