"""What the client raises. Each type is also one of the API reference's own types.

::

    FeatrixError                     mixin: every error below carries .hint
    ├── FeatrixInputError            ValueError               what you passed is wrong
    ├── FeatrixTrainingError         RuntimeError             the training failed
    ├── FeatrixLocalServerError      RuntimeError             the embedded server cannot start
    ├── FeatrixTimeoutError          TimeoutError             max_wait_time is over
    ├── FeatrixConnectionError       requests.ConnectionError no server answers
    └── FeatrixHTTPError             requests.HTTPError       the server refused the request
        └── FeatrixAuthenticationError                        (401: wrong or missing key)

    FeatrixWarning                   UserWarning              worth knowing, not fatal
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests

from featrix_client.retries import TRAINING_WORDS


class FeatrixError(Exception):
    """Anything this client raises on purpose.

    Attributes
    ----------
    hint : str or None
        What to do about it; also the second line of the message.
    """

    hint: str | None

    def __init__(self, message: str, *, hint: str | None = None, **options: Any) -> None:
        self.hint = hint
        super().__init__(f"{message}\n{hint}" if hint else message, **options)


class FeatrixInputError(FeatrixError, ValueError):
    """An argument, a file or a table is not usable.

    Attributes
    ----------
    field : str or None
        The argument or column that was wrong, when known.
    """

    def __init__(self, message: str, *, hint: str | None = None, field: str | None = None) -> None:
        self.field = field
        super().__init__(message, hint=hint)


class FeatrixTrainingError(FeatrixError, RuntimeError):
    """A training ended without a model."""


class FeatrixLocalServerError(FeatrixError, RuntimeError):
    """The embedded server is not installed or did not start."""


class FeatrixTimeoutError(FeatrixError, TimeoutError):
    """The time given to a wait is over; what was waited for goes on."""


class FeatrixConnectionError(FeatrixError, requests.ConnectionError):
    """No answer came from the server.

    Attributes
    ----------
    refused : bool
        True if no connection came about, so that the server cannot have received the request.
    """

    def __init__(
        self, message: str, *, hint: str | None = None, refused: bool = False, **options: Any
    ) -> None:
        self.refused = refused
        super().__init__(message, hint=hint, **options)


class FeatrixHTTPError(FeatrixError, requests.HTTPError):
    """The server answered that the request cannot be served.

    Attributes
    ----------
    status : int
        HTTP status code.
    code : str or None
        The server's own word for the kind of error.
    hint : str or None
        What to do about it.
    field : str or None
        The argument or column that was wrong, when known.
    request_id : str or None
        The server's number for this request, to quote in a report.
    body : Any
        The JSON of the answer, None when it was not JSON.
    headers : mapping of str to str
        The headers of the answer.
    """

    def __init__(
        self,
        message: str,
        *,
        response: requests.Response,
        body: Any = None,
        code: str | None = None,
        hint: str | None = None,
        field: str | None = None,
    ) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self.body = body
        self.code = code
        self.field = field
        self.request_id = response.headers.get("X-Request-Id")
        super().__init__(message, hint=hint, response=response, request=response.request)


class FeatrixAuthenticationError(FeatrixHTTPError):
    """The server does not accept the key (HTTP 401)."""


class FeatrixWarning(UserWarning):
    """Something worth knowing about the data or the server that stops nothing."""


def error_from_response(response: requests.Response) -> FeatrixError:
    """Turn an answer with a status of 400 or more into the exception to raise."""
    try:
        body = response.json()
    except (requests.RequestException, ValueError):
        body = None
    fields = body if isinstance(body, dict) else {}
    code, hint, field = (_text(fields.get(key)) for key in ("code", "hint", "field"))
    detail = fields.get("detail")
    if isinstance(detail, list | dict):  # other servers put their findings there
        detail = str(detail)
    message = _text(fields.get("error")) or _text(detail) or _text(fields.get("message"))
    status = response.status_code
    if status in (400, 422) and code in (None, "invalid_input") and message:
        return FeatrixInputError(message, hint=hint, field=field)
    if status == 401 and hint is None:
        hint = "Set FEATRIX_API_KEY (or api_key in ~/.featrix) to a key this server knows."
    if status == 503 and hint is None and fields.get("status") in TRAINING_WORDS:
        hint = "Wait for it first: wait_for_training()."
    kind = FeatrixAuthenticationError if status == 401 else FeatrixHTTPError
    where = f"{response.request.method} {response.request.path_url}"
    return kind(
        f"{message or response.reason or 'The request failed'} (HTTP {status}, {where})",
        response=response,
        body=body,
        code=code,
        hint=hint,
        field=field,
    )


def missing_error(message: str, hint: str) -> FeatrixHTTPError:
    """Make the error of a server that does not know something, where only the client can tell."""
    response = requests.Response()
    response.status_code = 404
    return FeatrixHTTPError(message, response=response, code="not_found", hint=hint)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
