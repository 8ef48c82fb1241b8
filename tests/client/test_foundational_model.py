"""A foundational model from its first epoch to its deletion, on the real embedded server."""

from __future__ import annotations

import json
import os
import signal
import threading
import time

import numpy as np
import pandas as pd
import psutil
import pytest
import requests

from featrix_client import FeatrixSphere, FoundationalModel, projections
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def trained(server_home, people) -> FoundationalModel:
    """A trained model of 300 rows. Its wait is the test of waiting."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FEATRIX_HOME", str(server_home))
        sphere = FeatrixSphere("local")
    fm = sphere.create_foundational_model(
        name="People", df=people(300), epochs=4, user_metadata={"owner": "Zoë"}
    )
    assert (fm.status, fm.dimensions, fm.final_loss) == ("training", None, None)
    assert fm.wait_for_training(max_wait_time=280) is fm
    return fm


@pytest.fixture
def long_running(featrix, people):
    """A model that trains for long; cancelled and deleted after the test."""
    fm = featrix.create_foundational_model(name="long", df=people(400, seed=1), epochs=100_000)
    yield fm
    fm.delete()


# --------------------------------------------------------------- when trained


def test_attributes(trained):
    assert trained.id.startswith("people-")
    assert trained.name == "People"
    assert trained.status == "done"
    assert trained.epochs == 4
    assert isinstance(trained.dimensions, int)
    assert np.isfinite(trained.final_loss)
    assert pd.Timestamp(trained.created_at).tzinfo is not None
    assert trained.columns == ["age", "plan", "spend"]
    for fact in (trained.id, "done", "epochs=4", f"dimensions={trained.dimensions}"):
        assert fact in repr(trained)


def test_it_is_ready_and_waiting_again_returns_at_once(trained):
    assert trained.is_ready()
    start = time.monotonic()
    trained.wait_for_training(max_wait_time=0)
    assert time.monotonic() - start < 1


def test_another_client_sees_the_same(trained, featrix):
    again = featrix.foundational_model(trained.id)
    assert repr(again) == repr(trained)
    body = again.refresh()
    assert body["session"]["user_metadata"] == {"owner": "Zoë"}
    assert trained.id in featrix.list_sessions("people")
    assert trained.id not in featrix.list_sessions("peoples")


def test_encode(trained, people):
    rows = people(300)
    from_frame = trained.encode(rows.head(5))
    records = [row | {"unknown": np.float32(1)} for row in rows.head(5).to_dict("records")]
    assert trained.encode(records) == from_frame
    for item in from_frame:
        assert set(item) == {"embedding", "embedding_long"}
        assert np.linalg.norm(item["embedding"]) == pytest.approx(1, abs=1e-4)
        assert np.linalg.norm(item["embedding_long"]) == pytest.approx(1, abs=1e-4)
        assert (len(item["embedding"]), len(item["embedding_long"])) == (3, trained.dimensions)
    assert trained.encode({"plan": "gold"}, short=True)[0].keys() == {"embedding"}
    assert trained.encode([]) == []
    with pytest.raises(ValueError, match="Record 0 is a int"):
        trained.encode([5])


def test_encode_of_many_is_the_same_as_of_few(trained, people):
    many = trained.encode(people(2300, seed=5), short=True)
    assert len(many) == 2300
    few = trained.encode(people(2300, seed=5).iloc[[0, 1500, 2299]], short=True)
    for item, place in zip(few, (0, 1500, 2299), strict=True):
        assert item["embedding"] == pytest.approx(many[place]["embedding"], abs=1e-4)


def test_training_metrics(trained):
    metrics = trained.get_training_metrics()
    data = metrics["data"]
    n = len(data["epochs"])
    assert data["epochs"] == list(range(1, n + 1))  # the four of the space, then the sphere's
    assert n >= 4
    assert len(metrics["loss_history"]) == len(metrics["lr_history"]) == n
    for name in ("train_loss", "val_loss", "learning_rate", "gradient_norm", "joint_loss"):
        assert len(data[name]) == n
    for name in ("marginal_loss", "spread_loss", "duration", "time_now"):
        assert len(data[name]) == n


def test_events_tell_the_whole_story(trained):
    told = list(trained.events())
    numbers = [event.seq for event in told]
    assert numbers == sorted(set(numbers))
    epochs = [event.data["epoch"] for event in told if event.kind == "epoch"]
    assert epochs == list(range(1, len(epochs) + 1))
    assert [event.data["status"] for event in told if event.kind == "status"][-1] == "done"
    assert list(trained.events(after=numbers[-2])) == told[-1:]


def test_model_card(trained):
    card = trained.get_model_card()
    assert {"columns", "excluded_columns", "training_config", "quality_metrics"} <= card.keys()
    assert {"calibration", "data_summary", "warnings", "model_identification"} <= card.keys()


def test_preview(trained, tmp_path):
    picture = trained.get_sphere_preview(save_path=tmp_path / "sphere.png")
    assert picture.startswith(b"\x89PNG")
    assert (tmp_path / "sphere.png").read_bytes() == picture


def test_projections(trained):
    everything = trained.get_projections()
    assert everything["total_count"] == len(everything["coords"]) == 300
    part = trained.get_projections(limit=10, offset=5)
    assert part["coords"] == everything["coords"][5:15]
    point = part["coords"][0]
    assert np.linalg.norm([point["x"], point["y"], point["z"]]) == pytest.approx(1, abs=1e-3)


def test_vectors_of_the_models_own_rows(trained, people):
    vectors = trained.row_embeddings()
    assert vectors.shape == (300, trained.dimensions)
    record = people(300).iloc[7].to_dict()
    (place,) = trained.encode(record)
    assert vectors[7] == pytest.approx(np.array(place["embedding_long"]), abs=1e-4)


def test_projections_as_a_frame(trained, people, monkeypatch):
    frame = trained.projections_frame()
    about = frame.attrs["featrix"]
    clusters = [f"cluster_{k}" for k in about["available_k"]]
    assert list(frame.columns) == [
        "__featrix_row_id",
        "x",
        "y",
        "z",
        *clusters,
        "age",
        "plan",
        "spend",
    ]
    assert about["best_k"] in about["available_k"]
    assert about["total_count"] == 300
    assert (frame.x.dtype, frame[clusters[0]].dtype) == ("float32", "uint8")
    rows = people(300).iloc[frame["__featrix_row_id"]].reset_index(drop=True)
    pd.testing.assert_frame_equal(frame[["age", "plan", "spend"]], rows, check_dtype=False)

    monkeypatch.setattr(projections, "find_spec", lambda name: None)  # as if without pyarrow
    plain = trained.projections_frame(limit=50)
    assert set(plain.columns) == set(frame.columns)
    pd.testing.assert_frame_equal(
        plain[frame.columns], frame.head(50), check_dtype=False, rtol=1e-4, atol=1e-5
    )
    assert plain.attrs["featrix"]["best_k"] == about["best_k"]


def test_the_movie(trained, monkeypatch):
    epochs, row_ids, positions = trained.movie_frames()
    assert epochs[0] == 0
    assert positions.shape == (len(epochs), len(row_ids), 3)
    assert (epochs.dtype, row_ids.dtype, positions.dtype) == ("int32", "int64", "float32")
    assert np.allclose(np.linalg.norm(positions, axis=2), 1, atol=1e-3)

    told = trained.get_epoch_projections(point_limit=3)
    assert [frame["epoch"] for frame in told.values()] == epochs.tolist()
    last = list(trained.get_epoch_projections(epoch="last", include_source_data=True).values())
    assert [frame["epoch"] for frame in last] == [epochs[-1]]
    assert "set_columns" in last[0]["coords"][0]
    assert "coords" not in next(iter(trained.get_epoch_projections(metadata_only=True).values()))

    def no_container(data):
        raise ValueError("not ours")

    monkeypatch.setattr(projections, "read_container", no_container)
    from_json = trained.movie_frames()
    assert from_json[0].tolist() == epochs.tolist()
    assert from_json[1].tolist() == row_ids.tolist()
    assert np.allclose(from_json[2], positions, atol=1e-5)
    later, _, moved = trained.movie_frames(start_epoch=int(epochs[-1]))
    assert later.tolist() == [epochs[-1]]
    assert np.allclose(moved[0], positions[-1], atol=1e-5)


def test_a_part_of_the_movie_and_its_rows(trained):
    epochs, row_ids, positions = trained.movie_frames()
    later, _, moved = trained.movie_frames(start_epoch=1)
    assert later.tolist() == [epoch for epoch in epochs.tolist() if epoch >= 1]
    assert np.array_equal(moved, positions[-len(later) :])
    rows = trained.movie_rows()
    assert rows["__featrix_row_id"].tolist() == row_ids.tolist()
    everything = trained.projections_frame().set_index("__featrix_row_id")
    columns = [name for name in rows.columns if name != "__featrix_row_id"]
    assert set(columns) == set(everything.columns) - set("xyz")
    best = f"cluster_{rows.attrs['featrix']['best_k']}"
    assert rows[best].tolist() == everything.loc[row_ids, best].tolist()


def test_what_is_no_container_is_told():
    for junk in (b"", b"glTF", b"PNG" * 20, b"glTF" + bytes(40)):
        with pytest.raises(ValueError, match="not a"):
            projections.read_container(junk)


# -------------------------------------------------------------- while it trains


def test_pause_resume_stop_act_on_the_job(long_running):
    fm = long_running
    wait_until(lambda: training_job(fm)["current_epoch"], "an epoch", 120)
    asked = fm.pause()
    assert "pause" in (asked["requested"], asked["status"][:5])
    wait_until(lambda: training_job(fm)["status"] == "paused", "the pause", 120)
    assert fm.status == "training"
    epoch = training_job(fm)["current_epoch"]
    fm.resume()
    wait_until(lambda: (training_job(fm)["current_epoch"] or 0) > epoch, "another epoch", 120)
    assert len(fm.get_training_metrics()["loss_history"]) >= epoch
    assert not fm.is_ready()
    with pytest.raises(TimeoutError, match="goes on by itself"):
        fm.wait_for_training(max_wait_time=0.5, show_progress=False)
    fm.stop()
    fm.wait_for_training(max_wait_time=200, show_progress=False)
    assert fm.status == "done"  # ended early, and complete
    assert fm.encode({"plan": "gold"})
    assert fm.epochs >= epoch


def training_job(fm):
    return next(iter(fm.refresh()["jobs"].values()))


def test_an_interrupt_leaves_the_training_running(long_running, capsys):
    fm = long_running
    wait_until(lambda: training_job(fm)["current_epoch"], "an epoch", 120)
    threading.Timer(0.7, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt, match=r"goes on by itself(.|\n)*wait_for_training"):
        fm.wait_for_training()
    epoch = training_job(fm)["current_epoch"]
    wait_until(lambda: training_job(fm)["current_epoch"] > epoch, "another epoch", 120)
    assert "epoch" in capsys.readouterr().err


def test_a_wait_outlives_the_server(long_running, server_home):
    fm = long_running
    wait_until(lambda: training_job(fm)["current_epoch"], "an epoch", 120)
    fm.pause()
    wait_until(lambda: training_job(fm)["status"] == "paused", "the pause", 120)
    before = json.loads((server_home / "server.json").read_text())
    killer = threading.Timer(0.5, kill_family, [before["pid"]])
    killer.start()
    with pytest.raises(TimeoutError, match="paused"):
        fm.wait_for_training(max_wait_time=8, show_progress=False)
    killer.join()
    after = json.loads((server_home / "server.json").read_text())
    assert after["pid"] != before["pid"]
    assert training_job(fm)["status"] == "paused"  # nothing was lost, nothing began by itself


def kill_family(pid: int) -> None:
    server = psutil.Process(pid)
    family = [server, *server.children(recursive=True)]
    for process in family:
        process.kill()
    psutil.wait_procs(family, timeout=10)


def test_a_deleted_model_is_gone(featrix, people):
    fm = featrix.create_foundational_model(name="gone", df=people(200), epochs=1)
    fm.delete()
    assert fm.id not in featrix.list_sessions("gone")
    with pytest.raises(requests.HTTPError) as caught:
        fm.refresh()
    assert caught.value.status == 404


def test_what_is_not_there_yet_is_told(featrix, people, long_running):
    fm = featrix.create_foundational_model(name="early", df=people(200), epochs=1)
    try:
        with pytest.raises(requests.HTTPError) as caught:
            fm.get_model_card()
        assert (caught.value.status, caught.value.code) == (409, "not_ready")
        assert "wait_for_training" in caught.value.hint
    finally:
        fm.delete()
