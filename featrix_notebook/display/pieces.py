"""What displays are made of. All text that came from data or a server is escaped here."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

SHOWN_COLUMNS = 16
SHOWN_BARS = 6
PREVIEW_PX = 192

_CARD = (
    "display:flex;flex-wrap:wrap;gap:8px 24px;align-items:center;max-width:860px;padding:10px 14px;"
    "border:1px solid var(--jp-border-color1,rgba(128,128,128,.35));border-radius:4px;"
    "font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:13px;line-height:1.5;"
    "color:var(--jp-ui-font-color1,inherit)"
)
_CHIP = (
    "display:inline-block;margin:2px 4px 0 0;padding:0 6px;border-radius:3px;"
    "background:var(--jp-layout-color2,rgba(128,128,128,.15));"
    "font-family:var(--jp-code-font-family,monospace);font-size:12px"
)
# Jupyter's own style would right-align the cells and stripe the rows.
_TABLE = "border-collapse:collapse;margin:2px 0;font-size:13px"
_ROW = "background:transparent"
_CELL = "padding:1px 14px 1px 0;text-align:left;vertical-align:top;overflow-wrap:anywhere"
_FAINT = "color:var(--jp-ui-font-color2,inherit)"
ACCENT = "var(--jp-brand-color1,#1976d2)"
# A mark beside the word: colour alone must not tell the states apart.
_MARKS = {
    "training": ("&#9679;", "var(--jp-info-color1,#1976d2)"),
    "done": ("&#10003;", "var(--jp-success-color1,#388e3c)"),
    "warning": ("&#9888;", "var(--jp-warn-color0,#b75c00)"),
    "error": ("&#10007;", "var(--jp-error-color1,#d32f2f)"),
}


def card(*parts: str) -> str:
    """A bordered box with parts side by side, wrapped where there is no room."""
    return f'<div style="{_CARD}">{"".join(parts)}</div>'


def block(*parts: str) -> str:
    """A part of a card that takes the room there is."""
    return f'<div style="flex:1 1 280px;min-width:0">{"".join(parts)}</div>'


def number(value: Any) -> str:
    """A value as text, floats in four digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def score(value: Any) -> str | None:
    """A score as text; None where there is none."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{value:.3f}" if plain else None if value is None else str(value)


def state(kind: str, word: Any) -> str:
    """A word with the mark and colour of its kind."""
    mark, colour = _MARKS.get(kind, _MARKS["training"])
    return f'<span style="color:{colour}">{mark} {escape(str(word))}</span>'


def facts(pairs: Iterable[tuple[str, Any]]) -> str:
    """Names and values, one pair a line; those without a value are left out."""
    rows = "".join(
        f'<div><span style="{_FAINT}">{escape(str(name))}</span> {escape(str(value))}</div>'
        for name, value in pairs
        if value is not None and str(value) != ""
    )
    return f'<div style="overflow-wrap:anywhere">{rows}</div>'


def chips(words: Sequence[Any]) -> str:
    """The first of many words as small labels, and how many more there are."""
    shown = "".join(f'<span style="{_CHIP}">{escape(str(c))}</span>' for c in words[:SHOWN_COLUMNS])
    more = len(words) - SHOWN_COLUMNS
    return f"<div>{shown}{f' and {more} more' if more > 0 else ''}</div>" if shown else ""


def table(rows: Iterable[Sequence[str]], head: Sequence[str] = ()) -> str:
    """Rows of cells, which are HTML already."""
    top = "".join(f'<th style="{_CELL}">{escape(name)}</th>' for name in head)
    body = "".join(
        f'<tr style="{_ROW}">{"".join(f"<td style={_CELL!r}>{cell}</td>" for cell in row)}</tr>'
        for row in rows
    )
    above = f'<thead><tr style="{_ROW}">{top}</tr></thead>' if top else ""
    return f'<table style="{_TABLE}">{above}<tbody>{body}</tbody></table>' if body else ""


def faint(text: object) -> str:
    """Text that stands back."""
    return f'<span style="{_FAINT}">{escape(str(text))}</span>'


def section(title: str, body: str, opened: bool = False) -> str:
    """A part that opens when its title is clicked; no script is needed."""
    if not body:
        return ""
    return (
        f'<details style="margin:4px 0"{" open" if opened else ""}>'
        f'<summary style="cursor:pointer;font-weight:600">{escape(title)}</summary>'
        f'<div style="margin:2px 0 6px 16px;overflow-x:auto">{body}</div></details>'
    )


def bar(share: Any, mark: Any = None) -> str:
    """A share of a whole as a bar, perhaps with a mark at another share."""
    width = 100 * min(max(float(share), 0.0), 1.0) if _is_finite(share) else 0.0
    tick = ""
    if _is_finite(mark):
        tick = (
            f'<div style="position:absolute;left:{100 * min(max(float(mark), 0), 1):.0f}%;top:-2px;'
            'width:2px;height:12px;background:var(--jp-ui-font-color1,currentColor)"></div>'
        )
    return (
        '<div style="position:relative;width:120px;height:8px;margin-top:6px;border-radius:2px;'
        f'background:var(--jp-layout-color2,rgba(128,128,128,.15))">'
        f'<div style="height:8px;border-radius:2px;width:{width:.0f}%;background:{ACCENT}"></div>'
        f"{tick}</div>"
    )


def bars(title: str, shares: Mapping[Any, Any], marks: Mapping[Any, Any] | None = None) -> str:
    """The largest shares of a whole as bars, each with its number."""
    known = {name: share for name, share in shares.items() if _is_finite(share)}
    largest = sorted(known.items(), key=lambda item: -item[1])[:SHOWN_BARS]
    rows = [
        (escape(str(name)), f"{share:.3f}", bar(share, (marks or {}).get(name)))
        for name, share in largest
    ]
    more = len(shares) - len(largest)
    if more > 0:
        rows.append((faint(f"and {more} more"), "", ""))
    return f"<div>{faint(title)}{table(rows)}</div>" if rows else ""


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def loss_sparkline(data: Mapping[str, Any], width: int = 220, height: int = 64) -> str:
    """A small SVG of training (faint) and validation loss; empty text below two epochs.

    Parameters
    ----------
    data
        The `data` part of the training metrics: lists `train_loss` and `val_loss`.
    """
    # While the sphere is placed the losses stand still.
    trained = (data.get("phase") or []).count("space") or None
    curves = [_finite((data.get(key) or [])[:trained]) for key in ("train_loss", "val_loss")]
    values = [y for curve in curves for _, y in curve]
    shown = curves[1] or curves[0]
    if len(shown) < 2:
        return ""
    last = max(x for curve in curves for x, _ in curve)
    low, span = min(values), (max(values) - min(values)) or 1.0

    def path(curve: list[tuple[int, float]]) -> str:
        return " ".join(
            f"{3 + (width - 6) * x / last:.1f},{3 + (height - 6) * (1 - (y - low) / span):.1f}"
            for x, y in curve
        )

    said = (
        f"{'Validation' if curves[1] else 'Training'} loss went from {number(shown[0][1])} "
        f"to {number(shown[-1][1])} over {len(shown)} epochs"
    )
    line = '<polyline fill="none" stroke="{}" stroke-width="{}" points="{}"{}/>'
    return (
        f'<figure style="margin:0"><svg width="{width}" height="{height}" role="img" '
        f'aria-label="{said}"><title>{said}</title>'
        + line.format("currentColor", 1, path(curves[0]), ' opacity="0.35"')
        + line.format(ACCENT, 1.8, path(curves[1]), "")
        + '</svg><figcaption style="font-size:11px;opacity:.75">'
        f"loss {number(shown[0][1])} &rarr; {number(shown[-1][1])}</figcaption></figure>"
    )


def _finite(values: Sequence[Any]) -> list[tuple[int, float]]:
    return [(i, float(v)) for i, v in enumerate(values) if _is_finite(v)]


def picture(png: Any) -> str:
    """The preview, scaled down: the notebook file keeps whatever a display puts into it."""
    if not isinstance(png, bytes):
        return ""
    from PIL import Image, UnidentifiedImageError

    small = io.BytesIO()
    try:
        with Image.open(io.BytesIO(png)) as image:
            image.thumbnail((PREVIEW_PX, PREVIEW_PX))
            image.save(small, "PNG", optimize=True)
    except (UnidentifiedImageError, OSError):
        return ""
    source = base64.b64encode(small.getvalue()).decode()
    return (
        f'<img width="{PREVIEW_PX // 2}" '
        'alt="The rows of the model as points on a sphere" '
        f'src="data:image/png;base64,{source}">'
    )
