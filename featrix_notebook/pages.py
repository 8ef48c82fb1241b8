"""Widgets as one self-contained page: no kernel, no network."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from featrix_client.progress import slow_bar
from featrix_notebook import coding

if TYPE_CHECKING:
    from featrix_notebook.widgets.base import FeatrixWidget

# Values of rows or cells beyond this many characters, and colours beyond this many bytes, stay in
# the notebook.
_MOST_TEXT = 1_500_000
_MOST_COLORS = 40
_MOST_CODES = 8_000_000

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
main [data-widget] {{ margin-bottom: 24px; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #111318; color: #eceff4; }} }}
</style>
</head>
<body>
<main>{body}</main>
<script type="text/plain" id="data">{data}</script>
<script type="application/json" id="host">{host}</script>
<script type="module">
const read = (id) => document.getElementById(id).textContent;
const host = new Blob([JSON.parse(read("host"))], {{ type: "text/javascript" }});
const {{ default: show }} = await import(URL.createObjectURL(host));
const packed = new Blob([Uint8Array.from(atob(read("data")), (c) => c.charCodeAt(0))]);
const text = new Response(packed.stream().pipeThrough(new DecompressionStream("deflate"))).text();
const {{ bundles, widgets }} = JSON.parse(await text);
for (const [place, widget] of widgets.entries()) {{
  const el = document.querySelector(`[data-widget="${{place}}"]`);
  el.replaceChildren();
  await show({{ ...widget, bundle: bundles[widget.bundle] }}, el);
}}
</script>
</body>
</html>
"""


def page_of(widgets: Sequence[FeatrixWidget], title: str, path: str | Path | None = None) -> str:
    """The page with these widgets, one below the other; also written to `path`.

    Raises
    ------
    ValueError
        When a widget has nothing to show yet.
    """
    body = "".join(place_of(place, widget) for place, widget in enumerate(widgets))
    text = page_with(body, widgets, title)
    if path is not None:
        write(text, path)
    return text


def place_of(place: int, widget: FeatrixWidget) -> str:
    """Where a widget goes in the body of a page; its words, where scripts do not run."""
    words = escape(widget.summary())
    return f'<div data-widget="{place}"><noscript>{words}</noscript></div>'


def page_with(body: str, widgets: Sequence[FeatrixWidget], title: str) -> str:
    """A page of this HTML, in which each of the widgets has its place (:func:`place_of`).

    Raises
    ------
    ValueError
        When a widget has nothing to show yet.
    """
    from featrix_notebook.widgets.base import bundle

    parts = [widget._page_part() for widget in widgets]
    return _PAGE.format(
        title=escape(coding.text(title, 200)),
        body=body,
        data=packed(
            {
                "bundles": {name: bundle(name) for name in {part["bundle"] for part in parts}},
                "widgets": parts,
            }
        ),
        host=_script(bundle("page")),
    )


def write(text: str, path: str | Path) -> Path:
    """Write a page, whole or not at all; whatever was at `path` stays until then."""
    file = Path(path).expanduser()
    part = file.with_name(f".{file.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    return file


def coded(value: Any) -> Any:
    """A trait's value as JSON; bytes become base64 text (`js/src/widgets/page.ts`)."""
    if isinstance(value, (bytes, memoryview)):
        return {"bytes": base64_text(value)}
    return value


def packed(value: Any) -> str:
    """JSON as deflated bytes in base64: a third of its size or less."""
    text = json.dumps(value).encode()
    return base64_text(zlib.compress(text))


def base64_text(data: bytes | memoryview) -> str:
    return base64.b64encode(data).decode("ascii")


def _script(value: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


def room(most: int, brief: bool) -> int:
    """How much of something there is room for: in a notebook's output a fifth of a page's."""
    return most // 5 if brief else most


def row_answers(widget: Any, *, brief: bool = False) -> dict[str, Any]:
    """What the page says of each point, as far as there is room."""
    points = range(len(widget._order))
    answers = ((f"row/{point}", {"values": widget._row_values(point)}) for point in points)
    return within(answers, brief=brief)


def within(answers: Any, *, brief: bool = False) -> dict[str, Any]:
    """Pairs of a request and the fields of its answer, as far as there is room for them."""
    kept: dict[str, Any] = {}
    left = room(_MOST_TEXT, brief)
    for request, message in answers:
        left -= len(json.dumps(message, ensure_ascii=False))
        if left < 0:
            break
        kept[request] = {"message": message}
    return kept


def color_answers(
    widget: Any, spec: Mapping[str, Any], also: Callable[[dict[str, Any]], dict[str, Any]]
) -> dict[str, Any]:
    """What the page does when the reader colours by something else.

    `also` gives further answers that belong to a colour, from the widget's description of it.
    """
    answers: dict[str, Any] = {}
    now = widget._color_by, widget._coding
    most = min(_MOST_COLORS, _MOST_CODES // max(1, len(widget._order)))
    choices = widget.choices()[:most]
    try:
        with slow_bar("Colours of the page", len(choices), "colour") as advance:
            for place, choice in enumerate(choices):
                widget._color_by, widget._coding = widget._code(choice.key)
                described = widget._describe()
                changed = {**spec, "color": described["color"], "summary": described["summary"]}
                codes = widget._coding.codes[widget._order].tobytes()
                answers[f"color/{place}"] = {"state": {"_codes": coded(codes), "_spec": changed}}
                answers |= also(described)
                advance(1)
    finally:  # an interrupt leaves the widget as it was
        widget._color_by, widget._coding = now
    return answers
