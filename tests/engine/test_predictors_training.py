"""Training predictors: honest, the same again, resumable, complete; few labels and many."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from featrix_server.engine import (
    CheckpointError,
    PredictorModel,
    PredictorOptions,
    fit_predictor,
    read_table,
    train_more,
)
from featrix_server.engine.predictors import network


def files(folder):
    """Names and bytes of what a finished predictor is."""
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.is_file() and path.name not in ("card.json", "metrics.json")
    }


def test_reports_tell_the_story(churn):
    folder, result, reports = churn
    assert (result.status, result.epochs) == ("done", 3)
    assert [one.epoch for one in reports] == list(range(1, reports[-1].total_epochs + 1))
    assert [one.phase for one in reports[:4]] == ["network"] * 3 + ["ensemble"]
    assert len({one.member for one in reports}) == len(reports) - 2
    for report in reports:
        assert type(report).from_dict(json.loads(json.dumps(report.to_dict()))) == report
        assert report.validation_loss > 0
        # Only the network has steps, and so a rate.
        assert (report.loss is None) == (report.learning_rate is None)
        assert (report.learning_rate is None) == (report.phase == "ensemble")
        assert 0.5 < report.roc_auc < 1
        assert report.r2 is None
    assert reports[-1].seconds_left == 0
    assert json.loads((folder / "metrics.json").read_text())["history"] == [
        one.to_dict() for one in reports[:3]
    ]


def test_it_learned_something(churn, spent, size):
    assert churn[1].metrics["roc_auc"] > 0.7
    assert spent[1].metrics["r2"] > 0.8
    assert set(spent[1].metrics) == {"r2", "rmse", "mae"}
    _, result, reports = size
    assert result.metrics["roc_auc"] > 0.8
    assert len(result.metrics["confusion_matrix"]) == 3
    assert reports[-1].accuracy > 0.6


def test_the_same_again_and_another_seed_another(churn, fit):
    again, _, _ = fit()
    assert files(again) == files(churn[0])
    other, _, reports = fit(seed=1)
    assert reports[0].loss != churn[2][0].loss
    assert files(other) != files(churn[0])


class KilledError(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize("killed_at", [2, 5])
def test_a_killed_training_resumes_to_the_same_bytes(churn, fit, tmp_path, killed_at):
    def die(report):
        if report.epoch == killed_at:
            raise KilledError
        return "continue"

    with pytest.raises(KilledError):
        fit(folder=tmp_path, decide=die)
    assert not (tmp_path / "predictor.json").exists()
    _, result, reports = fit(folder=tmp_path)
    assert reports[0].epoch == killed_at, "lost more than the running epoch"
    assert files(tmp_path) == files(churn[0])
    assert result.metrics == churn[1].metrics


@pytest.mark.parametrize("at", [1, 4])
def test_pause_and_go_on(churn, fit, tmp_path, at):
    _, result, reports = fit(
        folder=tmp_path, decide=lambda report: "pause" if report.epoch == at else "continue"
    )
    assert (result.status, result.card, reports[-1].epoch) == ("paused", {}, at)
    assert not (tmp_path / "predictor.json").exists()
    _, result, reports = fit(folder=tmp_path)
    assert reports[0].epoch == at + 1
    assert files(tmp_path) == files(churn[0])


def test_stop_keeps_the_best_so_far(fit, shop):
    folder, result, reports = fit(
        decide=lambda report: "stop" if report.epoch == 1 else "continue", epochs=6
    )
    assert (result.status, result.epochs, result.best_epoch) == ("stopped", 1, 1)
    assert reports[-1].epoch == reports[-1].total_epochs == 1 + len(reports) - 1
    assert PredictorModel.load(folder, shop.folder).predict([{"age": 30}])[0].error is None


def test_checkpoints_of_other_labels_are_refused(fit, tmp_path):
    fit(folder=tmp_path, decide=lambda report: "pause")
    with pytest.raises(CheckpointError, match=r"other labels|another model"):
        fit("spent", folder=tmp_path, target_type="scalar")


def test_train_more_keeps_what_is_better(fit, shop, tmp_path):
    _, first, reports = fit(folder=tmp_path)
    before, last = files(tmp_path), reports[-1].epoch

    def more(epochs, decide=lambda report: "continue"):
        reports = []

        def hear(report):
            reports.append(report)
            return decide(report)

        arguments = (shop.table, shop.schema, shop.folder, tmp_path, epochs, hear)
        return train_more(*arguments, info={}), reports

    result, reports = more(2, lambda report: "pause" if report.epoch == last + 1 else "continue")
    assert result.status == "paused"
    assert files(tmp_path) == before, "the old one answers until the new one is finished"
    result, reports = more(2)
    assert (result.status, result.epochs) == ("done", 5)
    assert [(one.epoch, one.total_epochs) for one in reports] == [(last + 2, last + 2)]
    history = json.loads((tmp_path / "metrics.json").read_text())["history"]
    # No number is used twice: the other members had those between.
    assert [one["epoch"] for one in history] == [1, 2, 3, last + 1, last + 2]
    best = max(one["roc_auc"] for one in history)
    assert best in [one["roc_auc"] for one in history if one["epoch"] == result.best_epoch]
    result, reports = more(1)
    assert [one.epoch for one in reports] == [last + 3]
    if result.best_epoch == first.best_epoch:
        assert result.metrics == first.metrics


def test_few_labels_take_averaged_heads(shop, fit, tmp_path):
    rows = np.random.default_rng(0).choice(720, 120, replace=False)
    churn = shop.table.column("churn").to_pylist()
    frame = pd.DataFrame({"__featrix_row_id": rows, "churn": [churn[i] for i in rows]})
    frame.to_csv(tmp_path / "few.csv", index=False)
    labels = read_table(tmp_path / "few.csv", tmp_path / "few.parquet")
    folder, result, reports = fit(labels=labels)
    assert {one.phase for one in reports} == {"ensemble"}
    members = [one.member for one in reports]
    assert members == ["linear-raw", "linear", "trees", "linear-embedding"]
    weights = result.card["ensemble"]["roc_auc"]["weights"]
    assert set(weights.values()) == {0.25}
    assert "120 labels" in result.card["decisions"]["members"]
    model = PredictorModel.load(folder, shop.folder)
    found = model.predict(shop.table.rows(np.arange(720)))
    from featrix_server.engine.predictors.metrics import roc_auc

    score = np.array([one.probabilities["yes"] for one in found])
    assert roc_auc(np.array(churn) == "yes", score) > 0.7


def test_a_target_the_space_has_learned_from_keeps_the_embedding_out(churn, spent):
    assert "linear-embedding" in [one.member for one in churn[2]]
    assert "linear-embedding" not in [one.member for one in spent[2]]
    assert "learned from the target" in spent[1].card["decisions"]["embedding"]


def test_labels_as_rows_of_their_own(shop, fit, tmp_path, churn):
    frame = shop.table.read(["age", "visits", "plan", "town", "churn"]).to_pandas()
    frame.to_csv(tmp_path / "rows.csv", index=False)
    labels = read_table(tmp_path / "rows.csv", tmp_path / "rows.parquet")
    _, result, _ = fit(labels=labels)
    assert result.metrics["roc_auc"] == pytest.approx(churn[1].metrics["roc_auc"], abs=0.05)
    assert "LABEL_COLUMNS_MISSING" in [one["type"] for one in result.card["warnings"]]


def test_costs_and_shares_move_the_threshold(fit, churn, tmp_path):
    def again(name, **options):
        """The same trained members under other wishes: these need no training."""
        shutil.copytree(churn[0] / "checkpoints", tmp_path / name / "checkpoints")
        _, result, reports = fit(folder=tmp_path / name, **options)
        assert reports == []
        return result

    cheap = again("cheap", cost_false_negative=20.0)
    dear = again("dear", cost_false_positive=20.0)

    def threshold(result):
        return result.card["training_metrics"]["optimal_threshold"]

    assert threshold(cheap)["theoretical_threshold"] == pytest.approx(1 / 21)
    assert threshold(cheap)["optimal_threshold"] < threshold(churn[1])["optimal_threshold"]
    assert threshold(dear)["optimal_threshold"] > threshold(churn[1])["optimal_threshold"]
    assert cheap.metrics["recall"] > 0.9 > dear.metrics["recall"]
    assert cheap.metrics["roc_auc"] == churn[1].metrics["roc_auc"]
    shifted = again("shifted", class_imbalance={"yes": 0.02, "no": 0.98})
    assert shifted.metrics["roc_auc"] == pytest.approx(churn[1].metrics["roc_auc"])
    assert threshold(shifted)["optimal_threshold"] < threshold(churn[1])["optimal_threshold"]


def test_large_tables_have_rows_that_chose_nothing(tmp_path, shop):
    from tests.engine.conftest import make_shop

    make_shop(1_100, seed=9).to_csv(tmp_path / "rows.csv", index=False)
    labels = read_table(tmp_path / "rows.csv", tmp_path / "rows.parquet")
    result = fit_predictor(
        shop.table, shop.schema, shop.folder, tmp_path / "p",
        PredictorOptions("spent", "scalar", epochs=1), lambda report: "continue",
        labels=labels, info={},
    )  # fmt: skip
    quality = result.card["quality_metrics"]
    assert quality["test_metrics"]["rows"] == 110
    assert quality["test_metrics"]["r2"] > 0.8
    assert 0.8 <= quality["test_metrics"]["interval_coverage"] <= 0.98
    assert "optimistic" in quality["note"]


def test_a_second_predictor_of_the_size_class_compiles_nothing(churn, spent, fit):
    before = network.train_chunk._cache_size(), network.answer_rows._cache_size()
    fit("visits", target_type="scalar", epochs=1)
    assert (network.train_chunk._cache_size(), network.answer_rows._cache_size()) == before


def test_the_card_has_both_vocabularies_and_every_decision(churn, spent):
    for folder, result, _ in (churn, spent):
        card = json.loads((folder / "card.json").read_text())
        assert card == json.loads(json.dumps(result.card, allow_nan=False))
        for key in (
            "columns", "excluded_columns", "training_config", "quality_metrics", "calibration",
            "data_summary", "warnings", "model_identification", "training_dataset",
            "feature_inventory", "training_configuration", "training_metrics",
            "model_architecture", "model_quality", "technical_details", "provenance",
        ):  # fmt: skip
            assert key in card, key
        assert all(card["decisions"].values())
        assert card["provenance"]["data_hash"].startswith("sha256:")
        assert card["model_identification"]["model_type"] == "Single Predictor"
        assert card["model_identification"]["target_column"] not in [
            one["name"] for one in card["columns"]
        ]
    shown = spent[1].card["best_epochs"]["best_r2"]
    scores = shown["regression_display_metadata"]["regression_metrics"]
    assert scores["r2"] == {"value": shown["metrics"]["r2"]}
    card = churn[1].card
    shown = card["best_epochs"]["best_roc_auc"]["classification_display_metadata"]
    told = shown["confusion_matrix"]
    scores = {name: one["value"] for name, one in shown["classification_metrics"].items()}
    assert scores["recall"] == pytest.approx(told["tp"] / (told["tp"] + told["fn"]))
    assert scores["precision"] == pytest.approx(told["tp"] / (told["tp"] + told["fp"]))
    assert sum(told.values()) == card["training_dataset"]["val_rows"]
    for part in ("before", "after"):
        assert {"ece", "brier", "log_loss"} <= set(card["calibration"][part])
    assert card["calibration"]["after"]["log_loss"] <= card["calibration"]["before"]["log_loss"]
    assert card["training_metrics"]["optimal_threshold"]["pos_label"] == "yes"
    assert asdict(PredictorOptions("churn", "set", epochs=3)) == card["training_config"]["options"]
