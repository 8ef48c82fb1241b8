"""What an exported page carries, read back out of its text."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import numpy as np


def page_data(text: str) -> dict[str, Any]:
    """The bundles and widgets of a page."""
    packed = text.split('id="data">', 1)[1].split("</script>", 1)[0]
    data: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(packed)))
    return data


def unfolded(packed: np.ndarray) -> np.ndarray:
    """Unit vectors (..., 3) of what `featrix_notebook.packing` made of them, as a page reads it."""
    u, v = np.moveaxis(packed / 32767, -1, 0)
    z = 1 - np.abs(u) - np.abs(v)
    x = np.where(z < 0, (1 - np.abs(v)) * np.where(u >= 0, 1, -1), u)
    y = np.where(z < 0, (1 - np.abs(u)) * np.where(v >= 0, 1, -1), v)
    xyz = np.stack([x, y, z], -1)
    unit: np.ndarray = xyz / np.linalg.norm(xyz, axis=-1, keepdims=True)
    return unit
