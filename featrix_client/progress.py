"""Progress bars: of an upload in bytes, of a training in epochs, of batches; and what is said when
something is interrupted. In a terminal or a notebook."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from featrix_client.state import TrainingState

PATIENCE_S = 1.0
"""What is over sooner gets no bar that was not asked for."""

SMALL_UPLOAD_BYTES = 4_000_000
"""An upload up to this size gets a bar only if it takes longer than `PATIENCE_S`."""

_REDRAW_S = 0.1
_WORDS = {
    "queued": "waiting for a worker",
    "running": "preparing",
    "paused": "paused; {called}.resume() goes on",
}


@contextmanager
def upload_bar(name: str, size: int) -> Iterator[Callable[[int], object]]:
    """Show how much of a file has been sent; of a small file only if that takes long.

    Yields
    ------
    callable
        To be called with the number of bytes sent so far.
    """
    from tqdm.auto import tqdm

    delay = 0 if size > SMALL_UPLOAD_BYTES else PATIENCE_S
    with tqdm(total=size, desc=f"Uploading {name}", unit="B", unit_scale=True, delay=delay) as bar:
        yield lambda sent: bar.update(sent - bar.n)


@contextmanager
def slow_bar(what: str, total: int | None, unit: str = "row") -> Iterator[Callable[[int], object]]:
    """Show how far something is, once it has taken longer than `PATIENCE_S`.

    What is done beside the main thread shows nothing: nobody waits for it.

    Yields
    ------
    callable
        To be called with how much more is done; with 0 to show that time passes.
    """
    look = {} if total is not None else {"bar_format": "{desc}: {elapsed}"}
    hidden = threading.current_thread() is not threading.main_thread()
    began, done, bar = time.monotonic(), 0, None

    def advance(more: int) -> None:
        nonlocal bar, done
        done += more
        waited = time.monotonic() - began
        if bar is not None:
            bar.update(more)
        elif waited >= PATIENCE_S and not hidden:
            # Not made before: in a notebook a bar is eleven widgets, shown or not.
            from tqdm.auto import tqdm

            bar = tqdm(total=total, desc=what, unit=unit, initial=done, **look)
            bar.start_t -= waited

    try:
        yield advance
    finally:
        if bar is not None:
            bar.close()


@contextmanager
def told_when_interrupted(words: Callable[[], str]) -> Iterator[None]:
    """Say in the `KeyboardInterrupt` what became of the work, instead of where it was."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(words()) from None


class TrainingBar:
    """A bar of epochs that names the loss and the time left.

    Parameters
    ----------
    name : str
        Name of the model.
    shown : bool
        False draws nothing.
    called : str
        The name that the words about it give to what is trained.
    """

    def __init__(self, name: str, shown: bool, called: str = "fm") -> None:
        from tqdm.auto import tqdm

        self._called = called
        self._bar = tqdm(
            desc=f"Training {name}",
            total=None,
            disable=not shown,
            bar_format="{desc}: {percentage:3.0f}%|{bar}| {unit}{postfix}",
        )
        self._start: tuple[float, int] | None = None  # time and epoch of the first report
        self._drawn = 0.0
        self._losses = ""
        self._finished = ""  # what to call the end, where more than epochs of the space is counted

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def show_epoch(self, report: dict[str, Any]) -> None:
        """Show the report of an epoch (see ``EpochReport`` of the server)."""
        epoch, now = int(report.get("epoch") or 0), time.monotonic()
        self._start = self._start or (now, epoch)
        total = report.get("total_epochs")
        self._move(epoch, total, _inside_phase(report))
        if report.get("phase") == "space" and report.get("phase_epoch"):
            self._finished = f"{report['phase_epoch']} epochs"
        parts: list[str] = []
        if report.get("loss") is not None:
            parts.append(f"loss {report['loss']:.4g}")
        if report.get("validation_loss") is not None:
            parts.append(f"validation {report['validation_loss']:.4g}")
        self._losses = ", ".join(parts)
        left = report.get("seconds_left")
        if "seconds_left" not in report and total and epoch > self._start[1]:
            left = (now - self._start[0]) / (epoch - self._start[1]) * (total - epoch)
        if report.get("phase") == "sphere":  # the space is learned, the losses stay as they are
            parts.append("placing rows on the sphere")
        if left is not None:
            parts.append(f"{readable_time(left)} left")
        self._bar.set_postfix_str(", ".join(parts), refresh=False)
        if now - self._drawn >= _REDRAW_S:  # small tables train many epochs a second
            self._drawn = now
            self._bar.refresh()

    def show_state(self, state: TrainingState) -> None:
        """Show where the training stands: waiting, paused, at its end."""
        if state.status == "done":
            # It may have stopped early.
            self._move(state.epoch or self._bar.n, state.epoch, self._finished)
            self._bar.set_postfix_str(self._losses, refresh=False)
        elif state.word == "paused" or not self._start:
            self._move(state.epoch or 0, state.total_epochs)
            words = _WORDS.get(state.word, state.word).format(called=self._called)
            self._bar.set_postfix_str(words, refresh=False)
        self._bar.refresh()

    def _move(self, epoch: int, total: int | None, words: str = "") -> None:
        if total and total != self._bar.total:
            self._bar.reset(total)
        self._bar.n = epoch
        self._bar.unit = words or f"epoch {epoch}/{total or '?'}"


def _inside_phase(report: dict[str, Any]) -> str:
    """How far its phase is; empty where the server tells no phases."""
    if not report.get("phase_epochs"):
        return ""
    word = "sphere" if report.get("phase") == "sphere" else "epoch"
    return f"{word} {report['phase_epoch']}/{report['phase_epochs']}"


def readable_time(seconds: float) -> str:
    """Return a duration in the unit a person would use, as ``"48 s"`` or ``"2 h 05 min"``."""
    whole = round(max(seconds, 0))
    if whole < 100:
        return f"{whole} s"
    minutes = round(whole / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
