"""The gate in front of every route: host name, size, key. Plain ASGI, so that it sees everything.

Loopback is shared by all users and all web pages of a machine. The key keeps other users out; the
host name check keeps out a web page that has pointed its own name at this address (a browser
sends that page's name); answering no cross-origin request does the rest. Predictions through an
endpoint have keys of their own, which open nothing else.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from featrix_server.answer_headers import collect_headers
from featrix_server.errors import ApiError, crash, envelope_response
from featrix_server.settings import Settings

logger = logging.getLogger(__name__)

OPEN_PATHS = ("/health",)
ENDPOINT_PATH = re.compile(r"/endpoint/([^/]+)/predict")
UPLOAD_PATHS = ("/compute/upload_with_new_session", "/compute/train_on_foundational_model")
_FORM_OVERHEAD = 1024**2  # the fields beside the file
_RECORD_BYTES = 1024**2  # what an endpoint is asked: one record
# Most clients read no answer before all is sent: how long a body is taken in for that alone, and
# how long it may pause.
_DRAIN_S, _SILENCE_S = 60.0, 2.0

Admit = Callable[[str, str, bool], Awaitable[object]]
"""Lets a request through to an endpoint (id; key given; whether it is the server's own), or
raises the `ApiError` to answer with. What it returns is ``request.state.endpoint``."""


class Gate:
    """ASGI middleware: refuse what is not for us, too large, or without the key.

    An answer is sent only after the rest of the body has been read and dropped (for at most a
    minute): a client that is still sending would otherwise see a broken connection, not the
    reason, and try again. A crash inside is logged and answered here, for the same reason: left
    to the web server, it would cut the connection.
    """

    def __init__(self, app: ASGIApp, settings: Settings, admit: Admit) -> None:
        self.app = app
        self._settings = settings
        self._admit = admit
        self._key = settings.api_key.encode()
        self._hosts = {settings.host, "localhost", *settings.allowed_hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        body = _Body(receive, headers, self._limit(scope["path"]))

        answering = False
        extra = collect_headers()

        async def send_after_body(message: Message) -> None:
            nonlocal answering
            if not answering:
                answering = True
                await body.drain()
            if message["type"] == "http.response.start" and extra:
                added = [(name.lower().encode(), value.encode()) for name, value in extra.items()]
                message = {**message, "headers": [*message.get("headers", ()), *added]}
            await send(message)

        refusal = self._refusal(scope["path"], headers, body)
        if refusal is None:
            refusal = await self._refusal_at_endpoint(scope, headers)
        if refusal is None:
            try:
                await self.app(scope, body.receive, send_after_body)
                return
            except ClientDisconnect:
                return  # nobody is left to answer
            except Exception as error:
                if answering:
                    raise  # too late for a proper answer: the server cuts the connection
                logger.exception("%s %s", scope["method"], scope["path"])
                refusal = crash(error)
        response = envelope_response(refusal, self._settings.compute_cluster)
        await response(scope, receive, send_after_body)

    def _limit(self, path: str) -> int:
        if path.rstrip("/") in UPLOAD_PATHS:
            return self._settings.max_upload_bytes + _FORM_OVERHEAD
        if ENDPOINT_PATH.fullmatch(path):
            return min(_RECORD_BYTES, self._settings.max_body_bytes)
        return self._settings.max_body_bytes

    def _refusal(self, path: str, headers: Headers, body: _Body) -> ApiError | None:
        if not self._is_our_host(headers.get("host", "")):
            return ApiError(
                403,
                "host_not_allowed",
                f"This server does not answer to the name {headers.get('host')!r}.",
                hint="Use 127.0.0.1 or localhost, or add the name to FEATRIX_SERVER_ALLOWED_HOSTS.",
            )
        is_open = path in OPEN_PATHS or ENDPOINT_PATH.fullmatch(path)
        if not is_open and not self._has_key(headers):
            return ApiError(
                401,
                "unauthorized",
                "The API key is missing or wrong.",
                hint="Send the key in the X-Api-Key header. The key of a local server is in "
                "server.json in its data folder; FeatrixSphere() finds it there.",
            )
        return body.too_large() if body.announced > body.limit else None

    async def _refusal_at_endpoint(self, scope: Scope, headers: Headers) -> ApiError | None:
        door = ENDPOINT_PATH.fullmatch(scope["path"])
        if door is None:
            return None
        key, is_owner = _given_key(headers), self._has_key(headers)
        try:
            found = await self._admit(door[1], key, is_owner)
        except ApiError as error:
            return error
        except Exception as error:
            logger.exception("%s %s", scope["method"], scope["path"])
            return crash(error)
        scope.setdefault("state", {})["endpoint"] = found
        return None

    def _is_our_host(self, host: str) -> bool:
        name = host[1 : host.find("]")] if host.startswith("[") else host.rpartition(":")[0] or host
        if "*" in self._hosts or name.lower() in self._hosts:
            return True
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return False

    def _has_key(self, headers: Headers) -> bool:
        given = _given_key(headers).encode("utf-8", "replace")
        return bool(self._key) and hmac.compare_digest(given, self._key)


def _given_key(headers: Headers) -> str:
    given = headers.get("x-api-key", "")
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if not given and scheme.lower() == "bearer" else given


class _Body:
    """A request's body on its way in: counted, refused beyond the limit, drained when unread."""

    def __init__(self, receive: Receive, headers: Headers, limit: int) -> None:
        self._receive = receive
        length = headers.get("content-length", "")
        self.announced = int(length) if length.isdecimal() else 0
        self.limit = limit
        self._seen = 0
        self._finished = not self.announced and "transfer-encoding" not in headers

    async def receive(self) -> Message:
        message = await self._next()
        if self._seen > self.limit:
            raise self.too_large()
        return message

    async def _next(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._seen += len(message.get("body", b""))
            self._finished = not message.get("more_body", False)
        else:
            self._finished = True
        return message

    async def drain(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_S):
                while not self._finished:
                    async with asyncio.timeout(_SILENCE_S):
                        await self._next()
        self._finished = True

    def too_large(self) -> ApiError:
        return ApiError(
            413,
            "too_large",
            f"The request is larger than the {self.limit:,} bytes this server accepts.",
            hint="Send less, or raise FEATRIX_SERVER_MAX_UPLOAD_BYTES (data files) or "
            "FEATRIX_SERVER_MAX_BODY_BYTES (everything else) on the server.",
        )
