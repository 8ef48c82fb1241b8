"""Training the networks of all folds side by side, an epoch at a time.

Every fold's network takes the same number of steps in an epoch, so each row has an answer from
a network that never saw it after every epoch: the reported scores and the kept epochs are those
of all validation rows together.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ..batches import Rows
from ..checkpoint import load_tree, save_tree
from ..errors import CheckpointError
from ..model import padded
from ..programs import CHUNK
from ..report import Decision
from . import network
from .data import LabelledData
from .members import mean_loss
from .network import BATCH, PredictorNet, output_width
from .report import PredictorReport

PEAK_RATE = 2e-3
MORE_RATE = 1e-3
"""Peak when training goes on after it was finished."""
WARM_UP = 0.05
EPOCHS = 25
SLACK = 1.02
"""An epoch may be kept for how well it ranks only if its loss is within this of the lowest."""

SCORES = ("roc_auc", "pr_auc", "accuracy", "f1", "r2", "rmse", "mae")


@dataclass
class Progress:
    """All of a training's state that is no array."""

    signature: int
    steps: int
    segments: list[list[float]]  # planned epochs and peak rate of each stretch; 0: of no network
    epoch: int = 0
    stopped: bool = False
    finished: bool = False
    lowest: float = math.inf
    best: dict[str, dict[str, Any]] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)

    @property
    def planned(self) -> int:
        """Epochs of the network in all."""
        return self.epoch if self.stopped else int(sum(epochs for epochs, _ in self.segments))


def budget(n_train: int) -> int:
    """Steps worth taking, a cosine long: 300 to 400 were best on tables of some thousand rows,
    150 on hundreds; 800 of tens of thousands; longer plans only grew sure of themselves."""
    return int(np.clip(6 * math.sqrt(n_train), 150, 800))


def answer(nets: PredictorNet, constants: dict[str, Any], rows: Rows, n_classes: int) -> np.ndarray:
    """Mean answer of stacked networks: log-probabilities (n, classes) or numbers (n, 1)."""
    width = output_width(n_classes)
    real = np.arange(width) < max(n_classes, 1)
    numeric = np.bool_(n_classes == 0)
    out = np.empty((len(rows), max(n_classes, 1)))
    for start, stop, part, _ in padded(rows):
        result = network.answer_rows(nets, constants, part.arrays(), real, numeric)
        out[start:stop] = np.asarray(result)[: stop - start, : out.shape[1]]
    return log_chances(out, n_classes)


def log_chances(answer: np.ndarray, n_classes: int) -> np.ndarray:
    """Logarithm of probabilities, float64 (n, classes), none of them 0; numbers as they are."""
    wide = answer.astype(np.float64, copy=False)
    return np.log(np.minimum(np.maximum(wide, 1e-9), 1)) if n_classes else wide


class NetworkTrainer:
    """One training in a folder; resumes from its ``last`` checkpoint if there is one.

    Parameters
    ----------
    data
        Labelled rows and their division.
    folder
        For checkpoints.
    epochs, seed
        Epochs asked for (0: automatic); seed.
    on_report
        Hears of each epoch and decides how to go on.
    later
        Epochs that follow the network's, for the announced total.
    """

    def __init__(
        self,
        data: LabelledData,
        folder: Path,
        epochs: int,
        seed: int,
        on_report: Callable[[PredictorReport], Decision],
        later: int,
    ) -> None:
        self.data, self._folder, self._seed = data, folder, seed
        self._on_report, self._later = on_report, later
        self._constants = data.features.constants
        self._rows = data.inputs.rows
        n_train = min(len(train) for train, _ in data.division.folds)
        self.slots = ("roc_auc", "pr_auc") if data.n_classes else ("rmse",)
        self.progress = Progress(
            data.signature, self._steps(n_train), [[epochs or EPOCHS, PEAK_RATE]]
        )
        width = output_width(data.n_classes)
        self._real = np.arange(width) < max(data.n_classes, 1)
        if not self._resume():
            fresh = [self._fresh(fold) for fold in range(len(data.division.folds))]
            self._nets, self._opts = (list(part) for part in zip(*fresh, strict=True))

    @staticmethod
    def _steps(n_train: int) -> int:
        """Steps of an epoch."""
        return max(1, math.ceil(budget(n_train) / EPOCHS))

    def _fresh(self, fold: int) -> tuple[Any, Any]:
        start = np.zeros(len(self._real), np.float32)
        if self.data.n_classes:
            counts = np.bincount(self.data.y.astype(int), minlength=len(start)) + 0.5
            start = np.log(counts / counts.sum())
        layout = self.data.features.layout
        return network.fresh(self._seed, fold, layout.shape, len(layout.encoders), start)

    def more(self, epochs: int) -> None:
        """Plan further epochs of a finished training; a training on its way just goes on."""
        progress = self.progress
        if progress.finished:
            progress.segments = [*self._taken(), [epochs, MORE_RATE]]
            if len(progress.segments) == 2:  # the other members have had the epochs between
                progress.segments.insert(1, [self._later, 0.0])
                progress.epoch += self._later
            progress.finished = progress.stopped = False
            self._save()

    def _taken(self) -> list[list[float]]:
        """The segments as they were run: one that was stopped counts what it ran."""
        segments, left = [], self.progress.epoch
        for epochs, peak in self.progress.segments:
            segments.append([min(epochs, left), peak])
            left -= int(segments[-1][0])
        return [segment for segment in segments if segment[0]]

    def run(self) -> bool:
        """Train to the end; False if paused on the way."""
        progress = self.progress
        while progress.epoch < progress.planned:
            decision = self._on_report(self._epoch(progress.epoch + 1))
            progress.stopped = decision == "stop"
            self._save()
            if decision == "pause":
                return False
        return True

    def finish(self) -> None:
        """Remember that everything was written."""
        self.progress.finished = True
        self._save()

    def best(self, slot: str) -> PredictorNet:
        """The stacked networks of the epoch kept for a score."""
        tree, _ = load_tree(self._best_path(slot), network.stack(self._nets))
        return jax.device_put(tree)

    def final(self, epochs: Collection[int]) -> dict[int, PredictorNet]:
        """The networks that answer, as they are after some of the kept epochs; stacked.

        Of several folds, one that is fitted anew on all labelled rows: it has seen more rows than
        any of theirs, and answers at a quarter of their cost. One fold's own has seen most of them
        and is kept: fitted anew it scored no better.
        """
        if len(self._nets) > 1:
            return self._refit(epochs)
        kept = {self.progress.best[slot]["epoch"]: slot for slot in self.slots}
        return {epoch: self.best(kept[epoch]) for epoch in epochs}

    def _refit(self, epochs: Collection[int]) -> dict[int, PredictorNet]:
        net, opt = self._fresh(len(self._nets))
        rows, steps = np.arange(len(self.data)), self._steps(len(self.data))
        found = {}
        for epoch in range(1, max(epochs, default=0) + 1):
            rates = self._rates(epoch, steps)
            if rates.any():
                net, opt, _ = self._train(net, opt, rows, rates, [epoch, len(self._nets)])
            if epoch in epochs:
                found[epoch] = jax.device_put(network.stack([net]))
        return found

    def validate(self, nets: PredictorNet) -> np.ndarray:
        """Answers for the validation rows, fold after fold."""
        parts = [
            self._answer(jax.tree.map(lambda leaf, k=k: leaf[k : k + 1], nets), valid)
            for k, (_, valid) in enumerate(self.data.division.folds)
        ]
        return np.concatenate(parts)

    def test(self, nets: PredictorNet) -> np.ndarray:
        """Answers of all folds' networks for the test rows."""
        return self._answer(nets, self.data.division.test)

    def _answer(self, nets: PredictorNet, index: np.ndarray) -> np.ndarray:
        return answer(nets, self._constants, self._rows.take(index), self.data.n_classes)

    # -- an epoch --------------------------------------------------------------------------

    def _epoch(self, epoch: int) -> PredictorReport:
        started = time.perf_counter()
        rates = self._rates(epoch, self.progress.steps)
        sums: dict[str, float] = {}
        for fold, (rows, _) in enumerate(self.data.division.folds):
            self._nets[fold], self._opts[fold], chunks = self._train(
                self._nets[fold], self._opts[fold], rows, rates, [epoch, fold]
            )
            for chunk in chunks:
                for name, value in chunk.items():
                    sums[name] = sums.get(name, 0.0) + float(value)
        nets = network.stack(self._nets)
        valid = self.data.division.valid
        found = self.validate(nets)
        loss = mean_loss(found, self.data.y[valid], self.data.n_classes)
        scores = self.data.metrics(found, valid)
        self._keep(epoch, loss, scores, nets)
        progress = self.progress
        progress.epoch = epoch
        steps = max(sums["steps"], 1.0)
        duration = time.perf_counter() - started
        report = PredictorReport(
            epoch=epoch,
            total_epochs=progress.planned + (self._later if len(progress.segments) == 1 else 0),
            phase="network",
            member="network",
            loss=sums["loss"] / steps,
            validation_loss=loss,
            learning_rate=float(rates[-1]),
            gradient_norm=sums["gradient_norm"] / steps,
            duration=duration,
            steps=progress.steps,
            time_now=time.time(),
            best_epoch=progress.best[self.slots[0]]["epoch"],
            seconds_left=duration * (progress.planned - epoch) + 1.0,
            **{name: scores[name] for name in SCORES if name in scores},
        )
        progress.history.append(report.to_dict())
        return report

    def _rates(self, epoch: int, steps: int) -> np.ndarray:
        """Learning rates of an epoch's steps: warm-up, then half a cosine, in each segment."""
        before, segments = 0, self.progress.segments
        while epoch > before + segments[0][0]:
            before += int(segments[0][0])
            segments = segments[1:]
        epochs, peak = segments[0]
        total = int(epochs) * steps
        step = (epoch - 1 - before) * steps + np.arange(steps)
        warm = max(1, round(WARM_UP * total))
        way = np.clip((step - warm) / max(total - warm, 1), 0, 1)
        cosine = 0.01 + 0.99 * 0.5 * (1 + np.cos(np.pi * way))
        rates = peak * np.where(step < warm, (step + 1) / warm, cosine)
        return rates.astype(np.float32)

    def _train(
        self, net: Any, opt: Any, rows: np.ndarray, rates: np.ndarray, seed: list[int]
    ) -> tuple[Any, Any, list[dict[str, Any]]]:
        """A step on a batch of ``rows`` for each rate; the sums of each chunk of steps."""
        rng = np.random.default_rng([self._seed, 23, *seed])
        wanted = len(rates) * BATCH
        order = np.concatenate([rng.permutation(rows) for _ in range(-(-wanted // len(rows)))])
        index = np.resize(order[:wanted], (-(-len(rates) // CHUNK) * CHUNK, BATCH))
        numeric, found = np.bool_(self.data.n_classes == 0), []
        for start in range(0, len(rates), CHUNK):
            part = index[start : start + CHUNK]
            used = rates[start : start + CHUNK]
            net, opt, sums = network.train_chunk(
                net, opt, self._constants, self._rows.take(part).arrays(),
                self.data.y[part].astype(np.float32), network.draw_kept(rng),
                np.resize(used, CHUNK), np.int32(len(used)), self._real, numeric,
            )  # fmt: skip
            found.append(sums)
        return net, opt, found

    # -- what is kept ----------------------------------------------------------------------

    def _keep(self, epoch: int, loss: float, scores: dict[str, float], nets: PredictorNet) -> None:
        progress = self.progress
        progress.lowest = min(progress.lowest, loss)
        for slot in self.slots:
            score = -scores[slot] if slot == "rmse" else scores[slot]
            best = progress.best.get(slot)
            limit = SLACK * progress.lowest
            if best and (loss > limit or (best["loss"] <= limit and score <= best["score"])):
                continue  # far surer than it should be, or ranks no better
            progress.best[slot] = {"epoch": epoch, "score": score, "loss": loss}
            save_tree(self._best_path(slot), nets, {"epoch": epoch})

    def _best_path(self, slot: str) -> Path:
        return self._folder / f"best_{slot}.safetensors"

    def _save(self) -> None:
        tree = {"nets": self._nets, "opts": self._opts}
        save_tree(self._folder / "last.safetensors", tree, {"progress": asdict(self.progress)})

    def _resume(self) -> bool:
        path = self._folder / "last.safetensors"
        if not path.exists():
            return False
        fresh = [self._fresh(fold) for fold in range(len(self.data.division.folds))]
        nets, opts = (list(part) for part in zip(*fresh, strict=True))
        tree, header = load_tree(path, {"nets": nets, "opts": opts})
        if header["progress"]["signature"] != self.data.signature:
            raise CheckpointError(f"{path} is of other labels; train a new predictor")
        self._nets, self._opts = tree["nets"], tree["opts"]
        self.progress = Progress(**header["progress"])
        return True
