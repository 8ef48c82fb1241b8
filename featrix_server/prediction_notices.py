"""What webhooks are told of predictions, in the transaction that logs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from featrix_server.db import Database, new_deliveries

MOST_FAILURES = 20
"""Failed records of one request that are each told of; ``failed_records`` counts all."""


def prediction_notices(
    database: Database,
    of: tuple[str, str],
    about: dict[str, Any],
    answers: Sequence[Mapping[str, Any]],
    *,
    seconds: float,
    is_batch: bool,
) -> list[dict[str, Any]]:
    """Return the values of the `DeliveryRow` objects that tell of one request's answers.

    Parameters
    ----------
    of
        Ids of the model and of the predictor.
    about
        What every notice says of the predictor.
    answers
        Of one request, with ``prediction_uuid`` and ``error``.
    seconds
        Time they took.
    is_batch
        Whether the request was for a table.
    """
    failed = [place for place, answer in enumerate(answers) if answer["error"] is not None]
    if not failed and not is_batch:  # the usual case costs no look into the database
        return []
    failures = [
        {
            "row": place,
            "error": _clean(answers[place]["error"]),
            "prediction_uuid": answers[place]["prediction_uuid"],
            "failed_records": len(failed),
        }
        for place in failed[:MOST_FAILURES]
    ]
    whole = {
        "records": len(answers),
        "succeeded": len(answers) - len(failed),
        "errors": len(failed),
        "seconds": round(seconds, 3),
        "first_error": failures[0]["error"] if failures else None,
    }
    told = {"prediction_error": failures, "batch_job_completed": [whole] if is_batch else []}
    with database.read() as session:
        return [
            row
            for event, data in told.items()
            for row in new_deliveries(session, event, *of, [about | one for one in data])
        ]


def _clean(text: str) -> str:
    """Replace what is no text (half a surrogate pair), which no database takes."""
    return text.encode("utf-8", "replace").decode()
