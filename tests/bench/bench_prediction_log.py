"""What it costs to log predictions before they are answered, and what the alternatives cost.

    python tests/bench/bench_prediction_log.py

Single predictions: milliseconds a call (median and 99th percentile), alone and with 32 threads at
once, for transactions that callers share (ours), one transaction a call, and shared ones that
wait for the disk each time. Batches: seconds and bytes for 100,000 records of ten columns, as
compressed blocks (ours) and as one row a prediction with an index of uuids.
"""

from __future__ import annotations

import json
import random
import sqlite3
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from featrix_server.db import Database, JobRow, PredictorRow, SessionRow, open_database
from featrix_server.prediction_log import Asker, PredictionLog, new_uuids
from featrix_server.settings import Settings

ROWS = 100_000
CALLS = 1600
PREDICTOR = "churn-0b9f6c1e-6f0a-4a3c-9d0e-2f1f0c4f7a11"


def open_log(folder: str) -> tuple[Database, PredictionLog]:
    database = open_database(Settings(data_dir=Path(folder)))
    predictor = PredictorRow(
        id=PREDICTOR, session_id="s", job_id="j", target_column="churned", target_type="set",
        problem_type="binary", options={},
    )  # fmt: skip
    for row in (SessionRow(id="s"), JobRow(id="j", session_id="s", job_type="x"), predictor):
        with database.write() as session:
            session.add(row)
    return database, PredictionLog(database, keep=10 * ROWS)


def records(n: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    rng = random.Random(0)
    sent = [
        {
            "age": rng.randint(18, 80), "plan": rng.choice(["basic", "plus", "pro"]),
            "price": rng.random() * 30, "note": rng.choice(["new", "late payer", "loyal"]),
            "job": rng.choice(["executive", "technician", "sales"]), "gain": rng.randint(0, 9999),
            "hours": rng.randint(10, 60), "education": "bachelors", "relation": "husband",
            "country": "united-states",
        }
        for _ in range(n)
    ]  # fmt: skip
    answers = [
        {
            "prediction_uuid": one, "prediction": "yes", "predicted_class": "yes",
            "probabilities": {"no": 1 - (p := rng.random()), "yes": p}, "confidence": p,
            "error": None,
        }
        for one in new_uuids(n)
    ]  # fmt: skip
    return sent, answers


def time_calls(log: PredictionLog, threads: int) -> str:
    sent, _ = records(1)

    def call(_: int) -> float:
        _, answers = records(1)
        start = time.perf_counter()
        log.write(PREDICTOR, sent, answers, latency_ms=1.0, asker=Asker())
        return 1000 * (time.perf_counter() - start)

    with ThreadPoolExecutor(threads) as pool:
        start = time.perf_counter()
        times = sorted(pool.map(call, range(CALLS if threads > 1 else CALLS // 4)))
        rate = len(times) / (time.perf_counter() - start)
    return f"{statistics.median(times):8.2f} {times[int(0.99 * len(times))]:8.2f} {rate:8.0f}/s"


def shared(_: Database, __: PredictionLog) -> None:
    """As it is."""


def one_each(_: Database, log: PredictionLog) -> None:
    log._commits.add = lambda item: log._commit([item])  # type: ignore[method-assign]  # the peer


def to_the_disk(database: Database, _: PredictionLog) -> None:
    database.quick_write = lambda: database._writer.begin()  # type: ignore[assignment, method-assign]  # the peer


def bench_calls() -> None:
    ways: dict[str, Callable[[Database, PredictionLog], None]] = {
        "shared (ours)": shared,
        "one transaction a call": one_each,
        "shared, to the disk": to_the_disk,
    }
    print(f"{'ms a prediction':28} {'median':>8} {'99 %':>8}")
    for threads in (1, 32):
        for name, change in ways.items():
            with tempfile.TemporaryDirectory() as folder:
                database, log = open_log(folder)
                change(database, log)
                print(f"{threads:2} threads, {name:24}{time_calls(log, threads)}")
                database.close()


def size_mb(folder: str) -> float:
    return sum(path.stat().st_size for path in Path(folder).glob("featrix.db*")) / 1e6


def bench_batch() -> None:
    sent, answers = records(ROWS)
    with tempfile.TemporaryDirectory() as folder:
        database, log = open_log(folder)
        before = size_mb(folder)
        start = time.perf_counter()
        log.write(PREDICTOR, sent, answers, latency_ms=1.0, asker=Asker())
        took = time.perf_counter() - start
        print(f"blocks (ours):        {took:5.2f} s {size_mb(folder) - before:6.1f} MB")
        start = time.perf_counter()
        assert len(log.recent(PREDICTOR, 200)) == 200
        print(f"the last 200 of them: {1000 * (time.perf_counter() - start):5.1f} ms")
        database.close()
    with tempfile.TemporaryDirectory() as folder:
        database = sqlite3.connect(Path(folder) / "featrix.db")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("CREATE TABLE p (id INTEGER PRIMARY KEY, uuid UNIQUE, predictor, r, a)")
        database.execute("CREATE INDEX i ON p (predictor, id)")
        start = time.perf_counter()
        rows = [
            (str(uuid.uuid4()), PREDICTOR, json.dumps(record), json.dumps(answer))
            for record, answer in zip(sent, answers, strict=True)
        ]
        with database:
            database.executemany("INSERT INTO p VALUES (NULL, ?, ?, ?, ?)", rows)
        took = time.perf_counter() - start
        print(f"one row a prediction: {took:5.2f} s {size_mb(folder):6.1f} MB")
        database.close()


if __name__ == "__main__":
    bench_calls()
    bench_batch()
