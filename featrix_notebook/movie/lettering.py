"""Text in pictures, in a typeface that comes with matplotlib and knows many scripts."""

from __future__ import annotations

from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw, ImageFont

from featrix_notebook import coding

Cover = NDArray[np.float32]


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
    (left, top), cover = _cover(words, size, bold, anchor)
    height, width = picture.shape[:2]
    x0, y0 = int(x) + left, int(y) + top
    x1, y1 = x0 + cover.shape[1], y0 + cover.shape[0]
    inside = cover[max(-y0, 0) : height - y0, max(-x0, 0) : width - x0]
    if x1 <= 0 or y1 <= 0 or not inside.size:
        return
    part = picture[max(y0, 0) : y1, max(x0, 0) : x1]
    ink = np.array(ImageColor.getrgb(color), np.float32)
    below = part.astype(np.float32)
    part[:] = below + (ink - below) * inside[..., None] + 0.5


@lru_cache(maxsize=512)
def _cover(words: str, size: int, bold: bool, anchor: str) -> tuple[tuple[int, int], Cover]:
    """Where a line's box begins, and how much of each pixel it covers (0 to 1).

    Between two pictures of a film few words change.
    """
    letters = font(size, bold)
    left, top, right, bottom = (int(v) for v in letters.getbbox(words, anchor=anchor))
    image = Image.new("L", (max(right - left, 0) + 3, max(bottom - top, 0) + 3))
    ImageDraw.Draw(image).text((1 - left, 1 - top), words, 255, letters, anchor)
    cover: Cover = np.asarray(image, np.float32) / np.float32(255)
    return (left - 1, top - 1), cover
