"""Making predictors, training them further, and what may be asked of them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Path as PathParameter
from starlette.concurrency import run_in_threadpool

from featrix_server.context import (
    ContextDep,
    SessionDep,
    failures,
    find_predictor,
    find_session,
)
from featrix_server.creation import UPLOAD_FILE
from featrix_server.predictor_creation import (
    create_predictor,
    create_with_labels,
    options_from_form,
    train_more,
)
from featrix_server.predictor_schemas import (
    PredictorColumns,
    PredictorCreated,
    TrainMore,
    TrainPredictor,
    TrainWithLabels,
)
from featrix_server.tables import read_schema
from featrix_server.upload import FormReader

router = APIRouter(tags=["predictors"])

_COMMON = failures(401, 403, 404, 422)
_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [
                        "file",
                        "foundation_model_id",
                        "target_column",
                        "target_column_type",
                    ],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        **{name: {"type": "string"} for name in TrainWithLabels.model_fields},
                    },
                }
            }
        },
    }
}


@router.post(
    "/compute/session/{session_id}/train_predictor",
    response_model=PredictorCreated,
    responses=_COMMON | failures(507),
)
def train_predictor(
    body: TrainPredictor, session: SessionDep, context: ContextDep
) -> PredictorCreated:
    """Start training a predictor of a column of the model's table.

    The target is looked at before this answers, so one that cannot be predicted is refused here.
    The same request once more, while that training is open, gives the same predictor.
    """
    return create_predictor(context, session, body)


@router.post(
    "/compute/train_on_foundational_model",
    response_model=PredictorCreated,
    responses=_COMMON | failures(413, 507),
    openapi_extra=_FORM,
)
async def train_on_foundational_model(request: Request, context: ContextDep) -> PredictorCreated:
    """Upload labels in a table of their own, and start training a predictor on them.

    The table holds the target and either columns of the model (each of its rows is then learned
    from), or `__featrix_row_id`, or nothing else (one label a row of the model's table). The
    predictor belongs to a new session that shares the model's trained space.
    """
    with context.store.draft() as draft:
        form = FormReader(request.headers.get("content-type", ""), draft.folder / UPLOAD_FILE)
        filename = await form.read(request.stream())
        body = options_from_form(form.fields)
        parent = await run_in_threadpool(find_session, body.foundation_model_id, context)
        return await run_in_threadpool(create_with_labels, context, draft, parent, body, filename)


@router.post(
    "/compute/session/{session_id}/train_predictor_more",
    response_model=PredictorCreated,
    responses=_COMMON | failures(507),
)
def train_predictor_more(
    body: TrainMore, session: SessionDep, context: ContextDep
) -> PredictorCreated:
    """Train a finished predictor for further epochs; it answers as before until they are done.

    What does not help is not kept. The job keeps its id.
    """
    return train_more(context, session, body)


@router.get(
    "/compute/predictor/{predictor_id}/columns", response_model=PredictorColumns, responses=_COMMON
)
def predictor_columns(
    predictor_id: Annotated[str, PathParameter(description="Id of a predictor.")],
    context: ContextDep,
) -> PredictorColumns:
    """Name the columns that a query of a predictor may have, with their types."""
    row = find_predictor(predictor_id, context)
    schema = read_schema(context.store.folder(row.session_id))
    types = {
        column["name"]: column["type"]
        for column in schema["columns"]
        if column["name"] != row.target_column
    }
    return PredictorColumns(
        predictor_id=row.id,
        target_column=row.target_column,
        columns=list(types),
        column_names=list(types),
        column_types=types,
        num_columns=len(types),
    )
