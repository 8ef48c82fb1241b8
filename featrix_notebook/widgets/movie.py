"""`TrainingMovie`: how the rows of a table found their places on the sphere, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import traitlets
from numpy.typing import ArrayLike, NDArray

from featrix_notebook import coding, frames
from featrix_notebook.coding import Coding
from featrix_notebook.movie import losses as curves
from featrix_notebook.movie.clusters import clusters_of_frames
from featrix_notebook.movie.losses import Losses
from featrix_notebook.movie.source import Movie, read_movie
from featrix_notebook.packing import pack
from featrix_notebook.widgets import movie_spec, sphere_colors
from featrix_notebook.widgets.base import FeatrixWidget
from featrix_notebook.widgets.movie_desk import MovieDesk
from featrix_notebook.widgets.movie_follower import Follower
from featrix_notebook.widgets.movie_spec import FRAME_CLUSTERS
from featrix_notebook.widgets.rows import ShowsRows, in_range
from featrix_notebook.widgets.sphere_colors import Choice

# Of what a saved notebook holds: rows, and places of all frames together.
_MOST_KEPT = 1_500
_MOST_KEPT_PLACES = 30_000


class TrainingMovie(ShowsRows, FeatrixWidget):
    """Play a training: every kept epoch's points on the sphere, beside its loss.

    A training that runs is followed; its frames join the movie as they come.

    Parameters
    ----------
    source
        A foundational model (finished, or still training), the dict that
        ``get_epoch_projections()`` returns, or positions of the shape (frames, n, 3), which are
        brought to the unit sphere.
    color_by
        As in :class:`SphereExplorer`, and ``"epoch_cluster"``: the clusters of each frame. By
        default the clusters of the finished model, where there are any.
    losses
        With positions: one loss a frame, or a log with the columns ``epoch``, ``loss``,
        ``validation_loss``.
    rows, epochs, clusters
        With positions: the table rows they stand for; the epoch of each frame (by default 0, 1,
        2, ...); and cluster labels (n,), or (frames, n) for each frame.
    fps
        Frames a second at normal speed (0.1 to 60).
    trails
        Draw the way that a sample of the points, or the selected ones, has just come.
    loop, autoplay
        Begin again at the end; begin by itself. Readers who asked for less motion step by hand.
    size, opacity, height, seed
        As in :class:`SphereExplorer`.
    max_points
        Of a movie with more rows an even sample of so many is shown.
    title
        What the movie is of; a model has its own name.

    Raises
    ------
    TypeError
        For a source of another kind, or an unknown keyword.
    ValueError
        For coordinates that are missing, not finite or without a direction (with the epoch and
        the point), an unknown column, or an option out of range.

    Examples
    --------
    >>> movie = TrainingMovie(fm, color_by="species")    # doctest: +SKIP
    >>> movie                                            # play it, scrub, follow a point ...
    >>> movie.save("training.mp4")                       # ... and take it to a talk
    """

    _bundle = "movie"
    # A widget whose constructor raised is closed, too.
    _follower: Follower | None = None
    _desk: MovieDesk | None = None
    _spec = traitlets.Dict().tag(sync=True)
    _first = traitlets.Bytes(b"").tag(sync=True)
    _codes = traitlets.Bytes(b"").tag(sync=True)
    _log = traitlets.Bytes(b"").tag(sync=True)
    _camera = traitlets.Dict().tag(sync=True)
    # The point under the pointer, a place as in `_selected`; -1 for none.
    _hovered = traitlets.Int(-1).tag(sync=True)
    epoch = traitlets.Int(0, help="The epoch on show; assign one to go there.").tag(sync=True)
    playing = traitlets.Bool(False, help="Whether it plays; assign to start or stop it.").tag(
        sync=True
    )

    def __init__(
        self,
        source: Any,
        color_by: Any = None,
        *,
        losses: Any = None,
        rows: Any = None,
        epochs: ArrayLike | None = None,
        clusters: ArrayLike | None = None,
        fps: float = 2,
        trails: bool = False,
        loop: bool = False,
        autoplay: bool = True,
        size: float | None = None,
        opacity: float = 1.0,
        height: int = 480,
        max_points: int = 5_000,
        seed: int = 0,
        title: str = "",
        **kwargs: Any,
    ) -> None:
        self._reject_unknown(kwargs)
        self._options = {
            "fps": in_range("fps", fps, 0.1, 60),
            "trails": bool(trails),
            "loop": bool(loop),
            "size": None if size is None else in_range("size", size, 1, 40),
            "opacity": in_range("opacity", opacity, 0.02, 1),
            "height": int(in_range("height", height, 240, 4000)),
        }
        self._begin_rows(seed)
        self._most = int(in_range("max_points", max_points, 1, 1_000_000))
        self._source, self._wanted = source, color_by
        movie = read_movie(source, rows=rows, epochs=epochs, clusters=clusters, title=title)
        self._is_model = hasattr(source, "get_training_metrics")
        self._live = frames.is_training(source)
        self._losses = self._read_losses(losses, movie.epochs)
        self.packed = np.empty((0, 0, 2), np.int16)
        self._order = np.empty(0, np.int64)
        self._each: NDArray[np.uint8] | None = None
        self._desk = MovieDesk(self)
        self._take_movie(movie)
        self._color_by, self._coding = self._code(color_by)
        start = len(movie) - 1 if self._live else 0
        super().__init__(
            _first=self.packed[start].tobytes() if len(movie) else b"",
            _codes=self._coding.codes[self._order].tobytes(),
            _log=self._losses.rows.tobytes(),
            epoch=int(movie.epochs[start]) if len(movie) else 0,
            playing=bool(autoplay) and (self._live or len(movie) > 1),
            _spec=self._describe(),
            **kwargs,
        )
        self.on_msg(self._desk.receive)
        if self._live:
            self._follower = Follower(self, source)

    # ------------------------------------------------------------------ what is shown

    def _read_losses(self, losses: Any, epochs: NDArray[np.int32]) -> Losses:
        if losses is not None:
            return curves.given(losses, epochs)
        if isinstance(self._source, Mapping):
            return curves.of_payload(self._source)
        return curves.of_model(self._source) if self._is_model else Losses()

    def _take_movie(self, movie: Movie) -> None:
        """Show a movie; points keep their order as long as they are the same rows."""
        movie = movie.sampled(self._most, self._seed)
        known = len(self.packed) if len(self._order) == movie.xyz.shape[1] else 0
        if not known:
            self._take(movie.points)
        self._points = movie.points
        self._movie, self._each = movie, None
        fresh = pack(movie.xyz[known:, self._order])
        self.packed = np.concatenate([self.packed, fresh]) if known else fresh

    def choices(self) -> list[Choice]:
        """What the points can be coloured by."""
        found = sphere_colors.choices(self._points)
        if self._points.best_k is not None:
            found.insert(0, Choice(FRAME_CLUSTERS, "Clusters of each epoch", "Clusters"))
        return found

    def _code(self, color_by: Any) -> tuple[Hashable | None, Coding]:
        if isinstance(color_by, str) and color_by == FRAME_CLUSTERS:
            k = self._points.best_k
            if k is None and self._live:
                return FRAME_CLUSTERS, coding.plain(len(self._points))  # there are none yet
            if k is None:
                raise ValueError("This movie has no clusters to colour by.")
            return FRAME_CLUSTERS, coding.code_clusters(self._clusters_of_frames()[-1])
        return sphere_colors.code(self._points, color_by)

    def _clusters_of_frames(self) -> NDArray[np.uint8]:
        """uint8 (frames, n): as the source tells them, else found on the sphere."""
        if self._each is None:
            known, best = self._movie.frame_clusters, self._points.best_k
            if known is not None:
                self._each = known
            elif best is not None:
                self._each = clusters_of_frames(self._movie.xyz, self._points.clusters[best])
            else:
                self._each = np.zeros(self._movie.xyz.shape[:2], np.uint8)
        return self._each

    def codes_of_frames(self) -> NDArray[np.uint8]:
        """uint8 (frames, n) or (1, n): the palette index of each point, in the page's order."""
        with self._lock:
            codes = self._coding.codes[None]
            if self._color_by == FRAME_CLUSTERS and self._coding.kind == "category":
                codes = self._clusters_of_frames() + np.uint8(1)
            return codes[:, self._order]

    @property
    def color_by(self) -> Hashable | None:
        """What colours the points; assign a column's name, or one value a row, to change it."""
        return self._color_by

    @color_by.setter
    def color_by(self, value: Any) -> None:
        with self._lock:
            self._color_by, self._coding = self._code(value)
            self._wanted = value
            self._show(codes=True)

    @property
    def epochs(self) -> list[int]:
        """The epoch of each frame."""
        return [int(epoch) for epoch in self._movie.epochs]

    def _describe(self) -> dict[str, Any]:
        return movie_spec.describe(self)

    def _show(self, *, codes: bool = False) -> None:
        with self._lock, self.hold_sync():
            if codes:
                self._codes = self._coding.codes[self._order].tobytes()
            self._log = self._losses.rows.tobytes()
            self._spec = self._describe()

    @traitlets.validate("epoch")
    def _on_a_frame(self, proposal: Mapping[str, Any]) -> int:
        """The kept epoch at or before the one asked for."""
        epochs = self._movie.epochs
        if not len(epochs):
            return 0
        return int(epochs[max(0, int(np.searchsorted(epochs, proposal["value"], "right")) - 1)])

    # ------------------------------------------------------------------ a model in training

    def _grow(self, losses: Losses, movie: Movie | None, over: bool, said: str) -> None:
        """Show what a training has made since, and at its end what is to be said of that."""
        with self._lock:
            self._losses = losses
            if movie is not None:
                self._take_newer(movie, over)
            if over:
                self._live = False
                if said:
                    self._points = replace(self._points, notes=(*self._points.notes, said))
            self._show(codes=over)

    def _take_newer(self, movie: Movie, over: bool) -> None:
        first = not len(self._movie)
        self._take_movie(replace(movie, points=replace(movie.points, title=self._points.title)))
        if first or over:
            self._recode()
        if first:
            self._first = self.packed[-1].tobytes()
            self._codes = self._coding.codes[self._order].tobytes()
            self.epoch = int(movie.epochs[-1])

    def _recode(self) -> None:
        try:
            self._color_by, self._coding = self._code(self._wanted)
        except ValueError as error:
            self._color_by, self._coding = self._code(None)
            self._points = replace(self._points, notes=(*self._points.notes, str(error)))

    # ------------------------------------------------------------------ onwards

    def publish(self, name: str, org_id: str | None = None, epoch: int | None = None) -> Any:
        """Make a model of its own of an epoch; see ``FoundationalModel.publish_checkpoint``.

        Parameters
        ----------
        name
            Of the new model.
        org_id
            The organisation it belongs to, where the server has any.
        epoch
            By default the epoch on show.

        Returns
        -------
        FoundationalModel

        Raises
        ------
        ValueError
            Without a name, for a movie with no model behind it, or when weights of that epoch
            were not kept.
        """
        if not name.strip():
            raise ValueError("The new model needs a name.")
        publish = getattr(self._source, "publish_checkpoint", None)
        if not callable(publish):
            raise ValueError("There is no model behind this movie that could publish a checkpoint.")
        chosen = self.epoch if epoch is None else epoch
        return publish(name=name.strip(), org_id=org_id, checkpoint_epoch=chosen)

    def _film(self, **options: Any) -> Any:
        from featrix_notebook.movie.film import film_of  # Pillow is loaded when a film is wanted

        return film_of(self, options)

    def save(
        self,
        path: str | Path,
        *,
        fps: float | None = None,
        speed: float = 1.0,
        size: tuple[int, int] = (1280, 720),
        dark: bool = False,
        trails: bool | None = None,
        progress: bool | Callable[[int, int], object] = True,
    ) -> Path:
        """Write the movie to a file; no browser is needed.

        Parameters
        ----------
        path
            ``.mp4``, ``.gif`` or ``.html`` (one self-contained interactive page); or a folder,
            new or empty, for numbered PNG pictures.
        fps
            Epochs' frames a second; by default the widget's own.
        speed
            0.25 to 8 times as fast.
        size
            Width and height in pixels, each from 160 to 4096; of everything but HTML.
        dark
            Light points on a dark ground.
        trails
            Draw the way points have just come; by default as the widget does.
        progress
            A bar; or a function called with pictures done and in all, which may return False to
            cancel.

        Returns
        -------
        Path
            What was written. An interrupted or cancelled export leaves nothing behind.

        Raises
        ------
        ValueError
            For another kind of file, an option out of range, or a movie without frames.
        """
        from featrix_notebook.movie import writers

        options: dict[str, Any] = {"speed": speed, "size": size, "dark": dark}
        if fps is not None:
            options["fps"] = in_range("fps", fps, 0.1, 60)
        if trails is not None:
            options["trails"] = trails
        return writers.save(self, Path(path).expanduser(), options, progress)

    def _page_title(self) -> str:
        return self._points.title or "Training movie"

    def _page_part(self, *, brief: bool = False) -> dict[str, Any]:
        from featrix_notebook.movie.page import movie_part

        with self._lock:
            most = max(100, min(_MOST_KEPT, _MOST_KEPT_PLACES // max(1, len(self._movie))))
            if brief and len(self._points) > most:
                return self._sample_of(most)._page_part(brief=True)
            return movie_part(self, self._page_state(), brief=brief)

    def _sample_of(self, most: int) -> Self:
        """A movie of fewer rows, in the colours of this one and seen as it is."""
        keep = self._movie.sample(most, self._seed)
        movie = self._another(self._movie.of(keep, self._seed), autoplay=False)
        movie._options, movie._losses = self._options, self._losses
        movie._each = None if self._each is None else self._each[:, keep]
        movie._camera, movie.epoch, movie.playing = self._camera, self.epoch, self.playing
        self._hand_to(movie, keep)
        movie._show(codes=True)
        return movie

    def close(self) -> None:
        """Take the widget off the page and stop following its model. Closing twice is harmless."""
        if self._follower is not None:
            self._follower.close()
        if self._desk is not None:
            self._desk.close()
        super().close()

    # ------------------------------------------------------------------ without a kernel

    def summary(self) -> str:
        """What the movie shows, in words."""
        return movie_spec.in_words(self)

    def snapshot_png(self) -> bytes | None:
        """A few epochs side by side over the loss curve; None before the first frame."""
        if not len(self._movie):
            return None
        from featrix_notebook.movie.strip import film_strip

        return film_strip(self._film(size=(864, 486)), self.summary())
