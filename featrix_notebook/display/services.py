"""How vector databases, reference records and endpoints look."""

from __future__ import annotations

from html import escape
from typing import Any

from .asking import answers, fetch
from .pieces import block, card, chips, facts, number, score


def database_html(database: Any) -> str:
    """Name, model, how many records, and how they are searched."""
    (told,) = fetch(database.refresh) if answers(database) else [None]
    told = told if isinstance(told, dict) else {}
    index = told.get("index") or {}
    words = {"exact": "every vector is compared", "hnsw": "by an index"}
    about = facts(
        [
            ("model", database.session_id),
            ("records", _count(told.get("record_count"))),
            ("search", words.get(str(index.get("kind")))),
            (
                "recall@10",
                score(index.get("recall_at_10")) if index.get("kind") == "hnsw" else None,
            ),
            ("created", database.created_at),
        ]
    )
    return card(block(f"<b>{escape(str(database.name))}</b> vector database", about))


def reference_html(reference: Any) -> str:
    """Name, model, and what the record says."""
    said = [f"{name}: {number(value)}" for name, value in reference.record.items()]
    head = f"<b>{escape(str(reference.name))}</b> reference record"
    return card(block(head, facts([("model", reference.session_id)]), chips(said)))


def endpoint_html(endpoint: Any) -> str:
    """Where the endpoint is and how much it was used; never its key."""
    (stats,) = fetch(endpoint.get_usage_stats) if answers(endpoint) else [None]
    stats = stats if isinstance(stats, dict) else {}
    latency = stats.get("avg_latency_ms")
    key = "no key" if endpoint.api_key is None else "in .api_key"
    about = facts(
        [
            ("predicts", endpoint.target_column),
            ("about", endpoint.description),
            ("url", endpoint.url),
            ("key", "none needed" if endpoint.raw.get("is_public") else key),
            ("calls", stats.get("usage_count")),
            ("errors", stats.get("error_count")),
            ("latency", f"{latency:.3g} ms" if isinstance(latency, int | float) else None),
            ("last used", stats.get("last_used_at")),
        ]
    )
    return card(block(f"<b>{escape(str(endpoint.name))}</b> endpoint", about))


def _count(value: Any) -> str | None:
    return f"{value:,}" if isinstance(value, int) else None if value is None else str(value)
