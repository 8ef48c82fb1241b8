"""The supervisor: keeps the worker processes of one server alive."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from featrix_server.db import Database
from featrix_server.jobs import queue
from featrix_server.settings import Settings

logger = logging.getLogger(__name__)

SHORT_LIFE_S = 5.0
LONGEST_PAUSE_S = 30.0
ERRAND_POLL_S = 0.1
ERRANDS_ARGUMENT = "errands"
"""What tells a worker process to run errands only, and to leave when there are no more."""
_ERRANDS = -1  # beside the slots of the workers

# `python -m` looks for modules in the current folder first, and the user's may hold anything.
_PACKAGE_ROOT = Path(__file__).parents[2]


class WorkerPool:
    """Worker processes, each with a thread that starts it, logs what it prints and replaces it.

    One more process is there while there are short jobs (`db.ERRANDS`), which would otherwise wait
    until a training is finished.

    The workers' leases are released the moment they die, so a job goes on at once in the
    replacement. Workers end when `stop` is called, and also when this process dies in any way.

    Parameters
    ----------
    settings : Settings
        ``settings.workers`` processes are kept; they get the settings through a pipe.
    database : Database
        Open database, used to release the leases of dead workers.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._processes: dict[int, subprocess.Popen[str]] = {}
        self._threads = [
            threading.Thread(target=self._tend, args=(slot,), name=f"worker-{slot}", daemon=True)
            for slot in range(settings.workers)
        ]
        self._threads.append(
            threading.Thread(target=self._tend_errands, name="errands", daemon=True)
        )

    def start(self) -> None:
        """Start the workers; returns at once."""
        queue.release_dead(self._database)  # of a server that was killed
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the workers; a second call does nothing.

        Their jobs go on from the last checkpoint when a server starts again.
        """
        with self._lock:
            if self._stopping.is_set():
                return
            self._stopping.set()
            for process in self._processes.values():
                process.kill()
        for thread in self._threads:
            if thread.ident is not None:  # None: never started
                thread.join()
        queue.release_dead(self._database, blame=False)

    def _tend(self, slot: int) -> None:
        pause = 0.0
        while not self._stopping.wait(pause):
            born = time.monotonic()
            process = self._spawn(slot)
            if process is None:
                return
            code = _follow(process)
            if self._stopping.is_set():
                return
            logger.warning("worker %d ended (exit code %d); starting another", process.pid, code)
            queue.release_dead(self._database)
            # One that dies young again and again must not keep the machine busy.
            young = time.monotonic() - born < SHORT_LIFE_S
            pause = min(LONGEST_PAUSE_S, max(0.1, 2 * pause)) if young else 0.0

    def _tend_errands(self) -> None:
        while not self._stopping.wait(ERRAND_POLL_S):
            try:
                if not queue.has_errand(self._database):
                    continue
            except Exception:  # a busy database now may be well again in a moment
                logger.exception("looking for errands")
                self._stopping.wait(1.0)
                continue
            process = self._spawn(_ERRANDS, ERRANDS_ARGUMENT)
            if process is None:
                return
            if _follow(process) and not self._stopping.is_set():
                logger.warning("the process for errands %d died", process.pid)
                queue.release_dead(self._database)
                self._stopping.wait(1.0)

    def _spawn(self, slot: int, *arguments: str) -> subprocess.Popen[str] | None:
        with self._lock:  # `stop` sees every process, and none starts after it
            if self._stopping.is_set():
                return None
            process = subprocess.Popen(
                [sys.executable, "-m", "featrix_server.jobs.worker", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                cwd=_PACKAGE_ROOT,
            )
            self._processes[slot] = process
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it is dead already: its end is seen by the caller
            process.stdin.write(self._settings.model_dump_json() + "\n")
            process.stdin.flush()
        return process


def _follow(process: subprocess.Popen[str]) -> int:
    """Log what a process prints until it ends; return its exit code."""
    assert process.stdout is not None
    for line in process.stdout:
        logger.info("worker %d: %s", process.pid, line.rstrip())
    return process.wait()
