"""Models as records: listing, status, protection, deletion, control."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from featrix_server.db import JobRow, SessionRow, now

from .conftest import Server, Trained
from .test_gate import assert_envelope


def listed(server: Server, prefix: str | None = None) -> list[str]:
    query = {} if prefix is None else {"name_prefix": prefix}
    answer = server.http.get("/compute/sessions-for-org", params=query)
    return [session["name"] for session in answer.json()["sessions"]]


def test_models_are_listed_newest_first_and_by_prefix(server: Server) -> None:
    for name in ("Churn a", "churn b", "sales_1", "100%"):
        server.create(name=name)
    assert listed(server) == ["100%", "sales_1", "churn b", "Churn a"]
    assert listed(server, "") == listed(server)
    assert listed(server, "churn") == ["churn b", "Churn a"]
    assert listed(server, "churn-a-") == ["Churn a"]  # of the id
    assert listed(server, "sales_") == ["sales_1"]
    for none in ("%", "s_les", "sales%", "urn", "' OR 1=1 --", "\x00"):
        assert listed(server, none) == []


def test_the_list_tells_the_state_of_each_model(trained: Trained) -> None:
    (item,) = trained.server.http.get("/compute/sessions-for-org").json()["sessions"]
    assert item["session_id"] == trained.session_id
    assert item["status"] == item["es_status"] == "done"
    assert item["sp_status"] is None
    assert item["d_model"] > 3
    assert item["epochs"] >= 2
    assert item["final_loss"] == pytest.approx(item["final_loss"])
    assert item["user_metadata"] == {"why": "test"}
    assert item["session_type"] == "embedding_space"


def test_the_status_of_a_finished_model(trained: Trained) -> None:
    status = trained.get().json()
    assert set(status) == {"session", "jobs"}
    session = status["session"]
    assert session["status"] == session["es_status"] == "done"
    assert session["failed"] is False
    assert session["es_architecture"] == {"d_model": session["dimensions"]}
    stamp = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
    for key in ("created_at", "started_at", "finished_at"):
        assert stamp.fullmatch(session[key])
    ((job_id, job),) = status["jobs"].items()
    assert session["job_plan"][0]["job_id"] == job_id
    assert session["job_plan"][0]["job_type"] == job["job_type"] == "train_es"
    assert job["status"] == "done"
    assert job["progress"] == 1.0
    assert job["current_epoch"] == job["total_epochs"] >= 2
    assert stamp.fullmatch(job["started_at"])
    assert job["liveness_age_seconds"] is None


def test_waiting_models_know_their_place(server: Server) -> None:
    paths = [server.create(), server.create()]
    places = [server.http.get(path).json()["session"]["queue_position"] for path in paths]
    assert places == [1, 2]


def test_the_status_follows_the_job(server: Server) -> None:
    path = server.create()
    with server.context.database.write() as database:
        job = database.query(JobRow).one()
        job.status, job.started_at, job.heartbeat_at = "running", now(), now()
        job.current_epoch, job.total_epochs, job.progress = 3, 10, 0.3
        database.query(SessionRow).one().status = "running"
    status = server.http.get(path).json()
    (shown,) = status["jobs"].values()
    assert status["session"]["status"] == "running"
    assert status["session"]["queue_position"] is None
    assert shown["started_at"]
    assert shown["liveness_age_seconds"] < 60
    assert (shown["current_epoch"], shown["total_epochs"], shown["progress"]) == (3, 10, 0.3)


def control(server: Server, path: str, action: str, **more: Any) -> Any:
    return server.http.post(f"{path}/control", json={"action": action, **more})


def test_a_waiting_training_is_paused_resumed_and_cancelled_at_once(server: Server) -> None:
    path = server.create()
    paused = control(server, path, "pause").json()
    assert (paused["status"], paused["requested"]) == ("paused", None)
    assert server.http.get(path).json()["session"]["status"] == "paused"
    resumed = control(server, path, "resume", job_id=paused["job_id"]).json()
    assert resumed["status"] == "queued"
    cancelled = server.http.post(f"{path}/cancel", json={"reason": "changed my mind"}).json()
    assert cancelled == {"cancelled": True, "status": "cancelled", "requested": None}
    status = server.http.get(path).json()
    assert status["session"]["status"] == "cancelled"
    assert [job["status"] for job in status["jobs"].values()] == ["cancelled"]


def test_a_running_training_shows_what_it_was_asked(server: Server) -> None:
    path = server.create()
    with server.context.database.write() as database:
        job = database.query(JobRow).one()
        job.status, job.started_at = "running", now()
    for action, requested in (("pause", "pause"), ("resume", None), ("stop", "stop")):
        answer = control(server, path, action).json()
        assert (answer["status"], answer["requested"]) == ("running", requested)
        (shown,) = server.http.get(path).json()["jobs"].values()
        assert shown["requested"] == requested
    cancelled = server.http.post(f"{path}/cancel").json()
    assert cancelled == {"cancelled": True, "status": "running", "requested": "cancel"}


def test_a_finished_training_is_left_as_it_is(trained: Trained) -> None:
    for action in ("pause", "resume", "stop"):
        answer = control(trained.server, trained.path, action).json()
        assert (answer["status"], answer["requested"]) == ("done", None)
    answer = trained.server.http.post(f"{trained.path}/cancel", json={})
    assert answer.json() == {"cancelled": False, "status": "done", "requested": None}
    assert trained.get().json()["session"]["status"] == "done"


def test_an_unknown_job_is_a_404(server: Server) -> None:
    answer = control(server, server.create(), "pause", job_id="nope")
    assert assert_envelope(answer, 404, "not_found")["field"] == "job_id"


def test_a_protected_model_cannot_be_deleted(server: Server) -> None:
    path = server.create()
    protect = server.http.post(f"{path}/deletion_protection", json={"protected": True})
    assert protect.json()["deletion_protection"] is True
    assert server.http.get(path).json()["session"]["deletion_protection"] is True
    answer = server.http.post(f"{path}/mark_for_deletion", json={})
    assert "set_deletion_protection(False)" in assert_envelope(answer, 409, "protected")["hint"]
    server.http.post(f"{path}/deletion_protection", json={"protected": False})
    assert server.http.post(f"{path}/mark_for_deletion", json={}).status_code == 200


def test_a_deleted_model_is_gone_and_its_data_goes_later(
    make_server: Callable[..., Server],
) -> None:
    server = make_server()
    kept, path = server.create(name="kept"), server.create(name="gone")
    session_id = path.rsplit("/", 1)[-1]
    assert server.http.post(f"{path}/mark_for_deletion", json={}).status_code == 200
    assert_envelope(server.http.get(path), 404, "not_found")
    assert listed(server) == ["kept"]
    again = server.http.post(f"{path}/mark_for_deletion", json={})  # the answer had got lost
    assert (again.status_code, again.json()["session_id"]) == (200, session_id)
    with server.context.database.read() as database:
        job = database.query(JobRow).filter_by(session_id=session_id).one()
        assert job.status == "cancelled"
    folder = server.settings.sessions_dir / session_id

    make_server()  # a fresh start within the seven days
    assert folder.is_dir()
    with server.context.database.write() as database:
        database.get_one(SessionRow, session_id).deleted_at = now() - timedelta(days=8)
    make_server()
    assert not folder.exists()
    with server.context.database.read() as database:
        assert [row.name for row in database.query(SessionRow)] == ["kept"]
        assert database.query(JobRow).filter_by(session_id=session_id).count() == 0
    assert server.http.get(kept).status_code == 200
