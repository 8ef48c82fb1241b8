"""Tables: any file becomes one canonical Parquet file, then columns, rows and batches of it."""

from __future__ import annotations

import errno
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from featrix_server.engine.readers.canonical import REPORT_KEY, write_canonical
from featrix_server.engine.readers.delimited import stage_delimited
from featrix_server.engine.readers.fetch import as_utf8, fetch, format_of
from featrix_server.engine.readers.json_records import stage_json
from featrix_server.engine.readers.parquet import convert_parquet
from featrix_server.engine.readers.report import BadLine, ReadReport, TableError

__all__ = ["BadLine", "ReadReport", "Table", "TableError", "open_table", "read_table"]

MAX_BYTES = 64 << 30


@dataclass(frozen=True)
class Table:
    """A table on disk. Nothing is held in memory but the file's footer.

    Attributes
    ----------
    path : Path
        The canonical Parquet file: flat columns of type bool, int64, float64 (finite or null),
        string, timestamp, date32 or time64. Rows keep the order of the source.
    columns : tuple of str
    n_rows : int
    report : ReadReport
    """

    path: Path
    columns: tuple[str, ...]
    n_rows: int
    report: ReadReport

    @cached_property
    def _metadata(self) -> pq.FileMetaData:
        return pq.read_metadata(self.path)

    @cached_property
    def _row_starts(self) -> np.ndarray:
        groups = self._metadata
        sizes = [groups.row_group(index).num_rows for index in range(groups.num_row_groups)]
        return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

    def _file(self) -> pq.ParquetFile:
        return pq.ParquetFile(self.path, metadata=self._metadata)

    def _place(self, name: str) -> int:
        try:
            return self.columns.index(name)
        except ValueError:
            raise KeyError(name) from None

    def column(self, name: str) -> pa.ChunkedArray:
        """Return all values of one column. Raises `KeyError` for an unknown name."""
        return self.read([name]).column(0)

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Return all values of these columns. Raises `KeyError` for an unknown name."""
        for name in columns:
            self._place(name)
        with self._file() as file:
            return file.read(columns=list(columns), use_threads=False).select(list(columns))

    def null_count(self, name: str) -> int:
        """Return how many values of a column are null, from the file's footer."""
        place = self._place(name)
        groups = range(self._metadata.num_row_groups)
        chunks = (self._metadata.row_group(group).column(place) for group in groups)
        return sum(chunk.statistics.null_count for chunk in chunks)

    def take(
        self, indices: Sequence[int] | np.ndarray, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """Return rows in the order asked for, reading only the row groups they lie in.

        Raises
        ------
        IndexError
            For an index outside 0..n_rows-1.
        """
        wanted = np.asarray(indices, dtype=np.int64)
        if len(wanted) and (wanted.min() < 0 or wanted.max() >= self.n_rows):
            raise IndexError(f"row indices must lie in 0..{self.n_rows - 1}")
        names = list(self.columns if columns is None else columns)
        ordered, places = np.unique(wanted, return_inverse=True)
        group = np.searchsorted(self._row_starts, ordered, side="right") - 1
        with self._file() as file:
            parts = [
                file.read_row_group(int(index), columns=names, use_threads=False)
                .select(names)
                .take(pa.array(ordered[group == index] - self._row_starts[index]))
                for index in np.unique(group)
            ]
            if not parts:
                return file.schema_arrow.empty_table().select(names)
        return pa.concat_tables(parts).take(pa.array(places))

    def rows(self, indices: Sequence[int] | np.ndarray) -> list[dict[str, Any]]:
        """Return rows as plain Python values, in the order asked for."""
        rows: list[dict[str, Any]] = self.take(indices).to_pylist()
        return rows

    def batches(
        self, size: int = 65_536, columns: Sequence[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield all rows in order, `size` at a time."""
        names = list(self.columns if columns is None else columns)
        with self._file() as file:
            for batch in file.iter_batches(batch_size=size, columns=names, use_threads=False):
                yield batch.select(names)


def read_table(
    source: str | Path, dest: Path, *, filename: str | None = None, max_bytes: int = MAX_BYTES
) -> Table:
    """Read any table file into the canonical Parquet file `dest`, out of core.

    Parameters
    ----------
    source : str or Path
        A local path or an ``s3://`` URL; CSV of any delimiter, Parquet, JSON (records or
        columns) or JSON lines, each also gzipped.
    dest : Path
        The Parquet file to write. It appears complete or not at all; an old one stays
        untouched until then.
    filename : str, optional
        The name that tells the format, where `source` has another (an upload).
    max_bytes : int
        Most bytes the file may hold uncompressed.

    Raises
    ------
    TableError
        For every fault of the source.
    OSError
        For faults of the machine, such as a full disk.
    """
    dest = Path(dest)
    name = filename or str(source).rstrip("/").rsplit("/", 1)[-1]
    folder = Path(tempfile.mkdtemp(prefix=f".{dest.name}-", dir=dest.parent))
    try:
        local = fetch(source, folder, name, max_bytes)
        unfinished = folder / "table.parquet"
        _convert(local, unfinished, folder, name, max_bytes)
        unfinished.replace(dest)
    except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
        raise _machine_fault(error, name) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return open_table(dest)


def _convert(local: Path, target: Path, folder: Path, name: str, max_bytes: int) -> None:
    kind = format_of(local, name)
    if kind == "parquet":
        convert_parquet(local, target, name, max_bytes)
        return
    text, encoding = as_utf8(local, folder, name)
    if kind == "csv":
        staged = stage_delimited(text, folder, name)
    else:
        staged = stage_json(text, folder, name, lines=kind == "jsonl")
    decoded = [] if encoding.startswith("utf") else [f"no valid UTF-8, so read as {encoding}"]

    def report(rows: int, changes: list[str]) -> ReadReport:
        return ReadReport(
            format=kind,
            encoding=encoding,
            delimiter=staged.delimiter,
            rows=rows,
            bad_lines=staged.bad_lines,
            bad_line_count=staged.bad_line_count,
            notes=(*staged.notes, *decoded, *changes),
        )

    write_canonical(staged, target, report)


def _machine_fault(error: duckdb.Error, name: str) -> OSError:
    text = str(error).splitlines()[0]
    full = "no space left" in str(error).lower()
    return OSError(errno.ENOSPC if full else errno.EIO, f"cannot read {name}: {text}")


def open_table(path: Path) -> Table:
    """Open a canonical Parquet file that `read_table` wrote.

    Raises
    ------
    FileNotFoundError
        If there is none.
    TableError
        If the file is another kind of Parquet file.
    """
    metadata = pq.read_metadata(path)
    text = (metadata.metadata or {}).get(REPORT_KEY.encode())
    if text is None:
        raise TableError(f"{path} was not written by read_table", code="not_canonical")
    schema = metadata.schema.to_arrow_schema()
    return Table(
        Path(path), tuple(schema.names), metadata.num_rows, ReadReport.from_dict(json.loads(text))
    )
