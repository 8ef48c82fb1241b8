"""How client objects look in a notebook: HTML for the page, beside the text of their ``repr``.

The displays are registered on the shell's HTML formatter when the extension is loaded, so the
client itself stays free of any notebook code. A display never raises, never starts a server and
waits at most `asking.PATIENCE` seconds for an answer: what has not arrived by then is left out. All
text that came from data or a server is escaped. Colours come from JupyterLab's theme variables or
from the text colour of the page, so light and dark themes both work.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from .asking import answers, fetch
from .cards import card_html
from .grids import grid_html
from .models import model_html, sphere_html
from .predictors import feedback_html, predictor_html, result_html, results_html
from .services import database_html, endpoint_html, reference_html

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = [
    "answers",
    "card_html",
    "database_html",
    "displays",
    "endpoint_html",
    "feedback_html",
    "fetch",
    "grid_html",
    "model_html",
    "predictor_html",
    "reference_html",
    "register",
    "result_html",
    "results_html",
    "sphere_html",
]

_ABSENT = object()
_log = logging.getLogger(__name__)


def displays() -> dict[type, Callable[[Any], str]]:
    """Every class of the client that has a display, and the function that makes its HTML."""
    import featrix_client as client

    return {
        client.FeatrixSphere: sphere_html,
        client.FoundationalModel: model_html,
        client.Predictor: predictor_html,
        client.PredictionResult: result_html,
        client.BatchResults: results_html,
        client.PredictionFeedback: feedback_html,
        client.PredictionGrid: grid_html,
        client.ModelCard: card_html,
        client.APIEndpoint: endpoint_html,
        client.VectorDatabase: database_html,
        client.ReferenceRecord: reference_html,
    }


def register(shell: InteractiveShell) -> Callable[[], None]:
    """Register the displays on `shell`.

    Returns
    -------
    callable
        Takes them away again and puts back the formatters that were there before.
    """
    display_formatter = shell.display_formatter
    assert display_formatter is not None  # every shell makes one
    formatter = display_formatter.formatters["text/html"]
    before = {}
    for cls, html in displays().items():
        before[cls] = formatter.pop(cls, _ABSENT)
        formatter.for_type(cls, _never_raising(html))

    def restore() -> None:
        for cls, old in before.items():
            formatter.pop(cls, None)
            if old is not _ABSENT:
                formatter.for_type(cls, old)

    return restore


def _never_raising(html: Callable[[Any], str]) -> Callable[[Any], str | None]:
    """Leave it at the text where a server tells things of a shape that nobody expects."""

    @wraps(html)
    def shown(value: Any) -> str | None:
        try:
            return html(value)
        except Exception:  # whatever it is about, the text form remains
            _log.debug("No display of a %s.", type(value).__name__, exc_info=True)
            return None

    return shown
