"""The epochs of a training as lists, one entry an epoch."""

from __future__ import annotations

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
