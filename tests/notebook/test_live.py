"""The feed: one thread a run, nothing lost, nothing repeated, over breaks and ends."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import requests

from featrix_client.errors import FeatrixHTTPError
from featrix_notebook import live
from featrix_notebook.live import RunFeed
from featrix_notebook.metric_log import MetricLog, canonical
from tests.waiting import wait_until

Event = tuple[int, str, dict[str, Any]]


class Listener:
    def __init__(self) -> None:
        self.calls = 0
        self.threads: set[str] = set()

    def changed(self, feed: RunFeed) -> None:
        self.calls += 1
        self.threads.add(threading.current_thread().name)


class Run:
    """Tells its events as they are added; `breaks` are raised, one a connection."""

    def __init__(self, status: str = "training") -> None:
        self.id = f"run-{id(self)}"
        self.name = "churn"
        self.status = status
        self.list: list[Event] = []
        self.breaks: list[tuple[int, Exception]] = []
        self.asked_after: list[int] = []
        self.closed = False

    def add(self, kind: str, **data: Any) -> None:
        self.list.append((len(self.list) + 1, kind, data))

    def epoch(self, epoch: int, **more: Any) -> None:
        self.add("epoch", **{"epoch": epoch, "loss": 1 / epoch, "total_epochs": 9, **more})

    def events(self, after: int = 0) -> Iterator[Event]:
        self.asked_after.append(after)
        while True:
            for event in self.list[after:]:
                if self.breaks and event[0] >= self.breaks[0][0]:
                    raise self.breaks.pop(0)[1]
                after = event[0]
                yield event
            if self.closed:
                return
            time.sleep(0.005)

    def finish(self, status: str = "done") -> None:
        self.status = status
        self.closed = True


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.setattr(live, "_RETRY_S", (0.01, 0.05))
    monkeypatch.setattr(live, "_POLL_S", 0.01)
    made = Run()
    yield made
    made.closed = True
    made.status = "done"


def epochs(feed: RunFeed) -> list[float]:
    return feed.log.column("epoch").tolist()


def test_widgets_of_a_run_share_one_thread(run: Run) -> None:
    feed, one, two = RunFeed.of(run), Listener(), Listener()
    assert RunFeed.of(run) is feed
    before = threading.active_count()
    feed.subscribe(one.changed)
    feed.subscribe(two.changed)
    run.epoch(1)
    wait_until(lambda: one.calls and two.calls, "both are told")
    assert sum(t.name.startswith("featrix-feed-churn") for t in threading.enumerate()) == 1
    assert threading.active_count() <= before + 2  # the reader, and at most one timer
    assert threading.main_thread().name not in one.threads


def test_bursts_are_bundled_and_complete(run: Run) -> None:
    feed, listener = RunFeed.of(run), Listener()
    feed.subscribe(listener.changed)
    began = time.monotonic()
    for epoch in range(1, 301):
        run.epoch(epoch)
        time.sleep(0.002)
    wait_until(lambda: len(feed.log) == 300, "all epochs", every=0.01)
    assert listener.calls <= (time.monotonic() - began) * live.UPDATES_PER_SECOND + 3


def test_a_break_is_said_and_reading_goes_on_where_it_was(run: Run) -> None:
    run.breaks = [(3, requests.ConnectionError("the server\nis away")), (3, OSError("still"))]
    for epoch in range(1, 6):
        run.epoch(epoch)
    notes = []

    class Noting:
        def changed(self, feed: RunFeed) -> None:
            notes.append(feed.info.note)

    noting = Noting()
    feed = RunFeed.of(run)
    feed.subscribe(noting.changed)
    wait_until(lambda: len(feed.log) == 5 and feed.info.note is None, "mended")
    assert epochs(feed) == [1, 2, 3, 4, 5]
    assert run.asked_after == [0, 2, 2]
    said = [note for note in notes if note]
    assert "tried again: the server" in said[0]
    assert "\n" not in said[0]


def test_repeated_epochs_replace_what_followed_the_checkpoint(run: Run) -> None:
    feed, listener = RunFeed.of(run), Listener()
    for epoch in (1, 2, 3):
        run.epoch(epoch)
    run.epoch(2, loss=7.0)
    feed.subscribe(listener.changed)
    wait_until(lambda: epochs(feed) == [1, 2], "the log goes back")
    assert feed.log.column("loss")[1] == 7.0


def test_status_travels_and_ends(run: Run) -> None:
    feed, listener = RunFeed.of(run), Listener()
    feed.subscribe(listener.changed)
    run.add("status", status="running", requested="pause", error=None)
    wait_until(lambda: feed.info.requested == "pause", "asked")
    run.add("status", status="paused", requested=None, error=None)
    wait_until(lambda: feed.info.status == "paused", "paused")
    run.epoch(1, phase_epoch=1, phase_epochs=5, seconds_left=4.0, best_epoch=1)
    wait_until(lambda: feed.info.best_epoch == 1, "best")
    run.finish()
    wait_until(lambda: not feed.reading, "the thread ends with the run")
    assert feed.info.status == "done"
    assert feed.info.seconds_left is None


def test_a_finished_run_is_told_whole_without_going_through_its_past(run: Run) -> None:
    run.add("status", status="paused", requested=None, error=None)
    run.epoch(1, seconds_left=8.0)
    run.finish()
    seen = []

    class Noting:
        def changed(self, feed: RunFeed) -> None:
            seen.append((feed.info.status, feed.info.seconds_left))

    noting = Noting()
    feed = RunFeed.of(run)
    feed.subscribe(noting.changed)
    wait_until(lambda: not feed.reading, "the end")
    assert epochs(feed) == [1]
    assert set(seen) == {("done", None)}


def test_a_failed_run_says_why_and_a_bad_listener_disturbs_nobody(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    class Bad:
        def changed(self, feed: RunFeed) -> None:
            raise ZeroDivisionError

    bad, good = Bad(), Listener()
    run.epoch(1)
    run.add("status", status="failed", requested=None, error="The disk is full.")
    run.finish("error")
    feed = RunFeed.of(run)
    feed.subscribe(bad.changed)
    feed.subscribe(good.changed)
    wait_until(lambda: good.calls and not feed.reading, "the end")
    assert (feed.info.status, feed.info.error) == ("failed", "The disk is full.")
    assert feed.info.note is None
    assert "A listener of 'churn' failed" in caplog.text


def test_events_of_other_jobs_are_passed_over(run: Run) -> None:
    body = {
        "session": {"status": "running"},
        "jobs": {"mine": {"job_type": "train_es", "status": "running"}},
    }
    run.refresh = lambda: body  # type: ignore[attr-defined]  # as models have it
    run.epoch(1, job_id="mine")
    run.epoch(2, job_id="another")
    run.add("status", job_id="another", status="failed", requested=None, error="not ours")
    run.epoch(3, job_id="mine")
    feed, listener = RunFeed.of(run), Listener()
    feed.subscribe(listener.changed)
    wait_until(lambda: epochs(feed) == [1, 3], "ours only")
    assert feed.info.error is None


def test_reading_stops_when_nobody_listens(run: Run) -> None:
    feed, listener = RunFeed.of(run), Listener()
    feed.subscribe(listener.changed)
    run.epoch(1)
    wait_until(lambda: len(feed.log) == 1, "first epoch")
    del listener
    gc.collect()
    run.epoch(2)
    wait_until(lambda: not feed.reading, "nobody is left")
    again = Listener()
    feed.subscribe(again.changed)
    run.epoch(3)
    wait_until(lambda: len(feed.log) == 3, "a new listener starts it again")
    feed.unsubscribe(again.changed)
    run.epoch(4)
    wait_until(lambda: not feed.reading, "it left")


def refusal(status: int) -> FeatrixHTTPError:
    response = requests.Response()
    response.status_code = status
    response.request = requests.Request("GET", "http://localhost/").prepare()
    return FeatrixHTTPError(
        "No such model.", hint="List them with list_sessions().", response=response
    )


def test_an_unknown_model_is_an_error_and_not_tried_again(run: Run) -> None:
    run.breaks = [(1, refusal(404))]
    run.epoch(1)
    feed, listener = RunFeed.of(run), Listener()
    feed.subscribe(listener.changed)
    wait_until(lambda: feed.info.error is not None and not feed.reading, "given up")
    assert "list_sessions" in str(feed.info.error)
    assert len(run.asked_after) == 1


class VendorRun:
    """No event stream, no controls: only what the reference promises."""

    def __init__(self) -> None:
        self.id, self.name, self.status, self.polls = f"v-{id(self)}", "theirs", "training", 0

    def refresh(self) -> None:
        self.polls += 1
        if self.polls > 3:
            self.status = "done"

    def get_training_metrics(self) -> dict[str, Any]:
        n = min(self.polls, 3)
        lists = {"train_loss": [3.0, 2.0, 1.0][:n], "val_loss": [3.0, None, 1.5][:n]}
        return {"data": {"epochs": list(range(1, n + 1)), **lists, "best_epoch": n, "d_model": 8}}


def test_a_run_without_a_stream_is_polled(run: Run) -> None:
    feed, listener = RunFeed.of(VendorRun()), Listener()
    assert not feed.info.controls
    feed.subscribe(listener.changed)
    wait_until(lambda: not feed.reading, "done")
    assert epochs(feed) == [1, 2, 3]
    assert feed.info.status == "done"
    assert np.isnan(feed.log.column("validation_loss")[1])
    with pytest.raises(ValueError, match="cannot be paused"):
        feed.control("pause")


class VendorPredictor:
    """As the vendor's: no events, no refresh, no lists; metrics come once it is trained."""

    def __init__(self) -> None:
        self.id, self.name, self.status, self.polls = f"p-{id(self)}", "theirs", "training", 0

    def get_metrics(self) -> dict[str, Any]:
        self.polls += 1
        if self.polls < 3:
            return {}
        rows = [
            {"epoch_idx": i, "loss": 1 / (i + 1), "validation_loss": 0.5, "metrics": {"auc": 0.8}}
            for i in range(3)
        ]
        return {"training_info": rows, "final_metrics": {"auc": 0.8}}


def test_a_predictor_of_another_client_is_polled(run: Run) -> None:
    predictor, listener = VendorPredictor(), Listener()
    feed = RunFeed.of(predictor)
    feed.subscribe(listener.changed)
    wait_until(lambda: not feed.reading, "done")
    assert epochs(feed) == [1, 2, 3]
    assert feed.log.column("auc").tolist() == [0.8] * 3
    assert (feed.info.status, predictor.polls) == ("done", 4)


def test_unknown_actions_are_refused(run: Run) -> None:
    with pytest.raises(ValueError, match="known are pause, resume, stop"):
        RunFeed.of(run).control("delete")


def test_metric_log_versions_tell_what_still_holds() -> None:
    log = MetricLog()
    assert log.add({"epoch": 1, "train_loss": 2.0, "columns": {"a": {}}, "phase": "space"})
    version = log.version
    assert log.add({"epoch": 2, "loss": 1.0, "phase": "sphere"})
    assert log.version == version
    assert not log.add({"epoch": 2, "loss": 1.0, "phase": "sphere"})
    assert log.add({"epoch": 3, "loss": 1.0, "accuracy": 0.5, "phase": "space"})
    assert log.version > version
    assert not log.add({"loss": 3.0})
    assert not log.add({"epoch": None})
    assert log.columns == ("epoch", "loss", "phase", "accuracy")
    np.testing.assert_array_equal(log.block(1), [[2, 1, 1, np.nan], [3, 1, 0, 0.5]])
    assert log.block(3).shape == (0, 4)
    assert canonical("Val Loss") == "validation_loss"
