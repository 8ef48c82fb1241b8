"""The sphere beside a bare widget of one draw call (the limit) and other widgets of points.

    python tests/bench/bench_sphere.py [--points 20000 1000000] [--rounds 3] [--only ours limit]

A real JupyterLab in headless Chromium with software drawing shows the same points with every
subject in turn, each alone on the page. Told are, as medians over the rounds:

- painted: ms from running the cell until the frame with all points has been put on the screen
- sent: bytes to the page for it
- turning: frames a second with points in them, while the mouse drags
- rest: ms from the begin of the whole picture's drawing until it is on the screen
- pick, lasso: ms of work in the page for the point under a resting pointer, and for an outline
  around half the sphere
- kernel: seconds to make our widget from arrays, and what it holds of them
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.devtools import BarePage, bare_page
from tests.browser.conftest import Notebook, laboratory

PLOTLY_MOST = 20_000
DRAG_S, SIDE = 3.0, 520

# In every document: what is drawn, when, and what arrives.
HOOKS = """
(() => {
  const bench = { bytes: 0, least: 1, frames: new Set(), rests: [], lassos: [] };
  window.bench = bench;
  const Socket = window.WebSocket;
  window.WebSocket = class extends Socket {
    constructor(...args) {
      super(...args);
      this.addEventListener("message", ({ data }) => {
        bench.bytes += data.byteLength ?? data.length;
      });
    }
  };
  // The next drawing of this many points: when it began, and when it was on the screen.
  bench.whole = (count) => new Promise((done) => { bench.waiting = { count, done }; });
  const counts = {
    drawArrays: (a) => a[2], drawElements: (a) => a[1],
    drawArraysInstanced: (a) => a[2] * a[3], drawElementsInstanced: (a) => a[1] * a[4],
  };
  for (const kind of [WebGLRenderingContext, WebGL2RenderingContext]) {
    for (const [name, count] of Object.entries(counts)) {
      const draw = kind.prototype[name];
      if (!draw) continue;
      kind.prototype[name] = function (...args) {
        const began = performance.now();
        draw.apply(this, args);
        const points = count(args);
        if (points >= bench.least) bench.frames.add(document.timeline.currentTime);
        const { waiting } = bench;
        if (!waiting || points < waiting.count) return;
        bench.waiting = null;
        // Drawing goes on in another process: finish() waits for it, reading a pixel surely does.
        this.finish();
        this.readPixels(0, 0, 1, 1, this.RGBA, this.UNSIGNED_BYTE, new Uint8Array(4));
        requestAnimationFrame(() => requestAnimationFrame(
          () => waiting.done({ began, painted: performance.now() })));
      };
    }
  }
  // Our pointer counts as resting after 70 ms: how long is what happens then?
  const later = window.setTimeout;
  window.setTimeout = (f, ms, ...args) => later(ms !== 70 ? f : () => {
    const began = performance.now();
    f();
    bench.rests.push(performance.now() - began);
  }, ms, ...args);
  let up = 0;
  window.addEventListener("pointerup", () => { up = performance.now(); }, true);
  window.addEventListener("pointerup", () => bench.lassos.push(performance.now() - up));
})();
"""

# The limit: positions as they are, one byte of colour, one draw call; turns under the mouse.
LIMIT_JS = """
export default { render({ model, el }) {
  const canvas = document.createElement("canvas");
  const [width, height] = model.get("side");
  Object.assign(canvas, { width, height });
  el.append(canvas);
  const gl = canvas.getContext("webgl2", { antialias: false });
  const program = gl.createProgram();
  for (const [type, source] of [[gl.VERTEX_SHADER, `#version 300 es
    layout(location = 0) in vec3 p; layout(location = 1) in float code;
    uniform float turn, size; out vec3 color;
    void main() {
      float c = cos(turn), s = sin(turn);
      vec3 seen = vec3(c * p.x + s * p.y, p.z, s * p.x - c * p.y);
      gl_Position = vec4(seen * vec3(${height / width}, 1, 0.9) * 0.9, 1);
      gl_PointSize = size;
      color = 0.5 + 0.5 * cos(code * 255.0 + vec3(0, 2, 4));
    }`], [gl.FRAGMENT_SHADER, `#version 300 es
    precision mediump float; in vec3 color; out vec4 pixel;
    void main() {
      if (length(gl_PointCoord - 0.5) > 0.5) discard;
      pixel = vec4(color, 1);
    }`]]) {
    const shader = gl.createShader(type);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  gl.useProgram(program);
  const buffers = [["positions", 3, gl.FLOAT, false], ["codes", 1, gl.UNSIGNED_BYTE, true]];
  buffers.forEach(([name, size, type, unit], place) => {
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, model.get(name), gl.STATIC_DRAW);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, size, type, unit, 0, 0);
  });
  gl.enable(gl.DEPTH_TEST);
  gl.uniform1f(gl.getUniformLocation(program, "size"), model.get("size"));
  const at = gl.getUniformLocation(program, "turn");
  let turn = 0, frame = 0;
  const draw = () => {
    frame = 0;
    gl.uniform1f(at, turn);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.drawArrays(gl.POINTS, 0, model.get("codes").byteLength);
  };
  canvas.addEventListener("pointermove", (event) => {
    if (!event.buttons) return;
    turn += event.movementX / 200;
    frame ||= requestAnimationFrame(draw);
  });
  draw();
} };
"""
BEGIN = """
import time, tracemalloc, warnings
import anywidget, numpy as np, traitlets
warnings.simplefilter("ignore")
from featrix_notebook import SphereExplorer
side = {side}

class Limit(anywidget.AnyWidget):
    _esm = {limit!r}
    positions, codes = traitlets.Bytes().tag(sync=True), traitlets.Bytes().tag(sync=True)
    size, side = traitlets.Float().tag(sync=True), traitlets.List().tag(sync=True)

def points(n):
    random = np.random.default_rng(0)
    xyz = random.normal(size=(n, 3)).astype(np.float32)
    xyz += random.normal(size=(8, 3)).astype(np.float32)[codes := random.integers(0, 8, n)]
    return xyz / np.linalg.norm(xyz, axis=1, keepdims=True), codes.astype(np.uint8)
"""
IMPORTS = {
    "pythreejs": "import pythreejs as three",
    "jscatter": "import jscatter, pandas as pd",
    "k3d": "import k3d",
    "plotly": "import plotly.graph_objects as go",
}
MAKE = "xyz, codes = points({n}); size = {size}"
SHOW = {
    "limit": """
from IPython.display import display
shown = Limit(positions=xyz.tobytes(), codes=codes.tobytes(), size=size, side=list(side))
display(shown)
""",
    "ours": """
shown = SphereExplorer(xyz, color_by=codes)
shown
""",
    "pythreejs": """
rgb = (0.5 + 0.5 * np.cos(codes[:, None] + np.array([0, 2, 4]))).astype(np.float32)
geometry = three.BufferGeometry(attributes={
    "position": three.BufferAttribute(xyz, normalized=False), "color": three.BufferAttribute(rgb)})
cloud = three.Points(geometry, three.PointsMaterial(
    size=size, sizeAttenuation=False, vertexColors="VertexColors"))
camera = three.PerspectiveCamera(position=[0, 0, 3], aspect=side[0] / side[1])
shown = three.Renderer(scene=three.Scene(children=[cloud, camera]), camera=camera, width=side[0],
    height=side[1], controls=[three.OrbitControls(controlling=camera)])
shown
""",
    "jscatter": """
table = pd.DataFrame({"x": xyz[:, 0], "y": xyz[:, 1], "group": pd.Categorical(codes)})
scatter = jscatter.Scatter(data=table, x="x", y="y", color_by="group", size=size, height=side[1])
shown = scatter.widget
scatter.show()
""",
    "k3d": """
rgb = (0.5 + 0.5 * np.cos(codes[:, None] + np.array([0, 2, 4])))
packed = (rgb * 255).astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
shown = k3d.plot(height=side[1], camera_auto_fit=True, grid_visible=False)
shown += k3d.points(xyz, colors=packed.astype(np.uint32), point_size=0.01, shader="flat")
shown.display()
""",
    "plotly": """
shown = go.FigureWidget(go.Scatter3d(x=xyz[:, 0], y=xyz[:, 1], z=xyz[:, 2], mode="markers",
    marker={"size": size, "color": codes}))
shown.update_layout(width=side[0], height=side[1])
shown
""",
}
KERNEL = """
began = time.process_time()
made = SphereExplorer(xyz, color_by=codes)
spent = time.process_time() - began
made.close()
tracemalloc.start()
made = SphereExplorer(xyz, color_by=codes)
held, peak = tracemalloc.get_traced_memory()
tracemalloc.stop()
sent = len(made._positions) + len(made._codes)
kernel = [spent, held / 1e6, peak / 1e6, sent / 1e6, xyz.nbytes / 1e6]
made.close()
"""


@dataclass
class Told:
    """What was measured of one subject, a list over the rounds each."""

    painted: list[float] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)
    turning: list[float] = field(default_factory=list)
    rest: list[float] = field(default_factory=list)
    pick: list[float] = field(default_factory=list)
    lasso: list[float] = field(default_factory=list)

    def middle(self, name: str) -> float:
        values = getattr(self, name)
        return statistics.median(values) if values else math.nan


class Bench:
    """One notebook with a cell for each subject."""

    def __init__(self, notebook: Notebook, page: BarePage, subjects: list[str]) -> None:
        self.notebook, self.page, self.subjects = notebook, page, subjects
        self.place = {name: place for place, name in enumerate(subjects, start=2)}

    def make(self, n: int) -> None:
        """Arrays of n points in the kernel."""
        cell = "window.jupyterapp.shell.currentWidget.content.widgets[1].model.sharedModel"
        source = MAKE.format(n=n, size=point_size(n))
        self.page.evaluate(f"(text) => {cell}.setSource(text)", source)
        self.notebook.run(1)

    def measure(self, name: str, n: int, told: Told) -> None:
        page = self.page
        before = page.evaluate("() => bench.bytes")
        self.notebook.command("notebook:clear-all-cell-outputs")
        times = page.evaluate(
            """async ([place, n]) => {
              const { content } = jupyterapp.shell.currentWidget;
              content.activeCellIndex = place;
              await content.scrollToItem(place, "start");
              const all = bench.whole(n);
              const began = performance.now();
              void jupyterapp.commands.execute("notebook:run-cell");
              const late = new Promise((done) => setTimeout(() => done(null), 240000));
              const drawn = await Promise.race([all, late]);
              return drawn && drawn.painted - began;
            }""",
            [self.place[name], n],
        )
        if times is None:
            print(f"{name}: not painted within 240 s", flush=True)
            return
        told.painted.append(times)
        time.sleep(1.5)
        told.sent.append(page.evaluate("() => bench.bytes") - before)
        self.turn(name, n, told)
        if name == "ours":
            self.point(n, told)
        page.evaluate("() => { bench.waiting = null; }")
        self.notebook.command("notebook:clear-all-cell-outputs")

    def middle(self) -> tuple[float, float]:
        """Of the largest canvas in the page."""
        x, y = self.page.evaluate(
            """() => {
              const all = [...document.querySelectorAll(".jp-OutputArea canvas")]
                .map((canvas) => canvas.getBoundingClientRect());
              const box = all.sort((a, b) => b.width * b.height - a.width * a.height)[0];
              return [box.x + box.width / 2, box.y + box.height / 2];
            }"""
        )
        return x, y

    def turn(self, name: str, n: int, told: Told) -> None:
        """Drag to and fro; then let go and wait for the whole picture."""
        page, (x, y) = self.page, self.middle()
        page.mouse("mouseMoved", x, y)
        page.mouse("mousePressed", x, y, held=True)
        page.mouse("mouseMoved", x + 8, y, held=True)
        page.evaluate("(least) => { bench.least = least; bench.frames.clear(); }", min(n, 3000))
        began, step = time.perf_counter(), 0
        while time.perf_counter() - began < DRAG_S:
            step += 1
            page.mouse("mouseMoved", x + 80 * math.sin(step / 15), y, held=True)
            time.sleep(1 / 90)
        frames = page.evaluate("() => bench.frames.size")
        told.turning.append(frames / (time.perf_counter() - began))
        time.sleep(0.2)  # so that nothing is thrown
        if name in ("limit", "ours"):
            for _ in range(3):
                rest = page.evaluate("(n) => { bench.rest = bench.whole(n); }", n)
                page.mouse("mouseMoved", x + 5, y, held=True)
                page.mouse("mouseMoved", x, y, held=True)
                rest = page.evaluate("() => bench.rest")
                told.rest.append(rest["painted"] - rest["began"])
        page.mouse("mouseReleased", x, y, held=True)
        time.sleep(0.5)

    def point(self, n: int, told: Told) -> None:
        """The work of finding the point under the pointer, and those within an outline."""
        page, (x, y) = self.page, self.middle()
        page.evaluate("() => { bench.rests = []; }")
        for step in range(5):
            page.mouse("mouseMoved", x + 11 * step, y - 7 * step)
            time.sleep(0.4)
        told.pick.extend(page.evaluate("() => bench.rests"))
        page.key("l")
        page.evaluate("() => { bench.lassos = []; }")
        page.mouse("mousePressed", x + 120, y, held=True)
        for step in range(1, 60):
            angle = step / 60 * 2 * math.pi
            dx, dy = 120 * math.cos(angle), 120 * math.sin(angle)
            page.mouse("mouseMoved", x + dx, y + dy, held=True)
        page.mouse("mouseReleased", x + 120, y, held=True)
        told.lasso.extend(page.evaluate("() => bench.lassos"))
        page.key("Escape")
        time.sleep(0.5)


def point_size(n: int) -> float:
    """As our sphere draws them (`Stage.pointSize`), so that everybody fills the same pixels."""
    return min(9.0, max(2.0, 16.5 - 3.1 * math.log10(n)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, nargs="+", default=[20_000, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=list(SHOW), default=list(SHOW))
    given = parser.parse_args()
    subjects = [name for name in SHOW if name in given.only]
    imports = "\n".join(IMPORTS[name] for name in subjects if name in IMPORTS)
    begin = BEGIN.format(limit=LIMIT_JS, side=(760, SIDE)) + imports
    sources = [begin, MAKE.format(n=1000, size=5), *(SHOW[name] for name in subjects), KERNEL]
    with (
        tempfile.TemporaryDirectory() as folder,
        laboratory(Path(folder)) as lab,
        bare_page(lab, HOOKS) as page,
    ):
        path = lab.write("bench.ipynb", *sources)
        notebook: Any = Notebook(page, lab, path)  # type: ignore[arg-type]  # it needs no more
        notebook.open()
        notebook.run(0)
        bench = Bench(notebook, page, subjects)
        bench.make(1000)
        for name in subjects:  # what only the first one costs is nobody's merit
            bench.measure(name, 1000, Told())
        for n in given.points:
            bench.make(n)
            told = {s: Told() for s in subjects if s != "plotly" or n <= PLOTLY_MOST}
            for _ in range(given.rounds):
                for name, of_name in told.items():
                    bench.measure(name, n, of_name)
            report(n, told)
            notebook.run(len(sources) - 1)
            spent, held, peak, sent, given_mb = notebook.python("kernel")
            print(
                f"kernel: {spent:.2f} s; holds {held:.0f} MB ({sent:.0f} MB of it are what is "
                f"sent), at most {peak:.0f} MB; the positions given have {given_mb:.0f} MB\n",
                flush=True,
            )


def report(n: int, told: dict[str, Told]) -> None:
    print(f"{n:,} points  painted ms   sent MB  turning/s  rest ms")
    for name, of_name in told.items():
        painted, sent, turning, rest = map(of_name.middle, ("painted", "sent", "turning", "rest"))
        print(f"{name:14} {painted:10.0f} {sent / 1e6:9.2f} {turning:10.1f} {rest:8.0f}")
    if {"ours", "limit"} <= set(told):
        ours, limit = told["ours"], told["limit"]
        ratio = {k: ours.middle(k) / limit.middle(k) for k in ("painted", "turning", "rest")}
        print(", ".join(f"{name} {value:.2f} x the limit's" for name, value in ratio.items()))
        print(
            f"sent {ours.middle('sent') / n:.1f} B a point; pick {ours.middle('pick'):.1f} ms, "
            f"lasso {ours.middle('lasso'):.0f} ms, one full draw {limit.middle('rest'):.0f} ms",
            flush=True,
        )


if __name__ == "__main__":
    main()
