"""The training movie: where the same rows stand on the sphere, epoch by epoch.

On disk: ``frames.bin``, float32, epoch-major (epoch, point, xyz), and ``frames.json``, which says
how many of its frames count. The index is replaced atomically after each frame, so a crash
between the two leaves the shorter, still correct movie.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .files import write_json

MAX_FRAMES = 200
MAX_POINTS = 5_000
VERSION = 1


class FrameStore:
    """Frames in a model's folder.

    Attributes
    ----------
    row_ids : list of int
        Row number in the table of each point.
    epochs : list of int
        Epoch of each frame, rising.
    """

    def __init__(self, folder: Path) -> None:
        self._bin = folder / "frames.bin"
        self._json = folder / "frames.json"
        self.row_ids: list[int] = []
        self.epochs: list[int] = []
        if self._json.exists():
            index = json.loads(self._json.read_text())
            self.row_ids, self.epochs = index["row_ids"], index["epochs"]

    @property
    def n_points(self) -> int:
        """Points of every frame."""
        return len(self.row_ids)

    def begin(self, row_ids: Sequence[int]) -> None:
        """Start an empty movie of these rows."""
        self.row_ids, self.epochs = [int(row) for row in row_ids], []
        self._bin.write_bytes(b"")
        self._write_index()

    def append(self, epoch: int, xyz: np.ndarray) -> None:
        """Add a frame, float32 (n_points, 3).

        Raises
        ------
        ValueError
            For another number of points, numbers that are not finite, or an epoch not later
            than the last.
        """
        frame = np.ascontiguousarray(xyz, dtype="<f4")
        if frame.shape != (self.n_points, 3):
            raise ValueError(f"a frame is {(self.n_points, 3)}, got {frame.shape}")
        if not np.isfinite(frame).all():
            raise ValueError(f"the frame of epoch {epoch} has coordinates that are not finite")
        if self.epochs and epoch <= self.epochs[-1]:
            raise ValueError(f"epoch {epoch} does not follow epoch {self.epochs[-1]}")
        with self._bin.open("r+b") as file:
            file.seek(len(self.epochs) * frame.nbytes)
            file.truncate()
            file.write(frame.tobytes())
        self.epochs.append(int(epoch))
        self._write_index()

    def read(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Frames ``start:stop`` (by position, not epoch) as float32 (frames, n_points, 3)."""
        first, last, _ = slice(start, stop).indices(len(self.epochs))
        count, size = max(last - first, 0), self.n_points * 3
        values = np.zeros(0, "<f4")
        if count and size:
            values = np.fromfile(self._bin, "<f4", count * size, offset=first * size * 4)
        return values.reshape(count, self.n_points, 3)

    def truncate(self, epoch: int) -> None:
        """Forget the frames after ``epoch``: what an interrupted epoch left behind."""
        self.epochs = [known for known in self.epochs if known <= epoch]
        self._write_index()

    def _write_index(self) -> None:
        write_json(
            self._json,
            {
                "version": VERSION,
                "n_points": self.n_points,
                "row_ids": self.row_ids,
                "epochs": self.epochs,
            },
        )


def frame_epochs(total: int, limit: int = MAX_FRAMES) -> frozenset[int]:
    """Which of the epochs 0..total get a frame: all if they fit, else dense early, even later."""
    if total < limit:
        return frozenset(range(total + 1))
    early = np.unique(np.geomspace(1, total, limit // 4).astype(int))
    evenly = np.linspace(0, total, limit - len(early)).astype(int)
    return frozenset(int(epoch) for epoch in np.concatenate([early, evenly]))


def turn_onto(points: np.ndarray, onto: np.ndarray) -> np.ndarray:
    """The rotation R (3, 3), no reflection, that brings ``points @ R`` closest to ``onto``.

    Orthogonal Procrustes with positive determinant (Kabsch 1976). Both are (n, 3).
    """
    left, _, right = np.linalg.svd(points.astype(np.float64).T @ onto.astype(np.float64))
    sign = np.sign(np.linalg.det(left @ right))
    return (left * [1.0, 1.0, sign]) @ right
