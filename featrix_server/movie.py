"""The training movie as files for viewers: one binary container, and a JSON side file.

The container is binary glTF 2.0 (GLB), little-endian, every chunk padded to 4 bytes:

=========  =====================================================================
bytes      content
=========  =====================================================================
0..3       magic ``glTF``
4..7       version, uint32: 2
8..11      length of the whole file, uint32
12..15     length of the JSON chunk, uint32
16..19     ``JSON``
...        the JSON chunk (UTF-8, padded with spaces)
4          length of the binary chunk, uint32
4          ``BIN\\0``
...        the binary chunk (padded with zeros)
=========  =====================================================================

In the JSON, ``accessors[0]`` are the positions: float32 VEC3, epoch-major (epoch, point, xyz). Then
one accessor a clustering: uint8 SCALAR (point), the cluster of each point in the finished model.
``extras.featrix`` says what they mean: ``version`` 1, ``epochs`` (the epoch of each frame),
``row_ids`` (of each point, in the table), ``n_points``, ``point_offset``, ``positions`` (accessor),
``clusters`` {k: accessor}, ``best_k``.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from featrix_server.points import Clusters

_FLOAT32, _UINT8 = 5126, 5121  # glTF's component types


@dataclass(frozen=True)
class Movie:
    """A part of a training movie: some epochs, some points.

    Attributes
    ----------
    epochs : list of int
        Epoch of each frame.
    row_ids : list of int
        Row of each point in the table.
    positions : slice
        Which frames of the store they are.
    points : slice
        Which points of a frame they are.
    total_points : int
        Points of a whole frame.
    """

    epochs: list[int]
    row_ids: list[int]
    positions: slice
    points: slice
    total_points: int


def to_glb(movie: Movie, frames: np.ndarray, clusters: Clusters) -> bytes:
    """Return the container of a movie.

    Parameters
    ----------
    movie
        What is in it.
    frames
        Positions, float32 (epochs, points, 3).
    clusters
        Clusters of the finished model; may be empty.
    """
    row_ids = np.asarray(movie.row_ids, np.int64)
    blocks = [np.ascontiguousarray(frames, "<f4").tobytes()]
    accessors: list[dict[str, Any]] = [
        {"bufferView": 0, "componentType": _FLOAT32, "type": "VEC3", "count": frames.size // 3}
    ]
    if frames.size:  # glTF wants the bounds of positions
        accessors[0]["min"] = frames.min((0, 1)).tolist()
        accessors[0]["max"] = frames.max((0, 1)).tolist()
    for k in clusters.available_k:
        blocks.append(clusters.labels[k][row_ids].tobytes())
        view = len(blocks) - 1
        accessors.append(
            {
                "bufferView": view,
                "componentType": _UINT8,
                "type": "SCALAR",
                "count": len(row_ids),
            }
        )
    padded = [block + b"\0" * (-len(block) % 4) for block in blocks]
    offsets = np.cumsum([0, *(len(block) for block in padded)]).tolist()
    meaning = {
        "version": 1,
        "epochs": movie.epochs,
        "row_ids": movie.row_ids,
        "n_points": len(movie.row_ids),
        "point_offset": movie.points.start,
        "positions": 0,
        "clusters": {str(k): i + 1 for i, k in enumerate(clusters.available_k)},
        "best_k": clusters.best_k,
    }
    header = {
        "asset": {"version": "2.0", "generator": "featrix-notebook"},
        "buffers": [{"byteLength": offsets[-1]}],
        "bufferViews": [
            {"buffer": 0, "byteOffset": offset, "byteLength": len(block)}
            for offset, block in zip(offsets, blocks, strict=False)
        ],
        "accessors": accessors,
        "extras": {"featrix": meaning},
    }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    length = 12 + 8 + len(text) + 8 + offsets[-1]
    return b"".join(
        [
            b"glTF",
            struct.pack("<II", 2, length),
            struct.pack("<I", len(text)) + b"JSON",
            text,
            struct.pack("<I", offsets[-1]) + b"BIN\0",
            *padded,
        ]
    )
