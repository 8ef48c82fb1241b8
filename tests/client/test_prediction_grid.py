"""Prediction grids: their frame, filling them, reading them while they fill."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from featrix_client import FeatrixInputError, FeatrixWarning
from tests.client.predicting import probability
from tests.client.scripted import Answer

AGES = [20.0, 40.0, 60.0]
PLANS = ["gold", "basic"]


def test_the_shape_fits_the_degrees_of_freedom(predictor):
    assert predictor.predict_grid().shape == (10, 10)
    assert predictor.predict_grid(1).shape == (10,)
    assert predictor.predict_grid(1, (7,)).shape == (7,)
    assert predictor.predict_grid(3, [np.int64(2), 3, 4]).shape == (2, 3, 4)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((0,), "degrees_of_freedom must be 1, 2 or 3, not 0"),
        ((4, (2, 2, 2, 2)), "degrees_of_freedom must be 1, 2 or 3, not 4"),
        ((True, (2,)), "degrees_of_freedom must be"),
        ((1.5,), "degrees_of_freedom must be"),
        ((3,), r"3 whole numbers(.|\n)*grid_shape=\(10, 10, 10\)"),
        ((2, (10,)), "2 whole numbers"),
        ((1, (3, 3)), "1 whole number of at least 1"),
        ((2, (3, 0)), "2 whole numbers of at least 1"),
        ((2, (3, 2.5)), "2 whole numbers of at least 1"),
        ((2, 10), "2 whole numbers of at least 1"),
    ],
)
def test_shapes_that_do_not_fit(predictor, arguments, says):
    with pytest.raises(ValueError, match=says):
        predictor.predict_grid(*arguments)


def test_cells_are_queued_and_filled_as_one_batch(model, predictor):
    grid = predictor.predict_grid(2, (2, 3))
    assert grid.process_batch() == 0
    assert model.bodies == []
    grid.predict({"age": 20}, (0, 0))
    grid.predict({"age": 99}, (1, np.int64(2)))
    grid.predict({"age": 60}, [1, 2])  # replaces the one before
    assert (grid.queued, grid.values.shape) == (2, (2, 3))
    assert np.isnan(grid.values).all()
    assert grid.process_batch() == 2
    assert model.bodies[0][1]["records"] == [{"age": 20}, {"age": 60}]
    assert grid.values[0, 0] == probability({"age": 20})
    assert grid.values[1, 2] == probability({"age": 60})
    assert np.isnan(grid.values).sum() == 4
    assert grid.queued == 0
    assert grid.results[1, 2].predicted_class == "yes"
    grid.predict({"age": 30}, (0, 0))
    assert grid.process_batch() == 1
    assert grid.values[0, 0] == probability({"age": 30})
    assert repr(grid) == "PredictionGrid(2 x 3: axis 0, axis 1; 2 cells filled)"


@pytest.mark.parametrize("bad", [(2, 0), (0, -1), (0,), (0, 0, 0), 0, "00", (0.0, 0), None])
def test_positions_out_of_the_grid(predictor, bad):
    grid = predictor.predict_grid(2, (2, 3))
    with pytest.raises(ValueError, match=r"no position(.|\n)*from \(0, 0\) to \(1, 2\)"):
        grid.predict({"age": 1}, bad)
    assert grid.queued == 0


def test_one_axis_takes_a_bare_index(predictor):
    grid = predictor.predict_grid(1, (3,))
    grid.predict({"age": 20}, 1)
    grid.process_batch()
    assert np.isfinite(grid.values).tolist() == [False, True, False]
    with pytest.raises(ValueError, match="record must be a dict"):
        grid.predict([1], 0)


def test_filling_along_two_columns(model, predictor):
    grid = predictor.predict_grid(2, (3, 2))
    assert grid.fill({"visits": 3, "age": 0}, {"age": AGES, "plan": PLANS}) == 6
    assert len(model.bodies) == 1
    assert model.bodies[0][1]["records"][3] == {"visits": 3, "age": 40.0, "plan": "basic"}
    expected = [[probability({"age": age, "plan": plan}) for plan in PLANS] for age in AGES]
    assert grid.values.tolist() == expected
    assert (grid.axis_labels, grid.axis_values) == (["age", "plan"], [AGES, PLANS])
    assert (grid.threshold, grid.shown_class) == (0.4, "yes")
    assert grid.get_optimal_position() == (2, 1)
    assert grid.get_optimal_position(maximize=False) == (0, 0)
    frame = grid.to_frame()
    pd.testing.assert_frame_equal(
        frame,
        pd.DataFrame(
            {
                "age": np.repeat(AGES, 2),
                "plan": PLANS * 3,
                "value": np.ravel(expected),
            }
        ),
    )


def test_filling_along_whole_records(predictor):
    people = [{"age": 20, "plan": "gold"}, {"age": 70, "plan": "basic"}]
    grid = predictor.predict_grid(3, (2, 1, 2))
    grid.fill({"visits": 1}, {"person": people, "visits": [5], "plan": ["gold", None]})
    assert grid.axis_values == [[0, 1], [5], ["gold", None]]
    assert grid.values[1, 0, 0] == probability({"age": 70, "plan": "gold"})
    assert grid.values[1, 0, 1] == probability({"age": 70})


@pytest.mark.parametrize(
    ("axes", "says"),
    [
        ({"age": AGES}, r"3 values, the grid 3 x 2(.|\n)*predict_grid\(1, grid_shape=\(3,\)\)"),
        ({"age": PLANS, "plan": PLANS}, "2 x 2 values, the grid 3 x 2 cells"),
        ({}, "no values, the grid 3 x 2 cells"),
        (["age", "plan"], "axes must be a dict"),
        ({"age": AGES, "plan": "gold"}, "axis 'plan' needs a list"),
        ({"age": AGES, "plan": 5}, "axis 'plan' needs a list"),
        ({"age": AGES, "who": [{"plan": "gold"}, 5]}, "mixes values and whole records"),
    ],
)
def test_axes_that_do_not_fit(model, predictor, axes, says):
    grid = predictor.predict_grid(2, (3, 2))
    with pytest.raises(ValueError, match=says):
        grid.fill({}, axes)
    assert (model.bodies, grid.queued, grid.axis_labels) == ([], 0, ["axis 0", "axis 1"])


def test_an_axis_that_changes_nothing_is_refused(predictor):
    grid = predictor.predict_grid(1, (2,))
    with pytest.raises(FeatrixInputError, match=r"column 'aeg'(.|\n)*age, plan, visits"):
        grid.fill({}, {"aeg": [1, 2]})
    assert grid.queued == 0
    assert np.isnan(grid.values).all()
    assert grid.fill({}, {"age": [1, 2]}) == 2


def test_a_refused_filling_leaves_the_grid_as_it_was(predictor):
    grid = predictor.predict_grid(1, (2,))
    grid.fill({}, {"age": [20, 60]})
    grid.predict({"age": 30}, 0)
    before = grid.values, grid.axis_labels, grid.axis_values, grid.queued
    with pytest.raises(ValueError, match=r"columns of the axis 'who' \(shoe, hat\)"):
        grid.fill({"age": 5}, {"who": [{"shoe": 44}, {"hat": 7}]})
    np.testing.assert_array_equal(grid.values, before[0])
    assert (grid.axis_labels, grid.axis_values, grid.queued) == before[1:]


def test_cells_appear_while_the_batch_runs(model, predictor, capsys):
    grid = predictor.predict_grid(2, (100, 50))
    heard = []

    def listen(positions, values):
        assert (positions.dtype, values.dtype) == ("int64", "float64")
        assert (grid.values[tuple(positions.T)] == values).all()
        heard.append((positions.shape, int(np.isfinite(grid.values).sum()), len(model.bodies)))

    stop = grid.on_fill(listen)
    axes = {"age": np.linspace(0, 90, 100), "visits": range(50)}
    assert grid.fill({}, axes, show_progress=True) == 5000
    assert heard == [((2000, 2), 2000, 1), ((2000, 2), 4000, 2), ((1000, 2), 5000, 3)]
    assert "5000/5000" in capsys.readouterr().err
    stop()
    stop()
    grid.fill({}, axes)
    assert len(heard) == 3


def test_what_has_arrived_stays_when_a_batch_breaks(model, predictor):
    grid = predictor.predict_grid(1, (3000,))

    def interrupt(positions, values):
        raise KeyboardInterrupt

    stop = grid.on_fill(interrupt)
    with pytest.raises(KeyboardInterrupt):
        grid.fill({}, {"age": range(3000)})
    assert (np.isfinite(grid.values).sum(), grid.queued) == (2000, 1000)
    stop()
    assert grid.process_batch() == 1000
    assert np.isfinite(grid.values).all()


def test_records_that_fail_leave_their_cells_empty(predictor):
    grid = predictor.predict_grid(1, (3,))
    with pytest.warns(FeatrixWarning, match=r"1 of 3 cells(.|\n)*\(1,\): age cannot be read"):
        assert grid.fill({}, {"age": [1, "broken", 3]}) == 2
    assert np.isnan(grid.values).tolist() == [False, True, False]
    assert grid.results[1,].error == "age cannot be read"


def test_several_classes(model, predictor):
    model.kind = "multi"
    grid = predictor.predict_grid(1, (5,))
    grid.fill({}, {"age": [10, 20, 30, 70, 90]})
    assert grid.shown_class == "low"  # predicted most often
    p = np.array([probability({"age": age}) for age in (10, 20, 30, 70, 90)])
    assert np.allclose(grid.values, (1 - p) ** 2)
    grid.target_class = "high"
    assert np.allclose(grid.values, p**2)
    assert grid.get_optimal_position() == (4,)
    assert grid.threshold is None
    grid.target_class = "huge"
    with pytest.raises(ValueError, match=r"no class of 'churned'(.|\n)*high, low, middle"):
        _ = grid.values


def test_numbers(model, predictor):
    model.kind = "regression"
    grid = predictor.predict_grid(1, (3,))
    grid.fill({}, {"age": [60, 20, 60]})
    assert np.allclose(grid.values, [100 * probability({"age": age}) for age in (60, 20, 60)])
    assert (grid.shown_class, grid.threshold) == (None, None)
    assert grid.get_optimal_position() == (0,)  # the first of two
    grid.target_class = "yes"
    with pytest.raises(ValueError, match="It predicts numbers"):
        _ = grid.values


def test_the_records_of_the_cells_are_kept(predictor):
    grid = predictor.predict_grid(2, (3, 2))
    grid.fill({"visits": 3}, {"age": AGES, "plan": PLANS})
    assert grid.base_record == {"visits": 3}
    assert [axis.label for axis in grid.axes] == ["age", "plan"]
    assert grid.records[2, 1] == {"visits": 3, "age": 60.0, "plan": "basic"}
    assert grid.meaning == "probability of churned = yes"
    grid.predict({"age": 1}, (0, 0))
    assert grid.records[0, 0] == {"visits": 3, "age": 20.0, "plan": "gold"}
    grid.process_batch()
    assert grid.records[0, 0] == {"age": 1}


def test_an_empty_grid_has_no_best_cell(predictor):
    grid = predictor.predict_grid(1, (3,))
    with pytest.raises(ValueError, match="No cell of the grid is filled"):
        grid.get_optimal_position()
    assert grid.to_frame()["value"].isna().all()


def test_axis_labels(predictor):
    grid = predictor.predict_grid(2, (2, 2))
    grid.set_axis_labels(["Age", "Plan"])
    assert list(grid.to_frame().columns) == ["Age", "Plan", "value"]
    for bad in (["Age"], ["a", "a"], "Age", ["a", "b", "c"]):
        with pytest.raises(ValueError, match="2 axes and needs a name of its own for each"):
            grid.set_axis_labels(bad)


def test_a_refusal_of_the_server_keeps_the_queue(model, predictor):
    grid = predictor.predict_grid(1, (2,))
    grid.predict({"age": 1}, 0)
    model.failure = Answer({"error": "busy with something", "code": "conflict"}, 409)
    with pytest.raises(Exception, match="busy with something"):
        grid.process_batch()
    model.failure = None
    assert grid.process_batch() == 1
