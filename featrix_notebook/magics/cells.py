"""What stands in a ``%%featrix`` cell: commands, or records."""

from __future__ import annotations

import ast
import io
import json
from typing import Any

from IPython.core.error import UsageError


def command_lines(cell: str) -> list[tuple[int, str]]:
    """The commands of a cell with the numbers of their lines; the cell's own first line is 1.

    Indented lines go on with the line before; empty lines and those of ``#`` are left out.
    """
    found: list[tuple[int, str]] = []
    for number, line in enumerate(cell.splitlines(), start=2):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if line[0].isspace() and found:
            found[-1] = found[-1][0], f"{found[-1][1]} {text}"
        else:
            found.append((number, text))
    return found


def read_records(cell: str) -> Any:
    """The record (a dict) or records (a list of dicts, a DataFrame) that a cell writes down.

    Raises
    ------
    UsageError
        If it is neither Python nor JSON nor CSV with a line of column names. Nothing of it is
        ever run.
    """
    text = cell.strip()
    if not text:
        raise UsageError("The cell is empty: write a record into it, as Python, JSON or CSV.")
    if text[0] not in "{[":
        return _read_csv(text)
    for read in (ast.literal_eval, json.loads):
        try:
            value = read(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
        if isinstance(value, dict) or (value and isinstance(value, list)):
            return value
    raise UsageError(
        "The cell holds no record. Write a dict such as {'age': 30, 'plan': 'basic'}, a list of "
        "dicts, or CSV with a line of column names; variables do not count here."
    )


def _read_csv(text: str) -> Any:
    import pandas as pd

    if len(text.splitlines()) < 2:
        raise UsageError(
            "The cell holds no record: CSV needs a line of column names and at least one of values."
        )
    try:
        return pd.read_csv(io.StringIO(text), skipinitialspace=True)
    except ValueError as error:  # of which pandas' parser errors are
        raise UsageError(f"The cell cannot be read as CSV: {error}") from error
