"""How a model card looks: a page whose sections open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from .pieces import bar, block, card, chips, facts, faint, number, section, state, table

MOST_ROWS = 60
MOST_DEPTH = 4
_SEVERITY = {"HIGH": "error", "MEDIUM": "warning", "MODERATE": "warning"}
# In the order in which they are asked for; whatever else a server tells follows in one section.
_PLAIN = {
    "quality_metrics": "Quality",
    "data_summary": "Data",
    "training_config": "Training",
    "calibration": "Calibration",
}
_SHOWN = {
    *_PLAIN,
    *("columns", "excluded_columns", "warnings", "decisions", "what_is_this_model_good_for"),
    *("model_identification", "model_quality"),
}


def card_html(told: Any) -> str:
    """The gist at the top, then columns, decisions and numbers, each behind its title."""
    about, quality = _part(told, "model_identification"), _part(told, "model_quality")
    name = about.get("name") or about.get("session_id") or "unnamed"
    head = (
        f'<b style="font-size:15px">{escape(str(name))}</b> {faint(about.get("model_type") or "")}'
    )
    warnings = [one for one in _list(told, "warnings") if isinstance(one, Mapping)]
    body = "".join(
        [
            f"<div>{head}</div>",
            _gist(told, about, quality),
            section(f"Warnings ({len(warnings)})", _warnings(warnings), opened=True)
            if warnings
            else "",
            section("Columns", _columns(_list(told, "columns"))),
            section("Left out", _left_out(_list(told, "excluded_columns"))),
            section("Decisions and their reasons", _pairs(_part(told, "decisions"))),
            *(section(title, html_of(told.get(key))) for key, title in _PLAIN.items()),
            section(
                "Everything else",
                "".join(
                    section(str(key).replace("_", " "), html_of(value))
                    for key, value in told.items()
                    if key not in _SHOWN
                ),
            ),
        ]
    )
    return card(block(body))


def _gist(told: Any, about: Mapping[str, Any], quality: Mapping[str, Any]) -> str:
    data, good = _part(told, "data_summary"), _part(told, "what_is_this_model_good_for")
    word, why = quality.get("assessment"), quality.get("assessment_reason")
    rows = data.get("total_rows")
    uses = [str(one) for one in good.get("uses") or () if isinstance(one, str)]
    anti = [str(one) for one in good.get("anti") or () if isinstance(one, str)]
    return facts(
        [
            ("predicts", about.get("target_column")),
            ("quality", word and (f"{word}: {why}" if why else word)),
            (
                "learned from",
                None if rows is None else f"{rows} rows, {data.get('total_features', '?')} columns",
            ),
            ("good for", "; ".join(uses)),
            ("not for", "; ".join(anti)),
            ("trained", about.get("training_date")),
        ]
    )


def _warnings(warnings: Sequence[Mapping[str, Any]]) -> str:
    found = []
    for one in warnings[:MOST_ROWS]:
        kind = _SEVERITY.get(str(one.get("severity")).upper(), "training")
        advice = faint(one["recommendation"]) if one.get("recommendation") else ""
        found.append(f"<div>{state(kind, one.get('message') or one.get('type'))} {advice}</div>")
    return "".join(found) + _more(len(warnings))


def _columns(columns: Sequence[Any]) -> str:
    rows = []
    for one in columns[:MOST_ROWS]:
        if not isinstance(one, Mapping):
            one = {"name": one}
        missing, share = one.get("null_rate"), one.get("predictability_pct")
        rows.append(
            (
                escape(str(one.get("name"))),
                escape(str(one.get("detected_type") or one.get("type") or "")),
                f"{missing:.1%}" if isinstance(missing, int | float) else "",
                escape(str(one.get("unique_values", ""))),
                bar(share / 100) if isinstance(share, int | float) else "",
                faint(one.get("reason") or one.get("encoding_strategy") or ""),
            )
        )
    head = ("column", "type", "missing", "different", "told by the others", "why so")
    return table(rows, head) + _more(len(columns))


def _left_out(columns: Sequence[Any]) -> str:
    rows = [
        (escape(str(one.get("name"))), faint(one.get("reason") or one.get("code") or ""))
        if isinstance(one, Mapping)
        else (escape(str(one)), "")
        for one in columns[:MOST_ROWS]
    ]
    return table(rows) + _more(len(columns))


def html_of(value: Any, depth: int = 0) -> str:
    """Any JSON value: pairs, tables of records, labels, texts; cut where it is long or deep."""
    if isinstance(value, Mapping):
        return _pairs(value, depth)
    if isinstance(value, list | tuple):
        if value and all(isinstance(one, Mapping) for one in value) and depth < MOST_DEPTH:
            return _records(value, depth)
        if any(isinstance(one, Mapping | list) for one in value):
            return faint(f"{len(value)} items")
        return chips(value)
    if isinstance(value, float):
        return escape(number(value))
    return escape("" if value is None else str(value))


def _pairs(value: Mapping[Any, Any], depth: int = 0) -> str:
    if depth >= MOST_DEPTH:
        return faint(f"{len(value)} entries")
    shown = list(value.items())[:MOST_ROWS]
    rows = [(faint(str(key).replace("_", " ")), html_of(one, depth + 1)) for key, one in shown]
    return table(rows) + _more(len(value))


def _records(value: Sequence[Mapping[Any, Any]], depth: int) -> str:
    names = list(dict.fromkeys(str(name) for one in value[:MOST_ROWS] for name in one))[:8]
    rows = [[html_of(one.get(name), depth + 2) for name in names] for one in value[:MOST_ROWS]]
    return table(rows, [name.replace("_", " ") for name in names]) + _more(len(value))


def _more(count: int) -> str:
    return f"<div>{faint(f'and {count - MOST_ROWS} more')}</div>" if count > MOST_ROWS else ""


def _part(told: Any, name: str) -> Mapping[str, Any]:
    part = told.get(name)
    return part if isinstance(part, Mapping) else {}


def _list(told: Any, name: str) -> Sequence[Any]:
    part = told.get(name)
    return part if isinstance(part, list) else []
