"""What makes a group of rows different, from Python and as the page asks for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from featrix_notebook import SphereExplorer

N = 400


@pytest.fixture
def frame() -> pd.DataFrame:
    """Three clusters; the last is older, mostly pro and never says when it joined."""
    rng = np.random.default_rng(0)
    label = np.arange(N) % 3
    last = label == 2
    frame = pd.DataFrame(rng.normal(size=(N, 3)), columns=["x", "y", "z"])
    frame["cluster_3"] = label.astype(np.uint8)
    frame["noise"] = rng.normal(size=N)
    frame["id"] = [f"row {i}" for i in range(N)]
    frame["age"] = np.where(last, rng.normal(60, 5, N), rng.normal(30, 5, N))
    frame["plan"] = np.where(last & (rng.random(N) < 0.9), "pro", rng.choice(["pro", "team"], N))
    joined = pd.Series(pd.date_range("2024-01-01", periods=N, freq="D"))
    frame["joined"] = joined.where(~last & (rng.random(N) < 0.9))
    frame["nothing"] = None
    frame.attrs["featrix"] = {"best_k": 3, "available_k": [3]}
    return frame


def test_the_columns_that_differ_come_first(frame: pd.DataFrame) -> None:
    sphere = SphereExplorer(frame)
    found = sphere.signatures(of=2)
    assert found["column"].tolist()[:3] == ["age", "joined", "plan"]
    by_column = found.set_index("column")
    age = by_column.loc["age"]
    assert age["what"] == "median"
    last = frame["cluster_3"] == 2
    assert age["inside"] == pytest.approx(frame.loc[last, "age"].median())
    assert age["outside"] == pytest.approx(frame.loc[~last, "age"].median())
    joined = by_column.loc["joined"]
    assert joined["what"] == "missing"
    assert joined["inside"] == 1
    assert by_column.loc["plan", "what"] in ("= pro", "= team")
    # Distinct in every row, or without any order in it: no more than chance.
    assert by_column.loc["id", "difference"] < 0.05
    assert by_column.loc["noise", "difference"] < 0.08
    assert by_column.loc["nothing", "difference"] == 0
    assert found["difference"].between(0, 1).all()


def test_every_cluster_or_the_selection(frame: pd.DataFrame) -> None:
    sphere = SphereExplorer(frame)
    every = sphere.signatures()
    assert every["cluster"].unique().tolist() == [0, 1, 2]
    two = every[every["cluster"] == 2].drop(columns="cluster").reset_index(drop=True)
    pd.testing.assert_frame_equal(two, sphere.signatures(of=2, k=3))
    sphere.select(frame["cluster_3"] == 2)
    pd.testing.assert_frame_equal(two, sphere.signatures(of="selection"))


def test_a_shape_that_moved_without_its_middle_is_told_by_a_range(frame: pd.DataFrame) -> None:
    rng = np.random.default_rng(1)
    last = frame["cluster_3"] == 2
    frame["age"] = np.where(last, rng.normal(0, 0.1, N), rng.normal(0, 5, N))
    age = SphereExplorer(frame).signatures(of=2).set_index("column").loc["age"]
    assert " to " in age["what"]
    assert age["inside"] > age["outside"]


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ({"of": 7}, "no cluster 7; their numbers are 0 to 2"),
        ({"k": 5}, "no clustering into 5. Known: 3"),
        ({"of": "selection"}, "Select some of the rows"),
    ],
)
def test_groups_that_are_none_are_refused(
    frame: pd.DataFrame, question: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        SphereExplorer(frame).signatures(**question)
    with pytest.raises(ValueError, match="have no clusters"):
        SphereExplorer(np.eye(3)).signatures()


def test_words_for_the_page(frame: pd.DataFrame) -> None:
    frame.loc[frame["cluster_3"] == 1, "joined"] = pd.Timestamp("2031-05-01")
    sphere = SphereExplorer(frame)
    told, _ = sphere._answer_signature({"of": "3/2"})
    assert told["rows"] == (frame["cluster_3"] == 2).sum()
    words = {trait["column"]: trait["words"] for trait in told["traits"]}
    assert words["age"].startswith("median 59")
    assert words["joined"].startswith("missing: 100%, elsewhere ")
    assert "nothing" not in [trait["column"] for trait in told["traits"]]
    words = {t["column"]: t["words"] for t in sphere._answer_signature({"of": "3/1"})[0]["traits"]}
    assert words["joined"].startswith("median 2031-05-01, elsewhere 2024-")
    with pytest.raises(ValueError, match="no group 'x'"):
        sphere._answer_signature({"of": "x"})


def test_hostile_columns_are_only_compared() -> None:
    rows = pd.DataFrame(
        {
            "inf": [np.inf, -np.inf, 1, np.nan],
            "huge": [1e308, -1e308, 0, 1],
            "lists": [[1], {}, None, "<b>"],
            "same": ["x"] * 4,
        }
    )
    sphere = SphereExplorer(np.eye(3)[[0, 1, 2, 0]], rows=rows)
    sphere.select([0, 1])
    with np.errstate(all="raise"):
        assert len(sphere.signatures(of="selection")) == 4
