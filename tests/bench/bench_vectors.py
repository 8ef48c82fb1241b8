"""Vector databases: adding records, searching them beside a bare numpy scan, recall of the graph.

    python tests/bench/bench_vectors.py [--records 100000] [--graph 200000]

Records go in over HTTP through the client, as a user adds them, to an embedded server in an empty
data folder; then more of them, until a graph is built. Searches are timed over HTTP and inside
the process; the peer is one matrix product over the same vectors and the choice of the ten best.
Recall is measured on new records, whole ones and ones with columns missing.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from featrix_client import FeatrixSphere, FoundationalModel, VectorDatabase
from featrix_server.db import VectorDatabaseRow, open_database
from featrix_server.settings import Settings
from featrix_server.vectors import VectorIndex, exact

ROOT = Path(__file__).resolve().parents[2]
TRAINING_ROWS = 5_000
K = 10
SEARCHES = 100


def people(n: int, seed: int) -> pd.DataFrame:
    """A table of eight columns, numbers and categories, that hang together."""
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 80, n)
    plan = np.where(age + rng.normal(0, 12, n) > 50, "gold", rng.choice(["basic", "plus"], n))
    spend = np.where(plan == "gold", 80, 25) + rng.gamma(2, 6, n)
    return pd.DataFrame(
        {
            "age": age,
            "plan": plan,
            "spend": spend.round(2),
            "visits": rng.poisson(spend / 10),
            "city": rng.choice([f"city {i}" for i in range(40)], n),
            "device": rng.choice(["phone", "tablet", "desktop"], n, p=[0.6, 0.1, 0.3]),
            "tenure": (rng.random(n) * (age - 17) * 12).round(1),
            "score": (rng.normal(0, 1, n) + spend / 40).round(3),
        }
    )


def milliseconds(calls: Sequence[Callable[[], Any]]) -> float:
    """Median time of calls, after a few to warm up."""
    for call in calls[:5]:
        call()
    times = []
    for call in calls:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def scan(vectors: np.ndarray, query: np.ndarray) -> np.ndarray:
    """Return the places of the ten vectors nearest to a query: the peer."""
    cosines = vectors @ query
    best = np.argpartition(-cosines, K)[:K]
    return best[np.argsort(-cosines[best])]


def add(vdb: VectorDatabase, n: int, seed: int, batch_size: int) -> None:
    frame = people(n, seed)
    start = time.perf_counter()
    vdb.add_records(frame, batch_size=batch_size)
    took = time.perf_counter() - start
    print(f"adding {n:,} records, {batch_size:,} a request: {took:.1f} s, {n / took:,.0f} a second")


def queries_of(fm: FoundationalModel, n: int) -> tuple[list[dict[str, Any]], np.ndarray]:
    """New records, half of them with half of their columns, and their vectors."""
    rng = np.random.default_rng(9)
    records = people(n, 999).to_dict("records")
    for record in records[::2]:
        for name in rng.permutation(list(record))[:4]:
            del record[name]
    encoded = fm.encode(records)
    return records, np.array([one["embedding_long"] for one in encoded], np.float32)


def measure(home: Path, vdb: VectorDatabase, fm: FoundationalModel) -> None:
    """Time searches of what is in the database now, and measure what they find."""
    records, vectors = queries_of(fm, SEARCHES)
    start = time.perf_counter()
    vdb.similarity_search(records[0], K)
    print(
        f"  first search {1000 * (time.perf_counter() - start):,.0f} ms; {vdb.refresh()['index']}"
    )
    over_http = milliseconds([lambda r=r: vdb.similarity_search(r, K) for r in records])
    filters = [(f"age > {20 + i} AND plan = 'gold'", r) for i, r in enumerate(records[:10])]
    start = time.perf_counter()
    for where, record in filters:
        vdb.similarity_search(record, K, where=where)
    filtered = 1000 * (time.perf_counter() - start) / len(filters)
    where = filters[-1][0]
    again = milliseconds([lambda r=r: vdb.similarity_search(r, K, where=where) for r in records])
    database = open_database(Settings(data_dir=home))
    with database.read() as session:
        row = session.query(VectorDatabaseRow).one()
    index = VectorIndex(database, row, home / "sessions" / fm.id, 100_000)
    index.search(vectors[0], K)
    while row.record_count >= 100_000 and index._graph is None:
        time.sleep(0.05)
        index.search(vectors[0], K)
    contents = index._contents
    found = [[hit.id for hit in index.search(query, K)] for query in vectors]
    nearest = [contents.ids[exact(contents.vectors, query, K)[0]].tolist() for query in vectors]
    own = milliseconds([lambda q=q: index.search(q, K) for q in vectors])
    peer = milliseconds([lambda q=q: scan(contents.vectors, q) for q in vectors])
    recall = np.mean([len(set(a) & set(b)) / K for a, b in zip(found, nearest, strict=True)])
    index.close()
    database.close()
    print(
        f"  {len(contents.ids):,} x {contents.vectors.shape[1]}: search {own:.2f} ms, numpy scan "
        f"{peer:.2f} ms, ratio {own / peer:.2f}; over HTTP {over_http:.1f} ms, "
        f"with a new filter {filtered:.0f} ms, the same again {again:.1f} ms; "
        f"recall@10 {recall:.4f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--graph", type=int, default=200_000, help="Records for the graph.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        os.environ["FEATRIX_HOME"] = folder
        featrix = FeatrixSphere("local")
        try:
            table = people(TRAINING_ROWS, 0)
            fm = featrix.create_foundational_model(name="bench", df=table, epochs=5)
            fm.wait_for_training(show_progress=False)
            vdb = fm.create_vector_database()
            exactly = given.records - 1  # one fewer than what a graph is built for
            add(vdb, exactly // 2, 1, 500)
            add(vdb, exactly - exactly // 2, 2, 5_000)
            measure(home, vdb, fm)
            add(vdb, given.graph - exactly, 3, 5_000)
            start = time.perf_counter()
            while vdb.refresh()["index"]["kind"] != "hnsw":
                vdb.similarity_search(table.iloc[0], K)
                time.sleep(0.5)
            print(f"the graph was there after {time.perf_counter() - start:.1f} s")
            measure(home, vdb, fm)
        finally:
            command = [sys.executable, "-m", "featrix_server", "stop"]
            subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


if __name__ == "__main__":
    main()
