"""A model card as HTML that reads like a page: the gist first, then sections that open.

Nothing of it is trusted: every key and every value is escaped. It needs no script and no style
sheet, and takes its colours from the page it stands in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from featrix_client.model_card import part
from featrix_notebook.display.pieces import bar, facts, faint, section, state, table

# Two vocabularies stand side by side in a card (`featrix_server/engine/card.py`): what is told
# elsewhere, too, is shown there.
_TWICE = {
    "feature_inventory": "columns",
    "column_statistics": "columns",
    "training_configuration": "training_config",
    "training_dataset": "data_summary",
}
_FIRST = (
    *("columns", "excluded_columns", "warnings", "decisions", "what_is_this_model_good_for"),
    *("model_identification", "model_quality"),
)
_NUMBERS = ("quality_metrics", "data_summary", "training_config", "calibration")
_SEVERITIES = {"HIGH": "error", "MEDIUM": "warning", "MODERATE": "warning"}
_DEEPEST = 6


def card_html(card: Mapping[str, Any], most: int | None = None) -> str:
    """The card of a model or a predictor.

    Parameters
    ----------
    card
        As ``get_model_card()`` returns it, of any server: sections that are not known are shown,
        too, and empty ones left out.
    most
        Most rows of a section; the rest is counted. None shows all.
    """
    warnings = [one for one in _items(card, "warnings") if isinstance(one, Mapping)]
    used = {*_FIRST, *_NUMBERS, *(key for key, other in _TWICE.items() if other in card)}
    rest = [(key, value) for key, value in card.items() if key not in used]
    parts = [
        _gist(card),
        section(f"Warnings ({len(warnings)})", _warnings(warnings[:most], len(warnings)), True),
        section("Columns", _columns(_items(card, "columns"), most)),
        section("Left out", _left_out(_items(card, "excluded_columns"), most)),
        section("Decisions, and why", _cut(card.get("decisions"), most)),
        *(section(words(key), _cut(card.get(key), most)) for key in _NUMBERS),
        section(
            "Everything else",
            "".join(section(words(key), _cut(value, most)) for key, value in rest),
        ),
    ]
    return "".join(parts)


def _gist(card: Mapping[str, Any]) -> str:
    about, quality = part(card, "model_identification"), part(card, "model_quality")
    data, good = part(card, "data_summary"), part(card, "what_is_this_model_good_for")
    word, why = quality.get("assessment"), quality.get("assessment_reason")
    rows = data.get("total_rows")
    size = None if rows is None else f"{rows} rows, {data.get('total_features', '?')} columns"
    head = f"<b>{escape(_plain(about.get('name') or about.get('session_id') or 'unnamed'))}</b>"
    return f"<div>{head} {faint(about.get('model_type') or '')}</div>" + facts(
        [
            ("predicts", about.get("target_column")),
            ("quality", word and (f"{word}: {why}" if why else word)),
            ("learned from", size),
            ("good for", "; ".join(map(_plain, _items(good, "uses")))),
            ("not for", "; ".join(map(_plain, _items(good, "anti")))),
            ("trained", about.get("training_date")),
        ]
    )


def _warnings(warnings: Sequence[Mapping[str, Any]], count: int) -> str:
    found = []
    for one in warnings:
        kind = _SEVERITIES.get(str(one.get("severity")).upper(), "training")
        advice = faint(one["recommendation"]) if one.get("recommendation") else ""
        found.append(f"<div>{state(kind, one.get('message') or one.get('type'))} {advice}</div>")
    return "".join(found) + _more(count, len(warnings))


def _columns(columns: Sequence[Any], most: int | None) -> str:
    rows = []
    for one in columns[:most]:
        told = one if isinstance(one, Mapping) else {"name": one}
        missing, share = told.get("null_rate"), told.get("predictability_pct")
        rows.append(
            (
                escape(_plain(told.get("name"))),
                escape(_plain(told.get("detected_type") or told.get("type"))),
                f"{missing:.1%}" if isinstance(missing, int | float) else "",
                escape(_plain(told.get("unique_values"))),
                bar(share / 100) if isinstance(share, int | float) else "",
                faint(told.get("reason") or told.get("encoding_strategy") or ""),
            )
        )
    head = ("column", "type", "missing", "different", "told by the others", "why so")
    return table(rows, head) + _more(len(columns), len(rows))


def _left_out(columns: Sequence[Any], most: int | None) -> str:
    rows = [
        (escape(_plain(one.get("name"))), faint(one.get("reason") or one.get("code") or ""))
        if isinstance(one, Mapping)
        else (escape(_plain(one)), "")
        for one in columns[:most]
    ]
    return table(rows) + _more(len(columns), len(rows))


def _cut(value: Any, most: int | None) -> str:
    """Any value of a card, its rows cut where there are too many."""
    if _is_empty(value):
        return ""
    if most is None or not isinstance(value, Mapping | list) or len(value) <= most:
        return _shown(value)
    cut = dict(list(value.items())[:most]) if isinstance(value, Mapping) else value[:most]
    return _shown(cut) + _more(len(value), most)


def _more(count: int, shown: int) -> str:
    return f"<div>{faint(f'and {count - shown:,} more')}</div>" if count > shown else ""


def _items(card: Mapping[str, Any], name: str) -> list[Any]:
    items = card.get(name)
    return items if isinstance(items, list) else []


def words(key: object) -> str:
    """A key of a card as a person would write it: ``"val_rows"`` as ``"Val rows"``."""
    text = str(key).replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str | Mapping | Sequence) and not len(value))


def _shown(value: Any, depth: int = 0) -> str:
    if depth >= _DEEPEST:
        return escape(str(value))
    if isinstance(value, Mapping):
        rows = list(value.values())
        if len(rows) > 1 and all(isinstance(row, Mapping) for row in rows):
            return _table([{"": key, **row} for key, row in value.items()], depth)
        return _facts(value, depth)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        if value and all(isinstance(row, Mapping) for row in value):
            return _table(value, depth)
        if any(isinstance(item, Mapping | list) for item in value):
            return "".join(f"<div>{_shown(item, depth + 1)}</div>" for item in value)
        return escape(", ".join(_plain(item) for item in value))
    return escape(_plain(value))


def _facts(values: Mapping[str, Any], depth: int) -> str:
    """Names and what is known of them, one a row; what is empty is left out."""
    return table(
        (faint(words(key)), _shown(value, depth + 1))
        for key, value in values.items()
        if not _is_empty(value)
    )


def _table(rows: Sequence[Mapping[str, Any]], depth: int) -> str:
    """Things of one kind, one a row; columns that say nothing are left out."""
    names = dict.fromkeys(key for row in rows for key, v in row.items() if not _is_empty(v))
    cells = ([_shown(row.get(name, ""), depth + 1) for name in names] for row in rows)
    return table(cells, [words(name) for name in names])


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
