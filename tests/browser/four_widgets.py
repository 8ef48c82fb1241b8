"""One of each widget, small and without a server, as the cells of a notebook."""

from __future__ import annotations

MAKE = """
import numpy as np
import pandas as pd
from featrix_notebook import (
    PredictionHeatmap, SphereExplorer, TrainingDashboard, TrainingMovie,
)
rng = np.random.default_rng(0)
xyz = rng.normal(size=(300, 3))
rows = pd.DataFrame({"number": range(300), "plan": rng.choice(list("abc"), 300)})
losses = 3 / np.arange(1, 9)
frames = np.linspace(0.1, 1, 8)[:, None, None] * xyz + rng.normal(size=(8, 300, 3))
surface = pd.DataFrame(
    np.arange(12.0).reshape(4, 3) ** 0.5,
    pd.Index([20, 40, 60, 80], name="age"), pd.Index(list("abc"), name="plan"),
)
"""
# Name to a cell that shows the widget, and to what of it is on the page when it lives.
WIDGETS = {
    "sphere": ("SphereExplorer(xyz, rows=rows, color_by='plan')", ".ftx-sphere-stage"),
    "movie": (
        "TrainingMovie(frames, rows=rows, losses=losses, autoplay=False)",
        ".ftx-movie .ftx-sphere-stage",
    ),
    "heatmap": ("PredictionHeatmap(surface)", ".ftx-heat-stage"),
    "dashboard": ("TrainingDashboard({'epoch': range(8), 'loss': losses})", ".ftx-dash .ftx-chart"),
}
