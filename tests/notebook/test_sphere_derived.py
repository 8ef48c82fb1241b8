"""Colours that are no column of the table: predictions, probabilities, density."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from featrix_notebook import SphereExplorer
from featrix_notebook.explore.density import density
from tests.notebook.asking import AnyPredictor, probability

N = 60


@pytest.fixture
def rows() -> pd.DataFrame:
    plans = np.array(["basic", "gold", None], dtype=object)
    return pd.DataFrame({"age": np.linspace(20, 90, N), "plan": plans[np.arange(N) % 3]})


@pytest.fixture
def xyz() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(N, 3))


def labels(sphere: SphereExplorer) -> list[str]:
    return [choice["label"] for choice in sphere._spec["choices"]]


def test_a_predicted_class_and_its_probability(xyz: np.ndarray, rows: pd.DataFrame) -> None:
    predictor = AnyPredictor()
    sphere = SphereExplorer(xyz, rows=rows, color_by=predictor)
    assert sphere.color_by == "predicted churned"
    assert {e["label"] for e in sphere._spec["color"]["entries"]} == {"yes", "no"}
    assert labels(sphere)[2:5] == [
        "predicted churned",
        "probability of no",
        "probability of yes",
    ]
    sphere.color_by = (predictor, "yes")
    assert sphere.color_by == "probability of yes"
    chance = [probability(record) for record in rows.to_dict("records")]
    most = int(np.argmax(chance))
    assert sphere._codes[int(np.flatnonzero(sphere._order == most)[0])] == 255
    assert len(predictor.asked) == 2
    sphere.color_by = "probability of no"
    assert len(predictor.asked) == 2, "known already"
    assert list(sphere.selection.columns) == ["age", "plan"]


def test_a_predicted_number(xyz: np.ndarray, rows: pd.DataFrame) -> None:
    sphere = SphereExplorer(xyz, rows=rows, color_by=AnyPredictor("regression"))
    color = sphere._spec["color"]
    assert color["kind"] == "number"
    assert color["low"] < color["high"]
    with pytest.raises(ValueError, match="no class 'yes'"):
        sphere.color_by = (AnyPredictor("regression"), "yes")
    assert sphere.color_by == "predicted churned"


def test_rows_a_predictor_cannot_read_are_missing(xyz: np.ndarray, rows: pd.DataFrame) -> None:
    rows["plan"] = rows["plan"].where(rows["plan"] != "gold", "broken")
    sphere = SphereExplorer(xyz, rows=rows, color_by=AnyPredictor())
    assert sphere._spec["color"]["missing"] == N // 3
    rows["plan"] = "broken"
    with pytest.raises(ValueError, match="none of the rows: plan cannot be read"):
        SphereExplorer(xyz, rows=rows, color_by=AnyPredictor())


def test_density_is_one_where_points_are_spread_evenly() -> None:
    rng = np.random.default_rng(0)
    even = rng.normal(size=(40_000, 3))
    even /= np.linalg.norm(even, axis=1)[:, None]
    assert density(even.astype(np.float32)).mean() == pytest.approx(1, abs=0.1)
    assert density(even.astype(np.float32)).std() < 0.2
    crowded = np.concatenate([even[:1000], np.array([1, 0, 0]) + rng.normal(0, 0.05, (1000, 3))])
    sphere = SphereExplorer(crowded, color_by="density")
    assert sphere.color_by == "density"
    found = sphere._points.derived["density"]
    assert found[1000:].median() > 5 * found[:1000].median()
    assert labels(sphere) == ["Density of rows"]


def test_a_column_called_density_is_that_column(xyz: np.ndarray) -> None:
    sphere = SphereExplorer(
        xyz, rows=pd.DataFrame({"density": ["a", "b"] * 30}), color_by="density"
    )
    assert sphere._spec["color"]["kind"] == "category"
    assert labels(sphere) == ["density"]
