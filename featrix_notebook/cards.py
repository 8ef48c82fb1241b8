"""A model card as HTML that reads like a page: sections that open, tables, plain words.

Nothing of it is trusted: every key and every value is escaped. It needs no script and no style
sheet, and takes its colours from the page it stands in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

# Two vocabularies stand side by side in a card (`featrix_server/engine/card.py`); of a section that
# is told twice the fuller one is shown.
_TWICE = {
    "columns": "feature_inventory",
    "training_config": "training_configuration",
    "training_dataset": "data_summary",
}
_OPEN = ("model_identification", "what_is_this_model_good_for", "model_quality", "warnings")
_CELL = "padding:2px 10px 2px 0;text-align:left;vertical-align:top;font-weight:normal"
_FAINT = "opacity:.7"
_DEEPEST = 6


def card_html(card: Mapping[str, Any]) -> str:
    """The card of a model or a predictor, a section of it behind each heading.

    Parameters
    ----------
    card
        As ``get_model_card()`` returns it, of any server: sections that are not known are shown,
        too, and empty ones left out.
    """
    told = {key: value for key, value in card.items() if _TWICE.get(key) not in card}
    order = [key for key in _OPEN if key in told]
    order += [key for key in told if key not in order]
    return "".join(_section(key, told[key]) for key in order if not _is_empty(told[key]))


def words(key: object) -> str:
    """A key of a card as a person would write it: ``"val_rows"`` as ``"Val rows"``."""
    text = str(key).replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def _section(key: str, value: Any) -> str:
    state = " open" if key in _OPEN else ""
    return (
        f'<details{state} style="margin:4px 0"><summary style="cursor:pointer">'
        f"<b>{escape(words(key))}</b></summary>"
        f'<div style="margin:4px 0 12px 16px;overflow-x:auto">{_shown(value)}</div></details>'
    )


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str | Mapping | Sequence) and not len(value))


def _shown(value: Any, depth: int = 0) -> str:
    if depth >= _DEEPEST:
        return escape(str(value))
    if isinstance(value, Mapping):
        rows = list(value.values())
        if len(rows) > 1 and all(isinstance(row, Mapping) for row in rows):
            return _table([{"": key, **row} for key, row in value.items()], depth)
        return facts_html(value, depth)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        if value and all(isinstance(row, Mapping) for row in value):
            return _table(value, depth)
        if any(isinstance(item, Mapping | list) for item in value):
            return "".join(f"<div>{_shown(item, depth + 1)}</div>" for item in value)
        return escape(", ".join(_plain(item) for item in value))
    return escape(_plain(value))


def facts_html(values: Mapping[str, Any], depth: int = 0) -> str:
    """Names and what is known of them, one a row; what is empty is left out."""
    rows = "".join(
        f'<tr><th style="{_CELL};{_FAINT}">{escape(words(key))}</th>'
        f'<td style="{_CELL}">{_shown(value, depth + 1)}</td></tr>'
        for key, value in values.items()
        if not _is_empty(value)
    )
    return f'<table style="border-collapse:collapse">{rows}</table>'


def _table(rows: Sequence[Mapping[str, Any]], depth: int) -> str:
    """Things of one kind, one a row; columns that say nothing are left out."""
    names = dict.fromkeys(key for row in rows for key, v in row.items() if not _is_empty(v))
    head = "".join(f'<th style="{_CELL};{_FAINT}">{escape(words(name))}</th>' for name in names)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td style="{_CELL}">{_shown(row.get(name, ""), depth + 1)}</td>' for name in names
        )
        + "</tr>"
        for row in rows
    )
    return f'<table style="border-collapse:collapse"><tr>{head}</tr>{body}</table>'


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
