"""What the pages of a widget may ask of the kernel: received, carried out, answered."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from featrix_notebook.widgets import wire

Asked = Mapping[str, Any]
Answer = tuple[dict[str, Any], dict[str, Any]]
"""Fields of the reply, and its parts."""
Work = Callable[[Asked], Answer]


class Desk:
    """Answers the pages of one widget; what cannot be answered goes back as an error.

    Parameters
    ----------
    widget
        Whose pages ask.
    quick
        What is done by kind of question, while other messages wait.
    slow
        The same for what takes a while, and is done on a thread of its own.
    deflate
        Kinds whose parts are worth compressing.
    """

    def __init__(
        self,
        widget: Any,
        quick: Mapping[str, Work],
        slow: Mapping[str, Work],
        deflate: tuple[str, ...] = (),
    ) -> None:
        self._widget = widget
        self._quick, self._slow, self._deflate = quick, slow, deflate

    def receive(self, _: Any, content: Any, buffers: Any) -> None:
        """Handle a message of the page; of a kind that is not known, nothing happens."""
        if not isinstance(content, dict):
            return
        kind = str(content.get("kind"))
        if kind in self._quick:
            self._answer(self._quick[kind], content)
        elif kind in self._slow:
            work = (self._slow[kind], content)
            threading.Thread(target=self._answer, args=work, daemon=True).start()

    def _answer(self, work: Work, content: Asked) -> None:
        kind = str(content["kind"])
        try:
            extra, parts = work(content)
        except Exception as error:  # any refusal is shown on the page
            extra, parts = {"error": str(error) or type(error).__name__}, {}
        codec: wire.Codec = "deflate" if kind in self._deflate else "raw"
        request = str(content.get("id"))
        self._widget.send(*wire.frame(kind, 0, parts, codec=codec, id=request, **extra))


class RowsDesk(Desk):
    """Also tells the values of a row, and colours by what a reader chose."""

    def __init__(
        self,
        widget: Any,
        quick: Mapping[str, Work],
        slow: Mapping[str, Work],
        deflate: tuple[str, ...] = (),
    ) -> None:
        quick = {"row": self._row, "color": self._color, **quick}
        super().__init__(widget, quick, slow, deflate)

    def _row(self, asked: Asked) -> Answer:
        return {"values": self._widget._row_values(asked.get("point"))}, {}

    def _color(self, asked: Asked) -> Answer:
        choice, choices = asked.get("choice"), self._widget.choices()
        if not isinstance(choice, int) or not 0 <= choice < len(choices):
            raise ValueError(f"There is no column number {choice!r} to colour by.")
        self._widget.color_by = choices[choice].key
        return {}, {}
