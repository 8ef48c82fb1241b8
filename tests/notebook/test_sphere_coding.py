"""Colours of columns: codes, categories, scales and legends, for friendly and hostile data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from featrix_notebook.coding import CATEGORY_COLORS, code_clusters, code_column, text


def test_categories_are_named_by_count_and_missing_is_zero() -> None:
    coding = code_column(pd.Series(["b", "a", "b", None, "c", "b", "a"]))
    assert coding.kind == "category"
    assert coding.entries == (("b", 3), ("a", 2), ("c", 1))
    assert coding.codes.tolist() == [1, 2, 1, 0, 3, 1, 2]
    assert coding.missing == 1


def test_more_than_twelve_values_become_eleven_and_other() -> None:
    values = pd.Series([f"v{i}" for i in range(300)] + ["v7"] * 5)
    coding = code_column(values)
    assert len(coding.entries) == len(coding.colors) == 12
    assert coding.entries[0] == ("v7", 6)
    assert coding.entries[-1] == ("Other (289 values)", 289)
    assert coding.codes.max() == 12
    assert sum(count for _, count in coding.entries) == len(values)


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        (pd.Series([True, False, True]), ["False", "True"]),
        (pd.Series([3, 1, 2, 3, 3]), ["1", "2", "3"]),
        (pd.Series(pd.Categorical(["lo", "hi", "hi"], ["lo", "hi"], ordered=True)), ["lo", "hi"]),
    ],
)
def test_what_has_an_order_keeps_it(values: pd.Series, labels: list[str]) -> None:
    coding = code_column(values)
    assert [label for label, _ in coding.entries] == labels
    assert [labels[code - 1] for code in coding.codes] == [str(v) for v in values]


def test_numbers_spread_over_the_scale() -> None:
    coding = code_column(pd.Series(np.linspace(0, 100, 101)))
    assert coding.kind == "number"
    assert coding.codes[[0, 50, 100]].tolist() == [1, 128, 255]
    assert coding.ticks == ((0.0, "0"), (0.25, "25"), (0.5, "50"), (0.75, "75"), (1.0, "100"))
    assert not coding.open_low
    assert not coding.open_high


def test_a_few_extremes_do_not_flatten_the_rest() -> None:
    values = np.r_[np.linspace(0, 1, 999), 1e9]
    coding = code_column(pd.Series(values))
    assert coding.open_high
    assert len(np.unique(coding.codes)) > 200
    assert coding.codes[-1] == 255


def test_infinities_take_the_ends_and_nan_is_missing() -> None:
    coding = code_column(pd.Series([np.inf, -np.inf, np.nan, 0.0, 10.0]))
    assert coding.codes.tolist() == [255, 1, 0, 1, 255]
    assert coding.missing == 1


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([np.nan] * 3),
        pd.Series([None] * 3, dtype=object),
        pd.Series([1e308, -1e308, np.nan]),
        pd.Series([5e-324, 0.0, 1e-323]),
        pd.Series([7.0]),
        pd.Series([np.inf, np.inf]),
        pd.Series([1 + 2j, 3j]),
        pd.Series([[1], {"a": 2}, None, (3,)]),
        pd.Series([1, "a", None, 2.5, True]),
        pd.Series([b"\xff", b""]),
        pd.Series(["x" * 10_000, "<script>", "שלום", "👩‍👩‍👧‍👦", "", "\x00\n\t"]),
        pd.Series([1, None, 3], dtype="Int64"),
        pd.Series([True, None], dtype="boolean"),
        pd.Series(pd.to_timedelta([1, None, 3], unit="h")),
        pd.Series(pd.period_range("2020", periods=3, freq="M")),
        pd.Series(pd.interval_range(0, 3)),
        pd.Series(pd.to_datetime(["2020-01-01", None, "1700-01-01"])),
        pd.Series(pd.date_range("2020", periods=40, tz="Asia/Tokyo")),
        pd.Series([], dtype=float),
        pd.Series([], dtype=object),
    ],
    ids=lambda values: f"{values.dtype}-{len(values)}",
)
def test_no_column_is_too_odd(values: pd.Series) -> None:
    coding = code_column(values)
    assert coding.codes.dtype == np.uint8
    assert len(coding.codes) == len(values)
    assert coding.missing == int(values.isna().sum()) == int((coding.codes == 0).sum())
    assert all(len(label) <= 61 for label, _ in coding.entries)
    assert all(0 <= at <= 1 + 1e-9 for at, _ in coding.ticks)


def test_the_engine_s_type_goes_before_the_data_type() -> None:
    years = pd.Series([1999, 2004, 2010] * 10)
    assert code_column(years).kind == "category"
    assert code_column(years, "scalar").kind == "number"
    assert code_column(pd.Series(range(100)), "set").kind == "category"
    assert code_column(pd.Series(["1", "2.5", "x"]), "scalar").codes.tolist() == [1, 255, 0]
    assert code_column(pd.Series(["2020-01-01", "2021-01-01"]), "timestamp").kind == "number"


def test_clusters_keep_their_numbers() -> None:
    coding = code_clusters(np.array([2, 0, 1, 2], np.uint8))
    assert coding.codes.tolist() == [3, 1, 2, 3]
    assert coding.entries[2] == ("Cluster 2", 2)


def test_text_never_raises_and_stays_short() -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no words")

    assert text(Broken()) == "<Broken: no words>"
    assert text("a\n b\t c") == "a b c"
    assert len(text("y" * 10_000)) == 60
    assert text(0.1 + 0.2) == "0.3"
    assert text(pd.Timestamp("2020-05-01")) == "2020-05-01"


def linear(color: str) -> np.ndarray:
    value = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def oklab(rgb: np.ndarray) -> np.ndarray:
    """Ottosson 2020."""
    lms = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    lab = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return lab @ np.cbrt(np.clip(lms @ rgb, 0, None))


# Full colour blindness, Machado, Oliveira and Fernandes 2009.
SIGHT = {
    "normal": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
               [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
               [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
               [0.004733, 0.691367, 0.303900]],
}  # fmt: skip


@pytest.mark.parametrize("sight", SIGHT)
def test_colours_are_told_apart_whatever_the_sight(sight: str) -> None:
    seen = [oklab(np.clip(np.asarray(SIGHT[sight]) @ linear(c), 0, 1)) for c in CATEGORY_COLORS]
    for count, least in ((6, 0.08), (11, 0.05)):
        apart = [np.linalg.norm(a - b) for i, a in enumerate(seen[:count]) for b in seen[:i]]
        assert min(apart) > least
