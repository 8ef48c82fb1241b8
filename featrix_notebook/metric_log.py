"""A training log in columns: one row an epoch, appended while the training runs."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

SPACE, SPHERE, ENSEMBLE = 0.0, 1.0, 2.0
"""The phase of a row as a number: the embedding, or a predictor's network, is trained; then the
embedding's 3D sphere is fitted, or further members join the network."""

_PHASES = {"space": SPACE, "sphere": SPHERE, "network": SPACE, "ensemble": ENSEMBLE}

# Other names for the same thing: the protocol's metric lists, and what people call them in logs.
_ALIASES = {
    "epochs": "epoch", "epoch_idx": "epoch",
    "global_step": "step", "iteration": "step", "iterations": "step",
    "elapsed": "time", "seconds": "time", "elapsed_seconds": "time", "timestamp": "time_now",
    "train_loss": "loss", "training_loss": "loss",
    "val_loss": "validation_loss", "valid_loss": "validation_loss", "eval_loss": "validation_loss",
    "lr": "learning_rate", "grad_norm": "gradient_norm",
}  # fmt: skip

_KNOWN = frozenset(_ALIASES.values()) | {
    "phase", "steps", "duration", "joint_loss", "marginal_loss", "spread_loss", "sphere_loss",
}  # fmt: skip

# What an epoch report says about the run as a whole, and not about its epoch.
_OF_THE_RUN = frozenset(
    {
        "total_epochs",
        "phase_epoch",
        "phase_epochs",
        "best_epoch",
        "seconds_left",
        "job_id",
        "columns",
    }
)


def canonical(name: str) -> str:
    """The name under which a column of a log is kept: ``val_loss`` -> ``validation_loss``."""
    plain = name.strip().lower().replace(" ", "_")
    return plain if plain in _KNOWN else _ALIASES.get(plain, name)


def number(value: Any) -> float:
    """A value as a float; NaN for None and for whatever is no number."""
    if isinstance(value, (bool, int, float, np.number)):
        return float(value)
    return math.nan


class MetricLog:
    """Rows of named numbers, ordered by ``epoch``.

    A training that was interrupted repeats its last epochs when it goes on: a row of an epoch that
    is known already replaces that row and whatever follows it.

    Attributes
    ----------
    version
        Rises when rows or columns that were there before have changed, so that whoever has copied
        the first n rows knows whether they still hold.
    """

    def __init__(self) -> None:
        self.version = 0
        self._columns: dict[str, array[float]] = {"epoch": array("d")}

    def __len__(self) -> int:
        return len(self._columns["epoch"])

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns; ``epoch`` is the first."""
        return tuple(self._columns)

    def column(self, name: str) -> NDArray[np.float64]:
        """A copy of one column, NaN where it has no value."""
        return np.array(self._columns[name], dtype=np.float64)

    def add(self, report: Mapping[str, Any]) -> bool:
        """Append one epoch; return whether anything changed.

        Parameters
        ----------
        report
            An epoch report, or any mapping with ``epoch`` and numbers. Text and nested values are
            left out, except ``phase``.
        """
        row = self._row(report)
        epoch = row.get("epoch", math.nan)
        if not math.isfinite(epoch):
            return False
        for name in row:
            if name not in self._columns:
                self._columns[name] = array("d", [math.nan] * len(self))
                self.version += 1
        at = int(np.searchsorted(np.frombuffer(self._columns["epoch"]), epoch)) if len(self) else 0
        values = [row.get(name, math.nan) for name in self._columns]
        if at < len(self):
            if all(
                old[at] == new or (math.isnan(old[at]) and math.isnan(new))
                for old, new in zip(self._columns.values(), values, strict=True)
            ):
                return False
            for column in self._columns.values():
                del column[at:]
            self.version += 1
        for column, value in zip(self._columns.values(), values, strict=True):
            column.append(value)
        return True

    @staticmethod
    def _row(report: Mapping[str, Any]) -> dict[str, float]:
        row: dict[str, float] = {}
        for name, value in report.items():
            if name in _OF_THE_RUN:
                continue
            if name == "phase":
                row["phase"] = _PHASES.get(value, number(value))
            elif value is None or isinstance(value, (bool, int, float, np.number)):
                row[canonical(str(name))] = number(value)
        return row

    def block(self, start: int = 0) -> NDArray[np.float64]:
        """Rows from `start` on, as an array (rows, columns)."""
        return np.column_stack(
            [np.array(c[start:], dtype=np.float64) for c in self._columns.values()]
        )
