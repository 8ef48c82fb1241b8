"""Neighbours and outliers of a sphere: of arrays, of models, and where only the sphere is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from featrix_client import FoundationalModel
from featrix_notebook import SphereExplorer
from featrix_notebook.explore import space

N = 80


@pytest.fixture
def vectors() -> np.ndarray:
    """A crowd, with row 5 far from it and row 9 without a vector."""
    rng = np.random.default_rng(0)
    found = np.concatenate([np.ones((N, 4)), np.zeros((N, 4))], axis=1)
    found += rng.normal(0, 0.05, (N, 8))
    found[5] = -found[5]
    found[9] = np.nan
    return found


@pytest.fixture
def sphere(vectors: np.ndarray) -> SphereExplorer:
    xyz = np.random.default_rng(1).normal(size=(N, 3))
    rows = pd.DataFrame({"similarity": range(N)}, index=[f"id-{i}" for i in range(N)])
    return SphereExplorer(xyz, rows=rows, embeddings=vectors)


def test_neighbours_are_those_of_the_full_vectors(
    sphere: SphereExplorer, vectors: np.ndarray
) -> None:
    unit = vectors / np.linalg.norm(vectors, axis=1)[:, None]
    cosines = np.nan_to_num(unit @ unit[3], nan=-9)
    cosines[3] = -9
    expected = np.argsort(-cosines)[:6]
    found = sphere.neighbours("id-3", k=6)
    assert found.index.tolist() == [f"id-{i}" for i in expected]
    assert found["similarity_"].to_numpy() == pytest.approx(cosines[expected], abs=1e-5)
    assert found.attrs["note"] == "Nearest in the full embedding."
    shown = sphere._neighbours
    assert sphere._order[shown["points"]].tolist() == expected.tolist()
    assert sphere._order[shown["point"]] == 3
    assert len(sphere.neighbours("id-3", k=1000, show=False)) == N - 2
    assert sphere._neighbours == shown
    sphere.hide_neighbours()
    assert sphere._neighbours == {}


def test_the_most_isolated_row_comes_first(sphere: SphereExplorer) -> None:
    found = sphere.outliers(3, select=True)
    assert found.index[0] == "id-5"
    assert found["isolation"].is_monotonic_decreasing
    assert found["isolation"].iloc[0] > 1.5
    assert "id-9" not in sphere.outliers(N).index
    assert sorted(sphere.selected_ids) == sorted(found.index)


def test_twins_far_out_are_no_crowd() -> None:
    rng = np.random.default_rng(0)
    crowd = space.unit(np.ones(6) + rng.normal(0, 0.05, (500, 6)))
    crowd[:2] = -crowd[0]
    alone = space.isolation(crowd)
    assert set(np.argsort(-alone.distance)[:2]) == {0, 1}
    assert alone.compared == 500


def test_a_large_table_is_compared_with_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "_MOST_PAIRS", 3_000_000)
    crowd = np.random.default_rng(0).normal(size=(2_500, 5)).astype(np.float32)
    exact = SphereExplorer(crowd[:, :3], embeddings=crowd[:, :5])
    note = exact.outliers(5).attrs["note"]
    assert note.endswith("Each row was compared with a sample of 1,200.")


def test_where_only_the_sphere_is_known_it_is_said() -> None:
    xyz = np.random.default_rng(1).normal(size=(N, 3))
    sphere = SphereExplorer(xyz)
    note = sphere.neighbours(0).attrs["note"]
    assert note == "Nearest on the sphere only: the full embedding is not known."
    unit = xyz / np.linalg.norm(xyz, axis=1)[:, None]
    assert sphere.neighbours(0).index[0] == np.argsort(-(unit @ unit[0]))[1]
    assert "on the sphere only" in sphere.outliers().attrs["note"]


def test_rows_without_a_position_take_their_vectors_along(vectors: np.ndarray) -> None:
    xyz = np.random.default_rng(1).normal(size=(N, 3))
    xyz[:4] = np.nan
    sphere = SphereExplorer(xyz, embeddings=vectors)
    assert sphere.outliers(1).index[0] == 5


@pytest.mark.parametrize(
    ("embeddings", "words"),
    [
        (np.zeros((3, 4)), r"shape \(80, d\), not \(3, 4\)"),
        (np.zeros(N), "one row for each"),
        ([["a"]] * N, "must hold numbers"),
    ],
)
def test_vectors_that_do_not_fit_are_refused(embeddings: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SphereExplorer(np.eye(3)[np.arange(N) % 3], embeddings=embeddings)


def test_bad_questions_are_refused(sphere: SphereExplorer) -> None:
    with pytest.raises(ValueError, match="not on the sphere"):
        sphere.neighbours("nobody")
    with pytest.raises(ValueError, match="at least one row"):
        sphere.neighbours("id-1", k=0)
    with pytest.raises(ValueError, match="no vector of its own"):
        sphere.neighbours("id-9")
    with pytest.raises(ValueError, match="at least one row"):
        sphere.outliers(2.5)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("n", [1, 2])
def test_hardly_any_rows(n: int) -> None:
    sphere = SphereExplorer(np.eye(3)[:n])
    assert len(sphere.neighbours(0)) == n - 1
    assert len(sphere.outliers()) == (n if n > 1 else 0)


def test_a_model_is_asked(trained: FoundationalModel) -> None:
    sphere = SphereExplorer(trained)
    vectors = trained.row_embeddings()
    assert vectors.shape == (len(sphere._points), trained.dimensions)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-4)
    cosines = vectors @ vectors[7]
    cosines[7] = -9
    found = sphere.neighbours(7, k=5)
    assert found.attrs["note"] == "Nearest in the full embedding."
    assert found["similarity"].to_numpy() == pytest.approx(np.sort(cosines)[:-6:-1], abs=2e-3)
    assert cosines[found.index].min() >= np.sort(cosines)[-8]
    alone = sphere.outliers(5)
    assert alone.attrs["note"] == "Far from all others in the full embedding."
    near = np.sort(vectors @ vectors.T, axis=1)[:, -11:-1]
    assert alone["isolation"].iloc[0] == pytest.approx((1 - near.mean(axis=1)).max(), abs=1e-3)
    mark = sphere.place(sphere._points.rows.iloc[7].to_dict())
    assert mark.xyz == pytest.approx(sphere._points.xyz[7], abs=1e-2)


def test_a_model_that_cannot_be_asked_leaves_the_sphere(
    trained: FoundationalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    sphere = SphereExplorer(trained)

    def refuse(record: Any) -> None:
        raise ValueError("no such service")

    monkeypatch.setattr(trained, "create_reference_record", refuse)
    note = sphere.neighbours(0).attrs["note"]
    assert note.endswith("the full embedding is not known (no such service).")
