"""Vector databases: records kept with their embeddings, to be searched by likeness."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header
from fastapi import Path as PathParameter
from sqlalchemy import delete, select
from starlette.responses import Response

from featrix_server import vector_records
from featrix_server.context import Context, ContextDep, SessionDep, failures
from featrix_server.db import VectorDatabaseRow
from featrix_server.responses import SafeJSONResponse
from featrix_server.routes.sessions import stamp
from featrix_server.routes.training import require_done
from featrix_server.vector_schemas import (
    AddRecords,
    CreateVectorDatabase,
    RecordsAdded,
    RecordsRemoved,
    RemoveRecords,
    SearchRequest,
    SearchResults,
    VectorDatabaseInfo,
    VectorDatabaseList,
    VectorDatabaseRemoved,
    VectorDatabaseSize,
    VectorIndexInfo,
)

router = APIRouter(prefix="/compute/session/{session_id}", tags=["vector databases"])

_READS = failures(401, 403, 404, 422)
_SEARCHES = failures(401, 403, 404, 409, 413, 422)
_WRITES = _SEARCHES | failures(507)
Name = Annotated[str, PathParameter(description="Name of a vector database of the model.")]


@router.post("/vector_databases", response_model=VectorDatabaseInfo, responses=_WRITES)
def create(
    session: SessionDep, context: ContextDep, body: CreateVectorDatabase | None = None
) -> VectorDatabaseInfo:
    """Make a vector database; if there is one of that name, return it.

    With `auto_populate` it begins with the rows of the model's table.
    """
    require_done(session, "encoder")
    row = vector_records.create(context, session, body or CreateVectorDatabase(auto_populate=False))
    return _info(context, row)


@router.get("/vector_databases", response_model=VectorDatabaseList, responses=_READS)
def list_databases(session: SessionDep, context: ContextDep) -> VectorDatabaseList:
    """List the vector databases of a model, newest first."""
    query = select(VectorDatabaseRow).where(VectorDatabaseRow.session_id == session.row.id)
    with context.database.read() as database:
        rows = database.scalars(query.order_by(VectorDatabaseRow.id.desc())).all()
    return VectorDatabaseList(vector_databases=[_info(context, row) for row in rows])


@router.get("/vector_databases/{name}", response_model=VectorDatabaseInfo, responses=_READS)
def show(name: Name, session: SessionDep, context: ContextDep) -> VectorDatabaseInfo:
    """Tell about one vector database.

    While a model has none called `default`, that name can be read and searched, and stands for
    the rows of the model's own table.
    """
    return _info(context, vector_records.found(context, session, name))


@router.get("/vector_databases/{name}/size", response_model=VectorDatabaseSize, responses=_READS)
def size(name: Name, session: SessionDep, context: ContextDep) -> VectorDatabaseSize:
    """Count the records."""
    return VectorDatabaseSize(size=vector_records.opened(context, session, name).record_count)


@router.delete(
    "/vector_databases/{name}",
    response_model=VectorDatabaseRemoved,
    responses=_READS | failures(507),
)
def remove_database(name: Name, session: SessionDep, context: ContextDep) -> VectorDatabaseRemoved:
    """Remove a vector database with all its records, for good."""
    with context.database.write() as database:
        row = vector_records.find_database(database, session.row.id, name, hold=True)
        # Not by the session's own delete, which would load the records first.
        database.execute(delete(VectorDatabaseRow).where(VectorDatabaseRow.id == row.id))
    context.vectors.remove(row)
    return VectorDatabaseRemoved(name=name, records_removed=row.record_count)


@router.post("/vector_databases/{name}/records", response_model=RecordsAdded, responses=_WRITES)
def add_records(
    body: AddRecords,
    name: Name,
    session: SessionDep,
    context: ContextDep,
    x_featrix_idempotency_key: Annotated[
        str | None,
        Header(
            max_length=200, description="What came with the same key before is not added again."
        ),
    ] = None,
) -> RecordsAdded:
    """Add records, all of them or none; they are kept as they are, with an id."""
    require_done(session, "encoder")
    return vector_records.add(context, session, name, body.records, x_featrix_idempotency_key)


@router.post("/vector_databases/{name}/remove", response_model=RecordsRemoved, responses=_WRITES)
def remove_records(
    body: RemoveRecords, name: Name, session: SessionDep, context: ContextDep
) -> RecordsRemoved:
    """Remove records by their ids, or by what is in them; what is not there is passed over."""
    return vector_records.remove(context, session, name, body)


@router.post(
    "/vector_databases/{name}/search",
    response_class=SafeJSONResponse,
    responses={200: {"model": SearchResults}, **_SEARCHES},
)
def search(body: SearchRequest, name: Name, session: SessionDep, context: ContextDep) -> Response:
    """Find the records that are most like one."""
    require_done(session, "encoder")
    return SafeJSONResponse({"results": vector_records.search(context, session, name, body)})


@router.post(
    "/similar_rows",
    response_class=SafeJSONResponse,
    responses={200: {"model": SearchResults}, **_SEARCHES},
)
def similar_rows(body: SearchRequest, session: SessionDep, context: ContextDep) -> Response:
    """Find the rows of the model's own table that are most like a record.

    The `id` of a row is its number in the table, from 0.
    """
    require_done(session, "encoder")
    return SafeJSONResponse({"results": vector_records.search_table(context, session, body)})


def _info(context: Context, row: VectorDatabaseRow) -> VectorDatabaseInfo:
    recall = context.vectors.recall(row)
    facts: dict[str, Any] = {"kind": "exact", "recall_at_10": 1.0}
    if recall is not None:
        facts = {"kind": "hnsw", "recall_at_10": recall}
    return VectorDatabaseInfo(
        session_id=row.session_id,
        name=row.name,
        record_count=row.record_count,
        auto_populated=row.auto_populate,
        created_at=stamp(row.created_at) or "",
        index=VectorIndexInfo(**facts),
    )
