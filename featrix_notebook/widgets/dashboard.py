"""TrainingDashboard: the curve of one or several trainings, live or finished."""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import traitlets

from ..live import ACTIONS, ENDED, RunFeed, RunInfo
from ..metric_log import SPHERE, MetricLog, canonical
from . import wire
from .base import FeatrixWidget

_COMPRESS_FROM = 64 * 1024


class FixedLog:
    """A log that is already complete, with the part of :class:`RunFeed` a dashboard needs."""

    reading = False

    def __init__(self, log: MetricLog, name: str) -> None:
        self.log = log
        self.info = RunInfo(name=name, status="data")
        self.lock = threading.RLock()

    def subscribe(self, callback: Any) -> None:
        """Nothing will change, so nobody needs to be called."""

    def unsubscribe(self, callback: Any) -> None:
        """See :meth:`subscribe`."""

    def control(self, action: str) -> None:
        """There is nothing to pause or stop behind plain numbers."""
        raise ValueError("A plain log cannot be paused or stopped.")


Source = RunFeed | FixedLog


class TrainingDashboard(FeatrixWidget):
    """Loss, learning rate and gradient norm of a training, with pause, resume and stop.

    Every epoch is kept and can be zoomed into; a training that runs is followed by a background
    thread, so the kernel stays free. What the output shows last is stored with the notebook.

    Parameters
    ----------
    run_or_runs
        A foundational model or a predictor (trained, training, or waiting to be), of this client or
        another one with the same methods; or a log: a
        DataFrame or a mapping of columns with ``loss`` and, where known, ``epoch``, ``step`` (steps
        taken until then), ``time`` (seconds since the start), ``validation_loss``,
        ``learning_rate``, ``gradient_norm`` and any further numbers. A sequence of these, or a
        mapping of names to these, shows several at once; they are compared by epoch, step or time.
    **kwargs
        Options of every widget, such as ``layout``.

    Raises
    ------
    TypeError
        If something given is neither a run nor a log.
    ValueError
        If a log has no usable column, or columns of different lengths.

    Examples
    --------
    >>> TrainingDashboard(fm)  # doctest: +SKIP
    >>> TrainingDashboard({"loss": [3.1, 2.4, 2.2], "val_loss": [3.2, 2.6, 2.5]})  # doctest: +SKIP
    """

    _bundle = "dashboard"
    _sources: Sequence[Source] = ()  # so that a widget whose constructor raised can be closed
    snapshot = traitlets.Dict().tag(sync=True)

    def __init__(self, run_or_runs: Any, **kwargs: Any) -> None:
        self._sources = sources(run_or_runs)
        # Runs may be called the same, so what they are called here goes first.
        named = isinstance(run_or_runs, Mapping) and not _is_log(run_or_runs)
        given = run_or_runs if named else (source.info.name for source in self._sources)
        self._names = list(map(str, given))
        self._send_lock = threading.RLock()
        self._seq = 0
        self._heard = False
        self._sent: list[tuple[int, int]] = []
        self._told: list[dict[str, Any]] = []  # what pages know of the runs
        super().__init__(**kwargs)
        if self._complete:
            self._store()
        self.on_msg(self._receive)
        for source in self._sources:
            source.subscribe(self._updated)

    # -------------------------------------------------------------- to the page

    @property
    def _complete(self) -> bool:
        return all(s.info.status in ENDED | {"data"} and len(s.log) for s in self._sources)

    def _updated(self, feed: RunFeed) -> None:
        """Send what is new; called from the feed's thread, at most ten times a second."""
        with self._send_lock:
            ended = feed.info.status in ENDED
            rewritten = any(
                version != source.log.version
                for source, (version, _) in zip(self._sources, self._sent, strict=False)
            )
            # Until a page has spoken nobody knows whether one listened to the last frame: a page
            # that opens while the kernel is busy is served without having to be heard.
            if rewritten or not self._heard or not self._sent:
                self.send(*self._state())
            else:
                self.send(*self._append())
            if ended and self._complete:
                self._store()
        if ended:
            self.refresh_outputs()

    def _state(self) -> tuple[wire.Message, list[memoryview]]:
        return self._frame("state", [0] * len(self._sources))

    def _apart(self) -> tuple[wire.Message, list[memoryview]]:
        """The whole state, for others than the pages with a kernel, which have got nothing new."""
        with self._send_lock:
            known = self._sent, self._told
            state = self._state()
            self._sent, self._told = known
        return state

    def _append(self) -> tuple[wire.Message, list[memoryview]]:
        self._seq += 1
        return self._frame("append", [rows for _, rows in self._sent])

    def _frame(self, kind: str, starts: list[int]) -> tuple[wire.Message, list[memoryview]]:
        """All runs from the given rows on; one row-major float64 block a run."""
        blocks: dict[str, Any] = {}
        infos: list[dict[str, Any]] = []
        columns, sent = [], []
        for i, (source, start) in enumerate(zip(self._sources, starts, strict=True)):
            with source.lock:
                infos.append({**asdict(source.info), "name": self._names[i]})
                columns.append(list(source.log.columns))
                if len(source.log) > start:
                    blocks[str(i)] = source.log.block(start)
                sent.append((source.log.version, len(source.log)))
        self._sent = sent
        # While a run goes on little of this changes, and it would be most of each message.
        told, self._told = self._told, infos
        if kind == "append":
            infos = [
                {key: value for key, value in info.items() if before[key] != value}
                for info, before in zip(infos, told, strict=True)
            ]
        size = sum(block.nbytes for block in blocks.values())
        extra: dict[str, Any] = {"columns": columns} if kind == "state" else {}
        return wire.frame(
            kind,
            self._seq,
            blocks,
            dtypes=dict.fromkeys(blocks, "f8"),
            codec="deflate" if size > _COMPRESS_FROM else "raw",
            runs=infos,
            **extra,
        )

    def _store(self) -> None:
        """Put the whole content into the widget's state, for pages with no kernel behind them."""
        self.snapshot = _as_text(*self._apart())

    def _page_title(self) -> str:
        return ", ".join(self._names)

    def _page_part(self, *, brief: bool = False) -> dict[str, Any]:
        part = super()._page_part(brief=brief)
        message, buffers = self._apart()
        for run in message["runs"]:
            run["controls"] = False
        return {**part, "state": {**part["state"], "snapshot": _as_text(message, buffers)}}

    # ------------------------------------------------------------ from the page

    def _receive(self, _widget: Any, content: Any, _buffers: Any) -> None:
        kind = content.get("kind") if isinstance(content, Mapping) else None
        if kind == "resync":
            with self._send_lock:
                self._heard = True
                self.send(*self._state())
        elif kind == "control":
            # The server may take a while, and this thread has other messages to serve.
            threading.Thread(target=self._control, args=(dict(content),), daemon=True).start()

    def _control(self, request: Mapping[str, Any]) -> None:
        run, action, error = request.get("run"), request.get("action"), None
        try:
            if not isinstance(run, int) or not 0 <= run < len(self._sources):
                raise ValueError(f"There is no run {run!r} in this dashboard.")
            if action not in ACTIONS:
                raise ValueError(f"Unknown action {action!r}; known are {', '.join(ACTIONS)}.")
            self._sources[run].control(action)
        except Exception as failure:  # any refusal is shown on the page, beside the buttons
            error = f"Could not {action}: {failure}"
        with self._send_lock:
            message, buffers = wire.frame(
                "reply", self._seq, {}, id=str(request.get("id")), run=run, error=error
            )
            self.send(message, buffers)

    # ------------------------------------------------------------ in other media

    def summary(self) -> str:
        """One line a run: state, epoch and losses."""
        return "\n".join(
            f"TrainingDashboard: {_in_words(name, source)}"
            for name, source in zip(self._names, self._sources, strict=True)
        )

    def snapshot_png(self) -> bytes | None:
        """The curves as PNG; None before the first epoch."""
        from .still import curves_png  # matplotlib is loaded when a picture is wanted

        logs = []
        for name, source in zip(self._names, self._sources, strict=True):
            with source.lock:
                if len(source.log):
                    table = pd.DataFrame(source.log.block(), columns=source.log.columns)
                    logs.append((name, table, source.info.best_epoch))
        return curves_png(logs) if logs else None

    def close(self) -> None:
        """Stop following the runs and take the widget off the page; the runs go on."""
        for source in self._sources:
            source.unsubscribe(self._updated)
        super().close()


def _as_text(message: wire.Message, buffers: Sequence[memoryview]) -> dict[str, Any]:
    coded = [base64.b64encode(data).decode("ascii") for data in buffers]
    return {"message": message, "buffers": coded}


def _in_words(name: str, source: Source) -> str:
    with source.lock:
        info, log = source.info, source.log
        parts = [name, info.status]
        if len(log):
            parts.append(_standing(info, log))
        for name, words in (("loss", "training loss"), ("validation_loss", "validation loss")):
            if name in log.columns:
                known = log.column(name)[np.isfinite(log.column(name))]
                if known.size:
                    parts.append(f"{words} {known[-1]:.4g}")
        if info.best_epoch is not None:
            parts.append(f"best epoch {info.best_epoch}")
    return ", ".join(parts)


def _standing(info: RunInfo, log: MetricLog) -> str:
    """How far the run is in its phase, as the page says it (``words.ts``, standing)."""
    epochs = log.column("epoch")
    space = epochs[log.column("phase") != SPHERE] if "phase" in log.columns else epochs
    trained = space[-1] if len(space) else 0.0
    if info.status == "done":
        return f"{trained:g} epochs"
    sphere = epochs[-1] > trained
    of = info.phase_epochs or info.total_epochs
    at = f"{epochs[-1] - trained if sphere else trained:g}" + (f" of {of}" if of else "")
    return f"sphere {at}" if sphere else f"epoch {at}"


# ----------------------------------------------------------------- what may be given


def sources(given: Any) -> list[Source]:
    """Turn what a user gave into feeds and fixed logs; see :class:`TrainingDashboard`."""
    if _is_log(given) or _is_run(given):
        return [_source(given, "training log")]
    if isinstance(given, Mapping):
        named = list(given.items())
    elif isinstance(given, Sequence) and not isinstance(given, (str, bytes)):
        named = [(None, one) for one in given]
    else:
        raise TypeError(_advice(given))
    if not named:
        raise ValueError("There is nothing to show: give at least one run or log.")
    made = []
    for i, (name, one) in enumerate(named, start=1):
        if not (_is_log(one) or _is_run(one)):
            raise TypeError(_advice(one))
        made.append(_source(one, f"log {i}" if name is None else str(name)))
    return made


def _advice(given: Any) -> str:
    return (
        f"TrainingDashboard needs a model or a predictor, or a log as a DataFrame or a dict of "
        f"columns such as {{'epoch': [...], 'loss': [...]}}; a {type(given).__name__} is neither."
    )


def _is_run(given: Any) -> bool:
    told = ("events", "get_training_metrics", "get_metrics")
    return any(callable(getattr(given, name, None)) for name in told)


def _is_log(given: Any) -> bool:
    if isinstance(given, pd.DataFrame):
        return True
    if not isinstance(given, Mapping) or not given:
        return False
    return all(
        isinstance(values, (np.ndarray, pd.Series))
        or (isinstance(values, Sequence) and not isinstance(values, (str, bytes)))
        for values in given.values()
    ) and not any(_is_run(one) or _is_log(one) for values in given.values() for one in values[:1])


def _source(given: Any, name: str) -> Source:
    if _is_run(given):
        return RunFeed.of(given)
    columns = {str(key): list(values) for key, values in given.items()}
    return FixedLog(_log_of(columns, name), name)


def _log_of(columns: dict[str, list[Any]], name: str) -> MetricLog:
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        told = ", ".join(f"{key} {len(values)}" for key, values in columns.items())
        raise ValueError(f"The columns of {name!r} have different lengths: {told}.")
    renamed: dict[str, list[Any]] = {}
    for key, values in columns.items():
        if canonical(key) in renamed:
            raise ValueError(f"Two columns of {name!r} mean {canonical(key)!r}: leave one out.")
        renamed[canonical(key)] = values
    rows = lengths.pop() if lengths else 0
    numeric = {
        key: values
        for key, values in renamed.items()
        if key == "phase" or any(isinstance(v, (int, float, np.number)) for v in values)
    }
    if rows and not (set(numeric) - {"epoch", "phase", "step", "time", "time_now"}):
        raise ValueError(
            f"{name!r} has no column of numbers to draw; its columns are "
            f"{', '.join(map(repr, columns)) or 'none'}. Name the loss column 'loss'."
        )
    counted = numeric.get("epoch") or numeric.get("step") or range(1, rows + 1)
    epochs = np.asarray(counted, dtype=np.float64)
    if not np.all(np.isfinite(epochs)) or np.any(np.diff(epochs) <= 0):
        what = "epochs" if "epoch" in numeric else "steps"
        raise ValueError(f"The {what} of {name!r} must be numbers that rise from row to row.")
    log = MetricLog()
    for i, epoch in enumerate(epochs):
        row = {key: values[i] for key, values in numeric.items()}
        log.add({**row, "epoch": epoch})
    return log
