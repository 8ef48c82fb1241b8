"""`kill -9` in every phase of a worker's jobs and of collecting: nothing is lost or done twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from featrix_server.app import create_app
from featrix_server.db import Database, JobRow, MetricRow
from featrix_server.jobs import queue
from featrix_server.jobs.worker import run_next
from featrix_server.settings import Settings

pytestmark = pytest.mark.timeout(600)

REPOSITORY = Path(__file__).parents[2]

# Runs one job, and dies at the n-th call of a function.
DIES = """
import os, pkgutil, signal, sys
from featrix_server.jobs.worker import run_next
from featrix_server.settings import Settings
module, _, path = sys.argv[2].partition(":")
owner, _, name = path.rpartition(".")
owner, left = pkgutil.resolve_name(f"{module}:{owner}" if owner else module), int(sys.argv[3])
real = getattr(owner, name)
def die(*arguments, **options):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments, **options)
setattr(owner, name, die)
run_next(Settings(data_dir=sys.argv[1], api_key="fx_test"))
"""
# The same for the collector.
COLLECTS = """
import os, signal, sys
from datetime import timedelta
from featrix_server.app import create_app
from featrix_server.collecting import collect
from featrix_server.settings import Settings
from featrix_server.store import Store
Store.remove = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
app = create_app(Settings(data_dir=sys.argv[1], api_key="fx_test"))
collect(app.state.context, timedelta(0))
"""

ENGINE = "featrix_server.engine"
SPACE_PHASES = (
    (f"{ENGINE}.pretraining:save_columns", 1),
    ("featrix_server.jobs.queue:record_epoch", 3),  # epoch 0 is reported, too
    (f"{ENGINE}.trainer:Trainer.save_model", 1),
    (f"{ENGINE}.artefacts:find_clusters", 1),
    (f"{ENGINE}.pretraining:build_card", 1),
    ("featrix_server.jobs.queue:settle", 1),
)
PREDICTOR_PHASES = (
    ("featrix_server.jobs.queue:record_epoch", 2),
    (f"{ENGINE}.predictors.ensemble:Outcome.save", 2),
    (f"{ENGINE}.predictors.training:_Job._refit", 1),
    (f"{ENGINE}.predictors.storage:write_json", 3),  # the index, when all else is written
)


class Folder:
    """A data folder with the web app on it and no workers of its own."""

    def __init__(self, data_dir: Path, api: TestClient) -> None:
        self.settings = Settings(data_dir=data_dir, api_key="fx_test")
        self.api = api
        self.database: Database = api.app.state.context.database  # type: ignore[attr-defined]  # it is the FastAPI app

    def upload(self, rows: int = 60) -> str:
        text = "\n".join(f"{n % 9},{n},{'abc'[n % 3]}" for n in range(rows))
        answer = self.api.post(
            "/compute/upload_with_new_session/",
            files={"file": ("t.csv", f"a,b,c\n{text}".encode())},
            data={"epochs": "3"},
        )
        return f"/compute/session/{answer.json()['session_id']}"

    def die_at(self, place: str, call: int) -> None:
        """Run the waiting job in a process that dies at a call of a function."""
        command = [sys.executable, "-c", DIES, str(self.settings.data_dir), place, str(call)]
        ended = subprocess.run(
            command, cwd=REPOSITORY, capture_output=True, timeout=300, check=False
        )
        assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()[-2000:]
        assert queue.release_dead(self.database, blame=False) == 1

    def job(self, job_type: str) -> JobRow:
        with self.database.read() as session:
            return session.scalars(select(JobRow).where(JobRow.job_type == job_type)).one()

    def epochs_of(self, job: JobRow) -> list[int]:
        with self.database.read() as session:
            query = select(MetricRow.epoch).where(MetricRow.job_id == job.id)
            return [*session.scalars(query.order_by(MetricRow.epoch))]

    def assert_complete(self, job_type: str) -> None:
        assert run_next(self.settings)
        job = self.job(job_type)
        assert (job.status, job.error) == ("done", None)
        assert self.epochs_of(job) == [*range(1, (job.total_epochs or 0) + 1)]
        assert not run_next(self.settings)


@contextmanager
def opened(data_dir: Path) -> Iterator[Folder]:
    app = create_app(Settings(data_dir=data_dir, api_key="fx_test"))
    headers = {"X-Api-Key": "fx_test"}
    with TestClient(app, base_url="http://localhost", headers=headers) as api:
        yield Folder(data_dir, api)


def test_every_phase_of_a_training(tmp_path: Path, compile_cache: Path) -> None:
    (tmp_path / "compile-cache").symlink_to(compile_cache)
    with opened(tmp_path) as folder:
        path = folder.upload(rows=120)
        for place, call in SPACE_PHASES:
            folder.die_at(place, call)
            assert folder.api.get(path).json()["session"]["status"] == "running", place
        folder.assert_complete("train_es")
        card = folder.api.get(f"{path}/model_card").json()
        assert [one["name"] for one in card["columns"]] == ["a", "b", "c"]

        body = {"target_column": "c", "target_column_type": "set", "epochs": 2}
        created = folder.api.post(f"{path}/train_predictor", json=body).json()
        asked: dict[str, Any] = {"query_record": {"a": 3}, "predictor_id": created["predictor_id"]}
        for place, call in PREDICTOR_PHASES:
            folder.die_at(place, call)
            assert folder.api.post(f"{path}/predict", json=asked).status_code == 503, place
        folder.assert_complete("train_single_predictor")
        answer = folder.api.post(f"{path}/predict", json=asked).json()
        assert sum(answer["probabilities"].values()) == pytest.approx(1)


def test_collecting(tmp_path: Path) -> None:
    with opened(tmp_path) as folder:
        kept, gone = folder.upload(), folder.upload()
        folders = folder.settings.sessions_dir
        assert folder.api.post(f"{gone}/mark_for_deletion", json={}).status_code == 200
        command = [sys.executable, "-c", COLLECTS, str(tmp_path)]
        ended = subprocess.run(
            command, cwd=REPOSITORY, capture_output=True, timeout=60, check=False
        )
        assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()[-2000:]
        assert (folders / gone.rsplit("/", 1)[-1]).exists()  # of which no row is left
        sessions = folder.api.get("/compute/sessions-for-org").json()["sessions"]
        assert [one["session_id"] for one in sessions] == [kept.rsplit("/", 1)[-1]]
        os.utime(folders / gone.rsplit("/", 1)[-1], (time.time() - 7200,) * 2)
        assert folder.api.post("/compute/collect", json={}).status_code == 200
        assert [one.name for one in folders.iterdir() if not one.name.startswith(".")] == [
            kept.rsplit("/", 1)[-1]
        ]
