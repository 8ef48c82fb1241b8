"""What a training will do, decided before it starts, each decision with its reason."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from .batches import batch_size
from .programs import VALIDATION_CHUNK

FOUNDATION_ROWS = 200_000
FOUNDATION_STEPS = 64
MAX_EPOCHS = 250
PEAK_RATE = 2e-3
WARM_UP = 0.05
SPHERE_EPOCHS = 10


@dataclass(frozen=True)
class TrainOptions:
    """What a caller may ask of a training.

    Attributes
    ----------
    epochs
        Epochs of the embedding; None (or 0): decided from the size of the table.
    seed
        Same table, same seed, same machine: same model.
    foundation_mode
        Read rows from disk as they are needed instead of holding the table; None: above
        200,000 rows.
    """

    epochs: int | None = None
    seed: int = 0
    foundation_mode: bool | None = None


@dataclass(frozen=True)
class Plan:
    """Sizes and lengths of one training; ``reasons`` says why, in words for the model card."""

    seed: int
    n_rows: int
    n_train: int
    foundation: bool
    batch: int
    steps: int
    epochs: int
    sphere_epochs: int
    sphere_steps: int
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def n_validation(self) -> int:
        """Rows held out."""
        return self.n_rows - self.n_train

    @property
    def patience(self) -> int:
        """Epochs without a better validation loss after which training stops."""
        return max(10, math.ceil(0.08 * self.epochs))

    def split(self) -> tuple[np.ndarray, np.ndarray]:
        """Row numbers of the training and the validation rows, each rising."""
        order = np.random.default_rng([self.seed, 0]).permutation(self.n_rows)
        return np.sort(order[: self.n_train]), np.sort(order[self.n_train :])

    def validation_sample(self, rows: np.ndarray) -> np.ndarray:
        """The validation rows measured each epoch."""
        limit = VALIDATION_CHUNK * self.batch
        if len(rows) <= limit:
            return rows
        rng = np.random.default_rng([self.seed, 1])
        return np.sort(rng.choice(rows, limit, replace=False))

    def rate(self, step: int) -> float:
        """Learning rate of a step: linear warm-up, then half a cosine down to 1 % of the peak."""
        total = self.epochs * self.steps
        warm = max(1, round(WARM_UP * total))
        if step < warm:
            return PEAK_RATE * (step + 1) / warm
        way = (step - warm) / max(total - warm, 1)
        return PEAK_RATE * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * way)))


def make_plan(n_rows: int, options: TrainOptions) -> Plan:
    """Decide the sizes and lengths of a training of ``n_rows`` rows."""
    n_train = n_rows - max(round(0.2 * n_rows), min(20, n_rows // 2))
    forced = options.foundation_mode
    foundation = n_rows > FOUNDATION_ROWS if forced is None else forced
    batch = batch_size(n_train)
    steps = FOUNDATION_STEPS if foundation else max(1, n_train // batch)
    budget = _budget(n_train)
    epochs = options.epochs or min(MAX_EPOCHS, math.ceil(budget / steps))
    sphere_steps = int(np.clip(n_rows // 4, 150, 3_000))
    reasons = {
        "split": f"{n_train} rows to train, {n_rows - n_train} held out (80/20, seeded)",
        "batch_size": f"{batch} rows a step, for {n_train} training rows",
        "epochs": f"{epochs} epochs asked for"
        if options.epochs
        else f"{budget} steps for {n_train} training rows, {steps} steps an epoch, "
        f"at most {MAX_EPOCHS} epochs",
        "foundation_mode": "asked for"
        if forced
        else "declined by the caller"
        if forced is False
        else f"{n_rows} rows, {'above' if foundation else 'at most'} {FOUNDATION_ROWS:,}",
        "sphere": f"{sphere_steps} steps in {SPHERE_EPOCHS} epochs for {n_rows} rows, "
        "after the embedding is fixed",
    }
    return Plan(
        options.seed, n_rows, n_train, foundation, batch, steps, epochs,
        SPHERE_EPOCHS, sphere_steps // SPHERE_EPOCHS, reasons,
    )  # fmt: skip


def _budget(n_train: int) -> int:
    """Steps worth taking; on tables of 1,300 to 54,000 rows longer plans gained nothing."""
    return int(np.clip(0.3 * n_train, 150, 1_000))
