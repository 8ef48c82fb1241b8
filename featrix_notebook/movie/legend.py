"""What colours mean: the palette of a picture, and its legend."""

from __future__ import annotations

import numpy as np

from featrix_notebook.coding import NUMBER_COLORS, Coding
from featrix_notebook.movie.lettering import write
from featrix_notebook.movie.raster import Floats, Picture, Theme, rgb

MISSING = "#8e9298"


def palette(coding: Coding) -> Floats:
    """float32 (256, 3), 0 to 255, as `buildPalette` of the page."""
    table = np.tile(rgb(MISSING), (256, 1))
    if coding.kind == "number":
        stops = np.stack([rgb(color) for color in coding.colors or NUMBER_COLORS])
        at = np.linspace(0, len(stops) - 1, 255)
        known = np.arange(len(stops))
        table[1:] = np.column_stack([np.interp(at, known, stops[:, i]) for i in range(3)])
    elif coding.kind == "none":
        table[0] = rgb(coding.colors[0])
    else:
        for place, color in enumerate(coding.colors, start=1):
            table[place] = rgb(color)
    return table


def write_legend(
    picture: Picture,
    box: tuple[int, int, int, int],
    coding: Coding,
    label: str,
    theme: Theme,
    scale: float,
) -> None:
    """Write the legend into a picture, which is changed in place.

    Parameters
    ----------
    picture
        uint8 (height, width, 3).
    box
        Left, top, right and bottom of the room there is, in pixels; what does not fit is counted.
    coding, label
        What the colours mean, and the heading.
    theme, scale
        Colours of the words, and their size: 1 suits a picture of 1280 x 720 pixels.
    """
    if coding.kind == "none":
        return
    left, top, right, bottom = box
    small, s = max(8, int(16 * scale)), scale
    write(picture, left, top, label, small, theme.soft, room=right - left)
    top += int(32 * s)
    if coding.kind == "number":
        bar = slice(top, top + int(16 * s))
        ramp = palette(coding)[np.linspace(1, 255, right - left).astype(int)]
        picture[bar, left:right] = np.rint(ramp)
        for at, words in coding.ticks:
            x = left + at * (right - left)
            write(picture, x, bar.stop + 6 * s, words, small, theme.soft, anchor="ma")
        top = bar.stop + int(44 * s)
    entries = [
        (name, f"{count:,}", color)
        for (name, count), color in zip(coding.entries, coding.colors, strict=False)
    ]
    if coding.missing:
        entries.append(("Missing", f"{coding.missing:,}", MISSING))
    step = int(28 * s)
    room = max(0, (bottom - top) // max(step, 1))
    if len(entries) > room:
        room = max(0, room - 1)
        words = f"and {len(entries) - room} more"
        write(picture, left + 22 * s, top + room * step, words, small, theme.soft)
    for name, count, color in entries[:room]:
        dot = slice(top + int(3 * s), top + int(15 * s)), slice(left, left + int(12 * s))
        picture[dot] = np.rint(rgb(color))
        write(picture, left + 22 * s, top, name, small, theme.ink, room=right - left - 110 * s)
        write(picture, right, top, count, small, theme.soft, anchor="ra")
        top += step
