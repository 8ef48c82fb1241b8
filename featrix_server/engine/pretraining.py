"""Train an embedding space on a table, from its schema to the finished folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from .artefacts import data_hash, write_artefacts
from .batches import Layout
from .card import build_card
from .data import TrainingData, fit_encoders
from .files import write_json
from .model import load_columns, save_columns
from .network import D_MODEL
from .plan import TrainOptions, make_plan
from .report import Decision, EpochReport
from .schema import Schema
from .table import Table
from .trainer import Trainer


@dataclass(frozen=True)
class PretrainResult:
    """What became of a training.

    Attributes
    ----------
    status
        ``"done"``; ``"stopped"``: finished early on request, all files complete;
        ``"paused"``: call :func:`pretrain` again to go on.
    epochs
        Epochs of the embedding that were run.
    best_epoch, final_loss
        The kept epoch and its validation loss.
    d_model
        Width of the embedding.
    card
        The model card; empty while paused.
    """

    status: Literal["done", "paused", "stopped"]
    epochs: int
    best_epoch: int
    final_loss: float
    d_model: int = D_MODEL
    card: dict[str, Any] = field(default_factory=dict)


def pretrain(
    table: Table,
    schema: Schema,
    folder: Path,
    options: TrainOptions,
    on_epoch: Callable[[EpochReport], Decision],
    *,
    info: dict[str, Any],
) -> PretrainResult:
    """Train an embedding space; goes on from ``folder/checkpoints`` if one was begun there.

    Parameters
    ----------
    table, schema
        The rows, and which columns of what types.
    folder
        Receives schema, encoders, checkpoints and movie frames on the way, and at the end
        ``model.safetensors``, ``embeddings.npy`` (float32 (rows, 256)), ``sphere.npy``
        (float32 (rows, 3)), ``clusters.json``, ``preview.png`` and ``card.json``.
    options
        The same ones when resuming.
    on_epoch
        Hears of each epoch before its checkpoint is written, so an epoch may be reported again
        after a crash, but never be lost. Returns ``"continue"``, ``"pause"`` or ``"stop"``
        (which ends the embedding; the few seconds of the sphere are always completed).
    info
        ``session_id``, ``job_id``, ``name``, ``created_at``, ``compute_cluster`` for the card.

    Raises
    ------
    CheckpointError
        If what was begun in ``folder`` is damaged or of another table.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plan = make_plan(table.n_rows, options)
    if (folder / "checkpoints" / "last.safetensors").exists():
        _, layout = load_columns(folder)
    else:
        layout = Layout(fit_encoders(table, schema, plan.split()[0], plan.seed))
        save_columns(folder, schema, layout)
    trainer = Trainer(TrainingData(table, layout, plan), layout, plan, folder, on_epoch)
    finished = trainer.run()
    progress = trainer.progress
    best = progress.best
    epochs = min(progress.epoch, progress.space_epochs)
    if not finished:
        return PretrainResult("paused", epochs, best["epoch"], best["validation_loss"])
    trainer.save_model(folder / "model.safetensors")
    clusters = write_artefacts(folder, table, trainer)
    card = build_card(table, schema, trainer, clusters, info, data_hash(table.path))
    write_json(folder / "card.json", card)
    status: Literal["stopped", "done"] = "stopped" if progress.stopped else "done"
    return PretrainResult(status, epochs, best["epoch"], best["validation_loss"], D_MODEL, card)
