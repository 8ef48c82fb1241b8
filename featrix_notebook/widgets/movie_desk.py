"""What the page of a training movie may ask of the kernel, and the answers."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from featrix_notebook.widgets import wire
from featrix_notebook.widgets.desk import Answer, Asked, RowsDesk

if TYPE_CHECKING:
    from featrix_notebook.widgets.movie import TrainingMovie

_MOST_FRAMES_AT_ONCE = 1_000


class MovieDesk(RowsDesk):
    """Answers the pages of one movie; what cannot be answered goes back as an error."""

    def __init__(self, movie: TrainingMovie) -> None:
        self._movie = movie
        self._jobs: dict[str, threading.Event] = {}
        quick = {"frames": self._frames, "codes": self._codes}
        slow = {"publish": self._publish, "export": self._export}
        super().__init__(movie, quick, slow, deflate=("codes",))

    def receive(self, _: Any, content: Any, buffers: Any) -> None:
        """Handle a message of the page; of a kind that is not known, nothing happens."""
        if isinstance(content, dict) and content.get("kind") == "cancel":
            self._jobs.get(str(content.get("job")), threading.Event()).set()
        else:
            super().receive(_, content, buffers)

    def close(self) -> None:
        """Cancel what is being made."""
        for cancelled in tuple(self._jobs.values()):
            cancelled.set()

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
