"""How a model card looks: a page whose sections open."""

from __future__ import annotations

from typing import Any

from featrix_notebook import cards

from .pieces import block, card

MOST_ROWS = 60


def card_html(told: Any) -> str:
    """The gist at the top, then columns, decisions and numbers, each behind its title."""
    return card(block(cards.card_html(told, MOST_ROWS)))
