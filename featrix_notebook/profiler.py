"""A surface that answers: another record, finer axes, always the newest wish."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from featrix_client.grid_axes import Axis
from featrix_notebook import coding, what_if
from featrix_notebook.surface import Surface, looks, narrowed
from featrix_notebook.what_if import NewestOnly, Range, Stale

_PROBLEM_LENGTH = 500


class Profiler:
    """The surface that is shown, the record and axes that are wished for, and who is asked.

    Parameters
    ----------
    surface
        What is shown at first.
    predictor
        Who is asked; None if nobody can be.
    ranges
        What the columns of the record may be set to.
    changed
        Called after each change, in whichever thread made it and under `lock`: with whether the
        axes are others than before.
    settled
        Called when a surface is whole, without the lock: it may take its time. With whether the
        wish for it was a quiet one.

    Attributes
    ----------
    surface
        The last answer, or as much of a newer one as has arrived.
    axes, base
        The newest wish; other than the surface's own until that is answered.
    initial
        The record as it was given, to return to.
    asked, answered
        Wishes so far, and the last of them that the surface answers (or that failed).
    problem
        Why the newest wish was not answered, in words.
    """

    def __init__(
        self,
        surface: Surface,
        predictor: Any,
        ranges: Mapping[str, Range],
        changed: Callable[[bool], None],
        settled: Callable[[bool], None],
    ) -> None:
        self.lock = threading.RLock()
        self.surface, self.predictor, self.ranges = surface, predictor, dict(ranges)
        self.axes, self.base = surface.axes, dict(surface.base)
        self.initial = dict(surface.base)
        self.asked = self.answered = 0
        self.problem: str | None = None
        self._earlier: list[list[Axis]] = []
        self._changed, self._settled = changed, settled
        self._worker = NewestOnly("featrix-heatmap")

    @property
    def taken(self) -> set[str]:
        """Columns that the cells set themselves, and the target."""
        columns = {axis.label for axis in self.axes if axis.is_column}
        columns |= {name for axis in self.axes for step in axis.steps for name in step}
        columns |= {name for own in self.surface.own.values() for name in own}
        return columns | {self.surface.target}

    @property
    def can_refine(self) -> bool:
        return self.predictor is not None and self._finer() is not None

    @property
    def can_return(self) -> bool:
        return bool(self._earlier)

    def take(self, surface: Surface) -> None:
        """Show a surface that came from elsewhere, in place of all that was wished for."""
        with self.lock:
            moved = surface.axis_values != self.surface.axis_values
            self.surface, self.axes, self.base = surface, surface.axes, dict(surface.base)
            self.initial = dict(surface.base)
            if moved:
                self._earlier = []
            self._changed(moved)
        if len(surface.results) == surface.size:
            self._settled(False)

    def learn_ranges(self) -> None:
        """Ask the server what the columns may be; without an answer there are fewer sliders."""
        try:
            found = what_if.predictor_ranges(self.predictor)
        except Exception as error:  # whatever the client raises: a heatmap is shown without them
            with self.lock:
                self.problem = f"The ranges of the columns could not be read: {error}"
                self._changed(False)
            return
        with self.lock:
            self.ranges = found
            self._changed(False)

    # ---------------------------------------------------------------- wishes

    def set_base(self, record: dict[str, Any]) -> None:
        """Ask for the surface of another record."""
        self._need_predictor("set the record")
        with self.lock:
            self.initial = dict(record)
            self.ask(self.axes, record)

    def refine(self) -> None:
        """Narrow each axis of numbers to the neighbours of the optimum, and ask again."""
        self._need_predictor("refine the grid")
        with self.lock:
            axes = self._finer()
            if axes is None:
                raise ValueError(
                    "There is nothing to refine: it takes a filled cell, and an axis of at least "
                    "three numbers in order that belongs to a column."
                )
            self._earlier.append(self.axes)
            self.ask(axes, self.base)

    def back(self) -> None:
        """Return to the axes before the last `refine`."""
        with self.lock:
            if not self._earlier:
                raise ValueError("Nothing was refined, so there is nothing to return to.")
            self.ask(self._earlier.pop(), self.base)

    def ask(self, axes: list[Axis], base: dict[str, Any], *, quiet: bool = False) -> None:
        """Ask for the surface of a record along axes; an older wish is dropped.

        A `quiet` one is told as such when it is whole: the reader may still be at it.
        """
        with self.lock:
            self.asked += 1
            self.axes, self.base, self.problem = axes, dict(base), None
            kept = None if axes is self.surface.axes else axes
            wanted = self.surface.emptied(kept, base)
            # The class predicted most often may be another there; the picture must not change its
            # meaning under the reader's hand.
            wanted.target_class = self.surface.shown_class
            self._changed(False)
            self._worker.do(partial(self._sweep, wanted, self.asked, quiet))

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the newest wish is answered; False after `timeout` seconds."""
        return self._worker.wait(timeout)

    def close(self) -> None:
        """Drop what waits; what is under way is not shown any more."""
        self._worker.close()

    def _need_predictor(self, what: str) -> None:
        if self.predictor is None:
            raise ValueError(f"There is no predictor behind this heatmap to {what} with.")

    def _finer(self) -> list[Axis] | None:
        best = self.surface.optimum
        if best is None or self.surface.own or self.surface.axes is not self.axes:
            return None
        axes = [narrowed(axis, at) for axis, at in zip(self.axes, best, strict=True)]
        same = all(new.ticks == old.ticks for new, old in zip(axes, self.axes, strict=True))
        return None if same else axes

    # ---------------------------------------------------------------- answers, in a thread

    def _sweep(self, wanted: Surface, number: int, quiet: bool, stale: Stale) -> None:
        """Ask for a surface, first for every n-th cell, and show it as it comes."""
        whole = False
        try:
            for step, places in looks(wanted.shape):
                chosen = [
                    place for place in places.tolist() if not wanted.own or place in wanted.own
                ]
                records = [wanted.record(place) for place in chosen]
                results = what_if.ask(self.predictor, records) if records else []
                _check_columns(wanted, results)
                # A newer wish waits: what came is shown, as it is newer than what stands there.
                dropped = stale()
                with self.lock:  # after the first look it is what is shown, and being read
                    wanted.put(chosen, results)
                    whole = len(wanted.results) >= (len(wanted.own) or wanted.size)
                    if whole:
                        wanted.step = 1
                    elif step > 1:
                        wanted.spread(step)
                    self._put_up(wanted, number if whole else self.answered)
                if dropped or whole:
                    break
        except Exception as error:  # whatever the client raises is told on the page
            with self.lock:
                self.problem, self.answered = coding.text(error, _PROBLEM_LENGTH), number
                self.axes = self.surface.axes  # what is shown is what can be refined
                self._changed(False)
            return
        if whole:
            self._settled(quiet)

    def _put_up(self, surface: Surface, answered: int) -> None:
        # Another class may have been chosen meanwhile.
        surface.target_class = self.surface.target_class or surface.target_class
        moved = surface.axes is not self.surface.axes
        self.surface, self.answered = surface, answered
        self._changed(moved)


def _check_columns(surface: Surface, results: Sequence[Any]) -> None:
    """Refuse an axis that changes nothing: the predictor has no such column."""
    columns = [axis.label for axis in surface.axes if axis.is_column]
    ignored = getattr(results[0], "ignored_query_columns", None) if results else None
    unknown = [column for column in columns if column in (ignored or ())]
    if unknown:
        known = ", ".join(map(str, getattr(results[0], "available_query_columns", None) or ()))
        raise ValueError(
            f"The predictor does not use the column {unknown[0]!r}, so nothing changes along it."
            + (f" Its columns are: {known}." if known else "")
        )
