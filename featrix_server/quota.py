"""How many predictions a day a predictor may answer, and how many it has answered."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

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


class Quota:
    """The limit of a day. Requests that come at the same moment stay within it together.

    Where several servers share a database, each knows what the others have answered, but not what
    they are about to.

    Parameters
    ----------
    database
    limit
        Predictions a day; 0: any number.
    """

    def __init__(self, database: Database, limit: int) -> None:
        self._database = database
        self._limit = limit
        self._lock = threading.Lock()
        self._day = ""
        self._taken: Counter[str] = Counter()  # by predictor: also what is not logged yet

    @contextmanager
    def take(self, predictor_id: str, wanted: int) -> Iterator[None]:
        """Count the records of a request, or refuse it; an `ApiError` inside gives them back.

        Raises
        ------
        ApiError
            429, to be tried again tomorrow.
        """
        if not self._limit:
            yield
            return
        day = self._reserve(predictor_id, wanted)
        try:
            yield
        except ApiError:  # of the question: no record was answered
            with self._lock:
                if self._day == day:
                    self._taken[predictor_id] -= wanted
            raise

    def _reserve(self, predictor_id: str, wanted: int) -> str:
        with self._lock:
            moment = now()
            if self._day != (day := f"{moment:%Y-%m-%d}"):
                self._day = day
                self._taken.clear()
            used = max(self._taken[predictor_id], used_today(self._database, predictor_id))
            if used + wanted > self._limit:
                raise _used_up(predictor_id, self._limit, used, wanted, moment)
            self._taken[predictor_id] = used + wanted
            return day


def _used_up(predictor_id: str, limit: int, used: int, wanted: int, moment: datetime) -> ApiError:
    midnight = (moment + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return ApiError(
        429,
        "quota",
        f"The predictor {predictor_id!r} answers {limit:,} predictions a day; {used:,} of "
        f"them are used up, and {wanted:,} more are asked for.",
        hint="The next day begins at midnight UTC. FEATRIX_SERVER_PREDICTIONS_PER_DAY on the "
        "server is the limit.",
        retry_after_s=math.ceil((midnight - moment).total_seconds()),
    )
