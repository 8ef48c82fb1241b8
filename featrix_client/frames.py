"""A DataFrame as a file the server can read: Parquet if pyarrow is there, else gzipped CSV."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Hashable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from featrix_client.errors import FeatrixInputError, FeatrixWarning
from featrix_client.records import clean

if TYPE_CHECKING:
    import pandas as pd


def write_frame(
    df: pd.DataFrame, folder: Path, *, stem: str = "data", min_columns: int = 2
) -> Path:
    """Write a DataFrame into a folder, as ``data.parquet`` or ``data.csv.gz``.

    Parameters
    ----------
    df : pandas.DataFrame
        Any frame; see `plain_frame` for what becomes of unusual columns.
    folder : Path
        An existing folder.
    stem : str
        Name of the file before its suffix.
    min_columns : int
        Fewest columns that are of use.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    FeatrixInputError
        If the frame has no rows, too few columns, or names that `plain_frame` refuses.
    """
    plain = plain_frame(df)
    if len(plain) == 0 or len(plain.columns) < min_columns:
        raise FeatrixInputError(
            f"The DataFrame has {len(plain)} rows and {len(plain.columns)} columns.",
            hint="A model needs at least 20 rows and 2 columns."
            if min_columns > 1
            else "It needs at least one of each.",
            field="df",
        )
    if kept := [name for name in df.index.names if name is not None]:
        warnings.warn(
            f"The index ({', '.join(map(repr, kept))}) is not part of the data; "
            "df.reset_index() makes it a column.",
            FeatrixWarning,
            stacklevel=4,  # the caller of create_foundational_model
        )
    if find_spec("pyarrow") is None:
        path = folder / f"{stem}.csv.gz"
        plain.to_csv(path, index=False, compression={"method": "gzip", "compresslevel": 3})
    else:
        path = folder / f"{stem}.parquet"
        plain.to_parquet(path, index=False, engine="pyarrow", compression="snappy")
    return path


def plain_frame(df: pd.DataFrame) -> pd.DataFrame:
    """Return a frame with unique text names and columns of plain types; `df` stays as it is.

    Numbers, truth values, text and times stay themselves. Infinities become missing. Durations
    become seconds, periods their start, intervals and complex numbers text. In a column of
    objects, lists and dicts become JSON text, and a mix of types becomes text. The index is
    left behind.

    Raises
    ------
    FeatrixInputError
        If `df` is no DataFrame, has names that are several levels deep, or one name twice.
    """
    import pandas as pd

    if not isinstance(df, pd.DataFrame):
        raise FeatrixInputError(
            f"df must be a pandas DataFrame, not a {type(df).__name__}.",
            hint="Convert it, for instance with .to_pandas() or pd.DataFrame(...).",
            field="df",
        )
    names = _column_names(df)
    rows = df.reset_index(drop=True)
    columns = [_plain_column(rows.iloc[:, place]) for place in range(len(names))]
    return pd.DataFrame(dict(zip(names, columns, strict=True)), index=rows.index)


def frame_records(df: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame as dicts of plain values, None where missing.

    Raises
    ------
    FeatrixInputError
        As `plain_frame`.
    """
    plain = plain_frame(df)
    names = list(plain.columns)
    if not names:
        return [{} for _ in range(len(plain))]
    columns = [_plain_values(plain[name]) for name in names]  # far quicker than cell by cell
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _plain_values(column: pd.Series[Any]) -> list[Any]:
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column.dtype) or column.dtype == object:
        return [clean(value) for value in column]
    values = column.astype(object)
    return values.where(column.notna(), None).tolist()


def _column_names(df: pd.DataFrame) -> list[str]:
    if df.columns.nlevels > 1:
        raise FeatrixInputError(
            f"The columns have {df.columns.nlevels} levels of names; a table has one.",
            hint="Join them: df.columns = ['_'.join(map(str, name)) for name in df.columns]",
            field="df",
        )
    names = [str(name) for name in df.columns]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise FeatrixInputError(
            f"Column names must be unique; these are not: {', '.join(map(repr, twice[:10]))}.",
            hint="Rename them, or keep the first of each: df.loc[:, ~df.columns.duplicated()]",
            field="df",
        )
    return names


def _plain_column(column: pd.Series[Any]) -> pd.Series[Any]:
    import pandas as pd

    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        column = pd.Series(column.to_numpy(), index=column.index)
        dtype = column.dtype
    if isinstance(dtype, pd.SparseDtype):
        column = column.astype(dtype.subtype)
        dtype = column.dtype
    if isinstance(dtype, pd.PeriodDtype):
        return pd.Series(column.dt.start_time)
    if pd.api.types.is_timedelta64_dtype(dtype):
        return pd.Series(column.dt.total_seconds())
    if isinstance(dtype, pd.IntervalDtype) or pd.api.types.is_complex_dtype(dtype):
        return column.astype("string")
    if pd.api.types.is_float_dtype(dtype):
        return _finite(column)
    return _plain_objects(column) if pd.api.types.is_object_dtype(dtype) else column


def _finite(column: pd.Series[Any]) -> pd.Series[Any]:
    import numpy as np

    if column.dtype == np.float16:  # Parquet readers rarely know it
        column = column.astype("float32")
    infinite = np.isinf(column.to_numpy(dtype=float, na_value=np.nan))
    return column.mask(infinite) if infinite.any() else column


def _plain_objects(column: pd.Series[Any]) -> pd.Series[Any]:
    """Make a column of Python objects either of one plain type or of text."""
    import pandas as pd

    values = [_plain_object(value) for value in column]
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) > 1 and kinds <= {int, float, bool}:
        kinds = {str} if bool in kinds else {float}
    elif len(kinds) > 1:
        kinds = {str}
    if not kinds:
        return pd.Series(values, index=column.index, dtype="string")
    if kinds == {int} and not all(
        -(2**63) <= value < 2**63 for value in values if value is not None
    ):
        kinds = {float}
    dtypes: dict[type, str] = {int: "Int64", float: "Float64", bool: "boolean"}
    dtype = dtypes.get(kinds.pop(), "string")
    if dtype == "string":
        values = [None if value is None else _text(value) for value in values]
    elif dtype == "Float64":
        values = [None if value is None else float(value) for value in values]
    return pd.Series(values, index=column.index, dtype=dtype)


def _plain_object(value: Hashable) -> Any:
    plain = clean(value)
    if isinstance(plain, list | dict):
        return json.dumps(plain, ensure_ascii=False)
    return plain


def _text(value: Any) -> str:
    """Return text that UTF-8 can carry."""
    return str(value).encode("utf-8", "replace").decode()
