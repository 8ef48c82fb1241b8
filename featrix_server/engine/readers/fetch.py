"""From a source to a plain local file: s3:// copies, gzip, the format, text encodings."""

from __future__ import annotations

import codecs
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from featrix_server.engine.readers.report import TableError, too_large

CHUNK = 1 << 20

_FORMATS = {
    **dict.fromkeys(["csv", "tsv", "tab", "txt", "psv", "dat"], "csv"),
    **dict.fromkeys(["parquet", "pq", "parq"], "parquet"),
    "json": "json",
    **dict.fromkeys(["jsonl", "ndjson", "jsonlines"], "jsonl"),
}
_SUPPORTED = "CSV (.csv, .tsv, .txt), Parquet (.parquet), JSON (.json) and JSON lines (.jsonl)"
_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_CONTROL = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1e\x7f]")


def fetch(source: str | Path, folder: Path, filename: str, max_bytes: int) -> Path:
    """Return a local, uncompressed file with the content of `source`.

    Gzip is recognised by its content. Anything written goes into `folder`.

    Raises
    ------
    TableError
        Missing, empty, a folder, a broken gzip, or more than `max_bytes` uncompressed.
    """
    text = str(source)
    if re.match(r"^[a-zA-Z][a-zA-Z0-9+.-]+://", text):
        local = _download(text, folder / "download", max_bytes)
    else:
        local = Path(source)
    try:
        with local.open("rb") as file:
            magic = file.read(2)
    except FileNotFoundError:
        raise TableError(
            f"there is no file {text}", code="missing_file", hint="Check the path", field="file"
        ) from None
    except IsADirectoryError:
        raise TableError(f"{text} is a folder, not a file", code="not_a_file") from None
    except PermissionError:
        raise TableError(f"no permission to read {text}", code="unreadable") from None
    if not magic:
        raise TableError(f"{filename} is empty", code="empty", field="file")
    if magic == b"\x1f\x8b":
        local = _gunzip(local, folder / "plain", filename, max_bytes)
    if local.stat().st_size > max_bytes:
        raise too_large(filename, max_bytes)
    return local


def _download(url: str, target: Path, max_bytes: int) -> Path:
    from pyarrow import fs

    if not url.lower().startswith("s3://"):
        scheme = url.split(":", 1)[0]
        raise TableError(
            f"{scheme}:// addresses are not supported",
            code="unsupported_url",
            hint="Use an s3:// address or send the file itself",
            field="file",
        )
    try:
        filesystem, path = fs.FileSystem.from_uri(url)
        with filesystem.open_input_stream(path, compression=None) as stream:
            _copy(iter(lambda: stream.read(CHUNK), b""), target, url, max_bytes)
    except (OSError, ValueError, ImportError, NotImplementedError) as error:
        if isinstance(error, TableError):
            raise
        raise TableError(
            f"{url} cannot be read: {error}",
            code="s3",
            hint="Check the address, the region and the credentials in the server's environment",
            field="file",
        ) from error
    return target


def _gunzip(path: Path, target: Path, filename: str, max_bytes: int) -> Path:
    try:
        with path.open("rb") as file:
            _copy(_inflated(file), target, filename, max_bytes)
    except (EOFError, zlib.error) as error:
        raise TableError(
            f"{filename} is a broken gzip file: {error}",
            code="broken_gzip",
            hint="It may have been cut off in transfer; compress and send it again",
            field="file",
        ) from error
    return target


def _inflated(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the content of all gzip members, never more than a chunk at once."""
    inflate = zlib.decompressobj(wbits=31)
    started = False
    while data := file.read(CHUNK):
        while data:
            if inflate.eof:
                data = data.lstrip(b"\0")  # padding that some tools leave
                if not data:
                    break
                inflate = zlib.decompressobj(wbits=31)
            started = True
            yield inflate.decompress(data, CHUNK)
            data = inflate.unconsumed_tail or inflate.unused_data
    while started and not inflate.eof:
        data = inflate.decompress(b"", CHUNK)
        if not data:
            raise EOFError("it ends too early")
        yield data


def _copy(chunks: Iterator[bytes], target: Path, name: str, max_bytes: int) -> None:
    size = 0
    with target.open("wb") as out:
        for chunk in chunks:
            size += len(chunk)
            if size > max_bytes:
                raise too_large(name, max_bytes)
            out.write(chunk)


def format_of(path: Path, filename: str) -> str:
    """Return "csv", "parquet", "json" or "jsonl", from the name or else the content.

    Raises
    ------
    TableError
        For content that is plainly something else.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    name = filename.lower().removesuffix(".gz")
    suffix = name.rsplit(".", 1)[-1] if "." in name else ""
    if head[:4] == b"PAR1":
        return "parquet"
    _refuse_known_binaries(head, filename)
    if suffix in _FORMATS:
        return _FORMATS[suffix]
    first = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if first == b"[":
        return "json"
    return "jsonl" if first == b"{" else "csv"


def _refuse_known_binaries(head: bytes, filename: str) -> None:
    kinds = {
        b"PK\x03\x04": "a ZIP archive or an Excel workbook",
        b"\xd0\xcf\x11\xe0": "an old Excel workbook",
        b"%PDF": "a PDF document",
        b"\x89PNG": "a PNG image",
        b"\x89HDF": "an HDF5 file",
        b"ARROW1": "an Arrow file",
        b"SQLite": "a SQLite database",
    }
    for magic, kind in kinds.items():
        if head.startswith(magic):
            raise TableError(
                f"{filename} is {kind}, not a table that can be read here",
                code="unsupported_format",
                hint=f"Save it as {_SUPPORTED}",
                field="file",
            )


def as_utf8(path: Path, folder: Path, filename: str) -> tuple[Path, str]:
    """Return a file of the same text in UTF-8 without a mark, and the encoding found.

    The marks of UTF-8, UTF-16 and UTF-32 decide; without one UTF-16 is told by its zero
    bytes; else UTF-8 if all bytes are valid, else Windows' cp1252, or latin-1 where even that
    has no such byte. A file that needs no change is returned as it is.

    Raises
    ------
    TableError
        For binary content.
    """
    with path.open("rb") as file:
        head = file.read(CHUNK)
    encoding = next((name for mark, name in _BOMS.items() if head.startswith(mark)), None)
    encoding = encoding or _unmarked_utf16(head)
    if encoding is None:
        if b"\0" in head or len(_CONTROL.findall(head)) > len(head) / 200:
            raise _binary(filename)
        if _decodes(path, "utf-8"):
            return path, "utf-8"
        encoding = "cp1252" if _decodes(path, "cp1252") else "latin-1"
    target = folder / "text"
    decoder: Any = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as file, target.open("wb") as out:
            while chunk := file.read(CHUNK):
                out.write(decoder.decode(chunk).encode())
            out.write(decoder.decode(b"", final=True).encode())
    except UnicodeError as error:
        raise TableError(
            f"{filename} begins as {encoding.upper()} but is not valid: {error}",
            code="bad_encoding",
            hint="Save the file as UTF-8",
            field="file",
        ) from error
    with target.open("rb") as file:
        if b"\0" in file.read(CHUNK):
            raise _binary(filename)
    return target, encoding


def _binary(filename: str) -> TableError:
    return TableError(
        f"{filename} is binary, not text",
        code="binary",
        hint=f"Send {_SUPPORTED}",
        field="file",
    )


def _unmarked_utf16(head: bytes) -> str | None:
    """Tell UTF-16 without a mark: mostly ASCII text has a zero in every other byte."""
    half = len(head) // 2
    if half < 2:
        return None
    even, odd = head[: 2 * half : 2].count(0), head[1 : 2 * half : 2].count(0)
    if odd > 0.7 * half and even < 0.05 * half:
        return "utf-16-le"
    return "utf-16-be" if even > 0.7 * half and odd < 0.05 * half else None


def _decodes(path: Path, encoding: str) -> bool:
    decoder: Any = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
    except UnicodeError:
        return False
    return True
