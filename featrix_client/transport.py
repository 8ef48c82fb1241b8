"""The one way to the server: headers, retries, envelopes and errors in a single place."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

import requests
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError

from featrix_client.deprecation import warn_if_deprecated
from featrix_client.errors import (
    FeatrixAuthenticationError,
    FeatrixConnectionError,
    FeatrixError,
    FeatrixHTTPError,
    error_from_response,
)
from featrix_client.retries import Patience, RetryPolicy
from featrix_client.version import version

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 30.0
UPLOAD_TIMEOUT_S = 600.0

_log = logging.getLogger("featrix_client")
_QUIET_WAIT_S = 1.0  # shorter waits are not worth a line


class Address(NamedTuple):
    """Base address of a server and the key for it."""

    url: str
    api_key: str | None


class UploadBody(Protocol):
    """A request body that is read piece by piece and can start over for a new attempt."""

    content_type: str

    def rewind(self) -> None:
        """Go back to the first byte."""
        ...

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[bytes]: ...


class Transport:
    """Requests to one server.

    Safe to share between threads.

    Parameters
    ----------
    address : Address
        Where the server is.
    relocate : callable, optional
        Finds the server's present address when it is gone from the known one: the embedded
        server stops when idle, and comes back on another port.
    compute_cluster : str, optional
        Name sent as ``X-Featrix-Node``.
    policy : RetryPolicy, optional
        How patient to be.
    """

    def __init__(
        self,
        address: Address,
        *,
        relocate: Callable[[], Address] | None = None,
        compute_cluster: str | None = None,
        policy: RetryPolicy | None = None,
    ) -> None:
        self.address = address
        self.compute_cluster = compute_cluster
        self.policy = policy or RetryPolicy()
        self._relocate = relocate
        self._relocating = threading.Lock()
        self._session = requests.Session()
        if relocate is not None:  # no proxy stands between a process and its own machine
            self._session.trust_env = False

    @property
    def is_local(self) -> bool:
        """Whether this is the user's embedded server."""
        return self._relocate is not None

    @property
    def url(self) -> str:
        """Base address of the server, without a trailing slash."""
        return self.address.url

    # ------------------------------------------------------------------ calls

    def get(self, path: str, **params: Any) -> Any:
        """Return the JSON behind a path, unwrapped; parameters that are None are left out."""
        return self.json("GET", path, params={k: v for k, v in params.items() if v is not None})

    def post(self, path: str, body: Any, *, repeatable: bool = False) -> Any:
        """Send JSON and return the JSON of the answer, unwrapped.

        Parameters
        ----------
        repeatable : bool
            Whether the request may be sent again when its fate is unknown.
        """
        return self.json("POST", path, json=body, repeatable=repeatable)

    def json(self, method: str, path: str, **options: Any) -> Any:
        """Like `request`, but return the parsed and unwrapped JSON of the answer."""
        response = self.request(method, path, **options)
        try:
            return unwrap(response.json())
        except requests.JSONDecodeError:
            raise FeatrixHTTPError(
                f"{self.url} answered {method} {path} with something that is not JSON.",
                response=response,
                hint="Is it the address of a Featrix server, with nothing after the host?",
            ) from None

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        upload: UploadBody | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
        timeout: float = READ_TIMEOUT_S,
    ) -> requests.Response:
        """Send a request, again if need be, and return the successful answer.

        Parameters
        ----------
        method, path : str
            HTTP method and path below the base address.
        params : mapping, optional
            Query parameters.
        json : optional
            Body to send as JSON.
        upload : UploadBody, optional
            Body to stream instead.
        headers : mapping, optional
            Further headers.
        repeatable : bool, optional
            Whether sending twice does no harm; default: only for GET.
        timeout : float
            Longest wait for a sign of the server, in seconds.

        Raises
        ------
        FeatrixInputError
            If the server says that the input was wrong.
        FeatrixHTTPError
            If it refuses for another reason.
        FeatrixConnectionError
            If no answer comes.
        """
        patience = Patience(self.policy, method == "GET" if repeatable is None else repeatable)
        may_move = self.is_local
        failure: FeatrixConnectionError | FeatrixHTTPError
        while True:
            address = self.address
            try:
                return self._send(
                    *(address, method, path, headers),
                    params=params,
                    json=json,
                    data=upload,
                    timeout=(CONNECT_TIMEOUT_S, timeout),
                )
            except FeatrixConnectionError as error:
                failure, has_moved, reason = error, error.refused, "no answer"
                delay = patience.after_refusal() if error.refused else patience.after_silence()
                if isinstance(error.__cause__, requests.exceptions.SSLError):
                    delay = None  # a certificate does not get better by waiting
            except FeatrixHTTPError as error:
                # A server that refuses its own user's key is another one on the same port.
                is_own_key = "X-Api-Key" not in (headers or {})
                failure = error
                has_moved = is_own_key and isinstance(error, FeatrixAuthenticationError)
                reason = f"HTTP {error.status}"
                delay = patience.after_answer(error.status, error.headers, error.body)
            if has_moved and may_move:
                may_move = False
                self._move(address)
                continue
            if delay is None:
                raise failure
            if delay >= _QUIET_WAIT_S:
                _log.warning("%s: %s; trying again in %.0f s.", address.url, reason, delay)
            time.sleep(delay)

    @contextmanager
    def stream(
        self, path: str, *, params: Mapping[str, Any], accept: str, timeout: float
    ) -> Iterator[requests.Response]:
        """Open an answer that arrives bit by bit. Sent once: the caller opens it again.

        Parameters
        ----------
        timeout : float
            Longest silence within the answer, in seconds.

        Raises
        ------
        FeatrixHTTPError, FeatrixConnectionError
            As for `request`.
        """
        with self._send(
            *(self.address, "GET", path, {"Accept": accept}),
            params=params,
            timeout=(CONNECT_TIMEOUT_S, timeout),
            stream=True,
        ) as response:
            yield response

    def health(self) -> dict[str, Any]:
        """Return what ``/health`` says, whatever its status code.

        Raises
        ------
        FeatrixConnectionError
            If no server answers.
        FeatrixHTTPError
            If what answers is no Featrix server.
        """
        try:
            return dict(self.json("GET", "/health"))
        except FeatrixHTTPError as error:
            body = unwrap(error.body)
            if isinstance(body, dict) and "status" in body:
                return body
            raise

    # ---------------------------------------------------------------- details

    def _send(
        self,
        address: Address,
        method: str,
        path: str,
        headers: Mapping[str, str] | None,
        *,
        data: UploadBody | None = None,
        **options: Any,
    ) -> requests.Response:
        """Send a request once; every outcome but success is one of our errors."""
        sent = self._headers(address) | dict(headers or {})
        if data is not None:
            data.rewind()
            sent["Content-Type"] = data.content_type
        try:
            response = self._session.request(
                method,
                address.url + path,
                headers=sent,
                data=data,
                allow_redirects=False,  # the key must not follow to another host
                **options,
            )
            if response.ok and not response.is_redirect:
                warn_if_deprecated(response.headers)
                return response
            with response:  # reads the rest, and gives the connection back
                raise _refusal(response, address.url)
        except (requests.ConnectionError, requests.Timeout) as error:
            raise _no_answer(error, address.url, method, path) from error

    def _headers(self, address: Address) -> dict[str, str]:
        headers = {"User-Agent": f"FeatrixNotebook/{version()}"}
        if address.api_key:
            headers["X-Api-Key"] = address.api_key
        if self.compute_cluster:
            headers["X-Featrix-Node"] = self.compute_cluster
        return headers

    def _move(self, gone: Address) -> None:
        """Find the server again, once for all threads that miss it."""
        assert self._relocate is not None
        with self._relocating:
            if self.address == gone:
                self.address = self._relocate()


def unwrap(body: Any) -> Any:
    """Take a body out of the envelopes of the protocol, if it is in one."""
    if isinstance(body, dict):
        if "_meta" in body:
            for key in ("data", "response"):
                if key in body:
                    return body[key]
        if body.keys() == {"response"}:
            return body["response"]
    return body


def _refusal(response: requests.Response, url: str) -> FeatrixError:
    if response.is_redirect:
        return FeatrixHTTPError(
            f"{url} sends requests on to {response.headers['Location']}.",
            response=response,
            hint="Use the final address of the server as api_url.",
        )
    return error_from_response(response)


def _was_refused(error: requests.RequestException) -> bool:
    """Tell whether the server cannot have received the request: no connection came about."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    cause = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else cause
    return isinstance(reason, NewConnectionError | ConnectTimeoutError)


def _no_answer(
    error: requests.RequestException, url: str, method: str, path: str
) -> FeatrixConnectionError:
    refused = _was_refused(error)
    if refused:
        message = f"No server answers at {url}."
        hint = "Check the address (api_url, FEATRIX_API_URL) and the network, and try again."
    elif isinstance(error, requests.exceptions.SSLError):
        message = f"No secure connection to {url}: {error}."
        hint = "Check the address (api_url) and its certificate; REQUESTS_CA_BUNDLE adds one."
    else:
        message = f"{url} took {method} {path} but did not answer it."
        hint = "It may have been carried out: look (for instance with list_sessions()) first."
        if method == "GET":
            hint = "The server may be busy; try again in a moment."
    return FeatrixConnectionError(message, hint=hint, refused=refused, request=error.request)
