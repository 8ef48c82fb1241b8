"""Publishing: a permanent copy, a name of its own, and protection."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from featrix_server.db import SessionRow
from featrix_server.engine import EmbeddingModel

from .conftest import Server, Trained, errands
from .predicting import Asked
from .test_gate import assert_envelope


@pytest.fixture
def published(model: Trained) -> Iterator[Trained]:
    """A published model, with somebody to run errands."""
    with errands(model.server):
        assert finish(model, name="Best of all")["status"] == "completed"
        yield model


def post(model: Trained, route: str, **body: Any) -> httpx.Response:
    return model.server.http.post(f"{model.path}/{route}", json=body)


def finish(model: Trained, **body: Any) -> dict[str, Any]:
    """Publish and wait for the end; return the last answer."""
    answer = post(model, "publish", **body)
    assert answer.status_code == 200, answer.text
    job_id = answer.json()["job_id"]
    while True:
        told: dict[str, Any] = model.get(f"/publish_job/{job_id}").json()
        if told["status"] in ("completed", "failed"):
            return told
        time.sleep(0.01)


def test_publishing_copies_protects_and_names(model: Trained) -> None:
    with errands(model.server):
        told = finish(model, name="Best of all", org_id="mine")
    assert told["error"] is None
    assert told["progress_pct"] == 100
    folder = model.server.context.store.folder(model.session_id)
    copy = Path(told["published_path"])
    files = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    assert {path.relative_to(copy) for path in copy.rglob("*") if path.is_file()} == files
    assert told["files_copied"] == len(files)
    assert told["bytes_copied"] == sum((folder / file).stat().st_size for file in files)
    assert all((copy / file).read_bytes() == (folder / file).read_bytes() for file in files)
    EmbeddingModel.load(copy)

    session = model.get().json()["session"]
    assert (session["published_name"], session["deletion_protection"]) == ("Best of all", True)
    by_name = model.server.http.get("/compute/session/Best%20of%20all").json()["session"]
    assert by_name == session
    listing = model.server.http.get("/compute/sessions-for-org", params={"name_prefix": "best of"})
    (item,) = listing.json()["sessions"]
    assert (item["session_id"], item["published_name"]) == (model.session_id, "Best of all")
    again = post(model, "publish", name="Best of all").json()
    assert (again["status"], again["job_id"]) == ("already_published", None)


def test_a_published_model_is_found_by_its_name_everywhere(published: Trained) -> None:
    http, name = published.server.http, "/compute/session/Best of all"
    records = {"records": [{"plan": "pro"}]}
    assert (
        http.post(f"{name}/encode_records", json=records).json()
        == http.post(f"{published.path}/encode_records", json=records).json()
    )
    assert http.get(f"{name}/model_card").json() == published.get("/model_card").json()
    assert_envelope(http.get("/compute/session/best of all"), 404, "not_found")


def test_a_published_model_predicts_by_its_name(asked: Asked, tmp_path: Path) -> None:
    with asked.copy(tmp_path / "data") as own, errands(own.model.server):
        model = own.model
        finish(model, name="speaks")
        made = asked.made["plan"]
        body = {"query_record": {"age": 40}, "predictor_id": made["predictor_id"]}
        answer = model.server.http.post("/compute/session/speaks/predict", json=body)
        assert answer.json()["session_id"] == model.session_id
        body["predictor_id"] = "nobody"
        answer = model.server.http.post("/compute/session/speaks/predict", json=body)
        assert_envelope(answer, 404, "not_found")


def test_only_a_trained_model_can_be_published(server: Server) -> None:
    path = server.create(name="young")
    for name in ({}, {"name": "young"}):
        body = assert_envelope(server.http.post(f"{path}/publish", json=name), 422, "invalid_input")
        assert "queued" in body["error"]
        assert "wait_for_training" in body["hint"]
    assert server.http.get(path).json()["session"]["deletion_protection"] is False


@pytest.mark.parametrize("name", ["a/b", "..", "line\nbreak", "\x00", "x" * 201])
def test_names_that_cannot_be_addresses(model: Trained, name: str) -> None:
    assert_envelope(post(model, "publish", name=name), 422, "invalid_input")
    assert model.get().json()["session"]["deletion_protection"] is False


def test_a_name_belongs_to_one_model(published: Trained) -> None:
    other = post(published, "clone_embedding_space").json()["new_session_id"]
    clone = Trained(published.server, f"/compute/session/{other}", other)
    body = assert_envelope(post(clone, "publish", name="Best of all"), 422, "invalid_input")
    assert published.session_id in body["error"]
    assert body["field"] == "name"
    taken = post(published, "publish_partial_foundation", name="Best of all", publish=True)
    assert_envelope(taken, 422, "invalid_input")
    renamed = assert_envelope(post(published, "publish", name="Other"), 422, "invalid_input")
    assert "Best of all" in renamed["error"]
    assert clone.get().json()["session"]["deletion_protection"] is False


def test_equal_requests_at_once_are_one_publishing(model: Trained) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = [*pool.map(lambda _: post(model, "publish", name="once").json(), range(8))]
    assert len({answer["job_id"] for answer in answers}) == 1
    other = assert_envelope(post(model, "publish", name="twice"), 422, "invalid_input")
    assert "being published" in other["error"]
    assert_envelope(post(model, "unpublish"), 409, "publishing")
    assert_envelope(post(model, "mark_for_deletion"), 409, "published")
    missing = model.server.http.get("/compute/session/once")
    assert_envelope(missing, 404, "not_found")  # not before it is complete
    with errands(model.server):
        assert finish(model, name="once")["status"] == "completed"


def test_unpublishing_leaves_the_protection_and_frees_the_name(published: Trained) -> None:
    assert_envelope(post(published, "mark_for_deletion"), 409, "published")
    answer = post(published, "unpublish").json()
    assert (answer["status"], answer["deletion_protection"]) == ("unpublished", True)
    assert post(published, "unpublish").json()["status"] == "not_published"
    assert_envelope(published.server.http.get("/compute/session/Best of all"), 404, "not_found")
    assert_envelope(post(published, "mark_for_deletion"), 409, "protected")
    copy = published.server.settings.published_dir / published.session_id
    assert copy.exists()  # until it is collected
    published.server.http.post("/compute/collect")
    assert not copy.exists()
    assert finish(published, name="Best of all")["status"] == "completed"
    assert copy.exists()


def test_a_publishing_that_fails_leaves_nothing(
    model: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    from featrix_server import publishing

    def fail(source: Path, target: Path) -> int:
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, errands(model.server):
        patch.setattr(publishing, "_copy", fail)
        told = finish(model, name="too big")
    assert told["status"] == "failed"
    assert "disk is full" in told["error"]
    assert list(model.server.settings.published_dir.iterdir()) == []
    session = model.get().json()["session"]
    assert (session["published_name"], session["deletion_protection"]) == (None, False)
    assert session["status"] == "done"
    with errands(model.server):
        assert finish(model, name="too big")["status"] == "completed"


def test_a_published_model_whose_folder_is_lost_comes_back(
    model: Trained, make_server: Callable[..., Server]
) -> None:
    with errands(model.server):
        finish(model, name="safe")
    preview = model.get("/preview").content
    shutil.rmtree(model.server.context.store.folder(model.session_id))
    server = make_server(data_dir=model.server.settings.data_dir)
    assert server.http.get(f"{model.path}/preview").content == preview


def test_a_checkpoint_is_published_under_its_name(model: Trained) -> None:
    with errands(model.server):
        answer = post(model, "publish_partial_foundation", name="early bird", publish=True).json()
        again = post(model, "publish_partial_foundation", name="early bird", publish=True).json()
    assert answer == again
    session = model.server.http.get("/compute/session/early bird").json()["session"]
    assert session["session_id"] == answer["foundation_session_id"]
    assert (session["published_name"], session["deletion_protection"]) == ("early bird", True)
    assert (model.server.settings.published_dir / session["session_id"] / "card.json").exists()


def test_unknown_publishings_are_a_404(model: Trained) -> None:
    training = next(iter(model.get().json()["jobs"]))
    for job_id in ("nope", training):
        assert_envelope(model.get(f"/publish_job/{job_id}"), 404, "not_found")
    with model.server.context.database.read() as database:
        assert database.query(SessionRow).count() == 1
