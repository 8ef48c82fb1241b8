"""Drift: the stability index, what chance explains, and distributions that become others."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from featrix_server.engine import DriftReference
from featrix_server.engine.columns import ColumnSpec, encoder_for
from featrix_server.engine.drift import ColumnReference, answer_counts, chance_limit, psi


def reference(type: str, values: list[Any]) -> DriftReference:
    encoder = encoder_for(type).fit(ColumnSpec("x", type), values, seed=0)
    return DriftReference({"x": ColumnReference(encoder, values)}, {})


def drift(of: DriftReference, values: list[Any]) -> list[tuple[str | None, int]]:
    records = [{"x": value} for value in values]
    return [(one.column, one.n) for one in of.compare(records, [])]


def test_the_index_is_that_of_the_formula() -> None:
    expected, actual = np.array([5000, 3000, 2000]), np.array([300, 300, 400])
    # by hand: (.3 - .5) ln(.3/.5) + 0 + (.4 - .2) ln(.4/.2)
    assert psi(expected, actual) == pytest.approx(0.2408, abs=2e-3)
    assert psi(expected, expected / 10) == pytest.approx(0, abs=1e-4)
    assert np.isfinite(psi(np.array([10, 0]), np.array([0, 10])))


def test_chance_explains_what_samples_of_one_distribution_show() -> None:
    rng = np.random.default_rng(0)
    shares = np.array([0.3, 0.2, 0.2, 0.1, 0.1, 0.05, 0.05])
    limit = chance_limit(400, 250, len(shares))
    found = [psi(rng.multinomial(400, shares), rng.multinomial(250, shares)) for _ in range(4000)]
    assert 0 < np.mean(np.array(found) > limit) < 0.005  # one in a thousand is what it says


RNG = np.random.default_rng(1)
START = datetime(2020, 1, 1)
SAMPLES: dict[str, tuple[Any, Any]] = {
    "scalar": (lambda n: RNG.normal(5, 2, n).tolist(), lambda n: RNG.normal(7, 2, n).tolist()),
    "set": (
        lambda n: RNG.choice(["a", "b", "c"], n, p=[0.6, 0.3, 0.1]).tolist(),
        lambda n: RNG.choice(["a", "b", "c"], n, p=[0.1, 0.3, 0.6]).tolist(),
    ),
    "free_string": (
        lambda n: [f"good words and {word}" for word in RNG.choice(list("abcdef"), n)],
        lambda n: [f"entirely different {word * 9}" for word in RNG.choice(list("xyz"), n)],
    ),
    "timestamp": (
        lambda n: [START + timedelta(days=int(day)) for day in RNG.integers(0, 300, n)],
        lambda n: [START + timedelta(days=3000 + int(day)) for day in RNG.integers(0, 300, n)],
    ),
}


@pytest.mark.parametrize("type", SAMPLES)
def test_a_column_that_becomes_another_one_is_found_and_no_other(type: str) -> None:
    same, other = SAMPLES[type]
    of = reference(type, same(600))
    assert drift(of, same(400)) == []
    assert drift(of, other(400)) == [("x", 400)]
    assert drift(of, other(199)) == []  # too few to say


def test_missing_values_are_drift_but_columns_that_are_not_sent_say_nothing() -> None:
    of = reference("scalar", SAMPLES["scalar"][0](600))
    assert drift(of, [None] * 300) == [("x", 300)]
    assert of.compare([{"y": 1}] * 300, []) == []


def test_categories_never_seen_are_drift() -> None:
    of = reference("set", SAMPLES["set"][0](600))
    assert drift(of, ["a"] * 150 + ["new"] * 150) == [("x", 300)]


def test_a_constant_column_stays_as_it_is() -> None:
    for type, value in (("scalar", 3.0), ("set", "x")):
        of = reference(type, [value] * 300)
        assert drift(of, [value] * 300) == []


def test_answers_that_become_others() -> None:
    rng = np.random.default_rng(0)
    classes = answer_counts(rng.choice(2, 400, p=[0.7, 0.3]), ["no", "yes"])
    of = DriftReference({}, classes)
    assert of.compare([], rng.choice(["no", "yes"], 300, p=[0.7, 0.3]).tolist()) == []
    (found,) = of.compare([], ["yes"] * 300)
    assert (found.column, found.n) == (None, 300)
    assert found.psi > found.limit
    numbers = DriftReference({}, answer_counts(rng.normal(size=400), ()))
    assert numbers.compare([], rng.normal(size=300).tolist()) == []
    assert len(numbers.compare([], (rng.normal(size=300) + 2).tolist())) == 1


def test_answers_are_weighted_as_the_classes_are_in_use() -> None:
    predicted = np.array([0] * 50 + [1] * 50)
    weight = np.array([9.0] * 50 + [1.0] * 50)
    counts = answer_counts(predicted, ["no", "yes"], weight)["counts"]
    assert counts == pytest.approx([90, 10])
