"""The model card: what the model is, how it came about, how far to trust it.

Two vocabularies side by side: the reference's own top-level keys, and the sections that published
card renderers read. Every value is safe for JSON, never NaN, and fixed once written.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import jax
import numpy as np

from .losses import JOINT_WEIGHT, MARGINAL_WEIGHT, SPREAD_WEIGHT, TEMPERATURE
from .network import BLOCKS, D_MODEL
from .plan import PEAK_RATE, Plan
from .programs import CLIP_NORM, WEIGHT_DECAY
from .schema import Schema
from .table import Table
from .trained import Trained

GOOD_FOR = {
    "headline": "Similarity, clusters, maps and few-label predictions on rows like these.",
    "uses": [
        "finding similar rows, also from partial records",
        "seeing the groups of a table on a sphere",
        "a start for predictors of any column",
    ],
    "anti": ["rows from another source or time", "reading causes out of correlations"],
}


def build_card(
    table: Table,
    schema: Schema,
    trained: Trained,
    clusters: dict[str, Any],
    info: dict[str, Any],
    data_hash: str,
) -> dict[str, Any]:
    """The card of a finished embedding space.

    Parameters
    ----------
    table, schema, trained, clusters
        What was trained on, and what came of it.
    info
        ``session_id``, ``job_id``, ``name``, ``created_at``, ``compute_cluster``.
    data_hash
        Of the canonical table.
    """
    plan, progress = trained.plan, trained.progress
    features = [feature_facts(encoder) for encoder in trained.layout.encoders]
    statistics = _column_statistics(trained)
    warnings = _warnings(schema, trained)
    training = _training(trained)
    seconds = sum(one["duration"] for one in progress.history)
    names = [feature["name"] for feature in features]
    d_model = {"embedding_space_d_model": D_MODEL}
    rows = {
        "train_rows": plan.n_train, "val_rows": plan.n_validation, "total_rows": plan.n_rows,
        "total_features": len(names), "feature_names": names,
    }  # fmt: skip
    card = {
        "columns": _columns(schema, features, statistics),
        "excluded_columns": [
            {"name": one.name, "code": one.code, "reason": one.reason} for one in schema.excluded
        ],
        "training_config": _configuration(plan, progress.space_epochs, training),
        "quality_metrics": _quality_metrics(training, clusters, statistics),
        "calibration": {
            "status": "not applicable",
            "reason": "there is no prediction",
        },
        "data_summary": {
            **rows,
            "excluded_features": len(schema.excluded),
            "source_format": table.report.format,
            "encoding": table.report.encoding,
            "bad_lines": table.report.bad_line_count,
        },
        "warnings": warnings,
        "decisions": {**plan.reasons, **_decisions(trained, clusters)},
        "model_identification": _identification(info, progress.stopped),
        "training_dataset": {**rows, "target_column": ""},
        "feature_inventory": features,
        "training_configuration": _configuration(plan, progress.space_epochs, training),
        "training_metrics": training,
        "model_architecture": {"predictor_layers": 0, "predictor_parameters": 0, **d_model},
        "embedding_space": {
            "d_model": D_MODEL,
            "num_rows": plan.n_rows,
            "num_layers": BLOCKS + 2,
            "num_parameters": trained.parameters,
        },
        "model_quality": _model_quality(training, statistics, warnings, progress.stopped),
        "technical_details": {
            "framework": "JAX",
            "framework_version": jax.__version__,
            "pytorch_version": "not used",
            "device": jax.devices()[0].platform,
            "precision": "float32",
            "normalization": "unit norm",
            "loss_function": f"{JOINT_WEIGHT:g} joint (InfoNCE, temperature {TEMPERATURE:g}) + "
            f"{MARGINAL_WEIGHT:g} marginal + {SPREAD_WEIGHT:g} spread",
        },
        "provenance": {
            "created_at": str(info.get("created_at") or datetime.now(UTC).isoformat()),
            "training_duration_minutes": seconds / 60,
            "seed": plan.seed,
            "data_hash": data_hash,
            "version_info": {"jax": jax.__version__, "numpy": np.__version__},
        },
        "column_statistics": statistics,
        "data_processing_notes": [
            {
                "category": "excluded column",
                "severity": "LOW",
                "message": one.reason,
                "columns": [one.name],
            }
            for one in schema.excluded
        ],
        "what_is_this_model_good_for": GOOD_FOR,
    }
    return json_safe(card)


def json_safe(value: Any) -> Any:
    """Plain JSON values; numpy scalars unpacked, numbers that are not finite become 0."""
    if isinstance(value, dict):
        return {str(key): json_safe(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [json_safe(item) for item in value]
    if isinstance(value, np.generic):
        return json_safe(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return 0.0
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)


def _identification(info: dict[str, Any], stopped: bool) -> dict[str, Any]:
    created = str(info.get("created_at") or datetime.now(UTC).isoformat())
    return {
        "session_id": str(info.get("session_id") or ""),
        "job_id": str(info.get("job_id") or ""),
        "name": str(info.get("name") or "unnamed"),
        "target_column": "",
        "target_column_type": "",
        "compute_cluster": str(info.get("compute_cluster") or "local"),
        "training_date": created,
        "status": "stopped" if stopped else "done",
        "model_type": "Embedding Space",
        "framework": "JAX",
    }


def feature_facts(encoder: Any) -> dict[str, Any]:
    """What a card says about one column."""
    facts = encoder.describe()
    return {
        "name": encoder.name,
        "type": encoder.type,
        "detected_type": encoder.type,
        "encoder_type": encoder.kind,
        "encoding_strategy": facts.get("encoding_strategy", ""),
        "unique_values": facts.get("unique_values", 0),
        "sample_values": facts.get("sample_values", []),
        "statistics": facts.get("statistics", {}),
    }


def _columns(
    schema: Schema, features: list[dict[str, Any]], statistics: dict[str, Any]
) -> list[dict[str, Any]]:
    by_name = {feature["name"]: feature for feature in features}
    return [
        {
            "name": spec.name,
            "detected_type": spec.type,
            "reason": spec.reason,
            "encoding_strategy": by_name[spec.name]["encoding_strategy"],
            "null_rate": spec.null_rate,
            "unique_values": spec.n_unique,
            "statistics": by_name[spec.name]["statistics"],
            **statistics[spec.name],
        }
        for spec in schema.columns
    ]


def _column_statistics(trained: Trained) -> dict[str, Any]:
    result = {}
    for name, figures in trained.progress.best["columns"].items():
        bits = trained.entropy[name] / math.log(2)
        share = 100 * figures["mutual_information_bits"] / bits if bits else 0.0
        result[name] = {**figures, "predictability_pct": min(100.0, share)}
    return result


def _configuration(plan: Plan, epochs: int, training: dict[str, Any]) -> dict[str, Any]:
    return {
        "epochs_total": epochs,
        "epochs_planned": plan.epochs,
        "best_epoch": training["best_epoch"]["epoch"],
        "steps_per_epoch": plan.steps,
        "sphere_epochs": plan.sphere_epochs,
        "d_model": D_MODEL,
        "batch_size": plan.batch,
        "learning_rate": PEAK_RATE,
        "optimizer": f"AdamW, weight decay {WEIGHT_DECAY:g}, clipped at norm {CLIP_NORM:g}",
        "dropout_schedule": {"enabled": False, "initial": 0.0, "final": 0.0},
        "foundation_mode": plan.foundation,
        "seed": plan.seed,
    }


def _training(trained: Trained) -> dict[str, Any]:
    history = [one for one in trained.progress.history if one["phase"] == "space"]
    best, first, last = trained.progress.best, history[0], history[-1]
    drop = first["validation_loss"] - best["validation_loss"]
    return {
        "best_epoch": {
            "epoch": best["epoch"],
            "train_loss": best["loss"],
            "validation_loss": best["validation_loss"],
            "spread_loss": best["validation_spread_loss"],
            "joint_loss": best["validation_joint_loss"],
            "marginal_loss": best["validation_marginal_loss"],
        },
        "final_epoch": {
            "epoch": last["epoch"],
            "train_loss": last["loss"],
            "val_loss": last["validation_loss"],
        },
        "loss_progression": {
            "initial_train": first["loss"],
            "initial_val": first["validation_loss"],
            "improvement_pct": 100 * drop / max(abs(first["validation_loss"]), 1e-9),
        },
    }


def _quality_metrics(
    training: dict[str, Any], clusters: dict[str, Any], statistics: dict[str, Any]
) -> dict[str, Any]:
    best = clusters["by_k"][str(clusters["best_k"])]
    return {
        "validation_loss": training["best_epoch"]["validation_loss"],
        "improvement_pct": training["loss_progression"]["improvement_pct"],
        "mean_predictability_pct": _mean_predictability(statistics),
        "clusters": clusters["best_k"],
        "davies_bouldin": best["davies_bouldin"],
        "silhouette_score": best["silhouette_score"],
    }


def _mean_predictability(statistics: dict[str, Any]) -> float:
    shares = [one["predictability_pct"] for one in statistics.values()]
    return float(np.mean(shares)) if shares else 0.0


def _decisions(trained: Trained, clusters: dict[str, Any]) -> dict[str, str]:
    progress, plan = trained.progress, trained.plan
    best = progress.best["epoch"]
    end = f"ran the planned {plan.epochs} epochs"
    if progress.stopped:
        end = f"stopped by the user after epoch {progress.epoch}"
    elif progress.early:
        end = f"no better validation loss for {plan.patience} epochs"
    return {
        "training_end": end,
        "kept_epoch": f"epoch {best} had the lowest validation loss",
        "clusters": f"k = {clusters['best_k']} has the lowest Davies-Bouldin index "
        f"of {clusters['available_k']}",
    }


def _warnings(schema: Schema, trained: Trained) -> list[dict[str, Any]]:
    found = [*schema.warnings, *trained.warnings]
    if trained.progress.stopped:
        found.append(
            {
                "type": "STOPPED_EARLY",
                "severity": "LOW",
                "message": "The user stopped this training before its planned end.",
                "columns": [],
            }
        )
    return [
        {
            "details": {"columns": list(one.get("columns", ()))},
            "recommendation": one.get("recommendation", ""),
            **one,
        }
        for one in found
    ]


def _model_quality(
    training: dict[str, Any], statistics: dict[str, Any], warnings: list, stopped: bool
) -> dict[str, Any]:
    share = _mean_predictability(statistics)
    levels = ((40, "excellent"), (15, "good"), (4, "fair"))
    word = next((word for least, word in levels if share >= least), "poor")
    advice = []
    if stopped:
        advice.append({"issue": "stopped before its planned end", "suggestion": "train longer"})
    loose = [name for name, one in statistics.items() if one["predictability_pct"] < 1]
    if loose:
        advice.append(
            {
                "issue": f"unrelated to the other columns: {', '.join(loose[:10])}",
                "suggestion": "ignore them if they do not matter by themselves",
            }
        )
    return {
        "assessment": word,
        "assessment_reason": f"columns are {share:.0f} % predictable from the others on average",
        "recommendations": advice,
        "warnings": warnings,
        "training_quality_warning": "stopped by the user" if stopped else "",
    }
