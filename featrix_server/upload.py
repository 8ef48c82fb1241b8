"""Reading a multipart form as it arrives: its file straight to disk, its fields into memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool

from featrix_server.errors import ApiError, invalid_input

_MAX_FIELD_BYTES = 1024**2
_MAX_FIELDS = 200


class FormReader:
    """A parser of one multipart/form-data body whose part ``file`` is written to `destination`.

    Attributes
    ----------
    fields : dict of str to str
        The other parts, as text.
    filename : str or None
        The file's own name, as the client said it (never to be used as a path); None until the
        file has come.
    """

    def __init__(self, content_type: str, destination: Path) -> None:
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or b"boundary" not in options:
            raise invalid_input(
                "The body is not a multipart form.",
                hint="Send multipart/form-data with the table in the part `file`.",
                field="file",
            )
        self.fields: dict[str, str] = {}
        self.filename: str | None = None
        self._destination = destination
        self._file: IO[bytes] | None = None
        self._header_name = b""
        self._header_value = b""
        self._name = ""
        self._text = bytearray()
        self._parser = MultipartParser(
            options[b"boundary"],
            {
                "on_part_begin": self._begin_part,
                "on_header_field": self._add_to_header_name,
                "on_header_value": self._add_to_header_value,
                "on_header_end": self._end_header,
                "on_part_data": self._add_data,
                "on_part_end": self._end_part,
            },
        )

    async def read(self, chunks: AsyncIterator[bytes]) -> str:
        """Consume the body, and return the file's name.

        Raises
        ------
        ApiError
            If the form is malformed, too rich in fields, or has no file.
        """
        try:
            async for chunk in chunks:
                if chunk:
                    await run_in_threadpool(self._parser.write, chunk)
            self._parser.finalize()
        except FormParserError as error:
            raise ApiError(
                400,
                "invalid_input",
                f"The multipart form is malformed or incomplete ({error}).",
                hint="Send it again; the connection may have been cut.",
            ) from error
        finally:
            if self._file is not None:
                self._file.close()
        if self.filename is None:
            raise invalid_input(
                "The form has no part `file` with a table in it.",
                hint="Send the table as the part `file`, with its file name.",
                field="file",
            )
        return self.filename

    def _begin_part(self) -> None:
        self._name, self._text = "", bytearray()

    def _add_to_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _add_to_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        name, value = self._header_name.lower(), self._header_value
        self._header_name = self._header_value = b""
        if name != b"content-disposition":
            return
        _, options = parse_options_header(value)
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        if self._name == "file" and b"filename" in options and self.filename is None:
            self.filename = options[b"filename"].decode("utf-8", "replace")
            self._file = self._destination.open("wb")

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file.write(data[start:end])
            return
        self._text += data[start:end]
        if len(self._text) > _MAX_FIELD_BYTES or len(self.fields) >= _MAX_FIELDS:
            raise invalid_input(
                f"The form field {self._name!r} is too large, or there are too many fields.",
                field=self._name,
            )

    def _end_part(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        elif self._name:
            self.fields[self._name] = self._text.decode("utf-8", "replace")
