"""The epochs of a training as lists, one entry an epoch; what is known of a predictor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sqlalchemy import select

from featrix_server.db import Database, JobRow, MetricRow

_RENAMED = {
    "epoch": "epochs",
    "loss": "train_loss",
    "validation_loss": "val_loss",
}


def epoch_reports(database: Database, job: JobRow | None) -> list[dict[str, Any]]:
    """Return the reports of a job's epochs (``EpochReport.to_dict()``), first epoch first."""
    if job is None:
        return []
    query = select(MetricRow.payload).where(MetricRow.job_id == job.id).order_by(MetricRow.epoch)
    with database.read() as session:
        return list(session.scalars(query))


_SCORES = ("accuracy", "roc_auc", "pr_auc", "f1", "r2", "rmse", "mae")


def predictor_metrics(folder: Path, target: str, reports: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what is known of a predictor, while it is trained and afterwards.

    Parameters
    ----------
    folder
        The predictor's folder.
    target
        The column it predicts.
    reports
        Of its epochs.

    Returns
    -------
    dict
        ``target_column``; ``training_info``, one entry an epoch; once a training is finished also
        ``final_metrics``, ``test_metrics``, ``threshold``, ``calibration``, ``curves`` (what
        figures are drawn from, of the checkpoint that answers by default) and ``checkpoints``,
        from the engine's ``metrics.json``.
    """
    found: dict[str, Any] = {
        "target_column": target,
        "training_info": [_training_info(report) for report in reports],
    }
    path = folder / "metrics.json"
    if path.exists():
        kept = json.loads(path.read_text("utf-8"))
        found |= {name: value for name, value in kept.items() if name != "history"}
    return found


def _training_info(report: dict[str, Any]) -> dict[str, Any]:
    scores = {name: report[name] for name in _SCORES if report.get(name) is not None}
    if "roc_auc" in scores:
        scores["auc"] = scores["roc_auc"]
    taken = ("loss", "validation_loss", "phase", "member", "gradient_norm", "duration", "time_now")
    return {
        "epoch_idx": report["epoch"] - 1,
        **{name: report.get(name) for name in taken},
        "hyperparameters": {"learning_rate": report.get("learning_rate")},
        "metrics": scores,
    }


def metric_lists(reports: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return one list a figure, all of the same length; None where a report lacks it.

    Every plain figure of the reports is there under its own name (``joint_loss``,
    ``validation_joint_loss``, ``duration``, ``phase``...), the first three under the protocol's:
    ``epochs``, ``train_loss``, ``val_loss``. Learning rates are positive or None, since charts
    show them on a logarithmic axis.
    """
    names = dict.fromkeys(
        name
        for report in reports
        for name, value in report.items()
        if not isinstance(value, dict | list)
    )
    names |= dict.fromkeys(("epoch", "loss", "validation_loss", "learning_rate", "gradient_norm"))
    lists = {_RENAMED.get(name, name): [report.get(name) for report in reports] for name in names}
    lists["learning_rate"] = [
        rate if rate and rate > 0 else None for rate in lists["learning_rate"]
    ]
    return lists


def metric_series(database: Database, job: JobRow | None) -> dict[str, Any]:
    """Return validation loss and learning rate as lists of ``{"epoch", "value"}``."""
    lists = metric_lists(epoch_reports(database, job))
    return {
        "validation_loss": as_series(lists["epochs"], lists["val_loss"]),
        "learning_rate": as_series(lists["epochs"], lists["learning_rate"]),
    }


def as_series(epochs: list[int], values: list[float | None]) -> list[dict[str, Any]]:
    """Pair epochs with values, without the missing ones."""
    return [
        {"epoch": epoch, "value": value}
        for epoch, value in zip(epochs, values, strict=True)
        if value is not None
    ]


def column_lists(reports: list[dict[str, Any]]) -> dict[str, dict[str, list[Any]]]:
    """Return for each column its figures as lists, one entry an epoch, None where unknown."""
    figures = {
        (column, name)
        for report in reports
        for column, values in report.get("columns", {}).items()
        for name in values
    }
    lists: dict[str, dict[str, list[Any]]] = {}
    for column, name in sorted(figures):
        lists.setdefault(column, {})[name] = [
            report.get("columns", {}).get(column, {}).get(name) for report in reports
        ]
    return lists
