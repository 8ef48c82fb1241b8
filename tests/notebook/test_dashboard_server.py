"""A dashboard on a real server: a model and its predictor, a pause, a server that is killed.

Whoever looks, and whenever, sees the same.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from featrix_client import FeatrixSphere
from featrix_notebook import TrainingDashboard
from featrix_notebook.live import ENDED
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(600)


class Page:
    """Keeps what a page would: the state, and what is appended; it asks again after a gap."""

    def __init__(self, dashboard: TrainingDashboard) -> None:
        self.dashboard = dashboard
        self.infos: list[dict[str, Any]] = []
        self.names: list[list[str]] = []
        self.rows: list[np.ndarray] = []
        self.seen: list[set[tuple[str, str | None]]] = []
        self.seq = -1
        self.replies: list[dict[str, Any]] = []
        dashboard.send = self.take
        self.ask("resync")

    def ask(self, kind: str, **body: Any) -> None:
        self.dashboard._handle_custom_msg({"kind": kind, **body}, [])

    def take(self, message: dict[str, Any], buffers: list[memoryview]) -> None:
        if message["kind"] == "reply":
            self.replies.append(message)
            return
        if message["kind"] == "state":
            infos = [dict(info) for info in message["runs"]]
            self.names = message["columns"]
            self.rows = [np.empty((0, len(names))) for names in self.names]
            self.seen = self.seen or [set() for _ in infos]
        else:
            assert message["seq"] == self.seq + 1, "a message is missing"
            infos = [old | news for old, news in zip(self.infos, message["runs"], strict=True)]
        self.seq = message["seq"]
        for part, data in zip(message["parts"], buffers, strict=True):
            assert part["codec"] == "raw"
            run = int(part["name"])
            block = np.frombuffer(data, "<f8").reshape(part["shape"])
            self.rows[run] = np.concatenate([self.rows[run], block])
        self.infos = infos  # last: who sees that a run has ended has all of its rows
        for seen, info in zip(self.seen, self.infos, strict=True):
            seen.add((info["status"], info["requested"]))

    def status(self, run: int = 0) -> str:
        return str(self.infos[run]["status"])

    def table(self, run: int = 0) -> pd.DataFrame:
        table = pd.DataFrame(self.rows[run], columns=self.names[run])
        return table[sorted(table)]


def kill_server(home: Path) -> int:
    pid = int(json.loads((home / "server.json").read_text())["pid"])
    os.kill(pid, signal.SIGKILL)
    return pid


def test_watched_live_over_a_pause_and_a_killed_server_or_opened_late(
    featrix: FeatrixSphere, featrix_home: Path, animals: pd.DataFrame
) -> None:
    fm = featrix.create_foundational_model(name="watched", df=animals, epochs=25)
    dashboard = TrainingDashboard(fm)
    page = Page(dashboard)
    wait_until(lambda: len(page.table()) >= 2, "two epochs", 300)
    page.ask("control", id="1", run=0, action="pause")
    wait_until(lambda: page.status() == "paused", "the job is paused")
    assert fm.refresh()["jobs"][fm.training_state.job_id]["status"] == "paused"
    page.ask("control", id="2", run=0, action="resume")
    wait_until(lambda: page.status() == "running", "the job goes on")
    killed = kill_server(featrix_home)
    wait_until(lambda: page.status() in ENDED, "the training ends all the same", 300)
    assert page.status() == "done"
    assert json.loads((featrix_home / "server.json").read_text())["pid"] != killed
    assert [reply["error"] for reply in page.replies] == [None, None]
    epochs = page.table()["epoch"].tolist()
    assert epochs == list(range(1, len(epochs) + 1))
    predictor = fm.create_binary_classifier(target_column="sex", epochs=4)
    both = TrainingDashboard([fm, predictor])
    live = Page(both)
    wait_until(lambda: live.status(1) in ENDED, "the predictor is trained", 300)
    assert live.table(1)["validation_loss"].notna().all()
    # Another client, that has seen nothing of it.
    anew = FeatrixSphere()
    late_fm = anew.foundational_model(fm.id)
    late = Page(TrainingDashboard([late_fm, anew.predictor(predictor.id, fm.id)]))
    wait_until(
        lambda: not any(source.reading for source in late.dashboard._sources),
        "it has read to the end",
    )
    # What was read last is told within a tenth of a second.
    wait_until(lambda: (late.status(0), late.status(1)) == ("done", "done"), "the page has it")
    pd.testing.assert_frame_equal(late.table(0), page.table(0))
    pd.testing.assert_frame_equal(late.table(1), live.table(1))
    assert late.infos[0] == page.infos[0]
    assert late.infos[1] == live.infos[1]
    for widget in (dashboard, both, late.dashboard):
        widget.close()
