"""Deprecation, deletion and its collector, clones and stores."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import numpy as np
import pytest

from featrix_server.cloning import clone
from featrix_server.collecting import collect
from featrix_server.db import JobRow, SessionRow, now

from .conftest import Server, Trained
from .predicting import ROW, Asked, ask
from .test_gate import assert_envelope


def post(model: Trained, route: str, **body: Any) -> httpx.Response:
    return model.server.http.post(f"{model.path}/{route}", json=body)


@pytest.fixture
def speaking(asked: Asked, tmp_path: Path) -> Iterator[Asked]:
    """Three predictors of their own, on a server with a second store."""
    other = {"big": tmp_path / "big"}
    with asked.copy(tmp_path / "data", clusters=other) as own:
        yield own


# ------------------------------------------------------------------------- deprecation


def in_days(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


def test_a_deprecated_model_says_so_in_every_answer(speaking: Asked) -> None:
    model, until = speaking.model, in_days(30)
    assert "Deprecation" not in model.get().headers
    told = post(model, "deprecate", warning_message="Use “v2”, bitte.", expiration_date=until)
    assert told.json()["expiration_date"] == until
    answers = [
        model.get(),
        model.get("/model_card"),
        model.get("/projections"),
        post(model, "encode_records", records=[ROW]),
        speaking.post("plan", "predict", query_record=ROW),
        speaking.post("plan", "predict_table", records=[ROW]),
        speaking.post("plan", "explain", query_record=ROW),
    ]
    for answer in answers:
        assert answer.status_code == 200
        assert answer.headers["Deprecation"].startswith("@")
        since = datetime.fromtimestamp(int(answer.headers["Deprecation"][1:]), UTC)
        assert abs(since - now()) < timedelta(minutes=5)
        sunset = parsedate_to_datetime(answer.headers["Sunset"])
        assert abs(sunset - datetime.fromisoformat(until)) < timedelta(seconds=1)
        assert unquote(answer.headers["X-Featrix-Deprecation"]) == "Use “v2”, bitte."
    expected = {"warning_message": "Use “v2”, bitte.", "expiration_date": until}
    assert answers[4].json()["model_expiration"] == expected
    assert answers[5].json()["predictions"][0]["model_expiration"] == expected
    assert model.get().json()["session"]["model_expiration"] == expected
    refused = model.get("/publish_job/none")
    assert refused.headers["Sunset"]
    assert "Sunset" not in model.server.http.get("/health").headers


def test_an_expired_model_predicts_no_more_but_can_be_looked_at(speaking: Asked) -> None:
    model = speaking.model
    post(model, "deprecate", warning_message="Use v2.", expiration_date=in_days(1))
    assert speaking.predict("plan", ROW)
    with model.server.context.database.write() as database:
        row = database.get_one(SessionRow, model.session_id)
        row.expires_at = now() - timedelta(seconds=1)
    for route, body in {
        "predict": {"query_record": ROW},
        "predict_table": {"records": [ROW]},
        "explain": {"query_record": ROW},
        "evaluate": {"records": [ROW], "labels": ["pro"]},
    }.items():
        told = assert_envelope(speaking.post("plan", route, **body), 410, "expired")
        assert told["hint"] == "Use v2."
    assert model.get("/model_card").status_code == 200
    post(model, "deprecate", warning_message="A little longer.", expiration_date=in_days(1))
    assert (
        speaking.predict("plan", ROW)["model_expiration"]["warning_message"] == "A little longer."
    )


@pytest.mark.parametrize(
    "date", ["", "tomorrow", "2020-01-01", "2020-01-01T00:00:00Z", "2027-13-01", "9" * 30, 7]
)
def test_dates_that_cannot_be_meant(model: Trained, date: Any) -> None:
    answer = post(model, "deprecate", warning_message="Old.", expiration_date=date)
    assert assert_envelope(answer, 422, "invalid_input")["field"] == "expiration_date"
    assert "Deprecation" not in model.get().headers


def test_a_deprecation_needs_words_and_takes_plain_dates(model: Trained) -> None:
    for words in ("", "  "):
        answer = post(model, "deprecate", warning_message=words, expiration_date=in_days(1))
        assert_envelope(answer, 422, "invalid_input")
    answer = post(model, "deprecate", warning_message="Old.", expiration_date="2999-01-31")
    assert answer.json()["expiration_date"] == "2999-01-31T00:00:00+00:00"


# ---------------------------------------------------------------- deletion, collection


def test_what_was_deleted_can_be_collected_at_once(model: Trained) -> None:
    server, folder = model.server, model.server.context.store.folder(model.session_id)
    waiting = server.create(name="kept")
    assert server.http.post("/compute/collect").json() == {"removed": [], "kept": []}
    assert post(model, "mark_for_deletion").status_code == 200
    later = server.http.post("/compute/collect", json={"older_than_days": 1}).json()
    assert later == {"removed": [], "kept": []}
    assert folder.exists()
    told = server.http.post("/compute/collect").json()
    assert told == {"removed": [model.session_id], "kept": []}
    assert not folder.exists()
    assert server.http.get(waiting).status_code == 200
    assert_envelope(model.get(), 404, "not_found")


def test_a_job_that_has_not_ended_keeps_its_model(server: Server) -> None:
    path = server.create()
    with server.context.database.write() as database:
        job = database.query(JobRow).one()
        job.status, job.started_at = "running", now()
    server.http.post(f"{path}/mark_for_deletion")
    told = server.http.post("/compute/collect").json()
    assert told["removed"] == []
    assert "has not ended" in told["kept"][0]["reason"]
    with server.context.database.write() as database:
        database.query(JobRow).one().status = "cancelled"
    assert len(server.http.post("/compute/collect").json()["removed"]) == 1
    server.assert_nothing_left()


def test_what_was_made_of_a_model_outlives_it(speaking: Asked) -> None:
    model = speaking.model
    clone = post(model, "clone_embedding_space").json()["new_session_id"]
    before = speaking.predict(
        "churned", ROW
    )  # labels of its own: in a session that shares the space
    assert post(model, "mark_for_deletion").status_code == 200
    assert model.server.http.post("/compute/collect").json()["removed"] == [model.session_id]
    after = speaking.predict("churned", ROW)
    assert after["probabilities"] == before["probabilities"]
    records = {"records": [ROW]}
    answer = model.server.http.post(f"/compute/session/{clone}/encode_records", json=records)
    assert answer.status_code == 200


def test_collectors_at_once_remove_each_model_once(make_server: Callable[..., Server]) -> None:
    server = make_server()
    doomed = {server.create().rsplit("/", 1)[-1] for _ in range(6)}
    kept = server.create()
    for session_id in doomed:
        server.http.post(f"/compute/session/{session_id}/mark_for_deletion")
    with ThreadPoolExecutor(4) as pool:
        told = [*pool.map(lambda _: server.http.post("/compute/collect").json(), range(4))]
    removed = [session_id for answer in told for session_id in answer["removed"]]
    assert sorted(removed) == sorted(doomed)
    assert [path.name for path in server.settings.sessions_dir.iterdir()] == [kept.rsplit("/")[-1]]


def test_a_collector_that_dies_half_way_leaves_no_half_model(
    make_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = make_server()
    session_id = server.create().rsplit("/", 1)[-1]
    server.http.post(f"/compute/session/{session_id}/mark_for_deletion")

    class Killed(BaseException):
        pass

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(type(server.context.store), "remove", die)
        with pytest.raises(Killed):
            collect(server.context, timedelta(0))
    folder = server.context.store.folder(session_id)
    assert folder.exists()
    assert server.http.get("/compute/sessions-for-org").json() == {"sessions": []}
    server.context.store.sweep(set(), older_than_s=-1)
    assert not folder.exists()


# ------------------------------------------------------------------- clones and stores


def test_a_clone_is_a_model_of_its_own(speaking: Asked) -> None:
    model, http = speaking.model, speaking.model.server.http
    answer = post(model, "clone_embedding_space", to_compute=None, new_session_name=None)
    told = answer.json()
    assert told["name"] == "Small table-clone"
    assert told["new_session_id"].startswith("small-table-clone-")
    path = f"/compute/session/{told['new_session_id']}"
    clone = Trained(model.server, path, told["new_session_id"])
    mine, its = model.get().json(), clone.get().json()
    for field in ("status", "dimensions", "epochs", "final_loss", "columns", "user_metadata"):
        assert its["session"][field] == mine["session"][field]
    assert its["session"]["created_at"] > mine["session"]["created_at"]
    assert not its["jobs"].keys() & mine["jobs"].keys()
    theirs = {job["target_column"]: job for job in its["jobs"].values() if job["predictor_id"]}
    assert theirs.keys() == {"plan", "price", "churned"}
    for route in ("/training_metrics", "/columns", "/projections", "/epoch_projections"):
        ours, cloned = model.get(route).json(), clone.get(route).json()
        assert ours.pop("training_metrics", None) is None or cloned.pop("training_metrics")
        assert cloned == ours
    assert clone.get("/preview").content == model.get("/preview").content
    card = clone.get("/model_card").json()
    assert card["model_identification"]["session_id"] == clone.session_id
    assert card["model_identification"]["cloned_from"] == model.session_id
    assert len(card["predictors"]) == 3
    for target, job in theirs.items():
        body = {"query_record": ROW, "predictor_id": job["predictor_id"]}
        found = http.post(f"{path}/predict", json=body).json()
        assert found["session_id"] == clone.session_id
        before = speaking.predict(target, ROW)
        for field in ("prediction", "probabilities", "threshold"):
            assert found[field] == before[field]
        assert job["accuracy"] == next(
            one["accuracy"] for one in mine["jobs"].values() if one.get("target_column") == target
        )
    events = model.server.context.database
    with events.read() as database:
        assert database.query(JobRow).filter_by(session_id=clone.session_id).count() == 4


def test_a_clone_in_another_store_survives_the_first(speaking: Asked, tmp_path: Path) -> None:
    model = speaking.model
    told = post(model, "clone_embedding_space", to_compute="big", new_session_name="Far").json()
    assert told["compute_cluster"] == "big"
    folder = tmp_path / "big" / "sessions" / told["new_session_id"]
    assert (folder / "model.safetensors").exists()
    path = f"/compute/session/{told['new_session_id']}"
    body = {"records": [ROW]}
    before = post(model, "encode_records", **body).json()
    post(model, "mark_for_deletion")
    model.server.http.post("/compute/collect")
    after = model.server.http.post(f"{path}/encode_records", json=body).json()
    np.testing.assert_allclose(
        after["results"][0]["embedding_long"], before["results"][0]["embedding_long"], atol=1e-6
    )
    session = model.server.http.get(path).json()["session"]
    assert (session["name"], session["compute_cluster"]) == ("Far", "big")
    third = model.server.http.post(f"{path}/clone_embedding_space", json={}).json()
    assert third["compute_cluster"] == "big"  # where it is
    checkpoint_free = model.server.http.post(f"{path}/mark_for_deletion")
    assert checkpoint_free.status_code == 200
    assert told["new_session_id"] in model.server.http.post("/compute/collect").json()["removed"]
    assert not folder.exists()


def test_what_cannot_be_cloned(speaking: Asked) -> None:
    model = speaking.model
    path = model.server.create(name="young")
    answer = model.server.http.post(f"{path}/clone_embedding_space", json={})
    assert "queued" in assert_envelope(answer, 422, "invalid_input")["error"]
    told = assert_envelope(
        post(model, "clone_embedding_space", to_compute="mars"), 422, "invalid_input"
    )
    assert (told["field"], told["hint"]) == ("compute_cluster", "It has: local, big.")
    assert ask(model, "note").status_code == 200  # a predictor that waits is left out
    cloned = post(model, "clone_embedding_space").json()["new_session_id"]
    jobs = model.server.http.get(f"/compute/session/{cloned}").json()["jobs"].values()
    assert "note" not in {job.get("target_column") for job in jobs}


def test_models_are_made_in_the_store_that_is_asked_for(
    make_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = make_server(clusters={"big": tmp_path / "big"})
    health = server.http.get("/health").json()
    assert health["compute_clusters"] == ["local", "big"]
    for name, folder in (("big", tmp_path / "big"), ("local", tmp_path / "data")):
        server.http.headers["X-Featrix-Node"] = name
        path = server.create(epochs="1")
        assert (folder / "sessions" / path.rsplit("/", 1)[-1]).is_dir()
        session = server.http.get(path).json()["session"]
        assert session["compute_cluster"] == name
        server.train()
        assert server.http.get(path).json()["session"]["status"] == "done"
    server.http.headers["X-Featrix-Node"] = "mars"
    told = assert_envelope(server.upload(), 422, "invalid_input")
    assert told["field"] == "compute_cluster"
    assert server.http.get(path).status_code == 200  # elsewhere the header means nothing
    del server.http.headers["X-Featrix-Node"]


def test_damaged_weights_are_said_and_the_server_lives(model: Trained) -> None:
    path = model.server.context.store.folder(model.session_id) / "model.safetensors"
    whole = path.read_bytes()
    for broken in (whole[:-1000], b"PK\x03\x04 not weights", b""):
        path.write_bytes(broken)
        told = assert_envelope(post(model, "encode_records", records=[ROW]), 409, "damaged")
        assert "model.safetensors" in told["error"]
        assert "create the model again" in told["hint"]
    assert model.get("/model_card").status_code == 200
    path.write_bytes(whole)
    assert post(model, "encode_records", records=[ROW]).status_code == 200


# ------------------------------------------------------------------------- idempotency


def test_uploads_with_one_key_at_once_make_one_model(server: Server) -> None:
    server.http.headers["X-Featrix-Idempotency-Key"] = "one-call"
    with ThreadPoolExecutor(6) as pool:
        answers = [*pool.map(lambda _: server.upload(name="twin"), range(6))]
    assert {answer.status_code for answer in answers} == {200}
    (session_id,) = {answer.json()["session_id"] for answer in answers}
    assert len(list(server.settings.sessions_dir.iterdir())) == 1
    assert server.upload(name="twin").json()["session_id"] == session_id
    server.http.post(f"/compute/session/{session_id}/mark_for_deletion")
    again = server.upload(name="twin")
    assert again.status_code == 200
    assert again.json()["session_id"] != session_id


def test_equal_predictors_asked_for_at_once_are_one(model: Trained) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = [*pool.map(lambda _: ask(model, "plan", name="twin").json(), range(6))]
    assert len({answer["predictor_id"] for answer in answers}) == 1
    assert len(model.get().json()["jobs"]) == 2


def test_a_clone_asked_for_again_meanwhile_is_the_same(
    model: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*given: Any) -> Any:
        time.sleep(0.5)
        return clone(*given)

    monkeypatch.setattr("featrix_server.routes.lifecycle.clone", slow)

    def ask_for(name: str) -> str:
        answer = post(model, "clone_embedding_space", new_session_name=name)
        made: str = answer.json()["new_session_id"]
        return made

    with ThreadPoolExecutor(4) as pool:
        first, second, third, other = pool.map(ask_for, ["twin", "twin", "twin", "other"])
    assert first == second == third != other
    assert ask_for("twin") != first  # that one's answer has been delivered
