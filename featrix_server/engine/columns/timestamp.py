"""Timestamps: the cycles of minute, hour, week, month and year, and a linear trend."""

from __future__ import annotations

import calendar
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any, ClassVar

import numpy as np

from featrix_server.engine.columns.base import ColumnSpec
from featrix_server.engine.columns.dense import DenseEncoder
from featrix_server.engine.columns.values import factorise, text_of

_MONTH_NAMES = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_MONTHS = {name: index for index, name in enumerate(_MONTH_NAMES.split("|"), start=1)}
_WEEKDAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,?\s+)?"
_MONTH = rf"(?P<month>{_MONTH_NAMES})[a-z]*\.?"
_TIME = (
    r"(?:(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d{1,9})?)?"
    r"\s*(?P<half>[ap]m)?\s*(?P<zone>z|utc|gmt|[+-]\d{2}(?::?\d{2})?)?)"
)
_FORMS = [
    re.compile(form, re.ASCII | re.IGNORECASE)
    for form in (
        # 2024-05-31, 31.05.2024, 5/31/24; then without a day; then with the month's name
        rf"(?P<a>\d{{1,4}})(?P<sep>[-/.])(?P<b>\d{{1,2}})(?P=sep)(?P<c>\d{{1,4}})(?:[T\s,]+{_TIME})?",
        r"(?P<a>\d{4})[-/](?P<b>\d{1,2})",
        rf"{_WEEKDAY}(?P<day>\d{{1,2}})[-\s]{_MONTH}[-\s,]+(?P<year>\d{{2,4}})(?:[T\s,]+{_TIME})?",
        rf"{_WEEKDAY}{_MONTH}\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<year>\d{{4}})(?:[T\s,]+{_TIME})?",
        rf"{_WEEKDAY}{_MONTH}\s+(?P<day>\d{{1,2}})\s+{_TIME}\s+(?P<year>\d{{4}})",
        _TIME,
    )
]


def parse_timestamp(value: Any, *, day_first: bool = False) -> datetime | None:
    """Return a value as a datetime with the wall clock and offset it was written with.

    Parameters
    ----------
    value : datetime, date, time, numpy.datetime64 or text
        Text in ISO 8601, RFC 2822, or numeric and English forms ("31.5.2024 14:00",
        "May 31, 2024 2:00 PM"). Bare digits are no timestamp.
    day_first : bool
        Whether 1/2/2024 is the first of February.

    Returns
    -------
    datetime or None
        None where the value is missing or no timestamp.
    """
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    if isinstance(value, datetime):
        return value if value == value else None  # NaT is unequal to itself
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    if isinstance(value, time):
        return datetime.combine(date(1970, 1, 1), value)
    text = text_of(value)
    if text is None or len(text) > 64 or text.isdigit():
        return None
    if len(text) >= 10 and text[4] == text[7] == "-" and text[:4].isdigit():
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass
    for form in _FORMS:
        if match := form.fullmatch(text):
            return _from_match(match.groupdict(), day_first)
    return None


def _from_match(parts: dict[str, str | None], day_first: bool) -> datetime | None:
    try:
        if parts.get("a"):
            year, month, day = _numeric_date(parts, day_first)
        elif parts.get("month"):
            year = _full_year(parts["year"] or "")
            month, day = _MONTHS[(parts["month"] or "").lower()], int(parts["day"] or 1)
        else:
            year, month, day = 1970, 1, 1
        hour = int(parts.get("hour") or 0)
        if half := parts.get("half"):
            if not 1 <= hour <= 12:
                return None
            hour = hour % 12 + (12 if half.lower() == "pm" else 0)
        minute, second = int(parts.get("minute") or 0), int(parts.get("second") or 0)
        zone = _zone(parts.get("zone"))
        return datetime(year, month, day, hour, minute, min(second, 59), tzinfo=zone)
    except ValueError:
        return None


def _numeric_date(parts: dict[str, str | None], day_first: bool) -> tuple[int, int, int]:
    first, second, third = parts["a"] or "", parts["b"] or "", parts.get("c") or "1"
    if len(first) == 4:
        return int(first), int(second), int(third)
    if len(first) == 3 or len(third) not in (2, 4):
        raise ValueError("no year")
    day, month = int(first), int(second)
    if parts["sep"] == "." or (day_first and month <= 12) or day > 12:
        return _full_year(third), month, day
    return _full_year(third), day, month


def _full_year(text: str) -> int:
    year = int(text)
    return year if len(text) > 2 else year + (1900 if year >= 69 else 2000)  # as POSIX does


def _zone(text: str | None) -> timezone | None:
    if not text:
        return None
    if text[0] not in "+-":
        return UTC
    hours, minutes = int(text[1:3]), int(text[-2:]) if len(text) > 3 else 0
    sign = -1 if text[0] == "-" else 1
    return timezone(sign * timedelta(hours=hours, minutes=minutes))


def is_day_first(texts: Sequence[Any]) -> bool:
    """Tell whether numeric dates with slashes or dashes have the day first (31/5/2024)."""
    for text in texts:
        match = _FORMS[0].fullmatch(text) if isinstance(text, str) else None
        if match and len(match["a"]) <= 2 and int(match["a"]) > 12 >= int(match["b"]):
            return True
    return False


class TimestampEncoder(DenseEncoder):
    """Sine and cosine of six cycles on the wall clock, the trend, and the UTC offset."""

    type: ClassVar[str] = "timestamp"
    strategy: ClassVar[str] = (
        "sine and cosine of minute, hour, weekday, day, month and day of the year; "
        "linear trend; UTC offset"
    )
    noun: ClassVar[str] = "a timestamp"
    day_first: bool
    first: str
    last: str

    def _prepare(self, spec: ColumnSpec, values: Sequence[Any]) -> None:
        self.day_first = bool(spec.options.get("day_first", is_day_first(factorise(values)[0])))

    def key(self, value: Any) -> tuple[float, float] | None:
        """Return wall-clock seconds since 1970 and the UTC offset in hours."""
        parsed = parse_timestamp(value, day_first=self.day_first)
        if parsed is None:
            return None
        offset = parsed.utcoffset()
        wall = calendar.timegm(parsed.timetuple()) + parsed.microsecond / 1e6
        return wall, offset.total_seconds() / 3600 if offset is not None else 0.0

    def show(self, key: tuple[float, float]) -> str:
        """Return the wall clock in ISO 8601."""
        return (datetime(1970, 1, 1) + timedelta(seconds=key[0])).isoformat()

    def _fit(self, spec: ColumnSpec, keys: list[tuple[float, float]], seed: int) -> None:
        ordered = sorted(keys)
        self.first = self.show(ordered[0]) if ordered else ""
        self.last = self.show(ordered[-1]) if ordered else ""

    def _features(self, keys: list[tuple[float, float]]) -> np.ndarray:
        wall, offset = np.array(keys, dtype=np.float64).T
        moment = np.floor(wall).astype(np.int64).astype("datetime64[s]")
        days = moment.astype("datetime64[D]")
        months = moment.astype("datetime64[M]")
        years = moment.astype("datetime64[Y]")
        second = wall - days.astype("datetime64[s]").astype(np.int64)
        # Each cycle as a share of itself; 1970-01-01 was a Thursday.
        cycles = np.stack(
            [
                (second % 3600) / 3600,
                second / 86400,
                ((days.astype(np.int64) + 3) % 7) / 7,
                (days - months).astype(np.int64) / 31,
                (months.astype(np.int64) % 12) / 12,
                (days - years).astype(np.int64) / 366,
            ]
        )
        angle = 2 * np.pi * cycles
        # Years since 2000: in float32 still good to a few minutes.
        trend = (wall - 946684800) / (365.2425 * 86400)
        return np.vstack([np.sin(angle), np.cos(angle), trend, offset]).T

    def _state(self) -> dict[str, Any]:
        return {"day_first": self.day_first, "first": self.first, "last": self.last}

    def _restore(self, state: dict[str, Any]) -> None:
        self.day_first, self.first, self.last = state["day_first"], state["first"], state["last"]

    def _statistics(self) -> dict[str, Any]:
        return {"min": self.first, "max": self.last}
