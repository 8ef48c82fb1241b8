"""How the server answers under load, beside a route that answers a constant.

    python tests/bench/bench_serving.py [--seconds 60] [--clients 64]

One predictor of a small table, asked over loopback: by one client alone, then by many beside a
training that runs at the same time; then a table of 100,000 records in one request, beside
LightGBM in process, and a grid of 100 x 100 beside the same records as one batch. The bare route
is FastAPI's, in a process of its own, asked by the same client, with a body of the same size.
Nothing may be refused, and the log must have counted every answer once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import lightgbm
import numpy as np
import pandas as pd
import psutil
import requests
from bench_predictors import categorical

from featrix_client import FeatrixSphere, Predictor

ROOT = Path(__file__).resolve().parents[2]
BARE = """
import sys, uvicorn
from fastapi import FastAPI, Response
app, body = FastAPI(), b"x" * int(sys.argv[2])
@app.post("/predict")
def predict() -> Response:
    return Response(body, media_type="application/json")
uvicorn.run(app, port=int(sys.argv[1]), log_level="error")
"""


def table(n_rows: int, seed: int = 0) -> pd.DataFrame:
    """Ten columns, half numbers, and a target that hangs together with them."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({f"n{i}": rng.normal(size=n_rows).round(4) for i in range(5)})
    for i in range(4):
        frame[f"c{i}"] = rng.choice([f"kind {k}" for k in range(6)], n_rows)
    chance = 1 / (1 + np.exp(-2 * frame.n0 - (frame.c0 == "kind 1")))
    return frame.assign(y=np.where(rng.random(n_rows) < chance, "yes", "no"))


class Client:
    """One kept connection that sends the same request again and again."""

    def __init__(self, url: str, path: str, key: str, body: bytes) -> None:
        parts = urlsplit(url)
        self.address = parts.hostname, parts.port
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nX-Api-Key: {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self.request = head.encode() + body

    async def ask(self, until: float) -> tuple[list[float], int, int]:
        """Ask until a time; returns milliseconds of each answer, refusals, bytes of an answer."""
        reader, writer = await asyncio.open_connection(*self.address)
        spent, refused, size = [], 0, 0
        while time.perf_counter() < until:
            start = time.perf_counter()
            writer.write(self.request)
            head = await reader.readuntil(b"\r\n\r\n")
            lowered = head.lower()
            size = int(lowered.split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(size)
            spent.append(1e3 * (time.perf_counter() - start))
            refused += not head.startswith(b"HTTP/1.1 200")
        writer.close()
        return spent, refused, size


async def load(client: Client, clients: int, seconds: float) -> tuple[np.ndarray, int, int]:
    """Many clients at once."""
    until = time.perf_counter() + seconds
    found = await asyncio.gather(*(client.ask(until) for _ in range(clients)))
    return (
        np.concatenate([spent for spent, _, _ in found]),
        sum(refused for _, refused, _ in found),
        found[0][2],
    )


@contextmanager
def bare_route(size: int) -> Iterator[str]:
    """A route that answers a constant body of `size` bytes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-c", BARE, str(port), str(size)])
    url = f"http://127.0.0.1:{port}"
    try:
        while True:
            try:
                requests.post(f"{url}/predict", timeout=5)
                break
            except requests.ConnectionError:
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait()


def show(name: str, spent: np.ndarray, refused: int, seconds: float) -> None:
    p50, p99 = np.quantile(spent, [0.5, 0.99])
    print(
        f"{name:42} p50 {p50:7.2f} ms  p99 {p99:7.2f} ms  {len(spent) / seconds:6.0f}/s  "
        f"{len(spent)} answers, {refused} refused",
        flush=True,
    )


def until_idle() -> None:
    """Wait: a new installation compiles its programs in the background when it has no job."""
    while psutil.cpu_percent(interval=3) > 10:
        pass


def measure(options: argparse.Namespace) -> None:
    sphere = FeatrixSphere("local")
    model = sphere.create_foundational_model(name="bench", df=table(2_000), epochs=3)
    model.wait_for_training(poll_interval=1, show_progress=False)
    predictor = model.create_binary_classifier("y", epochs=5)
    predictor.wait_for_training(poll_interval=1, show_progress=False)
    endpoint = predictor.create_api_endpoint("bench")
    record = table(1, seed=1).drop(columns="y").to_dict("records")[0]
    server, path = endpoint.url.split("/endpoint/")
    body = json.dumps({"query_record": record}).encode()
    ours = Client(server, f"/endpoint/{path}", endpoint.api_key, body)
    _, _, size = asyncio.run(load(ours, 1, 3))  # warm
    asked = endpoint.get_usage_stats()["usage_count"]
    until_idle()
    with bare_route(size) as url:
        bare = Client(url, "/predict", "-", body)
        asyncio.run(load(bare, 1, 2))
        for clients in (1, options.clients):
            spent = {}
            for name, client in (("bare route", bare), ("predict", ours)):
                spent[name], refused, _ = asyncio.run(load(client, clients, 10))
                show(f"{name}, {clients} clients, nothing else runs", spent[name], refused, 10)
                asked += len(spent[name]) * (client is ours)
            ratio = np.median(spent["predict"]) / np.median(spent["bare route"])
            print(f"{'':42} p50 ratio {ratio:.2f}", flush=True)
    training = sphere.create_foundational_model(name="beside", df=table(50_000), epochs=200)
    spent, refused, _ = asyncio.run(load(ours, options.clients, options.seconds))
    show(f"predict, {options.clients} clients beside a training", spent, refused, options.seconds)
    training.refresh()
    print(f"{'':42} the training: {training.status}, epoch {training.epochs}")
    training.stop()
    counted = endpoint.get_usage_stats()["usage_count"]
    print(f"{'':42} {asked + len(spent)} answers, {counted} counted", flush=True)
    training.wait_for_training(poll_interval=1, show_progress=False)
    until_idle()
    measure_batch(predictor)
    measure_grid(predictor, record)


def measure_batch(predictor: Predictor) -> None:
    """100,000 records in one request, beside LightGBM's answers to the same frame in process."""
    many = table(100_000, seed=2).drop(columns="y")
    start = time.perf_counter()
    predictor.batch_predict(many)
    ours = time.perf_counter() - start
    known = table(2_000)
    peer = lightgbm.LGBMClassifier(n_jobs=1, verbose=-1)
    peer.fit(categorical(known.drop(columns="y")), known.y)
    many = categorical(many)
    start = time.perf_counter()
    peer.predict_proba(many)
    theirs = time.perf_counter() - start
    print(
        f"{'100,000 records in one request':42} {ours:.1f} s (limit 30); LightGBM in process "
        f"{theirs:.2f} s (limit {10 * theirs + 3:.1f})"
    )


def measure_grid(predictor: Predictor, record: dict[str, Any]) -> None:
    """A grid, and its records as a batch: the median of three."""
    spans = np.linspace(-2, 2, 100)
    cells = [{**record, "n0": a, "n1": b} for a in spans for b in spans]
    grid = predictor.predict_grid(2, (100, 100))
    seconds = {}
    for name, ask in (
        ("batch", lambda: predictor.batch_predict(cells)),
        ("grid", lambda: grid.fill(record, {"n0": spans, "n1": spans})),
    ):
        spent = []
        for _ in range(3):
            start = time.perf_counter()
            ask()
            spent.append(time.perf_counter() - start)
        seconds[name] = float(np.median(spent))
    ratio = seconds["grid"] / seconds["batch"]
    print(
        f"{'grid of 100 x 100':42} {seconds['grid']:.2f} s, its batch {seconds['batch']:.2f} s, "
        f"ratio {ratio:.2f} (limit 2)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=64)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FEATRIX_HOME"] = folder
        try:
            measure(options)
        finally:
            command = [sys.executable, "-m", "featrix_server", "stop"]
            subprocess.run(command, cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
