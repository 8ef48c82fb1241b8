"""Tables that break widgets, and each widget of one. Script in them would open a dialog."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from featrix_notebook import PredictionHeatmap, SphereExplorer, TrainingDashboard, TrainingMovie
from featrix_notebook.widgets.base import FeatrixWidget
from tests.browser.sphere_page import FRONT

MARKUP = "<img src=x onerror=alert(2)>"
QUOTES = "\"'</style></script>&amp;<!--"
RIGHT_TO_LEFT = "שלום עולם \u202e reversed"
NAMES = ["<script>alert(1)</script>", "many", "nothing", "number", "long", "עברית", "🎉 emoji"]


def everything(n: int = 320) -> pd.DataFrame:
    """Markup, 300 categories, nothing, infinities, 10,000 characters, other scripts, lists."""
    odd = [np.nan, np.inf, -np.inf, 1e308, -1e308]
    return pd.DataFrame(
        {
            NAMES[0]: ([MARKUP, QUOTES] * n)[:n],
            "many": [f"v{i % 300}" for i in range(n)],
            "nothing": [None] * n,
            "number": np.random.default_rng(0).permutation([*odd, *range(n)])[:n],
            "long": ["x" * 10_000] * n,
            "עברית": [RIGHT_TO_LEFT] * n,
            "🎉 emoji": ["👩‍👩‍👧‍👦"] * n,
            "lists": [[i, {"a": None}] for i in range(n)],
            "when": pd.date_range("1900-01-01", periods=n, freq="97D"),
        }
    )


TABLES: dict[str, Callable[[], pd.DataFrame]] = {
    "everything": everything,
    "one row": lambda: everything(1),
    "two identical rows": lambda: pd.concat([everything(1)] * 2, ignore_index=True),
}


def positions(table: pd.DataFrame) -> np.ndarray:
    """A place for each row: identical rows have the same, the first is before the reader."""
    xyz = np.random.default_rng(1).normal(size=(len(table), 3))
    xyz[: 2 if len(table) == 2 else 1] = FRONT
    return xyz


def sphere(table: pd.DataFrame) -> SphereExplorer:
    return SphereExplorer(positions(table), rows=table, color_by=NAMES[0], height=300)


def movie(table: pd.DataFrame) -> TrainingMovie:
    """Three epochs in which nothing moves, of losses that are no numbers."""
    frames = np.stack([positions(table)] * 3)
    losses = [np.nan, np.inf, 1.0]
    options = {"autoplay": False, "height": 300}
    return TrainingMovie(frames, rows=table, losses=losses, color_by=NAMES[0], **options)


def dashboard(table: pd.DataFrame) -> TrainingDashboard:
    """Runs with the names of columns, whose numbers are those of the table."""
    numbers = table["number"].tolist()
    gone = [None] * len(table)
    runs = {name: {"loss": numbers, name: numbers, "nothing": gone} for name in NAMES}
    return TrainingDashboard(runs | {text: {"loss": numbers} for text in table.iloc[0, [0, 4]]})


def heatmap(table: pd.DataFrame) -> PredictionHeatmap:
    """Texts of the table along both axes, numbers of it in the cells."""
    rows = table["many"].tolist() if len(table) > 2 else [MARKUP, RIGHT_TO_LEFT][: len(table)]
    down = pd.Index(rows, name=NAMES[0])
    across = pd.Index([MARKUP, QUOTES, "x" * 10_000, RIGHT_TO_LEFT, "👩‍👩‍👧‍👦"], name="🎉 עברית")
    numbers = table["number"].to_numpy()
    return PredictionHeatmap(pd.DataFrame(dict.fromkeys(across, numbers)).set_axis(down))


WIDGETS: dict[str, Callable[[pd.DataFrame], FeatrixWidget]] = {
    "sphere": sphere,
    "movie": movie,
    "dashboard": dashboard,
    "heatmap": heatmap,
}
STAGES = {
    "sphere": ".ftx-sphere-stage",
    "movie": ".ftx-sphere-stage",
    "dashboard": ".ftx-chart",
    "heatmap": ".ftx-heat-stage",
}
