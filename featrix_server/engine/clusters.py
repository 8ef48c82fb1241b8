"""Groups of rows: k-means on the full embedding for several k, and what sets each group apart."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import davies_bouldin_score, silhouette_score

ALGORITHM = "kmeans"
KS = tuple(range(2, 13))
FIT_ROWS = 5_000
SCORE_ROWS = 2_000
FEATURES = 8
"""Distinguishing features kept a cluster."""
BINS = 10


def find_clusters(
    z: np.ndarray, values: pd.DataFrame, rows: np.ndarray, *, seed: int
) -> dict[str, Any]:
    """Cluster rows for k = 2..12.

    k-means is fitted on a seeded sample of at most 5,000 rows and assigns all of them;
    Davies-Bouldin (lower is better) on that sample chooses ``best_k``; the silhouette (2,000
    rows) stands beside.

    Parameters
    ----------
    z
        float32 (n, d) unit embeddings.
    values
        Model columns of some rows: float columns, or texts for anything else.
    rows
        int (m,) which rows ``values`` holds; they describe the clusters.
    seed
        Of the sample and of k-means.

    Returns
    -------
    dict
        JSON-safe: ``best_k``, ``available_k``, ``algorithm`` and ``by_k`` (keys are k as text)
        of ``labels``, ``score`` (Davies-Bouldin), ``davies_bouldin``, ``silhouette_score``,
        ``n_clusters``, ``clusters`` and ``column_mi_rankings``.
    """
    sample = np.random.default_rng([seed, 9]).permutation(len(z))
    fit, scored = sample[:FIT_ROWS], sample[:SCORE_ROWS]
    columns = [_Column(str(name), values[name]) for name in values.columns]
    by_k: dict[str, Any] = {}
    for k in KS:
        if k >= len(z):
            break
        labels = _assign(z, z[fit], k, seed)
        if len(np.unique(labels[scored])) < k:
            continue  # fewer distinct rows than k
        score = float(davies_bouldin_score(z[fit], labels[fit]))
        silhouette = float(silhouette_score(z[scored], labels[scored]))
        by_k[str(k)] = _entry(labels, k, score, silhouette, columns, rows)
    if not by_k:  # all rows alike: one group
        by_k["1"] = _entry(np.zeros(len(z), np.int64), 1, 0.0, 0.0, columns, rows)
    best = min(by_k, key=lambda k: (by_k[k]["davies_bouldin"], int(k)))
    return {
        "best_k": int(best),
        "available_k": [int(k) for k in by_k],
        "algorithm": ALGORITHM,
        "by_k": by_k,
    }


def _entry(
    labels: np.ndarray,
    k: int,
    score: float,
    silhouette: float,
    columns: Sequence[_Column],
    rows: np.ndarray,
) -> dict[str, Any]:
    sizes = np.bincount(labels, minlength=k)
    return {
        "labels": labels.tolist(),
        "score": score,
        "davies_bouldin": score,
        "silhouette_score": silhouette,
        "n_clusters": k,
        **_profile(labels[rows], sizes, columns),
    }


def _assign(z: np.ndarray, fit: np.ndarray, k: int, seed: int) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct rows than k
        means = KMeans(k, n_init=2, random_state=seed, max_iter=100).fit(fit)
    return np.asarray(means.predict(z))


class _Column:
    """One column, prepared once for all k."""

    def __init__(self, name: str, values: pd.Series) -> None:
        self.name = name
        self.is_number = pd.api.types.is_numeric_dtype(values.dtype)
        if self.is_number:
            self.numbers = values.to_numpy(np.float64)
            present = self.numbers[np.isfinite(self.numbers)]
            present = present if len(present) else np.zeros(1)
            edges = np.unique(np.quantile(present, np.linspace(0, 1, BINS + 1)[1:-1]))
            self.codes = np.where(
                np.isfinite(self.numbers), np.searchsorted(edges, self.numbers, "right"), -1
            )
            self.mean = float(present.mean())
            self.std = float(present.std())
        else:
            self.codes, self.names = pd.factorize(values, sort=True)
        self.counts = np.bincount(self.codes[self.codes >= 0], minlength=1)

    def table(self, labels: np.ndarray, k: int) -> np.ndarray:
        """Rows of each cluster and code, (k, codes)."""
        known = self.codes >= 0
        flat = labels[known] * len(self.counts) + self.codes[known]
        return np.bincount(flat, minlength=k * len(self.counts)).reshape(k, -1)


def _profile(labels: np.ndarray, sizes: np.ndarray, columns: Sequence[_Column]) -> dict[str, Any]:
    k = len(sizes)
    tables = {column.name: column.table(labels, k) for column in columns}
    bits = {name: _bits(table) for name, table in tables.items()}
    ranking = [
        {"column": name, "mutual_information_bits": bits[name]}
        for name in sorted(bits, key=bits.__getitem__, reverse=True)
    ]
    clusters = []
    for cluster in range(k):
        mine = labels == cluster
        features = [
            feature
            for column in columns
            if (feature := _feature(column, tables[column.name], mine, cluster)) is not None
        ]
        features.sort(key=lambda one: -one["strength"])
        clusters.append(
            {
                "cluster": cluster,
                "size": int(sizes[cluster]),
                "fraction": float(sizes[cluster] / sizes.sum()),
                "features": features[:FEATURES],
            }
        )
    return {"clusters": clusters, "column_mi_rankings": ranking}


def _bits(table: np.ndarray) -> float:
    """Mutual information of cluster and value, less its expected bias (Miller 1955), in bits."""
    total = table.sum()
    if not total:
        return 0.0
    joint = table / total
    by_chance = joint.sum(1, keepdims=True) * joint.sum(0)
    some = joint > 0
    value = float((joint[some] * np.log2(joint[some] / by_chance[some])).sum())
    bias = (table.shape[0] - 1) * (table.shape[1] - 1) / (2 * total * math.log(2))
    return max(0.0, value - bias)


def _feature(
    column: _Column, table: np.ndarray, mine: np.ndarray, cluster: int
) -> dict[str, Any] | None:
    if column.is_number:
        return _number_feature(column, mine)
    size = int(table[cluster].sum())
    if not size:
        return None
    share, overall = table[cluster] / size, column.counts / column.counts.sum()
    # Of two equal differences, name what the group has rather than what it lacks.
    difference = share - overall
    at = int(np.argmax(np.abs(difference) + 1e-6 * (difference > 0)))
    return {
        "column": column.name,
        "type": "set",
        "value": str(column.names[at])[:200],
        "cluster_pct": 100 * float(share[at]),
        "overall_pct": 100 * float(overall[at]),
        "lift": float(share[at] / overall[at]),
        "direction": "above" if share[at] >= overall[at] else "below",
        "strength": abs(float(share[at] - overall[at])) / math.sqrt(
            float(overall[at] * (1 - overall[at])) + 1e-6
        ),
    }  # fmt: skip


def _number_feature(column: _Column, mine: np.ndarray) -> dict[str, Any] | None:
    own = column.numbers[mine]
    own = own[np.isfinite(own)]
    if not len(own) or column.std == 0:
        return None
    z = (float(own.mean()) - column.mean) / column.std
    return {
        "column": column.name,
        "type": "scalar",
        "cluster_mean": float(own.mean()),
        "cluster_std": float(own.std()),
        "overall_mean": column.mean,
        "overall_std": column.std,
        "z_score": z,
        "direction": "above" if z >= 0 else "below",
        "strength": abs(z),
    }
