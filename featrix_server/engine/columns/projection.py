"""From sparse hashed counts to a few dense features: idf weights, then truncated SVD."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from scipy import sparse

from featrix_server.engine.columns.hashing import N_BUCKETS
from featrix_server.engine.columns.values import pack, unpack

SVD_ROWS = 4_096


class Projection:
    """Latent semantic analysis over hashed buckets.

    Rows are weighted by smoothed inverse document frequency, scaled to unit length and
    projected on the leading right singular vectors of a seeded sample of training rows.
    """

    def __init__(self, idf: np.ndarray, components: np.ndarray) -> None:
        self.idf = idf.astype(np.float32)
        # Half precision halves the stored model; the rounding is the same before and after.
        self.components = components.astype(np.float16).astype(np.float32)

    @classmethod
    def fit(cls, counts: sparse.csr_matrix, width: int, *, seed: int) -> Self:
        """Fit on training rows.

        Parameters
        ----------
        counts : sparse (n, N_BUCKETS), not negative
        width : int
            Features wanted; trailing ones are zero where the rows do not hold so many.
        """
        from sklearn.utils.extmath import randomized_svd

        n = counts.shape[0]
        seen = np.bincount(counts.indices, minlength=N_BUCKETS)
        idf = np.where(seen > 0, np.log((1 + n) / (1 + seen)) + 1, 0)
        projection = cls(idf, np.zeros((N_BUCKETS, width)))
        rows = projection._weighted(counts)
        if n > SVD_ROWS:
            chosen = np.random.default_rng(seed).choice(n, SVD_ROWS, replace=False)
            rows = rows[np.sort(chosen)]
        rank = min(width, rows.shape[0], int((seen > 0).sum()))
        if rank > 0:
            right = randomized_svd(rows, rank, n_iter=3, random_state=seed)[2]
            projection.components[:, :rank] = right.T.astype(np.float16)
        return projection

    def _weighted(self, counts: sparse.csr_matrix) -> sparse.csr_matrix:
        rows = counts.copy()
        rows.data = np.log1p(rows.data) * self.idf[rows.indices]
        norms = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
        rows.data /= np.repeat(np.maximum(norms, 1e-9), np.diff(rows.indptr)).astype(np.float32)
        return rows

    def __call__(self, counts: sparse.csr_matrix) -> np.ndarray:
        """Return the features of rows of counts, float32 (n, width)."""
        return np.asarray(self._weighted(counts) @ self.components, dtype=np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Return the fitted state, safe for JSON."""
        return {
            "idf": pack(self.idf),
            "components": pack(self.components.astype(np.float16)),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Restore what `to_dict` gave."""
        return cls(unpack(data["idf"]), unpack(data["components"]))
