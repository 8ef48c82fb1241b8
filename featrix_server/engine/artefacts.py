"""What a finished training leaves in the model's folder."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from .batches import Layout
from .clusters import find_clusters
from .data import ColumnReader
from .files import write_atomically, write_json
from .model import embed, points
from .network import D_MODEL
from .preview import draw_preview
from .table import Table
from .trained import Trained

READ_ROWS = 8_192
PROFILE_ROWS = 100_000
"""Rows that describe the clusters at most."""
MAX_VALUES = 512
"""Distinct texts above which a column tells nothing about clusters."""


def write_artefacts(folder: Path, table: Table, trained: Trained) -> dict[str, Any]:
    """Write embeddings, sphere, clusters and preview; returns the clusters.

    All atomic, and repeatable: a training interrupted here writes the same files again.
    """
    seed = trained.plan.seed
    embeddings = folder / "embeddings.npy"
    xyz = _embed_table(embeddings, folder / "sphere.npy", table, trained)
    rows = np.arange(table.n_rows)
    if table.n_rows > PROFILE_ROWS:
        rng = np.random.default_rng([seed, 11])
        rows = np.sort(rng.choice(rows, PROFILE_ROWS, replace=False))
    values = _values(table, trained.layout, rows)
    clusters = find_clusters(np.load(embeddings, mmap_mode="r"), values, rows, seed=seed)
    write_json(folder / "clusters.json", clusters)
    labels = np.array(clusters["by_k"][str(clusters["best_k"])]["labels"])
    write_atomically(folder / "preview.png", draw_preview(xyz, labels, seed=seed))
    return clusters


def _embed_table(to: Path, sphere: Path, table: Table, trained: Trained) -> np.ndarray:
    """Embed all rows, a few thousand in memory at a time; returns their places (n, 3)."""
    net, head, constants = trained.weights
    names = [encoder.name for encoder in trained.layout.encoders]
    partial = to.with_name(f".{to.name}.part")
    out = np.lib.format.open_memmap(
        partial, mode="w+", dtype=np.float32, shape=(table.n_rows, D_MODEL)
    )
    xyz = np.empty((table.n_rows, 3), np.float32)
    start = 0
    for batch in table.batches(READ_ROWS, names):
        columns = dict(zip(names, pa.Table.from_batches([batch]).columns, strict=True))
        rows = trained.layout.encode(columns.__getitem__, len(batch), unseen=True)
        stop = start + len(batch)
        out[start:stop] = z = embed(net, constants, rows)
        xyz[start:stop] = points(head, z)
        start = stop
    out.flush()
    partial.replace(to)
    partial = sphere.with_name(f".{sphere.name}.part")
    with partial.open("wb") as file:
        np.save(file, xyz)
    partial.replace(sphere)
    return xyz


def _values(table: Table, layout: Layout, rows: np.ndarray) -> pd.DataFrame:
    """Columns that can describe a group: numbers as floats, others as texts."""
    columns: dict[str, Any] = {}
    read = ColumnReader(table, rows, [encoder.name for encoder in layout.encoders])
    for encoder in layout.encoders:
        column = read(encoder.name)
        if encoder.kind == "number":
            encoded = encoder.encode(column)
            number = encoded.number.astype(np.float64) + encoder.offset
            columns[encoder.name] = np.where(encoded.missing, np.nan, number)
            continue
        texts = column.cast(pa.string()).to_pandas()
        if texts.nunique() <= MAX_VALUES:
            columns[encoder.name] = texts
    return pd.DataFrame(columns, index=pd.RangeIndex(len(rows)))


def data_hash(path: Path) -> str:
    """``sha256:...`` of the table's canonical file."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
