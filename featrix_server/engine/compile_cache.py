"""Compiled programs on disk, and compiling the common ones before they are needed."""

from __future__ import annotations

import threading
import zlib
from pathlib import Path

import jax
import numpy as np

from . import programs, sphere
from .batches import ENCODE_ROWS, Layout, Rows, Shape, shape_for
from .losses import draw_views
from .network import D_MODEL, SpaceNet
from .predictors.network import warm as warm_predictor

COMMON = tuple(
    (shape_for(1, 1, 1, targets), batch) for targets in (1, 512) for batch in (128, 256, 512)
)
"""Shapes and batch sizes of most tables: up to 12 numbers, 12 categories, 2 others."""


def enable_compile_cache(folder: Path) -> None:
    """Keep compiled programs in ``folder``, for this process and later ones.

    jax writes entries in place and never replaces one, so what a process left half-written when
    it was killed is removed here: otherwise its program would be compiled anew each time.
    """
    if jax.config.values["jax_compilation_cache_dir"] == str(folder):
        return
    folder.mkdir(parents=True, exist_ok=True)
    for entry in folder.glob("*-cache"):
        if not _is_whole(entry):
            entry.unlink(missing_ok=True)  # a process writing it now only loses the entry
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def _is_whole(entry: Path) -> bool:
    """Whether jax can read an entry back; one that is not zlib (a jax with zstd) is believed."""
    content = entry.read_bytes()
    if content and content[0] != 0x78:  # RFC 1950
        return True
    try:
        zlib.decompress(content)
    except zlib.error:
        return False
    return True


def warm_up(stop: threading.Event) -> None:
    """Compile the programs of the common shapes, until done or ``stop`` is set.

    Programs run on zeros for zero steps, so nothing but compiling takes time. Meant for an idle
    worker: each program takes one core some seconds the first time, a fraction of one from disk.
    """
    for shape, batch in COMMON:
        for warm in (_warm_encoding, _warm_training):
            if stop.is_set():
                return
            warm(shape, batch)
    if not stop.is_set():
        _warm_sphere()
    for shape in dict.fromkeys(shape for shape, _ in COMMON):
        for classes in (2, 3):
            if stop.is_set():
                return
            warm_predictor(shape, classes)


def _warm_training(shape: Shape, batch: int) -> None:
    constants, net = _start(shape)
    none = np.int32(0)
    weights, chunk = _chunk(shape, programs.VALIDATION_CHUNK, batch)
    programs.validate_chunk(net, constants, chunk, weights, none)
    weights, chunk = _chunk(shape, programs.CHUNK, batch)
    state, rates = programs.fresh_state(net), np.zeros(programs.CHUNK, np.float32)
    programs.train_chunk(net, state, constants, chunk, weights, rates, none)


def _chunk(shape: Shape, steps: int, batch: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    views = draw_views(np.random.default_rng(0), (steps, batch), shape)
    weights = np.zeros((steps, batch), np.float32)
    return weights, Rows.empty(shape, steps, batch).arrays() | views


def _warm_encoding(shape: Shape, batch: int) -> None:
    """Encoding does not depend on the training batch; the second call of a shape is free."""
    constants, net = _start(shape)
    for n in ENCODE_ROWS:
        rows = Rows.empty(shape, n, unseen=True)
        hidden = np.zeros((n, shape.columns), bool)
        programs.place_points(_head(), programs.embed_rows(net, constants, rows.arrays(), hidden))


def _warm_sphere() -> None:
    head = _head()
    z = np.zeros((sphere.GRAPH_CHUNK, sphere.GRAPH_BATCH, D_MODEL), np.float32)
    rates = np.zeros(sphere.GRAPH_CHUNK, np.float32)
    sphere.graph_chunk(head, sphere.fresh_graph_state(head), z, z, rates, np.int32(0))


def _start(shape: Shape) -> tuple[dict[str, np.ndarray], SpaceNet]:
    prior = np.zeros(shape.targets, np.float32)
    net = SpaceNet.create(np.random.default_rng(0), shape, shape.columns, prior)
    return Layout((), shape).constants(), net


def _head() -> sphere.SphereHead:
    basis = np.zeros((D_MODEL, 3), np.float32), np.zeros(D_MODEL, np.float32)
    return sphere.SphereHead.create(np.random.default_rng(0), *basis)
