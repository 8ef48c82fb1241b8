"""The heatmap as a still picture, for notebooks without a kernel, PDFs and pages of code hosts."""

from __future__ import annotations

import warnings

from matplotlib.axes import Axes
from matplotlib.legend import Legend
from matplotlib.spines import Spine
from matplotlib.text import Text

from featrix_notebook.figures.grid import plot_heatmap
from featrix_notebook.surface import Surface

_INK = "#767b84"  # 4.2 to 1 and more on white and on the dark grounds of notebooks


def draw_heatmap(surface: Surface) -> bytes:
    """PNG of a surface of which at least one value is known, for a ground of any colour."""
    figure = plot_heatmap(surface, maximize=surface.maximize)
    figure.patch.set_alpha(0)
    for text in figure.findobj(Text):
        text.set_color(_INK)
    for spine in figure.findobj(Spine):
        spine.set_edgecolor(_INK)
    for legend in figure.findobj(Legend):
        legend.set_frame_on(False)
    for axes in figure.findobj(Axes):
        axes.tick_params(color=_INK, labelcolor=_INK)
    with warnings.catch_warnings():
        # A sign that no font has becomes a box, which is all a picture can do.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        data, _ = figure._repr_mimebundle_()
    png: bytes = data["image/png"]
    return png
