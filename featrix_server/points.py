"""Rows on the sphere, as JSON text and as Arrow: what the projection routes answer.

While a model trains, its points are those of the last frame of the training movie, a fixed
sample of the rows; when it is done, all rows. A point's ``row id`` is its row's number in the
table; its ``row offset`` is its place among the points.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from featrix_server import safejson, tables

ROW_ID = "__featrix_row_id"
ROW_OFFSET = "__featrix_row_offset"
_AXES = ("x", "y", "z")


@dataclass(frozen=True)
class Clusters:
    """Clusterings of all rows of the table, by number of clusters.

    Attributes
    ----------
    best_k : int or None
        The number of clusters that fits best; None while there are no clusters.
    about : dict of int to dict
        Scores, sizes and distinguishing features, by number of clusters.
    labels : dict of int to ndarray
        Cluster of each row, uint8 (n_rows,), by number of clusters.
    """

    best_k: int | None
    about: dict[int, dict[str, Any]]
    labels: dict[int, np.ndarray]

    @property
    def available_k(self) -> list[int]:
        """The numbers of clusters there are, rising."""
        return sorted(self.labels)

    def best_labels(self, row_ids: np.ndarray) -> np.ndarray:
        """Cluster of each of these rows in the best clustering; all 0 while there is none."""
        if self.best_k is None:
            return np.zeros(len(row_ids), np.uint8)
        return np.take(self.labels[self.best_k], row_ids)

    def results(self, row_ids: np.ndarray | slice = slice(None)) -> dict[str, Any]:
        """Return the wire's ``entire_cluster_results``: labels of these rows, by row offset."""
        return {
            str(k): {**self.about[k], "cluster_labels": self.labels[k][row_ids].tolist()}
            for k in self.available_k
        }


def load_clusters(folder: Path) -> Clusters:
    """Return the clusters of a session, none before its training is done."""
    path = folder / "clusters.json"
    if not path.exists():
        return Clusters(None, {}, {})
    found = json.loads(path.read_text("utf-8"))
    by_k = {
        int(k): {**result, "algorithm": found["algorithm"]} for k, result in found["by_k"].items()
    }
    labels = {k: np.asarray(result.pop("labels"), np.uint8) for k, result in by_k.items()}
    return Clusters(found["best_k"], by_k, labels)


@dataclass(frozen=True)
class Points:
    """Points on the unit sphere, and the rows they stand for.

    Attributes
    ----------
    xyz : ndarray of float32, shape (n, 3)
        Positions.
    row_ids : range or list of int
        Number of each point's row in the table.
    """

    xyz: np.ndarray
    row_ids: range | list[int]


def load_points(folder: Path, clusters: Clusters) -> Points | None:
    """Return the points of a session: all rows, or while it trains the last frame's.

    None before the first frame.
    """
    if clusters.labels:
        xyz = np.load(folder / "sphere.npy", mmap_mode="r")
        return Points(xyz, range(len(xyz)))
    frames = frame_store(folder)
    if not frames.epochs:
        return None
    return Points(frames.read(len(frames.epochs) - 1)[0], frames.row_ids)


def frame_store(folder: Path) -> Any:
    """Return the movie of a session's training (`engine.frames.FrameStore`)."""
    # The engine takes a second to import, which a server that only lists models need not pay.
    from featrix_server.engine import FrameStore

    return FrameStore(folder)


def constant_parts(
    folder: Path, row_ids: Sequence[int] | range, first_offset: int, clusters: Clusters, rows: bool
) -> Iterator[str]:
    """Yield the part of each point's JSON that does not change from frame to frame.

    Parameters
    ----------
    folder
        The session's folder.
    row_ids
        Rows of the points, in order.
    first_offset
        Row offset of the first of them.
    clusters
        Where the default colour ``cluster_pre`` comes from.
    rows
        Whether to add the rows' own values.
    """
    labels = clusters.best_labels(np.asarray(row_ids, np.int64)).tolist()
    values: Iterator[dict[str, Any]] = iter(())
    if rows and row_ids:
        values = tables.grouped_rows(folder, row_ids)
    for index, row_id in enumerate(row_ids):
        point = {"cluster_pre": labels[index], ROW_ID: row_id, ROW_OFFSET: first_offset + index}
        yield safejson.dumps(point | next(values, {}))[1:]


def coords_json(xyz: np.ndarray, constant: Sequence[str] | Iterator[str]) -> Iterator[str]:
    """Yield the JSON of points, comma separated: positions, then each point's constant part.

    Positions come twice, as ``x y z`` and as ``"0" "1" "2"``: readers differ in what they take.
    """
    separator = ""
    for (x, y, z), rest in zip(np.nan_to_num(xyz).round(6).tolist(), constant, strict=True):
        yield f'{separator}{{"x":{x},"y":{y},"z":{z},"0":{x},"1":{y},"2":{z},{rest}'
        separator = ","


def arrow_stream(
    folder: Path, points: Points, window: slice, clusters: Clusters, about: dict[str, Any]
) -> Iterator[bytes]:
    """Yield the points in `window` as an Arrow IPC stream.

    Columns: ``__featrix_row_id`` and ``__featrix_row_offset`` (int64), ``x y z`` (float32),
    ``cluster_<k>`` (uint8) for every k, then the table's columns in their own types. A table
    column whose name is taken by one of those gets ``_`` appended until it is free; the
    metadata's ``renamed_columns`` maps such new names to the old ones.

    Parameters
    ----------
    folder, points, clusters
        The session.
    window
        Which points, with start and stop given.
    about
        Metadata, stored as JSON under the key ``featrix``.
    """
    own = [ROW_ID, ROW_OFFSET, *_AXES, *(f"cluster_{k}" for k in clusters.available_k)]
    names: list[str] = []
    renamed: dict[str, str] = {}
    original = list(tables.column_types(folder))
    for name in original:
        new = name
        while new in own or new in names or (new != name and new in original):
            new += "_"
        names.append(new)
        if new != name:
            renamed[new] = name
    metadata = {"featrix": safejson.dumps(about | {"renamed_columns": renamed})}

    def annotate(batch: pa.RecordBatch, start: int) -> pa.RecordBatch:
        stop = start + batch.num_rows
        row_ids = np.asarray(points.row_ids[start:stop], np.int64)
        arrays = [pa.array(row_ids), pa.array(np.arange(start, stop, dtype=np.int64))]
        xyz = np.asarray(points.xyz[start:stop], np.float32)
        arrays += [pa.array(np.ascontiguousarray(xyz[:, axis])) for axis in range(3)]
        arrays += [pa.array(np.take(clusters.labels[k], row_ids)) for k in clusters.available_k]
        return pa.RecordBatch.from_arrays(
            arrays + batch.columns, names=own + names
        ).replace_schema_metadata(metadata)

    start = window.start
    found = tables.batches(folder, points.row_ids[window])
    first = next(found, None)
    if first is None:  # an empty window still has a schema
        first = next(tables.batches(folder, range(1))).slice(0, 0)
    sink = _Chunks()
    writer = None
    for batch in chain([first], found):
        block = annotate(batch, start)
        writer = writer or pa.ipc.new_stream(sink, block.schema)
        writer.write_batch(block)
        start += batch.num_rows
        yield sink.take()
    if writer is not None:
        writer.close()
    yield sink.take()


class _Chunks:
    """A file to write to, whose content so far can be taken away."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken
