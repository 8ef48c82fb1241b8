"""Real servers for the tests, and a check that none of their processes is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import pytest

from featrix_server.process import ServerRecord, find_running, read_record, stop

_REPOSITORY = Path(__file__).parents[2]
_MARK = "FEATRIX_TEST_MARK"


@dataclass
class Host:
    """A data folder, and what a person can do with it from a terminal."""

    data_dir: Path
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    def command(
        self, *arguments: str, **environment: str
    ) -> tuple[list[str], dict[str, str], Path]:
        command = [sys.executable, "-m", "featrix_server", *arguments]
        command += ["--data-dir", str(self.data_dir)]
        return command, {**os.environ, _MARK: self.mark, **environment}, _REPOSITORY

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run `featrix-server` with these arguments to its end."""
        command, env, cwd = self.command(*arguments, **environment)
        return subprocess.run(
            command, env=env, cwd=cwd, capture_output=True, text=True, timeout=90, check=False
        )

    def spawn(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start `featrix-server` with these arguments, its output going to pipes."""
        command, env, cwd = self.command(*arguments, **environment)
        return subprocess.Popen(
            command, env=env, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def start(self, *arguments: str, **environment: str) -> ServerRecord:
        """Start the server in the background, as a person would."""
        done = self.run("start", *arguments, **environment)
        assert done.returncode == 0, done.stderr
        record = find_running(self.data_dir)
        assert record is not None
        return record

    def api(self, record: ServerRecord | None = None) -> httpx.Client:
        """Return a client of the running server, with its key."""
        record = record or read_record(self.data_dir)
        assert record is not None
        return httpx.Client(
            base_url=record.url, headers={"X-Api-Key": record.key}, timeout=30, trust_env=False
        )

    def processes(self) -> list[psutil.Process]:
        """Return the live processes that descend from a command of this host."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def workers(self) -> list[psutil.Process]:
        """Return the live worker processes."""
        return [one for one in self.processes() if "featrix_server.jobs.worker" in one.cmdline()]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            ours = process.environ().get(_MARK) == self.mark
            return ours and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


@pytest.fixture
def host(tmp_path: Path, compile_cache: Path) -> Iterator[Host]:
    """A data folder of its own; the test fails if a process of it outlives the server."""
    with _host(tmp_path / "data", compile_cache) as host:
        yield host


@pytest.fixture(scope="module")
def shared_host(tmp_path_factory: pytest.TempPathFactory, compile_cache: Path) -> Iterator[Host]:
    """A running server for all tests of a module that do not mind each other."""
    with _host(tmp_path_factory.mktemp("shared") / "data", compile_cache) as host:
        host.start()
        yield host


@contextmanager
def _host(data_dir: Path, compile_cache: Path) -> Iterator[Host]:
    data_dir.mkdir()
    (data_dir / "compile-cache").symlink_to(compile_cache)
    host = Host(data_dir)
    yield host
    stop(data_dir)
    deadline = time.monotonic() + 5
    while (left := host.processes()) and time.monotonic() < deadline:
        time.sleep(0.05)
    described = [f"{process.pid}: {process.cmdline()}" for process in left]
    for process in left:
        process.kill()
    assert not described, f"left behind: {described}"


@pytest.fixture
def until() -> Callable[..., None]:
    """A function that waits until something is so, and fails if it takes too long."""

    def wait(condition: Callable[[], object], timeout_s: float = 20.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"not so after {timeout_s} s"
            time.sleep(0.01)

    return wait
