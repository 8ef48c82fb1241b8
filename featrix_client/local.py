"""Find the user's embedded server, or start it.

The server leaves its process id, port, key and version in ``server.json`` in the data folder,
readable by the user only. Whoever needs a server and finds none alive takes a file lock, looks
again, and starts one in its own session, so that it outlives the notebook that happened to
start it. The lock makes it one server however many notebooks ask at once.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from featrix_client.errors import FeatrixLocalServerError
from featrix_client.version import version

START_TIMEOUT_S = 60.0
"""Longest wait for a new server; a loaded machine compiles byte code for a while at first."""

_STOP_TIMEOUT_S = 15.0
_HEALTH_TIMEOUT_S = 5.0
_POLL_S = 0.03
_LOG_TAIL_LINES = 15
# One module of each part of the [local] extra that the server cannot start or train without.
_REQUIRED = ("featrix_server", "fastapi", "uvicorn", "sqlalchemy", "alembic", "duckdb", "jax")


@dataclass(frozen=True)
class LocalServer:
    """A running embedded server.

    Attributes
    ----------
    url : str
        Its address on the loopback interface.
    key : str
        The key it asks for.
    pid : int
        Its process.
    version : str
        Version of the package it runs.
    """

    url: str
    key: str
    pid: int
    version: str

    def __repr__(self) -> str:
        return f"LocalServer(url={self.url!r}, pid={self.pid})"  # the key is not for logs


def data_folder() -> Path:
    """Return the folder the embedded server keeps everything in.

    ``FEATRIX_HOME`` if set, else the folder ``featrix`` among the user's data: what
    ``featrix_server.settings.default_data_dir`` returns.
    """
    if home := os.environ.get("FEATRIX_HOME"):
        return Path(home).expanduser()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "featrix"
    shared = os.environ.get("XDG_DATA_HOME", "")
    if os.path.isabs(shared):  # noqa: PTH117 - the rule is about the text, not about a path
        return Path(shared) / "featrix"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "featrix"
    return Path.home() / ".local" / "share" / "featrix"


def ensure_server() -> LocalServer:
    """Return the user's embedded server, starting it if none is alive.

    Safe to call from any number of processes and threads at once.

    Raises
    ------
    FeatrixLocalServerError
        If the server is not installed, or does not start; the message ends with its log.
    """
    folder = data_folder().absolute()
    try:
        server = _read_server(folder)
        if server and server.version == version() and _answers(server):
            return server
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _lock(folder / "start.lock"):
            return _reuse(folder) or _start(folder)
    except OSError as error:
        raise FeatrixLocalServerError(
            f"The folder of the embedded server cannot be used: {error}.",
            hint="Set FEATRIX_HOME to a folder of yours, or pass api_url to use another server.",
        ) from error


def _reuse(folder: Path) -> LocalServer | None:
    """Return the server that runs, after stopping one of another version. Needs the lock."""
    server = _read_server(folder)
    # A busy machine may keep a living server from answering; the note of a dead one is left for
    # its successor to replace, since nothing tells the two apart for certain.
    if server is None or not _answers(server, patience_s=10.0):
        return None
    if server.version == version():
        return server
    _stop(server)
    return None


def _read_server(folder: Path) -> LocalServer | None:
    """Read ``server.json``; None when it is missing, half written or its process is gone."""
    try:
        info = json.loads((folder / "server.json").read_text(encoding="utf-8"))
        host = "127.0.0.1" if info["host"] in ("0.0.0.0", "::") else info["host"]
        server = LocalServer(
            url=f"http://{host}:{int(info['port'])}",
            key=str(info["key"]),
            pid=int(info["pid"]),
            version=str(info["version"]),
        )
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return server if _is_alive(server.pid) else None


def _is_alive(pid: int) -> bool:
    if sys.platform == "win32" or pid <= 0:  # there, os.kill(pid, 0) is not a mere question
        return pid > 0
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # the number now belongs to another user's process
        return False
    return True


def _answers(server: LocalServer, patience_s: float = 0.0) -> bool:
    """Ask ``/health`` who is there, without the key: another program may have the port by now."""
    deadline = time.monotonic() + patience_s
    with requests.Session() as session:
        session.trust_env = False  # no proxy stands between a process and its own machine
        while True:
            try:
                answer = session.get(f"{server.url}/health", timeout=_HEALTH_TIMEOUT_S).json()
                return isinstance(answer, dict) and answer.get("pid") == server.pid
            except (requests.RequestException, ValueError):
                if time.monotonic() >= deadline:
                    return False
                time.sleep(_POLL_S)


def _stop(server: LocalServer) -> None:
    """Ask a server of another version to make way; its jobs resume under the new one."""
    with suppress(ProcessLookupError):
        os.kill(server.pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_TIMEOUT_S
    while _is_alive(server.pid) and _answers(server):
        if time.monotonic() > deadline:
            raise FeatrixLocalServerError(
                f"The embedded server (process {server.pid}, version {server.version}) does not "
                f"make way for version {version()}.",
                hint="Stop it with: featrix-server stop",
            )
        time.sleep(0.1)


def _start(folder: Path) -> LocalServer:
    """Start a server and wait until it answers. Needs the lock."""
    missing = [name for name in _REQUIRED if importlib.util.find_spec(name) is None]
    if missing:
        raise FeatrixLocalServerError(
            f"No server is configured, and the embedded one is not installed (no module "
            f"{', '.join(missing)}).",
            hint="Install it with: pip install 'featrix-notebook[local]'\n"
            "or name a server: FeatrixSphere('https://host') or FEATRIX_API_URL, with its key "
            "in FEATRIX_API_KEY.",
        )
    log = folder / "server.log"
    with log.open("ab") as output:
        log_start = output.tell()
        process = _spawn(folder, output.fileno())
    # Waits for the process for as long as this one lives, so that it never stays a zombie.
    threading.Thread(target=process.wait, name="featrix-server-wait", daemon=True).start()

    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        ended = process.poll() is not None  # asked first: the note below may be its last act
        server = _read_server(folder)
        if server and _answers(server):
            return server
        if ended:
            raise _start_error(f"stopped with exit code {process.returncode}", log, log_start)
        time.sleep(_POLL_S)
    process.terminate()
    raise _start_error(f"was not ready after {START_TIMEOUT_S:.0f} s", log, log_start)


def _spawn(folder: Path, output: int) -> subprocess.Popen[bytes]:
    environment = os.environ | {"FEATRIX_HOME": str(folder)}
    # A package that only this process can import, from its folder, must be importable there too.
    spec = importlib.util.find_spec("featrix_server")
    places = [str(Path(place).parent) for place in (spec and spec.submodule_search_locations) or ()]
    if not any("site-packages" in place for place in places):
        old = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = os.pathsep.join([*places, *([old] if old else [])])
    detached: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        detached = {"creationflags": flags}
    return subprocess.Popen(
        [sys.executable, "-m", "featrix_server", "serve", "--data-dir", str(folder)],
        cwd=folder,  # not the notebook's: a random.py lying there must not become the server's
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        **detached,
    )


def _start_error(what: str, log: Path, log_start: int) -> FeatrixLocalServerError:
    with log.open("rb") as file:
        file.seek(log_start)
        lines = file.read().decode("utf-8", "replace").splitlines()
    tail = "\n".join(lines[-_LOG_TAIL_LINES:]) or "(nothing was written)"
    return FeatrixLocalServerError(
        f"The embedded server {what}. The end of {log}:\n\n{tail}\n",
        hint="Mend what the log names, or pass api_url to use another server.",
    )


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold a lock that the system lets go of when the process dies."""
    with path.open("ab") as file:
        if sys.platform == "win32":
            import msvcrt

            while True:
                try:
                    msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
                    break
                except OSError:  # it gives up after ten tries of a second each
                    continue
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield  # closing the file unlocks it
