"""JSON that every reader accepts, whatever a table's cell, a record or a metric may hold."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, time
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from featrix_server import safejson


class Span(NamedTuple):
    """A named tuple, as rows of the database are."""

    low: float
    high: float


DEEP: list[Any] = []
for _ in range(400):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": math.nan, "b": [math.inf, -math.inf, 1.5]}, {"a": None, "b": [None, None, 1.5]}),
        ((np.float64("nan"), np.float32(0.5), np.int64(3), np.bool_(True)), [None, 0.5, 3, True]),
        (np.array([1.0, math.nan]), [1.0, None]),
        (Span(0.25, math.nan), [0.25, None]),
        ([2**70, {"deep": math.nan}], [2**70, {"deep": None}]),
        ({1: "one", None: "none"}, {"1": "one", "null": "none"}),
        ({"half \ud83d": "of \udc00"}, {"half ?": "of ?"}),
        (DEEP, DEEP),
        ("„weiß“ 🙂 \x00", "„weiß“ 🙂 \x00"),
        ([date(2026, 2, 3), time(4, 5)], ["2026-02-03", "04:05:00"]),
        (datetime(2026, 2, 3, 4, 5, 6, 7000, UTC), "2026-02-03T04:05:06.007000+00:00"),
        (pd.Timestamp("2026-02-03 04:05"), "2026-02-03T04:05:00"),
        (b"caf\xc3\xa9 \xff", "café \ufffd"),
        ({"other": complex(1, 2)}, {"other": "(1+2j)"}),
    ],
)
def test_it_is_read_back_by_any_reader(value: Any, expected: Any) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    assert json.loads(safejson.encoded(value), parse_constant=refuse) == expected
    assert json.loads(safejson.dumps(value), parse_constant=refuse) == expected


def test_text_is_compact_and_utf_8() -> None:
    assert safejson.encoded({"ä": [1, 0.1], "b": None}) == '{"ä":[1,0.1],"b":null}'.encode()


def test_what_nobody_can_follow_is_told() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(RecursionError):
        safejson.encoded(endless)
