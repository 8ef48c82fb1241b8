"""Making models: from an uploaded file, or from a file behind a URL."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Request
from starlette.concurrency import run_in_threadpool

from featrix_server.context import ClusterDep, Context, ContextDep, failures
from featrix_server.creation import (
    UPLOAD_FILE,
    create_session,
    options_from_form,
    session_with_key,
)
from featrix_server.fetch import fetch
from featrix_server.pending import Pending
from featrix_server.schemas import CreateFromUrl, CreateOptions, SessionCreated
from featrix_server.upload import FormReader

router = APIRouter(tags=["models"])

_FAILURES = failures(401, 403, 413, 422, 507)
_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        **{name: {"type": "string"} for name in CreateOptions.model_fields},
                    },
                }
            }
        },
    }
}


@router.post("/compute/upload_with_new_session", include_in_schema=False)
@router.post(
    "/compute/upload_with_new_session/",
    response_model=SessionCreated,
    responses=_FAILURES,
    openapi_extra=_FORM,
)
async def upload_with_new_session(
    request: Request,
    context: ContextDep,
    cluster: ClusterDep,
    x_featrix_idempotency_key: Annotated[str | None, Header()] = None,
) -> SessionCreated:
    """Upload a table and start training a model on it.

    The table is read before this answers, so a file that cannot be used is refused here. The
    form's other fields are text; lists and objects are JSON. A repeated idempotency key gives
    the session that the first request made.
    """
    earlier = await run_in_threadpool(session_with_key, context, x_featrix_idempotency_key)
    if earlier is not None:
        return earlier
    with context.store.draft(cluster) as draft:
        form = FormReader(request.headers.get("content-type", ""), draft.folder / UPLOAD_FILE)
        filename = await form.read(request.stream())
        options = options_from_form(form.fields)
        return await run_in_threadpool(
            create_session,
            *(context, draft, options, filename),
            cluster=cluster,
            idempotency_key=x_featrix_idempotency_key,
        )


@router.post("/compute/create-embedding-space", response_model=SessionCreated, responses=_FAILURES)
async def create_embedding_space(
    body: CreateFromUrl, request: Request, context: ContextDep, cluster: ClusterDep
) -> SessionCreated:
    """Fetch a table from an `https://` or `s3://` URL and start training a model on it.

    A client that gives up waiting sends the same request again; it then gets the session of
    the first one.
    """
    pending: Pending = request.app.state.pending
    return await pending.run(
        f"create {cluster} {body.model_dump_json()}",
        lambda: _create_from_url(context, cluster, body),
        request,
    )


def _create_from_url(context: Context, cluster: str, body: CreateFromUrl) -> SessionCreated:
    with context.store.draft(cluster) as draft:
        filename = fetch(
            body.s3_file_data_set_training,
            draft.folder / UPLOAD_FILE,
            context.settings.max_upload_bytes,
            allow_private=context.settings.private_urls_allowed,
        )
        return create_session(context, draft, body, filename, cluster=cluster)
