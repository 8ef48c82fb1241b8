"""The curves of a finished predictor against scikit-learn and theory."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import auc, f1_score, roc_auc_score

from featrix_server.engine.predictors.curves import POINTS, class_curves, number_curves
from featrix_server.engine.predictors.metrics import pr_auc

LABELS = ("no", "yes")


def draw(n: int, seed: int = 0, kinds: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Chances that are true, and classes drawn by them."""
    rng = np.random.default_rng(seed)
    chances = rng.dirichlet([0.7] * kinds, n)
    return chances, (rng.random((n, 1)) > chances.cumsum(1)).sum(1).clip(0, kinds - 1)


@pytest.mark.parametrize("n", [60, 20_000])
def test_two_classes(n):
    chances, y = draw(n)
    told = class_curves(chances, y, LABELS, None, None)
    assert told["rows"] == n
    (yes,) = told["classes"]
    assert yes["label"] == "yes"
    assert all(len(yes[name]) <= POINTS + 1 for name in yes if name not in ("label", "share"))
    roc = auc(yes["false_positive_rate"], yes["true_positive_rate"])
    assert roc == pytest.approx(roc_auc_score(y, chances[:, 1]), abs=0.005)
    precision, gained = np.array(yes["precision"]), np.diff(yes["recall"], prepend=0)
    assert (precision * gained).sum() == pytest.approx(pr_auc(y == 1, chances[:, 1]), abs=0.01)
    assert yes["share"] == pytest.approx(y.mean())
    assert (yes["recall"][-1], yes["true_positive_rate"][0]) == (1, 0)


def test_thresholds():
    chances, y = draw(20_000)
    told = class_curves(chances, y, LABELS, (1.0, 4.0), None)["thresholds"]
    best = told["threshold"][int(np.argmin(told["cost"]))]
    assert best == pytest.approx(1 / 5, abs=0.05)  # theory: C_fp / (C_fp + C_fn)
    assert told["cost"][0] == pytest.approx((y == 0).mean(), abs=1e-4)
    middle = POINTS // 2
    said = chances[:, 1] >= told["threshold"][middle]
    assert told["f1"][middle] == pytest.approx(f1_score(y, said), abs=1e-3)
    assert (told["cost_false_positive"], told["cost_false_negative"]) == (1, 4)


def test_true_chances_are_calibrated():
    chances, y = draw(20_000)
    told = class_curves(chances, y, LABELS, None, None)["calibration"]
    assert sum(told["rows"]) == 20_000
    assert np.allclose(told["chance"], told["share"], atol=0.04)


def test_shares_in_use_weigh_the_rows():
    chances, y = draw(20_000)
    ratio = np.array([0.9, 0.1]) / np.array([0.5, 0.5])
    shifted = chances * ratio
    shifted /= shifted.sum(1, keepdims=True)
    plain = class_curves(chances, y, LABELS, None, None)
    told = class_curves(shifted, y, LABELS, None, ratio[y])
    (yes,) = told["classes"]
    assert yes["share"] == pytest.approx(0.1, abs=0.01)
    area = [
        auc(one["classes"][0]["false_positive_rate"], one["classes"][0]["true_positive_rate"])
        for one in (plain, told)
    ]
    assert area[0] == pytest.approx(area[1], abs=0.005)  # ranks do not know of shares
    calibration = told["calibration"]
    assert np.allclose(calibration["chance"], calibration["share"], atol=0.06)


def test_many_classes():
    chances, y = draw(3_000, kinds=9)
    told = class_curves(chances, y, tuple("abcdefghi"), None, None)
    assert [one["label"] for one in told["classes"]] == list("abcdef")
    assert "thresholds" not in told
    assert np.allclose(told["calibration"]["chance"], told["calibration"]["share"], atol=0.1)
    y[y == 2] = 0  # a class without a validation row has no curve
    told = class_curves(chances, y, tuple("abcdefghi"), None, None)
    assert [one["label"] for one in told["classes"]] == list("abdef")


def test_numbers():
    rng = np.random.default_rng(0)
    actual = rng.normal(size=2_000)
    told = number_curves(actual + 0.1, actual, np.full(2_000, 0.5), 3)
    assert told["rows"] == 2_000
    numbers = {name: np.array(values) for name, values in told["numbers"].items()}
    assert {len(values) for values in numbers.values()} == {400}
    assert np.allclose(numbers["predicted"] - numbers["actual"], 0.1, atol=1e-4)
    assert np.allclose(numbers["high"] - numbers["low"], 1, atol=1e-4)
    assert number_curves(actual + 0.1, actual, np.full(2_000, 0.5), 3) == told
