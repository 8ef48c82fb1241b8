"""Several runs in one dashboard: along epochs, steps or time, and what each says where."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from featrix_notebook.widgets.dashboard import TrainingDashboard
from tests.browser.conftest import pixels
from tests.browser.dashboard.page import Host, ScriptedRun

# The same falling loss, in epochs of ten steps and two seconds, and of forty steps and one second.
SMALL: dict[str, Any] = {
    "epoch": range(1, 21),
    "step": range(10, 210, 10),
    "time": range(2, 42, 2),
    "loss": np.linspace(4, 2, 20),
    "lr": [0.1] * 20,
}
LARGE: dict[str, Any] = {
    "epoch": range(1, 11),
    "steps": [40] * 10,
    "duration": [1.0] * 10,
    "loss": np.linspace(4, 1, 10),
    "val_loss": np.linspace(5, 2, 10),
}


def table(host: Host) -> list[list[str]]:
    rows = host.page.locator(".ftx-readout tr").all()
    return [[cell.inner_text() for cell in row.locator("th, td").all()] for row in rows]


def along(host: Host, axis: str) -> None:
    host.page.get_by_label("Along").select_option(axis)
    host.pump()


def hover(host: Host, share: float) -> None:
    box = host.page.locator(".ftx-chart .u-over").first.bounding_box()
    assert box is not None
    host.page.mouse.move(box["x"] + share * box["width"], box["y"] + 60)
    host.pump()


def test_runs_are_compared_by_epoch_by_step_and_by_time(show: Callable[..., Host]) -> None:
    host = show(TrainingDashboard({"small": SMALL, "large": LARGE}))
    assert table(host) == [
        ["Run", "Epoch", "Training", "Validation", "Learning rate"],
        ["small", "20", "2", "–", "0.1"],
        ["large", "10", "1", "2", "–"],
    ]
    hover(host, 0.001)
    assert table(host)[1:] == [["small", "1", "4", "–", "0.1"], ["large", "1", "4", "5", "–"]]
    hover(host, 0.999)  # where the larger run has long ended
    assert table(host)[1:] == [["small", "20", "2", "–", "0.1"], ["large", "–", "–", "–", "–"]]
    pictures = [pixels(host.page.locator(".ftx-chart canvas").first)]
    along(host, "step")
    assert table(host)[0][1] == "Step"
    hover(host, 0.999)
    assert table(host)[1:] == [["small", "–", "–", "–", "–"], ["large", "400", "1", "2", "–"]]
    hover(host, 0.5)
    assert [row[1] for row in table(host)[1:]] == ["200", "200"]
    pictures.append(pixels(host.page.locator(".ftx-chart canvas").first))
    along(host, "time")
    assert "pauses do not count" in host.note()
    hover(host, 0.001)
    assert [row[1] for row in table(host)[1:]] == ["2 s", "1 s"]
    pictures.append(pixels(host.page.locator(".ftx-chart canvas").first))
    assert not np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[1], pictures[2])


def test_keys_read_all_runs_aloud(show: Callable[..., Host]) -> None:
    host = show(TrainingDashboard({"small": SMALL, "large": LARGE}))
    host.page.get_by_role("group", name="Loss by epoch").focus()
    host.page.keyboard.press("Home")
    said = "Epoch 1; small, Training 4, Validation –; large, Training 4, Validation 5"
    host.page.wait_for_function(
        "words => [...document.querySelectorAll('[role=status]')].at(-1).innerText === words",
        arg=said,
    )
    along(host, "step")
    host.page.get_by_role("group", name="Loss by step").focus()
    host.page.keyboard.press("End")
    host.pump()
    assert table(host)[1][1] == "200"


def test_a_run_without_steps_is_named_and_left_out(show: Callable[..., Host]) -> None:
    host = show(TrainingDashboard({"small": SMALL, "bare": {"loss": [3.0, 2.0]}}))
    along(host, "step")
    assert "Without steps, and so not drawn: bare." in host.note()
    assert table(host)[2] == ["bare", "–", "–", "–"]
    along(host, "epoch")
    assert "not drawn" not in host.note()


def test_a_log_that_counts_steps_is_drawn_along_steps(show: Callable[..., Host]) -> None:
    host = show(TrainingDashboard({"step": [100, 200, 300], "loss": [3.0, 2.0, 1.0]}))
    assert host.page.get_by_label("Along").is_hidden()
    assert host.page.get_by_role("group", name="Loss by step").is_visible()
    assert host.page.locator(".ftx-panel").count() == 0


def test_runs_that_have_not_begun(show: Callable[..., Host], run: ScriptedRun) -> None:
    """There is nothing to draw of any, and so nothing to name the lines by."""
    host = show(TrainingDashboard({"first": run, "second": {"loss": []}}))
    assert table(host) == [["Run", "Epoch"], ["first", "–"], ["second", "–"]]
    assert run.name not in host.widget.summary(), "it is called as it was named here"
    run.epoch(1)
    host.pump_until(lambda: table(host)[1][1] == "1", "the first begins")


def test_one_live_run_beside_a_recorded_one(show: Callable[..., Host], run: ScriptedRun) -> None:
    host = show(TrainingDashboard({"before": LARGE, "now": run}))
    assert host.page.locator(".ftx-run").count() == 2
    for epoch in range(1, 6):
        run.epoch(epoch)
    host.pump_until(lambda: table(host)[2][1] == "5", "the live run grows")
    along(host, "time")
    run.epoch(6)
    host.pump_until(lambda: table(host)[2][1] == "2.52 s", "it grows along time")
    assert table(host)[1][1] == "10 s"
