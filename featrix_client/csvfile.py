"""Records from a CSV file, line by line, with a reason for each line that is none."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections import Counter
from pathlib import Path

from featrix_client.errors import FeatrixInputError

_DELIMITERS = ",;\t|"
_BYTE_ORDER_MARKS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))

Record = dict[str, str | None]


def read_csv_records(path: Path) -> list[Record | str]:
    """Return the records of a CSV file, in order.

    The first line names the columns. Comma, semicolon, tab and ``|`` are understood as
    separators. Values stay text, which the server reads as the column's type wants it; empty
    ones are missing. Empty lines are passed over.

    Parameters
    ----------
    path : Path
        A file, perhaps gzipped (``.gz``).

    Returns
    -------
    list of dict or str
        One entry a line; text for a line with too few or too many values: what is wrong.

    Raises
    ------
    FeatrixInputError
        If the file is no CSV file, has no records, or names a column twice.
    """
    text = _decode(_content(path))
    delimiter = _delimiter(text.split("\n", 1)[0])
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows: list[Record | str] = []
    names: list[str] = []
    try:
        for values in reader:
            if not any(values):
                continue
            if not names:
                names = _checked([name.strip() for name in values], path)
            else:
                rows.append(_record(names, values, reader.line_num))
    except csv.Error as error:
        raise FeatrixInputError(
            f"{path} cannot be read as CSV: line {reader.line_num}: {error}.", field="file_path"
        ) from error
    if not rows:
        raise FeatrixInputError(
            f"{path} has no records"
            + (f" below its header ({', '.join(names[:5])})." if names else "."),
            hint="The first line names the columns, each further one is a record.",
            field="file_path",
        )
    return rows


def _content(path: Path) -> bytes:
    data = path.read_bytes()
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise FeatrixInputError(f"{path} is damaged: {error}.", field="file_path") from error


def _decode(data: bytes) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")  # what spreadsheets write instead


def _delimiter(header: str) -> str:
    counts = {mark: len(next(csv.reader([header], delimiter=mark), [])) for mark in _DELIMITERS}
    return max(counts, key=counts.__getitem__)


def _checked(names: list[str], path: Path) -> list[str]:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise FeatrixInputError(
            f"The header of {path} has these names twice: {', '.join(map(repr, twice[:10]))}.",
            field="file_path",
        )
    return names


def _record(names: list[str], values: list[str], line: int) -> Record | str:
    if len(values) != len(names):
        return f"Line {line} of the file has {len(values)} values for {len(names)} columns."
    return {name: value or None for name, value in zip(names, values, strict=True)}
