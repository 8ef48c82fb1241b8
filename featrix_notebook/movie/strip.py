"""A movie as one still picture: a few of its epochs side by side, over the loss."""

from __future__ import annotations

import io

import numpy as np
from PIL import PngImagePlugin

from featrix_notebook.movie.film import Film
from featrix_notebook.movie.raster import reduced

_PICTURES = 3


def film_strip(film: Film, alt: str) -> bytes:
    """PNG of the first, a middle and the last frame; the last with curve and legend.

    Parameters
    ----------
    film
        Any film with room for words beside its sphere.
    alt
        Description stored in the file.
    """
    last = len(film.epochs) - 1
    chosen = sorted({round(last * share / (_PICTURES - 1)) for share in range(_PICTURES)})
    parts = [film.sphere(time) for time in chosen[:-1]] + [film.at(last)]
    # It stays in the notebook: a palette costs a third of the bytes, and nothing one can see.
    whole = reduced(np.concatenate(parts, axis=1), film.palette())
    about = PngImagePlugin.PngInfo()
    about.add_text("Description", alt.encode("latin-1", "replace").decode("latin-1"))
    out = io.BytesIO()
    whole.save(out, "PNG", pnginfo=about, optimize=True)
    return out.getvalue()
