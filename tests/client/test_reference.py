"""The published API reference, call by call, through its own import path."""

from __future__ import annotations

import inspect
from pathlib import Path

import pandas as pd
import pytest

from featrix_notebook.helper import NotebookHelper
from featrixsphere import api

# Everything the reference lists: parameters in their order, with their defaults.
LABELS = "labels_file=None, labels_df=None"
WEBHOOKS = ", ".join(f"{event}=None" for event in (*api.WEBHOOK_EVENTS, "webhook_secret"))
WAIT = "max_wait_time=3600, poll_interval=10, show_progress=True"
SIGNATURES = {
    api.FeatrixSphere: {
        "__init__": "api_url=None, compute_cluster=None",
        "create_foundational_model": "name=None, data_file=None, df=None, ignore_columns=None, "
        "epochs=None, webhooks=None, user_metadata=None, foundation_mode=False",
        "foundational_model": "session_id",
        "predictor": "predictor_id, foundational_model_id",
        "vector_database": "foundational_model_id",
        "api_endpoint": "endpoint_id, foundational_model_id",
        "list_sessions": "name_prefix=''",
        "prediction_feedback": "prediction_uuid, ground_truth",
        "health_check": "",
        "get_notebook": "",
        "set_compute_cluster": "name",
    },
    api.FoundationalModel: {
        "wait_for_training": WAIT,
        "is_ready": "",
        "refresh": "",
        "create_binary_classifier": "target_column, name=None, rare_label_value=None, epochs=0, "
        f"{LABELS}, cost_false_positive=None, cost_false_negative=None, class_imbalance=None",
        "create_multi_classifier": f"target_column, name=None, epochs=0, {LABELS}, "
        "class_imbalance=None",
        "create_regressor": f"target_column, name=None, epochs=0, {LABELS}",
        "list_predictors": "",
        "create_vector_database": "name=None, records=None",
        "create_reference_record": "record, name=None",
        "encode": "records, short=False",
        "get_training_metrics": "",
        "get_projections": "",
        "get_sphere_preview": "",
        "get_model_card": "",
        "publish": "",
        "publish_checkpoint": "name, org_id=None, checkpoint_epoch=None",
        "unpublish": "",
        "deprecate": "warning_message, expiration_date",
        "delete": "",
        "clone": "target_compute_cluster=None, new_name=None",
    },
    api.Predictor: {
        "wait_for_training": WAIT,
        "predict": "record, feature_importance=False, best_metric_preference=None",
        "batch_predict": "records, show_progress=False",
        "predict_csv_file": "file_path, show_progress=False",
        "explain": "record",
        "train_more": "epochs=50",
        "create_api_endpoint": "name, description=None",
        "configure_webhooks": WEBHOOKS,
        "get_webhooks": "",
        "disable_webhook": "event_type",
        "get_metrics": "",
        "predict_grid": "degrees_of_freedom=2, grid_shape=(10, 10)",
    },
    api.PredictionResult: {"send_feedback": "ground_truth"},
    api.PredictionFeedback: {"send": ""},
    api.VectorDatabase: {
        "add_records": "records, batch_size=500",
        "similarity_search": "query, k=10",
        "encode": "records",
        "size": "",
        "remove_records": "records",
    },
    api.ReferenceRecord: {"find_similar": "k=10, vector_database=None", "get_embedding": ""},
    api.APIEndpoint: {
        "predict": "record, api_key=None",
        "regenerate_api_key": "",
        "revoke_api_key": "",
        "get_usage_stats": "",
        "delete": "",
    },
    api.PredictionGrid: {
        "set_axis_labels": "labels",
        "predict": "record, grid_position",
        "process_batch": "show_progress=False",
        "plot_heatmap": "",
        "get_optimal_position": "",
    },
    NotebookHelper: {
        "training_loss": "fm, style='notebook', show_learning_rate=True, smooth=True, "
        "figsize=(12, 6)",
        "embedding_space_3d": "fm, sample_size=2000, interactive=True, color_by=None, "
        "figsize=(800, 600)",
        "training_movie": "fm, notebook_mode=True, fps=2",
        "training_comparison": "models, labels, figsize=(12, 6)",
        "embedding_space_training": "fm",
        "single_predictor_training": "predictor",
    },
}


@pytest.mark.parametrize(
    ("kind", "method", "wanted"),
    [(kind, name, text) for kind, listed in SIGNATURES.items() for name, text in listed.items()],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
def test_a_call_takes_what_the_reference_says_and_asks_for_nothing_more(
    kind: type, method: str, wanted: str
) -> None:
    ours = list(inspect.signature(getattr(kind, method)).parameters.values())[1:]
    theirs = inspect.signature(eval(f"lambda {wanted}: None")).parameters.values()
    for ours_one, theirs_one in zip(ours, theirs, strict=False):
        assert (ours_one.name, ours_one.default) == (theirs_one.name, theirs_one.default)
    assert len(ours) >= len(theirs)
    assert all(more.default is not more.empty for more in ours[len(theirs) :])


def test_the_example_of_the_reference(featrix: api.FeatrixSphere, tmp_path: Path) -> None:
    """Its one example: with patience, without, and with a file that is not there."""
    frame = pd.DataFrame({"a": range(100), "b": [f"kind {i % 3}" for i in range(100)]})
    frame.to_csv(tmp_path / "data.csv", index=False)
    said = []
    for file, patience in (("data.csv", 3600), ("data.csv", 0), ("no such file.csv", 3600)):
        try:
            fm = featrix.create_foundational_model(data_file=str(tmp_path / file), epochs=1)
            fm.wait_for_training(max_wait_time=patience, poll_interval=1, show_progress=False)
            said.append(fm.status)
        except TimeoutError:
            said.append("Training took too long")
        except RuntimeError as e:
            said.append(f"Training failed: {e}")
        except ValueError as e:
            said.append(f"Invalid input: {e}")
    assert said[:2] == ["done", "Training took too long"]
    assert said[2].startswith("Invalid input: ")
    assert "no such file.csv" in said[2]
