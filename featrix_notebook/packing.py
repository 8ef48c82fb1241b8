"""Points of the unit sphere in four bytes each.

The sphere is unfolded onto a square by way of an octahedron (Meyer et al., "On floating-point
normal vectors", EGSR 2010); the square is cut into 65,535 steps a side, so that a point moves by
less than 0.0001 of the radius. ``js/src/gl/packing.ts`` folds it back.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

UNIT = 32767
# Points at a time, so that what lies between input and output stays in the processor's cache.
_CHUNK = 16_384


def pack(xyz: NDArray[np.float32]) -> NDArray[np.int16]:
    """Unit vectors (..., 3) as int16 (..., 2)."""
    packed = np.empty((*xyz.shape[:-1], 2), "<i2")
    points, out = xyz.reshape(-1, 3), packed.reshape(-1, 2)
    for start in range(0, len(points), _CHUNK):
        part = slice(start, start + _CHUNK)
        x, y, z = points[part].T
        scale = UNIT / (np.abs(x) + np.abs(y) + np.abs(z))
        u, v = x * scale, y * scale
        # What lies below the equator is mirrored at the edge between its corners.
        fold = np.where(z < 0, UNIT - np.abs(u) - np.abs(v), 0)
        np.rint(u + np.copysign(fold, u), out=u)
        np.rint(v + np.copysign(fold, v), out=v)
        out[part, 0], out[part, 1] = u, v
    return packed
