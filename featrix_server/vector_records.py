"""Records of vector databases: checked, embedded, written, removed and found."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from sqlalchemy import CursorResult, delete, func, insert, select
from sqlalchemy.orm import Session

from featrix_server import safejson, tables
from featrix_server.context import Context, OpenSession
from featrix_server.db import SessionRow, VectorBatchRow, VectorDatabaseRow, VectorRecordRow
from featrix_server.errors import ApiError, invalid_input
from featrix_server.filters import FilterError, matching, parse_filter
from featrix_server.vector_schemas import (
    DEFAULT_NAME,
    CreateVectorDatabase,
    RecordsAdded,
    RecordsRemoved,
    RemoveRecords,
    SearchRequest,
)
from featrix_server.vectors import Hit, exact

if TYPE_CHECKING:
    from featrix_server.engine import EmbeddingModel

EMBEDDINGS_FILE = "embeddings.npy"
"""The embeddings of the rows of a session's table, in its folder; float32 (rows, d_model)."""

_PAGE = 5_000  # rows of the table that are copied in one transaction
_IDS_A_QUERY = 500  # well below what any database takes as parameters
_MAX_DEPTH = 32


def find_database(
    database: Session, session_id: str, name: str, *, hold: bool = False
) -> VectorDatabaseRow:
    """Return a vector database's row; to change its records, hold it to the transaction's end.

    Raises
    ------
    ApiError
        404 if the model has none of that name.
    """
    query = select(VectorDatabaseRow).where(
        VectorDatabaseRow.session_id == session_id, VectorDatabaseRow.name == name
    )
    row = database.scalars(query.with_for_update() if hold else query).first()
    if row is None:
        raise ApiError(
            404,
            "not_found",
            f"The model {session_id!r} has no vector database {name!r}.",
            hint="fm.create_vector_database() makes one.",
            field="name",
        )
    return row


def create(context: Context, session: OpenSession, body: CreateVectorDatabase) -> VectorDatabaseRow:
    """Make a vector database, or return the one there is; fill it if that is asked for."""
    with context.database.write() as database:
        # Held to the end, so that two equal requests cannot both find none.
        database.get_one(SessionRow, session.row.id, with_for_update=True)
        try:
            row = find_database(database, session.row.id, body.name)
        except ApiError:
            row = VectorDatabaseRow(session_id=session.row.id, name=body.name)
            database.add(row)
        row.auto_populate = row.auto_populate or body.auto_populate
        database.flush()
    return opened(context, session, body.name)


def opened(context: Context, session: OpenSession, name: str) -> VectorDatabaseRow:
    """Return a vector database that has all the rows of the table it was to begin with.

    Raises
    ------
    ApiError
        404 if the model has none of that name.
    """
    with context.database.read() as database:
        row = find_database(database, session.row.id, name)
    if row.auto_populate:
        n_rows = len(_table_vectors(session))
        while row.populated_rows < n_rows:
            _populate(context, session, row.populated_rows, name)
            with context.database.read() as database:
                row = find_database(database, session.row.id, name)
    return row


def found(context: Context, session: OpenSession, name: str) -> VectorDatabaseRow:
    """Return a vector database to be read.

    While a trained model has none called `default`, that name stands for the rows of its own
    table: there are clients that know them only so. The row that is returned then is in no
    database, and has the id 0.

    Raises
    ------
    ApiError
        404 if the model has none of that name.
    """
    try:
        return opened(context, session, name)
    except ApiError:
        if name != DEFAULT_NAME or session.status != "done":
            raise
    n_rows = len(_table_vectors(session))
    return VectorDatabaseRow(
        id=0,
        session_id=session.row.id,
        name=name,
        created_at=session.row.finished_at or session.row.created_at,
        auto_populate=True,
        populated_rows=n_rows,
        record_count=n_rows,
    )


def _table_vectors(session: OpenSession) -> np.ndarray:
    return np.load(session.folder / EMBEDDINGS_FILE, mmap_mode="r")


def _populate(context: Context, session: OpenSession, start: int, name: str) -> None:
    """Copy the table's rows from `start` on, some at a time.

    Each part is a transaction of its own: a server that is killed goes on where it stood, and
    others are not kept waiting. If somebody else has copied on meanwhile, this ends.
    """
    vectors = _table_vectors(session)
    for batch in tables.batches(session.folder, range(start, len(vectors))):
        for first in range(0, batch.num_rows, _PAGE):
            records = batch.slice(first, _PAGE).to_pylist()
            stop = start + len(records)
            rows = _rows(records, vectors[start:stop])
            with context.database.write() as database:
                row = find_database(database, session.row.id, name, hold=True)
                if row.populated_rows != start:
                    return
                _insert(database, row, rows)
                row.populated_rows = start = stop


def add(
    context: Context, session: OpenSession, name: str, records: list[Any], key: str | None
) -> RecordsAdded:
    """Add records, all or none.

    Parameters
    ----------
    key
        The request's idempotency key: what came with it once is not added again.

    Raises
    ------
    ApiError
        404 if there is no such database, 422 naming the record that is none.
    """
    row = opened(context, session, name)
    if not records:
        return RecordsAdded(records_added=0, record_count=row.record_count)
    model = context.models.get(session.folder)
    check_records(model, records, "records")
    rows = _rows(records, model.encode(records)[0])
    with context.database.write() as database:
        row = find_database(database, session.row.id, name, hold=True)
        earlier = database.get(VectorBatchRow, (row.id, key)) if key else None
        if earlier is None:
            _insert(database, row, rows)
            if key:
                database.add(VectorBatchRow(database_id=row.id, key=key, records_added=len(rows)))
        added = len(rows) if earlier is None else earlier.records_added
        return RecordsAdded(records_added=added, record_count=row.record_count)


def _rows(records: Sequence[dict[str, Any]], vectors: np.ndarray) -> list[dict[str, Any]]:
    return [
        {"record": record, "digest": digest(record), "vector": vector.astype("<f4").tobytes()}
        for record, vector in zip(records, vectors, strict=True)
    ]


def _insert(database: Session, row: VectorDatabaseRow, rows: list[dict[str, Any]]) -> None:
    """Write records into a database whose row is held."""
    database.execute(insert(VectorRecordRow), [one | {"database_id": row.id} for one in rows])
    of_this = VectorRecordRow.database_id == row.id
    row.last_id = database.scalars(select(func.max(VectorRecordRow.id)).where(of_this)).one()
    row.record_count += len(rows)


def remove(
    context: Context, session: OpenSession, name: str, body: RemoveRecords
) -> RecordsRemoved:
    """Remove records by id or by content; those that are not there are passed over."""
    digests = [digest(record) for record in body.records]
    opened(context, session, name)
    with context.database.write() as database:
        row = find_database(database, session.row.id, name, hold=True)
        removed = 0
        for column, wanted in (
            (VectorRecordRow.id, list(dict.fromkeys(body.ids))),
            (VectorRecordRow.digest, list(dict.fromkeys(digests))),
        ):
            for at in range(0, len(wanted), _IDS_A_QUERY):
                part = column.in_(wanted[at : at + _IDS_A_QUERY])
                of_this = VectorRecordRow.database_id == row.id
                statement = delete(VectorRecordRow).where(of_this, part)
                removed += cast("CursorResult[Any]", database.execute(statement)).rowcount
        row.record_count -= removed
        row.removed_count += removed
        return RecordsRemoved(records_removed=removed, record_count=row.record_count)


def digest(record: dict[str, Any]) -> bytes:
    """Name a record's content: the order of its columns does not count, nor 1 against 1.0."""
    text = safejson.dumps(_canonical(record)).encode()
    return hashlib.blake2b(text, digest_size=16).digest()


def _canonical(value: Any) -> Any:
    if type(value) is float:
        return int(value) if value.is_integer() else value
    if isinstance(value, dict):
        return {key: _canonical(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    return value


def check_records(model: EmbeddingModel, records: Sequence[Any], field: str) -> None:
    """Refuse records that cannot be kept or embedded.

    Raises
    ------
    ApiError
        422 naming the first of them.
    """
    known = model.layout.position.keys()
    for place, record in enumerate(records):
        fault = None
        if known.isdisjoint(record):
            columns = ", ".join(map(repr, list(known)[:8]))
            fault = f"has none of the model's columns ({columns}, ...)"
        elif any(_depth(value) > _MAX_DEPTH for value in record.values()):
            fault = f"is nested more than {_MAX_DEPTH} levels deep"
        if fault:
            name = f"{field}.{place}" if field == "records" else field
            raise invalid_input(f"{name} {fault}.", field=name)


def _depth(value: Any, limit: int = _MAX_DEPTH + 1) -> int:
    if not isinstance(value, list | dict) or limit == 0:
        return 0
    inner = value.values() if isinstance(value, dict) else value
    return 1 + max((_depth(item, limit - 1) for item in inner), default=0)


# ------------------------------------------------------------------------------ finding


def search(
    context: Context, session: OpenSession, name: str, body: SearchRequest
) -> list[dict[str, Any]]:
    """Return the records nearest to one, as they go over the wire.

    Raises
    ------
    ApiError
        404 if there is no such database; 422 if the query or its filter is none.
    """
    row = found(context, session, name)
    if row.id == 0:
        return search_table(context, session, body)
    query = _query(context, session, body)
    index, among = context.vectors.of(row), None
    if where := body.where:
        among = index.chosen(row, where, lambda: _filtered(where, _records(context, row)))
    hits = index.search(query, body.k, among)
    stored = dict(_records(context, row, [hit.id for hit in hits]))
    # A record that was removed at this moment is left out.
    return _answer(
        context, session, body, [(hit, stored[hit.id]) for hit in hits if hit.id in stored]
    )


def search_table(
    context: Context, session: OpenSession, body: SearchRequest
) -> list[dict[str, Any]]:
    """Return the rows of the session's own table that are nearest to a record."""
    query = _query(context, session, body)
    vectors = _table_vectors(session)
    places = None
    if body.where:
        places = _filtered(body.where, _table_rows(session, range(len(vectors))))
        vectors = vectors[places]
    chosen, similarities = exact(vectors, query, body.k)
    ids = (chosen if places is None else places[chosen]).tolist()
    hits = [Hit(*one) for one in zip(ids, similarities.tolist(), strict=True)]
    rows = _table_rows(session, ids)
    return _answer(
        context, session, body, [(hit, row) for hit, (_, row) in zip(hits, rows, strict=True)]
    )


def _query(context: Context, session: OpenSession, body: SearchRequest) -> np.ndarray:
    model = context.models.get(session.folder)
    check_records(model, [body.shown], "query_record")
    return model.encode([body.shown])[0][0]


def _filtered(where: str, items: Iterable[tuple[int, dict[str, Any]]]) -> np.ndarray:
    try:
        return np.asarray(matching(items, parse_filter(where)), np.int64)
    except FilterError as error:
        raise invalid_input(
            f"The filter cannot be used: {error}.",
            hint="For instance: where=\"age >= 30 AND plan IN ('gold', 'basic')\".",
            field="where",
        ) from error


def _records(
    context: Context, row: VectorDatabaseRow, ids: list[int] | None = None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield ids and records of a database: all, or those asked for."""
    query = select(VectorRecordRow.id, VectorRecordRow.record).where(
        VectorRecordRow.database_id == row.id
    )
    with context.database.read() as database:
        if ids is None:
            stream = database.execute(query.execution_options(yield_per=_PAGE))
            yield from ((key, record) for key, record in stream)
            return
        for at in range(0, len(ids), _IDS_A_QUERY):
            part = VectorRecordRow.id.in_(ids[at : at + _IDS_A_QUERY])
            yield from ((key, record) for key, record in database.execute(query.where(part)))


def _table_rows(
    session: OpenSession, ids: list[int] | range
) -> Iterator[tuple[int, dict[str, Any]]]:
    place = iter(ids)
    for batch in tables.batches(session.folder, ids):
        yield from zip(place, batch.to_pylist(), strict=False)


def _answer(
    context: Context,
    session: OpenSession,
    body: SearchRequest,
    found: list[tuple[Hit, dict[str, Any]]],
) -> list[dict[str, Any]]:
    alike: Iterable[dict[str, float] | None] = [None] * len(found)
    if body.include_field_similarity and found:
        model = context.models.get(session.folder)
        alike = field_similarity(model, body.shown, [record for _, record in found])
    return [
        {
            "id": hit.id,
            "similarity": round(hit.similarity, 6),
            "distance": round(1 - hit.similarity, 6),
            "record": record,
            "original_data": record,
            "field_similarity": fields,
        }
        for (hit, record), fields in zip(found, alike, strict=True)
    ]


def field_similarity(
    model: EmbeddingModel, query: dict[str, Any], records: Sequence[dict[str, Any]]
) -> list[dict[str, float]]:
    """Say how alike the model finds each column of a query and of records: a cosine, -1 to 1.

    It is that of the column's tokens, which is what the model makes of a value before it mixes
    the columns. Columns without a value in either record are left out.
    """
    tokens = model.tokens(model.rows([query, *records])).astype(np.float64)
    tokens /= np.maximum(np.linalg.norm(tokens, axis=-1, keepdims=True), 1e-12)
    cosines = np.einsum("ct,rct->rc", tokens[0], tokens[1:]).clip(-1, 1).round(6)
    shown = {at: name for name, at in model.layout.position.items() if query.get(name) is not None}
    return [
        {name: float(row[at]) for at, name in shown.items() if record.get(name) is not None}
        for row, record in zip(cosines, records, strict=True)
    ]
