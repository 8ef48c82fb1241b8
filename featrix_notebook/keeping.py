"""What a saved notebook keeps of a widget: HTML that works with no kernel and no network.

``nbconvert --to html`` and viewers that run scripts show it; where scripts are taken out, what is
left of it is a picture with its words. JupyterLab and Notebook 7 have ways of their own
(`js/src/lab/extension.ts`).
"""

from __future__ import annotations

import io
import uuid
from functools import cache
from html import escape
from typing import Any

from PIL import Image

from featrix_notebook import pages

# A notebook is not to balloon: of a widget that needs more only the picture is kept.
_MOST_CHARACTERS = 1_000_000
_MOST_WIDTH = 1_000  # of the picture, in pixels

# No style element: what takes scripts out may leave the text of those.
_FRAGMENT = """<div id="{id}" class="ftx-kept">
<img alt="{words}" style="max-width: 100%" src="data:image/webp;base64,{picture}">
<div data-code="{code}" data-part="{part}"></div>
<script>
(async (place) => {{
  const picture = place.querySelector("img"), packed = place.querySelector("[data-part]");
  const read = async (name) => {{
    const bytes = Uint8Array.from(atob(packed.dataset[name]), (c) => c.charCodeAt(0));
    const text = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return JSON.parse(await new Response(text).text());
  }};
  await new Promise((seen) => new IntersectionObserver((all) => all.at(-1).isIntersecting && seen(),
    {{ rootMargin: "300px" }}).observe(place));
  const {{ host, bundle }} = await read("code");
  const url = URL.createObjectURL(new Blob([host], {{ type: "text/javascript" }}));
  const {{ replace }} = await import(url);
  await replace(picture, {{ ...await read("part"), bundle }});
}})(document.getElementById("{id}"));
</script>
</div>"""


def fragment(part: dict[str, Any], words: str, png: bytes) -> str | None:
    """The HTML for an output of a notebook.

    Parameters
    ----------
    part
        What `FeatrixWidget._page_part` gives.
    words, png
        The text and the picture in its place where scripts do not run, and on paper.

    Returns
    -------
    str or None
        None where the widget holds too much for a notebook.
    """
    html = _FRAGMENT.format(
        id=f"featrix-{uuid.uuid4().hex}",
        words=escape(words),
        picture=pages.base64_text(_small(png)),
        code=_code(part["bundle"]),
        part=pages.packed(part),
    )
    return html if len(html) <= _MOST_CHARACTERS else None


@cache
def _code(name: str) -> str:
    from featrix_notebook.widgets.base import bundle

    return pages.packed({"host": bundle("page"), "bundle": bundle(name)})


def _small(png: bytes) -> bytes:
    """The picture in a fraction of its bytes: the PNG itself is in the output, too."""
    out = io.BytesIO()
    with Image.open(io.BytesIO(png)) as picture:
        shown = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    shown.thumbnail((_MOST_WIDTH, shown.height))
    shown.save(out, "WEBP", quality=80, method=2)
    return out.getvalue()
