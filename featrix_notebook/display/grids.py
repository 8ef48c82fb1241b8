"""How a prediction grid looks: what it shows, its best cell, and a small picture of it."""

from __future__ import annotations

import base64
import io
import math
from html import escape
from typing import Any

import numpy as np

from featrix_notebook.coding import NUMBER_COLORS

from .pieces import block, card, facts, faint, number

PICTURE_PX = 220
_MOST_CELLS = 128


def grid_html(grid: Any) -> str:
    """What the cells say, how many are filled, where the best one is; two axes as a picture."""
    values = grid.values
    known = np.isfinite(values)
    sizes = " x ".join(map(str, grid.shape))
    best = grid.get_optimal_position() if known.any() else None
    told = [
        ("cells", f"{sizes}; {known.sum():,} of {known.size:,} filled"),
        ("queued", f"{grid.queued:,}: .process_batch() asks for them" if grid.queued else None),
        *(
            (label, f"{_tick(ticks[0])} to {_tick(ticks[-1])}" if len(ticks) > 1 else ticks[0])
            for label, ticks in zip(grid.axis_labels, grid.axis_values, strict=True)
            if len(ticks)
        ),
        (
            "largest",
            None if best is None else f"{number(float(values[best]))} at {_at(grid, best)}",
        ),
    ]
    head = f"<b>{escape(grid.meaning if known.any() else str(grid.predictor.target_column))}</b>"
    return card(block(f"{head} prediction grid", facts(told)), _picture(grid, values, best))


def _at(grid: Any, place: tuple[int, ...]) -> str:
    return ", ".join(
        f"{label} = {_tick(ticks[at])}"
        for label, ticks, at in zip(grid.axis_labels, grid.axis_values, place, strict=True)
    )


def _tick(value: Any) -> str:
    return "missing" if value is None else number(value)


def _picture(grid: Any, values: np.ndarray[Any, Any], best: tuple[int, ...] | None) -> str:
    """The cells as pixels, of three axes the slice with the best one; unfilled ones are clear."""
    if best is None:
        return ""
    flat = values.reshape(1, -1) if values.ndim == 1 else values
    flat = flat[:, :, best[2]] if flat.ndim == 3 else flat
    steps = [math.ceil(side / _MOST_CELLS) for side in flat.shape]
    flat = flat[:: steps[0], :: steps[1]]
    low, high = float(np.nanmin(flat)), float(np.nanmax(flat))
    across = grid.axis_labels[0 if values.ndim == 1 else 1]
    down = "" if values.ndim == 1 else f", {grid.axis_labels[0]} downwards"
    words = f"{across} across{down}"
    if values.ndim == 3:
        words += f"; {grid.axis_labels[2]} = {_tick(grid.axis_values[2][best[2]])}"
    height = 28 if flat.shape[0] == 1 else min(PICTURE_PX, round(PICTURE_PX * _ratio(flat.shape)))
    ramp = f"background:linear-gradient(90deg,{','.join(NUMBER_COLORS)})"
    return (
        '<figure style="margin:0"><img style="image-rendering:pixelated;display:block;'
        'border:1px solid var(--jp-border-color1,rgba(128,128,128,.35))" '
        f'width="{PICTURE_PX}" height="{height}" alt="{escape(f"{grid.meaning}: {words}")}" '
        f'src="data:image/png;base64,{_png(flat, low, high)}">'
        f'<div style="display:flex;gap:6px;align-items:center;font-size:11px">{number(low)}'
        f'<div style="flex:1;height:6px;{ramp}"></div>{number(high)}</div>'
        f'<figcaption style="font-size:11px">{faint(words)}</figcaption></figure>'
    )


def _ratio(shape: tuple[int, ...]) -> float:
    return min(max(shape[0] / shape[1], 0.2), 1.0)


def _png(values: np.ndarray[Any, Any], low: float, high: float) -> str:
    from PIL import Image

    stops = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in NUMBER_COLORS], float)
    share = (np.nan_to_num(values, nan=low) - low) / ((high - low) or 1.0)
    at = np.clip(share, 0, 1) * (len(stops) - 1)
    pixels = np.zeros((*values.shape, 4), np.uint8)
    for channel in range(3):
        pixels[..., channel] = np.interp(at, np.arange(len(stops)), stops[:, channel]).round()
    pixels[..., 3] = np.where(np.isfinite(values), 255, 0)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", optimize=True)
    return base64.b64encode(out.getvalue()).decode()
