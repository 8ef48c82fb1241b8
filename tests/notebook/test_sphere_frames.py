"""What the sphere reads: models, the JSON of projections, tables, arrays."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from featrix_notebook.frames import read_points


def payload(n: int = 6) -> dict[str, Any]:
    return {
        "coords": [
            {"0": 0.0, "1": float(i % 2), "2": 1.0, "cluster_pre": 0,
             "__featrix_row_id": 100 + i, "__featrix_row_offset": i,
             "scalar_columns": {"age": None if i == 0 else 30 + i},
             "set_columns": {"plan": "pro"}, "string_columns": {"note": "hi"}}
            for i in range(n)
        ],
        "entire_cluster_results": {
            "2": {"cluster_labels": [0, 1] * (n // 2), "silhouette_score": 0.4},
            "3": {"cluster_labels": [0, 1, 2] * (n // 3), "silhouette_score": 0.2},
        },
        "total_count": n,
    }  # fmt: skip


@pytest.mark.parametrize("wrapped", [False, True])
def test_an_object_of_the_vendor_s_client(wrapped: bool) -> None:
    body = {"projections": payload()} if wrapped else payload()
    points = read_points(SimpleNamespace(get_projections=lambda: body, name="theirs"))
    assert len(points) == 6
    assert points.title == "theirs"
    assert points.row_ids.tolist() == [100, 101, 102, 103, 104, 105]
    assert list(points.rows.columns) == ["age", "plan", "note"]
    assert np.isnan(points.rows["age"].iloc[0])
    assert points.best_k == 2
    assert points.clusters[3].tolist() == [0, 1, 2, 0, 1, 2]
    assert points.column_types == {"age": "scalar", "plan": "set", "note": "free_string"}
    assert np.allclose(np.linalg.norm(points.xyz, axis=1), 1)


def test_a_page_of_projections_keeps_its_cluster_labels() -> None:
    body = payload()
    body["coords"] = body["coords"][4:]
    assert read_points(body).clusters[3].tolist() == [1, 2]


def test_davies_bouldin_alone_is_better_when_smaller() -> None:
    body = payload()
    body["entire_cluster_results"] = {
        k: {"cluster_labels": [0, 1, 0, 1, 0, 1], "score": score}
        for k, score in (("2", 1.4), ("4", 0.6), ("5", 0.9))
    }
    assert read_points(body).best_k == 4


def test_a_table_of_one_s_own_keeps_all_its_columns_and_its_index() -> None:
    frame = pd.DataFrame(
        {"x": [1, 0], "y": [0, 2], "z": [0, 0], "cluster_2": ["a", "b"], "v": [5, 6]},
        index=["p", "q"],
    )
    points = read_points(frame)
    assert points.row_ids.tolist() == ["p", "q"]
    assert list(points.rows.columns) == ["cluster_2", "v"]
    assert points.clusters == {}
    assert points.xyz.tolist() == [[1, 0, 0], [0, 1, 0]]


def test_other_tables_and_mappings() -> None:
    columns = {"x": [1.0], "y": [0.0], "z": [0.0], "name": ["a"]}
    arrow = SimpleNamespace(to_pandas=lambda: pd.DataFrame(columns))
    for source in (columns, arrow):
        assert read_points(source).rows["name"].tolist() == ["a"]


def test_an_array_with_the_rows_it_stands_for() -> None:
    rows = pd.DataFrame({"a": [1, 2]}, index=[7, 8])
    points = read_points([[2, 0, 0], [0, 0, -3]], rows)
    assert points.xyz.tolist() == [[1, 0, 0], [0, 0, -1]]
    rows["a"] = 0
    assert points.rows["a"].tolist() == [1, 2], "the caller's later changes came through"


def test_rows_without_a_position_are_left_out_and_it_is_said() -> None:
    xyz = [[np.nan, 0, 1], [0, 0, 0], [np.inf, 0, 0], [0, 1, 0]]
    points = read_points(np.array(xyz), pd.DataFrame({"a": list("pqrs")}))
    assert points.rows["a"].tolist() == ["s"]
    assert points.row_ids.tolist() == [3]
    assert points.notes == ("3 rows have no position: not shown.",)


@pytest.mark.parametrize(
    ("source", "rows", "error", "words"),
    [
        (pd.DataFrame({"x": [1], "y": [1]}), None, ValueError, "no column 'z'"),
        (np.zeros((4, 2)), None, ValueError, r"shape \(n, 3\), not \(4, 2\)"),
        (np.ones((4, 3)), pd.DataFrame({"a": [1]}), ValueError, "4 positions, but rows has 1"),
        (np.array([["a", "b", "c"]]), None, ValueError, "must hold numbers"),
        ({"coords": []}, None, ValueError, "hold no points"),
        ("model", None, TypeError, "cannot show a str"),
        (None, None, TypeError, "cannot show a NoneType"),
        (pd.DataFrame({"x": [1], "y": [1], "z": [1]}), [1], TypeError, "has its own"),
    ],
)
def test_what_cannot_be_shown_says_what_is_wanted(
    source: Any, rows: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        read_points(source, rows)
