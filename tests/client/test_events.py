"""The event stream, its interruptions, and polling where there is none."""

from __future__ import annotations

import json

import pytest

from featrix_client import FeatrixSphere, FeatrixTimeoutError, FeatrixTrainingError, events
from featrix_client.events import Event, iter_events, parse_stream
from featrix_client.retries import RetryPolicy
from featrix_client.transport import Address, Transport
from tests.client.scripted import Answer


def sse(seq: int, kind: str, **data: object) -> bytes:
    return f"id: {seq}\nevent: {kind}\ndata: {json.dumps(data)}\n\n".encode()


def status(word: str, **job: object) -> Answer:
    return Answer(
        {
            "session": {"session_id": "m-1", "name": "m", "status": word, "final_loss": 1.0},
            "jobs": {"j1": {"job_type": "train_es", "status": word, **job}},
        }
    )


STREAM = {"Content-Type": "text/event-stream; charset=utf-8"}


class Script:
    """A server of one model: its status in turn, and its stream piece by piece."""

    def __init__(self, statuses: list[Answer], streams: list[Answer]) -> None:
        self.statuses, self.streams = statuses, streams
        self.metrics = Answer({"data": {}})

    def __call__(self, request) -> Answer:
        if "/events" in request.path:
            return self.streams.pop(0) if len(self.streams) > 1 else self.streams[0]
        if "/training_metrics" in request.path:
            return self.metrics
        if "/columns" in request.path:
            return Answer({"column_names": ["a", "b"]})
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]


@pytest.fixture
def connect(serve, monkeypatch):
    """Serve a script and return (server, transport), with short pauses."""
    monkeypatch.setattr(events, "POLL_S", 0.01)
    monkeypatch.setattr(events, "_RECONNECT_S", 0.01)

    def start(script: Script):
        server = serve(script)
        return server, Transport(Address(server.url, None), policy=RetryPolicy(base_delay=0.01))

    return start


def test_the_stream_is_read_whatever_the_pieces():
    text = (
        b": hello\n\n"
        + sse(3, "epoch", epoch=1, name="Zo\u00eb")
        + sse(9, "done").replace(b"\n", b"\r\n")
    )
    text += b"data: without a number\n\nid: 10\nevent: cut off"
    expected = [Event(3, "epoch", {"epoch": 1, "name": "Zoë"}), Event(9, "done", {})]
    assert list(parse_stream([text])) == expected
    assert list(parse_stream([text[i : i + 1] for i in range(len(text))])) == expected


def test_data_of_several_lines():
    assert list(parse_stream([b'id: 1\ndata: {"a":\ndata: 1}\n\n'])) == [
        Event(1, "message", {"a": 1})
    ]


def test_a_cut_stream_goes_on_where_it_broke(connect):
    script = Script(
        [status("running"), status("done")],
        [
            Answer(
                headers=STREAM, chunks=(sse(1, "epoch", epoch=1), sse(4, "epoch", epoch=2)[:20])
            ),
            Answer(headers=STREAM, chunks=(sse(4, "epoch", epoch=2), sse(5, "done"))),
            Answer(headers=STREAM, chunks=(b": nothing more\n\n",)),
        ],
    )
    server, transport = connect(script)
    assert [event.seq for event in iter_events(transport, "m-1")] == [1, 4, 5]
    asked = [request.path for request in server.requests if "/events" in request.path]
    assert [path.rpartition("=")[2] for path in asked] == ["0", "1", "5"]


@pytest.mark.parametrize(
    "no_stream", [Answer(status=404), Answer(status=405), Answer({"hello": "there"})]
)
def test_a_server_without_a_stream_is_polled(connect, no_stream):
    script = Script([status("running"), status("running"), status("done")], [no_stream])
    script.metrics = Answer(
        {
            "data": {
                "epochs": [1, 2],
                "train_loss": [3.0, 2.0],
                "val_loss": [3.1, None],
                "d_model": 64,
            }
        }
    )
    _, transport = connect(script)
    told = list(iter_events(transport, "m-1", after=7))
    assert [event.seq for event in told] == [8, 9, 10, 11, 12]
    assert [event.kind for event in told] == ["epoch", "epoch", "status", "status", "done"]
    first = {"job_id": "j1", "total_epochs": None, "epoch": 1, "loss": 3.0, "validation_loss": 3.1}
    assert told[0].data == first
    assert [event.data["status"] for event in told[2:4]] == ["running", "done"]


def test_an_unknown_model_is_an_error(connect):
    script = Script([Answer({"error": "no such model"}, 404)], [Answer({"error": "no"}, 404)])
    _, transport = connect(script)
    with pytest.raises(Exception, match="no such model"):
        list(iter_events(transport, "m-1"))


# ------------------------------------------------------------------ waiting


def model(serve, script: Script):
    return FeatrixSphere(serve(script).url).foundational_model("m-1")


def test_waiting_shows_epoch_loss_and_time_left(serve, capsys):
    epoch = {
        "epoch": 3,
        "total_epochs": 10,
        "loss": 1.23456,
        "validation_loss": 1.5,
        "seconds_left": 48,
    }
    script = Script(
        [status("queued"), status("queued"), status("done", current_epoch=4, total_epochs=10)],
        [
            Answer(
                headers=STREAM, chunks=(sse(1, "epoch", **epoch), sse(2, "status", status="done"))
            )
        ],
    )
    fm = model(serve, script)
    assert fm.wait_for_training() is fm
    shown = capsys.readouterr().err
    assert "Training m" in shown
    assert "waiting for a worker" in shown
    assert "epoch 3/10, loss 1.235, validation 1.5, 48 s left" in shown
    assert "100%" in shown
    assert "epoch 4/4" in shown  # it stopped early
    assert (fm.status, fm.epochs, fm.final_loss, fm.columns) == ("done", 4, 1.0, ["a", "b"])


def test_the_bar_counts_the_epochs_that_were_asked_for(serve, capsys):
    space = {"epoch": 25, "phase": "space", "phase_epoch": 25, "phase_epochs": 25, "loss": 1.0}
    sphere = {"epoch": 29, "phase": "sphere", "phase_epoch": 4, "phase_epochs": 10, "loss": 1.0}
    known = {"total_epochs": 35, "seconds_left": None}
    reports = sse(1, "epoch", **space, **known), sse(2, "epoch", **sphere, **known)
    shown = []
    for count in (1, 2):
        chunks = (*reports[:count], sse(3, "status", status="done"))
        script = Script(
            [status("queued"), status("queued"), status("done", current_epoch=35, total_epochs=35)],
            [Answer(headers=STREAM, chunks=chunks)],
        )
        model(serve, script).wait_for_training()
        shown.append(capsys.readouterr().err)
    assert "epoch 25/25, loss 1" in shown[0]
    assert " left" not in shown[0]  # the server does not know yet
    assert "25 epochs" in shown[1]
    assert "35" not in shown[0] + shown[1]


def test_waiting_without_a_bar_and_without_a_stream(serve, capsys):
    script = Script([status("running")] * 3 + [status("done")], [Answer(status=404)])
    fm = model(serve, script)
    capsys.readouterr()
    fm.wait_for_training(poll_interval=0.01, show_progress=False)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "stream", [Answer(status=404), Answer(headers=STREAM, chunks=(b": hi\n\n",))]
)
def test_a_timeout_says_where_it_stands_and_that_it_goes_on(serve, stream):
    script = Script([status("running", current_epoch=2, total_epochs=9)], [stream])
    fm = model(serve, script)
    with pytest.raises(
        TimeoutError, match=r"not done after 0.2 s \(running, epoch 2 of 9\)"
    ) as caught:
        fm.wait_for_training(max_wait_time=0.2, poll_interval=0.05)
    assert isinstance(caught.value, FeatrixTimeoutError)
    assert "goes on by itself" in caught.value.hint


@pytest.mark.parametrize("before", [0, 2])
def test_a_failure_names_the_cause(serve, before):
    script = Script(
        [status("running")] * before + [status("failed", error="the disk is full")],
        [Answer(status=404)],
    )
    fm = model(serve, script)
    with pytest.raises(RuntimeError, match="failed: the disk is full") as caught:
        fm.wait_for_training(poll_interval=0.01)
    assert isinstance(caught.value, FeatrixTrainingError)
    assert fm.status == "error"


def test_a_cancelled_training_is_a_failure(serve):
    fm = model(serve, Script([status("cancelled")], [Answer(status=404)]))
    with pytest.raises(RuntimeError, match="was cancelled"):
        fm.wait_for_training()


def test_poll_interval_must_be_above_0(serve):
    fm = model(serve, Script([status("running")], [Answer(status=404)]))
    with pytest.raises(ValueError, match="poll_interval"):
        fm.wait_for_training(poll_interval=0)
