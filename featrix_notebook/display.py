"""How client objects look in a notebook: HTML for the page, beside the text of their ``repr``.

The displays are registered on the shell's HTML formatter when the extension is loaded, so the
client itself stays free of any notebook code. A display never raises, never starts a server and
waits at most `PATIENCE` seconds for an answer: what has not arrived by then is left out. All text
that came from data or a server is escaped. Colours come from JupyterLab's theme variables or from
the text colour of the page, so light and dark themes both work.
"""

from __future__ import annotations

import base64
import io
import math
import socket
import threading
import time
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from featrix_client.state import training_state

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

PATIENCE = 1.5
SHOWN_COLUMNS = 16
SHOWN_BARS = 6
SHOWN_RESULTS = 10
PREVIEW_PX = 192
_ABSENT = object()

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
# A mark beside the word: colour alone must not tell the states apart.
_MARKS = {
    "training": ("&#9679;", "var(--jp-info-color1,#1976d2)"),
    "done": ("&#10003;", "var(--jp-success-color1,#388e3c)"),
    "error": ("&#10007;", "var(--jp-error-color1,#d32f2f)"),
}


def register(shell: InteractiveShell) -> Callable[[], None]:
    """Register the displays on `shell`.

    Returns
    -------
    callable
        Takes them away again and puts back the formatters that were there before.
    """
    from featrix_client import (
        APIEndpoint,
        BatchResults,
        FeatrixSphere,
        FoundationalModel,
        PredictionResult,
        Predictor,
        ReferenceRecord,
        VectorDatabase,
    )

    display_formatter = shell.display_formatter
    assert display_formatter is not None  # every shell makes one
    formatter = display_formatter.formatters["text/html"]
    before = {}
    displays: dict[type, Callable[[Any], str]] = {
        FeatrixSphere: sphere_html,
        FoundationalModel: model_html,
        Predictor: predictor_html,
        PredictionResult: result_html,
        BatchResults: results_html,
        APIEndpoint: endpoint_html,
        VectorDatabase: database_html,
        ReferenceRecord: reference_html,
    }
    for cls, html in displays.items():
        before[cls] = formatter.pop(cls, _ABSENT)
        formatter.for_type(cls, html)

    def restore() -> None:
        for cls, old in before.items():
            formatter.pop(cls, None)
            if old is not _ABSENT:
                formatter.for_type(cls, old)

    return restore


def answers(client: Any) -> bool:
    """Whether asking is safe: a question to an embedded server that is gone would start it."""
    transport: Any = getattr(client, "_transport", None)
    if not getattr(transport, "is_local", False):
        return True
    address = urlsplit(transport.url)
    try:
        socket.create_connection((address.hostname, address.port), timeout=0.5).close()
    except OSError:
        return False
    return True


def fetch(*calls: Callable[[], Any], patience: float = PATIENCE) -> list[Any]:
    """Results of `calls`, made side by side; `None` for one that failed or took too long.

    The threads are daemons: a server that never answers holds up neither this call nor the end
    of the process.
    """
    results: list[Any] = [None] * len(calls)
    alive = True

    def work(place: int, call: Callable[[], Any]) -> None:
        try:
            value = call()
        except Exception:  # a display shows what it has; the user's own call will say what failed
            return
        if alive:
            results[place] = value

    threads = [
        threading.Thread(target=work, args=item, name="featrix-display", daemon=True)
        for item in enumerate(calls)
    ]
    deadline = time.monotonic() + patience
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    alive = False
    return list(results)


# FeatrixSphere


def sphere_html(client: Any) -> str:
    """Which server the client talks to, and whether it answers."""
    (health,) = fetch(client.health_check) if answers(client) else [None]
    if isinstance(health, dict):
        said = str(health.get("status", "unknown"))
        state = _state("done" if said in ("ok", "healthy") else "error", said)
    else:
        health, state = {}, _state("error", "does not answer")
    facts = [
        ("server", getattr(client, "url", None)),
        ("version", health.get("version")),
        ("compute cluster", health.get("compute_cluster")),
    ]
    return f'<div style="{_CARD}"><div><b>FeatrixSphere</b> {state}{_facts(facts)}</div></div>'


# FoundationalModel


def model_html(model: Any) -> str:
    """Status, loss curve, columns and, once trained, a small picture of the sphere."""
    asked = [model.get_training_metrics, model.get_sphere_preview]
    if not answers(model):
        asked = []
    elif model.status == "training":
        asked = asked[:1]
        fetch(model.refresh)
    metrics, preview, *_ = [*fetch(*asked), None, None]
    data = metrics.get("data", {}) if isinstance(metrics, dict) else {}
    title = escape(str(model.name or model.id))
    facts = [
        ("id", model.id if model.name and model.name != model.id else None),
        ("epochs", model.epochs or _epochs(data)),
        ("loss", None if model.final_loss is None else _number(model.final_loss)),
        ("dimensions", model.dimensions),
        ("created", model.created_at),
        ("error", training_state(model.raw).error if model.status == "error" else None),
    ]
    words = f'<div style="flex:1 1 280px"><b>{title}</b> {_state(model.status, model.status)}'
    words += f"{_facts(facts)}{_chips(model.columns or [])}</div>"
    return f'<div style="{_CARD}">{words}{loss_sparkline(data)}{_picture(preview)}</div>'


# Predictor and what it answers


def predictor_html(predictor: Any) -> str:
    """Status, target, scores and loss curve."""
    asked = [predictor.get_training_metrics] if answers(predictor) else []
    if asked and predictor.status == "training":
        fetch(predictor.refresh)
    (metrics, *_) = [*fetch(*asked), None]
    data = metrics.get("data", {}) if isinstance(metrics, dict) else {}
    kind = "classes" if predictor.target_type == "set" else "numbers"
    facts = [
        ("id", predictor.id),
        ("predicts", f"{predictor.target_column} ({kind})"),
        *((name, _score(getattr(predictor, name))) for name in ("accuracy", "auc", "f1")),
        ("epochs", predictor.training_state.epoch or len(data.get("epochs") or []) or None),
        ("error", predictor.training_state.error if predictor.status == "error" else None),
    ]
    words = f'<div style="flex:1 1 280px"><b>{escape(str(predictor.name))}</b> '
    words += f"{_state(predictor.status, predictor.status)}{_facts(facts)}</div>"
    return f'<div style="{_CARD}">{words}{loss_sparkline(data)}</div>'


def result_html(result: Any) -> str:
    """The answer, the classes as bars, and every warning."""
    if result.error is not None:
        words = f"{_state('error', 'not answered')}{_facts([('error', result.error)])}"
        return f'<div style="{_CARD}"><div>{words}</div></div>'
    answer = result.prediction if result.predicted_class is None else result.predicted_class
    interval = result.prediction_interval
    facts = [
        ("confidence", _score(result.confidence)),
        ("threshold", _score(result.threshold)),
        ("interval", interval and f"{_number(interval[0])} to {_number(interval[1])}"),
        ("ignored columns", ", ".join(map(str, result.ignored_query_columns))),
        *result.guardrails.items(),
    ]
    words = f"<div><b>{escape(_number(answer))}</b>{_facts(facts)}</div>"
    bars = _bars("probability", result.probabilities)
    bars += _bars("importance", result.feature_importance or {})
    return f'<div style="{_CARD}">{words}{bars}</div>'


def results_html(results: Any) -> str:
    """The first of many answers as a table."""
    table: str = results.to_frame().to_html(max_rows=SHOWN_RESULTS, border=0)
    return f"{table}<div>{len(results):,} predictions</div>"


# VectorDatabase and ReferenceRecord


def database_html(database: Any) -> str:
    """Name, model, how many records, and how they are searched."""
    (told,) = fetch(database.refresh) if answers(database) else [None]
    told = told if isinstance(told, dict) else {}
    index = told.get("index") or {}
    words = {"exact": "every vector is compared", "hnsw": "by an index"}
    facts = [
        ("model", database.session_id),
        ("records", f"{told['record_count']:,}" if "record_count" in told else None),
        ("search", words.get(str(index.get("kind")))),
        ("recall@10", _score(index.get("recall_at_10")) if index.get("kind") == "hnsw" else None),
        ("created", database.created_at),
    ]
    title = f"<b>{escape(str(database.name))}</b> vector database"
    return f'<div style="{_CARD}"><div>{title}{_facts(facts)}</div></div>'


def reference_html(reference: Any) -> str:
    """Name, model, and what the record says."""
    said = [f"{name}: {_number(value)}" for name, value in reference.record.items()]
    title = f"<b>{escape(str(reference.name))}</b> reference record"
    words = f"{title}{_facts([('model', reference.session_id)])}{_chips(said)}"
    return f'<div style="{_CARD}"><div>{words}</div></div>'


def endpoint_html(endpoint: Any) -> str:
    """Where the endpoint is and how much it was used; never its key."""
    (stats,) = fetch(endpoint.get_usage_stats) if answers(endpoint) else [None]
    stats = stats if isinstance(stats, dict) else {}
    latency = stats.get("avg_latency_ms")
    key = "no key" if endpoint.api_key is None else "in .api_key"
    facts = [
        ("predicts", endpoint.target_column),
        ("about", endpoint.description),
        ("url", endpoint.url),
        ("key", "none needed" if endpoint.raw.get("is_public") else key),
        ("calls", stats.get("usage_count")),
        ("errors", stats.get("error_count")),
        ("latency", latency and f"{latency:.3g} ms"),
        ("last used", stats.get("last_used_at")),
    ]
    words = f"<div><b>{escape(endpoint.name)}</b>{_facts(facts)}</div>"
    return f'<div style="{_CARD}">{words}</div>'


def _bars(title: str, shares: dict[str, float]) -> str:
    """The largest shares of a whole as bars, each with its number."""
    largest = sorted(shares.items(), key=lambda item: -item[1])[:SHOWN_BARS]
    rows = "".join(
        f"<tr><td>{escape(str(name))}</td><td>{share:.3f}</td>"
        f'<td style="width:120px"><div style="height:8px;width:{100 * share:.0f}%;'
        'background:var(--jp-brand-color1,#1976d2)"></div></td></tr>'
        for name, share in largest
    )
    more = len(shares) - len(largest)
    left = f"<tr><td>and {more} more</td><td></td><td></td></tr>" if more > 0 else ""
    caption = f'<caption style="opacity:.7;text-align:left">{title}</caption>'
    return f"<table>{caption}{rows}{left}</table>" if shares else ""


def _score(value: Any) -> str | None:
    return None if value is None else f"{value:.3f}"


def _epochs(data: dict[str, Any]) -> str | None:
    """How far a model in training is, within its phase."""
    epochs, phases = data.get("epochs") or [], data.get("phase") or []
    if not epochs:
        return None
    if not phases or not data.get("phase_epochs"):
        return str(len(epochs))
    at = f"{data['phase_epoch'][-1]} of {data['phase_epochs'][-1]}"
    return f"{phases.count('space')}, then sphere {at}" if phases[-1] == "sphere" else at


def loss_sparkline(data: dict[str, Any], width: int = 220, height: int = 64) -> str:
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
        f"{'Validation' if curves[1] else 'Training'} loss went from {_number(shown[0][1])} "
        f"to {_number(shown[-1][1])} over {len(shown)} epochs"
    )
    line = '<polyline fill="none" stroke="{}" stroke-width="{}" points="{}"{}/>'
    accent = "var(--jp-brand-color1,#1976d2)"
    return (
        f'<figure style="margin:0"><svg width="{width}" height="{height}" role="img" '
        f'aria-label="{said}"><title>{said}</title>'
        + line.format("currentColor", 1, path(curves[0]), ' opacity="0.35"')
        + line.format(accent, 1.8, path(curves[1]), "")
        + '</svg><figcaption style="font-size:11px;opacity:.75">'
        f"loss {_number(shown[0][1])} &rarr; {_number(shown[-1][1])}</figcaption></figure>"
    )


def _finite(values: Sequence[Any]) -> list[tuple[int, float]]:
    numbers = [(i, v) for i, v in enumerate(values) if isinstance(v, int | float)]
    return [(i, float(v)) for i, v in numbers if math.isfinite(v)]


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _state(kind: str, word: str) -> str:
    mark, colour = _MARKS.get(kind, _MARKS["training"])
    return f'<span style="color:{colour}">{mark} {escape(str(word))}</span>'


def _facts(facts: list[tuple[str, Any]]) -> str:
    rows = "".join(
        f'<div><span style="opacity:.7">{escape(name)}</span> {escape(str(value))}</div>'
        for name, value in facts
        if value not in (None, "")
    )
    return f'<div style="overflow-wrap:anywhere">{rows}</div>'


def _chips(columns: Sequence[Any]) -> str:
    shown = "".join(
        f'<span style="{_CHIP}">{escape(str(c))}</span>' for c in columns[:SHOWN_COLUMNS]
    )
    more = len(columns) - SHOWN_COLUMNS
    return f"<div>{shown}{f' and {more} more' if more > 0 else ''}</div>" if shown else ""


def _picture(png: Any) -> str:
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
