"""Records in plain JSON types."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from featrix_client.errors import FeatrixInputError
from featrix_client.records import clean, clean_records


@pytest.mark.parametrize(
    "missing",
    [
        *(None, math.nan, math.inf, -math.inf, np.float32("nan"), decimal.Decimal("NaN")),
        *(pd.NA, pd.NaT, np.datetime64("NaT"), np.timedelta64("NaT")),
    ],
)
def test_missing_values_become_null(missing):
    assert clean(missing) is None
    assert clean({"a": [missing, 1]}) == {"a": [None, 1]}


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("x"), "x"),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.array([1.0, np.nan]), [1.0, None]),
        (pd.Series([1, 2]), [1, 2]),
        (np.datetime64("2020-01-02T03:04:05.123456789"), "2020-01-02T03:04:05.123456789"),
        (np.timedelta64(1500, "ms"), 1.5),
        (pd.Timestamp("2020-01-02"), "2020-01-02T00:00:00"),
        (pd.Timedelta("2min"), 120.0),
        (pd.Period("2020-02", "M"), "2020-02-01T00:00:00"),
        (dt.date(2020, 1, 2), "2020-01-02"),
        (dt.time(3, 4), "03:04:00"),
        (decimal.Decimal("1.5"), 1.5),
        (b"abc", "abc"),
        ({1: (2, {3})}, {"1": [2, [3]]}),
        (True, True),
        (10**30, 10**30),
        (1 + 2j, "(1+2j)"),
    ],
)
def test_odd_values_become_plain(value, plain):
    cleaned = clean(value)
    assert cleaned == plain
    assert type(cleaned) is type(plain)
    json.dumps(cleaned, allow_nan=False)


def test_one_record_a_list_a_frame_and_its_rows():
    frame = pd.DataFrame({"a": [1, 2], 7: [None, "x"], "t": pd.to_datetime(["2020-01-01", None])})
    rows = [
        {"a": 1, "7": None, "t": "2020-01-01T00:00:00"},
        {"a": 2, "7": "x", "t": None},
    ]
    assert clean_records(frame) == rows
    assert clean_records(frame.iloc[0]) == clean_records([frame.iloc[0]]) == rows[:1]
    assert clean_records({"a": 1}) == [{"a": 1}]
    assert clean_records(iter([{"a": 1}])) == [{"a": 1}]
    assert clean_records([]) == []


@pytest.mark.parametrize("wrong", ["text", 5, None, [1], [{"a": 1}, "b"], [["a"]]])
def test_what_is_no_record_is_refused(wrong):
    with pytest.raises(FeatrixInputError, match=r"records must be|is a \w+, not a dict"):
        clean_records(wrong)


def test_importing_the_client_imports_no_pandas():
    code = "import sys, featrix_client; print({'pandas', 'numpy', 'tqdm'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
