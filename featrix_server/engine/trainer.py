"""Training, an epoch at a time: the embedding first, then the 3D head on the fixed embedding.

Everything random in an epoch is drawn from the seed and the epoch's number, and everything else
an epoch needs is in the ``last`` checkpoint, so a resumed training equals an uninterrupted one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np

from . import programs
from .batches import Layout, Rows
from .checkpoint import save_tree
from .data import TrainingData
from .frames import MAX_FRAMES, MAX_POINTS, FrameStore, frame_epochs, turn_onto
from .losses import draw_views
from .model import embed, fresh_space, load_space, points
from .plan import Plan
from .report import Decision, EpochReport, Pace, Tally, column_entropy
from .sphere import (
    GRAPH_RATE,
    GRAPH_ROWS,
    NeighbourGraph,
    SphereHead,
    cosine_rates,
    fresh_graph_state,
    principal_components,
)
from .trained import Progress
from .watch import GradientWatch

KEEP_EVERY = 10
MOVIE_GRAPH_ROWS = 2_000
MOVIE_RATE = 2e-3
MOVIE_STEPS = 400
"""Steps of the 3D head while the embedding trains, spread over its frames."""


class Trainer:
    """One training in a folder; resumes from its ``last`` checkpoint if there is one.

    Parameters
    ----------
    data, layout, plan
        Rows, columns, and what is planned.
    folder
        The model's folder.
    on_epoch
        Hears of each epoch and decides how to go on.
    """

    def __init__(
        self,
        data: TrainingData,
        layout: Layout,
        plan: Plan,
        folder: Path,
        on_epoch: Callable[[EpochReport], Decision],
    ) -> None:
        self.layout, self.plan, self.data = layout, plan, data
        self._checkpoints = folder / "checkpoints"
        self._on_epoch = on_epoch
        self.frames = FrameStore(folder)
        self._constants = jax.device_put(layout.constants())
        self.entropy = column_entropy(layout, data.targets)
        self._validation = self._fixed_batches(data.validation)
        self._frame_epochs = frame_epochs(plan.epochs, MAX_FRAMES - plan.sphere_epochs)
        self._watch = GradientWatch(layout)
        self._epoch_pace, self._head_pace = Pace(), Pace()  # of the embedding; steps of the head
        self.progress = Progress(plan.epochs)
        if not self._resume():
            self._start()

    def run(self) -> bool:
        """Train to the end; False if paused on the way."""
        progress = self.progress
        if progress.phase == "space":
            while progress.epoch < progress.space_epochs:
                if not self._finish_epoch(self._space_epoch(progress.epoch + 1)):
                    return False
            self._begin_sphere()
        graph = None
        while progress.epoch < self._total:
            graph = graph or self._graph()
            if not self._finish_epoch(self._sphere_epoch(progress.epoch + 1, graph)):
                return False
        return True

    def save_model(self, path: Path) -> None:
        """Write the finished network and head."""
        self._save_weights(path, self.progress.best["epoch"])

    @property
    def parameters(self) -> int:
        """Learned numbers of network and head, padding included."""
        leaves = jax.tree.leaves((self.net, self.head))
        return int(sum(leaf.size for leaf in leaves))

    @property
    def warnings(self) -> list[dict[str, Any]]:
        """What went wrong with gradients, for the model card."""
        return self._watch.warnings()

    @property
    def weights(self) -> tuple[Any, Any, dict[str, Any]]:
        """Network, head and column constants."""
        return self.net, self.head, self._constants

    # -- beginning ---------------------------------------------------------------------------

    def _start(self) -> None:
        prior = self.layout.log_prior(self.data.targets)
        space = jax.device_put(fresh_space(self.layout, prior, self.plan.seed))
        self.net, self.opt, self.head_opt = space["net"], space["opt"], space["head_opt"]
        rng = self._rng(10)
        count = min(MAX_POINTS, self.plan.n_rows)
        self.frames.begin(rng.choice(self.plan.n_rows, count, replace=False).tolist())
        self._movie_rows = self.data.rows(np.array(self.frames.row_ids), unseen=True)
        basis = principal_components(self._movie_embedding())
        self.head = jax.device_put(SphereHead.create(rng, *basis))

    def _resume(self) -> bool:
        path = self._checkpoints / "last.safetensors"
        if not path.exists():
            return False
        space, header = load_space(path, self.layout)
        self.net, self.opt = space["net"], space["opt"]
        self.head, self.head_opt = space["head"], space["head_opt"]
        self.progress = Progress(**header["progress"])
        self._watch.restore(self.progress.watch)
        self.frames.truncate(self.progress.epoch)
        self._movie_rows = self.data.rows(np.array(self.frames.row_ids), unseen=True)
        return True

    def _rng(self, *purpose: int) -> np.random.Generator:
        """Random numbers of their own for each purpose and epoch, whatever was drawn before."""
        return np.random.default_rng([self.plan.seed, *purpose])

    def _fixed_batches(self, rows: Rows) -> tuple[dict[str, np.ndarray], np.ndarray, np.int32]:
        """All (or the first) rows under fixed views: a chunk, its weights, batches in use."""
        size = (programs.VALIDATION_CHUNK, self.plan.batch)
        count = min(len(rows), size[0] * size[1])
        index = np.zeros(size, np.int64)
        index.flat[:count] = np.arange(count)
        weight = np.zeros(size, np.float32)
        weight.flat[:count] = 1.0
        views = draw_views(self._rng(12), size, self.layout.shape)
        return rows.take(index).arrays() | views, weight, np.int32(-(-count // size[1]))

    # -- the embedding -----------------------------------------------------------------------

    def _space_epoch(self, epoch: int) -> EpochReport:
        started = time.perf_counter()
        if epoch == 0:
            train, steps = self._measure(self._fixed_batches(self.data.epoch(1))), 0
        else:
            train, steps = self._train(epoch)
        validation = self._measure(self._validation)
        if epoch in self._frame_epochs:
            self._add_frame(epoch)
        progress = self.progress
        losses = validation.losses()
        progress.step += steps
        norm = float(train.sums["gradient_norm"])
        good_steps = max(steps - float(train.sums["bad_steps"]), 1.0)
        report = EpochReport(
            epoch=epoch,
            total_epochs=self._total,
            phase="space",
            phase_epoch=epoch,
            phase_epochs=self.progress.space_epochs,
            **train.losses(),
            **{f"validation_{name}": value for name, value in losses.items()},
            learning_rate=self.plan.rate(max(progress.step - 1, 0)) if steps else 0.0,
            gradient_norm=norm / good_steps,
            duration=time.perf_counter() - started,
            steps=steps,
            time_now=time.time(),
            best_epoch=epoch,
            seconds_left=None,
            columns=validation.columns(self.layout, self.entropy),
        )
        if progress.best and report.validation_loss >= progress.best["validation_loss"]:
            report = replace(report, best_epoch=progress.best["epoch"])
        else:
            progress.best = report.to_dict()
            self._save_weights(self._checkpoints / "best.safetensors", epoch)
        if epoch - report.best_epoch >= self.plan.patience:
            progress.space_epochs, progress.early = epoch, True
        if epoch and epoch % KEEP_EVERY == 0:
            self._save_weights(self._checkpoints / f"epoch_{epoch:03d}.safetensors", epoch)
        return report

    def _train(self, epoch: int) -> tuple[Tally, int]:
        rows, batch = self.data.epoch(epoch), self.plan.batch
        rng = self._rng(5, epoch)
        order = rng.permutation(len(rows))
        steps = max(1, min(self.plan.steps, len(rows) // batch))
        index = np.zeros((-(-steps // programs.CHUNK) * programs.CHUNK, batch), np.int64)
        weight = np.zeros(index.shape, np.float32)
        used = min(steps * batch, len(rows))
        index.flat[:used], weight.flat[:used] = order[:used], 1.0
        pending = []  # looked at after the last, so that gathering rows overlaps computing
        for start in range(0, steps, programs.CHUNK):
            span = slice(start, start + programs.CHUNK)
            step = self.progress.step + start
            rates = [self.plan.rate(step + i) for i in range(programs.CHUNK)]
            views = draw_views(rng, weight[span].shape, self.layout.shape)
            self.net, self.opt, sums = programs.train_chunk(
                self.net, self.opt, self._constants,
                rows.take(index[span]).arrays() | views, weight[span],
                np.array(rates, np.float32), np.int32(min(programs.CHUNK, steps - start)),
            )  # fmt: skip
            pending.append(sums)
        tally = Tally()
        for sums in pending:
            tally.add(sums)
        self._watch.see(tally.sums)
        return tally, steps

    def _measure(self, batches: tuple[dict[str, np.ndarray], np.ndarray, np.int32]) -> Tally:
        tally = Tally()
        tally.add(programs.validate_chunk(self.net, self._constants, *batches))
        return tally

    # -- the sphere --------------------------------------------------------------------------

    def _begin_sphere(self) -> None:
        """Go back to the best epoch, and fix its embedding."""
        best, _ = load_space(self._checkpoints / "best.safetensors", self.layout, "net", "head")
        self.net, self.head = best["net"], best["head"]
        self.head_opt = jax.device_put(fresh_graph_state(self.head))
        self.progress.phase = "sphere"

    def _graph(self) -> NeighbourGraph:
        rng = self._rng(6)
        count = min(GRAPH_ROWS, self.plan.n_rows)
        index = np.sort(rng.choice(self.plan.n_rows, count, replace=False))
        rows = self.data.rows(index, unseen=True)
        return NeighbourGraph(embed(self.net, self._constants, rows))

    def _sphere_epoch(self, epoch: int, graph: NeighbourGraph) -> EpochReport:
        started = time.perf_counter()
        progress, steps = self.progress, self.plan.sphere_steps
        done = epoch - progress.space_epochs - 1
        total = self.plan.sphere_epochs * steps
        rates = list(cosine_rates(GRAPH_RATE, done * steps, steps, total))
        rng = self._rng(7, epoch)
        self.head, self.head_opt, loss = graph.train(
            self.head, self.head_opt, np.array(rates, np.float32), rng
        )
        self._append_frame(epoch, self._movie_embedding())
        return replace(
            EpochReport.from_dict(progress.best),
            epoch=epoch,
            total_epochs=self._total,
            phase="sphere",
            phase_epoch=done + 1,
            phase_epochs=self.plan.sphere_epochs,
            learning_rate=rates[-1],
            gradient_norm=None,
            duration=time.perf_counter() - started,
            steps=steps,
            time_now=time.time(),
            sphere_loss=loss,
        )

    # -- the movie ---------------------------------------------------------------------------

    def _movie_embedding(self) -> np.ndarray:
        return embed(self.net, self._constants, self._movie_rows)

    def _add_frame(self, epoch: int) -> None:
        """Let the head follow the embedding for a few steps, then take its picture."""
        z = self._movie_embedding()
        if epoch:
            count = int(np.clip(MOVIE_STEPS // len(self._frame_epochs), 2, 16))
            rng = self._rng(8, epoch)
            graph = NeighbourGraph(z[:MOVIE_GRAPH_ROWS])
            rates = np.full(count, MOVIE_RATE, np.float32)
            started = time.perf_counter()
            self.head, self.head_opt, _ = graph.train(self.head, self.head_opt, rates, rng)
            self._head_pace.add((time.perf_counter() - started) / count)
        self._append_frame(epoch, z)

    def _append_frame(self, epoch: int, z: np.ndarray) -> None:
        xyz = points(self.head, z)
        if self.frames.epochs:
            turn = turn_onto(xyz, self.frames.read(len(self.frames.epochs) - 1)[0])
            rotation = (np.asarray(self.head.rotation, np.float64) @ turn).astype(np.float32)
            self.head = eqx.tree_at(lambda head: head.rotation, self.head, jax.device_put(rotation))
            xyz = points(self.head, z)
        self.frames.append(epoch, xyz)

    # -- the end of an epoch -----------------------------------------------------------------

    @property
    def _total(self) -> int:
        return self.progress.space_epochs + self.plan.sphere_epochs

    def _finish_epoch(self, report: EpochReport) -> bool:
        """Report, save, and obey; False for a pause."""
        progress = self.progress
        progress.epoch = report.epoch
        if report.phase == "sphere":
            self._head_pace.add(report.duration / report.steps)
        else:
            report = replace(report, phase_epochs=progress.space_epochs)
            if report.epoch:  # the untrained model is only measured
                self._epoch_pace.add(report.duration)
        report = replace(report, total_epochs=self._total, seconds_left=self._seconds_left())
        progress.history.append({**report.to_dict(), "columns": {}})
        decision = self._on_epoch(report)
        if decision == "stop" and progress.phase == "space":
            progress.stopped = True
            progress.space_epochs = report.epoch
        self._save_last()
        return decision != "pause"

    def _seconds_left(self) -> float | None:
        """Time the remaining epochs take; None until an epoch that compiled nothing is known.

        The sphere's phase is foretold from the steps its head makes for the movie.
        """
        space = max(0, self.progress.space_epochs - self.progress.epoch)
        sphere = self._total - self.progress.epoch - space
        embedding = self._epoch_pace.seconds(space)
        head = self._head_pace.seconds(sphere * self.plan.sphere_steps)
        return None if embedding is None or head is None else embedding + head

    def _save_weights(self, path: Path, epoch: int) -> None:
        save_tree(path, {"net": self.net, "head": self.head}, {"epoch": epoch})

    def _save_last(self) -> None:
        self.progress.watch = self._watch.state()
        tree = {"net": self.net, "opt": self.opt, "head": self.head, "head_opt": self.head_opt}
        header = {"epoch": self.progress.epoch, "progress": vars(self.progress)}
        save_tree(self._checkpoints / "last.safetensors", tree, header)
