"""The job queue: claims, leases, reports and what people ask of jobs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import select, update

from featrix_server.db import Database, EventRow, JobRow, MetricRow, SessionRow, now, open_database
from featrix_server.jobs import queue
from featrix_server.jobs.control import ControlError, control
from featrix_server.settings import Settings


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(Settings(data_dir=tmp_path))
    yield opened
    opened.close()


def add_job(database: Database, name: str = "m", **job: Any) -> None:
    with database.write() as session:
        session.add(SessionRow(id=name, name=name))
        session.flush()
        session.add(JobRow(id=f"{name}-job", session_id=name, job_type="train_es", **job))


def job_of(database: Database, name: str = "m") -> JobRow:
    with database.read() as session:
        return session.get_one(JobRow, f"{name}-job")


def session_of(database: Database, name: str = "m") -> SessionRow:
    with database.read() as session:
        return session.get_one(SessionRow, name)


def events_of(database: Database, name: str = "m") -> list[tuple[str, dict[str, Any]]]:
    with database.read() as session:
        query = select(EventRow).where(EventRow.session_id == name).order_by(EventRow.seq)
        return [(row.kind, row.payload) for row in session.scalars(query)]


def store(
    database: Database, held: queue.Claim, epoch: int, loss: float = 1.0, framed: bool = True
) -> str | None:
    report = {"epoch": epoch, "total_epochs": 4, "phase": "space", "loss": loss}
    return queue.record_epoch(database, held, report, framed=framed)


def take(database: Database, owner: str | None = None) -> queue.Claim:
    held = queue.claim(database, owner or queue.owner_name())
    assert held is not None
    return held


def expire(database: Database) -> None:
    with database.write() as session:
        session.execute(update(JobRow).values(lease_expires_at=now() - timedelta(seconds=1)))


def dead_owner() -> str:
    pid = max(psutil.pids()) + 1000
    return f"{queue.owner_name().split(':')[0]}:{pid}:0"


def test_a_job_is_claimed_once_however_many_workers_want_it(database: Database) -> None:
    for number in range(3):
        add_job(database, f"m{number}")
    claims: list[queue.Claim] = []
    ready = threading.Barrier(8)

    def worker() -> None:
        owner = queue.owner_name()
        ready.wait()
        while held := queue.claim(database, owner):
            claims.append(held)

    threads = [threading.Thread(target=worker) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(held.session_id for held in claims) == ["m0", "m1", "m2"]


def test_claiming_starts_job_and_session(database: Database) -> None:
    add_job(database)
    take(database)
    job, row = job_of(database), session_of(database)
    assert (job.status, row.status) == ("running", "running")
    assert job.started_at is not None
    assert row.started_at is not None
    assert queue.claim(database, "another") is None


def test_a_lost_lease_shuts_the_old_worker_out(database: Database) -> None:
    add_job(database)
    slow = take(database)
    expire(database)
    fresh = take(database)
    assert fresh.job_id == slow.job_id
    assert not queue.heartbeat(database, slow)
    with pytest.raises(queue.LeaseLostError):
        store(database, slow, 1)
    with pytest.raises(queue.LeaseLostError):
        queue.settle(database, slow, "done")
    assert queue.heartbeat(database, fresh)
    assert job_of(database).status == "running"


def test_a_dead_workers_job_is_free_at_once_and_a_live_ones_is_not(database: Database) -> None:
    add_job(database, "lives")
    take(database)
    add_job(database, "died")
    take(database, dead_owner())
    assert queue.release_dead(database) == 1
    assert take(database).session_id == "died"


def test_an_epoch_is_stored_whole_and_once(database: Database) -> None:
    add_job(database)
    held = take(database)
    for epoch in (0, 0, 1, 2):
        store(database, held, epoch, framed=epoch != 1)
    store(database, held, 2, loss=0.5)
    with database.read() as session:
        rows = session.scalars(select(MetricRow).order_by(MetricRow.epoch)).all()
    assert [(row.epoch, row.payload["loss"]) for row in rows] == [(1, 1.0), (2, 0.5)]
    events = events_of(database)
    epochs = [payload["epoch"] for kind, payload in events if kind == "epoch"]
    frames = [payload["epoch"] for kind, payload in events if kind == "frame"]
    assert (epochs, frames) == ([1, 2], [0, 2])
    job = job_of(database)
    assert (job.current_epoch, job.total_epochs, job.progress) == (2, 4, 0.5)


def test_done_tells_the_session_what_came_out(database: Database) -> None:
    add_job(database)
    held = take(database)
    outcome = {"dimensions": 256, "epochs": 4, "final_loss": 0.25}
    queue.settle(database, held, "done", outcome=outcome)
    row = session_of(database)
    assert (row.status, row.dimensions, row.epochs, row.final_loss) == ("done", 256, 4, 0.25)
    assert row.finished_at is not None
    job = job_of(database)
    assert (job.status, job.progress, job.lease_owner) == ("done", 1.0, None)
    assert [kind for kind, _ in events_of(database)][-2:] == ["status", "done"]


def test_failure_reaches_job_session_and_listeners(database: Database) -> None:
    add_job(database)
    queue.settle(database, take(database), "failed", error="what went wrong")
    assert (job_of(database).status, session_of(database).status) == ("failed", "failed")
    assert job_of(database).error == session_of(database).error == "what went wrong"
    assert events_of(database)[-2][1]["error"] == "what went wrong"


def test_a_job_that_kills_its_workers_fails_with_a_reason(database: Database) -> None:
    add_job(database)
    for _ in range(queue.MAX_ATTEMPTS):
        take(database, dead_owner())
        queue.release_dead(database)
    assert queue.claim(database, queue.owner_name()) is None
    job = job_of(database)
    assert job.status == "failed"
    assert "died 3 times" in (job.error or "")
    assert "memory" in (job.error or "")


def test_progress_clears_the_count_of_dead_workers_and_repeating_does_not(
    database: Database,
) -> None:
    add_job(database)
    for epoch in range(1, 2 * queue.MAX_ATTEMPTS):
        held = take(database, dead_owner())
        store(database, held, epoch)
        queue.release_dead(database)
    for _ in range(queue.MAX_ATTEMPTS - 1):
        held = take(database, dead_owner())
        store(database, held, 2 * queue.MAX_ATTEMPTS - 1)
        queue.release_dead(database)
    assert queue.claim(database, queue.owner_name()) is None
    assert job_of(database).status == "failed"


def test_workers_stopped_on_purpose_do_not_count(database: Database) -> None:
    add_job(database)
    for _ in range(2 * queue.MAX_ATTEMPTS):
        take(database, dead_owner())
        queue.release_dead(database, blame=False)
    take(database)


def test_pause_is_asked_of_a_running_job_and_kept_when_it_rests(database: Database) -> None:
    add_job(database)
    held = take(database)
    job = control(database, "m", "pause")
    assert (job.status, job.requested) == ("running", "pause")
    assert store(database, held, 1) == "pause"
    queue.settle(database, held, "paused")
    job = job_of(database)
    assert (job.status, job.requested) == ("paused", None)
    assert session_of(database).status == "running"
    assert queue.claim(database, queue.owner_name()) is None

    assert control(database, "m", "resume").status == "queued"
    take(database)


def test_a_pause_taken_back_in_time_only_costs_the_place(database: Database) -> None:
    add_job(database)
    held = take(database)
    control(database, "m", "pause")
    assert store(database, held, 1) == "pause"
    control(database, "m", "resume")
    queue.settle(database, held, "paused")
    assert job_of(database).status == "queued"


def test_cancel_ends_a_running_job_and_a_resting_one(database: Database) -> None:
    add_job(database)
    held = take(database)
    control(database, "m", "cancel")
    assert store(database, held, 1) == "cancel"
    queue.settle(database, held, "paused")
    assert (job_of(database).status, session_of(database).status) == ("cancelled", "cancelled")

    add_job(database, "waiting")
    assert control(database, "waiting", "cancel").status == "cancelled"
    assert session_of(database, "waiting").status == "cancelled"
    assert events_of(database, "waiting")[-1][0] == "done"


def test_stop_at_rest_goes_back_to_a_worker_to_finish_the_model(database: Database) -> None:
    add_job(database)
    held = take(database)
    store(database, held, 1)
    control(database, "m", "pause")
    queue.settle(database, held, "paused")
    job = control(database, "m", "stop")
    assert (job.status, job.requested) == ("queued", "stop")
    assert store(database, take(database), 2) == "stop"


def test_stop_before_the_first_epoch_leaves_nothing_to_finish(database: Database) -> None:
    add_job(database)
    assert control(database, "m", "pause").status == "paused"
    assert control(database, "m", "stop").status == "cancelled"


def test_asking_for_what_is_so_writes_no_event(database: Database) -> None:
    add_job(database)
    take(database)
    control(database, "m", "pause")
    before = events_of(database)
    control(database, "m", "pause")
    assert events_of(database) == before


def test_asking_too_late_or_for_nothing_says_so(database: Database) -> None:
    add_job(database)
    queue.settle(database, take(database), "done")
    with pytest.raises(ControlError, match="nothing is being trained"):
        control(database, "m", "pause")
    with pytest.raises(ControlError, match="already done"):
        control(database, "m", "pause", "m-job")
    with pytest.raises(LookupError, match="no job 'other'"):
        control(database, "m", "pause", "other")


def test_only_waiting_and_running_jobs_keep_a_server_busy(database: Database) -> None:
    assert not queue.has_work(database)
    add_job(database)
    assert queue.has_work(database)
    held = take(database)
    assert queue.has_work(database)
    control(database, "m", "pause")
    queue.settle(database, held, "paused")
    assert not queue.has_work(database)


def test_a_lease_from_before_the_clock_was_set_back_holds_nobody_up(database: Database) -> None:
    add_job(database)
    held = queue.claim(database, "gone:1:x")
    assert held is not None
    with database.write() as session:
        job = session.get_one(JobRow, held.job_id)
        job.lease_expires_at = now() + timedelta(hours=1)
    again = queue.claim(database, queue.owner_name())
    assert again is not None
    assert again.job_id == held.job_id
    assert not queue.heartbeat(database, held)
    assert queue.heartbeat(database, again)
    with database.read() as session:
        lease = session.get_one(JobRow, held.job_id).lease_expires_at
    assert lease is not None
    assert lease < now() + timedelta(seconds=queue.LEASE_S + 1)
    assert queue.claim(database, queue.owner_name()) is None
