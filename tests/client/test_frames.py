"""DataFrames as files."""

from __future__ import annotations

import datetime as dt
import gzip

import numpy as np
import pandas as pd
import pytest

from featrix_client import frames
from featrix_client.errors import FeatrixInputError, FeatrixWarning
from featrix_client.frames import plain_frame, write_frame

N = 6


def objects(*values: object) -> pd.Series:
    """A column of Python objects, which pandas must not understand."""
    return pd.Series(list(values), dtype=object)


ODD = {
    "infinite": ([1.0, np.inf, -np.inf, np.nan, 5.0, 6.0], [1.0, None, None, None, 5.0, 6.0]),
    "half": (np.arange(N, dtype="float16"), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]),
    "mixed": (objects(1, "a", None, 2.5, np.nan, True), ["1", "a", None, "2.5", None, "True"]),
    "numbers": (objects(1, 2.5, None, 4, 5, 6), [1.0, 2.5, None, 4.0, 5.0, 6.0]),
    "whole": (objects(1, None, 3, 4, 5, 6), [1, None, 3, 4, 5, 6]),
    "truth": (objects(True, None, False, True, True, True), [True, None, False, True, True, True]),
    "huge": (objects(2**70, 1, 2, 3, 4, None), [float(2**70), 1.0, 2.0, 3.0, 4.0, None]),
    "category": (pd.Categorical(["a", "b", None] * 2), ["a", "b", None] * 2),
    "codes": (pd.Categorical([1, 2, None] * 2), [1.0, 2.0, None] * 2),
    "duration": (
        pd.to_timedelta([1, 2, None, 90, 5, 6], unit="s"),
        [1.0, 2.0, None, 90.0, 5.0, 6.0],
    ),
    "period": (
        pd.period_range("2020-01", periods=N, freq="M"),
        list(pd.date_range("2020-01", periods=N, freq="MS")),
    ),
    "interval": (pd.cut(range(N), [-1, 2, 9]), ["(-1, 2]"] * 3 + ["(2, 9]"] * 3),
    "nested": (
        objects({"a": 1}, [1, "b"], None, {}, [np.nan], (1, 2)),
        ['{"a": 1}', '[1, "b"]', None, "{}", "[null]", "[1, 2]"],
    ),
    "date": (objects(*[dt.date(2020, 1, 1)] * N), ["2020-01-01"] * N),
    "bytes": (objects(b"ab", b"\xff", None, b"", b"c", b"d"), ["ab", "\\xff", None, "", "c", "d"]),
    "surrogate": (objects("x\udc80", *"abcde"), ["x?", *"abcde"]),
    "empty": ([None] * N, [None] * N),
    "sparse": (pd.arrays.SparseArray([0.0, 1.0, np.nan] * 2), [0.0, 1.0, None] * 2),
    "complex": (np.arange(N) * 1j, [f"{i}j" for i in range(N)]),
}


def as_lists(frame: pd.DataFrame) -> dict[str, list[object]]:
    """Columns as plain values, None for every kind of missing."""
    return {
        name: [None if pd.isna(value) else value for value in frame[name].tolist()]
        for name in frame.columns
    }


@pytest.mark.parametrize("kind", ODD)
def test_odd_columns_become_plain_and_survive_the_file(kind, tmp_path):
    given, expected = ODD[kind]
    frame = pd.DataFrame({"id": range(N), kind: given})
    plain = plain_frame(frame)
    assert as_lists(plain)[kind] == expected
    back = pd.read_parquet(write_frame(frame, tmp_path))
    assert as_lists(back) == as_lists(plain)


def test_the_frame_given_stays_as_it_is():
    frame = pd.DataFrame({7: [np.inf, 1.0], "b": objects({"x": 1}, 2)})
    before = frame.copy(deep=True)
    plain_frame(frame)
    pd.testing.assert_frame_equal(frame, before)


def test_names_become_text():
    frame = pd.DataFrame([[1, 2, 3]], columns=[0, ("a", 1), dt.date(2020, 1, 1)])
    assert list(plain_frame(frame).columns) == ["0", "('a', 1)", "2020-01-01"]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame([[1, 2, 3]], columns=["a", "b", "a"]), r"must be unique.*'a'"),
        (pd.DataFrame([[1, 2]], columns=[1, "1"]), r"must be unique.*'1'"),
        (pd.DataFrame([[1, 2]], columns=[["a", "a"], ["x", "y"]]), "2 levels of names"),
        (pd.DataFrame({"a": range(50)}), "50 rows and 1 columns"),
        (pd.DataFrame({"a": [], "b": []}), "0 rows and 2 columns"),
        (pd.DataFrame(), "0 rows and 0 columns"),
        ({"a": [1]}, "must be a pandas DataFrame, not a dict"),
        (pd.Series([1, 2]), "must be a pandas DataFrame, not a Series"),
    ],
)
def test_what_is_no_table_is_refused(frame, message, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(FeatrixInputError, match=message) as caught:
        write_frame(frame, folder)
    assert caught.value.field == "df"
    assert not list(folder.iterdir())


def test_a_named_index_is_warned_about(tmp_path):
    frame = pd.DataFrame({"a": [1], "b": [2]}, index=pd.Index([9], name="customer"))
    with pytest.warns(FeatrixWarning, match=r"'customer'.*reset_index"):
        write_frame(frame, tmp_path)


def test_without_pyarrow_it_is_gzipped_csv(tmp_path, monkeypatch):
    monkeypatch.setattr(frames, "find_spec", lambda name: None)
    frame = pd.DataFrame({"a": [1.5, np.inf], "b": ['say "hi",\nthere', None]})
    path = write_frame(frame, tmp_path)
    assert path.name == "data.csv.gz"
    assert gzip.decompress(path.read_bytes()).decode() == 'a,b\n1.5,"say ""hi"",\nthere"\n,\n'
