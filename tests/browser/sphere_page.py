"""A page for a built bundle, answered by the real Python widget, without Jupyter.

The page's model is a stand-in for the host's comm only: state and messages go to a widget in this
process and back, bytes and all.
"""

from __future__ import annotations

import base64
import io
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Playwright

from featrix_notebook.widgets.base import FeatrixWidget, bundle

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

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
  const read = (value) => (typeof value?.bytes === "string" ? bytes(value.bytes) : value);
  const values = Object.fromEntries(Object.entries(state).map(([k, v]) => [k, read(v)]));
  const handlers = new Map();
  const fire = (event, ...args) => {
    for (const f of [...(handlers.get(event) ?? [])]) f(...args);
  };
  const dirty = new Set();
  const model = {
    get: (key) => values[key],
    set: (key, value) => { values[key] = value; dirty.add(key); fire(`change:${key}`); },
    save_changes: () => {
      for (const key of dirty) {
        const view = values[key];
        let value = view;
        if (ArrayBuffer.isView(view)) {
          let text = "";
          const raw = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
          for (const b of raw) text += String.fromCharCode(b);
          value = { bytes: btoa(text) };
        }
        ask({ set: key, value });
      }
      dirty.clear();
    },
    on: (event, f) => handlers.set(event, [...(handlers.get(event) ?? []), f]),
    off: (event, f) => handlers.set(event, (handlers.get(event) ?? []).filter((g) => g !== f)),
    send: (content) => { sent.push(content); ask({ message: content }); },
  };
  const sent = [];
  const asked = new Set();
  const ask = (call) => {
    const answered = kernel(call).then(take).finally(() => asked.delete(answered));
    asked.add(answered);
  };
  const take = (answer) => {
    for (const [k, v] of Object.entries(answer.state)) values[k] = read(v);
    for (const k of Object.keys(answer.state)) fire(`change:${k}`);
    for (const [m, buffers] of answer.messages) fire("msg:custom", m, buffers.map(bytes));
  };
  const module = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  const stop = await module.default.initialize({ model });
  const views = [];
  const show = async (attachAfter = 0) => {
    const el = document.createElement("div");
    const attach = () => document.querySelector("main").append(el);
    if (!attachAfter) attach();
    views.push(await module.default.render({ model, el }));
    if (attachAfter) setTimeout(attach, attachAfter);
    return el;
  };
  await show();
  const close = () => {
    views.splice(0).forEach((f) => f());
    stop();
  };
  window.host = { model, asked, show, sent, take, handlers, close };
}
"""

PAGE = """<!doctype html><html><head><meta charset="utf-8"><style>
  body { margin: 0; font-family: sans-serif; background: %(back)s; }
  main { padding: 16px; background: %(back)s; }
  %(variables)s
</style></head><body><main></main></body></html>"""
# Until every question to the kernel is answered, and frames come when they are asked for again.
QUIET = """
async () => {
  while (window.host?.asked?.size) await Promise.all(host.asked);
  for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame);
  await new Promise((done) => requestIdleCallback(done, { timeout: 5000 }));
}
"""
DARK = """body { --jp-layout-color0: #111111; --jp-layout-color1: #1b1d21;
  --jp-ui-font-color0: #ffffff; --jp-ui-font-color2: #b0b4ba; color: #fff; }"""


def settle(page: Page, ms: int) -> None:
    """Let animations of at most `ms` end, answers arrive, and the picture be drawn."""
    page.wait_for_timeout(ms)
    page.evaluate(QUIET)


def complaints_of(page: Page) -> list[str]:
    """A list that fills with what the page throws or writes into its console as an error."""
    complaints: list[str] = []
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return complaints


def coded(value: Any) -> Any:
    """A value as JSON: bytes become ``{"bytes": <base64>}``."""
    if isinstance(value, (bytes, memoryview)):
        return {"bytes": base64.b64encode(value).decode()}
    return value


class Kernel:
    """The Python end of a page: one widget, and what it sends."""

    def __init__(self, widget: FeatrixWidget) -> None:
        self.widget = widget
        self.outbox: list[tuple[Any, list[str]]] = []
        self.sent_bytes = 0
        self.changed: set[str] = set()
        base = set(FeatrixWidget.class_trait_names(sync=True)) - {"_version"}
        self.synced = [name for name in widget.traits(sync=True) if name not in base]
        widget.send = self._send
        widget.observe(lambda change: self.changed.add(change["name"]), self.synced)

    def _send(self, content: Any, buffers: Any = None) -> None:
        self.sent_bytes += sum(len(data) for data in buffers or ())
        coded = [base64.b64encode(data).decode() for data in buffers or ()]
        self.outbox.append((content, coded))

    def state(self, names: Any = None) -> dict[str, Any]:
        names = self.synced if names is None else names
        return {name: coded(getattr(self.widget, name)) for name in names}

    def take(self) -> dict[str, Any]:
        """What changed since the last call, as the page takes it."""
        answer = {"state": self.state(self.changed), "messages": list(self.outbox)}
        self.changed.clear()
        self.outbox.clear()
        return answer

    def __call__(self, call: dict[str, Any]) -> dict[str, Any]:
        if "set" in call:
            value = call["value"]
            if isinstance(value, dict) and set(value) == {"bytes"}:
                value = memoryview(base64.b64decode(value["bytes"]))
            setattr(self.widget, call["set"], value)
            self.changed.discard(call["set"])  # a kernel does not send an echo
        else:
            self.widget._handle_custom_msg(call["message"], [])
        return self.take()


class Opened:
    """A page with a widget on it."""

    kernel_class = Kernel

    def __init__(self, page: Page, widget: Any) -> None:
        self.page, self.widget = page, widget
        self.kernel = self.kernel_class(widget)
        self.complaints = complaints_of(page)
        page.expose_function("kernel", self.kernel)

    def start(self, *, dark: bool = False) -> None:
        back, variables = ("#111111", DARK) if dark else ("#ffffff", "")
        self.page.set_content(PAGE % {"back": back, "variables": variables})
        self.page.evaluate(HOST, [bundle(self.widget._bundle), self.kernel.state()])
        self.settle()

    def settle(self, ms: int = 350) -> None:
        """Let animations, answers and the full picture at rest arrive."""
        settle(self.page, ms)

    def push(self) -> None:
        """Deliver what Python changed by itself."""
        self.page.evaluate("(answer) => host.take(answer)", self.kernel.take())
        self.settle()

    def pixels(self, of: Locator | None = None) -> np.ndarray:
        """A picture of the (first) stage, without the ring it has when focused."""
        data = (of or self.page.locator(".ftx-sphere-stage").first).screenshot()
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image.convert("RGB"), dtype=np.int16)[8:-8, 8:-8]

    def middle(self) -> tuple[float, float]:
        box = self.page.locator(".ftx-sphere-stage").first.bounding_box()
        assert box is not None
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def focus(self) -> None:
        self.page.locator(".ftx-sphere-stage").first.focus()


@contextmanager
def launched(playwright: Playwright, env: Mapping[str, str] | None = None) -> Iterator[Browser]:
    """Debian's Chromium, running; in an environment of its own where one is given."""
    path = shutil.which("chromium")
    assert path is not None, "The browser tests need Chromium: apt-get install chromium"
    running = playwright.chromium.launch(
        executable_path=path, args=CHROMIUM_FLAGS, env=None if env is None else dict(env)
    )
    try:
        yield running
    finally:
        running.close()


Open = Callable[..., Opened]


@contextmanager
def opener(browser: Browser, kind: type[Opened] = Opened) -> Iterator[Open]:
    """A function that opens a widget on a page of its own; a complaint in its console fails."""
    pages: list[Opened] = []

    def open_(widget: Any, *, dark: bool = False, script: str = "", **context: Any) -> Opened:
        context.setdefault("viewport", {"width": 960, "height": 640})
        page = browser.new_context(**context).new_page()
        page.add_init_script(script)
        page.goto("about:blank")
        opened = kind(page, widget)
        pages.append(opened)
        opened.start(dark=dark)
        return opened

    try:
        yield open_
    finally:
        for opened in pages:
            opened.page.context.close()
    complaints = [text for opened in pages for text in opened.complaints]
    assert not complaints, complaints


# The camera's first view looks at yaw -0.6, pitch 0.35.
FRONT = (
    np.cos(0.35) * np.cos(-0.6),
    np.cos(0.35) * np.sin(-0.6),
    np.sin(0.35),
)


def table(n: int = 600, seed: int = 0) -> tuple[np.ndarray, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 4, n)
    centres = np.array([FRONT, (0, 0, 1), (-1, 0, 0), (0, 1, -0.4)])
    xyz = centres[group] + rng.normal(size=(n, 3)) * 0.2
    rows = pd.DataFrame(
        {
            "plan": np.array(["basic", "pro", "team", None], dtype=object)[group],
            "age": rng.normal(40, 12, n).round(),
        },
        index=np.arange(n) + 1000,
    )
    return xyz, rows


def saturated(image: np.ndarray) -> np.ndarray:
    """Which pixels are a point's, not the grey of sphere and page."""
    return image.max(axis=2) - image.min(axis=2) > 70
