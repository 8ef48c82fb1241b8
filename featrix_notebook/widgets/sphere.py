"""`SphereExplorer`: the rows of a table on a 3D sphere, to turn, colour, ask and select."""

from __future__ import annotations

import time
from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np
import pandas as pd
import requests
import traitlets

from featrix_notebook import coding, frames, pages
from featrix_notebook.coding import Coding
from featrix_notebook.explore import predicting
from featrix_notebook.explore.density import density
from featrix_notebook.live import ENDED, RunFeed
from featrix_notebook.packing import pack
from featrix_notebook.widgets import sphere_colors
from featrix_notebook.widgets.base import FeatrixWidget
from featrix_notebook.widgets.desk import RowsDesk
from featrix_notebook.widgets.rows import in_range
from featrix_notebook.widgets.sphere_colors import DENSITY, Choice
from featrix_notebook.widgets.sphere_groups import Signatures
from featrix_notebook.widgets.sphere_near import KnowsSpace
from featrix_notebook.widgets.sphere_place import PlacesRecords

OPEN = ("queued", "running", "paused")
# A model in training is redrawn at most this often: each time its sample of rows is read anew.
_REFRESH_S = 3.0
# Rows in a saved notebook.
_MOST_KEPT = 2_000


class SphereExplorer(Signatures, KnowsSpace, PlacesRecords, FeatrixWidget):
    """Show every row of a table as a point on the unit sphere.

    Parameters
    ----------
    source
        A foundational model (finished, or still training: then the latest epoch is shown, and the
        finished sphere when it is there), a DataFrame with the columns ``x``, ``y``, ``z``, a
        mapping of columns, the dict that ``get_projections()`` returns, or an array (n, 3).
        Positions are brought to the unit sphere.
    color_by
        A column name; ``"cluster"`` (the model's best number of clusters) or ``"cluster_5"``;
        ``"density"``, how crowded the sphere is around each row (1: as an even spread would be);
        a predictor, which is asked for every row, or ``(predictor, "class")`` for the
        probability of a class; or one value a row. By default the clusters, where there are any.
    rows
        With an array of positions: the table rows they stand for.
    embeddings
        With positions of your own: the full vectors (n, d) that they are a picture of, for
        `neighbours` and `outliers`. A model has its own.
    size
        Diameter of a point facing the viewer, in pixels (1 to 40); by default it fits the number
        of points.
    opacity
        0.02 to 1. Below 1 overlapping points add up, which shows density.
    shapes
        Give each category a shape as well as a colour.
    auto_rotate
        Turn slowly until the reader takes over. Never for readers who asked for less motion.
    height
        Of the picture, in pixels (at least 240).
    seed
        Of the order in which points are drawn: while the camera moves, a large table is shown by
        a sample that is even over the sphere.

    Raises
    ------
    TypeError
        For a source of another kind, or an unknown keyword.
    ValueError
        For an unknown column (the message names the closest), or an option out of range.

    Examples
    --------
    >>> sphere = SphereExplorer(fm, color_by="plan")     # doctest: +SKIP
    >>> sphere                                           # turn it, draw a lasso ...
    >>> sphere.selection.describe()                      # ... and go on with the rows
    """

    _bundle = "sphere"
    _feed: RunFeed | None = None
    _spec = traitlets.Dict().tag(sync=True)
    _positions = traitlets.Bytes(b"").tag(sync=True)
    _codes = traitlets.Bytes(b"").tag(sync=True)

    def __init__(
        self,
        source: Any,
        color_by: Any = None,
        *,
        rows: Any = None,
        embeddings: Any = None,
        size: float | None = None,
        opacity: float = 1.0,
        shapes: bool = False,
        auto_rotate: bool = False,
        height: int = 520,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        self._reject_unknown(kwargs)
        self._options = {
            "size": None if size is None else in_range("size", size, 1, 40),
            "opacity": in_range("opacity", opacity, 0.02, 1),
            "shapes": bool(shapes),
            "autoRotate": bool(auto_rotate),
            "height": int(in_range("height", height, 240, 4000)),
        }
        self._begin_rows(seed)
        self._source, self._rows, self._wanted = source, rows, color_by
        self._embeddings = embeddings
        self._refreshed_at, self._epochs_seen = 0.0, 0
        points = frames.read_points(source, rows, embeddings)
        self._take(points)
        self._color_by, self._coding = self._code(color_by)
        super().__init__(
            _spec=self._describe(),
            _positions=pack(points.xyz)[self._order].tobytes(),
            _codes=self._coding.codes[self._order].tobytes(),
            _columns=self._describe_columns(),
            **kwargs,
        )
        self._desk = RowsDesk(
            self,
            {"search": self._answer_search},
            {
                "neighbours": self._answer_neighbours,
                "outliers": self._answer_outliers,
                "signature": self._answer_signature,
                "place": self._answer_place,
            },
        )
        self.on_msg(self._desk.receive)
        if frames.is_training(source):
            self._follow()

    # ------------------------------------------------------------------ what is shown

    @property
    def color_by(self) -> Hashable | None:
        """What colours the points, by name; assign what the constructor takes to change it."""
        return self._color_by

    @color_by.setter
    def color_by(self, value: Any) -> None:
        with self._lock:
            self._color_by, self._coding = self._code(value)
            self._wanted = value
            with self.hold_sync():
                self._codes = self._coding.codes[self._order].tobytes()
                self._spec = self._describe()

    def choices(self) -> list[Choice]:
        """What the points can be coloured by."""
        found = sphere_colors.choices(self._points)
        if len(self._points) and DENSITY not in self._points.rows.columns:
            found.append(Choice(DENSITY, "Density of rows", "Sphere"))
        return found

    def _code(self, color_by: Any) -> tuple[Hashable | None, Coding]:
        predictor, label = color_by if isinstance(color_by, tuple) else (color_by, None)
        if predicting.is_predictor(predictor):
            if not len(self._points):  # before a model's first epoch there is nothing to ask of
                return None, coding.plain(0)
            found = predicting.predict_rows(predictor, self._points.rows, label)
            self._derive(found.columns)
            color_by = found.first
        elif isinstance(color_by, str) and color_by == DENSITY:
            self._derive({DENSITY: pd.Series(density(self._points.xyz))})
        return sphere_colors.code(self._points, color_by)

    def _derive(self, columns: Mapping[Hashable, pd.Series]) -> None:
        self._points = replace(self._points, derived={**self._points.derived, **columns})

    def _describe(self) -> dict[str, Any]:
        """All that is small, as one JSON object for the page (`js/src/sphere/store.ts`)."""
        choices = self.choices()
        current = [i for i, choice in enumerate(choices) if choice.key == self._color_by]
        return {
            **self._options,
            "n": len(self._points),
            "title": self._points.title,
            "notes": list(self._points.notes),
            "summary": self.summary(),
            # Columns go by their place: names may repeat, or be no text.
            "canPlace": self._can_place(),
            "clusters": self._shown_k() or 0,
            "choices": [{"label": c.label, "group": c.group} for c in choices],
            "color": {
                "choice": current[0] if current else None,
                "label": sphere_colors.label(self._points, self._color_by),
                **self._coding.legend(),
            },
        }

    # ------------------------------------------------------------------ a model in training

    def _follow(self) -> None:
        """Redraw as the model's training goes on, and for good when it is done."""
        self._feed = RunFeed.of(self._source)
        self._feed.subscribe(self._on_progress)

    def _on_progress(self, feed: RunFeed) -> None:
        """Called by the feed's thread, at most ten times a second."""
        ended = feed.info.status in ENDED
        due = time.monotonic() - self._refreshed_at >= _REFRESH_S
        epochs = len(feed.log)
        if self._feed is None or not (ended or (due and epochs != self._epochs_seen)):
            return
        self._epochs_seen = epochs
        if feed.info.status in (*OPEN, "done"):
            self.refresh()
        else:
            self._tell(f"The training {feed.info.status}. {feed.info.error or ''}".strip())
        # The end is told twice: by the run's events, and when the run itself has been asked.
        if ended and not frames.is_training(self._source):
            self._unfollow()
            self.refresh_outputs()

    def _unfollow(self) -> None:
        if self._feed is not None:
            self._feed.unsubscribe(self._on_progress)
            self._feed = None

    def _tell(self, *notes: str) -> None:
        with self._lock:
            self._points = replace(self._points, notes=notes)
            self._spec = self._describe()

    def refresh(self) -> None:
        """Read the model again and redraw; the selection is cleared when the rows are others."""
        points = frames.read_points(self._source, self._rows, self._embeddings)
        with self._lock:
            same = np.array_equal(points.row_ids, self._points.row_ids)
            selected = self._selected_rows() if same else np.empty(0, np.int64)
            self._refreshed_at = time.monotonic()
            self._take(points)
            try:
                self._color_by, self._coding = self._code(self._wanted)
            except (ValueError, requests.RequestException) as error:
                self._color_by, self._coding = self._code(None)
                self._points = replace(points, notes=(*points.notes, str(error)))
            with self.hold_sync():
                self._positions = pack(points.xyz)[self._order].tobytes()
                self._codes = self._coding.codes[self._order].tobytes()
                self._spec = self._describe()
                self._columns = self._describe_columns()
                self.hide_neighbours()
                self._select_places(np.sort(self._places_of(selected)))

    def close(self) -> None:
        """Take the widget off the page and stop following its model."""
        self._unfollow()
        super().close()

    # ------------------------------------------------------------------ without a kernel

    def _page_title(self) -> str:
        return self._points.title or "Rows on a sphere"

    def _page_part(self, *, brief: bool = False) -> dict[str, Any]:
        with self._lock:
            if brief and len(self._points) > _MOST_KEPT:
                return self._sample_of(_MOST_KEPT)._page_part(brief=True)
            colors = pages.color_answers(self, self._spec, lambda _: {})
            answers = pages.row_answers(self, brief=brief) | colors | self._page_signatures(brief)
            if not brief:  # the model would have to be asked
                answers |= self._page_near()
            part, columns = super()._page_part(), self._page_columns(brief)
            return {**part, "answers": answers, "columns": columns}

    def _sample_of(self, most: int) -> Self:
        """A sphere of fewer rows, in the colours of this one."""
        keep = np.sort(self._order[:most])
        sphere = self._another(self._points.sampled(keep, self._seed))
        sphere._options, sphere._placed = self._options, self._placed
        self._hand_to(sphere, keep)
        sphere._codes = sphere._coding.codes[sphere._order].tobytes()
        sphere._spec = sphere._describe()
        return sphere

    def summary(self) -> str:
        """What the sphere shows, in words."""
        n = len(self._points)
        name = f" of {self._points.title}" if self._points.title else ""
        head = f"{n:,} {'row' if n == 1 else 'rows'}{name} on a sphere"
        if self._color_by is not None:
            head += f", coloured by {coding.text(self._color_by)}"
        legend = self._legend_text()
        return ". ".join([f"{head}: {legend}" if legend else head, *self._points.notes])

    def _legend_text(self) -> str:
        code = self._coding
        parts = [f"{label} {count:,}" for label, count in code.entries]
        if code.kind == "number" and code.ticks:
            parts.append(f"{code.ticks[0][1]} to {code.ticks[-1][1]}")
        if code.missing:
            parts.append(f"missing {code.missing:,}")
        return ", ".join(parts)

    def snapshot_png(self) -> bytes | None:
        """The sphere as first seen, drawn without a browser; None without points."""
        if not len(self._points):
            return None
        from featrix_notebook.widgets.sphere_picture import MOST_POINTS, draw_sphere

        shown = self._order[:MOST_POINTS]
        label = str(self._spec["color"]["label"])
        return draw_sphere(self._points.xyz[shown], self._coding, shown, label, self.summary())
