"""The sphere as a still picture, for notebooks without a kernel, PDFs and pages of code hosts.

It is drawn before the widget is shown, so it takes a few hundredths of a second, and it travels to
the page with it, so it is small: a sample of the points in few colours.
"""

from __future__ import annotations

import io
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from featrix_notebook.coding import Coding
from featrix_notebook.movie.legend import palette, write_legend
from featrix_notebook.movie.raster import LIGHT, Floats, Picture, Points, View, ball, reduced, rgb

MOST_POINTS = 4_000
_SIDE, _WIDTH, _MARGIN = 500, 760, 18
_HUES = 16


def draw_sphere(
    xyz: NDArray[np.float32], coding: Coding, shown: NDArray[np.int64], label: str, alt: str
) -> bytes:
    """PNG of points on the sphere with their legend.

    Parameters
    ----------
    xyz
        (n, 3) unit vectors; at most `MOST_POINTS` are worth their bytes.
    coding
        Colours of all rows; ``shown`` (n,) says which rows the points are.
    label
        Heading of the legend.
    alt
        Description stored in the file.
    """
    picture = np.empty((_SIDE, _WIDTH, 3), np.uint8)
    picture[:] = np.rint(rgb(LIGHT.ground))
    picture[:, :_SIDE] = _ball()
    view = _view()
    points = Points(view, LIGHT, view.point_size(len(xyz)), _WIDTH)
    points.paint(picture, xyz, palette(coding)[coding.codes[shown]])
    box = (_SIDE + _MARGIN, 2 * _MARGIN, _WIDTH - 2 * _MARGIN, _SIDE - _MARGIN)
    write_legend(picture, box, coding, label, LIGHT, 0.8)
    about = PngImagePlugin.PngInfo()
    about.add_text("Description", alt.encode("latin-1", "replace").decode("latin-1"))
    out = io.BytesIO()
    reduced(picture, _few(coding)).save(out, "PNG", pnginfo=about)
    return out.getvalue()


def _few(coding: Coding) -> Image.Image:
    """An image with the palette of 256 colours at most that the picture is reduced to.

    The colours are known: finding them in the picture takes ten times as long, and a general
    method spends them on the points and leaves bands on the ball.
    """
    table = palette(coding)
    known = np.unique(table[:: len(table) // _HUES if coding.kind == "number" else 1], axis=0)
    ground, far = rgb(LIGHT.ground)[None], rgb(LIGHT.far)[None]
    light, shade, line, ink, soft = (
        rgb(color)[None] for color in (LIGHT.light, LIGHT.shade, LIGHT.line, LIGHT.ink, LIGHT.soft)
    )
    colors = [
        ground,
        _between(light, shade, 12),
        _between(shade, line, 4),
        _between(ground, ink, 4),
        _between(ground, soft, 4),
        *(_between(color[None], far, 5) for color in known),
    ]
    image = Image.new("P", (1, 1))
    image.putpalette(np.rint(np.concatenate(colors)[:256]).astype(np.uint8).tobytes())
    return image


def _between(one: Floats, other: Floats, steps: int) -> Floats:
    """Colours from one to another; (steps, 3)."""
    share = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
    return one + (other - one) * share


def _view() -> View:
    return View(_SIDE, _SIDE)


@cache
def _ball() -> Picture:
    """The same behind all points."""
    return ball(_view(), LIGHT)
