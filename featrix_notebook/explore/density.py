"""How crowded the sphere is where each point lies."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

_CELLS = 40  # along each axis: a cell is about three degrees wide
_REACH = 2
_TURN = 4 * np.pi


def density(xyz: NDArray[np.float32]) -> NDArray[np.float64]:
    """Points around each point, as a multiple of what an even spread would put there.

    Counted in cells of a cube around the sphere and smoothed over five cells each way, about 15
    degrees: quick for a million points, and blind to the order they are drawn in.

    Parameters
    ----------
    xyz
        (n, 3) unit vectors.

    Returns
    -------
    numpy.ndarray
        float64 (n,); 1 is as crowded as an even spread would be.
    """
    n = len(xyz)
    if not n:
        return np.empty(0)
    place, count = _around(xyz)
    crowd: NDArray[np.float64] = count[place] / n / _even_share()[place]
    return crowd


def _around(xyz: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The cell of each point, and how many points lie in and around each cell."""
    cell = np.clip((xyz + 1) * (_CELLS / 2), 0, _CELLS - 1).astype(np.int64)
    place = np.ravel_multi_index(tuple(cell.T), (_CELLS,) * 3)
    count = np.bincount(place, minlength=_CELLS**3).reshape((_CELLS,) * 3)
    return place, _smooth(count).ravel()


def _smooth(count: NDArray[np.generic]) -> NDArray[np.float64]:
    """Sums over the cells within reach along each axis."""
    total = np.asarray(count, np.float64)
    for axis in range(3):
        padded = np.pad(total, [(_REACH, _REACH) if a == axis else (0, 0) for a in range(3)])
        windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * _REACH + 1, axis=axis)
        total = windows.sum(axis=-1)
    return total


@cache
def _even_share() -> NDArray[np.float64]:
    """What each cell's surroundings would hold of points spread evenly (a Fibonacci lattice)."""
    m = 200_000
    i = np.arange(m) + 0.5
    z = 1 - 2 * i / m
    turn = _TURN / (1 + np.sqrt(5)) * i
    flat = np.sqrt(1 - z * z)
    even = np.stack([flat * np.cos(turn), flat * np.sin(turn), z], axis=1)
    return np.maximum(_around(even)[1] / m, 1 / m)
