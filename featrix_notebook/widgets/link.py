"""`link`: widgets of a page that move together."""

from __future__ import annotations

import difflib
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, Self

from featrix_notebook import pages
from featrix_notebook.widgets.base import FeatrixWidget

What = Literal["selection", "hover", "color", "camera", "epoch"]
WHAT: tuple[What, ...] = ("selection", "hover", "color", "camera", "epoch")


class Link:
    """Widgets that move together, until :meth:`unlink`; made by :func:`link`."""

    def __init__(self, widgets: tuple[FeatrixWidget, ...], what: tuple[What, ...]) -> None:
        self._widgets, self._what = widgets, what
        self._group = uuid.uuid4().hex
        self._linked = True
        for widget in widgets:
            widget._take_links([*widget._links, {"group": self._group, "what": list(what)}])

    @property
    def widgets(self) -> tuple[FeatrixWidget, ...]:
        """The linked widgets, in the order they were given."""
        return self._widgets

    @property
    def what(self) -> tuple[What, ...]:
        """What they share."""
        return self._what

    def to_html(self, path: str | Path | None = None) -> str:
        """All linked widgets on one self-contained page, linked there with no kernel behind it.

        Parameters
        ----------
        path
            Also write it there.

        Returns
        -------
        str
            The page.

        Raises
        ------
        ValueError
            When a widget is closed, or a movie among them has no frames yet.
        """
        for widget in self._widgets:
            if widget.comm is None:
                raise ValueError(f"{widget!r} is closed: what it showed is no longer there.")
        return pages.page_of(self._widgets, "Featrix widgets", path)

    def unlink(self) -> None:
        """Let each widget go its own way again. Doing so twice is harmless."""
        if not self._linked:
            return
        self._linked = False
        for widget in self._widgets:
            widget._take_links([one for one in widget._links if one["group"] != self._group])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.unlink()

    def __repr__(self) -> str:
        names = ", ".join(type(widget).__name__ for widget in self._widgets)
        return f"<Link of {names}: {', '.join(self._what) if self._linked else 'unlinked'}>"


def link(*widgets: FeatrixWidget, what: str | Iterable[str] = WHAT) -> Link:
    """Let widgets of a page share what the reader does in one of them.

    The page itself passes it on, with no kernel in between; the traits of all widgets follow, such
    as ``selected_ids``. Rows are the same where their ids are (``__featrix_row_id``, else labels
    of your own index), so that a movie's sample and an explorer's rows agree. What a widget has no
    notion of it ignores. To begin with, later widgets take over what the first ones show.

    Parameters
    ----------
    *widgets
        At least two.
    what
        One or several of ``"selection"``, ``"hover"``, ``"color"`` (the column that colours the
        points; of a heatmap its view), ``"camera"`` and ``"epoch"`` (of movies, and the crosshair
        of dashboards). By default all.

    Returns
    -------
    Link
        Its ``unlink()`` ends it; it can stand in a ``with`` statement.

    Raises
    ------
    TypeError
        If something given is not a widget of Featrix, or `what` is no text.
    ValueError
        For fewer than two widgets, one that is given twice or is closed, or an unknown `what`.

    Examples
    --------
    >>> link(SphereExplorer(fm), TrainingMovie(fm))      # doctest: +SKIP
    >>> link(dashboard, movie, what="epoch")             # doctest: +SKIP
    """
    for place, widget in enumerate(widgets, start=1):
        if not isinstance(widget, FeatrixWidget):
            raise TypeError(
                f"link() needs widgets of Featrix; argument {place} is a {type(widget).__name__}."
            )
        if widget.comm is None:
            raise ValueError(f"Widget {place}, {widget!r}, is closed: make it again to link it.")
        if any(widget is other for other in widgets[: place - 1]):
            raise ValueError(f"Widget {place}, {widget!r}, was given twice.")
    if len(widgets) < 2:
        raise ValueError(f"link() needs at least two widgets, not {len(widgets)}.")
    return Link(widgets, _checked(what))


def _checked(what: str | Iterable[str]) -> tuple[What, ...]:
    if not isinstance(what, str | Iterable):
        raise TypeError(f"what must be text or a sequence of texts, not {what!r}.")
    names = [what] if isinstance(what, str) else list(what)
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"what must be text or a sequence of texts, not {name!r} in it.")
        if name not in WHAT:
            close = difflib.get_close_matches(name, WHAT, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"Widgets share {', '.join(WHAT)}, but not {name!r}.{hint}")
    if not names:
        raise ValueError(f"what is empty: name one or several of {', '.join(WHAT)}.")
    return tuple(name for name in WHAT if name in names)
