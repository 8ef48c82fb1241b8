"""What all figures share: styles, a palette for every eye, and a figure that displays itself.

The figures are made without pyplot. So none is shown twice, none stays in memory after its last
reference is gone, and the user's own settings (`plt.style`, `rcParams`) are left as found.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from ..coding import CATEGORY_COLORS

# The widgets' palette, so that a still figure matches what turns on the page. Colour never has to
# tell alone: with it go shapes or dashes.
COLORS = CATEGORY_COLORS[:-1]  # the last is for "other"
# matplotlib's name, plotly's name, and whether the shape is filled
_SHAPES = (
    ("o", "circle", True),
    ("D", "diamond", True),
    ("s", "square-open", False),
    ("P", "cross", True),
    ("o", "circle-open", False),
    ("s", "square", True),
    ("D", "diamond-open", False),
)
# A shape that comes again goes with a colour of another lightness, for prints in grey.
MARKERS = tuple(_SHAPES[i] for i in (0, 1, 2, 3, 4, 5, 6, 6, 3, 0, 4, 2))
DASHES: tuple[Any, ...] = ("solid", (0, (5, 2)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)))
TRAIN, VALIDATION, RATE = COLORS[0], COLORS[1], "#5B5B5B"
MISSING = "#9E9E9E"

_COMMON: dict[str, Any] = {
    "text.parse_math": False,  # a "$" in a column name is a dollar sign
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.25,
    "legend.edgecolor": "none",
    "legend.facecolor": "white",
    "legend.framealpha": 0.85,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "text.color": "black",
    "axes.labelcolor": "black",
}
STYLES: dict[str, dict[str, Any]] = {
    "notebook": {
        **_COMMON,
        "font.family": "sans-serif",
        "font.size": 11,
        "axes.titlesize": 13,
        "lines.linewidth": 2.0,
        "figure.dpi": 100,
    },
    # For a journal column: small serif type, thin black lines, no grid, print resolution.
    "paper": {
        **_COMMON,
        "font.family": "serif",
        "mathtext.fontset": "dejavuserif",
        "font.size": 9,
        "axes.titlesize": 9,
        "axes.grid": False,
        "axes.linewidth": 0.6,
        "lines.linewidth": 1.1,
        "figure.dpi": 150,
        "savefig.dpi": 300,
    },
    # To be read from the back of a room.
    "presentation": {
        **_COMMON,
        "font.family": "sans-serif",
        "font.size": 18,
        "axes.titlesize": 22,
        "axes.titleweight": "bold",
        "axes.linewidth": 1.6,
        "lines.linewidth": 4.0,
        "grid.alpha": 0.15,
        "figure.dpi": 100,
    },
}


class FeatrixFigure(Figure):
    """A matplotlib figure that shows itself in a notebook and says in words what it shows.

    It belongs to no pyplot window: display it by naming it last in a cell, or save it with
    ``savefig``.

    Attributes
    ----------
    alt : str
        A text alternative of one or two sentences.
    look : str
        The style it was made in, in which it is also drawn.
    """

    alt: str = ""
    look: str = "notebook"

    def savefig(self, fname: Any, **options: Any) -> None:
        """As of every matplotlib figure, but in its own style, whatever the notebook's is.

        Fonts, colour of the ground and resolution (300 dots an inch in the style ``paper``) are
        otherwise looked up when a figure is written, long after it was made.
        """
        with style(self.look):
            super().savefig(fname, **options)

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        png = io.BytesIO()
        self.savefig(png, format="png", dpi=self.dpi)
        data = {"image/png": png.getvalue(), "text/plain": self.alt or repr(self)}
        return data, {"image/png": {"alt": self.alt}}


@contextmanager
def style(name: str) -> Iterator[None]:
    """One of `STYLES`, while the block runs.

    Raises
    ------
    ValueError
        For a name that is not a style.
    """
    if name not in STYLES:
        raise ValueError(f"Unknown style {name!r}. The styles are: {', '.join(STYLES)}.")
    with mpl.rc_context():
        mpl.rcdefaults()  # the look must not depend on what the notebook set before
        for key, value in STYLES[name].items():
            mpl.rcParams[key] = value  # type: ignore[index]  # the stubs want a literal key
        yield


def new_figure(figsize: Sequence[float], look: str = "notebook") -> FeatrixFigure:
    """An empty figure of `figsize` inches in the style `look`, whose parts do not overlap."""
    figure = FeatrixFigure(figsize=(float(figsize[0]), float(figsize[1])), layout="constrained")
    figure.look = look
    return figure


def shown(name: object, width: int = 28) -> str:
    """A name from data as a label: cut to `width`, and never hidden by matplotlib's rule that
    labels starting with an underscore are private.
    """
    text = " ".join(str(name).split())
    text = text if len(text) <= width else text[: width - 1] + "…"
    return f"\u200a{text}" if text.startswith("_") else text


def note(axes: Any, text: str) -> None:
    """Say in the middle of empty axes why they are empty."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color="#5B5B5B")
