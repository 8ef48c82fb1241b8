"""Training survives `kill -9` of the worker and of the server, and does what people ask of it."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from sqlalchemy import select

from featrix_server.db import Database, EventRow, JobRow, MetricRow, SessionRow, open_database
from featrix_server.jobs.queue import MAX_ATTEMPTS
from featrix_server.settings import Settings

pytestmark = pytest.mark.timeout(180)

Until = Callable[..., None]

LONG = 400
"""More epochs than pass before somebody acts."""

ARTEFACTS = ("model.safetensors", "embeddings.npy", "sphere.npy", "clusters.json", "card.json")


def table(rows: int = 120) -> bytes:
    draw = random.Random(7)
    lines = ["age,income,plan,region"]
    for _ in range(rows):
        age = draw.randint(18, 80)
        plan = draw.choice(["basic", "plus", "pro"])
        lines.append(f"{age},{1000 * age + draw.gauss(0, 4000):.2f},{plan},{draw.choice('NESW')}")
    return "\n".join(lines).encode()


@dataclass
class Run:
    """One training, as the API and the database show it."""

    api: httpx.Client
    database: Database
    folder: Path
    session_id: str

    @property
    def job(self) -> JobRow:
        with self.database.read() as session:
            query = select(JobRow).where(JobRow.session_id == self.session_id)
            return session.scalars(query).one()

    @property
    def status(self) -> str:
        return self.job.status

    @property
    def session_status(self) -> str:
        with self.database.read() as session:
            return session.get_one(SessionRow, self.session_id).status

    @property
    def metrics(self) -> list[dict[str, Any]]:
        with self.database.read() as session:
            query = select(MetricRow).join(JobRow, JobRow.id == MetricRow.job_id)
            query = query.where(JobRow.session_id == self.session_id).order_by(MetricRow.epoch)
            return [row.payload for row in session.scalars(query)]

    @property
    def event_epochs(self) -> list[int]:
        with self.database.read() as session:
            query = select(EventRow).where(EventRow.session_id == self.session_id)
            query = query.where(EventRow.kind == "epoch").order_by(EventRow.seq)
            return [row.payload["epoch"] for row in session.scalars(query)]

    def control(self, action: str) -> dict[str, Any]:
        body = {"action": action}
        response = self.api.post(f"/compute/session/{self.session_id}/control", json=body)
        assert response.status_code == 200, response.text
        return response.json()

    def cancel(self) -> None:
        response = self.api.post(f"/compute/session/{self.session_id}/cancel")
        assert response.json()["cancelled"], response.text

    def worker(self) -> psutil.Process:
        """Return the process that holds the job."""
        worker = holder(self.job)
        assert worker is not None
        return worker

    def assert_complete(self) -> None:
        """Every epoch once, in order, to the end, and the finished model in its folder."""
        job = self.job
        assert (job.status, job.error, self.session_status) == ("done", None, "done")
        epochs = [one["epoch"] for one in self.metrics]
        assert epochs == [*range(1, (job.total_epochs or 0) + 1)]
        assert self.event_epochs == epochs
        assert all((self.folder / name).exists() for name in ARTEFACTS)


@dataclass
class Lab:
    """A running server, with its database open beside it."""

    host: Any
    api: httpx.Client
    database: Database

    def train(self, epochs: int = LONG) -> Run:
        response = self.api.post(
            "/compute/upload_with_new_session/",
            files={"file": ("people.csv", table())},
            data={"name": "people", "epochs": str(epochs)},
        )
        assert response.status_code == 200, response.text
        session_id = response.json()["session_id"]
        folder = self.host.data_dir / "sessions" / session_id
        return Run(self.api, self.database, folder, session_id)


@contextmanager
def open_lab(host: Any) -> Iterator[Lab]:
    database = open_database(Settings(data_dir=host.data_dir))
    with host.api() as api:
        yield Lab(host, api, database)
    database.close()


@pytest.fixture(scope="module")
def lab(shared_host: Any) -> Iterator[Lab]:
    with open_lab(shared_host) as lab:
        yield lab


def assert_little_repeated(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
    """At most the last epoch that was reported before the kill has been trained again."""
    kept = [old["time_now"] == new["time_now"] for old, new in zip(before, after, strict=False)]
    assert all(kept[:-1]), f"repeated: {[n + 1 for n, same in enumerate(kept) if not same]}"


def holder(job: JobRow) -> psutil.Process | None:
    """Return the live process that holds a job."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(int(job.lease_owner.split(":")[1])) if job.lease_owner else None
    return None


def kill(process: psutil.Process) -> None:
    process.kill()
    psutil.wait_procs([process], timeout=10)


def test_a_worker_killed_while_training_the_space(lab: Lab, until: Until) -> None:
    run = lab.train(epochs=60)
    until(lambda: len(run.metrics) >= 5, 60)
    kill(run.worker())
    before = run.metrics
    until(lambda: run.status != "running", 60)
    run.assert_complete()
    assert_little_repeated(before, run.metrics)
    assert len(before) < len(run.metrics)


def test_a_worker_killed_while_training_the_sphere(lab: Lab, until: Until) -> None:
    run = lab.train(epochs=5)
    until(lambda: any(one["phase"] == "sphere" for one in run.metrics), 60)
    kill(run.worker())
    before = run.metrics
    assert before[-1]["phase"] == "sphere"
    until(lambda: run.status != "running", 60)
    run.assert_complete()
    assert_little_repeated(before, run.metrics)


def test_a_server_killed_while_training(host: Any, until: Until) -> None:
    record = host.start()
    with open_lab(host) as lab:
        finished = lab.train(epochs=3)
        until(lambda: finished.status == "done", 90)
        digests = digests_of(finished.folder)
        run = lab.train(epochs=60)
        until(lambda: len(run.metrics) >= 5, 60)
        psutil.Process(record.pid).kill()
        until(lambda: not host.processes(), 5)  # the worker went with it
        before = run.metrics
        host.start()
        until(lambda: run.status == "done", 60)
        run.assert_complete()
        assert_little_repeated(before, run.metrics)
        assert finished.session_status == "done"
        assert digests_of(finished.folder) == digests


def digests_of(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_server_stopped_while_training_goes_on_when_started(host: Any, until: Until) -> None:
    host.start()
    with open_lab(host) as lab:
        run = lab.train(epochs=60)
        until(lambda: len(run.metrics) >= 3, 90)
        host.run("stop")
        before = run.metrics
        assert run.status == "running"
        host.start()
        until(lambda: run.status == "done", 60)
        run.assert_complete()
        assert_little_repeated(before, run.metrics)


def test_pause_holds_a_training_and_resume_takes_it_up(lab: Lab, until: Until) -> None:
    run = lab.train()
    until(lambda: len(run.metrics) >= 2, 60)
    asked = len(run.metrics)
    assert run.control("pause")["requested"] == "pause"
    until(lambda: run.status == "paused")
    at_rest = run.metrics
    assert len(at_rest) <= asked + 2  # the epoch under way, and one that ended meanwhile
    assert run.session_status == "running"
    time.sleep(0.5)
    assert run.metrics == at_rest
    assert run.control("resume")["status"] == "queued"
    until(lambda: len(run.metrics) > len(at_rest) + 1, 60)
    assert run.metrics[: len(at_rest)] == at_rest  # not one epoch is trained twice
    assert run.control("stop")["requested"] == "stop"
    until(lambda: run.status == "done", 60)
    run.assert_complete()
    assert len(run.metrics) < LONG


def test_stop_completes_a_paused_model(lab: Lab, until: Until) -> None:
    run = lab.train()
    until(lambda: len(run.metrics) >= 2, 60)
    run.control("pause")
    until(lambda: run.status == "paused")
    assert run.control("stop") == {
        "job_id": run.job.id,
        "status": "queued",
        "requested": "stop",
    }
    until(lambda: run.status == "done", 60)
    run.assert_complete()


def test_cancel_ends_a_training_without_a_model(lab: Lab, until: Until) -> None:
    run = lab.train()
    until(lambda: len(run.metrics) >= 2, 60)
    run.cancel()
    until(lambda: run.status == "cancelled")
    assert run.session_status == "cancelled"
    assert not (run.folder / "model.safetensors").exists()


def test_a_job_waits_for_the_one_before_and_a_free_worker_starts_at_once(
    lab: Lab, until: Until
) -> None:
    first = lab.train()
    until(lambda: len(first.metrics) >= 1, 60)
    second = lab.train(epochs=3)
    assert second.status == "queued"
    first.cancel()
    until(lambda: second.status == "done", 60)
    third = lab.train(epochs=1)
    until(lambda: third.status == "done", 60)
    job = third.job
    assert job.started_at is not None
    assert (job.started_at - job.created_at).total_seconds() < 1  # about 0.05 s when idle


def test_a_job_that_kills_every_worker_fails_with_a_reason(lab: Lab, until: Until) -> None:
    run = lab.train()
    dead: set[int] = set()

    def killed_one() -> bool:
        job = run.job
        worker = holder(job)
        if worker is not None and worker.pid not in dead:
            dead.add(worker.pid)
            kill(worker)
        return job.status == "failed"

    until(killed_one, 90)
    assert len(dead) == MAX_ATTEMPTS
    assert f"died {MAX_ATTEMPTS} times" in (run.job.error or "")
    assert run.session_status == "failed"
    after = lab.train(epochs=1)  # and the server still trains
    until(lambda: after.status == "done", 60)


@pytest.mark.timeout(600)  # on a busy machine the fresh worker's programs take their time
def test_a_live_worker_at_its_memory_limit_makes_room_for_another(lab: Lab, until: Until) -> None:
    until(lambda: len(lab.host.workers()) == 1, 60)
    (worker,) = lab.host.workers()
    size = worker.memory_info().vms + (16 << 20)  # a thread or two, and no training
    worker.rlimit(psutil.RLIMIT_AS, (size, size))
    run = lab.train(epochs=1)
    until(
        lambda: run.status in ("done", "failed"), 120
    )  # done: the worker died, and another did it
    assert run.status == "done" or "ran out of memory" in (run.job.error or "")
    until(lambda: worker.pid not in [one.pid for one in lab.host.workers()], 60)
    assert lab.api.get("/health").json()["status"] == "ok"
    after = lab.train(epochs=1)
    until(lambda: after.status == "done", 240)
