"""Watching gradients: steps that were not finite, and columns whose gradients explode."""

from __future__ import annotations

from typing import Any

import numpy as np

from .batches import Layout

EXPLODES = 100.0
"""Times the median column's gradient that counts as exploding."""
EPOCHS = 3


class GradientWatch:
    """Counts bad steps a column over a training."""

    def __init__(self, layout: Layout) -> None:
        self._position = layout.position
        self._bad_steps = 0
        self._bad_columns: dict[str, int] = {}
        self._exploding: dict[str, int] = {}

    def see(self, sums: dict[str, np.ndarray]) -> None:
        """Look at the sums of one epoch."""
        self._bad_steps += int(sums["bad_steps"])
        places = list(self._position.values())
        usual = float(np.median(sums["column_gradient"][places]))
        for name, at in self._position.items():
            if sums["bad_columns"][at]:
                self._bad_columns[name] = self._bad_columns.get(name, 0) + int(
                    sums["bad_columns"][at]
                )
            if sums["column_gradient"][at] > EXPLODES * max(usual, 1e-6):
                self._exploding[name] = self._exploding.get(name, 0) + 1

    def state(self) -> dict[str, Any]:
        """The counts, safe for JSON."""
        return {
            "bad_steps": self._bad_steps,
            "bad_columns": self._bad_columns,
            "exploding": self._exploding,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up counts that :meth:`state` gave."""
        self._bad_steps = state["bad_steps"]
        self._bad_columns = dict(state["bad_columns"])
        self._exploding = dict(state["exploding"])

    def warnings(self) -> list[dict[str, Any]]:
        """Warnings for the model card: type, severity, message, columns."""
        found = []
        if self._bad_steps:
            columns = sorted(self._bad_columns)
            whose = f" in {', '.join(columns)}" if columns else ""
            found.append(
                {
                    "type": "NON_FINITE_GRADIENT",
                    "severity": "HIGH",
                    "message": f"{self._bad_steps} training steps had a gradient that was not "
                    f"finite{whose}; they changed nothing.",
                    "columns": columns,
                }
            )
        found += [
            {
                "type": "EXPLODING_GRADIENT",
                "severity": "MODERATE",
                "message": f"Gradients of column {name!r} were over {EXPLODES:g} times those of "
                f"the median column in {epochs} epochs.",
                "columns": [name],
            }
            for name, epochs in sorted(self._exploding.items())
            if epochs >= EPOCHS
        ]
        return found
