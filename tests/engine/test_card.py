"""The model card: every documented key, both vocabularies, the renderers' hard rules."""

from __future__ import annotations

import json

import numpy as np

from featrix_server.engine.card import json_safe


def walk(value, path="card"):
    yield path, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from walk(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from walk(item, f"{path}[{index}]")


def test_reference_keys(trained):
    card = trained[1].card
    for key in (
        "columns", "excluded_columns", "training_config", "quality_metrics", "calibration",
        "data_summary", "warnings",
    ):  # fmt: skip
        assert key in card
    by_name = {column["name"]: column for column in card["columns"]}
    assert set(by_name) == {"age", "income", "plan", "town"}
    for column in by_name.values():
        assert {"detected_type", "encoding_strategy", "null_rate", "reason"} <= set(column)
    assert by_name["age"]["detected_type"] == "scalar"
    assert [(one["name"], one["code"]) for one in card["excluded_columns"]] == [
        ("same", "constant")
    ]
    assert card["excluded_columns"][0]["reason"]


def test_sections_of_the_published_renderers(trained):
    card = trained[1].card
    wanted = {
        "model_identification": "session_id job_id name target_column target_column_type "
        "compute_cluster training_date status model_type framework",
        "training_dataset": "train_rows val_rows total_rows total_features feature_names "
        "target_column",
        "training_configuration": "epochs_total best_epoch d_model batch_size learning_rate "
        "optimizer dropout_schedule",
        "training_metrics": "best_epoch final_epoch loss_progression",
        "model_architecture": "predictor_layers predictor_parameters embedding_space_d_model",
        "embedding_space": "d_model num_rows num_layers num_parameters",
        "model_quality": "assessment recommendations warnings training_quality_warning",
        "technical_details": "pytorch_version device precision normalization loss_function",
        "provenance": "created_at training_duration_minutes version_info seed data_hash",
        "column_statistics": "age income plan town",
    }
    for section, keys in wanted.items():
        assert set(keys.split()) <= set(card[section]), section
    assert card["model_identification"]["model_type"] == "Embedding Space"
    assert card["model_identification"]["name"] == "people"
    assert card["provenance"]["created_at"] == "2026-01-02T03:04:05Z"
    assert card["provenance"]["data_hash"].startswith("sha256:")
    rows = card["training_dataset"]
    assert (rows["train_rows"], rows["val_rows"], rows["total_rows"]) == (240, 60, 300)
    assert card["training_metrics"]["loss_progression"]["improvement_pct"] > 0
    assert card["model_quality"]["assessment"] in {"excellent", "good", "fair", "poor"}
    for figures in card["column_statistics"].values():
        assert set(figures) == {"marginal_loss", "mutual_information_bits", "predictability_pct"}
    for feature in card["feature_inventory"]:
        assert {"name", "type", "encoder_type", "unique_values", "sample_values"} <= set(feature)


def test_no_value_is_null_or_not_a_number_and_the_file_is_the_card(trained):
    training, result = trained
    nulls = [path for path, value in walk(result.card) if value is None]
    assert not nulls
    text = (training.folder / "card.json").read_text()
    assert json.loads(text) == result.card
    json.dumps(result.card, allow_nan=False)


def test_every_automatic_decision_has_its_reason(trained):
    decisions = trained[1].card["decisions"]
    assert set(decisions) == {
        "split", "batch_size", "epochs", "foundation_mode", "sphere", "training_end",
        "kept_epoch", "clusters",
    }  # fmt: skip
    assert decisions["epochs"] == "12 epochs asked for"
    assert all(decisions.values())


def test_json_safe_unpacks_and_never_lets_nan_through():
    value = {1: np.float32("nan"), "a": (np.int64(3), float("inf")), "b": np.arange(2)}
    assert json_safe(value) == {"1": 0.0, "a": [3, 0.0], "b": [0, 1]}
