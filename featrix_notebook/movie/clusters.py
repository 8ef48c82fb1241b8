"""Clusters of every frame, with names that keep their meaning from frame to frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_MOST_STEPS = 8


def clusters_of_frames(xyz: NDArray[np.float32], last: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cluster each frame on the sphere (spherical k-means, Dhillon & Modha 2001).

    The last frame has the labels it was given. From there it goes back in time: each frame starts
    from the centres of the one after it, so that a label follows its cluster.

    Parameters
    ----------
    xyz
        float32 (frames, n, 3), unit vectors; at least one frame.
    last
        uint8 (n,), labels of the last frame.

    Returns
    -------
    numpy.ndarray
        uint8 (frames, n).
    """
    labels = np.empty(xyz.shape[:2], np.uint8)
    labels[-1] = last
    k = int(last.max(initial=0)) + 1
    centres = _centres(xyz[-1], last, np.zeros((k, 3), np.float32))
    for frame in range(len(xyz) - 2, -1, -1):
        before = labels[frame + 1]
        for _ in range(_MOST_STEPS):
            found = np.argmax(xyz[frame] @ centres.T, axis=1).astype(np.uint8)
            centres = _centres(xyz[frame], found, centres)
            if np.array_equal(found, before):
                break
            before = found
        labels[frame] = found
    return labels


def _centres(
    xyz: NDArray[np.float32], labels: NDArray[np.uint8], before: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The mean direction of each cluster; an empty one keeps its place."""
    k = len(before)
    sums = np.column_stack([np.bincount(labels, xyz[:, axis], k) for axis in range(3)])
    length = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.where(length > 1e-9, sums / np.maximum(length, 1e-9), before).astype(np.float32)
