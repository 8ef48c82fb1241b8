"""Running the server in this process: lock, key, socket, web app, workers, and a tidy end."""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import logging.handlers
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

import filelock
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send
from threadpoolctl import threadpool_limits

from featrix_server import __version__, delivery, process
from featrix_server.app import create_app
from featrix_server.context import Context
from featrix_server.db import Database, DatabaseDamagedError, DatabaseVersionError
from featrix_server.jobs import queue
from featrix_server.jobs.pool import WorkerPool
from featrix_server.settings import Settings

logger = logging.getLogger(__name__)

LOG_BYTES = 5_000_000
LOG_FILES = 3
_HANDOVER_S = 10.0  # how long a server that is on its way out may take to leave the data folder
_KEEP_ALIVE_S = 120  # longer than people pause between two calls, so connections are re-used


def serve(settings: Settings) -> None:
    """Run the server of a data folder until it is stopped or idle.

    Raises
    ------
    process.ServerError
        If another server serves this folder, the port is taken, or the database is newer or
        damaged.
    """
    # Requests have threads of their own; further ones for each product of matrices only wait.
    threadpool_limits(1, user_api="blas")
    data_dir = settings.data_dir.resolve()
    os.umask(0o077)  # a folder that was there before may be open to others; what is in it is not
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _only_server(data_dir), _listen(settings) as listener:
        _forget(data_dir)  # what a killed server left
        _log_to(data_dir / process.LOG_FILE)
        settings = settings.model_copy(
            update={
                "data_dir": data_dir,
                "port": listener.getsockname()[1],
                "api_key": settings.api_key or process.local_key(data_dir),
            }
        )
        try:
            app = create_app(settings)
        except (DatabaseVersionError, DatabaseDamagedError) as error:
            raise process.ServerError(str(error)) from error
        _run(settings, app, listener)


def _run(settings: Settings, app: FastAPI, listener: socket.socket) -> None:
    context: Context = app.state.context
    pool = WorkerPool(settings, context.database)
    activity = _Activity(app)
    server = _Server(activity, settings, context, pool)
    spare_the_collector()
    if settings.idle_timeout_s:
        threading.Thread(
            target=_stop_when_idle,
            args=(settings.idle_timeout_s, activity, context.database, server),
            name="idle-watch",
            daemon=True,
        ).start()
    # uvicorn raises the signal it was stopped by again at the end: let that unwind the stack.
    signal.signal(signal.SIGTERM, _leave)
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        logger.info("interrupted")
    finally:
        pool.stop()
        _forget(settings.data_dir)
        logger.info("stopped")


def spare_the_collector() -> None:
    """Look for garbage cycles less often, and never among what lives as long as the server.

    A table of 100,000 answers is a million objects without a cycle. With Python's defaults, going
    through all of them again and again took a third of the time of such a request.
    """
    gc.freeze()
    gc.set_threshold(100_000, 20, 10)


def _leave(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)


@contextmanager
def _only_server(data_dir: Path) -> Iterator[None]:
    """Hold the data folder for this server; the system lets go of it if we are killed."""
    lock = filelock.FileLock(data_dir / process.RUNNING_LOCK)
    deadline = time.monotonic() + _HANDOVER_S
    while True:
        try:
            lock.acquire(timeout=0.1)
            break
        except filelock.Timeout:
            running = process.find_running(data_dir)
            if running is not None:
                raise process.ServerError(
                    f"a server already runs on {data_dir}: {running.url} (process {running.pid}). "
                    "Stop it first, or give another folder with --data-dir."
                ) from None
            if time.monotonic() > deadline:
                raise process.ServerError(
                    f"another process holds {data_dir} but does not answer. Wait until it has "
                    "ended, or give another folder with --data-dir."
                ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _listen(settings: Settings) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # asyncio sets TCP_NODELAY only on sockets that name their protocol; without it, each answer
    # on a kept connection waits 40 ms for the client's delayed acknowledgement.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        if sys.platform != "win32":  # there it would let two programs share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
            listener.listen(512)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise process.PortTakenError(settings.host, settings.port) from error
            raise process.ServerError(
                f"cannot listen on {settings.host}:{settings.port}: {error.strerror}.", exit_code=2
            ) from error
        yield listener


def _log_to(path: Path) -> None:
    """Send the log to a file that is renewed when it grows large, and to a watching terminal."""
    handlers: list[logging.Handler] = [
        logging.handlers.RotatingFileHandler(
            path, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8"
        )
    ]
    if sys.stderr.isatty():
        handlers.append(logging.StreamHandler())
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        handlers=handlers,
        force=True,
    )
    for chatty in ("alembic", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


class _Server(uvicorn.Server):
    """uvicorn, known to others and with workers from when it accepts requests until it ends."""

    def __init__(
        self, app: ASGIApp, settings: Settings, context: Context, pool: WorkerPool
    ) -> None:
        # No access log: the routes are polled, and what matters is logged by name.
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=2,
            )
        )
        self._settings = settings
        self._context = context
        self._pool = pool

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start accepting requests, then say so."""
        await super().startup(sockets)
        record = process.ServerRecord(
            pid=os.getpid(),
            host=self._settings.host,
            port=self._settings.port,
            key=self._settings.api_key,
            version=__version__,
            started_at=time.time(),
        )
        process.write_record(self._settings.data_dir, record)
        logger.info("version %s serves %s at %s", __version__, self._settings.data_dir, record.url)
        self._pool.start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Turn away newcomers, let the streams end, then stop."""
        _forget(self._settings.data_dir)
        self._context.events.close()
        await asyncio.to_thread(self._pool.stop)
        await super().shutdown(sockets)


def _forget(data_dir: Path) -> None:
    (data_dir / process.SERVER_FILE).unlink(missing_ok=True)


class _Activity:
    """ASGI middleware that knows for how long nobody has asked anything."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._open = 0
        self._last = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._open += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._open -= 1
            self._last = time.monotonic()

    @property
    def idle_s(self) -> float:
        """Seconds since the last request ended; 0 while one (or a stream) is open."""
        return 0.0 if self._open else time.monotonic() - self._last


def _stop_when_idle(
    timeout_s: float, activity: _Activity, database: Database, server: uvicorn.Server
) -> None:
    last_work = time.monotonic()
    while not server.should_exit:
        time.sleep(min(1.0, timeout_s / 4))
        if queue.has_work(database) or delivery.has_waiting(database):
            last_work = time.monotonic()
        if min(activity.idle_s, time.monotonic() - last_work) >= timeout_s:
            logger.info("idle for %.0f s: stopping", timeout_s)
            server.should_exit = True
