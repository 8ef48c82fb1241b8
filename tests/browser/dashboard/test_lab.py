"""The dashboard in a real JupyterLab: it grows while the kernel is busy, its buttons work then
too, and what the notebook stores at the end is the finished curve."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from tests.waiting import wait_until

# A run told by a clock, so that the widget can be watched without a server.
RUN = """
import time
from featrix_notebook import TrainingDashboard

class Run:
    id = name = "clockwork"
    status, asked, last = "training", [], 2000

    def events(self, after=0):
        for epoch in range(max(1, after), self.last + 1):
            while self.asked and self.asked[-1] == "pause":
                time.sleep(0.02)
            if "stop" in self.asked:
                break
            time.sleep(0.05)
            yield epoch, "epoch", {
                "epoch": epoch, "total_epochs": self.last, "loss": 3 / epoch, "best_epoch": epoch,
                "validation_loss": 3.5 / epoch, "learning_rate": 0.001, "gradient_norm": 1.0,
            }
        self.status = "done"

    def control(self, action):
        self.asked.append(action)
        return {"status": "paused" if action == "pause" else "running", "requested": None}

    def pause(self): return self.control("pause")
    def resume(self): return self.control("resume")
    def stop(self): return self.control("stop")

run = Run()
dashboard = TrainingDashboard(run)
dashboard
"""
BUSY = """
began = time.monotonic()
while run.status != "done" and time.monotonic() - began < 60:
    time.sleep(0.05)
"""


def test_grows_and_obeys_while_the_kernel_is_busy(
    lab: Any, open_notebook: Callable[[str], Any]
) -> None:
    notebook = open_notebook(lab.write("clockwork.ipynb", RUN, BUSY))
    page = notebook.page
    notebook.run(0)
    notebook.start(1)  # from here on the main thread is not free until the run is over
    page.wait_for_function(
        "() => parseInt(document.querySelector('[data-fact=epoch]')?.innerText ?? 0) > 20"
    )
    page.get_by_role("button", name="Pause training").click()
    page.wait_for_function("() => document.querySelector('.ftx-pill')?.innerText === 'Paused'")
    page.get_by_role("button", name="Log", exact=True).click()
    page.get_by_role("button", name="Resume training").click()
    page.get_by_role("button", name="Pause training").wait_for()
    page.get_by_role("button", name="Stop training early").click()
    page.wait_for_function("() => document.querySelector('.ftx-pill')?.innerText === 'Done'")
    assert notebook.python("run.asked") == ["pause", "resume", "stop"]

    def stored() -> dict[str, Any]:
        outputs: list[dict[str, Any]] = page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.content.widgets[0].model.outputs.toJSON()"
        )
        (output,) = outputs
        data: dict[str, Any] = output["data"]
        return data

    # The pointer still lies on the button: left there, it does not keep the output from its end.
    wait_until(lambda: "clockwork, done, " in stored()["text/plain"], "the output says the end")
    data = stored()
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert json.dumps(data).count("model_id") == 1
    assert page.locator(".ftx-dash").count() == 1
    # A view that was drawn anew for the stored output still stands as the reader left it.
    log = page.get_by_role("button", name="Log", exact=True)
    assert log.get_attribute("aria-pressed") == "true"
    notebook.theme("Dark")
    notebook.cell(0)
    notebook.screenshot("dashboard-dark")
    assert notebook.complaints == []


def test_an_interrupt_and_a_page_loaded_anew_lose_nothing(
    lab: Any, open_notebook: Callable[[str], Any]
) -> None:
    endless = RUN.replace("[], 2000", "[], 100_000")
    notebook = open_notebook(lab.write("broken.ipynb", endless, BUSY))
    page = notebook.page

    def epoch() -> int:
        fact = page.locator("[data-fact=epoch]")
        return int(fact.inner_text().split(" ")[0]) if fact.count() else 0

    notebook.run(0)
    notebook.start(1)
    wait_until(lambda: epoch() > 5, "the run is under way")
    notebook.command("notebook:interrupt-kernel")
    outputs = (
        "() => window.jupyterapp.shell.currentWidget.content.widgets[1].model.outputs.toJSON()"
    )
    wait_until(lambda: page.evaluate(outputs), "the cell was interrupted")
    assert page.evaluate(outputs)[0]["ename"] == "KeyboardInterrupt"
    before = epoch()
    wait_until(lambda: epoch() > before + 5, "the curve goes on")
    notebook.command("docmanager:save")
    wait_until(lambda: "KeyboardInterrupt" in saved(lab, "broken.ipynb"), "it is saved")
    before = epoch()
    notebook.open()  # the browser loads the page anew; the kernel and the widget in it are the same
    wait_until(lambda: epoch() > before, "the widget is back, and ahead of where it was")
    page.get_by_role("button", name="Stop training early").click()
    page.wait_for_function("() => document.querySelector('.ftx-pill')?.innerText === 'Done'")
    with page.expect_download() as caught:
        page.get_by_role("button", name="CSV", exact=True).click()
    lines = caught.value.path().read_text().splitlines()[1:]
    epochs = [int(line.split(",")[0]) for line in lines]
    assert epochs == list(range(1, notebook.python("len(dashboard._sources[0].log)") + 1))


def saved(lab: Any, name: str) -> str:
    text: str = (lab.notebooks / name).read_text(encoding="utf-8")
    return text
