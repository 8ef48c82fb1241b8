"""The table of a session as the routes show it: schema, rows by kind of column, Arrow batches."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from featrix_server.store import DATA_FILE, SCHEMA_FILE

_BATCH_ROWS = 65_536


def read_schema(folder: Path) -> dict[str, Any]:
    """Return the detected schema, as of ``Schema.to_dict()``."""
    schema: dict[str, Any] = json.loads((folder / SCHEMA_FILE).read_text("utf-8"))
    return schema


def column_types(folder: Path) -> dict[str, str]:
    """Return the type of every column of the table, in the table's order.

    The type detected where the column is in the model; else ``scalar`` for numbers, ``set`` for
    truth values and ``free_string`` for the rest.
    """
    detected = {column["name"]: column["type"] for column in read_schema(folder)["columns"]}
    stored = pq.read_schema(folder / DATA_FILE)
    return {field.name: detected.get(field.name) or _plain_type(field.type) for field in stored}


def _plain_type(kind: pa.DataType) -> str:
    if pa.types.is_boolean(kind):
        return "set"
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    return "scalar" if is_number else "free_string"


def batches(folder: Path, rows: Sequence[int] | range) -> Iterator[pa.RecordBatch]:
    """Yield the given rows of the table, in order; a range is read without holding the table."""
    # The engine takes a second to import, which a server that only lists models need not pay.
    from featrix_server.engine import open_table

    table = open_table(folder / DATA_FILE)
    if not isinstance(rows, range):
        yield from table.take(rows).to_batches(_BATCH_ROWS)
        return
    position = 0
    for batch in table.batches(_BATCH_ROWS):
        start = max(rows.start - position, 0)
        count = min(rows.stop - position, batch.num_rows) - start
        if count > 0:
            yield batch.slice(start, count)
        position += batch.num_rows
        if position >= rows.stop:
            return


def grouped_rows(folder: Path, rows: Sequence[int] | range) -> Iterator[dict[str, dict[str, Any]]]:
    """Yield each row as ``scalar_columns``, ``set_columns`` and ``string_columns``."""
    groups: dict[str, list[str]] = {"scalar_columns": [], "set_columns": [], "string_columns": []}
    for name, kind in column_types(folder).items():
        group = {"scalar": "scalar_columns", "set": "set_columns"}.get(kind, "string_columns")
        groups[group].append(name)
    for batch in batches(folder, rows):
        values = batch.to_pydict()
        for index in range(batch.num_rows):
            yield {
                group: {name: values[name][index] for name in names}
                for group, names in groups.items()
            }
