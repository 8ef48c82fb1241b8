"""Text in pictures, in a typeface that comes with matplotlib and knows many scripts."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from featrix_notebook import coding


@cache
def font(size: int, bold: bool = False) -> Any:
    """A font of a height in pixels."""
    spec = find_spec("matplotlib")  # found, not imported
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
        path = Path(folder) / "mpl-data" / "fonts" / "ttf" / name
        if path.exists():
            return ImageFont.truetype(str(path), size)
    return ImageFont.load_default(size)


def fitted(text: str, size: int, room: float, bold: bool = False) -> str:
    """Text of one line, cut with an ellipsis until it is no wider than ``room`` pixels."""
    text = coding.text(text, 200)
    letters = font(size, bold)
    if letters.getlength(text) <= room:
        return text
    while text and letters.getlength(text + "…") > room:
        text = text[:-1]
    return text + "…"


def write(
    picture: NDArray[np.uint8],
    x: float,
    y: float,
    text: str,
    size: int,
    color: str,
    *,
    bold: bool = False,
    anchor: str = "la",
    room: float | None = None,
) -> None:
    """Write a line into a picture (height, width, 3), which is changed in place.

    ``anchor`` as Pillow's: ``la`` begins at (x, y) with the top of the letters there, ``ra`` ends
    there, ``ls`` stands on it.
    """
    words = fitted(text, size, room, bold) if room is not None else text
    letters = font(size, bold)
    left, top, right, bottom = (int(v) for v in letters.getbbox(words, anchor=anchor))
    box = (int(x) + left - 1, int(y) + top - 1, int(x) + right + 2, int(y) + bottom + 2)
    height, width = picture.shape[:2]
    x0, y0, x1, y1 = max(box[0], 0), max(box[1], 0), min(box[2], width), min(box[3], height)
    if x0 >= x1 or y0 >= y1:
        return
    part = Image.fromarray(np.ascontiguousarray(picture[y0:y1, x0:x1]))
    ImageDraw.Draw(part).text((int(x) - x0, int(y) - y0), words, color, letters, anchor)
    picture[y0:y1, x0:x1] = np.asarray(part)
