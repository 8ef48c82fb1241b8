"""The worker process: claims jobs one after another and stays warm between them.

The server starts it with a pipe as its standard input: the first line holds the settings, and
the end of the pipe means that the server is gone, so the worker leaves too. One process trains
many models, so compiled programs are used again. Tests may call `run_next`, which does one job
in the calling process.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from importlib import import_module
from typing import NoReturn

from featrix_server import engine
from featrix_server.db import ERRANDS, Database, is_disk_full, open_database
from featrix_server.jobs import queue
from featrix_server.jobs.pool import ERRANDS_ARGUMENT
from featrix_server.jobs.training import UnknownJobError, train
from featrix_server.settings import Settings

logger = logging.getLogger(__name__)

POLL_S = 0.05
"""Pause between two looks into the queue: how long a new job may wait for an idle worker."""

ERRAND_IDLE_S = 30.0
"""How long a process for errands waits for another one: errands come in groups."""

NICENESS = 5
"""Training yields the processor to the server and to the user's notebook."""


def run_next(settings: Settings, database: Database | None = None) -> bool:
    """Claim one job, if any waits, and run it to its end in this process.

    Parameters
    ----------
    settings : Settings
        Where the sessions' files and the database are.
    database : Database, optional
        An open database to use; opened and closed here when not given.

    Returns
    -------
    bool
        True if there was a job (whether it went well is in its row), False if none waited.
    """
    if database is None:
        database = open_database(settings)
        try:
            return run_next(settings, database)
        finally:
            database.close()
    held = queue.claim(database, queue.owner_name())
    if held is None:
        return False
    engine.enable_compile_cache(settings.data_dir / "compile-cache")
    _run(settings, database, held)
    return True


def _run(settings: Settings, database: Database, held: queue.Claim) -> bool:
    """Run a claimed job under a heartbeat; whatever happens ends up in the job's row.

    Returns
    -------
    bool
        False if it ran out of memory: this process is then fit for nothing more. Libraries whose
        threads or buffers could not be had are left in any state, waiting for ever among them.
    """
    began = time.monotonic()
    logger.info("job %s (%s) of session %s begins", held.job_id, held.job_type, held.session_id)
    finished = threading.Event()
    beating = threading.Thread(
        target=_beat, args=(database, held, finished), name="heartbeat", daemon=True
    )
    out_of_memory = False
    try:
        beating.start()
        status = train(settings, database, held)
        logger.info("job %s: %s after %.1f s", held.job_id, status, time.monotonic() - began)
    except queue.LeaseLostError as error:
        logger.warning("%s: leaving it to its new owner", error)
    except Exception as error:
        logger.exception("job %s failed", held.job_id)
        out_of_memory = is_out_of_memory(error)
        with suppress(queue.LeaseLostError):
            queue.settle(database, held, "failed", error=explain(error, held.job_type))
    finally:
        finished.set()
        if beating.ident is not None:  # None: there was no room to start it
            beating.join()
    return not out_of_memory


def _beat(database: Database, held: queue.Claim, finished: threading.Event) -> None:
    while not finished.wait(queue.LEASE_S / 3):
        try:
            if not queue.heartbeat(database, held):
                return
        except Exception:  # a busy or full disk now may be well again at the next beat
            logger.exception("heartbeat of job %s", held.job_id)


def explain(error: Exception, job_type: str) -> str:
    """Return what a person should read about a failure: what was wrong and what to do."""
    again = "publish" if job_type in ERRANDS else "create"
    text = str(error).strip() or type(error).__name__
    if is_out_of_memory(error):
        return (
            f"The training ran out of memory ({text}). Train on fewer rows or columns, close "
            "other programs, or use a machine with more memory."
        )
    if is_disk_full(error):
        return f"The disk is full ({text}). Free some space, then {again} the model again."
    if isinstance(error, engine.TableError | engine.PredictorError | UnknownJobError):
        return text  # says what to do by itself
    if isinstance(error, engine.CheckpointError):
        what = "model cannot be published" if job_type in ERRANDS else "training cannot go on"
        return f"The {what}: {text}. Create the model again."
    return (
        f"The {'publishing' if job_type in ERRANDS else 'training'} failed with an unexpected "
        f"error: {type(error).__name__}: {text}. `featrix-server logs` shows the details."
    )


_NO_MEMORY = (  # in the messages of JAX, of Python, of C++ libraries and of the system's loader
    "RESOURCE_EXHAUSTED",
    "can't start new thread",
    "bad_alloc",
    "Cannot allocate memory",
    "failed to map segment",
    "Out of Memory",
)


def is_out_of_memory(error: BaseException | None) -> bool:
    """Tell whether an error, or one that led to it, means that there is no more memory."""
    while error is not None:
        if isinstance(error, MemoryError) or any(sign in str(error) for sign in _NO_MEMORY):
            return True
        error = error.__cause__ or error.__context__
    return False


class _Warmer:
    """Compiles the common programs in a thread while the worker has nothing else to do."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._finished = False

    def start(self) -> None:
        """Begin, or take up again what a job has interrupted; does nothing once all is warm."""
        if self._finished:
            return
        self._stop = threading.Event()
        threading.Thread(target=self._warm, args=(self._stop,), name="warm-up", daemon=True).start()

    def stop(self) -> None:
        """Ask it to end after the program at hand; does not wait for that."""
        self._stop.set()

    def _warm(self, stop: threading.Event) -> None:
        try:
            import_module("featrix_server.engine.pretraining")  # about two seconds, once
            engine.warm_up(stop)
        except Exception:  # nothing depends on it
            logger.exception("warming up failed; the first training will compile by itself")
        self._finished = not stop.is_set()


def work(settings: Settings) -> None:
    """Run jobs as they come, for ever; errands are not among them."""
    database = open_database(settings)
    engine.enable_compile_cache(settings.data_dir / "compile-cache")
    warmer = _Warmer()
    warmer.start()
    owner = queue.owner_name()
    while True:
        held = queue.claim(database, owner, errands=False)
        if held is None:
            time.sleep(POLL_S)
            continue
        warmer.stop()
        if not _run(settings, database, held):
            _leave()
        warmer.start()


def run_errands(settings: Settings) -> None:
    """Run errands as they come, until none has come for `ERRAND_IDLE_S`."""
    database = open_database(settings)
    engine.enable_compile_cache(settings.data_dir / "compile-cache")
    owner = queue.owner_name()
    last = time.monotonic()
    while time.monotonic() - last < ERRAND_IDLE_S:
        held = queue.claim(database, owner, errands=True)
        if held is None:
            time.sleep(POLL_S)
            continue
        if not _run(settings, database, held):
            _leave()
        last = time.monotonic()
    database.close()


def _leave(code: int = 0) -> NoReturn:
    """End this process at once: a normal end waits for threads, which may wait for ever."""
    sys.stdout.flush()
    os._exit(code)


def _leave_with_server() -> None:
    """End this process when the server's end of the pipe closes, however that came about."""
    sys.stdin.buffer.read()
    os._exit(0)  # at once: a half-written file has a temporary name, a half-made commit rolls back


def main() -> None:
    """Run as a child of the server."""
    settings = Settings.model_validate_json(sys.stdin.buffer.readline())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is meant for the server
    threading.Thread(target=_leave_with_server, name="parent-watch", daemon=True).start()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    for chatty in ("alembic", "jax"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    if sys.argv[1:] == [ERRANDS_ARGUMENT]:
        run_errands(settings)  # somebody waits for these: not nice
        _leave()  # the thread that reads standard input would hold up a normal end
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    try:
        work(settings)
    except BaseException:  # the supervisor starts another one
        logger.exception("the worker cannot go on")
        _leave(1)


if __name__ == "__main__":
    main()
