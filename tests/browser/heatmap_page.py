"""A page for the built heatmap bundle, answered by the real Python widget, without Jupyter.

The page's model is a stand-in for the host's comm only: state and messages go to a
`PredictionHeatmap` in this process and back, bytes and all.
"""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page

from featrix_notebook.widgets.base import bundle
from featrix_notebook.widgets.heatmap import PredictionHeatmap
from tests.browser.sphere_page import DARK, PAGE

SYNCED = ("_spec", "_cells", "_cell", "_hover", "_slice", "_show", "_version", "_uid")

# A page-side model with anywidget's interface; `kernel` is the Python side.
HOST = """
async ([source, state]) => {
  const bytes = (text) => {
    // As in a notebook, a buffer is a view somewhere inside a larger message.
    const data = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const message = new Uint8Array(data.length + 3);
    message.set(data, 3);
    return new DataView(message.buffer, 3);
  };
  const read = (key, value) => (key === "_cells" ? bytes(value) : value);
  const values = Object.fromEntries(Object.entries(state).map(([k, v]) => [k, read(k, v)]));
  const handlers = new Map();
  const fire = (event, ...args) => {
    for (const f of [...(handlers.get(event) ?? [])]) f(...args);
  };
  const dirty = new Set();
  const sent = [];
  const model = {
    get: (key) => values[key],
    set: (key, value) => { values[key] = value; dirty.add(key); fire(`change:${key}`); },
    save_changes: () => {
      const state = Object.fromEntries([...dirty].map((key) => [key, values[key]]));
      dirty.clear();
      void kernel({ state }).then(take);
    },
    on: (event, f) => handlers.set(event, [...(handlers.get(event) ?? []), f]),
    off: (event, f) =>
      handlers.set(event, (handlers.get(event) ?? []).filter((other) => other !== f)),
    send: (content) => { sent.push(content); void kernel({ message: content }).then(take); },
  };
  const take = (answer) => {
    for (const [k, v] of Object.entries(answer.state)) values[k] = read(k, v);
    for (const k of Object.keys(answer.state)) fire(`change:${k}`);
    for (const m of answer.messages) fire("msg:custom", m, []);
  };
  const module = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  const stop = await module.default.initialize({ model });
  const views = [];
  const show = async () => {
    const el = document.createElement("div");
    document.querySelector("main").append(el);
    views.push(await module.default.render({ model, el }));
  };
  await show();
  const close = () => {
    views.splice(0).forEach((f) => f());
    stop();
  };
  window.host = { model, show, sent, take, handlers, close };
}
"""


class Kernel:
    """The Python end of a page: one widget, and what it sends, from whichever thread."""

    def __init__(self, widget: PredictionHeatmap) -> None:
        self.widget = widget
        self.lock = threading.Lock()
        self.outbox: list[dict[str, Any]] = []
        self.changed: set[str] = set()
        self.echo: set[str] = set()
        widget.send = self._send
        widget.observe(self._on_change, list(SYNCED))

    def _send(self, content: Any, buffers: Any = None) -> None:
        with self.lock:
            self.outbox.append(content)

    def _on_change(self, change: Any) -> None:
        with self.lock:
            if change["name"] not in self.echo:  # a kernel does not send an echo
                self.changed.add(change["name"])

    def state(self, names: Any = SYNCED) -> dict[str, Any]:
        values = {name: getattr(self.widget, name) for name in names}
        return {
            k: base64.b64encode(v).decode() if isinstance(v, bytes) else v
            for k, v in values.items()
        }

    def take(self) -> dict[str, Any]:
        """What changed since the last call, as the page takes it."""
        with self.widget._lock, self.lock:
            answer = {"state": self.state(self.changed), "messages": list(self.outbox)}
            self.changed.clear()
            self.outbox.clear()
        return answer

    def __call__(self, call: dict[str, Any]) -> dict[str, Any]:
        if "state" in call:
            self.echo = set(call["state"])
            for name, value in call["state"].items():
                setattr(self.widget, name, value)
            self.echo = set()
        else:
            self.widget._handle_custom_msg(call["message"], [])
        return self.take()


class Opened:
    """A page with a heatmap on it."""

    def __init__(self, page: Page, widget: PredictionHeatmap) -> None:
        self.page, self.widget = page, widget
        self.kernel = Kernel(widget)
        self.complaints: list[str] = []
        page.on("console", lambda m: self.complaints.append(m.text) if m.type == "error" else 0)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.expose_function("kernel", self.kernel)

    def start(self, *, dark: bool) -> None:
        back = "#1b1d21" if dark else "#ffffff"
        self.page.set_content(PAGE % {"back": back, "variables": DARK if dark else ""})
        self.page.evaluate(HOST, [bundle("heatmap"), self.kernel.state()])
        self.settle()

    def settle(self, ms: int = 250) -> None:
        """Let frames, timers and answers arrive."""
        self.page.wait_for_timeout(ms)

    def push(self) -> None:
        """Deliver what Python changed by itself."""
        self.page.evaluate("(answer) => host.take(answer)", self.kernel.take())
        self.settle(120)

    def answered(self) -> None:
        """Wait until the predictor has answered everything, and the page has it."""
        assert self.widget.wait(30)
        self.push()

    @property
    def stage(self) -> Any:
        return self.page.locator(".ftx-heat-stage").first

    def pixels(self) -> np.ndarray:
        """A picture of the stage."""
        with Image.open(io.BytesIO(self.stage.screenshot())) as image:
            return np.asarray(image.convert("RGB"), dtype=np.int16)

    def plot(self) -> tuple[float, float, float, float]:
        """Left, top, width and height of the cells in the stage: what is framed."""
        shot = self.pixels()
        vivid = shot.max(axis=2) - shot.min(axis=2) > 40
        rows, cols = vivid.sum(axis=1), vivid.sum(axis=0)
        down = np.flatnonzero(rows > rows.max() / 4)
        across = np.flatnonzero(cols > cols.max() / 4)
        # The colour scale stands beside the cells, behind a gap.
        gap = np.flatnonzero(np.diff(across) > 8)
        last = across[gap[0]] if len(gap) else across[-1]
        return across[0], down[0], last - across[0] + 1, down[-1] - down[0] + 1

    def point(self, row: float, col: float, shape: tuple[int, int]) -> tuple[float, float]:
        """The middle of a cell on the page."""
        left, top, width, height = self.plot()
        box = self.stage.bounding_box()
        x = box["x"] + left + (col + 0.5) / shape[1] * width
        return x, box["y"] + top + (row + 0.5) / shape[0] * height


Open = Callable[..., Opened]


@contextmanager
def opener(browser: Browser) -> Iterator[Open]:
    """A function that opens a widget on a page of its own; a complaint in its console fails."""
    pages: list[Opened] = []

    def open_(widget: PredictionHeatmap, *, dark: bool = False, **context: Any) -> Opened:
        context.setdefault("viewport", {"width": 960, "height": 620})
        page = browser.new_context(**context).new_page()
        page.goto("about:blank")
        opened = Opened(page, widget)
        pages.append(opened)
        opened.start(dark=dark)
        return opened

    try:
        yield open_
    finally:
        for opened in pages:
            opened.widget.close()
            opened.page.context.close()
    complaints = [text for opened in pages for text in opened.complaints]
    assert not complaints, complaints
