"""A model made of one checkpoint of a training, also while that training goes on."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax

from .artefacts import data_hash, write_artefacts
from .batches import Layout
from .card import build_card
from .checkpoint import load_header, save_tree
from .errors import CheckpointError
from .files import write_json
from .frames import FrameStore
from .model import load_columns, load_space
from .network import D_MODEL
from .plan import Plan, TrainOptions, make_plan
from .table import Table
from .trained import Progress
from .watch import GradientWatch

ORIGIN_FILE = "origin.json"
"""Beside a model's weights: which epoch they are of, and how the training stood then."""


class NotKeptError(LookupError):
    """No weights of the wanted epoch are kept.

    Attributes
    ----------
    kept : list of int
        Epochs whose weights are kept, rising; empty before the first checkpoint.
    """

    def __init__(self, wanted: int | None, kept: list[int]) -> None:
        super().__init__(f"no weights are kept of epoch {wanted}")
        self.kept = kept


def take_checkpoint(
    source: Path,
    to: Path,
    epoch: int | None,
    find_report: Callable[[int], dict[str, Any] | None],
) -> int:
    """Take the weights of one epoch, and the movie up to it, out of a model's folder.

    Parameters
    ----------
    source
        Folder of a model; its training may be going on.
    to
        Folder that receives ``model.safetensors``, the movie, and what `finish_snapshot` needs.
    epoch
        Which one; None: the last that was saved.
    find_report
        Gives the report of an epoch (``EpochReport.to_dict()``) with its columns.

    Returns
    -------
    int
        The epoch.

    Raises
    ------
    NotKeptError
        If no weights of that epoch are kept.
    CheckpointError
        If a checkpoint is damaged.
    """
    checkpoints = source / "checkpoints"
    if not (checkpoints / "last.safetensors").exists():
        raise NotKeptError(epoch, [])
    _, layout = load_columns(source)
    header = load_header(checkpoints / "last.safetensors")
    wanted = header["epoch"] if epoch is None else epoch
    for name in ("last", f"epoch_{wanted:03d}", "best"):
        path = checkpoints / f"{name}.safetensors"
        if not path.exists():
            continue
        space, found = load_space(path, layout, "net", "head")
        if name == "last":  # it may have been replaced since
            header = found
            wanted = header["epoch"] if epoch is None else epoch
        if found["epoch"] == wanted <= header["epoch"]:
            break
    else:
        raise NotKeptError(epoch, kept_epochs(source))
    progress = _as_of(wanted, Progress(**header["progress"]), find_report)
    save_tree(to / "model.safetensors", space, {"epoch": wanted})
    write_json(to / ORIGIN_FILE, {"epoch": wanted, "progress": asdict(progress)})
    _copy_movie(source, to, wanted)
    return int(wanted)


def kept_epochs(folder: Path) -> list[int]:
    """Epochs of a model whose weights are kept: the best, the last, and every tenth."""
    kept = set()
    for path in (folder / "checkpoints").glob("*.safetensors"):
        try:
            kept.add(int(load_header(path)["epoch"]))
        except CheckpointError:  # damaged or just replaced: not to be had
            continue
    return sorted(kept)


def _as_of(
    epoch: int, progress: Progress, find_report: Callable[[int], dict[str, Any] | None]
) -> Progress:
    """How a training stood after an epoch, as if it had ended there with that epoch's weights."""
    progress.history = [one for one in progress.history if one["epoch"] <= epoch]
    space = [one for one in progress.history if one["phase"] == "space"]
    if not space or progress.history[-1]["epoch"] != epoch:
        raise CheckpointError(f"the last checkpoint knows nothing of epoch {epoch}")
    if len(space) == len(progress.history):  # else the embedding was finished: the best one's
        if progress.best["epoch"] != epoch:
            progress.best = find_report(epoch) or {}
            if not progress.best.get("columns"):
                raise CheckpointError(f"there is no report of epoch {epoch}")
        progress.space_epochs, progress.stopped, progress.early = epoch, False, False
    progress.epoch = epoch
    return progress


def _copy_movie(source: Path, to: Path, epoch: int) -> None:
    movie = FrameStore(source)
    count = sum(known <= epoch for known in movie.epochs)
    size = count * movie.n_points * 3 * 4
    with (source / "frames.bin").open("rb") as file, (to / "frames.bin").open("wb") as copy:
        shutil.copyfileobj(file, copy)
        copy.truncate(size)
    shutil.copy2(source / "frames.json", to / "frames.json")
    FrameStore(to).truncate(epoch)


@dataclass(frozen=True)
class _Snapshot:
    """One checkpoint on its own, as `artefacts` and `card` want a training."""

    layout: Layout
    plan: Plan
    progress: Progress
    weights: tuple[Any, Any, dict[str, Any]]

    @property
    def entropy(self) -> dict[str, float]:
        # The bits a report tells are what the entropy exceeds the loss by, where it does.
        return {
            name: one["marginal_loss"] + math.log(2) * one["mutual_information_bits"]
            for name, one in self.progress.best["columns"].items()
        }

    @property
    def parameters(self) -> int:
        return int(sum(leaf.size for leaf in jax.tree.leaves(self.weights[:2])))

    @property
    def warnings(self) -> list[dict[str, Any]]:
        watch = GradientWatch(self.layout)
        if self.progress.watch:
            watch.restore(self.progress.watch)
        return watch.warnings()


def finish_snapshot(
    table: Table, folder: Path, options: TrainOptions, *, info: dict[str, Any]
) -> dict[str, Any]:
    """Write all that a finished training leaves, from the checkpoint in a folder.

    Repeatable: what is interrupted writes the same files again.

    Parameters
    ----------
    table
        The rows the training learns from.
    folder
        With what `take_checkpoint` has put there, and the schema and encoders of the source.
    options
        Those of the training.
    info
        As for `pretrain`; ``parent_id`` and ``parent_name`` too, for the card's ``lineage``.

    Returns
    -------
    dict
        ``dimensions``, ``epochs`` and ``final_loss``.

    Raises
    ------
    CheckpointError
        If the folder is damaged.
    """
    schema, layout = load_columns(folder)
    space, header = load_space(folder / "model.safetensors", layout, "net", "head")
    try:
        origin = json.loads((folder / ORIGIN_FILE).read_text("utf-8"))
        progress = Progress(**origin["progress"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder / ORIGIN_FILE} is damaged: {error}") from error
    constants = jax.device_put(layout.constants())
    weights = (space["net"], space["head"], constants)
    taken = _Snapshot(layout, make_plan(table.n_rows, options), progress, weights)
    clusters = write_artefacts(folder, table, taken)
    card = build_card(table, schema, taken, clusters, info, data_hash(table.path))
    epoch = header["epoch"]
    of = f"{info.get('parent_name') or info['parent_id']!r}"
    card["decisions"] |= {
        "training_end": f"a checkpoint of {of} after epoch {epoch}, asked for by the user",
        "kept_epoch": f"epoch {progress.best['epoch']}",
    }
    card["lineage"] = {"parent_id": info["parent_id"], "epoch": epoch}
    card["model_identification"]["parent_id"] = info["parent_id"]
    write_json(folder / "card.json", card)
    return {
        "dimensions": D_MODEL,
        "epochs": min(epoch, progress.space_epochs),
        "final_loss": progress.best["validation_loss"],
    }
