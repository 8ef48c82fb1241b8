"""Who is near whom, and who is alone, in a space of vectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BLOCK = 512
# Pairs that are compared at most, so that a million rows are answered in half a minute: beyond,
# rows are compared with a sample of the others.
_MOST_PAIRS = 2_000_000_000


@dataclass(frozen=True)
class Isolation:
    """How far from the others each row lies.

    ``distance`` is float32 (n,): one minus the mean cosine to the nearest others, 0 to 2, NaN
    where a row has no vector. ``compared`` is the number of rows that each was compared with.
    """

    distance: NDArray[np.float32]
    compared: int


def unit(vectors: NDArray[np.generic]) -> NDArray[np.float32]:
    """Vectors of length one, so that their products are cosines; NaN for those without one."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        whole = np.asarray(vectors, np.float32)
        length = np.sqrt(np.einsum("ij,ij->i", whole, whole, dtype=np.float64))
        found: NDArray[np.float32] = (whole / length[:, None]).astype(np.float32)
    found[~np.isfinite(found).all(axis=1)] = np.nan
    return found


def nearest(
    vectors: NDArray[np.float32], to: NDArray[np.float32], k: int, without: int | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The rows nearest to a vector, exactly.

    Parameters
    ----------
    vectors
        float32 (n, d), of length one; rows of NaN are near nobody.
    to
        float32 (d,), of length one.
    k
        How many; fewer where there are fewer.
    without
        A row to leave out: the one that is asked about.

    Returns
    -------
    (rows, similarities)
        Both (k,), nearest first; similarity is the cosine.
    """
    with np.errstate(invalid="ignore"):
        cosines = vectors @ to
    cosines[np.isnan(cosines)] = -np.inf
    if without is not None:
        cosines[without] = -np.inf
    k = min(k, int(np.isfinite(cosines).sum()))
    rows = np.argpartition(-cosines, k - 1)[:k] if k else np.empty(0, np.int64)
    rows = rows[np.lexsort((rows, -cosines[rows]))]
    return rows, np.clip(cosines[rows], -1, 1)


def isolation(vectors: NDArray[np.float32], k: int = 10, seed: int = 0) -> Isolation:
    """How far each row lies from its ``k`` nearest others.

    The mean over several keeps two or three twins far out from passing for a crowd (Ramaswamy et
    al. 2000 and Angiulli & Pizzuti 2002 rank outliers by distances to k neighbours).

    Parameters
    ----------
    vectors
        float32 (n, d), of length one, or NaN.
    seed
        Of the sample that a very large table is compared with.
    """
    n = len(vectors)
    there = np.flatnonzero(~np.isnan(vectors).any(axis=1))
    distance = np.full(n, np.nan, np.float32)
    others = there
    most = max(1_000, _MOST_PAIRS // max(1, n))
    if len(there) > most:
        others = np.sort(np.random.default_rng(seed).choice(there, most, replace=False))
    k = min(k, len(others) - 1)
    if k < 1:
        return Isolation(distance, len(others))
    crowd = np.ascontiguousarray(vectors[others].T)
    place = np.full(n, -1)
    place[others] = np.arange(len(others))
    for start in range(0, len(there), _BLOCK):
        rows = there[start : start + _BLOCK]
        cosines = vectors[rows] @ crowd
        own = place[rows] >= 0  # nobody is his own neighbour
        cosines[np.flatnonzero(own), place[rows][own]] = -np.inf
        near = np.partition(cosines, len(others) - k, axis=1)[:, len(others) - k :]
        distance[rows] = 1 - np.clip(near, -1, 1).mean(axis=1)
    return Isolation(distance, len(others))
