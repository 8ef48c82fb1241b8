"""A movie as one self-contained page: no kernel, no network."""

from __future__ import annotations

import base64
import json
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from featrix_notebook import coding
from featrix_notebook.widgets.base import FeatrixWidget, bundle
from featrix_notebook.widgets.wire import part

if TYPE_CHECKING:
    from featrix_notebook.widgets.movie import TrainingMovie

_MOST_COLORS = 40
# Values of rows beyond this many characters stay in the notebook.
_MOST_TEXT = 1_500_000

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none';
 script-src 'unsafe-inline' blob:; style-src 'unsafe-inline'; img-src data: blob:">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 0; background: #fff; color: #1c1f24; font-family: system-ui, sans-serif; }}
main {{ max-width: 1180px; margin: 24px auto; padding: 0 16px; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #111318; color: #eceff4; }} }}
</style>
</head>
<body>
<main id="movie"><noscript>{summary}</noscript></main>
<script type="application/json" id="data">{data}</script>
<script type="application/json" id="host">{host}</script>
<script type="module">
const read = (id) => JSON.parse(document.getElementById(id).textContent);
const url = URL.createObjectURL(new Blob([read("host")], {{ type: "text/javascript" }}));
const {{ default: show }} = await import(url);
await show(read("data"), document.getElementById("movie"));
</script>
</body>
</html>
"""


def movie_page(widget: TrainingMovie) -> str:
    """The whole page as text.

    Raises
    ------
    ValueError
        When the movie has no frames yet.
    """
    with widget._lock:
        if not len(widget.packed):
            raise ValueError("The movie has no frames yet.")
        own = set(FeatrixWidget.class_trait_names(sync=True)) - {"_version"}
        state = {
            name: _coded(getattr(widget, name))
            for name in widget.trait_names(sync=True)
            if name not in own
        }
        spec = {**widget._spec, "live": False, "publish": False, "saves": False}
        data = {
            "bundle": bundle("movie"),
            "state": {**state, "_spec": spec},
            "answers": {**_rows(widget), **_colors(widget, spec)},
            "frames": base64.b64encode(widget.packed.tobytes()).decode("ascii"),
            "frameBytes": widget.packed[0].nbytes,
        }
        title, summary = widget._points.title or "Training movie", widget.summary()
    return _PAGE.format(
        title=escape(coding.text(title, 200)),
        summary=escape(summary),
        data=_script(data),
        host=_script(bundle("page")),
    )


def _coded(value: Any) -> Any:
    if isinstance(value, (bytes, memoryview)):
        return {"bytes": base64.b64encode(value).decode("ascii")}
    return value


def _script(value: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


def _rows(widget: TrainingMovie) -> dict[str, Any]:
    """What the page says of each point, as far as there is room."""
    answers: dict[str, Any] = {}
    room = _MOST_TEXT
    for point in range(len(widget._order)):
        values = widget._row_values(point)
        room -= sum(len(name or "") + len(words or "") for name, words in values)
        if room < 0:
            break
        answers[f"row/{point}"] = {"message": {"values": values}}
    return answers


def _colors(widget: TrainingMovie, spec: dict[str, Any]) -> dict[str, Any]:
    """What the page does when the reader colours by something else."""
    answers: dict[str, Any] = {}
    now = widget._color_by, widget._coding
    try:
        for place, choice in enumerate(widget.choices()[:_MOST_COLORS]):
            widget._color_by, widget._coding = widget._code(choice.key)
            described = widget._describe()
            changed = {**spec, "color": described["color"], "summary": described["summary"]}
            codes = widget._coding.codes[widget._order].tobytes()
            answers[f"color/{place}"] = {"state": {"_codes": _coded(codes), "_spec": changed}}
            if described["color"]["perFrame"]:
                each = np.ascontiguousarray(widget.codes_of_frames())
                about, data = part("codes", each, codec="deflate")
                answers["codes"] = {
                    "message": {"parts": [about]},
                    "buffers": [base64.b64encode(data).decode("ascii")],
                }
    finally:
        widget._color_by, widget._coding = now
    return answers
