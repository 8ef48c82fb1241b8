"""The heatmap as a profiler: the record varied from the page, surfaces asked, refined, dropped."""

from __future__ import annotations

import queue
from typing import Any

import numpy as np
import pytest

from featrix_client import Predictor
from featrix_notebook import PredictionHeatmap
from tests.notebook.asking import ask, asking


def test_the_page_sets_a_column_and_the_surface_answers() -> None:
    predictor, heatmap = asking()
    before = heatmap.values
    (charge,) = heatmap._spec["controls"]
    assert (charge["label"], charge["value"]) == ("charge", 65.0)
    answer = ask(heatmap, "vary", values={"0": 105.0}, labels={"0": "charge"})
    assert "error" not in answer
    assert heatmap.wait(10)
    assert (heatmap.values > before).all()
    assert heatmap.base_record == {"charge": 105.0}
    assert heatmap._spec["asked"] == heatmap._spec["answered"]
    assert heatmap._spec["controls"][0]["initial"] == 65.0
    assert predictor.asked[-1][0] == {"charge": 105.0, "age": 20, "plan": "basic"}
    ask(heatmap, "vary", values={"0": None}, labels={"0": "charge"})
    assert heatmap.base_record == {"charge": None}
    heatmap.close()


def test_what_is_stored_follows_a_reader_when_he_turns_away() -> None:
    predictor, heatmap = asking()
    stored: queue.Queue[str] = queue.Queue()
    heatmap._update_outputs = lambda: stored.put(heatmap.summary())

    def vary(charge: float) -> None:
        heatmap._in_use = True
        ask(heatmap, "vary", values={"0": charge}, labels={"0": "charge"})

    vary(105.0)
    assert heatmap.wait(10)
    assert stored.empty(), "the reader may still be at it"
    heatmap._in_use = False
    assert stored.get(timeout=10) == heatmap.summary()
    predictor.gate.clear()
    vary(20.0)
    heatmap._in_use = False
    predictor.gate.set()
    assert heatmap.wait(10)
    assert stored.get(timeout=10) == heatmap.summary(), "the answer came later"
    heatmap._in_use = True
    heatmap._in_use = False
    heatmap.base_record = {"charge": 30.0}
    assert heatmap.wait(10)
    assert (stored.qsize(), stored.get()) == (1, heatmap.summary())
    heatmap.close()


@pytest.mark.parametrize("given", ["much", float("nan"), [1], {"a": 1}])
def test_a_wish_that_means_nothing_is_refused(given: Any) -> None:
    _, heatmap = asking()
    answer = ask(heatmap, "vary", values={"0": given}, labels={"0": "charge"})
    assert "'charge' cannot be set to" in answer["error"]
    answer = ask(heatmap, "vary", values={"0": 1.0}, labels={"0": "age"})
    assert "others by now" in answer["error"]
    assert heatmap.base_record == {"charge": 65.0}


def test_only_the_newest_wish_is_asked() -> None:
    predictor, heatmap = asking()
    done = len(predictor.asked)
    predictor.gate.clear()
    for charge in range(20, 40):
        heatmap.base_record = {"charge": float(charge)}
    assert heatmap._spec["asked"] > heatmap._spec["answered"]
    predictor.gate.set()
    assert heatmap.wait(10)
    asked = [records[0]["charge"] for records in predictor.asked[done:]]
    assert asked == [20.0, 39.0]
    assert heatmap.prediction is None
    assert heatmap._surface.record(0)["charge"] == 39.0


def test_a_large_surface_is_seen_coarsely_first_and_dropped_for_a_newer_wish() -> None:
    axes = {"age": list(np.linspace(18, 90, 60)), "charge": list(np.linspace(18, 119, 60))}
    predictor, heatmap = asking(axes=axes, record={"plan": "gold"})
    steps: list[tuple[int, float]] = []
    heatmap.observe(
        lambda change: steps.append((change["new"]["step"], heatmap._surface.base["plan"])), "_spec"
    )
    done = len(predictor.asked)
    predictor.gate.clear()
    heatmap.base_record = {"plan": "basic"}
    heatmap.base_record = {"plan": None}
    predictor.gate.set()
    assert heatmap.wait(10)
    sizes = [(records[0]["plan"], len(records)) for records in predictor.asked[done:]]
    assert sizes[0] == ("basic", 400)
    assert [plan for plan, _ in sizes[1:]] == [None] * (len(sizes) - 1)
    assert sum(size for _, size in sizes[1:]) == 3600
    assert (3, "basic") in steps
    assert steps[-1] == (1, None)


def test_a_failure_is_told_and_the_last_answer_stays() -> None:
    predictor, heatmap = asking()
    before = heatmap.values
    predictor.failure = ConnectionError("<b>gone</b>")
    heatmap.base_record = {"charge": 99.0}
    assert heatmap.wait(10)
    assert heatmap._spec["problem"] == "<b>gone</b>"
    assert np.array_equal(heatmap.values, before)
    predictor.failure = None
    heatmap.base_record = {"charge": 99.0}
    assert heatmap.wait(10)
    assert heatmap._spec["problem"] is None
    assert not np.array_equal(heatmap.values, before)


def test_an_axis_that_changes_nothing_is_refused(predictor: Predictor) -> None:
    heatmap = PredictionHeatmap(predictor, axes={"shoe size": [1, 2, 3]}, ranges={})
    assert heatmap.wait(10)
    assert "does not use the column 'shoe size'" in heatmap._spec["problem"]
    assert "age, plan, visits" in heatmap._spec["problem"]


def test_refining_narrows_the_axes_and_back_returns() -> None:
    _, heatmap = asking(axes={"age": [20, 35, 50, 65, 90], "plan": ["gold", "basic"]})
    assert heatmap.optimum == (2, 1)
    heatmap.cell = (2, 1)
    before = heatmap.values
    assert heatmap._spec["canRefine"]
    heatmap.refine()
    assert heatmap.wait(10)
    assert heatmap._spec["axes"][0]["ticks"] == [35, 42, 50, 58, 65]
    assert heatmap._spec["axes"][1]["ticks"] == ["gold", "basic"]
    assert heatmap.cell is None
    assert heatmap.values.max() >= before.max()
    assert ask(heatmap, "back").get("error") is None
    assert heatmap.wait(10)
    assert np.array_equal(heatmap.values, before)
    assert not heatmap._spec["canReturn"]
    with pytest.raises(ValueError, match="Nothing was refined"):
        heatmap.back()


def test_columns_alone_make_axes_from_their_ranges() -> None:
    _, heatmap = asking(axes=["age", "plan"])
    assert heatmap._spec["shape"] == [25, 3]
    assert heatmap._spec["axes"][0]["ticks"][::24] == [18, 90]
    with pytest.raises(ValueError, match="The range of 'note' is not known"):
        asking(axes=["note"])
    with pytest.raises(ValueError, match="A predictor needs axes"):
        asking(axes=None)
