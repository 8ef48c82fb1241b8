"""`SphereExplorer`: the rows of a table on a 3D sphere, to turn, colour, ask and select."""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd
import traitlets
from numpy.typing import NDArray

from featrix_notebook import coding, frames
from featrix_notebook.frames import Points
from featrix_notebook.live import ENDED, RunFeed
from featrix_notebook.widgets import sphere_colors, wire
from featrix_notebook.widgets.base import FeatrixWidget

Cause = Literal["user", "python"]
SelectHandler = Callable[..., object]
OPEN = ("queued", "running", "paused")
_UNIT = 32767
# A model in training is redrawn at most this often: each time its sample of rows is read anew.
_REFRESH_S = 3.0
_CARD_TEXT = 300
_CARD_VALUES = 200


class SphereExplorer(FeatrixWidget):
    """Show every row of a table as a point on the unit sphere.

    Parameters
    ----------
    source
        A foundational model (finished, or still training: then the latest epoch is shown, and the
        finished sphere when it is there), a DataFrame with the columns ``x``, ``y``, ``z``, a
        mapping of columns, the dict that ``get_projections()`` returns, or an array (n, 3).
        Positions are brought to the unit sphere.
    color_by
        A column name; ``"cluster"`` (the model's best number of clusters) or ``"cluster_5"``; or
        one value a row. By default the clusters, where there are any.
    rows
        With an array of positions: the table rows they stand for.
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
    # Places in the order of `_positions`, uint32; the page never needs to know row ids.
    _selected = traitlets.CBytes(b"").tag(sync=True)

    def __init__(
        self,
        source: Any,
        color_by: Any = None,
        *,
        rows: Any = None,
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
            "size": None if size is None else _in_range("size", size, 1, 40),
            "opacity": _in_range("opacity", opacity, 0.02, 1),
            "shapes": bool(shapes),
            "autoRotate": bool(auto_rotate),
            "height": int(_in_range("height", height, 240, 4000)),
        }
        self._seed = seed
        self._source, self._rows, self._wanted = source, rows, color_by
        self._lock = threading.RLock()
        self._handlers: list[SelectHandler] = []
        self._cause: Cause = "user"
        self._refreshed_at, self._epochs_seen = 0.0, 0
        points = frames.read_points(source, rows)
        self._take(points)
        self._color_by, self._coding = sphere_colors.code(self._points, color_by)
        super().__init__(
            _spec=self._describe(),
            _positions=_quantise(points.xyz[self._order]),
            _codes=self._coding.codes[self._order].tobytes(),
            **kwargs,
        )
        self.on_msg(self._on_message)
        self.observe(self._on_selected, "_selected")
        if frames.is_training(source):
            self._follow()

    # ------------------------------------------------------------------ what is shown

    def _take(self, points: Points) -> None:
        self._points = points
        self._order = stratified_order(points.xyz, self._seed)
        self._index = pd.Index(points.row_ids)

    @property
    def color_by(self) -> Hashable | None:
        """The column that colours the points; assign a name, or one value a row, to change it."""
        return self._color_by

    @color_by.setter
    def color_by(self, value: Any) -> None:
        with self._lock:
            self._color_by, self._coding = sphere_colors.code(self._points, value)
            self._wanted = value
            with self.hold_sync():
                self._codes = self._coding.codes[self._order].tobytes()
                self._spec = self._describe()

    def _describe(self) -> dict[str, Any]:
        """All that is small, as one JSON object for the page (`js/src/sphere/store.ts`)."""
        choices = sphere_colors.choices(self._points)
        current = [i for i, choice in enumerate(choices) if choice.key == self._color_by]
        return {
            **self._options,
            "n": len(self._points),
            "title": self._points.title,
            "notes": list(self._points.notes),
            "summary": self.summary(),
            # Columns go by their place: names may repeat, or be no text.
            "choices": [{"label": c.label, "group": c.group} for c in choices],
            "color": {
                "choice": current[0] if current else None,
                "label": sphere_colors.label(self._points, self._color_by),
                **self._coding.legend(),
            },
        }

    # ------------------------------------------------------------------ selection

    @property
    def selection(self) -> pd.DataFrame:
        """The selected rows of the table, in table order, with their own index."""
        return self._points.rows.iloc[self._selected_rows()]

    @property
    def selected_ids(self) -> list[Any]:
        """The ids of the selected rows: the server's row ids, or labels of your own index."""
        ids: list[Any] = self._points.row_ids[self._selected_rows()].tolist()
        return ids

    def _selected_rows(self) -> NDArray[np.int64]:
        with self._lock:
            whole = len(self._selected) // 4
            places = np.frombuffer(self._selected, dtype="<u4", count=whole)
            return np.sort(self._order[places[places < len(self._order)]])

    def select(self, ids: Iterable[Any]) -> None:
        """Select rows by id, in place of what is selected; an empty list clears.

        Parameters
        ----------
        ids
            As in :attr:`selected_ids`. A boolean mask over the rows is accepted as well.

        Raises
        ------
        ValueError
            When an id is not on the sphere; nothing changes then.
        """
        rows = self._rows_of(ids)
        with self._lock:
            self._select_places(np.sort(np.argsort(self._order)[rows]))

    def _select_places(self, places: NDArray[np.int64]) -> None:
        self._cause = "python"
        try:
            self._selected = places.astype("<u4").tobytes()
        finally:
            self._cause = "user"

    def _rows_of(self, ids: Iterable[Any]) -> NDArray[np.int64]:
        if isinstance(ids, (str, bytes)) or not isinstance(ids, Iterable):
            raise TypeError(f"select() needs a list of row ids, not a {type(ids).__name__}.")
        n = len(self._points)
        if isinstance(ids, (np.ndarray, pd.Series)) and pd.api.types.is_bool_dtype(ids.dtype):
            mask = np.asarray(ids)
            if mask.shape != (n,):
                raise ValueError(f"The mask has the shape {mask.shape}; the sphere has {n:,} rows.")
            return np.flatnonzero(mask)
        wanted = pd.Index(list(ids))
        unknown = wanted[~wanted.isin(self._index)]
        if len(unknown):
            shown = ", ".join(repr(value) for value in unknown[:5].tolist())
            raise ValueError(
                f"{len(unknown):,} of {len(wanted):,} ids are not on the sphere: {shown}."
            )
        return np.flatnonzero(self._index.isin(wanted))

    def on_select(self, handler: SelectHandler) -> Callable[[], None]:
        """Call ``handler(ids, cause)`` whenever the selection changes.

        ``cause`` is ``"user"`` or ``"python"``; a handler of one parameter gets the ids alone. It
        should be quick: the page waits for it.

        Returns
        -------
        Callable
            Call it to stop the handler.
        """
        if not callable(handler):
            raise TypeError(f"on_select needs a function, not a {type(handler).__name__}.")
        self._handlers.append(handler)

        def stop() -> None:
            if handler in self._handlers:
                self._handlers.remove(handler)

        return stop

    def _on_selected(self, change: Mapping[str, Any]) -> None:
        ids, cause = self.selected_ids, self._cause
        for handler in tuple(self._handlers):
            if _takes_two(handler):
                handler(ids, cause)
            else:
                handler(ids)

    # ------------------------------------------------------------------ requests of the page

    def _on_message(self, _: Any, content: Any, buffers: Any) -> None:
        """Answer a request; what cannot be answered goes back as an error with the same id."""
        if not isinstance(content, dict):
            return
        kind, request = content.get("kind"), content.get("id")
        answer: dict[str, Any]
        try:
            if kind == "row":
                answer = {"values": self._row_values(content.get("point"))}
            elif kind == "color":
                self._color_by_choice(content.get("choice"))
                answer = {}
            else:
                return
        except (ValueError, TypeError, IndexError) as error:
            answer = {"error": str(error)}
        self.send({"v": wire.VERSION, "kind": kind, "id": request, "parts": [], **answer})

    def _color_by_choice(self, choice: Any) -> None:
        choices = sphere_colors.choices(self._points)
        if not isinstance(choice, int) or not 0 <= choice < len(choices):
            raise ValueError(f"There is no column number {choice!r} to colour by.")
        self.color_by = choices[choice].key

    def _row_values(self, point: Any) -> list[list[str | None]]:
        """Name and text of each value of a row; None where it is missing."""
        if not isinstance(point, int) or not 0 <= point < len(self._order):
            raise ValueError(f"There is no point {point!r}.")
        row = int(self._order[point])
        table = self._points.rows
        values: list[list[str | None]] = [["row", coding.text(self._points.row_ids[row])]]
        for place in range(min(table.shape[1], _CARD_VALUES)):
            value: Any = table.iloc[row, place]
            gone = pd.api.types.is_scalar(value) and bool(pd.isna(value))
            words = None if gone else coding.text(value, _CARD_TEXT)
            values.append([coding.text(table.columns[place]), words])
        return values

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
        points = frames.read_points(self._source, self._rows)
        with self._lock:
            same = np.array_equal(points.row_ids, self._points.row_ids)
            self._refreshed_at = time.monotonic()
            self._take(points)
            try:
                self._color_by, self._coding = sphere_colors.code(points, self._wanted)
            except ValueError as error:
                self._color_by, self._coding = sphere_colors.code(points, None)
                self._points = replace(points, notes=(*points.notes, str(error)))
            with self.hold_sync():
                self._positions = _quantise(points.xyz[self._order])
                self._codes = self._coding.codes[self._order].tobytes()
                self._spec = self._describe()
                if not same:
                    self._select_places(np.empty(0, np.int64))

    def close(self) -> None:
        """Take the widget off the page and stop following its model."""
        self._unfollow()
        super().close()

    # ------------------------------------------------------------------ without a kernel

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
        from featrix_notebook.widgets.sphere_picture import draw_sphere

        shown = self._order[:20_000]
        label = str(self._spec["color"]["label"])
        return draw_sphere(self._points.xyz[shown], self._coding, shown, label, self.summary())


def stratified_order(xyz: NDArray[np.float32], seed: int) -> NDArray[np.int64]:
    """An order of the points whose every prefix is spread over the sphere like the whole.

    Points are sorted along a path through the sphere's cells and taken from it at the places of a
    van der Corput sequence, that is systematic sampling at every length at once.
    """
    n = len(xyz)
    shuffled = np.random.default_rng(seed).permutation(n)
    cells = np.clip((xyz[shuffled] + 1) * 16, 0, 31).astype(np.uint16)
    # A snake through the cells keeps neighbours on the path neighbours on the sphere.
    z = cells[:, 2]
    y = np.where(z & 1, 31 - cells[:, 1], cells[:, 1])
    x = np.where(y & 1, 31 - cells[:, 0], cells[:, 0])
    path = shuffled[np.argsort((z << 10) | (y << 5) | x, kind="stable")]
    places = np.zeros(1, np.uint32)
    while len(places) < n:  # 0; 0 1; 0 2 1 3; ...: counting with the bits read backwards
        places = np.concatenate([2 * places, 2 * places + 1])
    order: NDArray[np.int64] = path[places[places < n]]
    return order


def _quantise(xyz: NDArray[np.float32]) -> bytes:
    return np.rint(xyz * _UNIT).astype("<i2").tobytes()


def _in_range(name: str, value: Any, low: float, high: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, not {value!r}.") from None
    if not low <= number <= high:
        raise ValueError(f"{name} must be between {low:g} and {high:g}, not {value!r}.")
    return number


def _takes_two(handler: SelectHandler) -> bool:
    try:
        inspect.signature(handler).bind(None, None)
    except TypeError:
        return False
    except ValueError:  # some built-ins have no signature
        return False
    return True
