"""Records into vectors."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import FileResponse, Response

from featrix_server.context import ContextDep, SessionDep, failures
from featrix_server.responses import SafeJSONResponse
from featrix_server.routes.training import require_done
from featrix_server.schemas import EncodedRecords, EncodeRequest
from featrix_server.vector_records import EMBEDDINGS_FILE

router = APIRouter(prefix="/compute/session/{session_id}", tags=["encoding"])

NPY = "application/x-npy"
_ON_SPHERE = ("visualization", "highly_encoded")


@router.post(
    "/encode_records",
    response_class=SafeJSONResponse,
    responses={200: {"model": EncodedRecords}, **failures(401, 403, 404, 409, 413, 422)},
)
def encode_records(body: EncodeRequest, session: SessionDep, context: ContextDep) -> Response:
    """Encode records: a point on the unit sphere, and the full unit vector.

    Columns that are missing, null or unreadable count as not known; so do those that are
    `expected_missing`. With an `intent` each result
    has the one `embedding` that fits it: the point for `visualization` and `highly_encoded`, the
    full vector for `clustering` and `near_lossless`.
    """
    require_done(session, "encoder")
    if not body.records:
        return SafeJSONResponse({"results": []})
    model = context.models.get(session.folder)
    full, sphere = model.encode(body.records, hidden=body.expected_missing)
    vectors = zip(body.records, sphere.tolist(), full.tolist(), strict=True)
    if body.intent is None:
        results: list[dict[str, Any]] = [
            {"embedding": point, "embedding_long": vector, "query_record": record}
            for record, point, vector in vectors
        ]
        return SafeJSONResponse({"results": results})
    on_sphere = body.intent in _ON_SPHERE
    shape = {
        "name": "sphere" if on_sphere else "embedding",
        "width": 3 if on_sphere else model.d_model,
        "encoding_depth": "sphere" if on_sphere else "full",
        "representation": "unit_vector",
        "available": True,
    }
    results = [
        {
            "embedding": point if on_sphere else vector,
            "query_record": record,
            "intent": body.intent,
            "representation": shape["representation"],
            "port_spec": shape,
        }
        for record, point, vector in vectors
    ]
    return SafeJSONResponse({"results": results})


@router.get(
    "/embeddings",
    response_class=FileResponse,
    responses=failures(401, 403, 404, 409, 422)
    | {200: {"content": {NPY: {}}, "description": "float32 (rows, d_model), as NumPy's .npy."}},
)
def embeddings(session: SessionDep) -> FileResponse:
    """Give the full vectors of all rows of the model's table, in its order."""
    require_done(session, "embedding")
    return FileResponse(session.folder / EMBEDDINGS_FILE, media_type=NPY)
