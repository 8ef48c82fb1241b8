"""How long a person waits before anything happens: connecting, importing, loading.

    python tests/bench/bench_startup.py

Each figure is the median of several fresh processes. The first connection starts the embedded
server in an empty data folder; a later one finds it running.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TIMED = """
import time
{before}
start = time.perf_counter()
{timed}
print(time.perf_counter() - start)
"""
CONNECT = TIMED.format(before="from featrix_client import FeatrixSphere", timed="FeatrixSphere()")
IMPORT = TIMED.format(before="", timed="import featrix_client")
LOAD = TIMED.format(
    before="from IPython.core.interactiveshell import InteractiveShell; shell = InteractiveShell()",
    timed="shell.run_line_magic('load_ext', 'featrix')",
)


def seconds(code: str, home: Path) -> float:
    """Run `code` in a fresh process; the last line it prints is the time it took."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("FEATRIX_")}
    env |= {"FEATRIX_HOME": str(home), "HOME": str(home), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def stop(home: Path) -> None:
    env = os.environ | {"FEATRIX_HOME": str(home)}
    command = [sys.executable, "-m", "featrix_server", "stop"]
    subprocess.run(command, env=env, cwd=ROOT, check=True, capture_output=True)


def first_connection() -> float:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "featrix"
        home.mkdir()
        try:
            return seconds(CONNECT, home)
        finally:
            stop(home)


def main() -> None:
    results = {"first FeatrixSphere() in a new folder": ([first_connection() for _ in range(3)], 5)}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        seconds(CONNECT, home)
        try:
            for name, code, limit in (
                ("later FeatrixSphere()", CONNECT, 0.5),
                ("import featrix_client", IMPORT, 0.5),
                ("%load_ext featrix", LOAD, 2),
            ):
                results[name] = ([seconds(code, home) for _ in range(5)], limit)
        finally:
            stop(home)
    print(f"{'':40} median s    limit s    runs")
    for name, (times, limit) in results.items():
        runs = " ".join(f"{t:.2f}" for t in times)
        print(f"{name:40} {statistics.median(times):8.2f} {limit:10g}    {runs}")


if __name__ == "__main__":
    main()
