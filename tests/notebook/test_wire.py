"""Frames: what is sent can be read back exactly, what cannot be sent is refused in words."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featrix_notebook.widgets import wire


def read(described: wire.Message, data: memoryview) -> np.ndarray:
    """The reading end, after js/src/shared/wire.ts."""
    raw = zlib.decompress(data) if described["codec"] == "deflate" else bytes(data)
    dtype = "u2" if described["codec"] == "q16" else described["dtype"]
    values = np.frombuffer(raw, dtype=f"<{dtype}")
    if described["codec"] == "q16":
        values = values * described["scale"] + described["offset"]
    assert values.size == described["n"]
    return values.reshape(described["shape"])


@pytest.mark.parametrize(
    ("given_as", "sent_as"),
    [
        ("float64", "f4"), ("float32", "f4"), ("float16", "f4"), ("int64", "i4"),
        ("int16", "i2"), ("int8", "i2"), ("uint64", "u4"), ("uint8", "u1"), ("bool", "u1"),
        (">f8", "f4"), (">i4", "i4"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("codec", ["raw", "deflate"])
def test_arrays_come_back(given_as: str, sent_as: str, codec: wire.Codec) -> None:
    values = np.array([[0, 1], [1, 0], [1, 1]]).astype(given_as)
    described, data = wire.part("x", values, codec=codec)
    assert described["dtype"] == sent_as
    assert described["shape"] == [3, 2]
    assert described["n"] == 6
    np.testing.assert_array_equal(read(described, data), values)


def test_a_chosen_type_is_kept_exactly() -> None:
    values = np.array([1 / 3, np.nan, np.inf])
    np.testing.assert_array_equal(read(*wire.part("x", values, dtype="f8")), values)


def test_no_copy_where_none_is_needed() -> None:
    values = np.arange(5, dtype="<f4")
    _, data = wire.part("x", values)
    values[0] = 9
    assert np.frombuffer(data, "<f4")[0] == 9


def test_strided_and_empty_arrays() -> None:
    values = np.arange(10, dtype="<f4")[::3]
    np.testing.assert_array_equal(read(*wire.part("x", values)), values)
    assert read(*wire.part("x", [])).size == 0
    assert read(*wire.part("x", np.empty((0, 3), "<f4"))).shape == (0, 3)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
def test_quantised_values_are_within_half_a_step(values: list[float]) -> None:
    array = np.array(values, dtype=np.float32)
    described, data = wire.part("x", array, codec="q16")
    error = np.abs(read(described, data) - array).max()
    assert error <= described["scale"] * 0.5000001 + 1e-9


@pytest.mark.parametrize(
    ("values", "dtype", "said"),
    [
        (["a"], None, "numbers"),
        ([None], None, "numbers"),
        ([1j], None, "numbers"),
        (np.array(["2020-01-01"], dtype="M8[D]"), None, "numbers"),
        ([1.0], "i8", "numbers"),
        ([2**40], None, "range of int32"),
        ([-1], "u1", "outside 0..255"),
        ([1e300], None, "range of float32"),
        ([1.5], "i4", "fractions"),
        ([np.nan], "i4", "fractions"),
    ],
)
def test_what_cannot_be_sent_is_refused(values: object, dtype: str | None, said: str) -> None:
    with pytest.raises(wire.WireError, match=said) as caught:
        wire.part("the column", values, dtype=dtype)  # type: ignore[arg-type]  # wrong on purpose
    assert "'the column'" in str(caught.value)


def test_quantising_needs_finite_numbers() -> None:
    with pytest.raises(wire.WireError, match="finite"):
        wire.part("x", [np.inf], codec="q16")


def test_a_frame_has_a_part_for_each_buffer() -> None:
    message, buffers = wire.frame("append", 3, {"a": [1.0], "b": [1, 2]}, id="7", run=0)
    assert (message["v"], message["kind"], message["seq"], message["id"]) == (1, "append", 3, "7")
    assert message["run"] == 0
    assert [part["name"] for part in message["parts"]] == ["a", "b"]
    assert [len(buffer) for buffer in buffers] == [4, 8]
    assert "id" not in wire.frame("state", 0, {})[0]
