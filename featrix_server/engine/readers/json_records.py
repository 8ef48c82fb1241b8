"""JSON into staged Parquet files: records in an array, one a line, or columns of an object."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from featrix_server.engine.columns.values import text_of
from featrix_server.engine.readers.delimited import Staged, clean_names
from featrix_server.engine.readers.report import KEPT_BAD_LINES, BadLine, TableError

CHUNK = 1 << 20
ROWS_A_PART = 20_000
MAX_RECORD = 64 << 20  # characters of one record
MAX_COLUMN_JSON = 512 << 20  # bytes of {"column": [...]}, which must be held in memory

Record = dict[str, Any]


@dataclass
class _BadLines:
    """Lines that hold no record: how many, and the first of them."""

    count: int = 0
    first: list[BadLine] = field(default_factory=list)


def stage_json(path: Path, folder: Path, filename: str, lines: bool) -> Staged:
    """Read UTF-8 JSON: an array of objects, an object of arrays, or an object a line.

    The kind is told from the content, so either works under either name.

    Raises
    ------
    TableError
        For broken JSON (with the place), anything but records, or no rows.
    """
    bad = _BadLines()
    with path.open(encoding="utf-8") as file:
        first, second = _first_characters(file.read(CHUNK))
    if first == "[":
        records = _array(path, filename)
    elif first == "{" and (lines or _is_lines(path)):
        records = _lines(path, bad)
    elif first == "{" and second:
        records = _columns(path, filename)
    else:
        raise TableError(
            f"{filename} holds no records",
            code="not_records" if first else "empty",
            hint='Use [{"a": 1}, ...], one object a line, or {"a": [1, ...], ...}',
            field="file",
        )
    parts, names = _write_parts(records, folder)
    if bad.count > sum(pq.read_metadata(part).num_rows for part in parts):
        line = bad.first[0]
        raise TableError(
            f"{bad.count:,} lines of {filename} are no JSON objects "
            f"(line {line.line}: {line.reason})",
            code="bad_json",
            hint="One complete object a line, nothing else",
            field="file",
        )
    if not names:
        raise TableError(f"{filename} holds no rows", code="no_rows", field="file")
    cleaned, notes = clean_names(names)
    return Staged(tuple(parts), cleaned, None, tuple(bad.first), bad.count, tuple(notes))


def _first_characters(text: str) -> tuple[str, str]:
    stripped = text.lstrip()
    return stripped[:1], stripped[1:].lstrip()[:1]


def _is_lines(path: Path) -> bool:
    """Tell objects one a line from a single object by whether the first line is complete."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.strip():
                try:
                    value = json.loads(line)
                except (ValueError, RecursionError):
                    return False
                return not any(
                    all(isinstance(cell, kind) for cell in value.values()) for kind in (list, dict)
                )
    return False


def _array(path: Path, filename: str) -> Iterator[Record]:
    """Yield the objects of an array, reading a chunk at a time."""
    decode = json.JSONDecoder().raw_decode
    number = 0
    with path.open(encoding="utf-8") as file:
        buffer, ended, place = file.read(CHUNK).lstrip()[1:], False, 0
        while True:
            while place < len(buffer) and buffer[place] in " \t\r\n,":
                place += 1
            if buffer[place : place + 1] == "]":
                return
            try:
                value, end = decode(buffer, place)
                # A number at the very end of a chunk may go on in the next.
                if end == len(buffer) and not ended:
                    raise ValueError("cut off")
                number, place = number + 1, end
            except (ValueError, RecursionError) as error:
                chunk = "" if ended else file.read(CHUNK)
                ended = ended or not chunk
                buffer, place = buffer[place:] + chunk, 0
                if (ended and (not chunk)) or len(buffer) > MAX_RECORD:
                    raise _broken(filename, f"in or after record {number + 1}", error) from error
                continue
            if not isinstance(value, dict):
                raise TableError(
                    f"record {number} of {filename} is no object: {str(value)[:60]}",
                    code="not_records",
                    hint='Use [{"a": 1, "b": 2}, ...]',
                    field="file",
                )
            yield value


def _lines(path: Path, bad: _BadLines) -> Iterator[Record]:
    """Yield the objects one a line; note the lines that are none."""
    with path.open(encoding="utf-8", newline="\n") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
                reason = "" if isinstance(value, dict) else "not an object"
            except (ValueError, RecursionError) as error:
                value, reason = None, str(error)
            if isinstance(value, dict):
                yield value
                continue
            bad.count += 1
            if len(bad.first) < KEPT_BAD_LINES:
                bad.first.append(BadLine(number, reason, line.rstrip("\r\n")[:200]))


def _columns(path: Path, filename: str) -> Iterator[Record]:
    if path.stat().st_size > MAX_COLUMN_JSON:
        raise TableError(
            f"{filename} is one object of columns, too large to read whole",
            code="too_large",
            hint="Send JSON lines, CSV or Parquet",
            field="file",
        )
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise _broken(filename, "", error) from error
    cells = list(value.values())
    if all(isinstance(column, dict) for column in cells):  # pandas' own to_json()
        cells = [list(column.values()) for column in cells]
    if not all(isinstance(column, list) for column in cells):
        raise TableError(
            f"{filename} holds one object whose values are no columns",
            code="not_records",
            hint='Use [{"a": 1}, ...], one object a line, or {"a": [1, ...], ...}',
            field="file",
        )
    lengths = {len(column) for column in cells}
    if len(lengths) > 1:
        raise TableError(
            f"the columns of {filename} have different lengths: {sorted(lengths)[:5]}",
            code="ragged_columns",
            hint="Give every column one value a row (null where there is none)",
            field="file",
        )
    for row in zip(*cells, strict=True):
        yield dict(zip(value, row, strict=True))


def _broken(filename: str, where: str, error: Exception) -> TableError:
    return TableError(
        f"{filename} is broken JSON {where}: {error}".replace("  ", " ").replace(" :", ":"),
        code="bad_json",
        hint="It may have been cut off; check it with a JSON validator",
        field="file",
    )


def _write_parts(records: Iterator[Record], folder: Path) -> tuple[list[Path], list[str]]:
    """Write records as text, some 20,000 a file; columns come in order of appearance."""
    index: dict[str, int] = {}
    parts: list[Path] = []
    rows: list[Record] = []
    for record in records:
        rows.append(record)
        for name in record:
            index.setdefault(name, len(index))
        if len(rows) * max(1, len(index)) >= ROWS_A_PART * 20 or len(rows) >= ROWS_A_PART:
            parts.append(_write_part(rows, index, folder / f"part-{len(parts):06}.parquet"))
            rows = []
    if rows:
        parts.append(_write_part(rows, index, folder / f"part-{len(parts):06}.parquet"))
    return parts, list(index)


def _write_part(rows: list[Record], index: dict[str, int], target: Path) -> Path:
    columns = {
        f"c{place}": pa.array([_text(row.get(name)) for row in rows], pa.string())
        for name, place in index.items()
    }
    pq.write_table(pa.table(columns), target)
    return target


def _text(value: Any) -> str | None:
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if isinstance(value, str):  # lone surrogates are legal in JSON but not in text
        value = value.encode("utf-8", "replace").decode("utf-8")
    return text_of(value)
