"""What training a predictor tells about each epoch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class PredictorReport:
    """One epoch. All numbers are finite; None where a score does not apply.

    Attributes
    ----------
    epoch, total_epochs
        1-based, counting both phases.
    phase
        ``"network"`` trains the network, then ``"ensemble"`` adds one further member an epoch.
    member
        Who was trained.
    loss, validation_loss
        Log-loss, or mean squared error of the standardised target: of the training rows as they
        were met (None in the ensemble phase), and of rows the member has not seen (ensemble: of
        all members so far, equally weighted).
    roc_auc, pr_auc, accuracy, f1
        Of classes, on validation rows, the likeliest class being predicted.
    r2, rmse, mae
        Of numbers, on validation rows, in the target's units.
    learning_rate, gradient_norm, duration, steps, time_now, best_epoch, seconds_left
        As in :class:`~..report.EpochReport`; in the ensemble phase there is neither a rate nor
        a gradient.
    """

    epoch: int
    total_epochs: int
    phase: Literal["network", "ensemble"]
    member: str
    loss: float | None
    validation_loss: float
    learning_rate: float | None
    gradient_norm: float | None
    duration: float
    steps: int
    time_now: float
    best_epoch: int
    seconds_left: float
    roc_auc: float | None = None
    pr_auc: float | None = None
    accuracy: float | None = None
    f1: float | None = None
    r2: float | None = None
    rmse: float | None = None
    mae: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The report, safe for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> PredictorReport:
        """Restore what :meth:`to_dict` gave."""
        return cls(**data)
