"""Parquet to the canonical Parquet file: flat columns of a few plain types."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from featrix_server.engine.readers.canonical import (
    batch_size,
    notes_on_infinities,
    without_infinities,
    write_batches,
)
from featrix_server.engine.readers.delimited import clean_names
from featrix_server.engine.readers.report import ReadReport, TableError, too_large


def convert_parquet(path: Path, target: Path, filename: str, max_bytes: int) -> None:
    """Write a Parquet file's rows to `target`, with a report in its footer.

    Integers become int64, other numbers float64 (not finite: missing), nested values JSON text,
    bytes and categories text. Text, booleans, dates, times and timestamps stay.

    Raises
    ------
    TableError
        For a broken file or duplicate names, or if its rows take more than `max_bytes`: as it
        says itself, and as they are found to. A few bytes can stand for millions of equal rows.
    """
    try:
        file = pq.ParquetFile(path)
        names, notes = clean_names(file.schema_arrow.names)
        if not names or not file.metadata.num_rows:
            raise TableError(f"{filename} holds no rows", code="no_rows", field="file")
        schema = pa.schema(
            [
                (name, _plain_type(field.type))
                for name, field in zip(names, file.schema_arrow, strict=True)
            ]
        )
        groups = (file.metadata.row_group(n) for n in range(file.num_row_groups))
        if sum(group.total_byte_size for group in groups) > max_bytes:
            raise too_large(filename, max_bytes)
        infinite = dict.fromkeys(names, 0)

        def report(rows: int) -> ReadReport:
            changed = notes_on_infinities(infinite)
            return ReadReport("parquet", "binary", None, rows, notes=(*notes, *changed))

        batches = _limited(_plain_batches(file, schema, infinite), filename, max_bytes)
        write_batches(batches, schema, target, report)
    except TableError:
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno:
            raise  # the disk's fault, not the file's
        raise TableError(
            f"{filename} is a broken Parquet file: {str(error).splitlines()[0]}",
            code="broken_parquet",
            hint="It may have been cut off in transfer; write and send it again",
            field="file",
        ) from error


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return _plain_type(kind.value_type)
    if pa.types.is_boolean(kind):
        return pa.bool_()
    if pa.types.is_integer(kind):
        return pa.int64() if kind != pa.uint64() else pa.float64()
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return pa.float64()
    if pa.types.is_duration(kind):
        return pa.float64()
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", tz=kind.tz)
    if pa.types.is_date(kind):
        return pa.date32()
    return pa.time64("us") if pa.types.is_time(kind) else pa.string()


def _plain_batches(
    file: pq.ParquetFile, schema: pa.Schema, infinite: dict[str, int]
) -> Iterator[pa.RecordBatch]:
    for batch in file.iter_batches(batch_size(len(schema)), use_threads=False):
        plain = [
            _plain(cells, kind) for cells, kind in zip(batch.columns, schema.types, strict=True)
        ]
        yield pa.RecordBatch.from_arrays(without_infinities(plain, infinite), schema=schema)


def _limited(
    batches: Iterator[pa.RecordBatch], filename: str, max_bytes: int
) -> Iterator[pa.RecordBatch]:
    size = 0
    for batch in batches:
        size += batch.nbytes
        if size > max_bytes:
            raise too_large(filename, max_bytes)
        yield batch


def _plain(column: pa.Array, kind: pa.DataType) -> pa.Array:
    source = column.type
    if pa.types.is_dictionary(source):
        column = column.dictionary_decode()
        source = column.type
    if pa.types.is_nested(source):
        return pa.array([_json(value) for value in column.to_pylist()], pa.string())
    if (
        pa.types.is_binary(source)
        or pa.types.is_large_binary(source)
        or pa.types.is_fixed_size_binary(source)
    ):
        texts = [None if value is None else _decoded(value) for value in column.to_pylist()]
        return pa.array(texts, pa.string())
    if pa.types.is_duration(source):
        ticks = {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}[source.unit]
        return pc.divide(column.cast(pa.int64()).cast(pa.float64()), ticks)
    return pc.cast(column, kind, safe=False)


def _json(value: Any) -> str | None:
    if value is None:
        return None
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def _decoded(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.hex()
