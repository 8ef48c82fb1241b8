"""What the page of a heatmap may ask of the kernel, and the answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from featrix_notebook import coding
from featrix_notebook.widgets import heatmap_spec, wire

if TYPE_CHECKING:
    from featrix_notebook.widgets.heatmap import PredictionHeatmap

Asked = Mapping[str, Any]


class Desk:
    """Answers the pages of one heatmap; what cannot be answered goes back as an error."""

    def __init__(self, heatmap: PredictionHeatmap) -> None:
        self._heatmap = heatmap
        self._does = {
            "cell": self.cell,
            "vary": self._vary,
            "refine": self._refine,
            "back": self._back,
            "class": self._class,
        }

    def receive(self, _: Any, content: Any, buffers: Any) -> None:
        """Handle a message of the page; of a kind that is not known, nothing happens."""
        if not isinstance(content, dict):
            return
        kind, request = content.get("kind"), content.get("id")
        does = self._does.get(str(kind))
        if does is None:
            return
        try:
            answer = does(content) or {}
        except (ValueError, TypeError, IndexError) as error:
            answer = {"error": str(error)}
        self._heatmap.send({"v": wire.VERSION, "kind": kind, "id": request, "parts": [], **answer})

    def cell(self, asked: Asked) -> dict[str, Any]:
        """The record of a cell and what its answer says."""
        with self._heatmap._lock:
            surface, at = self._heatmap._surface, tuple(asked.get("at") or ())
            if not self._heatmap._is_cell(at):
                raise ValueError(f"There is no cell {at!r}.")
            place = surface.place(at)
            result = surface.results.get(place)
            told = heatmap_spec.answer_facts(result) if result is not None else {}
            if surface.classes and surface.predicted[place] >= 0:
                told["class"] = coding.text(surface.classes[surface.predicted[place]])
            return told | {"record": heatmap_spec.facts(surface.record(place))}

    def _vary(self, asked: Asked) -> None:
        """Set columns of the record by the places of their controls, and ask for the surface."""
        with self._heatmap._lock:
            profiler = self._heatmap._profiler
            base = dict(profiler.base)
            for place, given in dict(asked.get("values") or {}).items():
                control = self._heatmap._controls[int(place)]
                if coding.text(control.column) != dict(asked.get("labels") or {}).get(place):
                    raise ValueError("The columns are others by now; try again.")
                value = control.from_page(given)
                if value is None and control.column not in profiler.initial:
                    base.pop(control.column, None)
                else:
                    base[control.column] = value
            profiler.ask(profiler.axes, base, quiet=True)

    def _refine(self, _: Asked) -> None:
        self._heatmap.refine()

    def _back(self, _: Asked) -> None:
        self._heatmap.back()

    def _class(self, asked: Asked) -> None:
        surface = self._heatmap._surface
        choices = [label for label in surface.classes if label in surface.layers]
        place = asked.get("choice")
        if not isinstance(place, int) or not 0 <= place < len(choices):
            raise ValueError(f"There is no class number {place!r}.")
        self._heatmap.target_class = choices[place]
