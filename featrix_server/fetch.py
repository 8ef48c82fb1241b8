"""Fetching a data file from an `https://` or `s3://` URL to disk, up to a size."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, unquote, urljoin, urlsplit

import requests

from featrix_server.errors import ApiError, invalid_input
from featrix_server.outgoing import OutgoingSession, RefusedAddressError

_FIELD = "s3_file_data_set_training"
_CHUNK = 1024**2
_MAX_REDIRECTS = 5
_TIMEOUT_S = (10.0, 60.0)  # to connect, and between two bytes
_LONGEST_S = 600.0


def fetch(url: str, destination: Path, max_bytes: int, *, allow_private: bool) -> str:
    """Copy the file behind `url` to `destination`.

    Parameters
    ----------
    url
        An `https://` or `s3://` URL. Redirects are followed only to `https://`.
    destination
        Where to write; whatever goes wrong, the caller removes it.
    max_bytes
        Largest size accepted, in bytes.
    allow_private
        Whether the file may lie in a private network; see `featrix_server.outgoing`.

    Returns
    -------
    str
        The file's name, by which its format is known.

    Raises
    ------
    ApiError
        413 if the file is too large; 422 for another kind of URL, or one that gives no file.
    """
    scheme = urlsplit(url).scheme.lower()
    if scheme == "https":
        chunks = _https_chunks(url, allow_private)
    elif scheme == "s3":
        chunks = _s3_chunks(url, allow_private)
    else:
        raise invalid_input(
            f"Data cannot be fetched from {url!r}: only https:// and s3:// URLs are accepted.",
            hint="Plain http:// can be read and changed on its way. Use https://, or download "
            "the file and give its path.",
            field=_FIELD,
        )
    deadline = time.monotonic() + _LONGEST_S
    size = 0
    with destination.open("wb") as file:
        for chunk in chunks:
            size += len(chunk)
            if size > max_bytes:
                raise ApiError(
                    413,
                    "too_large",
                    f"The file at {url} is larger than the {max_bytes:,} bytes accepted here.",
                    hint="Raise FEATRIX_SERVER_MAX_UPLOAD_BYTES on the server, or use fewer rows.",
                    field=_FIELD,
                )
            if time.monotonic() > deadline:
                raise _unreachable(url, f"the download took more than {_LONGEST_S:.0f} s")
            file.write(chunk)
    return PurePosixPath(unquote(urlsplit(url).path)).name or "data"


def _https_chunks(url: str, allow_private: bool) -> Iterator[bytes]:
    where = url
    try:
        with OutgoingSession(allow_private=allow_private) as session:
            for _ in range(_MAX_REDIRECTS + 1):
                with session.get(
                    where, stream=True, timeout=_TIMEOUT_S, allow_redirects=False
                ) as answer:
                    if answer.is_redirect:
                        where = _next_step(url, urljoin(where, answer.headers["location"]))
                        continue
                    if answer.status_code != 200:
                        raise _unreachable(
                            url, f"the answer was {answer.status_code} {answer.reason}"
                        )
                    yield from answer.iter_content(_CHUNK)
                    return
    except (requests.RequestException, RefusedAddressError) as error:
        raise _unreachable(url, str(error)) from error
    raise _unreachable(url, f"it redirects more than {_MAX_REDIRECTS} times")


def _next_step(url: str, where: str) -> str:
    if urlsplit(where).scheme != "https":
        raise _unreachable(url, f"it redirects to {where}, which is not https://")
    return where


def _s3_chunks(url: str, allow_private: bool) -> Iterator[bytes]:
    if not allow_private and "endpoint_override" in parse_qs(urlsplit(url).query):
        raise _unreachable(
            url,
            "this server fetches from Amazon's own S3 only",
            hint="Download the file and upload it, or have FEATRIX_SERVER_ALLOW_PRIVATE_URLS set.",
        )
    from pyarrow import fs  # loads the whole S3 library, so only when it is wanted

    try:
        filesystem, path = fs.FileSystem.from_uri(url)
        with filesystem.open_input_stream(path, compression=None) as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk
    except (OSError, ValueError) as error:
        raise _unreachable(
            url,
            str(error),
            hint="Check the bucket and key, and the credentials the server was started with "
            "(AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_PROFILE).",
        ) from error


def _unreachable(url: str, why: str, hint: str = "Check the address.") -> ApiError:
    return invalid_input(f"Could not fetch {url}: {why}", hint=hint, field=_FIELD)
