"""How a connection and a foundational model look."""

from __future__ import annotations

from html import escape
from typing import Any

from featrix_client.state import training_state

from .asking import answers, fetch
from .pieces import block, card, chips, facts, loss_sparkline, number, picture, state


def sphere_html(client: Any) -> str:
    """Which server the client talks to, and whether it answers."""
    (health,) = fetch(client.health_check) if answers(client) else [None]
    if isinstance(health, dict):
        said = str(health.get("status", "unknown"))
        word = state("done" if said in ("ok", "healthy") else "error", said)
    else:
        health, word = {}, state("error", "does not answer")
    told = facts(
        [
            ("server", getattr(client, "url", None)),
            ("version", health.get("version")),
            ("compute cluster", health.get("compute_cluster")),
        ]
    )
    return card(block(f"<b>FeatrixSphere</b> {word}{told}"))


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
    told = facts(
        [
            ("id", model.id if model.name and model.name != model.id else None),
            ("epochs", model.epochs or _epochs(data)),
            ("loss", None if model.final_loss is None else number(model.final_loss)),
            ("dimensions", model.dimensions),
            ("created", model.created_at),
            ("error", training_state(model.raw).error if model.status == "error" else None),
        ]
    )
    head = f"<b>{escape(str(model.name or model.id))}</b> {state(model.status, model.status)}"
    return card(
        block(head, told, chips(model.columns or [])), loss_sparkline(data), picture(preview)
    )


def _epochs(data: dict[str, Any]) -> str | None:
    """How far a model in training is, within its phase."""
    epochs, phases = data.get("epochs") or [], data.get("phase") or []
    if not epochs:
        return None
    if not phases or not data.get("phase_epochs"):
        return str(len(epochs))
    at = f"{data['phase_epoch'][-1]} of {data['phase_epochs'][-1]}"
    return f"{phases.count('space')}, then sphere {at}" if phases[-1] == "sphere" else at
