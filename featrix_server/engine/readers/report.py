"""What reading tells: the report of a good read, the error of a bad one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

from ..errors import CallerError

KEPT_BAD_LINES = 100
"""Bad lines kept with their text; `ReadReport.bad_line_count` counts all."""


class TableError(CallerError):
    """The caller's table cannot be used."""


@dataclass(frozen=True)
class BadLine:
    """One line that was left out: its number (from 1), why, and how it begins."""

    line: int
    reason: str
    text: str


def too_large(filename: str, max_bytes: int) -> TableError:
    """Return the error for a file that holds too much, however small it is."""
    return TableError(
        f"{filename} holds more than {max_bytes / 2**20:,.0f} MB uncompressed",
        code="too_large",
        hint="Send fewer rows, or raise the server's limit",
        field="file",
    )


@dataclass(frozen=True)
class ReadReport:
    """How a file was read.

    Attributes
    ----------
    format : "csv", "parquet", "json" or "jsonl"
    encoding : str
        As found; text is always converted to UTF-8.
    delimiter : str or None
        Of delimited text.
    rows : int
        Rows kept.
    bad_lines : tuple of BadLine
        The first 100 lines left out; ``bad_line_count`` counts all.
    notes : tuple of str
        What else was decided or changed, in words.
    """

    format: str
    encoding: str
    delimiter: str | None
    rows: int
    bad_lines: tuple[BadLine, ...] = ()
    bad_line_count: int = 0
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the report, safe for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Restore what `to_dict` gave."""
        bad_lines = tuple(BadLine(**line) for line in data["bad_lines"])
        return cls(**{**data, "bad_lines": bad_lines, "notes": tuple(data["notes"])})
