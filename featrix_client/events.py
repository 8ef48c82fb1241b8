"""What happens to a model, as it happens: the server's event stream, or polling in its place."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import requests

from featrix_client.errors import FeatrixConnectionError, FeatrixHTTPError
from featrix_client.state import is_open, training_job
from featrix_client.transport import Transport

EVENT_STREAM = "text/event-stream"
HEARTBEAT_S = 10.0
"""How often the server breaks its silence; twice that long without a byte, the line is dead."""

POLL_S = 2.0
"""Pause between questions to a server without an event stream."""

_RECONNECT_S = 1.0
_REST_OF_A_JOB_S = 1.0
_NO_STREAM = (404, 405, 406, 501)


class Event(NamedTuple):
    """One event of a model.

    Attributes
    ----------
    seq : int
        Its number; grows by one or more. ``events(after=seq)`` goes on behind it.
    kind : str
        ``status``, ``epoch``, ``frame`` or ``done``.
    data : dict
        What the server says about it.
    """

    seq: int
    kind: str
    data: dict[str, Any]


class StreamUnsupportedError(Exception):
    """The server has no event stream."""


def iter_events(
    transport: Transport, session_id: str, after: int = 0, job_id: str | None = None
) -> Iterator[Event]:
    """Yield the events of a model until none of its jobs is open any more.

    A broken connection is opened again where it broke; a server without a stream is polled.

    Parameters
    ----------
    transport : Transport
        The way to the server.
    session_id : str
        The model.
    after : int
        Leave out events up to this number.
    job_id : str, optional
        Only the events of this job, until it is no longer open.

    Raises
    ------
    FeatrixHTTPError
        If the server does not know the model.
    FeatrixConnectionError
        If the server stays away.
    """
    try:
        while True:
            try:
                for event in open_stream(transport, session_id, after, 2 * HEARTBEAT_S):
                    after = event.seq
                    if job_id in (None, event.data.get("job_id")):
                        yield event
                        if job_id and event.kind == "done":
                            break  # others may keep the stream open for long
            except FeatrixConnectionError:
                pass  # the question below has the patience, and finds a server that has moved
            if not is_open(transport.get(f"/compute/session/{session_id}"), job_id):
                # Said last and perhaps after the line broke: what the stream still owes.
                yield from _rest(transport, session_id, after, job_id)
                return
            time.sleep(_RECONNECT_S)
    except StreamUnsupportedError:
        yield from _poll(transport, session_id, after, job_id)


def open_stream(
    transport: Transport, session_id: str, after: int, timeout: float
) -> Iterator[Event]:
    """Yield events from one connection, until the server ends it.

    Parameters
    ----------
    timeout : float
        Longest silence in seconds.

    Raises
    ------
    StreamUnsupportedError
        If the server has no event stream.
    FeatrixConnectionError
        If the connection cannot be made, breaks, or is silent for too long.
    """
    path = f"/compute/session/{session_id}/events"
    try:
        with transport.stream(
            path, params={"after": after}, accept=EVENT_STREAM, timeout=timeout
        ) as response:
            if not response.headers.get("Content-Type", "").startswith(EVENT_STREAM):
                raise StreamUnsupportedError
            yield from parse_stream(response.iter_content(chunk_size=None))
    except FeatrixHTTPError as error:
        if error.status not in _NO_STREAM:
            raise
        transport.get(f"/compute/session/{session_id}")  # an unknown model is an error of its own
        raise StreamUnsupportedError from error
    except requests.RequestException as error:
        if isinstance(error, FeatrixConnectionError):
            raise
        raise FeatrixConnectionError(f"The event stream broke: {error}") from error


def parse_stream(chunks: Iterable[bytes]) -> Iterator[Event]:
    """Read server-sent events (WHATWG HTML, 9.2) whose ids are numbers and whose data is JSON.

    Lines without a number, such as heartbeat comments, are passed over.
    """
    seq, kind, data = 0, "message", ""
    for line in _lines(chunks):
        if not line:
            if seq and data:
                yield Event(seq, kind, json.loads(data))
            seq, kind, data = 0, "message", ""
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "id" and value.isdecimal():
            seq = int(value)
        elif name == "event":
            kind = value
        elif name == "data":
            data += value + "\n"


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.removesuffix(b"\r").decode("utf-8")


def _rest(transport: Transport, session_id: str, after: int, job_id: str | None) -> Iterator[Event]:
    # What is owed comes at once; of other jobs the stream may tell for long.
    patience = HEARTBEAT_S if job_id is None else _REST_OF_A_JOB_S
    deadline = time.monotonic() + patience
    try:
        for event in open_stream(transport, session_id, after, patience):
            if job_id in (None, event.data.get("job_id")):
                yield event
            if job_id is not None and time.monotonic() > deadline:
                return
    except FeatrixConnectionError:
        return


# ------------------------------------------------------------------ polling


def _poll(transport: Transport, session_id: str, after: int, job_id: str | None) -> Iterator[Event]:
    """Make the same events from the status and the training metrics.

    Such a server keeps no numbers, so all of the history is told, numbered from `after` on.
    """
    log = _PolledLog(after, job_id)
    while True:
        body = transport.get(f"/compute/session/{session_id}")
        try:
            metrics = transport.get(f"/compute/session/{session_id}/training_metrics")
        except FeatrixHTTPError as error:
            if error.status not in (404, 409, 422):
                raise
            metrics = {}  # there are none before the first epoch
        yield from log.news(body, metrics)
        if not is_open(body, job_id):
            return
        time.sleep(POLL_S)


@dataclass
class _PolledLog:
    """Finds what is new in polled answers; with `only`, about one predictor's job."""

    seq: int
    only: str | None = None
    epochs_told: int = 0
    states: dict[str, Any] = field(default_factory=dict)

    def news(self, body: dict[str, Any], metrics: dict[str, Any]) -> Iterator[Event]:
        jobs = body.get("jobs") or {}
        if self.only is None:
            job_id, job = training_job(jobs)
            reports = _epoch_reports(metrics.get("data") or {})
        else:
            job_id, job = self.only, jobs.get(self.only, {})
            jobs = {self.only: job}
            reports = predictor_reports(metrics, job.get("target_column"))
        for report in reports[self.epochs_told :]:
            about = {"job_id": job_id, "total_epochs": job.get("total_epochs")}
            yield self._event("epoch", about | report)
            self.epochs_told += 1
        for key, job in jobs.items():
            state = {name: job.get(name) for name in ("status", "requested", "error")}
            if self.states.get(key) != state:
                self.states[key] = state
                yield self._event("status", {"job_id": key, **state})
        if not is_open(body, self.only):
            yield self._event("done", {"job_id": job_id})

    def _event(self, kind: str, data: dict[str, Any]) -> Event:
        self.seq += 1
        return Event(self.seq, kind, data)


_EVENT_WORDS = {"epochs": "epoch", "train_loss": "loss", "val_loss": "validation_loss"}


def _epoch_reports(series: dict[str, Any]) -> list[dict[str, Any]]:
    """The metric lists epoch by epoch, in the words of the event stream."""
    lists = {name: values for name, values in series.items() if isinstance(values, list)}
    return [
        {
            _EVENT_WORDS.get(name, name): values[place]
            for name, values in lists.items()
            if place < len(values)
        }
        for place in range(len(lists.get("epochs", ())))
    ]


def predictor_reports(metrics: dict[str, Any], target: str | None = None) -> list[dict[str, Any]]:
    """Epoch by epoch, what the training metrics say of a predictor, in the stream's words.

    Parameters
    ----------
    target : str, optional
        The column it predicts: metrics of another one are passed over.
    """
    told = metrics.get("training_metrics") or {}
    if target is not None and told.get("target_column") not in (None, target):
        return []
    return [
        {
            "epoch": row["epoch_idx"] + 1,
            "loss": row.get("loss"),
            "validation_loss": row.get("validation_loss"),
            "learning_rate": (row.get("hyperparameters") or {}).get("learning_rate"),
            **(row.get("metrics") or {}),
        }
        for row in told.get("training_info") or ()
        if row.get("epoch_idx") is not None
    ]
