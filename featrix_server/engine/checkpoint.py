"""Weights on disk: safetensors with a versioned JSON header, written whole or not at all."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from .errors import CheckpointError, OtherVersionError
from .files import write_atomically

FORMAT = "featrix-space"
VERSION = 1

Tree = TypeVar("Tree")


def _named(tree: Any) -> dict[str, Any]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path): leaf for path, leaf in leaves}


def _checksum(tensors: dict[str, np.ndarray]) -> int:
    total = 0
    for name in sorted(tensors):
        total = zlib.crc32(np.ascontiguousarray(tensors[name]).data, total)
    return total


def save_tree(path: Path, tree: Any, header: dict[str, Any]) -> None:
    """Write the arrays of a tree with a JSON-safe header, atomically."""
    tensors = {name: np.asarray(leaf) for name, leaf in _named(tree).items()}
    described = {
        "format": FORMAT,
        "version": VERSION,
        "checksum": _checksum(tensors),
        "header": header,
    }
    content = save(tensors, metadata={"featrix": json.dumps(described, allow_nan=False)})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content)


def load_header(path: Path) -> dict[str, Any]:
    """The header given to :func:`save_tree`.

    Raises
    ------
    CheckpointError
        If there is no such file, or it is damaged or of another format.
    """
    return _open(path)[0]["header"]


def load_tree(path: Path, template: Tree) -> tuple[Tree, dict[str, Any]]:
    """Read a tree back; the file may hold more than the template asks for.

    Parameters
    ----------
    path
        A file of :func:`save_tree`.
    template
        A tree of the same structure whose leaves have the wanted ``shape`` and ``dtype``.

    Returns
    -------
    tree, header

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, or its arrays are not those of the template.
    """
    described, tensors = _open(path)
    if _checksum(tensors) != described["checksum"]:
        raise CheckpointError(f"{path} is damaged: its contents do not match their checksum")
    wanted = _named(template)
    for name, leaf in wanted.items():
        found = tensors.get(name)
        if found is None:
            raise CheckpointError(f"{path} is of another model: it has no array {name}")
        if found.shape != leaf.shape or found.dtype != leaf.dtype:
            raise CheckpointError(
                f"{path} is of another model: {name} is {found.dtype}{list(found.shape)}, "
                f"wanted {leaf.dtype}{list(leaf.shape)}"
            )
    structure = jax.tree.structure(template)
    tree = jax.tree.unflatten(structure, [tensors[name] for name in wanted])
    return tree, described["header"]


def _open(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {path}")
    try:
        with safe_open(path, framework="np") as file:
            described = json.loads((file.metadata() or {})["featrix"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise CheckpointError(f"{path} is damaged or not a checkpoint: {error}") from error
    if described.get("format") != FORMAT or described.get("version") != VERSION:
        raise OtherVersionError(
            f"{path.name} has format {described.get('format')} {described.get('version')}; "
            f"this version reads {FORMAT} {VERSION}"
        )
    return described, tensors
