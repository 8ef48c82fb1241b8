"""Records as JSON can carry them: plain values, and null for everything that means "missing"."""

from __future__ import annotations

import datetime as dt
import decimal
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeGuard

from featrix_client.errors import FeatrixInputError

if TYPE_CHECKING:
    import pandas as pd


def clean(value: Any) -> Any:
    """Return a value in plain JSON types.

    NaN, infinities, ``None``, ``pandas.NA`` and ``NaT`` become None; NumPy scalars and arrays
    become numbers and lists; times become ISO 8601 text, durations seconds, and what JSON does
    not know becomes text. Works on values of pandas and NumPy without importing either.
    """
    if value is None or isinstance(value, str | bool):
        # plain, also from str subclasses such as numpy.str_ and enumerations of text
        return str.__str__(value) if isinstance(value, str) else value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {_key(key): clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [clean(item) for item in value]
    return _clean_rare(value)


def _clean_rare(value: Any) -> Any:
    kind = type(value).__name__
    if kind in ("NAType", "NaTType"):
        return None
    if isinstance(value, dt.date | dt.time):  # datetime and pandas.Timestamp are dates
        return value.isoformat()
    if isinstance(value, dt.timedelta):  # pandas.Timedelta is one
        return value.total_seconds()
    if isinstance(value, decimal.Decimal):
        return clean(float(value)) if value.is_finite() else None
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8", "backslashreplace")
    if kind == "datetime64":  # its tolist() turns nanoseconds into an integer
        text = str(value)
        return None if text == "NaT" else text
    if kind == "timedelta64":
        text = str(value)
        return None if text == "NaT" else float(value / type(value)(1, "s"))
    if kind == "Period":
        return value.start_time.isoformat()
    if hasattr(value, "tolist"):  # NumPy scalars and arrays, pandas Series and Index
        return clean(value.tolist())
    return str(value)


def _key(key: Any) -> str:
    return key if isinstance(key, str) else str(key)


def clean_records(records: Mapping[str, Any] | Iterable[Any] | pd.DataFrame) -> list[Any]:
    """Return records as a list of plain dicts.

    Parameters
    ----------
    records : dict, iterable of dicts, or pandas.DataFrame
        One record, or any number of them.

    Raises
    ------
    FeatrixInputError
        If something in it is not a record; the message names the place.
    """
    if _is_row(records):
        return [clean(dict(records.items()))]
    if _is_frame(records):
        from featrix_client.frames import frame_records

        return frame_records(records)
    if isinstance(records, str | bytes) or not isinstance(records, Iterable):
        raise FeatrixInputError(
            f"records must be a list of dicts, one dict, or a DataFrame, not {_named(records)}.",
            field="records",
        )
    rows = []
    for place, row in enumerate(records):
        if not _is_row(row):
            raise FeatrixInputError(
                f"Record {place} is {_named(row)}, not a dict of column names and values.",
                field="records",
            )
        rows.append(clean(dict(row.items())))
    return rows


def clean_record(record: Mapping[str, Any], field: str = "record") -> dict[str, Any]:
    """Return one record as a plain dict.

    Parameters
    ----------
    record : dict or pandas.Series
        Column names and values.
    field : str
        The argument it was given as.

    Raises
    ------
    FeatrixInputError
        If it is no record.
    """
    if not _is_row(record):
        raise FeatrixInputError(
            f"{field} must be a dict of column names and values, not {_named(record)}.",
            hint="batch_predict() takes many records at once."
            if isinstance(record, list | tuple) or _is_frame(record)
            else None,
            field=field,
        )
    row: dict[str, Any] = clean(dict(record.items()))
    return row


def _is_row(value: Any) -> TypeGuard[Mapping[Any, Any]]:
    # A Series is what DataFrame.iloc[i] and .iterrows() give.
    return isinstance(value, Mapping) or type(value).__name__ == "Series"


def _is_frame(value: Any) -> TypeGuard[pd.DataFrame]:
    return type(value).__name__ == "DataFrame" and hasattr(value, "to_dict")


def _named(value: Any) -> str:
    return f"a {type(value).__name__}"
