"""The prediction heatmap in Python: sources, asking, refining, cells, requests of the page."""

from __future__ import annotations

import base64
import gc
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from featrix_client import Predictor
from featrix_notebook import PredictionHeatmap
from tests.client.predicting import ModelServer, probability
from tests.notebook.asking import ask, asking


def sent_values(heatmap: PredictionHeatmap) -> np.ndarray:
    """The values in the bytes that the page gets."""
    spec = heatmap._spec
    n = int(np.prod(spec["shape"]))
    return np.frombuffer(heatmap._cells, "<" + spec["dtype"], n).reshape(spec["shape"])


# ---------------------------------------------------------------------- a grid


def test_a_grid_is_shown_as_it_is_filled(predictor: Predictor) -> None:
    parts = predictor.predict_parts

    def slowly(rows: Any, part: int) -> Iterator[Any]:
        for results in parts(rows, part=part):
            time.sleep(0.15)
            yield results

    predictor.predict_parts = slowly
    grid = predictor.predict_grid(2, (80, 40))
    heatmap = PredictionHeatmap(grid)
    assert np.isnan(heatmap.values).all()
    filled: list[int] = []
    heatmap.observe(lambda change: filled.append(change["new"]["filled"]), "_spec")
    heatmap.refresh_outputs = lambda: filled.append(-1)
    grid.fill({"visits": 3}, {"age": np.linspace(20, 80, 80), "plan": ["gold"] * 40})
    deadline = threading.Event()
    while -1 not in filled and not deadline.wait(0.02):
        assert len(filled) < 50
    assert {2000, 3200} <= set(filled)
    assert np.array_equal(heatmap.values, grid.values)
    assert np.allclose(sent_values(heatmap), grid.values, atol=1e-6)
    assert heatmap._spec["threshold"] == 0.4
    assert heatmap.base_record == {"visits": 3}
    heatmap.cell = (79, 0)
    assert heatmap.record == {"visits": 3, "age": 80.0, "plan": "gold"}
    assert heatmap.prediction is grid.results[(79, 0)]
    heatmap.close()
    grid.fill({}, {"age": np.linspace(20, 30, 80), "plan": ["gold"] * 40})
    assert heatmap.values[79, 0] == pytest.approx(probability({"age": 80, "plan": "gold"}))


def test_cells_filled_one_by_one_know_their_records(predictor: Predictor) -> None:
    grid = predictor.predict_grid(2, (30, 20))
    grid.set_axis_labels(["older", "plan"])
    for row, age in enumerate([30, 50]):
        grid.predict({"age": age, "plan": "basic", "visits": 1}, (row, 1))
    grid.process_batch()
    heatmap = PredictionHeatmap(grid)
    heatmap.cell = (1, 1)
    assert heatmap.record == {"age": 50, "plan": "basic", "visits": 1}
    heatmap.base_record = {"plan": "gold", "visits": 1}
    assert heatmap.wait(10)
    assert heatmap.values[1, 1] == pytest.approx(probability({"age": 50, "plan": "gold"}))
    assert np.isnan(heatmap.values).sum() == 598
    assert heatmap._spec["step"] == 1
    with pytest.raises(ValueError, match="nothing to refine"):
        heatmap.refine()


def test_the_sliders_come_from_the_model_card(model: ModelServer, predictor: Predictor) -> None:
    statistics = {"min": 0.0, "max": 9.0, "mean": 4.0, "std": 2.0}
    columns = [{"name": "visits", "type": "scalar", "statistics": statistics, "unique_values": 10}]
    columns.append({"name": "plan", "type": "set", "statistics": {"gold": 3, "basic": 2}})
    model.card = {"feature_inventory": columns}
    heatmap = PredictionHeatmap(predictor, axes={"age": [20, 40, 60]}, record={"plan": "gold"})
    told = threading.Event()
    heatmap.observe(lambda change: len(change["new"]["controls"]) > 1 and told.set(), "_spec")
    assert len(heatmap._spec["controls"]) > 1 or told.wait(10)
    assert heatmap.wait(10)
    plan, visits = heatmap._spec["controls"]
    assert (plan["kind"], plan["value"], plan["choices"]) == ("category", 0, ["gold", "basic"])
    assert (visits["value"], visits["low"], visits["high"], visits["whole"]) == (None, 0, 9, True)
    assert ("model_card", "predictor_id=p1") in model.bodies


# ---------------------------------------------------------------------- views


def test_views_and_classes() -> None:
    _, heatmap = asking("multi")
    spec = heatmap._spec
    assert spec["views"] == ["value", "confidence", "class"]
    assert spec["classChoices"] == ["stays", "pauses", "leaves"]
    assert len(heatmap._cells) == 15 * (4 + 4 + 1)
    codes = np.frombuffer(heatmap._cells, np.uint8)[-15:]
    labels = [entry["label"] for entry in spec["classes"]["entries"]]
    frame = heatmap.to_frame()
    assert [labels[code - 1] for code in codes] == frame["class"].tolist()
    assert ask(heatmap, "class", choice=2).get("error") is None
    assert heatmap.target_class == "leaves"
    assert not np.allclose(heatmap.values.ravel(), frame["value"])
    assert "no class number 9" in ask(heatmap, "class", choice=9)["error"]
    heatmap.show = "class"
    with pytest.raises(ValueError, match="There is no class 'x'"):
        heatmap.target_class = "x"
    _, numbers = asking("regression")
    assert numbers._spec["views"] == ["value"]
    with pytest.raises(ValueError, match="can show value, not 'class'"):
        numbers.show = "class"


def test_the_colour_scale_never_shrinks_while_a_record_is_varied() -> None:
    _, heatmap = asking("regression")
    low, high = heatmap._spec["limits"]
    heatmap.base_record = {"charge": 20.0}
    assert heatmap.wait(10)
    after = heatmap._spec["limits"]
    assert after[0] < low
    assert after[1] == high > heatmap.values.max()
    _, fixed = asking(limits=(0, 1))
    assert fixed._spec["limits"] == (0, 1)


def test_numbers_too_close_for_32_bits_travel_in_64() -> None:
    assert PredictionHeatmap([[1.0, 2.0]])._spec["dtype"] == "f4"
    for values in ([[1e9, 1e9 + 0.1]], [[-1e308, 1e308]], [[1e300, 1e300]]):
        heatmap = PredictionHeatmap(values)
        assert heatmap._spec["dtype"] == "f8"
        assert sent_values(heatmap).tolist() == values


# ---------------------------------------------------------------------- cells


def test_cells_are_selected_from_both_sides() -> None:
    _, heatmap = asking()
    calls: list[Any] = []
    stop = heatmap.on_click(lambda cell, record: calls.append((cell, record["age"])))
    heatmap.on_click(calls.append)
    assert heatmap.cell is None
    assert heatmap.record is None
    heatmap._cell = [4, 0]  # as the page does
    assert calls == [((4, 0), 90), (4, 0)]
    assert heatmap.record == {"charge": 65.0, "age": 90, "plan": "basic"}
    assert heatmap.prediction.predicted_class == "no"
    stop()
    heatmap._cell = []
    heatmap.cell = (0, 1)
    assert len(calls) == 2
    assert heatmap._cell == [0, 1]
    for wrong in [(5, 0), (0,), (0, -1), (0.5, 1)]:
        with pytest.raises(ValueError, match="is no cell of a heatmap of 5 x 3 cells"):
            heatmap.cell = wrong
    heatmap._cell = [99, 99]  # a page may be behind
    assert heatmap.cell is None
    with pytest.raises(TypeError, match="needs a function"):
        heatmap.on_click(3)


def test_a_cell_tells_the_page_its_record() -> None:
    _, heatmap = asking()
    told = ask(heatmap, "cell", at=[4, 2])
    assert told["record"] == [["charge", "65"], ["age", "90"], ["plan", None]]
    assert told["class"] == "no"
    assert told["warnings"] == ["age: extreme: far from the mean"]
    assert [label for label, _ in told["shares"]] == ["no", "yes"]
    assert "no cell" in ask(heatmap, "cell", at=[5, 0])["error"]
    _, numbers = asking("regression", axes={"plan": ["broken", "basic"]})
    assert ask(numbers, "cell", at=[0])["problem"] == "plan cannot be read"
    assert len(ask(numbers, "cell", at=[1])["interval"]) == 2
    assert numbers._spec["failed"] == 1


def test_three_axes_face_the_optimum() -> None:
    axes = {"age": [20, 50], "plan": ["gold", "basic"], "charge": [20.0, 110.0, 60.0]}
    _, heatmap = asking(axes=axes, record=None)
    assert heatmap.optimum == (1, 1, 1)
    assert heatmap._slice == 1
    heatmap.cell = (0, 0, 2)
    assert heatmap._slice == 2
    assert heatmap.record == {"age": 20, "plan": "gold", "charge": 60.0}


# ---------------------------------------------------------------------- without a kernel


def test_the_stored_output_tells_in_words_and_picture() -> None:
    _, heatmap = asking()
    data = heatmap.mime_bundle()
    assert data["text/plain"].startswith(
        "Probability of churned = yes over age (5 values, 20 to 90) and plan (3 values, basic to "
        "missing). Values from "
    )
    assert "Largest at age = 50, plan = basic" in data["text/plain"]
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert PredictionHeatmap(np.full((2, 2), np.nan)).snapshot_png() is None


HOSTILE = [
    "<script>alert(1)</script>", "\"'`;--", "x" * 10_000,
    "שלום עולם", "👩‍👩‍👧‍👦 family", "", "$a_b$", None,
]  # fmt: skip


def test_hostile_names_and_values_are_shown() -> None:
    table = pd.DataFrame(
        np.linspace(-1, 1, 64).reshape(8, 8), index=HOSTILE, columns=HOSTILE
    ).rename_axis(index=HOSTILE[0], columns=HOSTILE[2])
    table.iloc[0, 0], table.iloc[1, 1], table.iloc[2, 2] = np.inf, -np.inf, np.nan
    heatmap = PredictionHeatmap(table)
    assert heatmap.snapshot_png()
    assert max(len(tick) for tick in heatmap._spec["axes"][0]["ticks"]) <= 60
    many = pd.DataFrame({"kind": [f"k{i}" for i in range(300)], "v": np.arange(300.0)})
    assert PredictionHeatmap(many, x="kind").snapshot_png()
    assert PredictionHeatmap([[5.0]]).snapshot_png()
    assert PredictionHeatmap(np.zeros((2, 1, 3))).snapshot_png()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"shwo": "class"}, TypeError, "Did you mean 'show'"),
        ({"show": "colour"}, ValueError, "show must be one of"),
        ({"limits": (1, 0)}, ValueError, "numbers that rise"),
        ({"limits": 3}, TypeError, "limits must be a pair"),
        ({"height": 10}, ValueError, "between 200 and 4000"),
        ({"height": "tall"}, TypeError, "height must be a number"),
    ],
)
def test_bad_options_are_named(options: dict[str, Any], error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        PredictionHeatmap(np.zeros((2, 2)), **options)


def test_a_closed_heatmap_leaves_nothing_behind(predictor: Predictor) -> None:
    grid = predictor.predict_grid(1, (3,))
    heatmaps = [PredictionHeatmap(grid), asking()[1], PredictionHeatmap(np.eye(3))]
    left = [weakref.ref(heatmap) for heatmap in heatmaps]
    for heatmap in heatmaps:
        heatmap.close()
        heatmap.close()
    del heatmap, heatmaps
    for _ in range(100):  # threads that learn of the ranges may still be ending
        gc.collect()
        if not any(ref() for ref in left):
            break
        time.sleep(0.02)
    assert [ref() for ref in left] == [None, None, None]


def test_other_values_can_be_assigned_to_an_array_alone() -> None:
    heatmap = PredictionHeatmap(np.eye(3))
    heatmap.values = np.eye(3) * 7
    assert sent_values(heatmap)[1, 1] == 7
    assert heatmap._spec["limits"] == (0, 7)
    with pytest.raises(ValueError, match="have the shape"):
        heatmap.values = [1, 2]
    with pytest.raises(ValueError, match="are predictions"):
        asking()[1].values = np.zeros((5, 3))


def test_without_a_predictor_nothing_can_be_asked() -> None:
    heatmap = PredictionHeatmap(np.eye(3))
    with pytest.raises(ValueError, match="no predictor behind this heatmap"):
        heatmap.refine()
    with pytest.raises(ValueError, match="no predictor behind this heatmap"):
        heatmap.base_record = {}
    heatmap.cell = (1, 1)
    assert heatmap.prediction == 1.0
    assert heatmap.record == {"y": 1, "x": 1}
