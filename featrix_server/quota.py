"""How many predictions a day a predictor may answer, and how many it has answered."""

from __future__ import annotations

import math
from datetime import timedelta

from sqlalchemy import func, select

from featrix_server.db import Database, UsageRow, now
from featrix_server.errors import ApiError

LEVELS = (0.8, 0.95)
"""Shares of the limit that an alert is raised at."""


def used_today(database: Database, predictor_id: str) -> int:
    """Return how many predictions a predictor has answered today (UTC), failed ones included."""
    query = select(func.coalesce(func.sum(UsageRow.predictions), 0)).where(
        UsageRow.predictor_id == predictor_id, UsageRow.day == f"{now():%Y-%m-%d}"
    )
    with database.read() as session:
        return int(session.scalar(query) or 0)


def check_quota(database: Database, limit: int, predictor_id: str, wanted: int) -> None:
    """Refuse a request that goes beyond the limit of the day.

    Requests that come at the same moment may together go a little beyond it.

    Parameters
    ----------
    limit
        Predictions a day; 0: any number.
    wanted
        Records in the request.

    Raises
    ------
    ApiError
        429, to be tried again tomorrow.
    """
    if not limit:
        return
    used = used_today(database, predictor_id)
    if used + wanted > limit:
        moment = now()
        midnight = (moment + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        raise ApiError(
            429,
            "quota",
            f"The predictor {predictor_id!r} answers {limit:,} predictions a day; {used:,} of "
            f"them are used up, and {wanted:,} more are asked for.",
            hint="The next day begins at midnight UTC. FEATRIX_SERVER_PREDICTIONS_PER_DAY on the "
            "server is the limit.",
            retry_after_s=math.ceil((midnight - moment).total_seconds()),
        )
