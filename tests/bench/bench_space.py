"""Is the learned space worth having? Probes on embeddings, and trust in the sphere.

``python tests/bench/bench_space.py [--tables telco_churn hpc_jobs] [--no-umap]``

For each labelled table: a model trained on 80 % of the rows with the target column absent; then a
logistic (ridge for numbers) probe on standardised frozen embeddings, scored on the other rows,
against the same probe on one-hot + scaled raw columns, the strength chosen inside the training
rows alike for both. For the sphere: trustworthiness (k = 15) of 3,000 training rows against the
full embedding, beside the first three principal components put on the sphere and UMAP onto a
sphere, with times.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegressionCV, RidgeCV
from sklearn.manifold import trustworthiness
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

DATA = Path(os.environ.get("FEATRIX_BENCH_DATA", Path(__file__).parents[3] / "shared" / "data"))
FIT_ROWS = 12_000
SPHERE_ROWS = 3_000
NEIGHBOURS = 15


def train(frame: pd.DataFrame, folder: Path) -> tuple[float, float]:
    """Train a model on a table; seconds in all, and of these for the 3D head and its graph."""
    from featrix_server.engine import TrainOptions, detect_schema, pretrain, read_table

    frame.to_csv(folder / "table.csv", index=False)
    start = time.perf_counter()
    reached = {}

    def on_epoch(report):
        reached[report.phase] = time.perf_counter()  # the last one stays
        return "continue"

    table = read_table(folder / "table.csv", folder / "data.parquet")
    pretrain(table, detect_schema(table), folder, TrainOptions(), on_epoch, info={})
    return time.perf_counter() - start, reached["sphere"] - reached["space"]


def embed(frame: pd.DataFrame, folder: Path) -> np.ndarray:
    """Embeddings of all rows, also of those the model never saw."""
    from featrix_server.engine import EmbeddingModel

    records = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return EmbeddingModel.load(folder).encode(records)[0]


def raw_features(frame: pd.DataFrame, train_rows: np.ndarray) -> np.ndarray:
    """One-hot categories and numbers with missing ones imputed (scaling is the probe's)."""
    numbers = frame.select_dtypes("number").columns
    others = frame.columns.difference(numbers)
    texts = frame.assign(**{name: frame[name].astype(str) for name in others})
    transform = make_column_transformer(
        (SimpleImputer(strategy="median"), list(numbers)),
        (
            OneHotEncoder(handle_unknown="ignore", sparse_output=False, min_frequency=2),
            list(others),
        ),
    )
    return transform.fit(texts.iloc[train_rows]).transform(texts)


def probe(x: np.ndarray, y: np.ndarray, fit: np.ndarray, test: np.ndarray, task: str) -> float:
    """Score of a linear probe on held-out rows: AUC (one against the rest) or R2."""
    if task == "regression":
        model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 5, 15)))
        return r2_score(y[test], model.fit(x[fit], y[fit]).predict(x[test]))
    head = LogisticRegressionCV(
        Cs=np.logspace(-4, 1, 6), cv=3, max_iter=1_000, scoring="neg_log_loss",
        l1_ratios=(0,), use_legacy_attributes=False,
    )  # fmt: skip
    chance = make_pipeline(StandardScaler(), head).fit(x[fit], y[fit]).predict_proba(x[test])
    if task == "binary":
        return roc_auc_score(y[test], chance[:, 1])
    return roc_auc_score(y[test], chance, multi_class="ovr", average="macro")


def on_sphere(z: np.ndarray) -> np.ndarray:
    """The first three principal components, each row scaled to length one."""
    centred = z - z.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    xyz = centred @ axes[:3].T
    return xyz / np.linalg.norm(xyz, axis=1, keepdims=True)


def umap_sphere(z: np.ndarray) -> np.ndarray | None:
    """UMAP onto a sphere (its haversine output), as unit vectors; None if it is not installed."""
    try:
        from umap import UMAP
    except ImportError:
        print("  UMAP is not installed (dependency group 'bench'); left out")
        return None
    angles = UMAP(n_components=2, output_metric="haversine", random_state=0).fit_transform(z)
    x, y = angles[:, 0], angles[:, 1]
    return np.stack([np.sin(x) * np.cos(y), np.sin(x) * np.sin(y), np.cos(x)], axis=1)


def measure(facts: dict, peers: bool) -> dict:
    """All figures of one table."""
    frame = pd.read_csv(DATA / facts["file"]).dropna(subset=[facts["target"]])
    y = frame.pop(facts["target"]).to_numpy()
    stratify = None if facts["task"] == "regression" else y
    fit, test = train_test_split(
        np.arange(len(frame)), test_size=0.2, random_state=0, stratify=stratify
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seconds, sphere_seconds = train(frame.iloc[fit], folder)
        features = embed(frame, folder)
        z, xyz = np.load(folder / "embeddings.npy"), np.load(folder / "sphere.npy")
        history = json.loads((folder / "card.json").read_text())
    fit = fit[:FIT_ROWS]
    raw = probe(raw_features(frame, fit), y, fit, test, facts["task"])
    ours = probe(features, y, fit, test, facts["task"])
    result = {
        "raw": raw, "embedding": ours, "ratio": ours / raw, "train_s": seconds,
        "epochs": history["training_config"]["epochs_total"],
    }  # fmt: skip
    rows = np.random.default_rng(0).permutation(len(z))[:SPHERE_ROWS]
    result["sphere_s"] = sphere_seconds
    result["sphere"] = trustworthiness(z[rows], xyz[rows], n_neighbors=NEIGHBOURS)
    result["pca"] = trustworthiness(z[rows], on_sphere(z[rows]), n_neighbors=NEIGHBOURS)
    if peers:
        start = time.perf_counter()
        if (umap := umap_sphere(z[rows])) is not None:
            result["umap_s"] = time.perf_counter() - start
            result["umap"] = trustworthiness(z[rows], umap, n_neighbors=NEIGHBOURS)
    return result


def main() -> None:
    """Print a row a table, then the mean ratio."""
    facts = json.loads((DATA / "datasets.json").read_text())
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="*", default=[one["name"] for one in facts])
    parser.add_argument("--no-umap", action="store_true")
    options = parser.parse_args()
    results = {}
    for one in facts:
        if one["name"] in options.tables:
            results[one["name"]] = measure(one, not options.no_umap)
            figures = "  ".join(f"{key} {value:.4g}" for key, value in results[one["name"]].items())
            print(f"{one['name']:16} {figures}", flush=True)
    ratios = [one["ratio"] for one in results.values()]
    print(f"mean ratio {np.mean(ratios):.4f}, lowest {min(ratios):.4f}")


if __name__ == "__main__":
    main()
