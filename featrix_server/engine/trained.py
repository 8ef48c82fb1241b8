"""What is known of a training once its weights are chosen: the source of artefacts and card."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from .batches import Layout
from .plan import Plan


@dataclass
class Progress:
    """All of a training's state that is no array."""

    space_epochs: int  # planned, or taken once the embedding is finished
    phase: str = "space"
    epoch: int = -1  # last finished; 0 is the untrained model
    step: int = 0
    stopped: bool = False
    early: bool = False
    best: dict[str, Any] = field(default_factory=dict)  # report of the best epoch
    history: list[dict[str, Any]] = field(default_factory=list)  # reports without columns
    watch: dict[str, Any] = field(default_factory=dict)


class Trained(Protocol):
    """A training that has ended, or one of its checkpoints on its own."""

    @property
    def layout(self) -> Layout:
        """The columns."""

    @property
    def plan(self) -> Plan:
        """What was planned."""

    @property
    def progress(self) -> Progress:
        """How the training went; ``best`` is the epoch whose weights these are."""

    @property
    def entropy(self) -> dict[str, float]:
        """Entropy of each column, in nats."""

    @property
    def parameters(self) -> int:
        """Learned numbers of network and head, padding included."""

    @property
    def warnings(self) -> list[dict[str, Any]]:
        """What went wrong with gradients, for the model card."""

    @property
    def weights(self) -> tuple[Any, Any, dict[str, Any]]:
        """Network, head and column constants."""
