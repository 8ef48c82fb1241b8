"""How long does training take, how much memory, and how do both grow?

``python tests/bench/bench_training.py [--peer]``

Each measurement runs in a process of its own: adult whole, and 5,000, 16,000 and 32,000 rows of
it, beside RealMLP-S (pytabkit, one thread) fitted to its target; then, in one process, a first and
a second training of different tables of one size class: time to the first step and the first
validated epoch.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DATA = Path(os.environ.get("FEATRIX_BENCH_DATA", Path(__file__).parents[3] / "shared" / "data"))
SIZES = (5_000, 16_000, 32_000)


def peak_mb() -> float:
    """Most memory this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def pretrain_table(name: str, rows: int | None = None, epochs: int | None = None) -> dict:
    """Train on a table; wall seconds, seconds to each of the first reports, peak memory."""
    import pandas as pd

    from featrix_server.engine import TrainOptions, detect_schema, pretrain, read_table

    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "table.csv"
        pd.read_csv(DATA / f"{name}.csv", nrows=rows).to_csv(source, index=False)
        start = time.perf_counter()
        reports = []

        def on_epoch(report):
            reports.append((time.perf_counter() - start, report))
            return "continue"

        table = read_table(source, Path(folder) / "data.parquet")
        options = TrainOptions(epochs=epochs)
        result = pretrain(table, detect_schema(table), Path(folder), options, on_epoch, info={})
        return {
            "wall_s": time.perf_counter() - start,
            "untrained_report_s": reports[0][0],
            "first_epoch_s": reports[1][0],
            "epoch_s": sum(one.duration for _, one in reports[2:]) / max(len(reports) - 2, 1),
            "epochs": result.epochs,
            "peak_mb": peak_mb(),
        }


def second_training() -> dict:
    """First and second training in one process: what the second still waits for."""
    first = pretrain_table("hpc_jobs", rows=1_800, epochs=2)
    second = pretrain_table("titanic", epochs=2)
    keys = ("untrained_report_s", "first_epoch_s", "epoch_s")
    return {
        **{f"first_{key}": first[key] for key in keys},
        **{f"second_{key}": second[key] for key in keys},
    }


def realmlp() -> dict:
    """RealMLP-S fitted to adult's target on one thread."""
    import pandas as pd

    try:
        import torch
        from pytabkit import RealMLP_TD_S_Classifier
    except ImportError:
        raise SystemExit("pytabkit is not installed: pip install --group bench") from None
    torch.set_num_threads(1)
    frame = pd.read_csv(DATA / "adult.csv")
    fit = frame.sample(frac=0.8, random_state=0)
    y = fit.pop("income")
    texts = fit.columns.difference(fit.select_dtypes("number").columns)
    fit[texts] = fit[texts].astype("category")
    start = time.perf_counter()
    RealMLP_TD_S_Classifier(device="cpu", random_state=0, n_threads=1).fit(fit, y)
    return {"wall_s": time.perf_counter() - start, "peak_mb": peak_mb()}


def apart(call: str) -> dict:
    """Run one measurement in a fresh process."""
    done = subprocess.run(
        [sys.executable, __file__, "--only", call], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        return {"failed": done.stdout.strip() or f"exit code {done.returncode}"}
    return json.loads(done.stdout.splitlines()[-1])


def show(name: str, figures: dict) -> None:
    """Print one line."""
    text = "  ".join(
        f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in figures.items()
    )
    print(f"{name:24} {text}", flush=True)


def main() -> None:
    """Print a line a measurement, then the ratios that count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", action="store_true", help="also fit RealMLP-S (minutes)")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        kind, _, rows = options.only.partition(":")
        calls = {"second": second_training, "realmlp": realmlp}
        figures = (
            calls[kind]() if kind in calls else pretrain_table("adult", int(rows) if rows else None)
        )
        print(json.dumps(figures))
        return
    show("second training", apart("second"))
    grown = {rows: apart(f"adult:{rows}") for rows in SIZES}
    for rows, figures in grown.items():
        show(f"adult, {rows} rows", figures)
    adult = apart("adult")
    show("adult", adult)
    if options.peer:
        peer = apart("realmlp")
        show("RealMLP-S, one thread", peer)
        if "wall_s" in peer:
            print(f"adult against RealMLP-S: {adult['wall_s'] / peer['wall_s']:.2f} (wanted 0.5)")


if __name__ == "__main__":
    main()
