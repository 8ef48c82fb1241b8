"""From staged text columns to the canonical Parquet file, each column in its own type."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from featrix_server.engine.columns.values import MISSING_TEXTS
from featrix_server.engine.readers.delimited import Staged
from featrix_server.engine.readers.report import ReadReport

CELLS_A_BATCH = 2_000_000
REPORT_KEY = "featrix_report"  # of the Parquet footer

# What a column's texts must all look like. 00501 and 19 digits are codes, which a number
# would not keep.
_EXPONENT = r"(?:[eE][-+]?\d+)"
_KINDS = {
    "bool": r"^(?i:true|false)$",
    "int": r"^[-+]?(?:0|[1-9]\d{0,17})$",
    "float": (
        rf"^[-+]?(?:0|[1-9]\d{{0,17}}|(?:0|[1-9]\d*)\.\d*{_EXPONENT}?|\.\d+{_EXPONENT}?"
        rf"|(?:0|[1-9]\d*){_EXPONENT}|(?i:inf|infinity))$"
    ),
    "comma": r"^[-+]?(?:\d{1,3}(?:\.\d{3})+|\d+)(?:,\d+)?$",
}
_CERTAIN_COMMA = r"^[-+]?[\d.]+,(?:\d{1,2}|\d{4,})$"  # 1,5 but not 1,500
_TYPES = {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64(), "comma": pa.float64()}
_MISSING = pa.array(sorted(MISSING_TEXTS))


def write_canonical(
    staged: Staged, target: Path, report: Callable[[int, list[str]], ReadReport]
) -> None:
    """Write staged rows typed to `target`, with the `report` of (rows, notes on changes).

    A column becomes boolean, int64 or float64 only if all of its values that are not missing
    read so, over the whole file; codes such as 00501 stay text. Infinities become missing.
    """
    kinds = _find_kinds(staged)
    schema = pa.schema(
        [
            (name, pa.string() if kind is None else _TYPES[kind])
            for name, kind in zip(staged.names, kinds, strict=True)
        ]
    )
    infinite = dict.fromkeys(staged.names, 0)

    def typed() -> Iterator[pa.RecordBatch]:
        for columns in _text_batches(staged):
            cells = [_typed(column, kind) for column, kind in zip(columns, kinds, strict=True)]
            yield pa.RecordBatch.from_arrays(without_infinities(cells, infinite), schema=schema)

    write_batches(typed(), schema, target, lambda rows: report(rows, notes_on_infinities(infinite)))


def write_batches(
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    target: Path,
    report: Callable[[int], ReadReport],
) -> None:
    """Write record batches, and the report in the footer.

    Parameters
    ----------
    report : callable
        Called once with the number of rows after the last batch.
    """
    rows = 0
    with pq.ParquetWriter(target, schema, compression="zstd", compression_level=1) as writer:
        for batch in batches:
            if batch.num_rows:
                writer.write_batch(batch)
                rows += batch.num_rows
        text = json.dumps(report(rows).to_dict(), ensure_ascii=False)
        writer.add_key_value_metadata({REPORT_KEY: text})


def batch_size(width: int) -> int:
    """Return how many rows of `width` columns are held at once."""
    return max(1_000, min(65_536, CELLS_A_BATCH // width))


def without_infinities(columns: list[pa.Array], counts: dict[str, int]) -> list[pa.Array]:
    """Return float columns with null for NaN and infinities, counting the latter by name."""
    finite = []
    for name, column in zip(counts, columns, strict=True):
        if pa.types.is_floating(column.type):
            counts[name] += pc.sum(pc.is_inf(column)).as_py() or 0
            column = pc.if_else(pc.is_finite(column), column, pa.scalar(None, pa.float64()))
        finite.append(column)
    return finite


def notes_on_infinities(counts: dict[str, int]) -> list[str]:
    """Say which columns lost infinities."""
    return [
        f"column {name!r}: {count:,} infinite values count as missing"
        for name, count in counts.items()
        if count
    ]


def _text_batches(staged: Staged) -> Iterator[list[pa.Array]]:
    """Yield the columns of staged rows, trimmed and null where missing, a batch at a time."""
    for path in staged.files:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size(len(staged.names)), use_threads=False):
                columns = dict(zip(batch.schema.names, batch.columns, strict=True))
                absent = pa.nulls(batch.num_rows, pa.string())  # keys that came in a later part
                yield [
                    _present(columns.get(f"c{index}", absent)) for index in range(len(staged.names))
                ]


def _present(column: pa.Array) -> pa.Array:
    trimmed = pc.utf8_trim_whitespace(column)
    return pc.if_else(pc.is_in(trimmed, _MISSING), pa.scalar(None, pa.string()), trimmed)


def _find_kinds(staged: Staged) -> list[str | None]:
    """Return the narrowest kind each column's values all have, None where that is text."""
    possible = [
        [kind for kind in _KINDS if kind != "comma" or staged.delimiter not in (None, ",")]
        for _ in staged.names
    ]
    seen = [False] * len(possible)
    certain_comma = [False] * len(possible)
    for columns in _text_batches(staged):
        for index, column in enumerate(columns):
            values = column.drop_null()
            if not len(values) or not possible[index]:
                continue
            seen[index] = True
            for part in (values.slice(0, 50), values):  # most texts show at once
                possible[index] = [kind for kind in possible[index] if _all(part, _KINDS[kind])]
            if possible[index] == ["comma"] and not certain_comma[index]:
                certain_comma[index] = bool(
                    pc.any(pc.match_substring_regex(values, _CERTAIN_COMMA)).as_py()
                )
    kinds: list[str | None] = []
    for index, left in enumerate(possible):
        kind = left[0] if seen[index] and left else None
        kinds.append(None if kind == "comma" and not certain_comma[index] else kind)
    return kinds


def _all(values: pa.Array, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(values, pattern)).as_py())


def _typed(column: pa.Array, kind: str | None) -> pa.Array:
    if kind is None:
        return column
    if kind == "bool":
        return pc.cast(pc.utf8_lower(column), pa.bool_())
    column = pc.utf8_ltrim(column, characters="+")
    if kind == "comma":
        plain = pc.replace_substring(column, ".", "")
        column = pc.replace_substring(plain, ",", ".")
    return pc.cast(column, _TYPES[kind])
