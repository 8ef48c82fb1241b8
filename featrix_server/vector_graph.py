"""A graph over vectors (HNSW, by USearch) that knows how good its answers are, and its file.

The file is one line of JSON and the graph in USearch's own form, whose CRC-32 is in the JSON, so
that a damaged file is never handed on. It is written whole or not at all.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
import threading
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

logger = logging.getLogger(__name__)

RECALL = 0.99
"""Share of the ten nearest that a graph must find to be used."""

_AIM = 0.995  # what is measured on stored vectors, so that new queries do not fall below RECALL
_EXPANSIONS = (64, 128, 256, 512, 1024)
_QUERIES = 100
_CHUNK = 2_000
_FORMAT = {"format": "featrix-vector-graph", "version": 1}


class GraphError(ValueError):
    """A graph's file is damaged, or of another version."""


@dataclass(frozen=True)
class Graph:
    """A graph over the vectors of a database as they once were.

    Attributes
    ----------
    index : usearch.index.Index
        The graph; never changed once it is here. Its vectors are float16: it chooses candidates,
        whose cosines are computed from the full vectors.
    last_id : int
        The greatest id in it.
    recall : float
        Share of the ten nearest that it found when it was measured.
    """

    index: Any
    last_id: int
    recall: float

    def __str__(self) -> str:
        return (
            f"graph of {self.size:,} vectors, recall@10 {self.recall:.4f} "
            f"at expansion {self.index.expansion_search}"
        )

    @property
    def size(self) -> int:
        """Vectors in it."""
        return len(self.index)

    @property
    def is_good(self) -> bool:
        """Whether it finds enough to be used."""
        return self.recall >= RECALL

    def search(self, query: np.ndarray, k: int) -> np.ndarray:
        """Return the ids of candidates for the `k` nearest, int64, somewhat more than `k`."""
        return np.asarray(self.index.search(query, _candidates(k)).keys, np.int64)

    def write(self, path: Path) -> None:
        """Write it to a file, in one step."""
        body = self.index.save()
        header = _FORMAT | {
            "last_id": self.last_id,
            "recall": self.recall,
            "expansion": self.index.expansion_search,
            "dimensions": self.index.ndim,
            "crc32": zlib.crc32(body),
        }
        path.parent.mkdir(exist_ok=True)  # but no folder of a session that has been removed
        descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(json.dumps(header).encode() + b"\n")
                file.write(body)
            Path(draft).replace(path)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise


def read_graph(path: Path) -> Graph:
    """Read a graph's file.

    Raises
    ------
    GraphError
        If it is damaged.
    FileNotFoundError
        If there is none.
    """
    with path.open("rb") as file:
        header = _header(file.readline(1000))
        body = file.read()
    if zlib.crc32(body) != header["crc32"]:
        raise GraphError("its content does not match its checksum")
    index = _empty(header["dimensions"])
    index.load(body)
    index.expansion_search = header["expansion"]
    return Graph(index, header["last_id"], header["recall"])


def read_recall(path: Path) -> float | None:
    """Return the recall@10 that stands in a graph's file; None if there is no good one."""
    try:
        with path.open("rb") as file:
            recall: float = _header(file.readline(1000))["recall"]
    except (OSError, GraphError):
        return None
    return recall if recall >= RECALL else None


def _header(line: bytes) -> dict[str, Any]:
    try:
        header = json.loads(line)
        if {key: header[key] for key in _FORMAT} == _FORMAT:
            return dict(header)
    except (ValueError, KeyError, TypeError):
        pass
    raise GraphError("its header is not one of this version")


def build_graph(
    ids: np.ndarray, vectors: np.ndarray, old: Graph | None, stop: threading.Event
) -> Graph | None:
    """Build a graph, and find how widely it must search to be good enough.

    Parameters
    ----------
    ids, vectors
        int64 (n,) rising, and float32 (n, d), rows of length one.
    old
        An earlier graph of the same database, to be built on if little of it is gone.
    stop
        When set, None is returned soon.
    """
    index, start = _empty(vectors.shape[1]), 0
    if old is not None:
        known = int(np.searchsorted(ids, old.last_id, side="right"))
        if old.size - known <= old.size // 8:
            index, start = old.index.copy(), known
    for at in range(start, len(ids), _CHUNK):
        if stop.is_set():
            return None
        chunk = slice(at, at + _CHUNK)
        # One processor is left to the searches.
        threads = max(1, (os.cpu_count() or 1) - 1)
        index.add(ids[chunk], vectors[chunk], threads=threads)
    recall = 0.0
    sample = _Sample.draw(ids, vectors)
    for expansion in _EXPANSIONS:
        if stop.is_set():
            return None
        index.expansion_search = expansion
        recall = sample.recall(index)
        if recall >= _AIM:
            break
    if recall < RECALL:
        logger.warning("a graph of %s vectors finds only %.3f: not used", len(ids), recall)
    return Graph(index, int(ids[-1]), recall)


def _empty(dimensions: int) -> Any:
    from usearch.index import Index

    return Index(ndim=dimensions, metric="ip", dtype="f16")


def _candidates(k: int) -> int:
    return 2 * k + 10


@dataclass(frozen=True)
class _Sample:
    """Queries, and how near their ten nearest vectors are.

    Half of the queries are stored vectors, as of records like those that are there; half lie
    between two of them, as the vectors of records with missing columns lie between many.
    Of vectors that are equally near any will do, so what counts is how many candidates are as
    near as the ten nearest.
    """

    ids: np.ndarray
    vectors: np.ndarray
    queries: np.ndarray
    limits: np.ndarray

    @staticmethod
    def draw(ids: np.ndarray, vectors: np.ndarray) -> _Sample:
        from usearch.index import search

        rng = np.random.default_rng(0)
        one, other = vectors[rng.integers(0, len(vectors), (2, _QUERIES))]
        between = one + other
        between /= np.maximum(np.linalg.norm(between, axis=1, keepdims=True), 1e-12)
        queries = np.concatenate([one, between])
        found = search(vectors, queries, min(10, len(vectors)), "ip", exact=True)
        furthest = np.asarray(found.keys, np.int64)[:, -1]
        limits = np.einsum("qd,qd->q", vectors[furthest], queries) - 1e-6
        return _Sample(ids, vectors, queries, limits)

    def recall(self, index: Any) -> float:
        """Return the share of the ten nearest that are among the candidates."""
        k = min(10, len(self.vectors))
        hits = 0
        found = index.search(self.queries, _candidates(k))
        for query, limit, keys in zip(self.queries, self.limits, found.keys, strict=True):
            # A graph that found too little fills up with keys that are no ids.
            places = np.flatnonzero(np.isin(self.ids, np.asarray(keys, np.int64)))
            hits += min(k, int((self.vectors[places] @ query >= limit).sum()))
        return hits / (k * len(self.queries))
