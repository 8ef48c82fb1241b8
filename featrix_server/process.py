"""The server as a process: one a data folder, found through ``server.json``, idle ones leave.

Files in the data folder (readable by their owner only):

``server.json``
    How to reach the running server: ``pid``, ``host``, ``port``, ``key``, ``version``,
    ``started_at``. Written when it answers, removed when it ends.
``api-key``
    The key of the local server, made on its first start.
``endpoint-secret``
    What the keys of endpoints are derived from (`endpoints`), made with the first endpoint.
``start.lock``
    Held while somebody starts a server, so that ten who want one start one.
``server.lock``
    Held by the running server; the system frees it however the process ends.
``server.log``
    What it did, rotated by size.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import filelock
import psutil

from featrix_server import __version__
from featrix_server.alive import is_alive

SERVER_FILE = "server.json"
KEY_FILE = "api-key"
START_LOCK = "start.lock"
RUNNING_LOCK = "server.lock"
LOG_FILE = "server.log"

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 20.0
HEALTH_TIMEOUT_S = 5.0
_POLL_S = 0.02


class ServerError(RuntimeError):
    """The server cannot be started or stopped; says why and what to do."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class PortTakenError(ServerError):
    """Another program listens on the wanted port."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(
            f"port {port} on {host} is already in use by another program. Give another one "
            "with --port, or none to take a free one.",
            exit_code=2,
        )


@dataclass(frozen=True)
class ServerRecord:
    """What ``server.json`` says about the running server."""

    pid: int
    host: str
    port: int
    key: str
    version: str
    started_at: float

    @property
    def url(self) -> str:
        """Base URL for programs on this machine."""
        return f"http://{self.connect_host}:{self.port}"

    @property
    def connect_host(self) -> str:
        """Address to connect to: loopback when the server listens everywhere."""
        return "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host


def read_record(data_dir: Path) -> ServerRecord | None:
    """Read ``server.json``; None if it is missing or damaged."""
    try:
        return ServerRecord(**json.loads((data_dir / SERVER_FILE).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_private(path: Path, text: str) -> None:
    """Write a small file in one step (all or nothing), readable by its owner only."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def write_record(data_dir: Path, record: ServerRecord) -> None:
    """Announce a running server."""
    write_private(data_dir / SERVER_FILE, json.dumps(asdict(record), indent=1) + "\n")


def local_key(data_dir: Path) -> str:
    """Return the key of the local server, made the first time; only its owner can read it."""
    path = data_dir / KEY_FILE
    try:
        return path.read_text("utf-8").strip()
    except FileNotFoundError:
        write_private(path, f"fx_local_{secrets.token_urlsafe(24)}\n")
        return path.read_text("utf-8").strip()


def find_running(data_dir: Path) -> ServerRecord | None:
    """Return the server of a data folder if it is alive and answers; None otherwise.

    A record left behind by a killed server is not believed: its process must live and must be
    the one that answers on its port (a process id and a port may both belong to others by now).
    """
    record = read_record(data_dir)
    if record is None or not is_alive(record.pid):
        return None
    return record if _answers(record) else None


def _answers(record: ServerRecord) -> bool:
    connection = http.client.HTTPConnection(
        record.connect_host, record.port, timeout=HEALTH_TIMEOUT_S
    )
    try:
        connection.request("GET", "/health")
        health = json.loads(connection.getresponse().read(65536))
        return isinstance(health, dict) and health.get("pid") == record.pid
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()


def start(data_dir: Path, port: int | None = None) -> tuple[ServerRecord, bool]:
    """Return the running server of a data folder, starting one in the background if need be.

    Any number of processes may call this at once; one server results.

    Parameters
    ----------
    data_dir : Path
        The data folder; made if missing.
    port : int, optional
        Port for a server that is started here.

    Returns
    -------
    record : ServerRecord
        How to reach the server.
    started : bool
        False if it ran already.

    Raises
    ------
    ServerError
        If it does not come up; the message holds what it said.
    """
    data_dir = data_dir.resolve()
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with filelock.FileLock(data_dir / START_LOCK, timeout=2 * START_TIMEOUT_S):
        running = find_running(data_dir)
        if running is not None and running.version == __version__:
            return running, False
        if running is not None:  # after an upgrade: its jobs go on in the new one
            stop(data_dir)
        return _launch(data_dir, port), True


def _launch(data_dir: Path, port: int | None) -> ServerRecord:
    command = [sys.executable, "-m", "featrix_server", "serve", "--data-dir", str(data_dir)]
    if port is not None:
        command += ["--port", str(port)]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            # Not the user's folder: `python -m` would prefer modules that lie in there.
            cwd=Path(__file__).parents[1],
            **_detached(),
        )
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            record = find_running(data_dir)
            if record is not None:
                return record
            if process.poll() is not None:
                raise ServerError(_last_words(said), process.returncode or 1)
            time.sleep(_POLL_S)
        process.kill()
        process.wait()
        raise ServerError(
            f"the server did not answer within {START_TIMEOUT_S:.0f} s. "
            f"See {data_dir / LOG_FILE}.\n{_last_words(said)}"
        )


def _detached() -> dict[str, Any]:
    """Return the arguments that let a child outlive its parent and its terminal."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def _last_words(said: IO[bytes]) -> str:
    said.seek(0)
    text = said.read().decode("utf-8", "replace").strip()
    return text.removeprefix("featrix-server: ") or "the server ended without a message."


def stop(data_dir: Path) -> ServerRecord | None:
    """End the running server and wait until it is gone; None if none was running.

    Raises
    ------
    ServerError
        If it does not end in time.
    """
    record = find_running(data_dir)
    if record is None:
        return None
    with suppress(psutil.NoSuchProcess):
        psutil.Process(record.pid).terminate()
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while is_alive(record.pid):
        if time.monotonic() > deadline:
            raise ServerError(
                f"the server (process {record.pid}) is still busy after {STOP_TIMEOUT_S:.0f} s. "
                "Try again in a moment, or end that process yourself: no finished work is lost."
            )
        time.sleep(_POLL_S)
    return record
