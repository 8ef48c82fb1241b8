"""A model in training, followed by its movie."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from featrix_notebook import frames
from featrix_notebook.live import ENDED, RunFeed
from featrix_notebook.movie import losses as curves
from featrix_notebook.movie import source as sources
from featrix_notebook.movie.source import Movie

if TYPE_CHECKING:
    from featrix_notebook.widgets.movie import TrainingMovie


class Follower:
    """Tells one movie what its model's training has made since, until that is over."""

    def __init__(self, movie: TrainingMovie, model: Any) -> None:
        self._movie, self._model = movie, model
        self._following = threading.Lock()
        self._feed: RunFeed | None = RunFeed.of(model)
        self._feed.subscribe(self._on_progress)

    def close(self) -> None:
        """Stop following. Doing so twice is harmless."""
        feed, self._feed = self._feed, None
        if feed is not None:
            feed.unsubscribe(self._on_progress)

    def _on_progress(self, feed: RunFeed) -> None:
        """Called by the feed's threads, at most ten times a second."""
        with self._following:
            if self._feed is None:
                return
            ended = feed.info.status in ENDED
            # The end is told twice: by the run's events, and when the run itself has been asked.
            over = ended and not frames.is_training(self._model)
            newer = self._newer(feed, ended, over)  # asks the server, while the page is served
            with feed.lock:
                losses = curves.from_log(feed.log, feed.info.best_epoch)
            said = ""
            if over:
                self.close()
                if feed.info.status != "done":
                    said = f"The training {feed.info.status}. {feed.info.error or ''}".strip()
            self._movie._grow(losses, newer, over, said)
        if over:
            self._movie.refresh_outputs()

    def _newer(self, feed: RunFeed, ended: bool, over: bool) -> Movie | None:
        """The movie with what the server has by now; None where that is nothing new."""
        known, told = self._movie._movie, feed.frame_epoch
        newest = int(known.epochs[-1]) if len(known) else -1
        if not ended and told is not None and told <= newest:
            return None
        epochs, xyz = sources.new_frames(self._model, newest)
        n = known.xyz.shape[1]
        finished = over and feed.info.status == "done"  # its clusters are known now
        sampled = len(epochs) > 0 and n == self._movie._most != xyz.shape[1]
        if len(known) and (finished or sampled):
            return sources.with_rows(self._model, *sources.new_frames(self._model))
        if not len(epochs):
            return None
        if len(known):
            return known.extended(epochs, xyz)
        return sources.with_rows(self._model, epochs, xyz)
