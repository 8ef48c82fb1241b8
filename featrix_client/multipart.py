"""A form with one file in it, read from disk while it is sent."""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

_CHUNK = 256 * 1024


class MultipartForm:
    """The body of a ``multipart/form-data`` request, never whole in memory.

    Parameters
    ----------
    fields : mapping of str to str
        Text fields, sent before the file.
    path : Path
        The file.
    filename : str
        The name it is sent under. As the protocol wants, its part has no content type.
    on_progress : callable, optional
        Called with the number of file bytes sent so far.
    """

    def __init__(
        self,
        fields: Mapping[str, str],
        path: Path,
        filename: str,
        on_progress: Callable[[int], object] | None = None,
    ) -> None:
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n'
            f"{value}\r\n"
            for name, value in fields.items()
        ]
        parts.append(
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; '
            f'filename="{_quoted(filename)}"\r\n\r\n'
        )
        self._head = "".join(parts).encode("utf-8", "surrogateescape")
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self._file: BinaryIO = path.open("rb")
        self._file_size = self._file.seek(0, io.SEEK_END)
        self._on_progress = on_progress
        self.rewind()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._head) + self._file_size + len(self._tail)

    def __bool__(self) -> bool:
        return True

    def rewind(self) -> None:
        """Go back to the first byte."""
        self._file.seek(0)

    def __iter__(self) -> Iterator[bytes]:
        yield self._head
        left = self._file_size  # a file that grows meanwhile must not outgrow Content-Length
        while left and (chunk := self._file.read(min(_CHUNK, left))):
            left -= len(chunk)
            if self._on_progress:
                self._on_progress(self._file_size - left)
            yield chunk
        yield self._tail


def _quoted(text: str) -> str:
    """Escape a name the way browsers do in form headers."""
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
