"""Clusters: the right number of groups, and what sets each apart."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from featrix_server.engine.clusters import find_clusters
from featrix_server.engine.preview import draw_preview


def three_groups(n: int = 240) -> tuple[np.ndarray, pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(0)
    group = np.arange(n) % 3
    z = np.eye(8)[group] + 0.05 * rng.normal(size=(n, 8))
    z = (z / np.linalg.norm(z, axis=1, keepdims=True)).astype(np.float32)
    values = pd.DataFrame(
        {
            "age": 20.0 + 30 * (group == 1) + rng.normal(size=n),
            "plan": np.where(group == 2, "gold", "basic"),
            "noise": rng.normal(size=n),
        }
    )
    values.loc[::7, "age"] = np.nan
    values.loc[::11, "plan"] = None
    return z, values, group


def test_finds_the_groups_and_says_what_sets_them_apart():
    z, values, group = three_groups()
    found = find_clusters(z, values, np.arange(len(z)), seed=0)
    json.dumps(found, allow_nan=False)
    assert found["best_k"] == 3
    assert found["available_k"][0] == 2
    assert set(found["by_k"]) == {str(k) for k in found["available_k"]}
    best = found["by_k"]["3"]
    labels = np.array(best["labels"])
    assert all(len(set(group[labels == cluster])) == 1 for cluster in range(3))
    assert best["score"] == best["davies_bouldin"] < 0.5
    assert best["silhouette_score"] > 0.8
    assert sum(one["size"] for one in best["clusters"]) == len(z)
    assert sum(one["fraction"] for one in best["clusters"]) == pytest.approx(1)

    old = best["clusters"][labels[np.flatnonzero(group == 1)[0]]]
    top = old["features"][0]
    assert (top["column"], top["direction"]) == ("age", "above")
    assert top["cluster_mean"] == pytest.approx(50, abs=1)
    assert top["z_score"] == pytest.approx(
        (top["cluster_mean"] - top["overall_mean"]) / top["overall_std"]
    )
    gold = best["clusters"][labels[np.flatnonzero(group == 2)[0]]]
    plan = next(one for one in gold["features"] if one["column"] == "plan")
    assert (plan["value"], plan["cluster_pct"], plan["direction"]) == ("gold", 100, "above")
    assert plan["lift"] == pytest.approx(plan["cluster_pct"] / plan["overall_pct"])
    ranking = [one["column"] for one in best["column_mi_rankings"]]
    assert ranking[-1] == "noise"


def test_rows_all_alike_are_one_group():
    z = np.tile(np.eye(4, dtype=np.float32)[0], (30, 1))
    found = find_clusters(z, pd.DataFrame({"a": np.ones(30)}), np.arange(30), seed=0)
    assert (found["best_k"], found["available_k"]) == (1, [1])


def test_preview_is_a_picture_of_the_documented_size():
    z, _, group = three_groups()
    xyz = z[:, :3] / np.linalg.norm(z[:, :3], axis=1, keepdims=True)
    png = draw_preview(xyz, group)
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert (int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")) == (512, 512)
    assert png == draw_preview(xyz, group)
