"""A dashboard follows a run on the page: it grows, asks for what it missed, says what was asked."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable

import numpy as np
from playwright.sync_api import Locator

from featrix_notebook.widgets.dashboard import TrainingDashboard
from tests.browser.conftest import pixels
from tests.browser.dashboard.page import Host, ScriptedRun, curve_pixels
from tests.waiting import wait_until


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


def alike(one: Locator, two: Locator) -> bool:
    """Whether no pixel differs by more than a browser's own drawing of the same does (6 of 765)."""
    a, b = pixels(one), pixels(two)
    return a.shape == b.shape and int(np.abs(a - b).sum(axis=2).max()) < 20


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
    again = copy.copy(run)  # no feed knows this one yet: it reads the whole history anew
    again.id = f"{run.id} again"
    late = show(TrainingDashboard(again))
    late.pump_until(lambda: late.text(".ftx-pill") == "Done", "the late view has everything")
    for host in (live, late):
        host.page.mouse.move(0, 0)
        host.pump()
    first, second = (host.page.locator(".ftx-dash") for host in (live, late))
    assert live.words() == late.words()
    wait_until(lambda: alike(first, second), "the same picture")
    # With no kernel at all, the stored state shows the same.
    widget._receive = lambda *_: None
    stored = show(widget)
    assert stored.text(".ftx-pill") == "Done"
    assert stored.words() == live.words()
    third = stored.page.locator(".ftx-dash")
    wait_until(lambda: alike(third, first), "the same picture")


def test_a_missed_frame_is_asked_for(show: Callable[..., Host], run: ScriptedRun) -> None:
    widget = TrainingDashboard(run)
    host = show(widget)
    run.epoch(1)
    host.pump_until(lambda: host.text("[data-fact=epoch]") == "1 / 40", "the first epoch")
    run.epoch(2)
    wait_until(lambda: host.outbox, "the second epoch is sent", every=0.02)
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
    began = time.monotonic()
    for epoch in range(2, 102):
        run.epoch(epoch)
        time.sleep(0.01)
    log = host.widget._sources[0].log
    wait_until(
        lambda: len(log) == 101 and host.widget._sent == [(log.version, 101)],
        "every epoch is sent",
        every=0.02,
    )
    frames = list(host.outbox)
    assert len(frames) <= 10 * (time.monotonic() - began) + 2
    # Eighteen numbers an epoch at most, and of what is known of the run only what has changed.
    assert sum(len(b) for _, buffers in frames for b in buffers) == 100 * 8 * len(log.columns)
    assert max(len(json.dumps(content)) for content, _ in frames) < 400
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
    assert "sphere phase" in host.note()
    headings = host.page.locator(".ftx-heading").all_inner_texts()
    assert [h.split("\n")[0] for h in headings] == ["Learning rate", "Gradient norm", "Sphere loss"]
    # The rate is the embedding's last, and the losses repeated are not part of the curve.
    assert host.page.locator(".ftx-heading output").first.inner_text() != "0.5"
    assert host.text("[data-key=loss] output") != "9"
    run.status, run.over = "done", True
    host.pump_until(lambda: host.text("[data-fact=epoch]") == "30", "the epochs asked for")
    assert "30 epochs" in widget.summary()


def test_a_kernel_that_stays_silent_is_said_to(show: Callable[..., Host], run: ScriptedRun) -> None:
    widget = TrainingDashboard(run)
    host = show(widget)
    run.epoch(1)
    host.pump_until(lambda: host.text("[data-fact=epoch]") == "1 / 40", "the first epoch")
    host.page.clock.install()
    host.page.get_by_role("button", name="Pause training").click()
    host.page.clock.run_for(31_000)
    error = host.page.locator(".ftx-header .ftx-error")
    error.get_by_text("Could not pause: the kernel does not answer").wait_for()
    assert host.text(".ftx-pill") == "Training"
    pause = host.page.get_by_role("button", name="Pause training")
    assert pause.get_attribute("aria-disabled") == "false"


def test_milestones_are_spoken_and_epochs_are_not(
    show: Callable[..., Host], run: ScriptedRun
) -> None:
    host = show(TrainingDashboard(run))
    spoken = host.page.locator("[role=status]").first
    for epoch in range(1, 9):
        run.epoch(epoch)
    host.pump_until(lambda: host.text("[data-fact=epoch]") == "8 / 40", "eight epochs")
    assert spoken.inner_text() == ""
    run.epoch(10)
    host.pump_until(lambda: "epoch 10 of 40" in spoken.inner_text(), "a quarter is spoken")
