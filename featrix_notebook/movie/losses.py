"""The curve beside a movie: a log's rows, cut down to what is drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import requests
from numpy.typing import NDArray

from featrix_notebook.frames import NOT_YET
from featrix_notebook.live import RunFeed
from featrix_notebook.metric_log import SPHERE, MetricLog
from featrix_notebook.widgets.dashboard import sources

_LOSSES = ("loss", "validation_loss")
_NO_CURVES = frozenset(
    {"epoch", "phase", "step", "steps", "time", "duration", "time_now", "learning_rate"}
)
_MOST_CURVES = 3


@dataclass(frozen=True)
class Losses:
    """Curves by epoch.

    Attributes
    ----------
    names
        The columns of ``rows``; ``epoch`` is the first.
    rows
        float64 (epochs, columns), NaN where unknown. Only epochs that train the embedding: the
        3D sphere that is fitted afterwards has a loss of its own.
    sphere_from
        The first epoch in which only the sphere was fitted, or None.
    best_epoch
        The epoch whose weights were kept, where it is known.
    """

    names: tuple[str, ...] = ("epoch",)
    rows: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 1)))
    sphere_from: int | None = None
    best_epoch: int | None = None

    def series(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Epochs and values of a column, where it has a value."""
        values = self.rows[:, self.names.index(name)]
        there = np.isfinite(values)
        return self.rows[there, 0], values[there]

    def at(self, epoch: float) -> dict[str, float]:
        """The value of each curve at the last row up to an epoch; empty before the first."""
        before = np.flatnonzero(self.rows[:, 0] <= epoch)
        if not before.size:
            return {}
        row = self.rows[before[-1]]
        return {
            name: float(value)
            for name, value in zip(self.names[1:], row[1:], strict=True)
            if math.isfinite(value)
        }


def from_log(log: MetricLog, best_epoch: int | None = None) -> Losses:
    """The curves of a log: its losses, or where it has none the first few of its columns."""
    if not len(log):
        return Losses()
    filled = [name for name in log.columns if np.isfinite(log.column(name)).any()]
    names = [name for name in _LOSSES if name in filled]
    names = names or [name for name in filled if name not in _NO_CURVES][:_MOST_CURVES]
    epochs = log.column("epoch")
    sphere = log.column("phase") == SPHERE if "phase" in log.columns else np.zeros(len(log), bool)
    rows = np.column_stack([epochs, *(log.column(name) for name in names)])[~sphere]
    start = int(epochs[sphere][0]) if sphere.any() else None
    return Losses(("epoch", *names), rows, start, best_epoch)


def of_model(model: Any) -> Losses:
    """The curves of a model, as it tells them now; none where it cannot tell."""
    if not callable(getattr(model, "get_training_metrics", None)):
        return Losses()
    feed = RunFeed(model)
    try:
        feed.read_lists(model.get_training_metrics() or {})
    except requests.HTTPError as error:
        if getattr(error.response, "status_code", None) not in NOT_YET:
            raise
    return from_log(feed.log, feed.info.best_epoch)


def of_payload(payload: Mapping[str, Any]) -> Losses:
    """The validation loss that may come along with the JSON form of a movie."""
    told = (payload.get("training_metrics") or {}).get("validation_loss") or ()
    log = MetricLog()
    for entry in told:
        log.add({"epoch": entry.get("epoch"), "validation_loss": entry.get("value")})
    return from_log(log)


def given(values: Any, epochs: NDArray[np.int32]) -> Losses:
    """The curves a caller gave: one loss a frame, or a log as `TrainingDashboard` takes it.

    Raises
    ------
    ValueError
        When there is not one loss a frame, nor one for each frame but the untrained first.
    """
    if isinstance(values, (pd.DataFrame, Mapping)):
        columns: Any = {str(key): list(column) for key, column in values.items()}
        lengths = {len(column) for column in columns.values()}
        if not {"epoch", "epochs"} & set(columns) and len(lengths) == 1:
            columns["epoch"] = _epochs_for(lengths.pop(), epochs)
    else:
        numbers = list(np.asarray(values, dtype=np.float64).ravel())
        columns = {"loss": numbers, "epoch": _epochs_for(len(numbers), epochs)}
    (source,) = sources(columns)
    return from_log(source.log)


def _epochs_for(count: int, epochs: NDArray[np.int32]) -> list[int]:
    for known in (epochs, epochs[1:]):
        if count == len(known):
            return [int(epoch) for epoch in known]
    raise ValueError(
        f"There are {len(epochs)} frames, but {count} losses. Give one a frame (or leave out the "
        "first), or a table with the columns 'epoch' and 'loss'."
    )
