"""What training tells about each epoch."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from .batches import Layout
from .losses import total_loss

Decision = Literal["continue", "pause", "stop"]
"""What an epoch's listener wants: go on; write a checkpoint and return; finish early."""


@dataclass(frozen=True)
class EpochReport:
    """One epoch. All numbers are finite.

    Attributes
    ----------
    epoch, total_epochs
        1-based, counting both phases; epoch 0 is the untrained model. The total shrinks when
        training stops early.
    phase
        ``"space"`` trains the embedding; then ``"sphere"`` trains the 3D head on the fixed
        embedding of the best epoch, whose losses are repeated.
    phase_epoch, phase_epochs
        The same count within the phase: the embedding's epochs are the ones a caller asks for.
    loss, joint_loss, marginal_loss, spread_loss
        Mean over the epoch's training rows; ``loss`` is the exact weighted sum of the parts
        (see ``losses.total_loss``). The ``validation_`` ones: the held-out rows, always under
        the same hidden columns.
    learning_rate, gradient_norm
        Of the last step; mean over steps, before clipping, and None where the 3D head is trained.
    duration, time_now
        Seconds; unix time.
    seconds_left
        Estimate to the end of the last epoch, from the pace so far; None until a pace is known.
    steps
        Optimiser steps of this epoch.
    best_epoch
        Epoch with the lowest validation loss so far.
    columns
        ``{name: {"marginal_loss": nats, "mutual_information_bits": bits}}`` on held-out rows:
        the column predicted from the others, and what they tell about it.
    sphere_loss
        Loss of the 3D head, where it was trained.
    """

    epoch: int
    total_epochs: int
    phase: Literal["space", "sphere"]
    phase_epoch: int
    phase_epochs: int
    loss: float
    validation_loss: float
    joint_loss: float
    marginal_loss: float
    spread_loss: float
    validation_joint_loss: float
    validation_marginal_loss: float
    validation_spread_loss: float
    learning_rate: float
    gradient_norm: float | None
    duration: float
    steps: int
    time_now: float
    best_epoch: int
    seconds_left: float | None
    columns: dict[str, dict[str, float]] = field(default_factory=dict)
    sphere_loss: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The report, safe for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> EpochReport:
        """Restore what :meth:`to_dict` gave."""
        return cls(**data)


class Pace:
    """Seconds a unit of work takes, as measured in this process.

    The first measurement is left out: in it, programs were compiled or loaded from disk.
    """

    def __init__(self) -> None:
        self._warm = False
        self._seen: deque[float] = deque(maxlen=5)

    def add(self, seconds: float) -> None:
        """Take in one measurement."""
        if self._warm:
            self._seen.append(seconds)
        self._warm = True

    def seconds(self, units: int) -> float | None:
        """Time that so many units will take; None if that cannot be told yet."""
        if not units:
            return 0.0
        return units * float(np.median(self._seen)) if self._seen else None


class Tally:
    """Sums of the compiled programs, added up over an epoch in float64."""

    def __init__(self) -> None:
        self.sums: dict[str, np.ndarray] = {}

    def add(self, sums: dict[str, Any]) -> None:
        """Add the sums of one chunk (the largest counts for gradients of columns)."""
        for name, value in sums.items():
            new = np.asarray(value, np.float64)
            old = self.sums.get(name, np.zeros_like(new))
            self.sums[name] = np.maximum(old, new) if name == "column_gradient" else old + new

    def losses(self) -> dict[str, float]:
        """``loss`` and its parts, means over rows."""
        weight = max(float(self.sums["weight"]), 1.0)
        parts = {name: float(self.sums[name]) / weight for name in ("joint", "marginal", "spread")}
        return {
            "loss": total_loss(**parts),
            **{f"{name}_loss": value for name, value in parts.items()},
        }

    def columns(self, layout: Layout, entropy: dict[str, float]) -> dict[str, dict[str, float]]:
        """Mean cross-entropy of each column, and the bits its entropy exceeds that by."""
        result = {}
        for name, at in layout.position.items():
            count = float(self.sums["column_count"][at])
            loss = float(self.sums["column_loss"][at]) / count if count else entropy[name]
            bits = max(0.0, (entropy[name] - loss) / math.log(2))
            result[name] = {"marginal_loss": loss, "mutual_information_bits": bits}
        return result


def column_entropy(layout: Layout, targets: np.ndarray) -> dict[str, float]:
    """Entropy in nats of each column's target ids (n, columns)."""
    result = {}
    for name, at in layout.position.items():
        ids = targets[:, at]
        counts = np.bincount(ids[ids >= 0]) if (ids >= 0).any() else np.ones(1)
        share = counts[counts > 0] / counts.sum()
        result[name] = float(-(share * np.log(share)).sum())
    return result
