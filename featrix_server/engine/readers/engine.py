"""DuckDB as it is used here: two threads, bounded memory, no network, order kept."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb

MEMORY_LIMIT = "1GB"


def connect(folder: Path) -> duckdb.DuckDBPyConnection:
    """Open an in-memory database that spills into `folder`."""
    return duckdb.connect(
        config={
            "threads": 2,
            "memory_limit": MEMORY_LIMIT,
            "temp_directory": str(folder / "spill"),
            "preserve_insertion_order": True,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )


def literal(path: Path) -> str:
    """Return a path as DuckDB's file patterns have it, so that brackets and stars are names."""
    return re.sub(r"[*?\[]", lambda match: f"[{match[0]}]", str(path))


def quoted(text: str | Path) -> str:
    """Return a text as an SQL literal."""
    return "'" + str(text).replace("'", "''") + "'"
