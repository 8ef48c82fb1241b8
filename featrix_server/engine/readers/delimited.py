"""Delimited text into a staged Parquet file of text columns ``c0, c1, ...``."""

from __future__ import annotations

import csv
import io
import math
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb

from featrix_server.engine.columns.values import parse_number
from featrix_server.engine.readers.engine import connect, literal, quoted
from featrix_server.engine.readers.report import KEPT_BAD_LINES, BadLine, TableError

SAMPLE = 1 << 18  # characters that settle delimiter and quoting
_DELIMITERS = (",", ";", "\t", "|", "\x01", "\x1f", "^", "~", ":", " ")
MAX_COLUMNS = 5_000  # read in 4 s and 0.4 GB; twice as many need more than DuckDB is given


@dataclass(frozen=True)
class Staged:
    """Rows as text: Parquet files with columns ``c0..``, their real names, what went wrong."""

    files: tuple[Path, ...]
    names: tuple[str, ...]
    delimiter: str | None = None
    bad_lines: tuple[BadLine, ...] = ()
    bad_line_count: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dialect:
    """How fields are set apart and quoted."""

    delimiter: str
    quote: str
    escape: str


def stage_delimited(path: Path, folder: Path, filename: str) -> Staged:
    """Read UTF-8 delimited text whose first line names the columns.

    Raises
    ------
    TableError
        For text without rows, broken headers, or more bad lines than good.
    """
    with path.open(encoding="utf-8", newline="") as file:
        sample = file.read(SAMPLE)
    if not sample.strip():
        raise TableError(f"{filename} is empty", code="empty", field="file")
    dialect = find_dialect(sample)
    header, skipped = _header(sample, dialect, filename)
    names, notes = clean_names(header)
    if names and all(not math.isnan(parse_number(name)) for name in names):
        notes.append("the first line was taken as column names although it holds only numbers")
    target = folder / "stage.parquet"
    with connect(folder) as database:
        # One plain pass; optimising a long list of columns takes time quadratic in it.
        database.execute("PRAGMA disable_optimizer")
        try:
            options = _options(dialect, len(names), skipped)
            rows_of_text = f"FROM read_csv({quoted(literal(path))}, {options})"
            database.execute(f"COPY ({rows_of_text}) TO {quoted(target)} (FORMAT parquet)")
        except duckdb.InvalidInputException as error:
            raise TableError(
                f"{filename} cannot be split into rows: {str(error).splitlines()[0]}",
                code="unreadable_csv",
                hint="Check the quoting of the file",
                field="file",
            ) from error
        rows = _count(database, f"SELECT count(*) FROM read_parquet({quoted(target)})")
        bad_count = _count(database, "SELECT count(DISTINCT line) FROM reject_errors")
        bad_lines = _bad_lines(database, path)
    if bad_count > rows:
        raise _mostly_bad(filename, rows, bad_count, bad_lines[0], dialect)
    if not rows:
        raise TableError(f"{filename} has column names but no rows", code="no_rows", field="file")
    return Staged((target,), names, dialect.delimiter, bad_lines, bad_count, tuple(notes))


def find_dialect(sample: str) -> Dialect:
    """Find the delimiter that splits the first lines most evenly, and the quoting.

    Among delimiters that split equally evenly the one with more fields wins; a blank only
    where it splits every line alike and nothing else does.
    """
    lines = sample.splitlines(keepends=True)
    if len(lines) > 1 and len(sample) >= SAMPLE:
        lines.pop()  # cut off by the sample
    text = "".join(lines[:200])
    quote = (
        "'"
        if '"' not in text and re.search(r"(?:^|[,;\t|])'[^'\n]*'(?:[,;\t|]|$)", text, re.M)
        else '"'
    )
    escape = "\\" if f"\\{quote}" in text else quote
    best, best_score = ",", (0.0, 0)
    for delimiter in _DELIMITERS:
        widths = [len(row) for row in _split(text, Dialect(delimiter, quote, escape)) if row]
        if not widths or widths[0] < 2:
            continue
        even = sum(width == widths[0] for width in widths) / len(widths)
        weak = delimiter in ": "  # common inside texts and times
        if weak and (even < 1 or best_score[1]):
            continue
        score = (round(even, 1), widths[0])
        if score > best_score:
            best, best_score = delimiter, score
    return Dialect(best, quote, escape)


def _split(text: str, dialect: Dialect) -> list[list[str]]:
    escaped = dialect.escape != dialect.quote
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=dialect.delimiter,
        quotechar=dialect.quote,
        doublequote=not escaped,
        escapechar=dialect.escape if escaped else None,
    )
    rows: list[list[str]] = []
    with suppress(csv.Error):  # a field beyond the module's size limit: what was read must do
        rows.extend(reader)
    return rows


def _header(sample: str, dialect: Dialect, filename: str) -> tuple[list[str], int]:
    """Return the fields of the first line that is not blank, and the blank lines before it."""
    stripped = sample.lstrip("\r\n")
    skipped = len(sample[: len(sample) - len(stripped)].splitlines())
    rows = _split(stripped, dialect)
    if not rows or len(stripped) == SAMPLE == len(rows[0][-1]):
        raise TableError(f"{filename} has no line of column names", code="no_header", field="file")
    return rows[0], skipped


def clean_names(header: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """Return trimmed column names and notes on those made up for empty ones.

    Raises
    ------
    TableError
        For names that come twice, or too many.
    """
    if len(header) > MAX_COLUMNS:
        raise TableError(
            f"the table has {len(header):,} columns; at most {MAX_COLUMNS:,} can be used",
            code="too_many_columns",
            hint="Leave out columns before sending it",
        )
    names, notes, seen = [], [], set()
    for index, raw in enumerate(header):
        name = raw.strip()
        if not name:
            name = f"column_{index + 1}"
            notes.append(f"column {index + 1} has no name; it is called {name!r}")
        if name in seen:
            raise TableError(
                f"two columns are called {name!r}",
                code="duplicate_column",
                hint="Rename one of them; the first line of the file must name the columns",
                field=name,
            )
        seen.add(name)
        names.append(name)
    return tuple(names), notes


def _options(dialect: Dialect, width: int, skipped: int) -> str:
    columns = ", ".join(f"'c{index}': 'VARCHAR'" for index in range(width))
    return (
        f"auto_detect=false, compression='none', header=true, skip={skipped}, "
        f"columns={{{columns}}}, delim={quoted(dialect.delimiter)}, quote={quoted(dialect.quote)}, "
        f"escape={quoted(dialect.escape)}, store_rejects=true, rejects_limit=0"
    )


def _count(database: duckdb.DuckDBPyConnection, query: str) -> int:
    [(count,)] = database.execute(query).fetchall()
    return int(count)


def _bad_lines(database: duckdb.DuckDBPyConnection, path: Path) -> tuple[BadLine, ...]:
    """Return the first bad lines; DuckDB counts rows, so real line numbers are counted here."""
    found = database.execute(
        "SELECT min(line_byte_position) - 1, any_value(error_type), any_value(error_message), "
        f"any_value(csv_line) FROM reject_errors GROUP BY line ORDER BY 1 LIMIT {KEPT_BAD_LINES}"
    ).fetchall()
    bad_lines: list[BadLine] = []
    line, position = 1, 0
    with path.open("rb") as file:
        for start, kind, message, text in found:
            while position < start:
                block = file.read(min(start - position, 1 << 20))
                line += block.count(b"\n")
                position += len(block)
            reason = f"{kind.lower()}: {message.splitlines()[0]}"
            bad_lines.append(BadLine(line, reason, text.rstrip("\r\n")[:200]))
    return tuple(bad_lines)


def _mostly_bad(filename: str, rows: int, bad: int, first: BadLine, dialect: Dialect) -> TableError:
    return TableError(
        f"{bad:,} of {bad + rows:,} lines of {filename} do not fit its first line "
        f"(line {first.line}: {first.reason})",
        code="bad_lines",
        hint=f"Read with delimiter {dialect.delimiter!r} and quote {dialect.quote}; "
        "check that the file has one table with one line of column names",
        field="file",
    )
