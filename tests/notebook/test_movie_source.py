"""What a movie can be made of: arrays, the JSON form, models of any client; and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import requests

from featrix_notebook.movie.clusters import clusters_of_frames
from featrix_notebook.movie.source import new_frames, read_movie
from featrix_notebook.packing import pack
from tests.notebook.page_data import unfolded


def movie(frames: int = 4, n: int = 30, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(frames, n, 3))


def payload(xyz: np.ndarray, epochs: list[int], **more: Any) -> dict[str, Any]:
    return {
        f"epoch_{epoch}": {
            "epoch": epoch,
            "coords": [
                {"x": x, "1": y, "z": z, "__featrix_row_offset": i, "set_columns": {"plan": "pro"}}
                for i, (x, y, z) in enumerate(frame.tolist())
            ],
            **more,
        }
        for epoch, frame in zip(epochs, xyz, strict=True)
    }


def test_positions_are_brought_to_the_sphere() -> None:
    xyz = movie()
    xyz[0, 0] = [3e300, 4e300, 0]
    found = read_movie(xyz, epochs=[0, 1, 5, 20])
    assert found.epochs.tolist() == [0, 1, 5, 20]
    assert np.allclose(np.linalg.norm(found.xyz, axis=2), 1, atol=1e-6)
    assert np.allclose(found.xyz[0, 0], [0.6, 0.8, 0])
    assert np.array_equal(found.points.xyz, found.xyz[-1])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (np.nan, "epoch 7 point 3 has a coordinate that is missing, NaN or infinite"),
        (np.inf, "epoch 7 point 3 has a coordinate"),
        (-np.inf, "epoch 7 point 3 has a coordinate"),
    ],
)
def test_what_has_no_place_is_refused_by_name(spoil: float, words: str) -> None:
    xyz = movie()
    xyz[2, 3, 1] = spoil
    with pytest.raises(ValueError, match=words):
        read_movie(xyz, epochs=[1, 3, 7, 8])
    xyz[2, 3] = 0
    with pytest.raises(ValueError, match="point 3 has the coordinates 0, 0, 0"):
        read_movie(xyz)


@pytest.mark.parametrize(
    ("source", "options", "error", "words"),
    [
        (movie()[0], {}, ValueError, "One frame of shape"),
        ([movie()[0], movie()[0, :5]], {}, ValueError, "Every frame must show the same rows"),
        (movie()[:, :0], {}, ValueError, "no points"),
        (movie()[..., :2], {}, ValueError, r"\(epochs, n, 3\)"),
        ([[["a", "b", "c"]]], {}, ValueError, "must be numbers"),
        ([], {}, ValueError, "epochs, n, 3"),
        (7, {}, TypeError, "cannot show a int"),
        ("frames.bin", {}, TypeError, "cannot show a str"),
        ({"epoch_1": 3}, {}, ValueError, "no epochs of a movie"),
        ({"epoch_x": {"coords": [{"x": 1, "y": 0, "z": 0}]}}, {}, ValueError, "of which epoch"),
        ({"epoch_1": {"coords": []}}, {}, ValueError, "epoch 1 holds no points"),
        ({"epoch_1": {"coords": [{"x": None, "y": 0, "z": 0}]}}, {}, ValueError, "missing"),
        (movie(), {"epochs": [0, 1, 1, 2]}, ValueError, "rise"),
        (movie(), {"epochs": [0, 1]}, ValueError, "4 frames, but epochs has 2"),
        (movie(), {"epochs": ["a", 1, 2, 3]}, ValueError, "whole numbers"),
        (movie(), {"clusters": [0] * 29}, ValueError, "clusters must be whole numbers"),
        (movie(), {"clusters": [-1] * 30}, ValueError, "from 0 to 254"),
        (payload(movie(1), [1]), {"rows": pd.DataFrame()}, TypeError, "rows= goes with an array"),
    ],
)
def test_bad_input_is_told(
    source: Any, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        read_movie(source, **options)


def test_the_json_form_is_read_in_the_order_of_its_epochs() -> None:
    xyz = movie(3)
    told = payload(xyz, [1, 10, 2])
    found = read_movie({"epoch_projections": told})
    assert found.epochs.tolist() == [1, 2, 10]
    unit = xyz / np.linalg.norm(xyz, axis=2)[..., None]
    assert np.allclose(found.xyz, unit[[0, 2, 1]], atol=1e-6)
    assert found.points.rows["plan"].tolist() == ["pro"] * 30
    assert found.frame_clusters is None


def test_clusters_of_each_frame_are_taken_where_every_frame_has_them() -> None:
    results = {"2": {"cluster_labels": [i % 2 for i in range(30)], "silhouette_score": 0.5}}
    told = payload(movie(3), [1, 2, 3], entire_cluster_results=results)
    found = read_movie(told)
    assert found.frame_clusters is not None
    assert found.frame_clusters.tolist() == [[i % 2 for i in range(30)]] * 3
    del told["epoch_2"]["entire_cluster_results"]
    assert read_movie(told).frame_clusters is None


class VendorModel:
    """A client with the vendor's method names and nothing of ours."""

    name, status = "theirs", "done"

    def __init__(self, told: dict[str, Any] | None) -> None:
        self.told = told

    def get_epoch_projections(
        self, epoch: Any = None, start_epoch: int = 0, include_source_data: bool = False
    ) -> dict[str, Any]:
        if self.told is None:
            answer = requests.Response()
            answer.status_code = 409
            raise requests.HTTPError(response=answer)
        frames = {k: f for k, f in self.told.items() if f["epoch"] >= (start_epoch or 0)}
        return dict(list(frames.items())[-1:]) if epoch == "last" else frames


def test_a_model_of_another_client_is_shown() -> None:
    found = read_movie(VendorModel(payload(movie(3), [1, 2, 3])))
    assert (len(found), found.points.title) == (3, "theirs")
    assert list(found.points.rows.columns) == ["plan"]
    epochs, xyz = new_frames(VendorModel(payload(movie(3), [1, 2, 3])), after=2)
    assert (epochs.tolist(), xyz.shape) == ([3], (1, 30, 3))


def test_before_the_first_frame_there_is_an_empty_movie() -> None:
    assert len(read_movie(VendorModel(None))) == 0
    assert len(read_movie(VendorModel({}))) == 0


def test_later_frames_join_and_others_are_refused() -> None:
    found = read_movie(movie(3))
    more = read_movie(movie(2, seed=1), epochs=[2, 3])
    grown = found.extended(more.epochs, more.xyz)
    assert grown.epochs.tolist() == [0, 1, 2, 3]
    assert np.array_equal(grown.xyz[-1], more.xyz[-1])
    assert grown.extended(more.epochs, more.xyz) is grown
    other = read_movie(movie(1, n=7), epochs=[9])
    with pytest.raises(ValueError, match="shows 30 rows, but its new frames have 7"):
        grown.extended(other.epochs, other.xyz)


def test_a_large_movie_is_sampled_evenly_and_says_so() -> None:
    found = read_movie(movie(2, n=900), clusters=np.arange(900) % 3).sampled(100, seed=4)
    assert found.xyz.shape == (2, 100, 3)
    assert len(found.points.rows) == len(found.points.clusters[3]) == 100
    assert found.points.notes[-1] == "100 of 900 rows are shown, an even sample (seed 4)."


def test_clusters_keep_their_names_back_in_time() -> None:
    rng = np.random.default_rng(0)
    centres = np.eye(3)
    label = rng.integers(0, 3, 300)
    frames = []
    for mix in np.linspace(1, 0, 12):  # from one heap to three
        xyz = centres[label] + mix * 2.0 + rng.normal(size=(300, 3)) * 0.05
        frames.append(xyz)
    found = read_movie(np.stack(frames))
    each = clusters_of_frames(found.xyz, label.astype(np.uint8))
    assert np.array_equal(each[-1], label)
    assert (each[6:] == label).mean() > 0.98
    assert each.shape == (12, 300)


def test_packing_moves_no_point_by_more_than_a_step() -> None:
    xyz = read_movie(np.concatenate([movie(1, n=4000), np.tile(np.eye(3), (1334, 1))[None, :4000]]))
    assert np.abs(unfolded(pack(xyz.xyz)) - xyz.xyz).max() < 1e-4
