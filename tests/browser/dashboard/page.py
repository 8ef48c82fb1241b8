"""The dashboard's bundle in a real browser, fed by the real Python widget; only the comm between
them is played here, so what travels is what travels in a notebook."""

from __future__ import annotations

import base64
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from playwright.sync_api import Page

from featrix_notebook.widgets.dashboard import TrainingDashboard
from tests.browser.conftest import pixels
from tests.waiting import wait_until

HOST = """
<!doctype html><html><head><style>
  body { margin: 0; padding: 16px; background: #fff; }
  body[data-jp-theme-light=false] { background: #111318; --jp-layout-color1: #171a20; }
</style></head><body data-jp-theme-light="true"><div id="out"></div></body></html>
"""

OPEN = """
async ([esm, state]) => {
  const url = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
  const widget = (await import(url)).default;
  const handlers = new Map();
  const model = () => ({ // a new wrapper each time, as anywidget makes them
    get: (key) => state[key],
    set: (key, value) => { state[key] = value; },
    save_changes() {},
    on: (event, f) => handlers.set(event, [...(handlers.get(event) ?? []), f]),
    off: (event, f) => handlers.set(event, (handlers.get(event) ?? []).filter((g) => g !== f)),
    send: (content) => { window.sent.push(content); },
  });
  window.sent = [];
  window.handlers = handlers;
  window.deliver = (frames) => {
    for (const [content, buffers] of frames) {
      const views = buffers.map((b) => {
        // As in a notebook, a buffer is a view somewhere inside a larger message.
        const bytes = Uint8Array.from(atob(b), (c) => c.charCodeAt(0));
        const message = new Uint8Array(bytes.length + 3);
        message.set(bytes, 3);
        return new DataView(message.buffer, 3);
      });
      for (const f of handlers.get("msg:custom") ?? []) f(content, views);
    }
  };
  window.draw = async () => {
    const el = document.createElement("div");
    document.querySelector("#out").append(el);
    const end = await widget.render({ model: model(), el });
    return () => { end(); el.remove(); };
  };
  window.closeModel = await widget.initialize({ model: model() });
  window.closeView = await window.draw();
}
"""


class Host:
    """Carries messages between a widget and a page."""

    def __init__(self, page: Page, widget: TrainingDashboard) -> None:
        self.page, self.widget = page, widget
        self.outbox: list[tuple[Any, list[Any]]] = []
        self.bytes = 0
        widget.send = lambda content, buffers=None: self.outbox.append((content, buffers or []))
        page.set_content(HOST)
        page.evaluate(OPEN, [widget._esm, widget.get_state(["snapshot", "_version", "_uid"])])
        self.pump()

    def pump(self) -> None:
        """Carry everything both ways, until neither side has more to say."""
        for _ in range(4):
            for content in self.page.evaluate("() => window.sent.splice(0)"):
                self.widget._handle_custom_msg(content, [])
            box, self.outbox = self.outbox, []
            frames = [(c, [base64.b64encode(b).decode() for b in bs]) for c, bs in box]
            self.bytes += sum(len(b) for _, bs in box for b in bs)
            self.page.evaluate("frames => window.deliver(frames)", frames)
            self.page.evaluate(
                "() => new Promise(d => requestAnimationFrame(() => requestAnimationFrame(d)))"
            )

    def pump_until(self, true: Callable[[], Any], what: str) -> None:
        def pumped() -> Any:
            self.pump()
            return true()

        wait_until(pumped, what, seconds=30, every=0.02)

    def words(self) -> str:
        """All that is written, but for what was spoken in passing."""
        return self.page.locator(".ftx-dash").evaluate(
            "el => [...el.children].filter(c => c.role !== 'status').map(c => c.innerText).join()"
        )

    def note(self) -> str:
        """What is said under the main chart."""
        return self.page.locator(".ftx-dash > .ftx-note").inner_text()

    def text(self, selector: str) -> str:
        return self.page.locator(selector).first.inner_text()


class ScriptedRun:
    """A run told epoch by epoch by the test, with the methods of a foundational model."""

    def __init__(self, name: str = "churn", total: int = 40) -> None:
        self.id = self.name = name
        self.status = "training"
        self.total = total
        self.told: list[tuple[int, str, dict[str, Any]]] = []
        self.asked: list[str] = []
        self.refuse: Exception | None = None
        self.over = False

    def tell(self, kind: str, **data: Any) -> None:
        self.told.append((len(self.told) + 1, kind, data))

    def epoch(self, epoch: int, phase: str = "space", **more: Any) -> None:
        rng = np.random.default_rng(epoch)
        loss = 2.0 + 1.6 * math.exp(-epoch / 8) + 0.05 * rng.normal()
        validation = 2.1 + 1.5 * math.exp(-epoch / 8) + 0.006 * max(0, epoch - 25)
        report = {
            "epoch": epoch, "total_epochs": self.total, "phase": phase, "loss": loss,
            "validation_loss": validation, "joint_loss": 0.5 * loss, "marginal_loss": 0.4 * loss,
            "spread_loss": 0.1 * loss - 0.3, "learning_rate": 1e-3 * math.cos(epoch / 30) ** 2,
            "gradient_norm": 1.5 * math.exp(-epoch / 15) + 0.3 + 0.1 * rng.random(),
            "duration": 0.42, "steps": 127, "time_now": 1.7e9 + 0.42 * epoch,
            "best_epoch": min(epoch, 25), "seconds_left": 0.42 * (self.total - epoch),
            "columns": {}, "sphere_loss": 0.8 / epoch if phase == "sphere" else None, **more,
        }  # fmt: skip
        self.tell("epoch", **report)

    def events(self, after: int = 0) -> Iterator[tuple[int, str, dict[str, Any]]]:
        while True:
            for event in self.told[after:]:
                after = event[0]
                yield event
            if self.over:
                return
            time.sleep(0.01)

    def finish(self, status: str = "done", error: str | None = None) -> None:
        self.tell("status", status=status, requested=None, error=error)
        self.status = status
        self.over = True

    def _control(self, action: str) -> dict[str, Any]:
        if self.refuse:
            raise self.refuse
        self.asked.append(action)
        return {"job_id": "j", "status": self.status, "requested": action}

    def pause(self) -> dict[str, Any]:
        return self._control("pause")

    def resume(self) -> dict[str, Any]:
        return self._control("resume")

    def stop(self) -> dict[str, Any]:
        return self._control("stop")


def curve_pixels(host: Host) -> int:
    """How many pixels of the main chart are in the colour of the training line."""
    picture = pixels(host.page.locator(".ftx-chart canvas").first)
    return int((np.abs(picture - (0x1F, 0x6F, 0xC4)).sum(axis=2) < 40).sum())
