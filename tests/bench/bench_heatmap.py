"""The prediction heatmap beside plotly's, and how long a new surface takes.

    python tests/bench/bench_heatmap.py

Repaint: both show 200 x 200 cells in one notebook of a real JupyterLab, in headless Chromium with
software drawing; the kernel assigns new values, and what is told is how long the page's main thread
worked for each of them, messages and drawing included, over what it does when nothing happens.

Surface: a slider's new record for 100 x 100 cells, warm, on a real server: the time until all cells
are there, how much of it is the prediction itself, and the time until the first look.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[2]))

from featrix_client import FeatrixSphere, Predictor
from featrix_notebook import PredictionHeatmap, what_if
from tests.browser.conftest import Notebook, laboratory
from tests.browser.sphere_page import launched

ROOT = Path(__file__).resolve().parents[2]
SIDE, UPDATES, PAUSE_S, ROUNDS = 200, 20, 0.4, 3
BEGIN = f"""
import time
import numpy as np
rows, cols = np.indices(({SIDE}, {SIDE})) / {SIDE}
def values(i):
    return np.sin(6 * rows + 0.3 * i) * np.cos(5 * cols - 0.2 * i)
"""
OURS = """
from featrix_notebook import PredictionHeatmap
heatmap = PredictionHeatmap(values(0), limits=(-1, 1), height=420)
heatmap
"""
PLOTLY = """
import plotly.graph_objects as go
figure = go.FigureWidget(go.Heatmap(z=values(0), zmin=-1, zmax=1, colorscale="Viridis"))
figure.update_layout(width=960, height=420)
figure
"""
STEPS = {
    "nothing": "pass",
    "ours": "heatmap.values = values(i)",
    "plotly": "figure.data[0].z = values(i)",
}
UPDATE = """
for i in range(1, {updates} + 1):
    {step}
    time.sleep({pause})
"""


def repaint() -> None:
    """Main-thread milliseconds for each new 200 x 200 values."""
    sources = [BEGIN, OURS, PLOTLY]
    sources += [UPDATE.format(updates=UPDATES, step=s, pause=PAUSE_S) for s in STEPS.values()]
    with (
        tempfile.TemporaryDirectory() as folder,
        laboratory(Path(folder)) as lab,
        sync_playwright() as running,
        launched(running, lab.env) as browser,
    ):
        page = browser.new_page(viewport={"width": 1280, "height": 1600})
        notebook = Notebook(page, lab, lab.write("bench.ipynb", *sources))
        notebook.open()
        for place in range(3):
            notebook.run(place)
        page.locator(".ftx-heat-canvas").first.wait_for()
        page.locator(".js-plotly-plot").first.wait_for()
        page.wait_for_timeout(3000)
        busy = main_thread(page)
        spent: dict[str, list[float]] = {name: [] for name in STEPS}
        for _ in range(ROUNDS):
            for place, name in enumerate(STEPS, start=3):
                before = busy()
                notebook.run(place)
                page.wait_for_timeout(500)
                spent[name].append((busy() - before) / UPDATES * 1000)
    middle = {name: statistics.median(times) for name, times in spent.items()}
    for name, times in spent.items():
        print(f"{name:8} {middle[name]:8.1f} ms   {' '.join(f'{t:.1f}' for t in times)}")
    ours, plotly = (middle[name] - middle["nothing"] for name in ("ours", "plotly"))
    print(f"repaint of {SIDE} x {SIDE}: {ours:.1f} ms, plotly {plotly:.1f} ms, {ours / plotly:.3f}")


def main_thread(page: Any) -> Callable[[], float]:
    """Seconds that the page's main thread has worked."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def seconds() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return float(next(m["value"] for m in metrics if m["name"] == "TaskDuration"))

    return seconds


def surface() -> None:
    """A new record for 100 x 100 cells, warm."""
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"FEATRIX_HOME": home}
        try:
            new_surfaces(trained())
        finally:
            stop = [sys.executable, "-m", "featrix_server", "stop"]
            subprocess.run(stop, cwd=ROOT, check=False, capture_output=True)


def trained() -> Predictor:
    surveys = pd.read_csv(ROOT / "examples" / "data" / "portal_surveys.csv.gz")
    wanted = ["sex", "hindfoot_length", "weight", "month", "plot_id"]
    table = surveys[surveys["sex"].isin(["F", "M"])][wanted].sample(1500, random_state=1)
    fm = FeatrixSphere("local").create_foundational_model(name="animals", df=table, epochs=5)
    fm.wait_for_training(poll_interval=1, show_progress=False)
    predictor = fm.create_binary_classifier(target_column="sex", epochs=5)
    return predictor.wait_for_training(poll_interval=1, show_progress=False)


def new_surfaces(predictor: Predictor) -> None:
    axes = {"hindfoot_length": np.linspace(10, 50, 100), "weight": np.linspace(5, 200, 100)}
    asking = [0.0]
    ask = what_if.ask

    def timed(*given: Any) -> list[Any]:
        began = time.perf_counter()
        results = ask(*given)
        asking[0] += time.perf_counter() - began
        return results

    what_if.ask = timed
    heatmap = PredictionHeatmap(predictor, axes=axes, record={"month": 1})
    heatmap.wait()
    began, looks = 0.0, []
    heatmap.observe(lambda change: looks.append(time.perf_counter() - began), "_cells")
    for month in range(2, 7):
        looks.clear()
        asking[0], began = 0.0, time.perf_counter()
        heatmap.base_record = {"month": month}
        heatmap.wait()
        whole = time.perf_counter() - began
        share = asking[0] / whole
        print(f"surface {whole:.2f} s, prediction {share:.1%} of it, first look {looks[0]:.2f} s")
    what_if.ask = ask


if __name__ == "__main__":
    repaint()
    surface()
