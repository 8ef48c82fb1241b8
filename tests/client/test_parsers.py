"""Whatever is handed in as a record or as the frame of a grid: read, or refused in words."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featrix_client.errors import FeatrixInputError
from featrix_client.grid_axes import checked_position, checked_shape, read_axes
from featrix_client.records import clean

PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.decimals()
    | st.dates()
    | st.datetimes()
    | st.times()
    | st.timedeltas()
    | st.complex_numbers()
    | st.uuids()
)
ANYTHING = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text() | st.integers() | st.dates(), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(ANYTHING)
def test_any_value_becomes_json(value):
    plain = clean(value)
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert clean(plain) == plain


@settings(deadline=None)
@given(ANYTHING | st.integers(-1, 4), ANYTHING | st.lists(st.integers(-1, 9), max_size=4))
def test_any_shape_and_position_of_a_grid_is_read_or_refused(degrees, size):
    try:
        shape = checked_shape(degrees, size)
    except FeatrixInputError:
        shape = (3, 4)
    assert 1 <= len(shape) <= 3
    assert min(shape) >= 1
    try:
        position = checked_position(size, shape)
    except FeatrixInputError:
        return
    assert all(0 <= at < room for at, room in zip(position, shape, strict=True))


@settings(deadline=None)
@given(st.dictionaries(st.text(), ANYTHING, max_size=3))
def test_any_axes_of_a_grid_are_read_or_refused(axes):
    try:
        found = read_axes(axes, (2, 2))
    except FeatrixInputError:
        return
    assert [len(axis.ticks) for axis in found] == [2, 2]


def test_a_number_that_is_none_is_missing():
    assert clean({"a": Decimal("sNaN")}) == {"a": None}
    with pytest.raises(FeatrixInputError):
        checked_shape(2, (0, 3))
