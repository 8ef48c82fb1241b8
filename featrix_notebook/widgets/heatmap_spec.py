"""What the page of a heatmap is told: a small JSON object, and the cells as bytes.

`js/src/heatmap/store.ts` is the other end.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from featrix_notebook import coding
from featrix_notebook.profiler import Profiler
from featrix_notebook.surface import Surface, axis_numbers, tick_text
from featrix_notebook.what_if import Range

VIEWS = ("value", "confidence", "class")
MOST_CONTROLS = 200
_MOST_CLASSES = 300
_FACT_TEXT = 300
_UNIT_LENGTH = 20
_RESOLUTION = 1e-4


@dataclass(frozen=True)
class Control:
    """By which a reader sets one column of the record that all cells have in common."""

    column: str
    range: Range | None  # None: free text

    def describe(self, base: Mapping[str, Any], initial: Mapping[str, Any]) -> dict[str, Any]:
        told: dict[str, Any] = {
            "label": coding.text(self.column),
            "kind": self.range.kind if self.range else "text",
            "value": self.to_page(base.get(self.column)),
            "initial": self.to_page(initial.get(self.column)),
        }
        if self.range is None:
            return told
        if self.range.kind == "number":
            return told | {
                "low": self.range.low,
                "high": self.range.high,
                "whole": self.range.whole,
            }
        return told | {"choices": [coding.text(choice) for choice in self.range.choices]}

    def to_page(self, value: Any) -> float | int | str | None:
        """A value as the page holds it: a number, the place of a choice, or text."""
        if value is None:
            return None
        if self.range is None:
            return str(value)[:_FACT_TEXT]
        if self.range.kind == "category":
            return self.range.choices.index(value) if value in self.range.choices else None
        try:
            number = float(value)
        except (TypeError, ValueError):
            return None
        return number if math.isfinite(number) else None

    def from_page(self, given: Any) -> Any:
        """The value that the page means.

        Raises
        ------
        ValueError
            If it cannot mean one.
        """
        if given is None:
            return None
        if self.range is None and isinstance(given, str):
            return given
        if self.range is not None and isinstance(given, int | float) and math.isfinite(given):
            if self.range.kind == "number":
                return round(given) if self.range.whole else float(given)
            if 0 <= given < len(self.range.choices) and given == int(given):
                return self.range.choices[int(given)]
        raise ValueError(f"{self.column!r} cannot be set to {given!r}.")


def controls(
    base: Mapping[str, Any], ranges: Mapping[str, Range], taken: Iterable[str]
) -> list[Control]:
    """What can be set beside the axes: first what the record holds, then the other columns."""
    left = [name for name in dict.fromkeys([*base, *ranges]) if name not in set(taken)]
    found = [_control(name, base.get(name), ranges.get(name)) for name in left]
    return [control for control in found if control is not None][:MOST_CONTROLS]


def _control(name: str, value: Any, known: Range | None) -> Control | None:
    if known is not None:
        if known.kind == "category" and value is not None and value not in known.choices:
            known = Range(name, "category", choices=(value, *known.choices))
        return Control(name, known)
    if isinstance(value, bool):
        return Control(name, Range(name, "category", choices=(True, False)))
    if isinstance(value, int | float):
        reach = max(1.0, abs(value))
        whole = isinstance(value, int)
        return Control(name, Range(name, "number", value - reach, value + reach, whole))
    return Control(name, None) if isinstance(value, str) else None


def describe(
    surface: Surface, codes: coding.Coding | None, units: Mapping[str, str]
) -> dict[str, Any]:
    """What the surface is, but for its cells."""
    choices, shown = class_choices(surface), surface.shown_class
    return {
        "shape": list(surface.shape),
        "axes": axes_spec(surface, units),
        "meaning": coding.text(surface.meaning, 120),
        "unit": coding.text(units.get(surface.target or surface.title, ""), _UNIT_LENGTH),
        "views": views(surface),
        "hasConfidence": surface.confidence is not None,
        "classes": None if codes is None else codes.legend(),
        "classChoices": [coding.text(label) for label in choices],
        "classChoice": choices.index(shown) if shown in choices else None,
        "threshold": surface.threshold,
        "maximize": surface.maximize,
        "optimum": list(surface.optimum or ()),
        "filled": surface.filled,
        "failed": sum(getattr(r, "error", None) is not None for r in surface.results.values()),
        "step": surface.step,
        "base": facts(surface.base),
    }


def describe_asking(asked: Profiler, shown: Iterable[Control]) -> dict[str, Any]:
    """What can be asked, and how far the answers are."""
    return {
        "controls": [control.describe(asked.base, asked.initial) for control in shown],
        "asked": asked.asked,
        "answered": asked.answered,
        "problem": asked.problem,
        "canRefine": asked.can_refine,
        "canReturn": asked.can_return,
        "asks": asked.predictor is not None,
    }


def axes_spec(surface: Surface, units: Mapping[str, str]) -> list[dict[str, Any]]:
    """Name, unit and what stands along each axis: numbers where they rise or fall, else text."""
    told = []
    for axis in surface.axes:
        numbers = axis_numbers(axis.ticks)
        told.append(
            {
                "label": coding.text(axis.label),
                "unit": coding.text(units.get(axis.label, ""), _UNIT_LENGTH),
                "kind": "category" if numbers is None else "number",
                "ticks": [tick_text(tick) for tick in axis.ticks] if numbers is None else numbers,
            }
        )
    return told


def class_choices(surface: Surface) -> list[str]:
    """The classes whose probability can be shown."""
    labels = [label for label in surface.classes if label in surface.layers]
    return labels[:_MOST_CLASSES] if len(labels) > 1 else []


def views(surface: Surface) -> list[str]:
    has = {
        "value": True,
        "confidence": surface.confidence is not None,
        "class": bool(surface.classes),
    }
    return [name for name in VIEWS if has[name]]


def limits(surface: Surface, before: tuple[float, float] | None) -> tuple[float, float] | None:
    """The range of the colours: of all finite values, and what it was before; None for none."""
    values = surface.values
    finite = values[np.isfinite(values)]
    if not finite.size:
        return before
    low, high = float(finite.min()), float(finite.max())
    return (low, high) if before is None else (min(low, before[0]), max(high, before[1]))


def cells(surface: Surface, codes: coding.Coding | None) -> tuple[str, bytes]:
    """The cells in row-major order: values, then confidence (f4), then class codes (u1), the last
    two where there are such.

    Returns
    -------
    (dtype, data)
        ``f4``, or ``f8`` where 32 bits would not tell the values apart.
    """
    values = surface.values.ravel()
    with np.errstate(over="ignore"):
        narrow = values.astype("<f4")
    known = np.isfinite(values)
    dtype = "f4"
    if known.any():
        # Halved before subtracting: the range of two finite floats need not be finite.
        span = float(values[known].max()) / 2 - float(values[known].min()) / 2
        lost = float(np.abs(narrow[known].astype(np.float64) / 2 - values[known] / 2).max())
        if lost > span * _RESOLUTION and (span > 0 or math.isinf(lost)):
            dtype = "f8"
    parts = [narrow.tobytes() if dtype == "f4" else values.astype("<f8").tobytes()]
    if surface.confidence is not None:
        parts.append(surface.confidence.astype("<f4").tobytes())
    if codes is not None:
        parts.append(codes.codes.tobytes())
    return dtype, b"".join(parts)


def facts(values: Mapping[str, Any]) -> list[list[str | None]]:
    """Name and text of each value of a record; None where it is missing."""
    told: list[list[str | None]] = []
    for name, value in list(values.items())[:MOST_CONTROLS]:
        gone = value is None or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))
        told.append([coding.text(name), None if gone else coding.text(value, _FACT_TEXT)])
    return told


def answer_facts(result: Any) -> dict[str, Any]:
    """What the answer to one record says beside its value, for the page."""
    error = getattr(result, "error", None)
    if error is not None:
        return {"problem": coding.text(error, _FACT_TEXT)}
    told: dict[str, Any] = {}
    interval = getattr(result, "prediction_interval", None)
    if interval is not None:
        told["interval"] = [float(end) for end in interval]
    shares = getattr(result, "probabilities", None) or {}
    largest = sorted(shares.items(), key=lambda item: -item[1])[:6]
    told["shares"] = [[coding.text(label), float(share)] for label, share in largest]
    guardrails = getattr(result, "guardrails", None)
    if isinstance(guardrails, Mapping):
        told["warnings"] = [
            f"{coding.text(name)}: {coding.text(words, _FACT_TEXT)}"
            for name, words in list(guardrails.items())[:6]
        ]
    return told
