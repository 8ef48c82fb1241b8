"""What a page with no kernel behind it knows of a movie."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np

from featrix_notebook import pages
from featrix_notebook.widgets.wire import part

if TYPE_CHECKING:
    from featrix_notebook.widgets.movie import TrainingMovie


def movie_part(widget: TrainingMovie, state: dict[str, Any]) -> dict[str, Any]:
    """All frames, and the answers to what the page may ask; see ``js/src/widgets/page.ts``.

    Raises
    ------
    ValueError
        When the movie has no frames yet.
    """
    if not len(widget.packed):
        raise ValueError("The movie has no frames yet.")
    spec = {**widget._spec, "live": False, "publish": False, "saves": False}

    def codes_of_frames(described: dict[str, Any]) -> dict[str, Any]:
        if not described["color"]["perFrame"]:
            return {}
        each = np.ascontiguousarray(widget.codes_of_frames())
        about, data = part("codes", each, codec="deflate")
        buffers = [base64.b64encode(data).decode("ascii")]
        return {"codes": {"message": {"parts": [about]}, "buffers": buffers}}

    return {
        "bundle": "movie",
        "state": {**state, "_spec": spec},
        "answers": {
            **pages.row_answers(widget),
            **pages.color_answers(widget, spec, codes_of_frames),
        },
        "frames": base64.b64encode(widget.packed.tobytes()).decode("ascii"),
        "frameBytes": widget.packed[0].nbytes,
    }
