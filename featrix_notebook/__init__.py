"""Widgets, figures and magics for notebooks.

Names are resolved on first use (PEP 562), so that ``%load_ext featrix`` pays neither for
matplotlib, nor for plotly, nor for the widget machinery.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .helper import NotebookHelper
    from .report import export_report
    from .widgets.dashboard import TrainingDashboard
    from .widgets.heatmap import PredictionHeatmap
    from .widgets.link import link
    from .widgets.movie import TrainingMovie
    from .widgets.sphere import SphereExplorer

__all__ = [
    "NotebookHelper",
    "PredictionHeatmap",
    "SphereExplorer",
    "TrainingDashboard",
    "TrainingMovie",
    "export_report",
    "link",
]

_HOMES = {
    "NotebookHelper": ".helper",
    "PredictionHeatmap": ".widgets.heatmap",
    "SphereExplorer": ".widgets.sphere",
    "TrainingDashboard": ".widgets.dashboard",
    "TrainingMovie": ".widgets.movie",
    "export_report": ".report",
    "link": ".widgets.link",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
