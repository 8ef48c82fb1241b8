"""Column types of a table, each with the reason for it, and the columns left out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from featrix_server.engine.columns import TYPES, ColumnSpec
from featrix_server.engine.columns.values import factorise
from featrix_server.engine.table import Table, TableError
from featrix_server.engine.text_types import Found, Texts, find_type, format_share

__all__ = ["ColumnSpec", "Exclusion", "Schema", "detect_schema"]

MIN_ROWS, FEW_ROWS, MIN_COLUMNS, MAX_COLUMNS = 20, 100, 2, 1_000
# Training on 600 columns takes 1.35 GB, on 1,500 it takes 2.2 GB.
MOSTLY_NULL, MANY_NULLS = 0.9, 0.3
SAMPLE_ROWS = 200_000
BLOCK_COLUMNS = 64
RESERVED = "__featrix"


@dataclass(frozen=True)
class Exclusion:
    """A column left out.

    `code` is one of ignored, reserved, all_null, mostly_null, constant, random_string.
    """

    name: str
    code: str
    reason: str


@dataclass(frozen=True)
class Schema:
    """What was decided about every column of a table.

    Attributes
    ----------
    columns : tuple of ColumnSpec
        The usable columns, in the table's order.
    excluded : tuple of Exclusion
    warnings : tuple of dict
        ``{"type", "severity" (HIGH, MODERATE or LOW), "message", "columns"}``.
    """

    columns: tuple[ColumnSpec, ...]
    excluded: tuple[Exclusion, ...] = ()
    warnings: tuple[dict[str, Any], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the schema, safe for JSON."""
        return {
            "columns": [asdict(spec) for spec in self.columns],
            "excluded": [asdict(exclusion) for exclusion in self.excluded],
            "warnings": [dict(warning) for warning in self.warnings],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Restore what `to_dict` gave."""
        return cls(
            tuple(ColumnSpec(**spec) for spec in data["columns"]),
            tuple(Exclusion(**exclusion) for exclusion in data["excluded"]),
            tuple(dict(warning) for warning in data["warnings"]),
        )


def detect_schema(
    table: Table,
    *,
    ignore_columns: Iterable[str] = (),
    column_overrides: Mapping[str, str | Mapping[str, Any]] | None = None,
    seed: int = 0,
) -> Schema:
    """Decide each column's type, and which columns to leave out.

    Tables above 200,000 rows are judged by a seeded sample of so many; shares of missing
    values are exact all the same.

    Parameters
    ----------
    table : Table
    ignore_columns : iterable of str
        Columns to leave out.
    column_overrides : mapping, optional
        Column name to type name, or to ``{"type": "list", "delimiter": "|"}``. An overridden
        column is only left out if it is ignored, reserved or has no value at all.
    seed : int
        Of the samples.

    Raises
    ------
    TableError
        Under 20 rows, under 2 or above 1,000 usable columns; an unknown column or type; an
        override that the values contradict.
    """
    ignored = [ignore_columns] if isinstance(ignore_columns, str) else list(ignore_columns)
    overrides = {name: _override(name, wanted) for name, wanted in (column_overrides or {}).items()}
    _check_names(table.columns, ignored, "ignore_columns")
    _check_names(table.columns, overrides, "column_overrides")
    if table.n_rows < MIN_ROWS:
        raise TableError(
            f"the table has {table.n_rows} rows; at least {MIN_ROWS} are needed",
            code="too_few_rows",
            hint="100 rows are a sensible minimum, 1,000 and more are better",
            field="file",
        )
    rows = _sampled_rows(table.n_rows, seed)
    columns: list[ColumnSpec] = []
    excluded: list[Exclusion] = []
    warnings: list[dict[str, Any]] = _table_warnings(table)
    for name, values in _columns(table, rows):
        if name in ignored:
            excluded.append(Exclusion(name, "ignored", "left out as asked"))
        elif name.startswith(RESERVED):
            reason = f"names that begin with {RESERVED} are reserved"
            excluded.append(Exclusion(name, "reserved", reason))
        else:
            decided = _decide(name, values, overrides.get(name), seed, warnings)
            if isinstance(decided, Exclusion):
                excluded.append(decided)
            else:
                if rows is not None:
                    decided = replace(decided, null_rate=table.null_count(name) / table.n_rows)
                columns.append(decided)
    if len(columns) < MIN_COLUMNS:
        raise _too_few_columns(columns, excluded)
    if len(columns) > MAX_COLUMNS:
        raise TableError(
            f"the table has {len(columns):,} usable columns; a model learns at most "
            f"{MAX_COLUMNS:,}",
            code="too_many_columns",
            hint="leave out those that say the least with ignore_columns",
            field="file",
        )
    warnings += _column_warnings(columns)
    return Schema(tuple(columns), tuple(excluded), tuple(warnings))


def _sampled_rows(n_rows: int, seed: int) -> np.ndarray | None:
    if n_rows <= SAMPLE_ROWS:
        return None
    return np.sort(np.random.default_rng(seed).choice(n_rows, SAMPLE_ROWS, replace=False))


def _columns(table: Table, rows: np.ndarray | None) -> Iterator[tuple[str, pa.ChunkedArray]]:
    """Yield every column, or these rows of it.

    Read a block of columns at a time: opening the file costs time for every column it holds, so
    opening it for each one would be quadratic.
    """
    for start in range(0, len(table.columns), BLOCK_COLUMNS):
        names = list(table.columns[start : start + BLOCK_COLUMNS])
        block = table.read(names) if rows is None else table.take(rows, names)
        yield from zip(names, block.columns, strict=True)


def _override(name: str, wanted: str | Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    options = {} if isinstance(wanted, str) else dict(wanted)
    type = wanted if isinstance(wanted, str) else options.pop("type", None)
    if type not in TYPES:
        raise TableError(
            f"{type!r} is no column type (for column {name!r})",
            code="unknown_type",
            hint=f"{_near(str(type), TYPES)}the types are {', '.join(TYPES)}",
            field="column_overrides",
        )
    return type, options


def _check_names(known: Sequence[str], asked: Iterable[str], argument: str) -> None:
    for name in asked:
        if name not in known:
            raise TableError(
                f"there is no column {name!r} (in {argument})",
                code="unknown_column",
                hint=f"{_near(name, known)}the columns are {_listed(known)}",
                field=argument,
            )


def _near(name: str, known: Sequence[str]) -> str:
    folded = {one.casefold(): one for one in known}
    near = [folded[one] for one in difflib.get_close_matches(name.casefold(), folded, n=3)]
    return f"Did you mean {' or '.join(map(repr, near))}? If not, " if near else "Note that "


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:20])
    return shown if len(names) <= 20 else f"{shown} and {len(names) - 20} more"


def _decide(
    name: str,
    values: pa.ChunkedArray,
    override: tuple[str, dict[str, Any]] | None,
    seed: int,
    warnings: list[dict[str, Any]],
) -> ColumnSpec | Exclusion:
    if pa.types.is_string(values.type):
        uniques, codes = factorise(values)
        present, distinct = int((codes >= 0).sum()), len(uniques)
        counts = np.bincount(codes[codes >= 0], minlength=distinct)
        texts = Texts.of(uniques, counts, seed)
    else:
        present = len(values) - values.null_count
        distinct = pc.count_distinct(values).as_py()
        texts = None
    null_rate = 1 - present / len(values)
    if present == 0:
        return Exclusion(name, "all_null", "all values are missing")
    if override is not None:
        return _overridden(name, texts, override, null_rate, distinct)
    if null_rate > MOSTLY_NULL:
        return Exclusion(name, "mostly_null", f"{null_rate:.1%} of the values are missing")
    if distinct == 1:
        only = str(pc.drop_null(values)[0].as_py())[:40]
        return Exclusion(name, "constant", f"all values are {only!r}")
    found = find_type(texts) if texts is not None else _find_plain_type(values, distinct)
    if found.type is None:
        return Exclusion(name, "random_string", found.reason)
    if found.unparseable:
        message = f"{found.unparseable:,} values of {name!r} are no numbers and count as missing"
        warnings.append(_warning("UNPARSEABLE", "MODERATE", message, [name]))
    return ColumnSpec(name, found.type, found.reason, null_rate, distinct, found.options)


def _find_plain_type(values: pa.ChunkedArray, distinct: int) -> Found:
    kind = values.type
    if pa.types.is_boolean(kind):
        return Found("set", "true or false")
    if pa.types.is_temporal(kind):
        return Found("timestamp", f"stored as {kind}")
    if distinct == 2:
        smallest = pc.min_max(values).as_py()
        if smallest == {"min": 0, "max": 1}:
            return Found("set", "only 0 and 1: a flag")
    few = f"{distinct} distinct numbers, kept in their order" if distinct <= 20 else "numbers"
    return Found("scalar", few)


def _overridden(
    name: str,
    texts: Texts | None,
    override: tuple[str, dict[str, Any]],
    null_rate: float,
    distinct: int,
) -> ColumnSpec:
    type, options = override
    share = format_share(type, texts) if texts is not None else 1.0
    if share < 0.5:
        raise TableError(
            f"column {name!r} cannot be of type {type!r}: only {share:.0%} of its values read so",
            code="override_mismatch",
            hint="Leave out the override, or set another type",
            field="column_overrides",
        )
    return ColumnSpec(name, type, "type set by the caller", null_rate, distinct, options)


def _warning(type: str, severity: str, message: str, columns: list[str]) -> dict[str, Any]:
    return {"type": type, "severity": severity, "message": message, "columns": columns}


def _table_warnings(table: Table) -> list[dict[str, Any]]:
    warnings = []
    if table.n_rows < FEW_ROWS:
        message = f"only {table.n_rows} rows; {FEW_ROWS} are the documented minimum"
        warnings.append(_warning("FEW_ROWS", "HIGH", message, []))
    if bad := table.report.bad_line_count:
        first = table.report.bad_lines[0]
        severity = "HIGH" if bad > 0.01 * table.n_rows else "MODERATE"
        message = f"{bad:,} lines were left out, the first is line {first.line}: {first.reason}"
        warnings.append(_warning("BAD_LINES", severity, message, []))
    return warnings


def _column_warnings(columns: Sequence[ColumnSpec]) -> list[dict[str, Any]]:
    sparse = [spec.name for spec in columns if spec.null_rate > MANY_NULLS]
    if not sparse:
        return []
    message = f"more than {MANY_NULLS:.0%} of the values are missing in {_listed(sparse)}"
    return [_warning("MANY_NULLS", "LOW", message, sparse)]


def _too_few_columns(columns: Sequence[ColumnSpec], excluded: Sequence[Exclusion]) -> TableError:
    left_out = "; ".join(f"{one.name!r} ({one.code})" for one in excluded[:10])
    return TableError(
        f"only {len(columns)} usable column{'' if len(columns) == 1 else 's'}; "
        f"at least {MIN_COLUMNS} are needed" + (f"; left out: {left_out}" if left_out else ""),
        code="too_few_columns",
        hint="Check the delimiter, or use column_overrides to keep a column",
        field="file",
    )
