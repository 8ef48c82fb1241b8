"""A predictor's model card: both vocabularies, as in the card of an embedding space."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import jax
import lightgbm
import numpy as np

from ..artefacts import data_hash
from ..card import feature_facts, json_safe
from ..network import D_MODEL
from ..programs import CLIP_NORM, WEIGHT_DECAY
from .blend import LEAST_WEIGHT, summary
from .data import LabelledData
from .ensemble import Variant
from .network import BATCH, DROPOUT, MEMBERS, WIDTH
from .network_training import PEAK_RATE
from .options import PredictorOptions
from .target import Target, warning

OPTIMISM = (
    "measured on the rows that also chose checkpoints, weights, calibration and threshold, so it "
    "leans optimistic"
)


def build_card(
    data: LabelledData,
    target: Target,
    options: PredictorOptions,
    variants: dict[str, Variant],
    default: str,
    settings: dict[str, dict[str, Any]],
    history: list[dict[str, Any]],
    reasons: dict[str, str],
    info: dict[str, Any],
) -> dict[str, Any]:
    """The card of a finished predictor.

    Parameters
    ----------
    data, target, options
        What was learned from, and what was asked for.
    variants, default
        The ensembles, and the one that answers by default.
    settings, history, reasons
        What the members' trials found, the network's reports, and why things were decided.
    info
        ``session_id``, ``job_id``, ``name``, ``created_at``, ``compute_cluster``.
    """
    variant = variants[default]
    warnings = [*_warnings(data, target, variant)]
    warnings = [
        {"details": {"columns": one["columns"]}, "recommendation": "", **one} for one in warnings
    ]
    configuration = _configuration(variant, history, options)
    training = _training(data, variant, history)
    features = [feature_facts(encoder) for encoder in data.features.layout.encoders]
    rows = {
        "train_rows": len(data) - len(data.division.valid) - len(data.division.test)
        if len(data.division.folds) == 1
        else len(data) - len(data.division.test),
        "val_rows": len(data.division.valid),
        "test_rows": len(data.division.test),
        "total_rows": len(data),
        "total_features": len(features),
        "feature_names": list(data.features.columns),
        "target_column": options.target_column,
    }
    card = {
        "columns": features,
        "excluded_columns": [
            {"name": options.target_column, "code": "target", "reason": "hidden: it is predicted"}
        ],
        "training_config": configuration,
        "quality_metrics": {
            "metrics": variant.metrics,
            "note": OPTIMISM,
            "test_metrics": variant.test_metrics,
            "test_note": "by the folds' own models, on rows that chose nothing; the members that "
            "answer were then fitted on all rows",
        },
        "calibration": variant.calibration,
        "data_summary": {
            **rows,
            "class_counts": dict(zip(data.classes, target.summary.counts, strict=True)),
        },
        "warnings": warnings,
        "decisions": _decisions(variants, default, reasons, target, options),
        "ensemble": {
            name: {"weights": summary(one.weights), "network_epoch": one.epoch}
            for name, one in variants.items()
        } | {"settings": settings},
        "model_identification": _identification(data, options, info),
        "training_dataset": rows,
        "feature_inventory": features,
        "training_configuration": configuration,
        "training_metrics": training,
        "best_epochs": {
            # The rows of one split rank by R2 as by RMSE, and R2 is what renderers look for.
            "best_r2" if name == "rmse" else f"best_{name}": {
                "epoch": one.epoch, "metrics": one.metrics, **_display(one.metrics),
            }
            for name, one in variants.items()
        },
        "class_imbalance": options.class_imbalance or {},
        "model_architecture": {
            "predictor_layers": 0 if data.few else 3,
            "predictor_parameters": 0 if data.few else _parameters(data),
            "embedding_space_d_model": D_MODEL,
            "members": sorted(variant.weights),
        },
        "model_quality": _quality(data, variant, warnings),
        "technical_details": {
            "framework": "JAX and LightGBM",
            "framework_version": jax.__version__,
            "pytorch_version": "not used",
            "device": jax.devices()[0].platform,
            "precision": "float32",
            "normalization": "quantile codes and standardised values",
            "loss_function": "cross-entropy" if data.n_classes else "squared error, standardised",
        },
        "provenance": {
            "created_at": _created(info),
            "training_duration_minutes": sum(one["duration"] for one in history) / 60,
            "seed": options.seed,
            "data_hash": data_hash(target.source.path),
            "version_info": {
                "jax": jax.__version__,
                "lightgbm": lightgbm.__version__,
                "numpy": np.__version__,
            },
        },
    }  # fmt: skip
    return json_safe(card)


def _created(info: dict[str, Any]) -> str:
    return str(info.get("created_at") or datetime.now(UTC).isoformat())


def _identification(
    data: LabelledData, options: PredictorOptions, info: dict[str, Any]
) -> dict[str, Any]:
    return {
        "session_id": str(info.get("session_id") or ""),
        "job_id": str(info.get("job_id") or ""),
        "name": str(info.get("name") or options.target_column),
        "target_column": options.target_column,
        "target_column_type": options.target_type,
        "compute_cluster": str(info.get("compute_cluster") or "local"),
        "training_date": _created(info),
        "status": "done",
        "model_type": "Single Predictor",
        "framework": "JAX and LightGBM",
        "num_classes": data.n_classes,
        "class_labels": list(data.classes),
    }


def _configuration(
    variant: Variant, history: list[dict[str, Any]], options: PredictorOptions
) -> dict[str, Any]:
    return {
        "epochs_total": len(history),
        "best_epoch": variant.epoch,
        "d_model": D_MODEL,
        "batch_size": BATCH if history else 0,
        "learning_rate": PEAK_RATE if history else 0.0,
        "optimizer": f"AdamW, weight decay {WEIGHT_DECAY:g}, clipped at norm {CLIP_NORM:g}",
        "dropout_schedule": {"enabled": bool(history), "initial": DROPOUT, "final": DROPOUT},
        "options": asdict(options),
        "seed": options.seed,
    }


def _training(
    data: LabelledData, variant: Variant, history: list[dict[str, Any]]
) -> dict[str, Any]:
    metrics = variant.metrics
    result: dict[str, Any] = {}
    if history:
        first, last = history[0], history[-1]
        best = next(one for one in history if one["epoch"] == variant.epoch)
        drop = first["validation_loss"] - best["validation_loss"]
        result = {
            "best_epoch": {
                "epoch": variant.epoch,
                "train_loss": best["loss"],
                "validation_loss": best["validation_loss"],
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
    if not data.n_classes:
        return {**result, "regression_metrics": metrics}
    result["classification_metrics"] = {
        **{name: metrics[name] for name in ("accuracy", "precision", "recall", "f1", "auc")},
        "is_binary": data.n_classes == 2,
    }
    result["argmax_metrics"] = metrics["argmax"]
    if variant.threshold:
        result["optimal_threshold"] = {
            "optimal_threshold": variant.threshold.value,
            "theoretical_threshold": variant.threshold.theory,
            "pos_label": data.classes[1],
            "optimal_threshold_f1": metrics["f1"],
            "accuracy_at_optimal_threshold": metrics["accuracy"],
            "reason": variant.threshold.reason,
        }
    return result


def _display(metrics: dict[str, Any]) -> dict[str, Any]:
    """The scores of a checkpoint in the words that renderers of cards read."""
    scores = {name: {"value": score} for name, score in metrics.items() if isinstance(score, float)}
    if "r2" in metrics:
        return {"regression_display_metadata": {"regression_metrics": scores}}
    shown: dict[str, Any] = {"classification_metrics": scores}
    if len(metrics["confusion_matrix"]) == 2:
        (tn, fp), (fn, tp) = metrics["confusion_matrix"]
        shown["confusion_matrix"] = {"tp": tp, "fp": fp, "fn": fn, "tn": tn}
    return {"classification_display_metadata": shown}


def _parameters(data: LabelledData) -> int:
    shape = data.features.layout.shape
    return (
        shape.columns * 16 * WIDTH + WIDTH * WIDTH + MEMBERS * WIDTH * (5 + max(data.n_classes, 1))
    )


def _decisions(
    variants: dict[str, Variant],
    default: str,
    reasons: dict[str, str],
    target: Target,
    options: PredictorOptions,
) -> dict[str, str]:
    variant = variants[default]
    found = dict(reasons)
    found["target"] = f"{target.summary.kind}: {target.summary.labelled:,} labelled rows"
    found["weights"] = (
        "equal"
        if len(set(variant.weights.values())) == 1
        else "of the likeliest mix of validation answers, held towards a prior; members under "
        f"{LEAST_WEIGHT:.0%} are left out"
    )
    if variant.epoch:
        found["kept_epoch"] = f"epoch {variant.epoch} has the best {default} on validation rows"
    if variant.threshold:
        found["threshold"] = variant.threshold.reason
        chosen = "asked for" if options.rare_label_value is not None else "the less frequent label"
        found["positive_class"] = f"{target.summary.positive!r}: {chosen}"
    if target.summary.kind != "regression":
        found["calibration"] = variant.temperature.reason
        found["prior_correction"] = (
            "to the class shares given" if options.class_imbalance else "none: no shares were given"
        )
    else:
        limits = {name: round(far, 3) for name, far in variant.leash.limits.items()}
        found["leash"] = f"members kept this near the trees, in standard deviations: {limits}"
        found["intervals"] = (
            "90 % split-conformal on validation rows, wider where errors are larger"
        )
    return found


def _warnings(data: LabelledData, target: Target, variant: Variant) -> list[dict[str, Any]]:
    found = list(target.summary.warnings)
    name = data.features.target
    metrics = variant.metrics
    if metrics.get("roc_auc", 0) > 0.999 or metrics.get("r2", 0) > 0.9999:
        text = f"{name!r} is predicted almost without error; a column may have been made from it"
        found.append(warning("POSSIBLE_LEAK", "HIGH", text, _copies(data)))
    if metrics.get("roc_auc", 1) < 0.6 or metrics.get("r2", 1) < 0.1:
        text = f"the columns tell little about {name!r}"
        found.append(warning("WEAK_PREDICTOR", "HIGH", text, [name]))
    return found


def _copies(data: LabelledData) -> list[str]:
    """Columns whose every value goes with one label alone."""
    copies = []
    targets = data.inputs.rows.targets
    for name, at in data.features.layout.position.items():
        ids = targets[:, at]
        known = ids >= 0
        if known.mean() < 0.5 or not data.n_classes:
            continue
        pairs = np.unique(np.stack([ids[known], data.y[known]]), axis=1)
        if pairs.shape[1] == len(np.unique(ids[known])) <= 0.1 * len(data):
            copies.append(name)
    return copies


def _quality(
    data: LabelledData, variant: Variant, warnings: list[dict[str, Any]]
) -> dict[str, Any]:
    metrics = variant.test_metrics or variant.metrics
    score = metrics["roc_auc"] if data.n_classes else metrics["r2"]
    levels = (0.9, 0.8, 0.65) if data.n_classes else (0.8, 0.5, 0.2)
    words = ("excellent", "good", "fair")
    word = next((word for word, least in zip(words, levels, strict=True) if score >= least), "poor")
    advice = []
    if data.few:
        advice.append({"issue": f"{len(data)} labels", "suggestion": "label more rows"})
    if word == "poor":
        advice.append({"issue": "weak scores", "suggestion": "add columns that bear on the target"})
    kind = "ROC-AUC" if data.n_classes else "R2"
    return {
        "assessment": word,
        "assessment_reason": f"{kind} {score:.3f}",
        "recommendations": advice,
        "warnings": warnings,
        "training_quality_warning": "; ".join(
            one["message"] for one in warnings if one["severity"] == "HIGH"
        ),
    }
