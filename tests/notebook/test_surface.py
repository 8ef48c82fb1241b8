"""Surfaces of predictions: where they come from, what they hold, how they are asked for."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from featrix_client.grid_axes import Axis, read_axes
from featrix_notebook.surface import FIRST_CELLS, PART_CELLS, Surface, looks, narrowed
from featrix_notebook.surface_sources import read_source
from featrix_notebook.what_if import NewestOnly, card_ranges, read_ranges
from tests.notebook.asking import CARD, AnyPredictor


def read(source: Any, x: Any = None, y: Any = None, z: Any = None, **given: Any) -> Surface:
    wishes = {"values": None, "axes": None, "record": None, "ranges": None} | given
    return read_source(source, (x, y, z), **wishes).surface


def axes(**columns: list[Any]) -> list[Axis]:
    return read_axes(columns, tuple(map(len, columns.values())))


# ------------------------------------------------------------------- arrays and tables


def test_an_array_has_its_second_axis_across() -> None:
    values = np.arange(6.0).reshape(2, 3)
    surface = read(values, x=("age", [20, 40, 60]), y=["basic", "gold"])
    assert surface.axis_labels == ["y", "age"]
    assert surface.axis_values == [["basic", "gold"], [20, 40, 60]]
    assert np.array_equal(surface.values, values)
    assert surface.record(5) == {"y": "gold", "age": 60}
    assert surface.optimum == (1, 2)


def test_three_dimensions_have_x_y_and_z() -> None:
    surface = read(np.zeros((2, 3, 4)), z=("site", list("abcd")))
    assert surface.axis_labels == ["y", "x", "site"]
    with pytest.raises(ValueError, match="z was given, but the values have 2 axes"):
        read(np.zeros((2, 3)), z=[1])


def test_a_table_stands_as_it_is_or_one_row_a_cell() -> None:
    wide = pd.DataFrame(
        [[1.0, 2.0, np.nan], [4.0, 5.0, 6.0]],
        index=pd.Index(["a", "b"], name="plan"),
        columns=pd.Index([10, 20, 30], name="age"),
    )
    tidy = wide.stack().rename("score").reset_index().sample(frac=1, random_state=0)
    for surface in (read(wide), read(tidy, x="age", y="plan")):
        assert surface.axis_labels == ["plan", "age"]
        assert surface.axis_values[1] == [10, 20, 30]
        by_plan = dict(zip(surface.axis_values[0], surface.values.tolist(), strict=True))
        assert by_plan["b"] == [4, 5, 6]
        assert by_plan["a"][:2] == [1, 2]
        assert math.isnan(by_plan["a"][2])
    assert read(tidy, x="age", y="plan").meaning == "score"


def test_what_a_table_lacks_is_named() -> None:
    table = pd.DataFrame({"age": [1, 1], "plan": ["a", "a"], "score": [1.0, 2.0]})
    with pytest.raises(ValueError, match=r"no column 'plam'\. Did you mean 'plan'"):
        read(table, x="age", y="plam")
    with pytest.raises(ValueError, match="Several rows of the table fall into one cell"):
        read(table, x="age", y="plan")


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        (object(), TypeError, "cannot show a object"),
        ([["a", "b"]], ValueError, "must be numbers"),
        (np.zeros((0, 3)), ValueError, "0 cells"),
        (np.zeros((1, 1, 1, 1)), ValueError, "4 dimensions"),
        (3.0, TypeError, "cannot show a float"),
    ],
)
def test_a_source_that_is_none_is_refused(source: Any, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        read(source)


def test_axes_must_fit() -> None:
    with pytest.raises(ValueError, match="x has 2 values; the array has 3 cells"):
        read(np.zeros((2, 3)), x=[1, 2])
    with pytest.raises(TypeError, match="x needs a list of values"):
        read(np.zeros((2, 3)), x="abc")
    with pytest.raises(ValueError, match="axes is for a predictor"):
        read(np.zeros((2, 3)), axes={"a": [1]})


# ------------------------------------------------------------------- other clients


class ForeignGrid:
    """A grid as another client gives it away: everything in one dict."""

    def __init__(self, **data: Any) -> None:
        self.data = {
            "grid_shape": [2, 2],
            "axis_labels": ["age", "plan"],
            "axis_values": [[20, 40], []],
            "prediction_matrices": {
                "yes": [[0.3, 0.9], [0.6, 0.0]],
                "no": [[0.7, 0.1], [0.4, 0.0]],
            },
            "confidence_matrix": [[0.7, 0.9], [0.6, 0.0]],
            "filled_positions": [[0, 0], [0, 1], [1, 0]],
        } | data

    def export_data(self) -> dict[str, Any]:
        return self.data


def test_a_grid_of_another_client() -> None:
    surface = read(ForeignGrid())
    assert surface.axis_values == [[20, 40], [0, 1]]
    assert surface.filled == 3
    assert surface.to_frame()["class"].fillna("-").tolist() == ["no", "yes", "yes", "-"]
    assert surface.shown_class == "yes"
    assert np.isnan(surface.values[1, 1])
    numbers = read(ForeignGrid(prediction_matrices={"price": [[1, 2], [3, 4]]}))
    assert numbers.values[1, 0] == 3
    assert not numbers.classes
    with pytest.raises(ValueError, match="'no' has the shape"):
        read(ForeignGrid(prediction_matrices={"yes": [[1, 1], [1, 1]], "no": [1]}))


# ------------------------------------------------------------------- answers


def test_answers_become_layers() -> None:
    surface = Surface(axes(age=[20, 50, 90], plan=["basic", "broken"]), target="churned")
    predictor = AnyPredictor()
    records = [surface.record(place) for place in range(surface.size)]
    assert records[3] == {"age": 50, "plan": "broken"}
    surface.put(range(surface.size), [predictor.one(record) for record in records])
    assert surface.filled == 3
    assert surface.threshold == 0.4
    assert surface.meaning == "probability of churned = yes"
    assert surface.optimum == (1, 0)
    frame = surface.to_frame()
    assert frame["class"].fillna("-").tolist() == ["no", "-", "yes", "-", "no", "-"]
    assert frame["confidence"].isna().tolist() == [False, True] * 3
    surface.target_class = "no"
    assert surface.threshold is None  # it is where "yes" begins
    assert surface.values[1, 0] == pytest.approx(1 - frame["value"][2])


def test_the_optimum_is_finite() -> None:
    surface = read([[np.inf, 1.0], [np.nan, -np.inf]])
    assert surface.optimum == (0, 1)
    surface.layers[""][:] = np.inf
    assert surface.optimum is None


def test_a_first_look_covers_everything() -> None:
    for shape in [(100, 100), (7,), (1, 1), (30, 30, 30), (1, 5000)]:
        (step, first), *rest = looks(shape)
        assert len(first) <= FIRST_CELLS
        assert all(len(places) <= PART_CELLS for _, places in rest)
        together = np.concatenate([first, *(places for _, places in rest)])
        assert np.array_equal(np.sort(together), np.arange(math.prod(shape)))
        surface = Surface([Axis(str(i), list(range(n)), [], False) for i, n in enumerate(shape)])
        surface.put(first.tolist(), [SimpleNamespace(prediction=float(i)) for i in first])
        surface.spread(step)
        assert surface.filled == surface.size
        assert surface.values.ravel()[first].tolist() == first.tolist()


def test_an_axis_is_narrowed_around_a_place() -> None:
    (charge, age, plan) = axes(
        charge=[0.0, 10.0, 20.0, 30.0], age=[20, 30, 40], plan=["a", "b", "c"]
    )
    assert narrowed(charge, 1).ticks == pytest.approx([0, 20 / 3, 40 / 3, 20])
    assert narrowed(charge, 3).steps[0] == {"charge": 20.0}
    assert narrowed(age, 0).ticks == [20, 25, 30]
    (few,) = axes(age=[3, 4, 5, 6, 7])
    assert narrowed(few, 2).ticks == [4, 5, 6]  # there is no half a year
    assert narrowed(plan, 1) is plan


# ------------------------------------------------------------------- ranges


def test_ranges_come_from_a_card_a_table_or_a_dict() -> None:
    card = card_ranges(CARD)
    assert list(card) == ["age", "charge", "plan"]
    assert (card["age"].low, card["age"].high, card["age"].whole) == (18, 90, True)
    assert not card["charge"].whole
    assert card["plan"].choices == ("basic", "gold", "trial")
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": [*rng.normal(0, 1, 500), 1e9], "kind": ["a", "b", None] * 167})
    found = read_ranges(table)
    assert found["x"].high < 1e9  # one wild value must not squeeze the slider
    assert found["kind"].choices == ("a", "b")
    given = read_ranges({"age": (18, 90), "plan": ["a", "a", "b"]})
    assert given["age"].ticks(3) == [18, 54, 90]
    assert given["plan"].ticks(9) == ["a", "b"]


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ([1], TypeError, "must be a table or a dict"),
        ({"a": 3}, TypeError, "The range of 'a'"),
        ({"a": []}, ValueError, "The range of 'a' is empty"),
    ],
)
def test_a_range_that_says_nothing_is_refused(given: Any, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        read_ranges(given)


def test_only_the_newest_job_is_done() -> None:
    worker, gate = NewestOnly("test"), AnyPredictor().gate
    gate.clear()
    done: list[Any] = []
    worker.do(lambda stale: (gate.wait(10), done.append(("first", stale()))))
    for name in ("second", "third", "fourth"):
        worker.do(lambda stale, name=name: done.append((name, stale())))
    assert not worker.wait(0.02)
    gate.set()
    assert worker.wait(10)
    assert done == [("first", True), ("fourth", False)]
    worker.close()
    worker.do(lambda stale: done.append("late"))
    assert worker.wait(1)
    assert len(done) == 2
