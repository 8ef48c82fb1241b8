"""The heatmap as a still picture, for notebooks without a kernel, PDFs and pages of code hosts."""

from __future__ import annotations

import warnings

from featrix_notebook.figures.grid import plot_heatmap
from featrix_notebook.surface import Surface


def draw_heatmap(surface: Surface) -> bytes:
    """PNG of a surface of which at least one value is known."""
    figure = plot_heatmap(surface, maximize=surface.maximize)
    with warnings.catch_warnings():
        # A sign that no font has becomes a box, which is all a picture can do.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        data, _ = figure._repr_mimebundle_()
    png: bytes = data["image/png"]
    return png
