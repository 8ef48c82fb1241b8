"""The way of each point between two frames: on the sphere, with no jump of its velocity.

A frame pair is joined by a cubic Bezier curve on the sphere, drawn by repeated spherical linear
interpolation (Shoemake, SIGGRAPH 1985). Where a point changes its direction along one axis or
rests, it does not overshoot. ``js/src/movie/path.ts`` draws the same way on the page.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[Any]  # float32
_TINY = 1e-6
# A frame's velocity is at most so many times the shorter of the two ways beside it.
_LIMIT = 1.5
# Nearer than this (0.03 radians) the straight way between two points is the spherical one.
_NEAR = 0.9995
# Farther apart than this two points are opposite.
_FAR = -1 + 1e-6


class Path:
    """Positions between the frames of a movie.

    Parameters
    ----------
    xyz
        float32 (frames, n, 3), unit vectors; at least one frame.
    """

    def __init__(self, xyz: Vectors) -> None:
        self._frames = xyz
        self._segment = -1
        self._hull: tuple[Vectors, ...] = ()

    def at(self, time: float) -> Vectors:
        """Positions (n, 3) at a time counted in frames; outside the movie, its first or last."""
        last = len(self._frames) - 1
        time = min(max(time, 0.0), last)
        segment = int(time)
        if time == segment:
            still: Vectors = self._frames[segment]
            return still
        if segment != self._segment:
            self._segment, self._hull = segment, self._control(segment)
        a, b, c, d = self._hull
        t = time - segment
        ab, bc, cd = slerp(a, b, t), slerp(b, c, t), slerp(c, d, t)
        found = slerp(slerp(ab, bc, t), slerp(bc, cd, t), t)
        return np.ascontiguousarray((found / np.sqrt(_dot(found, found))).T)

    # Inside, vectors are columns (3, n): numpy is quickest along the longer axis.

    def _frame(self, index: int) -> Vectors:
        return np.ascontiguousarray(self._frames[index].T)

    def _control(self, segment: int) -> tuple[Vectors, ...]:
        a, d = self._frame(segment), self._frame(segment + 1)
        leave, arrive = self._velocity(segment, a), self._velocity(segment + 1, d)
        return a, move(a, leave / 3), move(d, -arrive / 3), d

    def _velocity(self, frame: int, here: Vectors) -> Vectors:
        """Tangents (3, n) at a frame, in radians a frame; the movie begins and ends at rest."""
        if frame in (0, len(self._frames) - 1):
            return np.zeros_like(here)
        back, on = way(here, self._frame(frame - 1)), way(here, self._frame(frame + 1))
        mean = (on - back) / 2
        size = np.sqrt(_dot(mean, mean))
        shorter = np.sqrt(np.minimum(_dot(back, back), _dot(on, on)))
        scale = np.minimum(1.0, _LIMIT * shorter / np.maximum(size, _TINY))
        return (mean * scale).astype(np.float32)


def _dot(a: Vectors, b: Vectors) -> Vectors:
    product: Vectors = a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
    return product


def way(a: Vectors, b: Vectors) -> Vectors:
    """The tangent at each of ``a`` (3, n) towards ``b``, as long as the angle between them."""
    cosine = _dot(a, b)
    across = b - cosine * a
    length = np.sqrt(_dot(across, across))
    tangent: Vectors = across * (np.arctan2(length, cosine) / np.maximum(length, _TINY))
    return tangent


def move(a: Vectors, tangent: Vectors) -> Vectors:
    """Where each of ``a`` (3, n) gets along a tangent, as far as that is long."""
    angle = np.sqrt(_dot(tangent, tangent))
    step = np.cos(angle) * a + np.sinc(angle / np.pi) * tangent
    return (step / np.sqrt(_dot(step, step))).astype(np.float32)


def slerp(a: Vectors, b: Vectors, t: float) -> Vectors:
    """The point a share ``t`` of the shortest way from each of ``a`` (3, n) to ``b``."""
    cosine = np.clip(_dot(a, b), -1, 1)
    near = cosine > _NEAR
    angle = np.arccos(cosine)
    sine = np.where(near, 1, np.maximum(np.sin(angle), _TINY))
    from_a, from_b = np.float32(1 - t), np.float32(t)
    u = np.where(near, from_a, np.sin(from_a * angle) / sine)
    v = np.where(near, from_b, np.sin(from_b * angle) / sine)
    mixed: Vectors = u * a + v * b
    far = cosine < _FAR
    if far.any():
        beside = _beside(a[:, far])
        mixed[:, far] = np.cos(np.pi * from_b) * a[:, far] + np.sin(np.pi * from_b) * beside
    return mixed


def _beside(a: Vectors) -> Vectors:
    """A unit vector square to each of ``a`` (3, n): between opposites any way is the shortest."""
    zero = np.zeros_like(a[0])
    steep = np.abs(a[2]) > 0.9
    square = np.where(steep, [zero, -a[2], a[1]], [-a[1], a[0], zero])
    turned: Vectors = square / np.sqrt(_dot(square, square))
    return turned
