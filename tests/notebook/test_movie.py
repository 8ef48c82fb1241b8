"""The training movie in Python: options, colours, requests of its page, following a training."""

from __future__ import annotations

import base64
import gc
import io
import threading
import weakref
import zlib
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from featrix_client import FeatrixSphere, FoundationalModel
from featrix_notebook import TrainingMovie
from tests.waiting import wait_until

FRAMES, N = 6, 50


@pytest.fixture
def xyz() -> np.ndarray:
    rng = np.random.default_rng(1)
    start, end = rng.normal(size=(2, N, 3))
    return np.stack([start + (end - start) * t for t in np.linspace(0, 1, FRAMES)])


@pytest.fixture
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    plan = rng.choice(["basic", "pro"], N)
    return pd.DataFrame({"plan": plan, "age": rng.normal(40, 9, N)}, index=range(100, 100 + N))


class Page:
    """What a page hears of a widget, and asks it."""

    def __init__(self, movie: TrainingMovie) -> None:
        self.movie = movie
        self.heard: list[tuple[dict[str, Any], list[bytes]]] = []
        self.answered = threading.Event()
        movie.send = self._hear

    def _hear(self, message: dict[str, Any], buffers: Any = None) -> None:
        self.heard.append((message, [bytes(data) for data in buffers or ()]))
        if "id" in message:
            self.answered.set()

    def ask(self, kind: str, **fields: Any) -> tuple[dict[str, Any], list[bytes]]:
        self.answered.clear()
        self.movie._handle_custom_msg({"kind": kind, "id": "7", **fields}, [])
        assert self.answered.wait(60)
        return self.heard[-1]


def test_a_movie_costs_four_bytes_a_point_and_frame(xyz: np.ndarray) -> None:
    movie = TrainingMovie(xyz)
    page = Page(movie)
    message, (data,) = page.ask("frames", **{"from": 1, "to": FRAMES})
    assert len(data) == (FRAMES - 1) * N * 4
    assert message["parts"][0]["dtype"] == "i2"
    assert (message["from"], message["to"]) == (1, FRAMES)
    assert len(movie._first) == N * 4
    assert movie.packed[0].tobytes() == movie._first


@pytest.mark.parametrize("asked", [(0, 0), (-1, 2), (2, 99), ("0", 2), (None, None), (1.5, 2)])
def test_frames_that_are_not_there_are_refused(xyz: np.ndarray, asked: tuple[Any, Any]) -> None:
    message, buffers = Page(TrainingMovie(xyz)).ask("frames", **{"from": asked[0], "to": asked[1]})
    assert "the movie has 6" in message["error"]
    assert buffers == []


def test_points_are_coloured_by_the_row_they_stand_for(xyz: np.ndarray, rows: pd.DataFrame) -> None:
    movie = TrainingMovie(xyz, rows=rows, color_by="plan")
    labels = [entry["label"] for entry in movie._spec["color"]["entries"]]
    assert [labels[code - 1] for code in movie._codes] == rows["plan"].iloc[movie._order].tolist()
    page = Page(movie)
    age = [choice["label"] for choice in movie._spec["choices"]].index("age")
    page.ask("color", choice=age)
    assert movie.color_by == "age"
    assert movie._spec["color"]["kind"] == "number"
    assert "no column number 99" in page.ask("color", choice=99)[0]["error"]
    values = dict(page.ask("row", point=0)[0]["values"])
    assert values["plan"] == rows["plan"].iloc[movie._order[0]]


def test_clusters_of_each_epoch_come_as_one_row_of_codes_a_frame(xyz: np.ndarray) -> None:
    each = np.arange(FRAMES * N).reshape(FRAMES, N) % 3
    movie = TrainingMovie(xyz, clusters=each, color_by="epoch_cluster")
    assert movie._spec["color"]["perFrame"]
    (data,) = Page(movie).ask("codes")[1]
    codes = np.frombuffer(zlib.decompress(data), np.uint8).reshape(FRAMES, N)
    assert np.array_equal(codes, each[:, movie._order] + 1)
    movie.color_by = "cluster"
    assert not movie._spec["color"]["perFrame"]
    assert bytes(movie._codes) == (each[-1, movie._order] + 1).astype(np.uint8).tobytes()
    with pytest.raises(ValueError, match="no clusters to colour by"):
        TrainingMovie(xyz, color_by="epoch_cluster")


def test_selection_is_shared_with_python(xyz: np.ndarray, rows: pd.DataFrame) -> None:
    movie = TrainingMovie(xyz, rows=rows)
    movie.select([103, 101])
    assert movie.selection.index.tolist() == [101, 103]
    with pytest.raises(ValueError, match="not on the sphere"):
        movie.select([7])


def test_an_epoch_is_one_of_the_frames(xyz: np.ndarray) -> None:
    movie = TrainingMovie(xyz, epochs=[0, 1, 2, 5, 10, 20])
    for asked, there in ((5, 5), (9, 5), (99, 20), (-4, 0)):
        movie.epoch = asked
        assert movie.epoch == there
    assert movie.epochs == [0, 1, 2, 5, 10, 20]


@pytest.mark.parametrize(
    ("losses", "names", "first"),
    [
        ([6, 5, 4, 3, 2, 1], ["epoch", "loss"], [0, 6]),
        ([5, 4, 3, 2, 1], ["epoch", "loss"], [1, 5]),
        ({"val_loss": [3, 2], "epoch": [1, 4]}, ["epoch", "validation_loss"], [1, 3]),
        ({"accuracy": [0.1] * 6}, ["epoch", "accuracy"], [0, 0.1]),
        (pd.DataFrame({"loss": range(9), "epoch": range(9)}), ["epoch", "loss"], [0, 0]),
    ],
)
def test_losses_are_set_beside_the_frames(
    xyz: np.ndarray, losses: Any, names: list[str], first: list[float]
) -> None:
    movie = TrainingMovie(xyz, losses=losses)
    assert movie._spec["log"] == names
    assert np.frombuffer(movie._log)[: len(names)].tolist() == first


def test_the_json_form_may_bring_its_validation_loss(xyz: np.ndarray) -> None:
    frames = {
        f"epoch_{i}": {"coords": [dict(zip("xyz", point, strict=True)) for point in frame.tolist()]}
        for i, frame in enumerate(xyz)
    }
    told = [{"epoch": epoch, "value": 3.0 - epoch / 2} for epoch in (1, 2, 5)]
    movie = TrainingMovie(
        {"epoch_projections": frames, "training_metrics": {"validation_loss": told}}
    )
    assert movie._spec["log"] == ["epoch", "validation_loss"]
    assert np.frombuffer(movie._log).tolist() == [1, 2.5, 2, 2.0, 5, 0.5]
    assert TrainingMovie(frames)._spec["log"] == ["epoch"]


def test_what_cannot_be_is_told(xyz: np.ndarray) -> None:
    with pytest.raises(ValueError, match="6 frames, but 3 losses"):
        TrainingMovie(xyz, losses=[1, 2, 3])
    with pytest.raises(TypeError, match="Did you mean 'losses'"):
        TrainingMovie(xyz, lossses=[1])
    for option, value in {"fps": 0, "height": 3, "opacity": 7, "max_points": 0}.items():
        with pytest.raises(ValueError, match=f"{option} must be between"):
            TrainingMovie(xyz, **{option: value})


@pytest.mark.parametrize("source", [[[[1, 0, 0]]], [[[1, 0, 0]]] * 2, [[[0, 0, 2], [0, 0, 2]]] * 3])
def test_hardly_anything_is_still_a_movie(source: Any) -> None:
    movie = TrainingMovie(source)
    assert movie.playing is (len(source) > 1)
    assert movie.snapshot_png() is not None
    assert "on a sphere" in movie.summary()


def test_the_output_has_a_picture_and_words(xyz: np.ndarray, rows: pd.DataFrame) -> None:
    title = "<script>alert(1)</script> שלום 👩‍👩‍👧"
    movie = TrainingMovie(xyz, rows=rows, losses=[6, 5, 4, 3, 2, 1], title=title)
    data = movie.mime_bundle()
    assert "6 epochs, 0 to 5" in data["text/plain"]
    assert "loss from 6 to 1" in data["text/plain"]
    with Image.open(io.BytesIO(base64.b64decode(data["image/png"]))) as picture:
        pixels = np.asarray(picture.convert("RGB"), dtype=np.int16)
    assert (pixels.max(axis=2) - pixels.min(axis=2) > 70).sum() > 1000
    assert "TrainingMovie" not in repr(movie) or len(repr(movie)) < 300


def test_closed_movies_leave_nothing_behind(xyz: np.ndarray) -> None:
    gone = []
    for _ in range(50):
        movie = TrainingMovie(xyz)
        gone.append(weakref.ref(movie))
        movie.close()
    del movie
    gc.collect()
    assert not any(ref() for ref in gone)


def test_closing_twice_is_harmless(xyz: np.ndarray) -> None:
    movie = TrainingMovie(xyz)
    movie.close()
    movie.close()


class Publishes:
    """A model whose server keeps every tenth epoch."""

    name, status = "mine", "done"

    def __init__(self, xyz: np.ndarray) -> None:
        self.xyz = xyz
        self.asked: list[dict[str, Any]] = []

    def movie_frames(self, start_epoch: int = 0) -> Any:
        return np.arange(FRAMES)[start_epoch:], np.arange(N), self.xyz[start_epoch:]

    def movie_rows(self) -> pd.DataFrame:
        return pd.DataFrame({"__featrix_row_id": range(N), "plan": "pro"})

    def get_training_metrics(self) -> dict[str, Any]:
        return {"data": {"epochs": [1, 2], "train_loss": [3.0, 2.0], "best_epoch": 2}}

    def publish_checkpoint(
        self, name: str, org_id: str | None, checkpoint_epoch: int | None = None
    ) -> Any:
        self.asked.append({"name": name, "org_id": org_id, "epoch": checkpoint_epoch})
        if checkpoint_epoch == 3:
            raise ValueError("Weights are kept of the epochs 0, 2, 5.")
        return type("Published", (), {"id": "published-1"})()


def test_an_epoch_is_published_and_a_refusal_is_shown(xyz: np.ndarray) -> None:
    model = Publishes(xyz)
    movie = TrainingMovie(model)
    assert movie._spec["best"] == 2
    page = Page(movie)
    assert page.ask("publish", name=" two ", org="", epoch=2)[0]["published"] == "published-1"
    assert model.asked == [{"name": "two", "org_id": None, "epoch": 2}]
    assert page.ask("publish", name="x", epoch=3)[0]["error"] == (
        "Weights are kept of the epochs 0, 2, 5."
    )
    assert page.ask("publish", name="  ")[0]["error"] == "The new model needs a name."
    movie.epoch = 4
    movie.publish("four", "org")
    assert model.asked[-1] == {"name": "four", "org_id": "org", "epoch": 4}


def test_without_a_model_there_is_nothing_to_publish(xyz: np.ndarray) -> None:
    movie = TrainingMovie(xyz)
    assert not movie._spec["publish"]
    assert "no model behind this movie" in Page(movie).ask("publish", name="x")[0]["error"]


def test_a_trained_model_is_shown_with_its_rows_clusters_and_losses(
    trained: FoundationalModel,
) -> None:
    movie = TrainingMovie(trained)
    assert movie.epochs == trained.movie_frames()[0].tolist()
    assert movie.color_by == "cluster"
    assert movie._spec["log"] == ["epoch", "loss", "validation_loss"]
    assert set(movie._points.rows.columns) >= {"species_id", "weight", "month"}
    assert movie._follower is None
    assert f"Training movie of {trained.name}" in movie.summary()


def test_a_running_training_makes_the_movie_grow(
    featrix: FeatrixSphere, animals: pd.DataFrame
) -> None:
    fm = featrix.create_foundational_model(name="growing", df=animals, epochs=4)
    movie = TrainingMovie(fm)
    seen: list[int] = []
    movie.observe(lambda change: seen.append(len(change["new"]["epochs"])), "_spec")
    wait_until(lambda: not movie._spec["live"], "the training is over", 120)
    assert movie.epochs == fm.movie_frames()[0].tolist()
    assert seen == sorted(seen)
    assert len({count for count in seen if count}) >= 2, seen
    assert movie.color_by == "cluster"
    assert movie._spec["log"][:2] == ["epoch", "loss"]
    movie.close()


class Polled:
    """Another client's model in training: no event stream, one more frame at every question."""

    name, id = "polled", "polled-1"

    def __init__(self, xyz: np.ndarray, ends: str) -> None:
        self.xyz, self.ends = xyz, ends
        self.status, self.asked = "training", 0

    def refresh(self) -> None:
        self.asked += 1
        if self.asked > 3:
            self.status = self.ends

    def get_training_metrics(self) -> dict[str, Any]:
        count = min(self.asked, FRAMES)
        return {"loss_history": [3.0] * count, "lr_history": [0.1] * count}

    def get_epoch_projections(
        self, epoch: Any = None, start_epoch: int = 0, include_source_data: bool = False
    ) -> dict[str, Any]:
        last = min(self.asked, FRAMES) - 1
        wanted = [last] if epoch == "last" else range(start_epoch, last + 1)
        return {
            f"epoch_{i}": {
                "epoch": i,
                "coords": [dict(zip("xyz", point, strict=True)) for point in self.xyz[i].tolist()],
            }
            for i in wanted
            if i >= 0
        }


@pytest.mark.parametrize(("ends", "says"), [("done", ""), ("error", "The training failed.")])
def test_a_model_without_a_stream_is_polled(
    xyz: np.ndarray, monkeypatch: pytest.MonkeyPatch, ends: str, says: str
) -> None:
    monkeypatch.setattr("featrix_notebook.live._POLL_S", 0.1)
    movie = TrainingMovie(Polled(xyz, ends))
    assert movie._spec["live"]
    wait_until(lambda: not movie._spec["live"], "the training is over")
    assert len(movie.epochs) >= 3
    assert movie.epochs == list(range(len(movie.epochs)))
    assert movie.playing
    assert says in " ".join(movie._spec["notes"])
    movie.close()
