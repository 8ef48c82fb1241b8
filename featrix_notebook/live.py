"""From a running training to the widgets that show it.

:class:`RunFeed` reads one run in one background thread, for all widgets that show that run; the
kernel's main thread is never held. The feed keeps the log itself, and its subscribers fetch what
they have not seen yet: nothing is lost when updates are bundled, and a late subscriber is served
the same log as an early one.
"""

from __future__ import annotations

import logging
import math
import random
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from featrix_client.errors import FeatrixHTTPError
from featrix_client.events import predictor_reports
from featrix_client.state import TrainingState, training_state

from .metric_log import MetricLog, number

_log = logging.getLogger(__name__)

UPDATES_PER_SECOND = 10
"""Most updates a subscriber gets; jupyter-server drops messages when flooded."""

ACTIONS = ("pause", "resume", "stop")
ENDED = frozenset({"done", "failed", "cancelled"})

_POLL_S = 2.0
_RETRY_S = (0.5, 15.0)

# The API reference's status words, and the wire's.
_WORDS = {"training": "running", "error": "failed", "completed": "done"}


@dataclass
class RunInfo:
    """What is known of a run beside its log; sent to the page as it is (``store.ts``, RunInfo).

    Attributes
    ----------
    status
        ``queued running paused done failed cancelled``; ``data`` for a log with no run behind it.
    requested
        ``pause``, ``resume`` or ``stop``: asked of the server and not done yet.
    total_epochs, phase_epochs
        Epochs planned in all, and in the phase that is being trained.
    error, note
        Why the run failed; what is worth knowing about the connection. Words for people.
    """

    name: str
    status: str = "queued"
    requested: str | None = None
    error: str | None = None
    note: str | None = None
    total_epochs: int | None = None
    phase_epochs: int | None = None
    best_epoch: int | None = None
    seconds_left: float | None = None
    controls: bool = False


class RunFeed:
    """The log of one run, kept up to date by a background thread while somebody listens.

    Parameters
    ----------
    run
        A :class:`featrix_client.FoundationalModel` or :class:`featrix_client.Predictor`, or any
        object with ``get_training_metrics()`` or, as another client's predictor,
        ``get_metrics()`` (polled; ``refresh()`` and ``status`` are used where it has them). With
        ``events(after)`` it is followed live, and with ``pause()``, ``resume()`` and ``stop()``
        controlled.
    """

    _feeds: ClassVar[weakref.WeakValueDictionary[Any, RunFeed]] = weakref.WeakValueDictionary()
    _feeds_lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, run: Any) -> None:
        self.run = run
        self.log = MetricLog()
        self.info = RunInfo(
            name=str(getattr(run, "name", None) or getattr(run, "id", None) or "training"),
            status=_word(getattr(run, "status", None)),
            controls=all(callable(getattr(run, action, None)) for action in ACTIONS),
        )
        self.lock = threading.RLock()
        self.frame_epoch: int | None = None  # of the newest frame of the movie that was told
        self._seq = 0
        self._over = False  # when the server was last asked
        self._job_id: str | None = None
        # Object and function of each bound method, the object weakly.
        self._listeners: list[tuple[weakref.ref[Any], Callable[[Any, RunFeed], None]]] = []
        self._thread: threading.Thread | None = None
        self._told_at = 0.0
        self._timer: threading.Timer | None = None

    @classmethod
    def of(cls, run: Any) -> RunFeed:
        """The feed of a run, shared by everybody who asks for the same run."""
        run_id = getattr(run, "id", None)
        key = (type(run), run_id, id(getattr(run, "_transport", None))) if run_id else id(run)
        with cls._feeds_lock:
            feed = cls._feeds.get(key)
            if feed is None:
                feed = cls._feeds[key] = cls(run)
            return feed

    # ------------------------------------------------------------ listening

    def subscribe(self, callback: Callable[[RunFeed], None]) -> None:
        """Call a bound method with this feed after changes, from a background thread.

        The method's object is held weakly. Reading begins with the first subscriber, and ends with
        the last or with the run.
        """
        with self.lock:
            self._listeners.append(_weak(callback))
            ended = {self.info.status, _word(getattr(self.run, "status", None))} <= ENDED
            known = ended and len(self.log)  # it may train further since
            if self._thread is None and not known:
                self._start()

    def unsubscribe(self, callback: Callable[[RunFeed], None]) -> None:
        """Stop calling `callback`; unknown ones are passed over."""
        with self.lock:
            self._listeners = [one for one in self._listeners if one != _weak(callback)]

    @property
    def reading(self) -> bool:
        """Whether the background thread is at work."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    def _start(self) -> None:
        name = f"featrix-feed-{self.info.name[:20]}"
        self._thread = threading.Thread(target=self._follow, name=name, daemon=True)
        self._thread.start()

    def _listened_to(self) -> bool:
        with self.lock:
            self._listeners = [one for one in self._listeners if one[0]() is not None]
            return bool(self._listeners)

    def _tell(self, *, at_once: bool = False) -> None:
        """Tell the listeners now, or when the last time is long enough ago."""
        with self.lock:
            if self._timer is not None:
                if not at_once:
                    return  # it will be told along
                self._timer.cancel()
            wait = self._told_at + 1 / UPDATES_PER_SECOND - time.monotonic()
            if wait > 0 and not at_once:
                self._timer = threading.Timer(wait, self._tell_now)
                self._timer.daemon = True
                self._timer.start()
                return
        self._tell_now()

    def _tell_now(self) -> None:
        with self.lock:
            self._timer = None
            self._told_at = time.monotonic()
            listeners = [(owner(), function) for owner, function in self._listeners]
        for owner, function in listeners:
            if owner is None:
                continue
            try:
                function(owner, self)
            except Exception:  # one listener's fault is not the run's, nor the other listeners'
                _log.exception("A listener of %r failed", self.info.name)

    # -------------------------------------------------------------- reading

    def _follow(self) -> None:
        """The background thread: read until the run ends, nobody listens, or it is refused."""
        shortest, longest = _RETRY_S
        wait = shortest
        while True:
            before = self._seq, len(self.log)
            over = False
            try:
                over = self._read()
            except Exception as error:  # whatever the run's own code raises, the page must say
                over = _is_final(error)
                self._failed(error, over)
            with (
                self.lock
            ):  # or a new subscriber could take a thread that is leaving for one at work
                if over or not self._listened_to():
                    self._thread = None
                    return
            if (self._seq, len(self.log)) != before:
                wait = shortest
            time.sleep(wait * random.uniform(0.8, 1.2))
            wait = min(longest, 2 * wait)

    def _read(self) -> bool:
        """Read until something ends it; return whether the run is over."""
        self._ask()
        if not hasattr(self.run, "events"):
            return self._poll()
        for seq, kind, data in self.run.events(self._seq):
            self._found()
            self._take(kind, data)
            self._seq = max(self._seq, seq)
            if not self._listened_to():
                return False
        self._ask()
        self._tell(at_once=True)
        return self.info.status in ENDED

    def _ask(self) -> None:
        """Take over the status as the run's own question to the server tells it."""
        refresh = getattr(self.run, "refresh", None)
        body = refresh() if callable(refresh) else None
        with self.lock:
            info = self.info
            state = getattr(self.run, "training_state", None)
            if not isinstance(state, TrainingState) and isinstance(body, Mapping):
                state = training_state(dict(body)) if "session" in body else None
            if isinstance(state, TrainingState):
                self._job_id = state.job_id
                info.status, info.error = state.word, state.error
                info.total_epochs = state.total_epochs or info.total_epochs
            else:
                if hasattr(self.run, "refresh") or info.status not in ENDED:
                    info.status = _word(getattr(self.run, "status", None))
                info.error = getattr(self.run, "error_message", None) or info.error
            self._over = info.status in ENDED
            if self._over:
                info.requested = info.seconds_left = None
        self._found()

    def _take(self, kind: str, data: Mapping[str, Any]) -> None:
        """One event of the stream; those of other jobs of the session are passed over."""
        if self._job_id and data.get("job_id") not in (None, self._job_id):
            return
        with self.lock:
            info = self.info
            if kind == "epoch":
                self.log.add(data)
                for name in ("total_epochs", "phase_epochs", "best_epoch"):
                    if math.isfinite(number(data.get(name))):
                        setattr(info, name, data[name])
                # Unknown anew when it was resumed; in the past of a run that is over, no news.
                info.seconds_left = None if self._over else data.get("seconds_left")
            elif kind == "frame":
                self.frame_epoch = data.get("epoch")
            elif kind == "status":
                told = _word(data.get("status"))
                # Of a run that is over, earlier states are told anew: they are its past. One that
                # trains further has an end in its past, and goes on behind it.
                if not self._over:
                    info.status, info.requested = told, data.get("requested")
                if told == info.status:
                    info.error = data.get("error")
            else:
                return
        self._tell()

    def _poll(self) -> bool:
        """Follow a run that has no event stream."""
        while True:
            over = self.info.status in ENDED
            self._read_history()
            self._tell()
            if over:
                return True
            time.sleep(_POLL_S)
            if not self._listened_to():
                return False
            self._ask()

    def _read_history(self) -> None:
        """Ask for all epochs so far: as lists, or of another client's predictor one by one."""
        if callable(getattr(self.run, "get_training_metrics", None)):
            self.read_lists(self.run.get_training_metrics() or {})
            return
        told = self.run.get_metrics() or {}
        told = told.get("training_metrics", told)  # some give the server's whole answer
        target, newest = getattr(self.run, "target_column", None), told.get("target_column")
        with self.lock:
            if newest not in (None, target) and self.info.status in ENDED:
                self.info.note = (
                    f"Its client tells the epochs of the newest predictor only, that of {newest}."
                )
            for report in predictor_reports({"training_metrics": told}, target):
                self.log.add(report)
            # Such a predictor cannot be asked how it stands, but final scores come in the end.
            if told.get("final_metrics") and not hasattr(self.run, "refresh"):
                self.info.status = "done"

    def read_lists(self, metrics: Mapping[str, Any]) -> None:
        """Take over what ``get_training_metrics()`` returned: one list a figure."""
        with self.lock:
            data = metrics.get("data") or metrics
            self._add_lists(data)
            if data.get("best_epoch") is not None:
                self.info.best_epoch = data["best_epoch"]

    def _add_lists(self, data: Mapping[str, Any]) -> None:
        """Add the epochs of a history given as lists of one length."""
        lists = {name: values for name, values in data.items() if isinstance(values, list)}
        if "epochs" not in lists and "loss_history" in lists:
            lists = {"loss": lists["loss_history"], "learning_rate": lists.get("lr_history") or []}
            lists["epochs"] = list(range(1, len(lists["loss"]) + 1))
        for i in range(len(lists.get("epochs", ()))):
            self.log.add({name: values[i] for name, values in lists.items() if i < len(values)})

    # ---------------------------------------------------- what may go wrong

    def _found(self) -> None:
        with self.lock:
            if self.info.note is None:
                return
            self.info.note = None
        self._tell()

    def _failed(self, error: Exception, final: bool) -> None:
        with self.lock:
            if final:
                self.info.note = None
                self.info.error = str(error)
                self.info.controls = False
            else:
                first = (str(error).splitlines() or [type(error).__name__])[0]
                self.info.note = f"The connection is lost and will be tried again: {first}"
        self._tell(at_once=True)

    # -------------------------------------------------------------- control

    def control(self, action: str) -> None:
        """Ask the server to pause, resume or stop the run.

        Raises
        ------
        ValueError
            For any other action, and for a run that cannot be controlled.
        Exception
            Whatever the client raises when the server refuses.
        """
        if action not in ACTIONS:
            raise ValueError(f"Unknown action {action!r}; known are {', '.join(ACTIONS)}.")
        if not self.info.controls:
            raise ValueError("This run cannot be paused or stopped from here.")
        answer = getattr(self.run, action)()
        if isinstance(answer, Mapping):
            with self.lock:
                self.info.status = _word(answer.get("status")) or self.info.status
                self.info.requested = answer.get("requested")
        self._tell(at_once=True)


def _weak(method: Any) -> tuple[weakref.ref[Any], Callable[[Any, RunFeed], None]]:
    return weakref.ref(method.__self__), method.__func__


def _word(status: Any) -> str:
    word = str(status or "queued").lower()
    return _WORDS.get(word, word)


def _is_final(error: Exception) -> bool:
    """Whether asking again cannot help: a wrong key, an unknown model."""
    return isinstance(error, FeatrixHTTPError) and error.status in (401, 403, 404, 410)
