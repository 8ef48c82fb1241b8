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
from featrix_client.state import TrainingState, training_state

if TYPE_CHECKING:
    from featrix_client.foundational_model import FoundationalModel

_ENDS = ("done", "failed", "cancelled")
_BREATH_S = 0.1  # between two questions when the server ends its streams at once


def wait_for_training(
    fm: FoundationalModel, max_wait_time: float, poll_interval: float, show_progress: bool
) -> None:
    """Return when the model is trained; see `FoundationalModel.wait_for_training`."""
    if not poll_interval > 0:
        raise FeatrixInputError(
            f"poll_interval must be a number of seconds above 0, not {poll_interval!r}.",
            field="poll_interval",
        )
    state = training_state(fm.refresh())
    if state.status != "training":
        _raise_if_failed(fm, state)
        return
    try:
        with TrainingBar(fm.name, show_progress) as bar:
            _watch(fm, bar, state, max_wait_time, poll_interval)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"The training of {fm.name!r} goes on by itself. fm.wait_for_training() watches it "
            "again, fm.pause() pauses it, fm.stop() ends it and keeps the best epoch."
        ) from None


def _watch(
    fm: FoundationalModel,
    bar: TrainingBar,
    state: TrainingState,
    max_wait_time: float,
    poll_interval: float,
) -> None:
    deadline = time.monotonic() + max_wait_time
    after, streaming = 0, True
    while True:
        bar.show_state(state)
        if state.status != "training":
            _raise_if_failed(fm, state)
            return
        left = deadline - time.monotonic()
        if left <= 0:
            raise _timeout_error(fm, state, max_wait_time)
        # Shorter than the server's heartbeat, so that silence returns here in time.
        silence = min(poll_interval, left, HEARTBEAT_S / 2)
        if streaming:
            try:
                after = _follow(fm, bar, after, silence, deadline)
            except StreamUnsupportedError:
                streaming = False
        else:
            time.sleep(min(poll_interval, left))
        try:
            state = training_state(fm.refresh())
        except FeatrixConnectionError:
            if time.monotonic() >= deadline:
                raise
            # The server may be on its way back, and the training with it.
        time.sleep(_BREATH_S if streaming and state.status == "training" else 0)


def _follow(
    fm: FoundationalModel, bar: TrainingBar, after: int, silence: float, deadline: float
) -> int:
    """Show events until silence, an end, or the deadline; return the last one's number."""
    try:
        for event in open_stream(fm._transport, fm.id, after, silence):
            after = event.seq
            if event.kind == "epoch":
                bar.show_epoch(event.data)
            ended = event.kind == "status" and event.data.get("status") in _ENDS
            if ended or time.monotonic() >= deadline:
                break
    except FeatrixConnectionError:
        pass  # silence or a broken line; the status tells which
    return after


def _timeout_error(
    fm: FoundationalModel, state: TrainingState, max_wait_time: float
) -> FeatrixTimeoutError:
    return FeatrixTimeoutError(
        f"The training of {fm.name!r} is not done after {max_wait_time:g} s "
        f"({state.word}, epoch {state.epoch or 0} of {state.total_epochs or '?'}).",
        hint="It goes on by itself: call wait_for_training() again, perhaps with a larger "
        "max_wait_time, or fm.stop() to end it and keep the best epoch.",
    )


def _raise_if_failed(fm: FoundationalModel, state: TrainingState) -> None:
    if state.status != "error":
        return
    if state.word == "cancelled":
        raise FeatrixTrainingError(
            f"The training of {fm.name!r} was cancelled.",
            hint="create_foundational_model() starts a new one.",
        )
    raise FeatrixTrainingError(
        f"The training of {fm.name!r} failed: {state.error or 'the server gives no reason'}",
        hint="Mend the cause and create the model again; fm.refresh()['jobs'] holds the details"
        + (", `featrix-server logs` the log." if fm._transport.is_local else "."),
    )
