"""The sphere explorer in Python: options, colours, selection, requests, following a training."""

from __future__ import annotations

import base64
import io
import threading
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from featrix_notebook import SphereExplorer
from featrix_notebook.widgets.rows import stratified_order
from tests.notebook.page_data import unfolded
from tests.waiting import wait_until


@pytest.fixture
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {"plan": rng.choice(["basic", "pro", "team"], 200), "age": rng.normal(40, 9, 200)},
        index=[f"id-{i}" for i in range(200)],
    )


@pytest.fixture
def xyz() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(200, 3))


def sent_positions(sphere: SphereExplorer) -> np.ndarray:
    return unfolded(np.frombuffer(sphere._positions, "<i2").reshape(-1, 2))


def test_positions_and_codes_cost_five_bytes_a_point(xyz: np.ndarray, rows: pd.DataFrame) -> None:
    sphere = SphereExplorer(xyz, rows=rows, color_by="plan")
    assert len(sphere._positions) + len(sphere._codes) == 5 * len(rows)
    unit = xyz / np.linalg.norm(xyz, axis=1)[:, None]
    assert np.abs(sent_positions(sphere) - unit[sphere._order]).max() < 1e-4


def test_points_are_coloured_by_the_row_they_stand_for(xyz: np.ndarray, rows: pd.DataFrame) -> None:
    sphere = SphereExplorer(xyz, rows=rows, color_by="plan")
    labels = [entry["label"] for entry in sphere._spec["color"]["entries"]]
    shown = [labels[code - 1] for code in sphere._codes]
    assert shown == rows["plan"].iloc[sphere._order].tolist()


def test_every_prefix_of_the_order_is_a_fair_sample() -> None:
    rng = np.random.default_rng(0)
    cluster = rng.choice(4, 40_000, p=[0.6, 0.3, 0.09, 0.01])
    xyz = rng.normal(size=(4, 3))[cluster] + rng.normal(size=(40_000, 3)) * 0.1
    xyz = (xyz / np.linalg.norm(xyz, axis=1)[:, None]).astype(np.float32)
    order = stratified_order(xyz, seed=3)
    assert sorted(order) == list(range(40_000))
    assert np.array_equal(order, stratified_order(xyz, seed=3))
    assert not np.array_equal(order, stratified_order(xyz, seed=4))
    share = np.bincount(cluster, minlength=4) / 40_000
    for length in (500, 3_000, 17_000):
        sample = np.bincount(cluster[order[:length]], minlength=4) / length
        chance = np.sqrt(share * (1 - share) / length)
        # Stratified: closer to the truth than chance would usually be.
        assert np.all(np.abs(sample - share) < 1.5 * chance)


def test_selection_travels_both_ways(xyz: np.ndarray, rows: pd.DataFrame) -> None:
    sphere = SphereExplorer(xyz, rows=rows)
    heard: list[tuple[list[str], str]] = []
    stop = sphere.on_select(lambda ids, cause: heard.append((ids, cause)))
    sphere.select(["id-7", "id-3"])
    assert sphere.selected_ids == ["id-3", "id-7"]
    pd.testing.assert_frame_equal(sphere.selection, rows.loc[["id-3", "id-7"]])
    # What a page sends: places in the order of the points.
    place = int(np.flatnonzero(sphere._order == 5)[0])
    sphere._selected = memoryview(np.array([place], "<u4").tobytes())
    assert heard == [(["id-3", "id-7"], "python"), (["id-5"], "user")]
    stop()
    sphere.select([])
    assert len(heard) == 2
    assert sphere.selection.empty
    assert list(sphere.selection.columns) == ["plan", "age"]


def test_a_handler_may_take_the_ids_alone(xyz: np.ndarray, rows: pd.DataFrame) -> None:
    sphere = SphereExplorer(xyz, rows=rows)
    heard: list[Any] = []
    sphere.on_select(heard.append)
    sphere.select(rows["age"] > 50)
    assert heard == [rows.index[rows["age"] > 50].tolist()]


@pytest.mark.parametrize(
    ("ids", "error", "words"),
    [
        (["id-3", "nobody"], ValueError, "1 of 2 ids are not on the sphere: 'nobody'"),
        ("id-3", TypeError, "list of row ids"),
        (7, TypeError, "list of row ids"),
        (np.array([True]), ValueError, "mask"),
    ],
)
def test_a_bad_selection_changes_nothing(
    xyz: np.ndarray, rows: pd.DataFrame, ids: Any, error: type[Exception], words: str
) -> None:
    sphere = SphereExplorer(xyz, rows=rows)
    sphere.select(["id-1"])
    with pytest.raises(error, match=words):
        sphere.select(ids)
    assert sphere.selected_ids == ["id-1"]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"color_by": "plna"}, ValueError, "Did you mean 'plan'"),
        ({"color_by": [1, 2]}, ValueError, "2 values, but the sphere has 200 rows"),
        ({"colour_by": "plan"}, TypeError, "Did you mean 'color_by'"),
        ({"opacity": 1.5}, ValueError, "between 0.02 and 1"),
        ({"size": "big"}, TypeError, "size must be a number"),
        ({"height": 10}, ValueError, "between 240 and 4000"),
    ],
)
def test_bad_options_say_what_to_do(
    xyz: np.ndarray,
    rows: pd.DataFrame,
    options: dict[str, Any],
    error: type[Exception],
    words: str,
) -> None:
    with pytest.raises(error, match=words):
        SphereExplorer(xyz, rows=rows, **options)


def test_colours_may_come_from_an_array(xyz: np.ndarray, rows: pd.DataFrame) -> None:
    sphere = SphereExplorer(xyz, rows=rows)
    assert sphere._spec["color"]["kind"] == "none"
    sphere.color_by = xyz[:, 0]
    assert sphere._spec["color"]["kind"] == "number"
    assert "coloured by values" in sphere.summary()
    sphere.color_by = "age"
    assert sphere.color_by == "age"


def ask(sphere: SphereExplorer, **request: Any) -> dict[str, Any]:
    """What the page gets back for a request."""
    answers: list[dict[str, Any]] = []
    sphere.send = lambda content, buffers=None: answers.append(content)
    sphere._handle_custom_msg({"v": 1, "id": "q1", **request}, [])
    (answer,) = answers
    assert answer["id"] == "q1"
    return answer


def test_the_page_may_ask_for_a_row(xyz: np.ndarray, rows: pd.DataFrame) -> None:
    rows.loc["id-9", "plan"] = None
    sphere = SphereExplorer(xyz, rows=rows)
    place = int(np.flatnonzero(sphere._order == 9)[0])
    values = ask(sphere, kind="row", point=place)["values"]
    assert values == [["row", "id-9"], ["plan", None], ["age", f"{rows['age'].iloc[9]:.6g}"]]


@pytest.mark.parametrize("point", [-1, 200, None, "3", 1.5])
def test_a_row_that_is_not_there_is_an_error_for_the_page(
    xyz: np.ndarray, rows: pd.DataFrame, point: Any
) -> None:
    assert "no point" in ask(SphereExplorer(xyz, rows=rows), kind="row", point=point)["error"]


def test_the_page_may_ask_for_a_column(xyz: np.ndarray, rows: pd.DataFrame) -> None:
    sphere = SphereExplorer(xyz, rows=rows, color_by="plan")
    assert "error" not in ask(sphere, kind="color", choice=1)
    assert sphere.color_by == "age"
    assert "no column number" in ask(sphere, kind="color", choice=99)["error"]
    assert sphere.color_by == "age"


def test_columns_may_share_a_name_or_be_no_text(xyz: np.ndarray) -> None:
    rows = pd.DataFrame(np.tile(["p", "q"], (200, 3)).reshape(200, -1)[:, :3])
    rows.columns = pd.Index(["a", "a", 5])
    sphere = SphereExplorer(xyz, rows=rows, color_by=5)
    assert ask(sphere, kind="color", choice=1)["kind"] == "color"
    assert len(ask(sphere, kind="row", point=0)["values"]) == 4


def test_a_saved_notebook_keeps_picture_and_words(xyz: np.ndarray, rows: pd.DataFrame) -> None:
    rows["plan"] = rows["plan"].replace("pro", "$\\frac{1}{$ 🎉")  # not to be read as mathematics
    for color_by in ("plan", "age", None):
        bundle = SphereExplorer(xyz, rows=rows, color_by=color_by).mime_bundle()
        assert bundle["text/plain"].startswith("200 rows on a sphere")
        with Image.open(io.BytesIO(base64.b64decode(bundle["image/png"]))) as image:
            pixels = np.asarray(image.convert("RGB"), dtype=int)
        assert (pixels.max(axis=2) - pixels.min(axis=2) > 60).sum() > 500


def test_a_million_points_are_quick_to_make() -> None:
    rng = np.random.default_rng(0)
    xyz = rng.normal(size=(1_000_000, 3)).astype(np.float32)
    sphere = SphereExplorer(xyz, color_by=xyz[:, 0])
    assert len(sphere._positions) == 4_000_000
    sphere.select(range(0, 1_000_000, 1000))
    assert len(sphere.selection) == 1000


def test_closing_twice_is_harmless(xyz: np.ndarray, rows: pd.DataFrame) -> None:
    sphere = SphereExplorer(xyz, rows=rows)
    sphere.close()
    sphere.close()


class TrainingModel:
    """A model like the client's: frames while it trains, projections when it is done."""

    id, name = "session-1", "Telco"

    def __init__(self, rows: pd.DataFrame, xyz: np.ndarray) -> None:
        self.status = self.truth = "training"
        self.rows, self.xyz = rows, xyz
        self.frames = 0
        self.go_on = threading.Event()

    def get_epoch_projections(self, **query: Any) -> dict[str, Any]:
        if not self.frames:
            return {"epoch_projections": {}}
        coords = [
            {"x": x, "y": y, "z": z, "__featrix_row_id": i, "__featrix_row_offset": i,
             "set_columns": {"plan": self.rows["plan"].iloc[i]}}
            for i, (x, y, z) in enumerate(self.xyz[:50].tolist())
        ]  # fmt: skip
        return {"epoch_projections": {f"epoch_{self.frames}": {"epoch": 1, "coords": coords}}}

    def projections_frame(self) -> pd.DataFrame:
        frame = pd.DataFrame(self.xyz, columns=["x", "y", "z"])
        frame.insert(0, "__featrix_row_id", np.arange(len(frame)))
        frame["cluster_3"] = np.arange(len(frame)) % 3
        frame = pd.concat([frame, self.rows.reset_index(drop=True)], axis=1)
        frame.attrs["featrix"] = {"best_k": 3, "available_k": [3], "column_types": {"plan": "set"}}
        return frame

    def refresh(self) -> None:
        self.status = self.truth

    def events(self, after: int = 0) -> Any:
        yield after + 1, "status", {"status": "running"}
        self.go_on.wait(20)
        self.truth = "done"
        yield after + 2, "status", {"status": "done"}

    def get_training_metrics(self) -> dict[str, Any]:
        return {}


def test_a_model_in_training_is_shown_as_it_is_and_then_as_it_became(
    xyz: np.ndarray, rows: pd.DataFrame
) -> None:
    model = TrainingModel(rows, xyz)
    early = SphereExplorer(model, color_by="plan")
    assert early._spec["n"] == 0
    assert early.summary() == (
        "0 rows of Telco on a sphere, coloured by plan. Training: the first epoch is not there yet."
    )
    model.frames = 1
    sphere = SphereExplorer(model, color_by="plan")
    assert sphere._spec["n"] == 50
    assert "Training: epoch 1" in sphere.summary()
    model.go_on.set()
    wait_until(lambda: sphere._spec["n"] == 200, "the finished sphere")
    wait_until(lambda: early._spec["n"] == 200, "the finished sphere, from nothing")
    assert "Training" not in sphere.summary()
    assert sphere.color_by == early.color_by == "plan"
    assert [c["label"] for c in sphere._spec["choices"]][:2] == ["Best: 3 clusters", "3 clusters"]


def test_clusters_are_the_first_colour_of_a_model(xyz: np.ndarray, rows: pd.DataFrame) -> None:
    model = TrainingModel(rows, xyz)
    model.truth = "done"  # which the object has not heard yet
    sphere = SphereExplorer(model)
    assert sphere.color_by == "cluster"
    assert [e["label"] for e in sphere._spec["color"]["entries"]] == [
        "Cluster 0",
        "Cluster 1",
        "Cluster 2",
    ]
    assert sphere.summary().startswith("200 rows of Telco on a sphere, coloured by cluster")
    sphere.color_by = "cluster_3"
    sphere.select([5])
    assert sphere.selection["age"].tolist() == [rows["age"].iloc[5]]
