"""What all widgets share: the bundle, checked keywords, and outputs that outlive the kernel."""

from __future__ import annotations

import contextlib
import difflib
import inspect
import os
import threading
import uuid
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Self

import anywidget
import traitlets
from IPython import get_ipython
from IPython.display import publish_display_data

from featrix_notebook import keeping, pages

STATIC = Path(__file__).resolve().parent.parent / "static"
VIEW_MIME = "application/vnd.jupyter.widget-view+json"
# Beside the view of a widget of ours, for the extension of JupyterLab (`js/src/lab/extension.ts`).
OWN_MIME = "application/vnd.featrix.widget+json"


def _installed_version() -> str:
    try:
        return version("featrix-notebook")
    except PackageNotFoundError:  # run from a source tree that is on the path, not installed
        return ""


@cache
def bundle(name: str) -> str:
    """Text of ``static/<name>.js``, read once a process.

    Raises
    ------
    FileNotFoundError
        When the bundle is not built, with the command that builds it.
    """
    path = STATIC / f"{name}.js"
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise FileNotFoundError(
            f"The widget bundle {path} is missing. In a source tree build it with "
            "`python js/hatch_build.py`; otherwise reinstall featrix-notebook."
        ) from None


def keeps_views() -> bool:
    """Whether outputs go to a page on which an output's widget stays when the output is updated.

    That is so in JupyterLab and Notebook 7 with our extension, whose server sets this variable for
    kernels; other hosts draw an updated output anew. Captured outputs, and those of a terminal, go
    elsewhere: only the publisher of ipykernel has hooks.
    """
    publisher = getattr(get_ipython(), "display_pub", None)
    return "JPY_SESSION_NAME" in os.environ and hasattr(publisher, "register_hook")


def _publish(
    display_id: str,
    data: dict[str, Any],
    about: dict[str, Any] | None = None,
    *,
    update: bool = False,
) -> None:
    publish_display_data(  # type: ignore[no-untyped-call]  # IPython leaves it untyped
        data, about, transient={"display_id": display_id}, update=update
    )


class FeatrixWidget(anywidget.AnyWidget):
    """Base of the Featrix widgets.

    A subclass names its bundle with ``_bundle``, and says what it shows in :meth:`summary` (text)
    and :meth:`snapshot_png` (picture): both are stored with the output, so that a saved notebook,
    a PDF or a page on a code host shows something true with no kernel behind it.
    """

    _bundle = ""
    _is_told = True
    # The page compares it with the version its bundle was built for.
    _version = traitlets.Unicode(_installed_version()).tag(sync=True)

    # By which a page knows that two views show the same widget.
    _uid = traitlets.Unicode().tag(sync=True)

    # Whether a reader's pointer or focus is in one of its views (`js/src/shared/use.ts`).
    _in_use = traitlets.Bool(False).tag(sync=True)

    # Groups of widgets that move together, and in what (`link.py`, `js/src/shared/link.ts`).
    _links = traitlets.List(traitlets.Dict()).tag(sync=True)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "_bundle" in cls.__dict__:
            # Read when the first widget is made, not when the module is imported.
            cls._esm = property(lambda self: bundle(self._bundle))

    def __init__(self, **kwargs: Any) -> None:
        self._reject_unknown(kwargs)
        self._display_ids: list[str] = []
        self._is_outdated = False
        self._own_layout = "layout" not in kwargs
        super().__init__(_uid=uuid.uuid4().hex, **kwargs)

    def _reject_unknown(self, kwargs: dict[str, Any]) -> None:
        """ipywidgets drops a misspelt keyword in silence; a person would rather be told."""
        public = {name for name in self.trait_names() if not name.startswith("_")}
        for name in kwargs:
            if name in self.trait_names():
                continue
            own = set(inspect.signature(type(self)).parameters) - {"kwargs"}
            close = difflib.get_close_matches(name, sorted(public | own), n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise TypeError(f"{type(self).__name__} takes no argument {name!r}.{hint}")

    def _another(self, source: Any, **options: Any) -> Self:
        """A widget of this kind that the page is not told of."""
        widget = type(self).__new__(type(self))
        widget._is_told = False
        # After the mark, as it calls `open`. Each subclass takes a source, which mypy cannot know.
        widget.__init__(source, layout=self.layout, **options)  # type: ignore[misc]
        return widget

    def open(self) -> None:
        """Tell the page of this widget; called by the constructor."""
        if self._is_told:
            super().open()
            self._let_pages_choose_the_shell()

    def _send(self, msg: Any, buffers: Any = None) -> None:
        super()._send(msg, buffers=buffers)
        self._let_pages_choose_the_shell()

    def _let_pages_choose_the_shell(self) -> None:
        """Let messages of the page be handled while a cell runs.

        JupyterLab addresses them to a subshell. ipykernel 7.4 sends them to the shell that last
        used the comm instead, which here is the main one, where they would wait for the cell to
        end. Without its note of that shell it goes by the address. So handlers of messages run on
        another thread than cells do.
        """
        with contextlib.suppress(AttributeError):
            del self.comm._reply_subshell_id

    def _page_state(self) -> dict[str, Any]:
        """The synced traits of our own, as JSON."""
        hosts = {*anywidget.AnyWidget.class_trait_names(sync=True), "_esm", "_css", "_anywidget_id"}
        names = set(self.trait_names(sync=True)) - hosts
        return {name: pages.coded(getattr(self, name)) for name in sorted(names)}

    def _page_part(self, *, brief: bool = False) -> dict[str, Any]:
        """What a page with no kernel needs of this widget (``PageData`` of `page.ts`).

        In brief, for a notebook's output: as much as keeps the notebook small, and nothing that
        takes long or has to be asked of a server.
        """
        return {"bundle": self._bundle, "state": self._page_state(), "answers": {}}

    def to_html(self, path: str | Path | None = None) -> str:
        """One self-contained interactive page with this widget, for a browser with no kernel.

        Parameters
        ----------
        path
            Also write it there.

        Returns
        -------
        str
            The page. It answers what a kernel would have to be asked for as far as there is room,
            and needs no network.

        Raises
        ------
        ValueError
            Of a movie that has no frames yet.
        """
        return pages.page_of([self], self._page_title(), path)

    def _page_title(self) -> str:
        """What a page with this widget is called."""
        return repr(self)

    def _take_links(self, links: list[dict[str, Any]]) -> None:
        """Be linked to these groups and no others; a closed widget keeps what it had."""
        if self.comm is not None:
            with self.hold_sync():
                self._links = links

    def summary(self) -> str:
        """One or more plain lines that say what the widget shows."""
        return f"{type(self).__name__}()"

    def snapshot_png(self) -> bytes | None:
        """Draw the widget's content as PNG bytes, or None when there is nothing to draw."""
        return None

    def __repr__(self) -> str:
        return self.summary().splitlines()[0]

    def mime_bundle(self, *, view: bool = True) -> dict[str, Any]:
        """All representations of this widget, by MIME type; ``view`` includes the live one."""
        data = self._live_part() if view else {"text/plain": self.summary()}
        png = self.snapshot_png()
        if png is not None:
            data["image/png"] = pages.base64_text(png)
            html = keeping.fragment(self._page_part(brief=True), data["text/plain"], png)
            if html:
                data["text/html"] = html
        return data

    def _live_part(self) -> dict[str, Any]:
        """What a page needs to show the widget itself."""
        data: dict[str, Any] = {"text/plain": self.summary()}
        if self.comm is not None:
            data[VIEW_MIME] = {
                "version_major": 2,
                "version_minor": 0,
                "model_id": self.model_id,
            }
            data[OWN_MIME] = {"widget": self._bundle}
        return data

    def _ipython_display_(self) -> None:
        # Under a display id, so that the stored output can be brought up to date later.
        display_id = uuid.uuid4().hex
        self._display_ids.append(display_id)
        is_early = keeps_views()
        if is_early:  # it is drawn while the picture is made
            _publish(display_id, self._live_part())
        _publish(display_id, *self._repr_mimebundle_(), update=is_early)

    def refresh_outputs(self) -> None:
        """Bring the stored picture and text of each displayed output up to date.

        Not under a reader's hand: notebooks draw an updated output anew, and the reader would lose
        what he points at, and the keys he presses. Then it is done when he turns away.
        """
        self._is_outdated = self._in_use
        if not self._in_use:
            self._update_outputs()

    @traitlets.observe("_in_use")
    def _reader_comes_or_goes(self, change: Any) -> None:
        if self._is_outdated and not change["new"]:
            self._is_outdated = False
            # Drawing takes a while, and this thread has other messages to serve.
            threading.Thread(target=self._update_outputs, daemon=True).start()

    def _update_outputs(self) -> None:
        for display_id in self._display_ids:
            _publish(display_id, *self._repr_mimebundle_(), update=True)

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data = self.mime_bundle()
        return data, {"image/png": {"alt": data["text/plain"]}} if "image/png" in data else {}

    def close(self) -> None:
        """Take the widget off the page and free what it holds. Closing twice is harmless."""
        if self.comm is not None:
            super().close()
            if self._own_layout:
                self.layout.close()  # a model of its own, which would stay in kernel and page
