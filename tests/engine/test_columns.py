"""Column encoders: what every one of them promises, on every column type."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featrix_server.engine.columns import (
    DENSE_WIDTH,
    TYPES,
    ColumnEncoder,
    ColumnSpec,
    Encoded,
    encoder_for,
    encoder_from_dict,
    encoder_to_dict,
)

FIELDS = ("missing", "number", "category", "dense", "target")


def sample_values(type: str, n: int = 400) -> list[Any]:
    """Values of one column type, some missing, some repeated."""
    rng = random.Random(7)
    words = ["oak", "elm", "ash", "fir", "yew", "birch", "maple", "cedar", "pine", "larch"]
    some: dict[str, Any] = {
        "scalar": lambda: rng.gauss(10, 3),
        "set": lambda: rng.choice(words),
        "free_string": lambda: " ".join(rng.choices(words, k=rng.randint(2, 9))),
        "timestamp": lambda: (
            f"20{rng.randint(10, 24)}-0{rng.randint(1, 9)}-11 0{rng.randint(0, 9)}:30"
        ),
        "email": lambda: f"{rng.choice(words)}{rng.randint(1, 99)}@{rng.choice(words)}.org",
        "url": lambda: f"https://{rng.choice(words)}.com/{rng.choice(words)}?q={rng.randint(1, 9)}",
        "json": lambda: json.dumps({"a": rng.random(), "b": {"c": rng.choice(words)}}),
        "list": lambda: "|".join(rng.sample(words, rng.randint(1, 4))),
        "mixed": lambda: rng.choice(words) if rng.random() < 0.3 else str(rng.randint(1, 500)),
    }
    values = [some[type]() for _ in range(n)]
    values[3], values[5] = None, "" if type != "scalar" else math.nan
    return values


def fitted(type: str, values: list[Any] | None = None) -> ColumnEncoder:
    """An encoder fitted on sample values."""
    return encoder_for(type).fit(ColumnSpec("c", type), values or sample_values(type), seed=3)


def assert_same(left: Encoded, right: Encoded) -> None:
    """Both hold the same arrays, bit by bit."""
    for field in FIELDS:
        a, b = getattr(left, field), getattr(right, field)
        assert (a is None) == (b is None), field
        if a is not None:
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b, err_msg=field)


ODD: list[Any] = [
    *(None, math.nan, math.inf, 10**400, -1e308, True, b"\xff\xfe", object(), [1, 2], {"a": [1]}),
    *("", "  ", "NA", "\x00", "\ud800", "x" * 5000, "[" * 5000, "=1+1", "http://[", "@", "|||"),
    *(np.float32(1), np.datetime64("NaT"), np.array([1, 2]), datetime(1, 1, 1), "0000-00-00"),
]


@pytest.mark.parametrize("type", TYPES)
class TestEveryType:
    def test_arrays_have_the_promised_shapes(self, type: str) -> None:
        encoder = fitted(type)
        encoded = encoder.encode(sample_values(type))
        assert isinstance(encoder, ColumnEncoder)
        assert encoded.missing.dtype == bool
        assert encoded.missing.sum() == 2
        assert encoded.target.dtype == np.int32
        assert (encoded.target[~encoded.missing] >= 0).all()
        assert (encoded.target[encoded.missing] == -1).all()
        assert encoded.target.max() < encoder.n_targets
        assert (encoded.number is not None) == (encoder.kind == "number")
        assert (encoded.category is not None) == (encoder.kind == "category")
        if encoder.kind != "number":
            assert encoded.dense is not None
            assert encoded.dense.shape == (400, DENSE_WIDTH)
            assert encoded.dense.dtype == np.float32
            assert np.isfinite(encoded.dense).all()
            assert (encoded.dense[encoded.missing] == 0).all()

    def test_round_trip_is_exact(self, type: str) -> None:
        encoder = fitted(type)
        text = json.dumps(encoder_to_dict(encoder), allow_nan=False)
        again = encoder_from_dict(json.loads(text))
        values = [*sample_values(type), *ODD]
        assert_same(encoder.encode(values), again.encode(values))
        assert again.describe() == encoder.describe()

    def test_fitting_again_gives_the_same(self, type: str) -> None:
        assert encoder_to_dict(fitted(type)) == encoder_to_dict(fitted(type))

    def test_arrow_and_single_values_encode_like_a_list(self, type: str) -> None:
        encoder, values = fitted(type), sample_values(type)
        whole = encoder.encode(values)
        assert_same(whole, encoder.encode(pa.chunked_array([values[:100], values[100:]])))
        for row in (0, 3, 5, 17):
            one = encoder.encode(values[row : row + 1])
            assert one.missing[0] == whole.missing[row]
            assert one.target[0] == whole.target[row]
            if one.dense is not None and whole.dense is not None:
                np.testing.assert_allclose(one.dense[0], whole.dense[row], atol=1e-5)

    def test_odd_values_never_raise(self, type: str) -> None:
        encoder = fitted(type)
        encoder.encode(ODD)
        encoder.encode([])
        for value in ODD:
            encoder.encode([value])
            message = encoder.check(value)
            assert message is None or ": " in message

    def test_nothing_but_missing_values_can_be_fitted(self, type: str) -> None:
        encoder = fitted(type, [None, "", None])
        encoded = encoder.encode([None, "x"])
        assert encoded.missing[0]
        assert encoder.n_targets >= 1

    def test_card_is_safe_for_json(self, type: str) -> None:
        card = fitted(type).describe()
        assert json.dumps(card, allow_nan=False)
        assert {"encoding_strategy", "statistics", "unique_values", "sample_values"} <= set(card)


def test_dense_features_have_unit_variance() -> None:
    encoded = fitted("free_string").encode(sample_values("free_string"))
    assert encoded.dense is not None
    deviation = encoded.dense[~encoded.missing].std(axis=0)
    assert np.all((deviation < 1.2) & ((deviation > 0.6) | (deviation == 0)))


def test_encoding_does_not_depend_on_the_process() -> None:
    """Python's own hash would differ from process to process."""
    code = (
        "from featrix_server.engine.columns.hashing import text_vectors, token_hashes\n"
        "print(text_vectors(['oak', 'Ünïcode']).round(3).tolist(), token_hashes(['a']).tolist())"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    }
    assert len(runs) == 1


class TestNumbers:
    def test_bins_hold_equal_counts_and_frequent_values_have_their_own(self) -> None:
        values = [0.0] * 900 + [float(value) for value in range(1, 101)]
        encoder = fitted("scalar", values)
        target = encoder.encode(values).target
        assert encoder.n_targets <= 24
        assert (target[:900] == 0).all()
        assert (target[900:] > 0).all()

    @given(st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=200))
    @settings(max_examples=60, deadline=None)
    def test_edges_increase_and_every_value_has_its_bin(self, values: list[float]) -> None:
        encoder: Any = fitted("scalar", values)
        assert (np.diff(encoder.edges) > 0).all()
        assert len(encoder.edges) == encoder.n_targets + 1
        order = np.argsort(values, kind="stable")
        assert (np.diff(encoder.encode(values).target[order]) >= 0).all()

    def test_numbers_far_from_zero_keep_their_differences(self) -> None:
        values = [1.7e9 + second for second in range(100)]
        encoded = fitted("scalar", values).encode(values)
        assert encoded.number is not None
        np.testing.assert_array_equal(np.diff(encoded.number), np.ones(99))

    @pytest.mark.parametrize(
        ("text", "number"),
        [
            ("1,234.5", 1234.5),
            ("$ 7", 7),
            ("12%", 12),
            ("-£1,000", -1000),
            (".5", 0.5),
            ("1e3", 1000),
        ],
    )
    def test_written_numbers(self, text: str, number: float) -> None:
        from featrix_server.engine.columns.values import parse_number

        assert parse_number(text) == number

    @given(st.text(max_size=12))
    @settings(max_examples=200, deadline=None)
    def test_any_text_is_a_finite_number_or_none(self, text: str) -> None:
        from featrix_server.engine.columns.values import parse_number

        assert not math.isinf(parse_number(text))

    @pytest.mark.parametrize(
        ("z", "kind"),
        [(2.9, None), (3.5, "extreme"), (5, "extrapolation"), (30, "severe"), (200, "clamped")],
    )
    def test_guardrails_follow_the_documented_ranges(self, z: float, kind: str | None) -> None:
        encoder: Any = fitted("scalar", list(np.random.default_rng(0).normal(50, 5, 1000)))
        message = encoder.check(encoder.mean + encoder.offset + z * encoder.std)
        assert (message or "").split(":")[0] == (kind or "")

    def test_guardrails_of_a_constant_and_of_text(self) -> None:
        encoder = fitted("scalar", [5] * 30)
        assert encoder.check(5) is None
        assert (encoder.check(6) or "").startswith("extrapolation:")
        assert (encoder.check("six") or "").startswith("unparseable:")
        assert encoder.check(None) is None

    def test_far_numbers_are_clipped(self) -> None:
        encoder: Any = fitted("scalar", list(range(100)))
        encoded = encoder.encode([1e300])
        assert encoded.number[0] == pytest.approx(encoder.mean + 100 * encoder.std, rel=1e-5)


class TestCategories:
    def test_ids_by_falling_count_and_unseen(self) -> None:
        encoder: Any = fitted("set", ["b"] * 3 + ["a"] * 3 + [" c "] * 5 + ["d"])
        assert encoder.categories == ("c", "a", "b", "d")
        encoded = encoder.encode(["c", "b", "zebra", None])
        assert encoded.category.tolist() == [0, 2, 4, -1]
        assert encoded.target.tolist() == [0, 2, -1, -1]
        assert encoder.check("zebra").startswith("unseen_category:")
        assert encoder.check(" a ") is None

    def test_numbers_and_flags_compare_as_text(self) -> None:
        encoder: Any = fitted("set", [1, 0, 1, 1.0])
        assert encoder.encode([1, 1.0, "1", np.int64(1)]).category.tolist() == [0] * 4
        flags: Any = fitted("set", [True, True, False])
        assert flags.encode(["True", True, "TRUE", "false"]).category.tolist() == [0, 0, 0, 1]

    def test_an_unseen_spelling_is_near_its_likes(self) -> None:
        encoder: Any = fitted("set", ["Private", "Government", "Farming"] * 5)
        near = encoder.encode(["Privat"]).dense[0] @ encoder.table.T
        assert near.argmax() == encoder.categories.index("Private")

    def test_only_the_most_frequent_512_are_kept(self) -> None:
        encoder: Any = fitted("set", [f"v{index}" for index in range(600)] + ["often"] * 9)
        assert len(encoder.categories) == 512
        assert encoder.categories[0] == "often"
        assert encoder.describe()["unique_values"] == 601


class TestDenseTypes:
    def test_texts_that_share_words_are_near(self) -> None:
        encoder = fitted("free_string")
        dense = encoder.encode(["oak elm ash fir", "fir ash elm oak", "maple cedar pine"]).dense
        assert dense is not None
        unit = dense / np.linalg.norm(dense, axis=1, keepdims=True)
        assert unit[0] @ unit[1] > unit[0] @ unit[2]

    def test_long_text_is_announced_as_cut(self) -> None:
        message = fitted("free_string").check("word " * 1000)
        assert (message or "").startswith("text_truncated:")

    @pytest.mark.parametrize("type", ["timestamp", "email", "url", "json"])
    def test_what_cannot_be_understood_counts_as_missing(self, type: str) -> None:
        encoder = fitted(type)
        assert encoder.encode(["what is this"]).missing.all()
        assert (encoder.check("what is this") or "").startswith("unparseable:")

    def test_lists_ignore_the_order_of_tokens(self) -> None:
        dense = fitted("list").encode(["oak|elm|ash", "ash| oak |elm", "pine"]).dense
        assert dense is not None
        np.testing.assert_allclose(dense[0], dense[1], atol=1e-4)
        assert not np.allclose(dense[0], dense[2])

    def test_lists_come_as_python_lists_too(self) -> None:
        encoder = fitted("list", [["oak", "elm"], ["ash"], ["elm"]] * 20)
        left, right = encoder.encode([["ash"]]), encoder.encode(['["ash"]'])
        assert_same(left, right)

    def test_numbers_in_documents_are_scaled(self) -> None:
        values = [{"size": float(index), "kind": "ab"[index % 2]} for index in range(100)]
        dense = fitted("json", values).encode([{"size": 0.0}, {"size": 50.0}, {"size": 99.0}]).dense
        assert dense is not None
        assert dense[0, 0] < dense[1, 0] < dense[2, 0]

    def test_mixed_columns_check_their_numbers(self) -> None:
        encoder = fitted("mixed")
        assert encoder.check("any text") is None
        assert (encoder.check(1e9) or "").startswith("clamped:")


class TestTimestamps:
    MOMENT = datetime(2024, 5, 31, 14, 5)

    @pytest.mark.parametrize(
        "text",
        [
            *("2024-05-31T14:05", "2024-05-31 14:05:00", "2024/05/31 14:05", "31.05.2024 14:05"),
            *("5/31/2024 2:05 PM", "31/5/2024 14:05", "31-May-2024 14:05", "May 31, 2024 2:05pm"),
            *("Friday, May 31, 2024 14:05", "31 May 24 14:05", "Fri May 31 14:05:00 2024"),
        ],
    )
    def test_many_ways_of_writing_one_moment(self, text: str) -> None:
        from featrix_server.engine.columns.timestamp import parse_timestamp

        assert parse_timestamp(text) == self.MOMENT

    @pytest.mark.parametrize(
        "text", ["Fri, 31 May 2024 14:05:00 +0200", "2024-05-31T14:05:00+02:00"]
    )
    def test_offsets_are_kept(self, text: str) -> None:
        from featrix_server.engine.columns.timestamp import parse_timestamp

        parsed = parse_timestamp(text)
        assert parsed is not None
        assert parsed.replace(tzinfo=None) == self.MOMENT
        assert str(parsed.utcoffset()) == "2:00:00"

    @pytest.mark.parametrize(
        "text", ["20240531", "12", "2024-13-01", "31/31/2024", "soon", "1.2", "3-4"]
    )
    def test_what_is_no_timestamp(self, text: str) -> None:
        from featrix_server.engine.columns.timestamp import parse_timestamp

        assert parse_timestamp(text) is None

    @given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)))
    @settings(max_examples=100, deadline=None)
    def test_iso_round_trip(self, moment: datetime) -> None:
        from featrix_server.engine.columns.timestamp import parse_timestamp

        assert parse_timestamp(moment.isoformat()) == moment

    def test_the_order_of_day_and_month_is_learnt(self) -> None:
        encoder = fitted("timestamp", ["1/2/2024", "25/2/2024", "3/4/2024"] * 10)
        assert encoder.describe()["statistics"]["min"] == "2024-02-01T00:00:00"
