"""What a page with no kernel behind it knows of a movie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from featrix_notebook import pages
from featrix_notebook.widgets.wire import part

if TYPE_CHECKING:
    from featrix_notebook.widgets.movie import TrainingMovie


# Of the 16 bits of a coordinate, those a brief page keeps: to a thousandth of the radius.
_COARSE = np.int16(~15)


def movie_part(
    widget: TrainingMovie, state: dict[str, Any], *, brief: bool = False
) -> dict[str, Any]:
    """All frames, and the answers to what the page may ask; see ``js/src/widgets/page.ts``.

    Raises
    ------
    ValueError
        When the movie has no frames yet.
    """
    if not len(widget.packed):
        raise ValueError("The movie has no frames yet.")
    packed = widget.packed & _COARSE if brief else widget.packed
    spec = {**widget._spec, "live": False, "publish": False, "saves": False}

    def codes_of_frames(described: dict[str, Any]) -> dict[str, Any]:
        if not described["color"]["perFrame"]:
            return {}
        each = np.ascontiguousarray(widget.codes_of_frames())
        about, data = part("codes", each, codec="deflate")
        buffers = [pages.base64_text(data)]
        return {"codes": {"message": {"parts": [about]}, "buffers": buffers}}

    return {
        "bundle": "movie",
        "state": {**state, "_spec": spec},
        "answers": {
            **pages.row_answers(widget, brief=brief),
            **pages.color_answers(widget, spec, codes_of_frames),
        },
        "frames": pages.base64_text(packed.tobytes()),
        "frameBytes": packed[0].nbytes,
    }
