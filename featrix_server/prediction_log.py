"""The log of predictions: written before the answer goes out, read by feedback and alerts.

A block holds up to a thousand predictions of one request, compressed: beside one row a prediction
and an index of random uuids, a batch of 100,000 records takes less than half the time and a tenth
of the space (`tests/bench/bench_prediction_log.py`). Requests that come at the same time share a
transaction (`group_commit`).
"""

from __future__ import annotations

import json
import uuid
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from featrix_server import safejson
from featrix_server.db import Database, DeliveryRow, PredictionBlockRow, UsageRow, now
from featrix_server.group_commit import GroupCommit

BLOCK_ROWS = 1000
_BLOCKS_A_COMMIT = 5  # of a large batch, so that others get their turn in between
_HEAD = 23  # characters of a uuid in front of its last twelve digits and their hyphen
_RECORD_BYTES = 65_536  # JSON bytes a record may take on average; larger ones are cut
_CUT_COLUMNS, _CUT_CHARS = 1000, 1000

# Made once: putting a statement together costs as much as running it.
_LAST = select(func.coalesce(func.max(PredictionBlockRow.id), 0))
_APPEND = insert(PredictionBlockRow).values(id=_LAST.scalar_subquery() + bindparam("more"))
_ADD = (
    update(UsageRow)
    .where(
        UsageRow.predictor_id == bindparam("to_predictor"),
        UsageRow.endpoint_id == bindparam("to_endpoint"),
        UsageRow.day == bindparam("to_day"),
    )
    .values(
        last_used_at=bindparam("more_last_used_at"),
        calls=UsageRow.calls + bindparam("more_calls"),
        predictions=UsageRow.predictions + bindparam("more_predictions"),
        errors=UsageRow.errors + bindparam("more_errors"),
        latency_ms=UsageRow.latency_ms + bindparam("more_latency_ms"),
    )
)


@dataclass(frozen=True)
class LoggedPrediction:
    """One answered prediction.

    Attributes
    ----------
    uuid : str
        Names it, for feedback.
    predictor_id : str
    endpoint_id : str or None
        The endpoint it was asked through.
    created_at : datetime
    latency_ms : float
        Time the request took to be computed, with all records that came in it.
    customer_metadata : dict or None
        What the caller sent along; no model sees it.
    record : object
        As it was sent; usually a dict. Records of more than 64 KB are cut.
    prediction, predicted_class, probabilities, confidence, error
        As in the answer (`engine.Prediction`).
    """

    uuid: str
    predictor_id: str
    endpoint_id: str | None
    created_at: datetime
    latency_ms: float
    customer_metadata: dict[str, Any] | None
    record: Any
    prediction: Any
    predicted_class: str | None
    probabilities: dict[str, float]
    confidence: float | None
    error: str | None


@dataclass(frozen=True)
class Asker:
    """Who asked a predictor: through which endpoint, with what metadata of their own."""

    endpoint_id: str | None = None
    customer_metadata: dict[str, Any] | None = None


@dataclass(frozen=True)
class Usage:
    """How much a predictor was used, ever: also counts what the log has forgotten."""

    calls: int
    predictions: int
    errors: int


@dataclass(frozen=True)
class _Written:
    """Blocks of one request; ``is_call`` is set for the first of them only.

    ``deliveries`` are values of `DeliveryRow`: what webhooks are told of the request.
    """

    blocks: list[dict[str, Any]]
    is_call: bool
    deliveries: Sequence[dict[str, Any]] = ()


def new_uuids(n: int) -> list[str]:
    """Return uuids (version 4) for the answers of one request.

    Those of a block share their first 23 characters and count up in the rest, so that one index
    entry finds them all.
    """
    uuids: list[str] = []
    for start in range(0, n, BLOCK_ROWS):
        fresh = uuid.uuid4()
        head, first = str(fresh)[:_HEAD], fresh.node >> 1  # room to count up
        stop = first + min(BLOCK_ROWS, n - start)
        uuids += [f"{head}-{number:012x}" for number in range(first, stop)]
    return uuids


class PredictionLog:
    """The log of one server's predictions. Safe to share between threads.

    Parameters
    ----------
    database
    keep
        Predictions kept; beyond that the oldest blocks are forgotten.
    """

    def __init__(self, database: Database, keep: int) -> None:
        self._database = database
        self._keep = keep
        self._since_collected = 0
        self._commits = GroupCommit(self._commit)

    # ------------------------------------------------------------------ writing

    def write(
        self,
        predictor_id: str,
        records: Sequence[Any],
        answers: Sequence[Mapping[str, Any]],
        *,
        latency_ms: float,
        asker: Asker,
        deliveries: Sequence[dict[str, Any]] = (),
    ) -> None:
        """Log the answers to the records of one request; once this returns they are kept.

        Parameters
        ----------
        records, answers
            One each a prediction. An answer has ``prediction_uuid`` (of `new_uuids`, in their
            order) and the fields of `engine.Prediction`.
        deliveries
            What webhooks are told of them: values of `DeliveryRow`, written with the last ones.
        """
        common = {
            "predictor_id": predictor_id,
            "endpoint_id": asker.endpoint_id,
            "created_at": now(),
            "latency_ms": latency_ms,
            "customer_metadata": asker.customer_metadata,
        }
        starts = range(0, len(records), BLOCK_ROWS)
        for start in starts[::_BLOCKS_A_COMMIT]:
            blocks = [
                common | _block(records[one : one + BLOCK_ROWS], answers[one : one + BLOCK_ROWS])
                for one in starts[start // BLOCK_ROWS :][:_BLOCKS_A_COMMIT]
            ]
            is_last = start + BLOCK_ROWS * _BLOCKS_A_COMMIT >= len(records)
            told = deliveries if is_last else ()
            self._commits.add(_Written(blocks, is_call=start == 0, deliveries=told))

    def _commit(self, group: list[_Written]) -> None:
        blocks = [block for written in group for block in written.blocks]
        with self._database.quick_write() as connection:
            connection.execute(_APPEND, [{**block, "more": block["n"]} for block in blocks])
            _count(connection, group)
            if deliveries := [one for written in group for one in written.deliveries]:
                connection.execute(insert(DeliveryRow), deliveries)
            added = sum(block["n"] for block in blocks)
            collect = self._since_collected + added >= min(BLOCK_ROWS, self._keep)
            if collect:
                oldest = connection.execute(_LAST).scalar_one() - self._keep
                connection.execute(
                    delete(PredictionBlockRow).where(PredictionBlockRow.id <= oldest)
                )
        self._since_collected = 0 if collect else self._since_collected + added

    # ------------------------------------------------------------------ reading

    def recent(self, predictor_id: str, limit: int) -> list[LoggedPrediction]:
        """Return the last predictions of a predictor, newest first, failed ones among them."""
        query = (
            select(PredictionBlockRow)
            .where(PredictionBlockRow.predictor_id == predictor_id)
            .order_by(PredictionBlockRow.id.desc())
            .limit(limit)  # blocks; each holds one prediction at least
        )
        found: list[LoggedPrediction] = []
        with self._database.read() as database:
            for block in database.scalars(query.execution_options(yield_per=100)):
                found += reversed(list(_predictions(block)))
                if len(found) >= limit:
                    break
        return found[:limit]

    def find(self, prediction_uuid: str) -> LoggedPrediction | None:
        """Return one prediction; None if there is none of this id, or no longer."""
        head, digits = prediction_uuid[:_HEAD], prediction_uuid[_HEAD + 1 :]
        with suppress(ValueError):
            number = int(digits, 16)
            query = select(PredictionBlockRow).where(PredictionBlockRow.head == head)
            with self._database.read() as database:
                block = database.scalars(query).first()
            if block is not None and block.first <= number < block.first + block.n:
                one = next(islice(_predictions(block), number - block.first, None))
                return one if one.uuid == prediction_uuid else None
        return None

    def usage(self, predictor_ids: Sequence[str]) -> Usage:
        """Return how much predictors were used since they were made, all together."""
        columns = (UsageRow.calls, UsageRow.predictions, UsageRow.errors)
        query = select(*(func.coalesce(func.sum(column), 0) for column in columns))
        with self._database.read() as database:
            row = database.execute(query.where(UsageRow.predictor_id.in_(predictor_ids))).one()
        return Usage(*map(int, row))


def _block(records: Sequence[Any], answers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    first: str = answers[0]["prediction_uuid"]
    rows = [
        (
            record,
            answer["prediction"],
            answer["predicted_class"],
            answer["probabilities"],
            answer["confidence"],
            answer["error"],
        )
        for record, answer in zip(records, answers, strict=True)
    ]
    return {
        "head": first[:_HEAD],
        "first": int(first[_HEAD + 1 :], 16),
        "n": len(rows),
        "n_errors": sum(row[-1] is not None for row in rows),
        "body": zlib.compress(_encode(rows), 1),
    }


def _encode(rows: list[tuple[Any, ...]]) -> bytes:
    with suppress(RecursionError):  # nested deeper than JSON can be written: cut
        body = safejson.encoded(rows)
        if len(body) <= _RECORD_BYTES * len(rows):
            return body
    return safejson.encoded([(_cut(row[0]), *row[1:]) for row in rows])


def _cut(record: Any) -> Any:
    """Return the plain values of a record, long texts shortened."""
    if isinstance(record, dict):
        columns = islice(record.items(), _CUT_COLUMNS)
        return {name[:_CUT_CHARS]: _cut_value(value) for name, value in columns}
    return _cut_value(record)


def _cut_value(value: Any) -> Any:
    if isinstance(value, str):
        return value[:_CUT_CHARS]
    return value if isinstance(value, int | float) else None


def _predictions(block: PredictionBlockRow) -> Iterator[LoggedPrediction]:
    for place, row in enumerate(json.loads(zlib.decompress(block.body))):
        yield LoggedPrediction(
            f"{block.head}-{block.first + place:012x}",
            block.predictor_id,
            block.endpoint_id,
            block.created_at,
            block.latency_ms,
            block.customer_metadata,
            *row,
        )


@dataclass
class _Sum:
    """What is to be added to one row of `UsageRow`."""

    last_used_at: datetime
    calls: int = 0
    predictions: int = 0
    errors: int = 0
    latency_ms: float = 0.0


def _count(connection: Connection, group: Sequence[_Written]) -> None:
    """Add to the numbers of each predictor, endpoint and day."""
    sums: dict[tuple[str, str, str], _Sum] = {}
    for written in group:
        for place, block in enumerate(written.blocks):
            at = block["created_at"]
            key = block["predictor_id"], block["endpoint_id"] or "", f"{at:%Y-%m-%d}"
            total = sums.setdefault(key, _Sum(at))
            total.last_used_at = max(total.last_used_at, at)
            total.predictions += block["n"]
            total.errors += block["n_errors"]
            if written.is_call and place == 0:
                total.calls += 1
                total.latency_ms += block["latency_ms"]
    for key, total in sums.items():
        added = dict(zip(("to_predictor", "to_endpoint", "to_day"), key, strict=True))
        added |= {f"more_{name}": value for name, value in vars(total).items()}
        if not connection.execute(_ADD, added).rowcount:
            row = dict(zip(("predictor_id", "endpoint_id", "day"), key, strict=True))
            connection.execute(insert(UsageRow), row | vars(total))
