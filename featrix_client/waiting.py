"""Waiting for a training: in the caller's thread, interruptible, without slowing the server."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from featrix_client.errors import (
    FeatrixConnectionError,
    FeatrixInputError,
    FeatrixTimeoutError,
    FeatrixTrainingError,
)
from featrix_client.events import HEARTBEAT_S, StreamUnsupportedError, open_stream
from featrix_client.progress import TrainingBar
from featrix_client.state import TrainingState

if TYPE_CHECKING:
    from featrix_client.run import TrainingRun

_ENDS = ("done", "failed", "cancelled")
_BREATH_S = 0.1  # between two questions when the server ends its streams at once


def wait_for_training(
    run: TrainingRun, max_wait_time: float, poll_interval: float, show_progress: bool
) -> None:
    """Return when the run is trained; see `TrainingRun.wait_for_training`."""
    if not poll_interval > 0:
        raise FeatrixInputError(
            f"poll_interval must be a number of seconds above 0, not {poll_interval!r}.",
            field="poll_interval",
        )
    run.refresh()
    if run.status != "training":
        _raise_if_failed(run)
        return
    word = run.called
    try:
        with TrainingBar(run.name, show_progress, called=word) as bar:
            _watch(run, bar, max_wait_time, poll_interval)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"The training of {run.name!r} goes on by itself. {word}.wait_for_training() watches "
            f"it again, {word}.pause() pauses it, {word}.stop() ends it and keeps the best epoch."
        ) from None


def _watch(run: TrainingRun, bar: TrainingBar, max_wait_time: float, poll_interval: float) -> None:
    deadline = time.monotonic() + max_wait_time
    after, streaming = 0, True
    while True:
        bar.show_state(run.training_state)
        if run.status != "training":
            _raise_if_failed(run)
            return
        left = deadline - time.monotonic()
        if left <= 0:
            raise _timeout_error(run, run.training_state, max_wait_time)
        # Shorter than the server's heartbeat, so that silence returns here in time.
        silence = min(poll_interval, left, HEARTBEAT_S / 2)
        if streaming:
            try:
                after = _follow(run, bar, after, silence, deadline)
            except StreamUnsupportedError:
                streaming = False
        else:
            time.sleep(min(poll_interval, left))
        try:
            run.refresh()
        except FeatrixConnectionError:
            if time.monotonic() >= deadline:
                raise
            # The server may be on its way back, and the training with it.
        time.sleep(_BREATH_S if streaming and run.status == "training" else 0)


def _follow(run: TrainingRun, bar: TrainingBar, after: int, silence: float, deadline: float) -> int:
    """Show the run's events until silence, its end, or the deadline; return the last's number."""
    own = (None, run.training_state.job_id)
    try:
        for event in open_stream(run._transport, run._session_id, after, silence):
            after = event.seq
            mine = own[1] is None or event.data.get("job_id") in own
            if event.kind == "epoch" and mine:
                bar.show_epoch(event.data)
            ended = event.kind == "status" and mine and event.data.get("status") in _ENDS
            if ended or time.monotonic() >= deadline:
                break
    except FeatrixConnectionError:
        pass  # silence or a broken line; the status tells which
    return after


def _timeout_error(
    run: TrainingRun, state: TrainingState, max_wait_time: float
) -> FeatrixTimeoutError:
    return FeatrixTimeoutError(
        f"The training of {run.name!r} is not done after {max_wait_time:g} s "
        f"({state.word}, epoch {state.epoch or 0} of {state.total_epochs or '?'}).",
        hint="It goes on by itself: call wait_for_training() again, perhaps with a larger "
        f"max_wait_time, or {run.called}.stop() to end it and keep the best epoch.",
    )


def _raise_if_failed(run: TrainingRun) -> None:
    state = run.training_state
    if state.status != "error":
        return
    if state.word == "cancelled":
        raise FeatrixTrainingError(
            f"The training of {run.name!r} was cancelled.", hint=f"{run.made_by} starts a new one."
        )
    raise FeatrixTrainingError(
        f"The training of {run.name!r} failed: {state.error or 'the server gives no reason'}",
        hint=f"Mend the cause and create it again; {run.called}.refresh()['jobs'] holds the details"
        + (", `featrix-server logs` the log." if run._transport.is_local else "."),
    )
