"""Errors as callers meet them: one envelope for all, 4xx for a caller's fault, 507 for a full disk.

The envelope is ``{"error", "code", "hint", "field", "detail", "compute_cluster"}``: ``error`` says
what was wrong and where, ``hint`` what to do, ``code`` is one word for programs, ``field`` names
the parameter or column at fault, ``detail`` repeats ``error`` for clients that read that key.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from featrix_server.db import is_disk_full
from featrix_server.engine.errors import CallerError, CheckpointError, OtherVersionError
from featrix_server.responses import SafeJSONResponse

_CODES = {400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found"}
_CODES |= {405: "method_not_allowed", 409: "conflict", 413: "too_large"}


class ApiError(HTTPException):
    """An answer other than success, with everything the envelope needs.

    Parameters
    ----------
    status
        HTTP status code.
    code
        One word for programs; ``invalid_input`` becomes a ``ValueError`` in the client.
    error
        What was wrong, and where.
    hint
        What to do about it.
    field
        The parameter, form field or column at fault.
    retry_after_s
        Seconds after which the same request may be granted.
    """

    def __init__(
        self,
        status: int,
        code: str,
        error: str,
        *,
        hint: str | None = None,
        field: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
        if status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        super().__init__(status, error, headers)
        self.code = code
        self.hint = hint
        self.field = field


def invalid_input(error: str, *, hint: str | None = None, field: str | None = None) -> ApiError:
    """Return the error for input that can never work."""
    return ApiError(422, "invalid_input", error, hint=hint, field=field)


def unusable(error: CallerError) -> ApiError:
    """Return the error for what the engine refuses: 413 for too much data, otherwise 422."""
    text = f"{error.args[0]}."
    if error.code == "too_large":
        return ApiError(413, error.code, text, hint=error.hint, field=error.field)
    return invalid_input(text, hint=error.hint, field=error.field)


def not_ready(error: str, *, hint: str) -> ApiError:
    """Return the error for something that does not exist yet."""
    return ApiError(409, "not_ready", error, hint=hint)


def damaged(error: CheckpointError) -> ApiError:
    """Return the error for a model whose files cannot be read."""
    if isinstance(error, OtherVersionError):
        return ApiError(
            409,
            "other_version",
            f"The model was stored by another version of featrix-notebook: {error}.",
            hint="Train it again with this version, or use the version that made it.",
        )
    return ApiError(
        409,
        "damaged",
        f"The model's files are damaged: {error}.",
        hint="Put them back from a backup, or create the model again.",
    )


def crash(error: Exception) -> ApiError:
    """Return the error for a fault of our own; what it was goes into the log, not over the wire."""
    return ApiError(
        500,
        "internal",
        f"The server failed on this request ({type(error).__name__}).",
        hint="`featrix-server logs` shows the cause.",
    )


def envelope_response(error: ApiError, compute_cluster: str) -> Response:
    """Return the HTTP answer for an error."""
    body = {
        "error": error.detail,
        "code": error.code,
        "hint": error.hint,
        "field": error.field,
        "detail": error.detail,
        "compute_cluster": compute_cluster,
    }
    return SafeJSONResponse(body, error.status_code, error.headers)


def install_error_handlers(app: FastAPI, compute_cluster: str) -> None:
    """Make every error of `app` come out in the envelope."""

    def handler(
        convert: Callable[[Any], ApiError],
    ) -> Callable[[Request, Any], Awaitable[Response]]:
        async def handle(_request: Request, error: Any) -> Response:
            return envelope_response(convert(error), compute_cluster)

        return handle

    app.add_exception_handler(HTTPException, handler(_from_http))
    app.add_exception_handler(RequestValidationError, handler(_from_validation))
    app.add_exception_handler(CheckpointError, handler(damaged))
    for kind in (OSError, OperationalError):
        app.add_exception_handler(kind, handler(_from_full_disk))


def from_validation_details(details: Sequence[Any]) -> ApiError:
    """Return the error for a list of pydantic's findings; the first one is told."""
    first = details[0]
    where = [str(part) for part in first["loc"] if part not in ("body", "query", "path", "header")]
    field = ".".join(where) or None
    message = str(first["msg"]).removeprefix("Value error, ")
    if first["type"] == "json_invalid":
        return invalid_input("The body is not valid JSON.", hint="Send a JSON object.")
    if len(details) > 1:
        message += f" ({len(details) - 1} more problems)"
    return invalid_input(f"{field}: {message}" if field else message, field=field)


def _from_http(error: HTTPException) -> ApiError:
    if isinstance(error, ApiError):
        return error
    code = _CODES.get(error.status_code, "http_error")
    text = error.detail or HTTPStatus(error.status_code).phrase
    if error.status_code == 404:
        return ApiError(404, code, "There is nothing at this path.", hint="See /openapi.json.")
    return ApiError(error.status_code, code, text)


def _from_validation(error: RequestValidationError) -> ApiError:
    return from_validation_details(error.errors())


def _from_full_disk(error: Exception) -> ApiError:
    if not is_disk_full(error):
        raise error  # a crash, for the gate to log and answer
    return ApiError(
        507,
        "disk_full",
        "The server's disk is full; nothing of this request was kept.",
        hint="Free some space, or delete models that are no longer needed, and try again.",
    )
