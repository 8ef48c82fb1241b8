"""The dashboard's bundle in a real browser, fed by the real Python widget; only the comm between
them is played by the test, so what travels is what travels in a notebook."""

from __future__ import annotations

import base64
import io
import math
import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Playwright

from featrix_notebook.widgets.dashboard import TrainingDashboard

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
        deadline = time.monotonic() + 10
        while not true():
            assert time.monotonic() < deadline, f"not within 10 s: {what}"
            self.pump()
            time.sleep(0.02)

    def text(self, selector: str) -> str:
        return self.page.locator(selector).first.inner_text()


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    path = shutil.which("chromium")
    assert path is not None, "The browser tests need Chromium: apt-get install chromium"
    running = playwright.chromium.launch(
        executable_path=path, args=["--no-sandbox", "--disable-gpu"]
    )
    yield running
    running.close()


@pytest.fixture
def show(browser: Browser) -> Iterator[Callable[..., Host]]:
    """Open a widget in a page of its own; a complaint of the page fails the test."""
    pages: list[Page] = []
    complaints: list[str] = []
    widgets: list[TrainingDashboard] = []

    def show_(widget: TrainingDashboard, width: int = 1000, **context: Any) -> Host:
        page = browser.new_page(viewport={"width": width, "height": 900}, **context)
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        pages.append(page)
        widgets.append(widget)
        return Host(page, widget)

    yield show_
    for page in pages:
        page.close()
    for widget in widgets:
        widget.close()
    assert complaints == []


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
    canvas = host.page.locator(".ftx-chart canvas").first
    with Image.open(io.BytesIO(canvas.screenshot())) as image:
        rgb = np.asarray(image.convert("RGB"), dtype=int)
    return int((np.abs(rgb - (0x1F, 0x6F, 0xC4)).sum(axis=2) < 40).sum())


@pytest.fixture
def run(request: pytest.FixtureRequest) -> Iterator[ScriptedRun]:
    made = ScriptedRun(request.node.name)
    made.tell("status", status="running", requested=None, error=None)
    yield made
    made.over = True


def test_curve_grows_with_the_run(show: Callable[..., Host], run: ScriptedRun) -> None:
    host = show(TrainingDashboard(run))
    assert "Waiting for the first epoch" in host.text(".ftx-empty")
    run.epoch(1)
    run.epoch(2)
    host.pump_until(lambda: host.text("[data-fact=epoch]") == "2 / 40", "two epochs")
    few = curve_pixels(host)
    for epoch in range(3, 31):
        run.epoch(epoch)
    host.pump_until(lambda: host.text("[data-fact=epoch]") == "30 / 40", "thirty epochs")
    assert host.text("[data-fact=best]").endswith("at 25")
    assert host.text("[data-fact=speed]") == "0.42 s/epoch · 302 steps/s"
    assert host.text("[data-fact=time]") == "4.2 s"
    assert host.text(".ftx-pill") == "Training"
    assert curve_pixels(host) > 300
    assert few != curve_pixels(host)


def test_a_late_view_and_a_finished_run_look_like_one_watched_live(
    show: Callable[..., Host], run: ScriptedRun
) -> None:
    widget = TrainingDashboard(run)
    live = show(widget)
    for epoch in range(1, 41):
        run.epoch(epoch)
        if epoch % 8 == 0:
            live.pump()
    run.finish()
    live.pump_until(lambda: live.text(".ftx-pill") == "Done", "the end")
    late = show(TrainingDashboard(run))
    late.pump_until(lambda: late.text(".ftx-pill") == "Done", "the late view has everything")
    charts = [host.page.locator(".ftx-dash").screenshot() for host in (live, late)]
    first, second = (np.asarray(Image.open(io.BytesIO(c)).convert("RGB"), int) for c in charts)
    assert first.shape == second.shape
    assert np.mean(np.abs(first - second)) < 0.01
    # With no kernel at all, the stored state shows the same.
    widget._receive = lambda *_: None
    stored = show(widget)
    assert stored.text(".ftx-pill") == "Done"
    assert stored.text("[data-fact=epoch]") == "40"


def test_a_missed_frame_is_asked_for(show: Callable[..., Host], run: ScriptedRun) -> None:
    widget = TrainingDashboard(run)
    host = show(widget)
    run.epoch(1)
    host.pump_until(lambda: host.text("[data-fact=epoch]") == "1 / 40", "the first epoch")
    run.epoch(2)
    deadline = time.monotonic() + 10
    while not host.outbox and time.monotonic() < deadline:
        time.sleep(0.02)
    lost, host.outbox = host.outbox, []
    assert [content["kind"] for content, _ in lost] == ["append"]
    run.epoch(3)
    host.pump_until(lambda: host.text("[data-fact=epoch]") == "3 / 40", "the third epoch")
    with host.page.expect_download() as caught:
        host.page.get_by_role("button", name="CSV").click()
    lines = caught.value.path().read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch", "1", "2", "3"]


def test_updates_are_few_and_small(show: Callable[..., Host], run: ScriptedRun) -> None:
    host = show(TrainingDashboard(run))
    run.epoch(1)
    host.pump_until(lambda: host.text("[data-fact=epoch]") == "1 / 40", "the first epoch")
    host.bytes, began = 0, time.monotonic()
    sizes = []
    for epoch in range(2, 102):
        run.epoch(epoch)
        time.sleep(0.01)
    elapsed = time.monotonic() - began
    deadline = time.monotonic() + 10
    while len(host.widget._sources[0].log) < 101 and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.2)
    sizes = [sum(len(b) for b in buffers) for _, buffers in host.outbox]
    assert len(sizes) <= 10 * (elapsed + 1.5)
    assert sum(sizes) < 100 * 16 * 8 + 1000
    host.pump_until(lambda: host.text("[data-fact=epoch]") == "101", "every epoch, though bundled")


def test_buttons_ask_and_say_so(show: Callable[..., Host], run: ScriptedRun) -> None:
    host = show(TrainingDashboard(run))
    run.epoch(1)
    host.pump_until(lambda: host.text("[data-fact=epoch]") == "1 / 40", "the first epoch")
    host.page.get_by_role("button", name="Pause training").focus()
    host.page.keyboard.press("Enter")
    host.page.wait_for_function("document.querySelector('.ftx-pill').innerText == 'Pause asked'")
    host.pump_until(lambda: host.text(".ftx-pill") == "Pausing", "the server has noted it")
    assert run.asked == ["pause"]
    pause = host.page.get_by_role("button", name="Pause training")
    assert pause.get_attribute("aria-disabled") == "true"
    assert host.page.evaluate("document.activeElement.innerText").endswith("Pause")
    run.tell("status", status="paused", requested=None, error=None)
    host.pump_until(lambda: host.text(".ftx-pill") == "Paused", "the pause")
    host.page.get_by_role("button", name="Resume training").click()
    host.pump_until(lambda: run.asked == ["pause", "resume"], "the resume")
    run.tell("status", status="running", requested=None, error=None)
    host.pump_until(lambda: host.text(".ftx-pill") == "Training", "running again")
    run.refuse = RuntimeError("The server is <b>full</b>")
    host.page.get_by_role("button", name="Stop training early").click()
    host.pump_until(
        lambda: "Could not stop: The server is <b>full</b>" in host.text(".ftx-header .ftx-error"),
        "the refusal",
    )


def test_a_failed_run_says_why(show: Callable[..., Host], run: ScriptedRun) -> None:
    host = show(TrainingDashboard(run))
    run.epoch(1)
    run.finish("failed", "The disk is full.\nFree some space and train again.")
    host.pump_until(lambda: host.text(".ftx-pill") == "Failed", "the failure")
    assert "Free some space" in host.text(".ftx-header .ftx-error")
    assert host.page.locator(".ftx-controls").is_hidden()


def test_zoom_reset_log_and_crosshair(show: Callable[..., Host]) -> None:
    loss = [3 / n for n in range(1, 101)]
    loss[50] = -1.0
    log = {"loss": loss, "val_loss": [4 / n for n in range(1, 101)], "accuracy": [0.5] * 100}
    host = show(TrainingDashboard(log))
    page = host.page
    plot = page.locator(".ftx-chart .u-over").first
    box = plot.bounding_box()
    assert box is not None
    reset = page.get_by_role("button", name="Reset zoom")
    assert reset.is_hidden()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 60, steps=5)
    page.mouse.up()
    host.pump()
    assert reset.is_visible()
    page.get_by_role("button", name="Log", exact=True).click()
    host.pump()
    assert "1 values at or below zero are left out" in host.text(".ftx-note:not(:empty)")
    reset.click()
    host.pump()
    assert reset.is_hidden()
    page.mouse.move(box["x"] + 1, box["y"] + 50)
    host.pump()
    assert host.text("[data-key=loss] output") == "3"
    assert host.text("[data-key=validation_loss] output") == "4"
    assert host.text(".ftx-heading output") == "0.5"
    page.locator("[data-key=loss]").click()
    host.pump()
    assert page.locator("[data-key=loss]").get_attribute("aria-pressed") == "false"


def test_keyboard_reads_and_zooms(show: Callable[..., Host]) -> None:
    host = show(TrainingDashboard({"loss": [4.0, 3.0, 2.0, 1.0], "val_loss": [5.0, 4.0, 3.0, 2.0]}))
    chart = host.page.get_by_role("group", name="Loss by epoch")
    chart.focus()
    host.page.keyboard.press("Home")
    host.page.keyboard.press("ArrowRight")
    host.pump()
    assert host.text("[data-key=loss] output") == "3"
    host.page.wait_for_function(
        "[...document.querySelectorAll('[role=status]')].at(-1).innerText"
        " === 'Epoch 2, Training 3, Validation 4'",
        timeout=2000,
    )
    host.page.keyboard.press("+")
    host.pump()
    assert host.page.get_by_role("button", name="Reset zoom").is_visible()
    host.page.keyboard.press("Escape")
    host.pump()
    assert host.page.get_by_role("button", name="Reset zoom").is_hidden()
    name = chart.get_attribute("aria-label") or ""
    assert "training loss 1, validation loss 2, best 2 at epoch 4" in name


def test_hostile_names_are_text(show: Callable[..., Host]) -> None:
    evil = "<img src=x onerror=\"document.title='owned'\">‮ 😀 " + "x" * 10_000
    host = show(
        TrainingDashboard({evil: {"loss": [1.0, 2.0], evil: [1.0, 2.0]}, "b": {"loss": [2.0]}})
    )
    host.pump()
    assert host.page.title() == ""
    assert host.page.locator("img").count() == 0
    assert host.text(".ftx-name").startswith("<img src=x")
    width = host.page.evaluate("document.documentElement.scrollWidth")
    assert width <= 1000


@pytest.mark.parametrize("values", [[math.nan] * 3, [math.inf, 1.0, -math.inf], [0.0], [5.0, 5.0]])
def test_odd_numbers_are_drawn_without_complaint(
    show: Callable[..., Host], values: list[float]
) -> None:
    host = show(TrainingDashboard({"loss": values, "other": [1.0] * len(values)}))
    host.page.get_by_role("button", name="Log", exact=True).click()
    host.pump()
    assert host.page.locator(".ftx-dash").is_visible()


def test_sphere_phase_is_marked_and_has_its_own_chart(
    show: Callable[..., Host], run: ScriptedRun
) -> None:
    host = show(widget := TrainingDashboard(run))
    for epoch in range(1, 31):
        run.epoch(epoch)
    for epoch in range(31, 41):
        run.epoch(
            epoch, phase="sphere", phase_epoch=epoch - 30, phase_epochs=12, loss=9.0,
            validation_loss=9.0, learning_rate=0.5, gradient_norm=None, seconds_left=None,
        )  # fmt: skip
    host.pump_until(lambda: host.text("[data-fact=epoch]") == "10 / 12", "the sphere's epochs")
    assert host.page.locator(".ftx-term").first.inner_text() == "Sphere"
    assert host.text("[data-fact=time]") == "…"
    assert "sphere phase" in host.text(".ftx-note:not(:empty)")
    headings = host.page.locator(".ftx-heading").all_inner_texts()
    assert [h.split("\n")[0] for h in headings] == ["Learning rate", "Gradient norm", "Sphere loss"]
    # The rate is the embedding's last, and the losses repeated are not part of the curve.
    assert host.page.locator(".ftx-heading output").first.inner_text() != "0.5"
    assert host.text("[data-key=loss] output") != "9"
    run.status, run.over = "done", True
    host.pump_until(lambda: host.text("[data-fact=epoch]") == "30", "the epochs asked for")
    assert "30 epochs" in widget.summary()


def test_theme_narrow_motion_and_forced_colours(show: Callable[..., Host]) -> None:
    host = show(TrainingDashboard({"loss": [3.0, 2.0, 1.0]}), width=340)
    page = host.page
    assert page.locator(".ftx-dash").get_attribute("data-theme") == "light"
    before = curve_pixels(host)
    page.evaluate("document.body.setAttribute('data-jp-theme-light', 'false')")
    page.wait_for_selector(".ftx-dash[data-theme=dark]")
    host.pump()
    assert curve_pixels(host) < before / 2
    assert page.evaluate("document.documentElement.scrollWidth") <= 340
    page.emulate_media(forced_colors="active", reduced_motion="reduce")
    host.pump()
    assert page.locator(".ftx-dash").is_visible()


def test_a_view_drawn_anew_stands_as_it_was_left_and_closing_frees_everything(
    show: Callable[..., Host],
) -> None:
    host = show(TrainingDashboard({"loss": [3.0, 2.0, 1.0]}))
    page = host.page
    page.get_by_role("button", name="Log", exact=True).click()
    page.evaluate("async () => { window.closeView(); window.closeView = await window.draw(); }")
    host.pump()
    log = page.get_by_role("button", name="Log", exact=True)
    assert log.get_attribute("aria-pressed") == "true"
    page.evaluate("() => { window.closeView(); window.closeModel(); }")
    assert page.locator(".ftx-dash").count() == 0
    assert page.evaluate("[...window.handlers.values()].flat().length") == 0


def test_png_can_be_taken_away(show: Callable[..., Host]) -> None:
    host = show(TrainingDashboard({"loss": [3.0, 2.0, 1.0], "lr": [0.1, 0.1, 0.05]}))
    with host.page.expect_download() as caught:
        host.page.get_by_role("button", name="PNG").click()
    with Image.open(caught.value.path()) as image:
        assert image.format == "PNG"
        assert image.width > 800
        colours = np.unique(np.asarray(image.convert("RGB")).reshape(-1, 3), axis=0)
        assert len(colours) > 20
