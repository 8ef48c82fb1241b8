"""A model card: what a model is, how it came about, how far to trust it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from featrix_client.wording import one_line

_SHOWN_WARNINGS = 3


class ModelCard(dict[str, Any]):
    """A model card, as the server tells it: a dict in every respect, with a readable form.

    Printed it says the gist; in a notebook with ``%load_ext featrix`` it is a page whose sections
    open.
    """

    def __repr__(self) -> str:
        about = part(self, "model_identification")
        name = about.get("name") or about.get("session_id") or "unnamed"
        lines = [f"ModelCard of {one_line(name)!r}: {one_line(about.get('model_type') or 'model')}"]
        for title, words in self._gist():
            lines.append(f"  {title:<10} {one_line(words)}")
        return "\n".join(lines)

    def _gist(self) -> list[tuple[str, str]]:
        data, quality = part(self, "data_summary"), part(self, "model_quality")
        found = []
        if target := data.get("target_column"):
            found.append(("predicts", str(target)))
        if quality.get("assessment"):
            why = quality.get("assessment_reason")
            found.append(("quality", f"{quality['assessment']}{f' ({why})' if why else ''}"))
        if data.get("total_rows") is not None:
            left_out = len(self.get("excluded_columns") or ())
            found.append(
                (
                    "data",
                    f"{data['total_rows']} rows, {data.get('total_features', '?')} columns, "
                    f"{left_out} left out",
                )
            )
        told = [one for one in self.get("warnings") or () if isinstance(one, Mapping)]
        found += [("warning", str(one.get("message"))) for one in told[:_SHOWN_WARNINGS]]
        if len(told) > _SHOWN_WARNINGS:
            found.append(("", f"and {len(told) - _SHOWN_WARNINGS} more warnings"))
        found.append(("keys", ", ".join(map(str, self)) or "none"))
        return found


def part(card: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A section of the card; empty where a server has none of that shape."""
    part = card.get(name)
    return part if isinstance(part, Mapping) else {}
