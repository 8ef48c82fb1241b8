"""What the page of a training movie may ask of the kernel, and the answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from featrix_notebook.widgets import wire

if TYPE_CHECKING:
    from featrix_notebook.widgets.movie import TrainingMovie

Asked = Mapping[str, Any]
Answer = tuple[dict[str, Any], dict[str, Any]]
"""Fields of the reply, and its parts."""

_MOST_FRAMES_AT_ONCE = 1_000


class Desk:
    """Answers the pages of one movie; what cannot be answered goes back as an error."""

    def __init__(self, movie: TrainingMovie) -> None:
        self._movie = movie
        self._jobs: dict[str, threading.Event] = {}
        self._quick = {
            "frames": self._frames,
            "codes": self._codes,
            "row": self._row,
            "color": self._color,
        }
        # These take a while, and the thread of the messages has others to serve.
        self._slow = {"publish": self._publish, "export": self._export}

    def receive(self, _: Any, content: Any, buffers: Any) -> None:
        """Handle a message of the page; of a kind that is not known, nothing happens."""
        if not isinstance(content, dict):
            return
        kind = content.get("kind")
        if kind in self._quick:
            self._answer(self._quick[kind], content)
        elif kind in self._slow:
            work = (self._slow[kind], content)
            threading.Thread(target=self._answer, args=work, daemon=True).start()
        elif kind == "cancel":
            self._jobs.get(str(content.get("job")), threading.Event()).set()

    def close(self) -> None:
        """Cancel what is being made."""
        for cancelled in tuple(self._jobs.values()):
            cancelled.set()

    def _answer(self, work: Callable[[Asked], Answer], content: Asked) -> None:
        kind = str(content["kind"])
        try:
            extra, parts = work(content)
        except Exception as error:  # any refusal is shown on the page
            extra, parts = {"error": str(error) or type(error).__name__}, {}
        codec: wire.Codec = "deflate" if kind == "codes" else "raw"
        request = str(content.get("id"))
        self._movie.send(*wire.frame(kind, 0, parts, codec=codec, id=request, **extra))

    def _frames(self, asked: Asked) -> Answer:
        packed = self._movie.packed
        start, stop = asked.get("from"), asked.get("to")
        if isinstance(start, int) and isinstance(stop, int) and 0 <= start < stop <= len(packed):
            stop = min(stop, start + _MOST_FRAMES_AT_ONCE)
            return {"from": start, "to": stop}, {"xy": packed[start:stop]}
        known = f"the movie has {len(packed):,}"
        raise ValueError(f"There are no frames {start!r} to {stop!r}: {known}.")

    def _codes(self, asked: Asked) -> Answer:
        return {}, {"codes": np.ascontiguousarray(self._movie.codes_of_frames())}

    def _row(self, asked: Asked) -> Answer:
        return {"values": self._movie._row_values(asked.get("point"))}, {}

    def _color(self, asked: Asked) -> Answer:
        choice, choices = asked.get("choice"), self._movie.choices()
        if not isinstance(choice, int) or not 0 <= choice < len(choices):
            raise ValueError(f"There is no column number {choice!r} to colour by.")
        self._movie.color_by = choices[choice].key
        return {}, {}

    def _publish(self, asked: Asked) -> Answer:
        epoch, name = asked.get("epoch"), str(asked.get("name") or "")
        org = str(asked.get("org") or "") or None
        model = self._movie.publish(name, org, epoch if isinstance(epoch, int) else None)
        return {"published": str(getattr(model, "id", None) or name)}, {}

    def _export(self, asked: Asked) -> Answer:
        """Make a file for the page to offer; the page names no files here."""
        from featrix_notebook.movie import writers  # Pillow and ffmpeg, when a film is wanted

        job, kind = str(asked.get("job")), str(asked.get("format"))
        cancelled = self._jobs.setdefault(job, threading.Event())

        def told(done: int, total: int) -> bool:
            # A page needs no more than a hundred words about it.
            if done % max(1, total // 100) == 0 or done == total:
                message = wire.frame("exporting", 0, {}, job=job, done=done, total=total)
                self._movie.send(*message)
            return not cancelled.is_set()

        try:
            options = {"speed": asked.get("speed", 1.0), "dark": bool(asked.get("dark"))}
            epoch = asked.get("epoch")
            shown = epoch if isinstance(epoch, int) else self._movie.epoch
            data = writers.to_bytes(self._movie, kind, options, told, shown)
        finally:
            self._jobs.pop(job, None)
        return {}, {"file": np.frombuffer(data, np.uint8)}
