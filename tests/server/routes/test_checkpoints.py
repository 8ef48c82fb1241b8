"""Checkpoints as models: made while a training runs, complete, and independent of it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from .conftest import Server, Trained, errands, running_copy
from .test_gate import assert_envelope

ROUTE = "/publish_partial_foundation"


@pytest.fixture(scope="module")
def done(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    """A copy of the trained model, with a worker for errands in a thread."""
    folder = tmp_path_factory.mktemp("checkpoints") / "data"
    with running_copy(trained, folder) as copy, errands(copy.server):
        yield copy


def publish(model: Trained, **body: Any) -> httpx.Response:
    return model.server.http.post(f"{model.path}{ROUTE}", json=body)


def made(model: Trained, **body: Any) -> Trained:
    answer = publish(model, **body)
    assert answer.status_code == 200, answer.text
    session_id = answer.json()["foundation_session_id"]
    return Trained(model.server, f"/compute/session/{session_id}", session_id)


def test_a_checkpoint_is_a_complete_model_of_its_own(done: Trained) -> None:
    answer = publish(done, name="First epoch", checkpoint_epoch=best_epoch(done)).json()
    assert answer["status"] == "done"
    assert answer["parent_id"] == done.session_id
    assert answer["foundation_session_id"].startswith("first-epoch-")
    path = f"/compute/session/{answer['foundation_session_id']}"
    child = Trained(done.server, path, answer["foundation_session_id"])
    status = child.get().json()["session"]
    assert (status["status"], status["parent_epoch"]) == ("done", answer["checkpoint_epoch"])
    assert (status["epochs"], status["dimensions"]) == (answer["checkpoint_epoch"], 256)
    assert status["single_predictors"] == []
    card = child.get("/model_card").json()
    assert card["lineage"] == {"parent_id": done.session_id, "epoch": answer["checkpoint_epoch"]}
    assert card["model_identification"]["session_id"] == child.session_id
    assert card["training_configuration"]["best_epoch"] == answer["checkpoint_epoch"]
    assert (
        card["column_statistics"].keys()
        == done.get("/model_card").json()["column_statistics"].keys()
    )
    assert child.get("/preview").content.startswith(b"\x89PNG")
    assert child.get("/columns").json() == done.get("/columns").json()
    frames = child.get("/epoch_projections").json()["epoch_projections"]
    assert list(frames) == [f"epoch_{n}" for n in range(answer["checkpoint_epoch"] + 1)]
    history = child.get("/training_metrics").json()
    assert history["data"]["epochs"] == [*range(1, answer["checkpoint_epoch"] + 1)]
    assert len(child.get("/projections").json()["projections"]["coords"]) == 200
    listed = done.server.http.get("/compute/sessions-for-org", params={"name_prefix": "First"})
    assert [one["session_id"] for one in listed.json()["sessions"]] == [child.session_id]


def best_epoch(model: Trained) -> int:
    epoch: int = model.get("/training_metrics").json()["data"]["best_epoch"]
    return epoch


def test_the_last_checkpoint_of_a_finished_model_is_that_model(done: Trained) -> None:
    records = {"records": [{"plan": "pro", "age": 30}, {"plan": "basic"}]}
    vectors = []
    for model in (done, made(done, name="last")):
        answer = done.server.http.post(f"{model.path}/encode_records", json=records)
        vectors.append([one["embedding_long"] for one in answer.json()["results"]])
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-6)


def test_another_epoch_is_refused_with_the_list_of_those_kept(done: Trained) -> None:
    body = assert_envelope(publish(done, name="x", checkpoint_epoch=77), 422, "invalid_input")
    assert body["field"] == "checkpoint_epoch"
    kept = f"{best_epoch(done)}, "
    assert "epoch 77" in body["error"]
    assert kept in body["error"]
    before = sorted(done.server.settings.sessions_dir.iterdir())
    assert_envelope(publish(done, name=" "), 422, "invalid_input")
    assert sorted(done.server.settings.sessions_dir.iterdir()) == before


def test_a_checkpoint_has_no_checkpoints(done: Trained) -> None:
    child = made(done, name="once")
    body = assert_envelope(publish(child, name="twice"), 422, "invalid_input")
    assert done.session_id in body["hint"]


def test_requests_sent_again_make_one_model(done: Trained) -> None:
    def ask(_: int) -> str:
        answer = publish(done, name="sent again")
        assert answer.status_code == 200, answer.text
        found: str = answer.json()["foundation_session_id"]
        return found

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1
    assert ask(0) == ask(1)
    assert made(done, name="another").session_id != ask(0)


def test_a_damaged_checkpoint_is_said_and_the_server_lives(done: Trained, tmp_path: Path) -> None:
    folder = done.server.context.store.folder(done.session_id) / "checkpoints"
    path = folder / "last.safetensors"
    whole = path.read_bytes()
    before = sorted(done.server.settings.sessions_dir.iterdir())
    try:
        for broken in (whole[:-1000], b"PK\x03\x04 not weights", whole[:-4] + b"\xff\xff\xff\xff"):
            path.write_bytes(broken)
            body = assert_envelope(publish(done, name="broken"), 409, "damaged")
            assert "last.safetensors" in body["error"]
    finally:
        path.write_bytes(whole)
    assert sorted(done.server.settings.sessions_dir.iterdir()) == before
    made(done, name="mended")


def test_a_model_that_has_no_epoch_yet(server: Server) -> None:
    path = server.create()
    answer = server.http.post(f"{path}{ROUTE}", json={"name": "early"})
    assert_envelope(answer, 409, "not_ready")
