"""A live curve beside bare uPlot, plotly and matplotlib.

    python tests/bench/bench_curve.py [--lengths 1000 10000] [--updates 50] [--rounds 3]

Five noisy lines in one notebook of a real JupyterLab, in headless Chromium with software drawing.
Accelerated: each subject is given the first rows at once, and then grows by a row ten times a
second; what is told is the cost of such an update, over what the same cell does that updates
nothing: how long the page's main thread worked, messages and drawing included, how many bytes came
over the web socket, and how long the kernel worked. Bare uPlot is a widget of its own that is sent
the five new values as binary and calls `setData`; plotly is a `FigureWidget`; matplotlib draws its
figure again as PNG.

Then a run of 100 epochs a second: whether the page has every row, and in how many messages.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from playwright.sync_api import Page, WebSocket, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.bench_heatmap import main_thread
from tests.browser.conftest import Notebook, laboratory
from tests.browser.sphere_page import launched
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
UPLOT = ROOT / "js" / "node_modules" / "uplot" / "dist"
PAUSE_S = 0.1
BURST = 1000

BEGIN = """
import queue, time
import numpy as np
N = {length}
NAMES = ["loss", "validation_loss", "joint_loss", "marginal_loss", "spread_loss"]

def row(i):
    noise = np.random.default_rng(i).normal(size=5)
    return np.exp(-i / 4000) + 0.1 * np.arange(5) + 0.03 * noise

table = np.array([row(i) for i in range(1, N + 1)])
"""
OURS = """
from featrix_notebook import TrainingDashboard

class Run:
    id = name = "bench {length}"
    status, rows = "training", queue.Queue()

    def tell(self, i, values):
        report = dict(zip(NAMES, values.tolist())) | {{"epoch": i, "total_epochs": 20_000}}
        self.rows.put((i, "epoch", report))

    def events(self, after=0):
        while (event := self.rows.get()) is not None:
            yield event
        self.status = "done"

run = Run()
for i, values in enumerate(table, start=1):
    run.tell(i, values)
dashboard = TrainingDashboard(run)
while len(dashboard._sources[0].log) < N:
    time.sleep(0.05)
dashboard
"""
BARE = """
import pathlib
import anywidget, traitlets

class Bare(anywidget.AnyWidget):
    _esm = pathlib.Path({uplot!r}).read_text().rpartition("export")[0] + '''
function render({{ model, el }}) {{
  const n = model.get("n");
  const flat = new Float64Array(model.get("block").buffer.slice(0));
  const data = [[], [], [], [], [], []];
  const push = (i, values) => {{
    data[0].push(i);
    for (let k = 0; k < 5; k++) data[k + 1].push(values[k]);
  }};
  for (let i = 0; i < n; i++) push(i + 1, flat.subarray(5 * i, 5 * i + 5));
  const colors = ["#1f6fc4", "#c4501b", "#16826a", "#9a3f8f", "#8a6d00"];
  const series = [{{}}, ...colors.map((stroke) => ({{ stroke, points: {{ show: false }} }}))];
  const options = {{ width: 1100, height: 300, scales: {{ x: {{ time: false }} }}, series }};
  const plot = new uPlot(options, data, el);
  plot.root.classList.add("bare");
  model.on("msg:custom", (message, [view]) => {{
    const bytes = view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
    push(message.i, new Float64Array(bytes));
    plot.setData(data);
  }});
}}
export default {{ render }};
'''
    _css = pathlib.Path({css!r}).read_text()
    n = traitlets.Int().tag(sync=True)
    block = traitlets.Bytes().tag(sync=True)

bare = Bare(n=N, block=table.tobytes())
bare
"""
PLOTLY = """
import plotly.graph_objects as go
figure = go.FigureWidget([go.Scatter(x=np.arange(1, N + 1), y=y, mode="lines") for y in table.T])
figure.update_layout(width=1100, height=300, margin=dict(l=40, r=10, t=10, b=30))
figure
"""
MATPLOTLIB = """
import io
from IPython.display import Image, display
from matplotlib.figure import Figure

def png():
    out = io.BytesIO()
    drawing.savefig(out, format="png")
    return Image(out.getvalue())

drawing = Figure(figsize=(11, 3), dpi=100)
axes = drawing.subplots()
lines = axes.plot(np.arange(1, N + 1), table)
handle = display(png(), display_id=True)
"""
STEPS = {
    "nothing": "pass",
    "ours": "run.tell(i, values)",
    "uPlot": "bare.send({'i': i}, [values.tobytes()])",
    "plotly": """
    with figure.batch_update():
        for k, line in enumerate(figure.data):
            line.x, line.y = np.append(line.x, i), np.append(line.y, values[k])
""",
    "matplotlib": """
    for k, line in enumerate(lines):
        line.set_data(np.append(line.get_xdata(), i), np.append(line.get_ydata(), values[k]))
    axes.relim()
    axes.autoscale_view()
    handle.update(png())
""",
}
UPDATE = """
at = globals().get("at", {{}})
first = at.setdefault("{name}", N) + 1
at["{name}"] += {updates}
fresh = [(i, row(i)) for i in range(first, first + {updates})]
began = time.process_time()
for i, values in fresh:
    {step}
    time.sleep({pause})
at["{name} worked"] = time.process_time() - began
"""
FAST = """
last = at.get("ours", N)
for i in range(last + 1, last + {burst} + 1):
    run.tell(i, row(i))
    time.sleep(0.01)
"""


@dataclass
class Cost:
    """Of one update."""

    main_ms: float
    bytes: float
    kernel_ms: float

    def over(self, nothing: Cost) -> Cost:
        return Cost(
            self.main_ms - nothing.main_ms,
            self.bytes - nothing.bytes,
            self.kernel_ms - nothing.kernel_ms,
        )


class Traffic:
    """What has come over the page's web sockets."""

    def __init__(self, page: Page) -> None:
        self.bytes = self.widget_messages = 0
        page.on("websocket", self._opened)

    def _opened(self, socket: WebSocket) -> None:
        socket.on("framereceived", self._received)

    def _received(self, payload: str | bytes) -> None:
        raw = payload.encode() if isinstance(payload, str) else payload
        self.bytes += len(raw)
        self.widget_messages += b"comm_msg" in raw


def sources(length: int, updates: int) -> list[str]:
    bare = BARE.format(uplot=str(UPLOT / "uPlot.esm.js"), css=str(UPLOT / "uPlot.min.css"))
    made = [BEGIN.format(length=length), OURS.format(length=length), bare, PLOTLY, MATPLOTLIB]
    made += [
        UPDATE.format(name=name, updates=updates, step=step, pause=PAUSE_S)
        for name, step in STEPS.items()
    ]
    return [*made, FAST.format(burst=BURST)]


def measured(notebook: Notebook, traffic: Traffic, updates: int, rounds: int) -> dict[str, Cost]:
    """The middle one of some rounds, for each subject."""
    page = notebook.page
    busy = main_thread(page)
    found: dict[str, list[Cost]] = {name: [] for name in STEPS}
    for _ in range(rounds):
        for place, name in enumerate(STEPS, start=5):
            page.wait_for_timeout(500)
            before = busy(), traffic.bytes
            notebook.run(place, seconds=600)
            page.wait_for_timeout(500)
            spent, received = busy() - before[0], traffic.bytes - before[1]
            kernel = notebook.python(f"at['{name} worked']")
            cost = Cost(1000 * spent / updates, received / updates, 1000 * kernel / updates)
            found[name].append(cost)
    return {
        name: Cost(*(statistics.median(getattr(c, f) for c in costs) for f in Cost.__annotations__))
        for name, costs in found.items()
    }


def fast(notebook: Notebook, traffic: Traffic) -> None:
    """A run of 100 epochs a second."""
    page = notebook.page
    before, began = traffic.widget_messages, time.monotonic()
    notebook.run(notebook.index("0.01"), seconds=600)
    last = notebook.python("i")
    shown = page.locator("[data-fact=epoch]").first
    wait_until(lambda: shown.inner_text().startswith(str(last)), "the page has the last epoch")
    with page.expect_download() as caught:
        page.get_by_role("button", name="CSV", exact=True).click()
    rows = pd.read_csv(caught.value.path())
    whole = rows["epoch"].tolist() == list(range(1, last + 1))
    print(
        f"100 epochs a second: {BURST} epochs of "
        f"{time.monotonic() - began:.0f} s in {traffic.widget_messages - before} messages, "
        f"{'every row' if whole else f'ONLY {len(rows)} rows of {last}'} on the page"
    )


def at_length(lab: Any, browser: Any, length: int, updates: int, rounds: int) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 3200})
    traffic = Traffic(page)
    notebook = Notebook(page, lab, lab.write(f"bench-{length}.ipynb", *sources(length, updates)))
    notebook.open()
    for place in range(5):
        notebook.run(place, seconds=600)
    for selector in (".ftx-dash canvas", ".bare canvas", ".js-plotly-plot"):
        page.locator(selector).first.wait_for(timeout=120_000)
    page.locator(".ftx-legend").evaluate(
        "legend => legend.querySelectorAll('[aria-pressed=false]').forEach(b => b.click())"
    )
    page.mouse.move(0, 0)
    page.wait_for_timeout(3000)
    costs = measured(notebook, traffic, updates, rounds)
    subjects = {name: cost.over(costs["nothing"]) for name, cost in costs.items()}
    print(f"{length} rows: main thread ms, bytes, kernel ms of one update")
    for name in STEPS:
        cost = costs[name] if name == "nothing" else subjects[name]
        print(f"  {name:12} {cost.main_ms:8.1f} {cost.bytes:10.0f} {cost.kernel_ms:8.1f}")
    ours, uplot = subjects["ours"], subjects["uPlot"]
    print(
        f"  ours / uPlot: {ours.main_ms / uplot.main_ms:.2f} of its main-thread time, "
        f"{ours.bytes / uplot.bytes:.2f} of its bytes"
    )
    fast(notebook, traffic)
    page.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lengths", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--updates", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        laboratory(Path(folder)) as lab,
        sync_playwright() as running,
        launched(running, lab.env) as browser,
    ):
        for length in asked.lengths:
            at_length(lab, browser, length, asked.updates, asked.rounds)


if __name__ == "__main__":
    main()
