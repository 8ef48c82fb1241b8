"""Points of the unit sphere in four bytes each.

The sphere is unfolded onto a square by way of an octahedron (Meyer et al., "On floating-point
normal vectors", EGSR 2010); the square is cut into 65,535 steps a side, so that a point moves by
less than 0.0001 of the radius. ``js/src/movie/packing.ts`` folds it back.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

UNIT = 32767


def pack(xyz: NDArray[np.float32]) -> NDArray[np.int16]:
    """Unit vectors (..., 3) as int16 (..., 2)."""
    flat = xyz / np.abs(xyz).sum(axis=-1, keepdims=True)
    uv = flat[..., :2]
    folded = (1 - np.abs(uv[..., ::-1])) * np.where(uv >= 0, 1, -1)
    square = np.where(flat[..., 2:] < 0, folded, uv)
    packed: NDArray[np.int16] = np.rint(square * UNIT).astype("<i2")
    return packed
