"""One job in this process: what comes out, and what is said when it goes wrong."""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from featrix_server import engine
from featrix_server.app import create_app
from featrix_server.db import JobRow
from featrix_server.jobs import queue
from featrix_server.jobs.worker import run_next
from featrix_server.settings import Settings


@dataclass
class Room:
    """A data folder with the web app on it and no workers of its own."""

    settings: Settings
    api: TestClient

    def upload(self, epochs: int = 2, rows: int = 60) -> str:
        text = "\n".join(f"{n % 9},{n},{'abc'[n % 3]}" for n in range(rows))
        response = self.api.post(
            "/compute/upload_with_new_session/",
            files={"file": ("t.csv", f"a,b,c\n{text}".encode())},
            data={"epochs": str(epochs)},
        )
        assert response.status_code == 200, response.text
        return response.json()["session_id"]

    def status(self, session_id: str) -> dict[str, Any]:
        return self.api.get(f"/compute/session/{session_id}").json()

    def error_of(self, session_id: str) -> str:
        """Run the session's job, which must fail, and return what its owner is told."""
        assert run_next(self.settings)
        document = self.status(session_id)
        (job,) = document["jobs"].values()
        assert (document["session"]["status"], job["status"]) == ("failed", "failed")
        assert document["session"]["error"] == job["error"]
        return job["error"]


@pytest.fixture
def room(tmp_path: Path, compile_cache: Path) -> Iterator[Room]:
    (tmp_path / "compile-cache").symlink_to(compile_cache)
    settings = Settings(data_dir=tmp_path, api_key="fx_test")
    with TestClient(
        create_app(settings), base_url="http://localhost", headers={"X-Api-Key": "fx_test"}
    ) as api:
        yield Room(settings, api)


def test_nothing_to_do(room: Room) -> None:
    assert not run_next(room.settings)


def test_a_job_is_run_to_its_end(room: Room) -> None:
    session_id = room.upload()
    assert run_next(room.settings)
    document = room.status(session_id)
    (job,) = document["jobs"].values()
    assert (document["session"]["status"], job["status"], job["progress"]) == ("done", "done", 1.0)
    assert document["session"]["dimensions"] > 0
    assert not run_next(room.settings)


def test_damaged_data_is_told(room: Room) -> None:
    session_id = room.upload()
    path = room.settings.sessions_dir / session_id / "data.parquet"
    path.write_bytes(path.read_bytes()[:100])
    assert "file is corrupted" in room.error_of(session_id)


def test_a_job_of_another_version_is_told(room: Room) -> None:
    session_id = room.upload()
    with room.api.app.state.context.database.write() as session:  # type: ignore[attr-defined]  # it is the FastAPI app
        session.execute(update(JobRow).values(job_type="train_es_2"))
    assert run_next(room.settings)
    (job,) = room.status(session_id)["jobs"].values()
    assert job["status"] == "failed"
    assert "'train_es_2'" in job["error"]


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (MemoryError("8 GB wanted"), "ran out of memory (8 GB wanted). Train on fewer rows"),
        (RuntimeError("RESOURCE_EXHAUSTED: 8 GB"), "ran out of memory (RESOURCE_EXHAUSTED: 8 GB)"),
        (OSError(errno.ENOSPC, "No space left on device"), "The disk is full"),
        (engine.TableError("too wide", code="x", hint="Use less"), "too wide. Use less."),
        (engine.CheckpointError("x is damaged"), "x is damaged. Create the model again."),
        (ZeroDivisionError("oops"), "unexpected error: ZeroDivisionError: oops"),
    ],
)
def test_a_failure_inside_the_engine_is_told(
    room: Room, monkeypatch: pytest.MonkeyPatch, failure: Exception, expected: str
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise failure

    session_id = room.upload()
    monkeypatch.setattr(engine, "pretrain", fail, raising=False)
    assert expected in room.error_of(session_id)


LIMITED = """
import resource, sys
from importlib import import_module
import psutil
from featrix_server.jobs.worker import run_next
from featrix_server.settings import Settings
import_module("featrix_server.engine.pretraining")
size = psutil.Process().memory_info().vms + (64 << 20)  # less than the job needs
resource.setrlimit(resource.RLIMIT_AS, (size, size))
assert run_next(Settings(data_dir=sys.argv[1], api_key="fx_test"))
"""


def test_a_worker_at_its_memory_limit_says_so(room: Room) -> None:
    session_id = room.upload(rows=60_000)
    command = [sys.executable, "-c", LIMITED, str(room.settings.data_dir)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    document = room.status(session_id)
    assert document["session"]["status"] == "failed", ended.stderr
    assert "ran out of memory" in document["session"]["error"]
    assert "Train on fewer rows" in document["session"]["error"]
    after = room.upload()
    assert run_next(room.settings)
    assert room.status(after)["session"]["status"] == "done"


def test_a_worker_that_lost_its_job_leaves_it_alone(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = room.upload()
    database = room.api.app.state.context.database  # type: ignore[attr-defined]  # it is the FastAPI app
    real = queue.record_epoch

    def lose(*arguments: Any, **options: Any) -> Any:
        with database.write() as session:
            session.execute(update(JobRow).values(lease_owner="elsewhere:1:0"))
        return real(*arguments, **options)

    monkeypatch.setattr(queue, "record_epoch", lose)
    assert run_next(room.settings)
    (job,) = room.status(session_id)["jobs"].values()
    assert (job["status"], job["error"], job["current_epoch"]) == ("running", None, None)
