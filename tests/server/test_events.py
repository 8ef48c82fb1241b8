"""Server-sent events: what is written by one process reaches the listeners of another."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import psutil
import pytest
from sqlalchemy import update

from featrix_server.db import Database, JobRow, SessionRow, add_event, open_database
from featrix_server.settings import Settings

Until = Callable[..., None]


@dataclass
class Listener:
    """Reads a stream in a thread: (moment, id, kind, data) of each event."""

    api: httpx.Client
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    events: list[tuple[float, int, str, Any]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)
    status: int = 0

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            with self.api.stream("GET", self.path, headers=self.headers) as response:
                self.status = response.status_code
                parts: dict[str, str] = {}
                for line in response.iter_lines():
                    name, _, value = line.partition(": ")
                    if line and name:
                        parts[name] = value
                    elif parts:
                        event = int(parts["id"]), parts["event"], json.loads(parts["data"])
                        self.events.append((time.monotonic(), *event))
                        parts = {}
        finally:
            self.ended.set()

    @property
    def seen(self) -> list[tuple[int, str, Any]]:
        return [event[1:] for event in self.events]


@dataclass
class Log:
    """A session with one open job that no worker takes, and its event log."""

    database: Database
    session_id: str

    def __post_init__(self) -> None:
        with self.database.write() as session:
            session.add(SessionRow(id=self.session_id))
            session.flush()
            session.add(
                JobRow(
                    id=f"{self.session_id}-job",
                    session_id=self.session_id,
                    job_type="train_es",
                    status="paused",
                )
            )

    def tell(self, *epochs: int, **payload: Any) -> float:
        """Add events; return the moment they were there for all to see."""
        with self.database.write() as session:
            for epoch in epochs:
                add_event(session, self.session_id, "epoch", {"epoch": epoch, **payload})
        return time.monotonic()

    def finish(self) -> None:
        mine = JobRow.session_id == self.session_id
        with self.database.write() as session:
            session.execute(update(JobRow).where(mine).values(status="done"))
            add_event(session, self.session_id, "status", {"status": "done"})
            add_event(session, self.session_id, "done", {"status": "done"})

    def path(self, query: str = "") -> str:
        return f"/compute/session/{self.session_id}/events{query}"


@contextmanager
def log_on(host: Any, name: str | None = None) -> Iterator[Log]:
    database = open_database(Settings(data_dir=host.data_dir))
    yield Log(database, name or f"m-{uuid.uuid4()}")
    database.close()


@pytest.fixture
def log(shared_host: Any) -> Iterator[Log]:
    with log_on(shared_host) as log:
        yield log


def test_old_and_new_events_arrive_in_order_and_the_stream_ends(
    shared_host: Any, log: Log, until: Until
) -> None:
    other = Log(log.database, f"{log.session_id}-other")
    log.tell(1, text="über\n\n")
    with shared_host.api() as api:
        listener = Listener(api, log.path())
        until(lambda: len(listener.events) == 1)
        delays = []
        for epoch in range(2, 6):
            other.tell(epoch)
            written = log.tell(epoch)
            until(lambda wanted=epoch: len(listener.events) == wanted)
            delays.append(listener.events[-1][0] - written)
        log.finish()
        assert listener.ended.wait(5)
    assert sorted(delays)[len(delays) // 2] < 0.5  # about 0.1 s on an idle machine
    assert [kind for _, kind, _ in listener.seen] == ["epoch"] * 5 + ["status", "done"]
    assert [data["epoch"] for _, _, data in listener.seen[:5]] == [1, 2, 3, 4, 5]
    assert listener.seen[0][2]["text"] == "über\n\n"
    numbers = [number for number, _, _ in listener.seen]
    assert numbers == sorted(set(numbers))


def test_a_broken_stream_is_taken_up_where_it_broke(shared_host: Any, log: Log) -> None:
    log.tell(1, 2, 3, 4)
    log.finish()

    def read(query: str = "", **headers: str) -> list[Any]:
        with shared_host.api() as api:
            listener = Listener(api, log.path(query), headers)
            assert listener.ended.wait(5)
            return listener.seen

    everything = read()
    first, second, last = everything[0][0], everything[1][0], everything[-1][0]
    assert read(f"?after={second}") == everything[2:]
    assert read(f"?after={first}", **{"Last-Event-ID": str(second)}) == everything[2:]
    assert read(f"?after={last}") == []


def test_a_long_log_comes_whole(shared_host: Any, log: Log) -> None:
    log.tell(*range(1234))
    log.finish()
    with shared_host.api() as api:
        listener = Listener(api, log.path())
        assert listener.ended.wait(10)
    assert [data["epoch"] for _, kind, data in listener.seen if kind == "epoch"] == [*range(1234)]


def test_many_listeners_leave_room_for_other_requests(
    shared_host: Any, log: Log, until: Until
) -> None:
    count = 80  # twice the size of the server's thread pool
    with ExitStack() as stack:
        apis = [stack.enter_context(shared_host.api()) for _ in range(count + 1)]
        listeners = [Listener(api, log.path()) for api in apis[:count]]
        log.tell(1)
        until(lambda: all(len(listener.events) == 1 for listener in listeners))
        began = time.monotonic()
        assert apis[count].get(f"/compute/session/{log.session_id}").status_code == 200
        assert time.monotonic() - began < 2
        log.finish()
        until(lambda: all(listener.ended.is_set() for listener in listeners))
    assert all(listener.seen == listeners[0].seen for listener in listeners)


def test_the_stream_is_for_those_with_the_key_and_of_sessions_that_exist(
    shared_host: Any, log: Log
) -> None:
    with shared_host.api() as api:
        assert api.get(log.path(), headers={"X-Api-Key": "fx_wrong"}).status_code == 401
        unknown = api.get("/compute/session/nobody/events")
        assert (unknown.status_code, "nobody" in unknown.json()["error"]) == (404, True)
        assert api.get(log.path("?after=-1")).status_code == 422


def test_a_listener_keeps_the_server_up_and_is_forgotten_when_it_leaves(
    host: Any, until: Until
) -> None:
    record = host.start(FEATRIX_SERVER_IDLE_TIMEOUT_S="1")
    with (
        log_on(host) as log,
        host.api(record) as api,
        api.stream("GET", log.path()) as response,
    ):
        assert response.status_code == 200
        time.sleep(2)
        assert psutil.pid_exists(record.pid)
    until(lambda: not host.processes(), 10)


def test_stopping_the_server_ends_the_streams_at_once(host: Any, until: Until) -> None:
    host.start()
    with log_on(host) as log, host.api() as api:
        listener = Listener(api, log.path())
        until(lambda: listener.status == 200)
        assert host.run("stop").returncode == 0
        assert listener.ended.wait(1)
    assert "Cancel" not in (host.data_dir / "server.log").read_text()
