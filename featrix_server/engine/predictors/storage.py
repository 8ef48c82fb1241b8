"""A finished predictor's files.

``predictor.json`` names all the others and is written last, so a predictor is there whole or not
at all, and what was there before stays usable until then.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import jax
import lightgbm as lgb
import numpy as np

from ..checkpoint import load_tree, save_tree
from ..errors import CheckpointError, OtherVersionError
from ..files import write_atomically, write_json
from . import network
from .blend import Leash, Temperature
from .boosting import FittedTrees
from .data import LabelledData
from .deciding import Intervals, Threshold
from .ensemble import Variant, log_ratio
from .features import Features
from .linear import FittedLinear
from .network import PredictorNet, output_width
from .options import PredictorOptions
from .target import Target

FORMAT = 2


@dataclass(frozen=True)
class Stored:
    """What a folder holds: ``predictor.json`` and the members it names."""

    facts: dict[str, Any]
    members: dict[str, Any]
    networks: dict[int, PredictorNet]
    variants: dict[str, Variant]


def save(
    folder: Path,
    data: LabelledData,
    target: Target,
    options: PredictorOptions,
    variants: dict[str, Variant],
    default: str,
    nets: dict[int, PredictorNet],
    fitted: dict[str, Any],
    history: list[dict[str, Any]],
    card: dict[str, Any],
) -> None:
    """Write everything, the index last; then remove members that it does not name."""
    networks, members, kept = {}, {}, set()
    for epoch, net in nets.items():
        file = f"network_{epoch:04d}.safetensors"
        networks[epoch] = {"file": file, "folds": len(net.sign)}
        save_tree(folder / file, net, {"epoch": epoch})
        kept.add(file)
    for name, one in fitted.items():
        members[name] = _save_member(folder, name, one)
        kept.add(members[name]["file"])
    ratio = log_ratio(data, options)
    facts = {
        "format": FORMAT,
        "options": asdict(options),
        "kind": data.kind,
        "classes": list(data.classes),
        "originals": list(target.originals),
        "columns": list(data.features.columns),
        "number": {"mean": data.mean, "std": data.std},
        "log_ratio": None if ratio is None else ratio.tolist(),
        "networks": networks,
        "members": members,
        "variants": {name: asdict(replace(one, curves={})) for name, one in variants.items()},
        "default": default,
    }
    write_json(folder / "metrics.json", _metrics(variants, default, history))
    write_json(folder / "card.json", card)
    write_json(folder / "predictor.json", facts)
    for path in folder.iterdir():
        if path.is_file() and path.suffix in (".safetensors", ".txt") and path.name not in kept:
            path.unlink()


def _save_member(folder: Path, name: str, fitted: Any) -> dict[str, Any]:
    if isinstance(fitted, FittedTrees):
        file = f"{name}.txt"
        write_atomically(folder / file, fitted.booster.model_to_string().encode())
        return {"type": "trees", "form": fitted.form, "file": file}
    file = f"{name}.safetensors"
    save_tree(folder / file, {"weight": fitted.weight, "bias": fitted.bias}, {})
    return {
        "type": "linear", "form": fitted.form, "file": file, "shape": list(fitted.weight.shape),
    }  # fmt: skip


def _metrics(
    variants: dict[str, Variant], default: str, history: list[dict[str, Any]]
) -> dict[str, Any]:
    """What ``get_metrics`` tells."""
    checkpoints = {
        name: {
            "epoch": one.epoch,
            "metrics": one.metrics,
            "test_metrics": one.test_metrics,
            "threshold": asdict(one.threshold) if one.threshold else None,
            "calibration": one.calibration,
            "weights": one.weights,
        }
        for name, one in variants.items()
    }
    chosen = checkpoints[default]
    return {
        "history": history,
        "final_metrics": chosen["metrics"],
        "test_metrics": chosen["test_metrics"],
        "threshold": chosen["threshold"],
        "calibration": chosen["calibration"],
        "curves": variants[default].curves,
        "default_checkpoint": default,
        "checkpoints": checkpoints,
    }


def read_facts(folder: Path) -> dict[str, Any]:
    """``predictor.json`` of a finished predictor.

    Raises
    ------
    CheckpointError
        If there is none, or it is damaged.
    """
    path = folder / "predictor.json"
    try:
        facts: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(f"there is no finished predictor in {folder}") from error
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error
    if facts.get("format") != FORMAT:
        raise OtherVersionError(
            f"{path.name} has format {facts.get('format')}; this version reads {FORMAT}"
        )
    return facts


def load_options(folder: Path) -> PredictorOptions:
    """The options a finished predictor was trained with."""
    return PredictorOptions(**read_facts(folder)["options"])


def load(folder: Path, features: Features) -> Stored:
    """Read a finished predictor.

    Raises
    ------
    CheckpointError
        If anything is missing or damaged.
    """
    facts = read_facts(folder)
    n_classes = len(facts["classes"])
    try:
        members = {
            name: _load_member(folder, one, n_classes) for name, one in facts["members"].items()
        }
    except OSError as error:
        raise CheckpointError(f"a member of the predictor in {folder} is missing") from error
    networks = {
        int(epoch): _load_network(folder / one["file"], one["folds"], features, n_classes)
        for epoch, one in facts["networks"].items()
    }
    variants = {name: _variant(one) for name, one in facts["variants"].items()}
    return Stored(facts, members, networks, variants)


def _load_member(folder: Path, facts: dict[str, Any], n_classes: int) -> Any:
    if facts["type"] == "trees":
        text = (folder / facts["file"]).read_text("utf-8")
        return FittedTrees(facts["form"], lgb.Booster(model_str=text), n_classes)
    template = {"weight": np.zeros(facts["shape"]), "bias": np.zeros(facts["shape"][1])}
    tree, _ = load_tree(folder / facts["file"], template)
    return FittedLinear(facts["form"], tree["weight"], tree["bias"], n_classes == 0)


def _load_network(path: Path, folds: int, features: Features, n_classes: int) -> PredictorNet:
    layout = features.layout
    start = np.zeros(output_width(n_classes), np.float32)
    net, _ = network.fresh(0, 0, layout.shape, len(layout.encoders), start)
    tree, _ = load_tree(path, network.stack([net] * folds))
    return jax.device_put(tree)


def _variant(facts: dict[str, Any]) -> Variant:
    return Variant(
        **{
            **facts,
            "leash": Leash(**facts["leash"]),
            "temperature": Temperature(**facts["temperature"]),
            "threshold": Threshold(**facts["threshold"]) if facts["threshold"] else None,
            "intervals": Intervals(**facts["intervals"]) if facts["intervals"] else None,
        }
    )
