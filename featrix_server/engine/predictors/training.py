"""Train a predictor on the labels of a table, from its options to the finished folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..report import Decision
from ..schema import Schema
from ..table import Table
from . import storage
from .card import build_card
from .data import LabelledData
from .ensemble import (
    Outcome,
    Variant,
    choose_members,
    decide,
    equal_loss,
    try_member,
)
from .features import Features
from .members import Member
from .network_training import SCORES, NetworkTrainer
from .options import PredictorOptions
from .report import PredictorReport
from .target import Target, read_target

OnReport = Callable[[PredictorReport], Decision]
NETWORK = "network"


@dataclass(frozen=True)
class PredictorResult:
    """What became of a training.

    Attributes
    ----------
    status
        ``"done"``; ``"stopped"``: finished early on request, all files complete;
        ``"paused"``: call again to go on.
    epochs, best_epoch
        Epochs of the network that were run, and the kept one (0 without a network).
    metrics
        On validation rows, at the operating threshold: ``accuracy, auc, f1, ...`` or
        ``r2, rmse, mae``; empty while paused.
    card
        The model card; empty while paused.
    """

    status: Literal["done", "paused", "stopped"]
    epochs: int = 0
    best_epoch: int = 0
    metrics: dict[str, Any] = field(default_factory=dict)
    card: dict[str, Any] = field(default_factory=dict)


def fit_predictor(
    table: Table,
    schema: Schema,
    space_folder: Path,
    folder: Path,
    options: PredictorOptions,
    on_epoch: OnReport,
    *,
    labels: Table | None = None,
    info: dict[str, Any],
) -> PredictorResult:
    """Train a predictor; goes on from ``folder/checkpoints`` if one was begun there.

    Parameters
    ----------
    table, schema, space_folder
        Of the finished embedding space.
    folder
        Receives checkpoints on the way, and at the end the members, ``metrics.json``,
        ``card.json`` and ``predictor.json``, which names them and is written last.
    options
        The same ones when resuming.
    on_epoch
        Hears of each epoch before its checkpoint is written, so an epoch may be reported again
        after a crash, but never be lost. Returns ``"continue"``, ``"pause"`` or ``"stop"`` (which
        ends the network; the few seconds of the other members are always completed).
    labels
        As in :func:`~.target.check_target`.
    info
        ``session_id``, ``job_id``, ``name``, ``created_at``, ``compute_cluster`` for the card.

    Raises
    ------
    PredictorError
        If it cannot be trained as asked; nothing was written then.
    CheckpointError
        If what was begun in ``folder`` is damaged or of other labels.
    """
    target = read_target(table, schema, options, labels)
    job = _Job(target, space_folder, folder, options, on_epoch, info)
    return job.run()


def train_more(
    table: Table,
    schema: Schema,
    space_folder: Path,
    folder: Path,
    epochs: int,
    on_epoch: OnReport,
    *,
    labels: Table | None = None,
    info: dict[str, Any],
) -> PredictorResult:
    """Train a finished predictor's network for further epochs; worse ones change nothing.

    Goes on with the unfinished if it was interrupted. Predictors of few labels have no network,
    so nothing changes for them. Parameters and errors as in :func:`fit_predictor`.
    """
    options = storage.load_options(folder)
    target = read_target(table, schema, options, labels)
    job = _Job(target, space_folder, folder, options, on_epoch, info)
    return job.run(more=epochs)


class _Job:
    """One training in a folder."""

    def __init__(
        self,
        target: Target,
        space_folder: Path,
        folder: Path,
        options: PredictorOptions,
        on_epoch: OnReport,
        info: dict[str, Any],
    ) -> None:
        self.target, self.options, self.info = target, options, info
        self.folder = folder
        self._checkpoints = folder / "checkpoints"
        self._on_epoch = on_epoch
        self.features = Features(space_folder, options.target_column)
        self.data = LabelledData(self.features, target, options)
        self.members, self.reasons = choose_members(self.data)
        self.reasons |= self.data.division.reasons

    def run(self, more: int = 0) -> PredictorResult:
        """Train to the end, or to a pause."""
        self._checkpoints.mkdir(parents=True, exist_ok=True)
        trainer = None
        if not self.data.few:
            trainer = NetworkTrainer(
                self.data, self._checkpoints, self.options.epochs, self.options.seed,
                self._on_epoch, len(self.members),
            )  # fmt: skip
            if more:
                trainer.more(more)
            if not trainer.run():
                return PredictorResult("paused", len(trainer.progress.history))
        outcomes = self._try_members(trainer)
        if outcomes is None:
            return PredictorResult("paused", len(trainer.progress.history) if trainer else 0)
        variants = self._variants(outcomes, trainer)
        nets = self._final_network(variants, trainer)
        fitted = self._refit(variants, outcomes)
        result = self._write(variants, nets, fitted, outcomes, trainer)
        if trainer:
            trainer.finish()
        return result

    # -- members ---------------------------------------------------------------------------

    def _try_members(self, trainer: NetworkTrainer | None) -> dict[str, Outcome] | None:
        """Outcomes of all members but the network; None if paused on the way."""
        outcomes: dict[str, Outcome] = {}
        seen: dict[str, Outcome] = {}
        if trainer:
            seen[NETWORK] = self._network_outcome(trainer, trainer.slots[0])
        for member in self.members:
            started = time.perf_counter()
            path = self._checkpoints / "members" / f"{member.name}.npz"
            found = Outcome.load(path, len(self.data.division.valid))
            if found is None:
                found = try_member(member, self.data, self.options.seed)
                seen[member.name] = found
                report = self._report(member, seen, trainer, time.perf_counter() - started)
                decision = self._on_epoch(report)
                found.save(path)
                if decision == "pause":
                    return None
            seen[member.name] = outcomes[member.name] = found
        return outcomes

    def _report(
        self,
        member: Member,
        outcomes: dict[str, Outcome],
        trainer: NetworkTrainer | None,
        seconds: float,
    ) -> PredictorReport:
        loss, mixed = equal_loss(outcomes, self.data)
        scores = self.data.metrics(mixed, self.data.division.valid)
        at = [one.name for one in self.members].index(member.name) + 1
        before = trainer.progress.epoch if trainer else 0
        return PredictorReport(
            epoch=before + at,
            total_epochs=before + len(self.members),
            phase="ensemble",
            member=member.name,
            loss=None,
            validation_loss=loss,
            learning_rate=None,
            gradient_norm=None,
            duration=seconds,
            steps=0,
            time_now=time.time(),
            best_epoch=trainer.progress.best[trainer.slots[0]]["epoch"] if trainer else 0,
            seconds_left=seconds * (len(self.members) - at),
            **{name: scores[name] for name in SCORES if name in scores},
        )

    def _network_outcome(self, trainer: NetworkTrainer, slot: str) -> Outcome:
        nets = trainer.best(slot)
        return Outcome(trainer.validate(nets), trainer.test(nets))

    # -- decisions -------------------------------------------------------------------------

    def _variants(
        self, outcomes: dict[str, Outcome], trainer: NetworkTrainer | None
    ) -> dict[str, Variant]:
        """An ensemble for each kept checkpoint of the network."""
        slots = ("roc_auc", "pr_auc") if self.data.n_classes else ("rmse",)
        variants: dict[str, Variant] = {}
        by_epoch: dict[int, Variant] = {}
        for slot in slots:
            epoch = trainer.progress.best[slot]["epoch"] if trainer else 0
            if epoch not in by_epoch:
                all_outcomes = dict(outcomes)
                if trainer:
                    all_outcomes[NETWORK] = self._network_outcome(trainer, slot)
                by_epoch[epoch] = decide(all_outcomes, self.data, self.options, epoch)
            variants[slot] = by_epoch[epoch]
        return variants

    def _final_network(
        self, variants: dict[str, Variant], trainer: NetworkTrainer | None
    ) -> dict[int, Any]:
        """Networks with a weight, by epoch."""
        if trainer is None:
            return {}
        folds = self.data.division.folds
        epochs = {one.epoch for one in variants.values() if NETWORK in one.members}
        if not epochs:
            self.reasons["network"] = "left out: the mix is better without it"
        elif len(folds) > 1:
            self.reasons["network"] = "fitted anew on all rows for the epochs best on the folds"
        else:
            seen = len(folds[0][0])
            self.reasons["network"] = (
                f"the validated one: it has seen {seen} of {len(self.data)} rows"
            )
        return trainer.final(epochs)

    def _refit(self, variants: dict[str, Variant], outcomes: dict[str, Outcome]) -> dict[str, Any]:
        """Members with a weight, fitted on all labelled rows."""
        wanted = {name for variant in variants.values() for name in variant.members}
        return {
            member.name: member.refit(
                self.data.inputs.form(member.form), self.data.y,
                outcomes[member.name].setting, self.data.n_classes, self.options.seed,
            )
            for member in self.members
            if member.name in wanted
        }  # fmt: skip

    def _write(
        self,
        variants: dict[str, Variant],
        nets: dict[int, Any],
        fitted: dict[str, Any],
        outcomes: dict[str, Outcome],
        trainer: NetworkTrainer | None,
    ) -> PredictorResult:
        progress = trainer.progress if trainer else None
        default = self._default(variants)
        history = progress.history if progress else []
        settings = {name: one.setting for name, one in outcomes.items()}
        card = build_card(
            self.data, self.target, self.options, variants, default, settings, history,
            self.reasons, self.info,
        )  # fmt: skip
        storage.save(
            self.folder, self.data, self.target, self.options, variants, default, nets, fitted,
            history, card,
        )  # fmt: skip
        stopped = bool(progress and progress.stopped)
        return PredictorResult(
            "stopped" if stopped else "done",
            len(history),
            variants[default].epoch,
            variants[default].metrics,
            card,
        )

    def _default(self, variants: dict[str, Variant]) -> str:
        """The variant that answers when no metric is preferred."""
        if "pr_auc" not in variants:
            return next(iter(variants))
        share = float(np.mean(self.data.y == 1))
        rare = self.data.n_classes == 2 and share < 0.1
        self.reasons["checkpoint"] = (
            f"pr_auc: the positive class has {share:.1%} of the labels, under 10 %"
            if rare
            else "roc_auc: no positive class under 10 %"
        )
        return "pr_auc" if rare else "roc_auc"
