"""Scores, weights, calibration, thresholds and intervals against theory and other code."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from featrix_server.engine.predictors import blend, deciding, metrics
from featrix_server.engine.predictors.boosting import RANDOM_FOREST, VARIANTS, BoostedMember
from featrix_server.engine.predictors.data import divide
from featrix_server.engine.predictors.linear import LinearMember
from featrix_server.engine.predictors.members import log_softmax, mean_loss


def draw(n, seed=0, sharpness=1.0):
    """Chances that are true, rows drawn from them, and log-probabilities told with a sharpness."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(-1, 1.5, n)
    chance = 1 / (1 + np.exp(-logit))
    positive = rng.random(n) < chance
    told = log_softmax(np.stack([np.zeros(n), logit * sharpness], 1))
    return chance, positive, told


def test_scores_agree_with_scikit_learn():
    rng = np.random.default_rng(1)
    positive = rng.random(400) < 0.3
    score = np.round(rng.random(400) + positive * 0.4, 1)  # with ties
    assert metrics.roc_auc(positive, score) == pytest.approx(roc_auc_score(positive, score))
    assert metrics.pr_auc(positive, score) == pytest.approx(
        average_precision_score(positive, score)
    )
    chances = rng.dirichlet([1, 1, 1], 400)
    y = rng.integers(3, size=400)
    found = metrics.class_metrics(chances, y)
    wanted = roc_auc_score(y, chances, multi_class="ovr")
    assert found["roc_auc"] == pytest.approx(wanted)
    assert found["f1"] == pytest.approx(f1_score(y, chances.argmax(1), average="macro"))


def test_calibration_error_of_known_chances():
    chance, positive, _ = draw(50_000)
    assert metrics.calibration_error(positive, chance) < 0.01
    assert metrics.calibration_error(positive, np.minimum(chance + 0.2, 1)) > 0.15


@pytest.mark.parametrize("sharpness", [0.7, 1.0, 1.6])
@pytest.mark.parametrize("n", [80, 1_000, 20_000])
def test_calibration_never_hurts(n, sharpness):
    _, positive, told = draw(n, seed=n, sharpness=sharpness)
    y = positive.astype(float)
    found = blend.calibrate(told, y, np.random.default_rng(0))
    assert mean_loss(found.apply(told), y, 2) <= mean_loss(told, y, 2)
    assert found.reason
    if n == 20_000:
        assert found.value == pytest.approx(sharpness, rel=0.05)


def test_weights_follow_the_rows_when_there_are_many_and_the_prior_when_few():
    prior = {"good": 0.5, "bad": 0.5}
    for n, low, high in ((10, 0.4, 0.8), (20_000, 0.9, 1.0)):
        _, positive, told = draw(n)
        noise = np.random.default_rng(2).normal(size=(n, 2))
        answers = {"good": told, "bad": log_softmax(noise)}
        weights = blend.find_weights(answers, prior, positive.astype(float), 2)
        assert sum(weights.values()) == pytest.approx(1)
        assert low <= weights["good"] <= high


def test_a_strange_row_cannot_pull_a_smooth_member_far_from_the_trees():
    rng = np.random.default_rng(4)
    truth = rng.normal(size=(1_000, 1))
    answers = {name: truth + rng.normal(size=truth.shape) / 10 for name in ("tree", "network")}
    leash = blend.Leash.fit(answers, ["tree"])
    assert 0.2 < leash.limits["network"] < 0.4
    held = leash.hold(answers)
    free = np.isclose(held["network"], answers["network"])
    assert free.mean() == pytest.approx(0.95, abs=0.01)
    strange = leash.hold({"tree": np.array([[2.0]]), "network": np.array([[90.0]])})
    assert strange["network"] == 2 + leash.limits["network"]
    assert blend.Leash().hold(answers) == answers


def test_prior_shift_is_bayes():
    _, _, told = draw(50)
    ratio = np.log([0.5, 0.5]) - np.log([0.8, 0.2])
    shifted = np.exp(blend.shift_prior(told, ratio))
    chance = np.exp(told[:, 1])
    by_hand = chance * 0.5 / 0.2 / (chance * 0.5 / 0.2 + (1 - chance) * 0.5 / 0.8)
    np.testing.assert_allclose(shifted[:, 1], by_hand)


@pytest.mark.parametrize("costs", [(1, 1), (1, 4), (9, 1)])
def test_thresholds_by_cost_are_near_theory(costs):
    chance, positive, _ = draw(60_000)
    found = deciding.find_threshold(chance, positive, costs)
    assert found.theory == pytest.approx(costs[0] / sum(costs))
    assert found.value == pytest.approx(found.theory, abs=0.05)
    spent = costs[0] * (~positive & (chance >= found.value)).mean()
    spent += costs[1] * (positive & (chance < found.value)).mean()
    assert found.score == pytest.approx(spent)


def test_threshold_by_f1_is_the_best_there_is():
    chance, positive, _ = draw(500)
    found = deciding.find_threshold(chance, positive, None)
    tried = [f1_score(positive, chance >= t) for t in chance]
    assert found.score == pytest.approx(max(tried))
    assert f1_score(positive, chance >= found.value) == pytest.approx(found.score)


def test_few_rows_of_a_class_take_theory():
    chance, positive, _ = draw(90)
    found = deciding.find_threshold(chance, positive, (1, 4))
    assert found.value == found.theory == 0.2
    assert "too few" in found.reason
    assert deciding.find_threshold(chance, positive, None).value == 0.5


def test_weights_of_rows_move_the_threshold_as_another_sample_would():
    chance, positive, _ = draw(60_000)
    weight = np.where(positive, 0.3, 1.7)
    shifted = chance * 0.3 / (chance * 0.3 + (1 - chance) * 1.7)
    found = deciding.find_threshold(shifted, positive, (1, 1), weight)
    assert found.value == pytest.approx(0.5, abs=0.06)


def test_confidence():
    chance = np.array([0.9, 0.55, 0.5, 0.25, 0.0, 1.0])
    np.testing.assert_allclose(
        deciding.binary_confidence(chance, 0.5), [0.8, 0.1, 0, 0.5, 1, 1], atol=1e-9
    )
    both = np.stack([1 - chance, chance], 1)
    np.testing.assert_allclose(
        deciding.class_confidence(both), deciding.binary_confidence(chance, 0.5), atol=1e-9
    )


@pytest.mark.parametrize("seed", [0, 1])
def test_intervals_cover_and_follow_the_spread(seed):
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0, 10, 8_000)
    seen = truth + rng.normal(size=8_000) * (0.2 + 0.3 * truth)
    found = deciding.Intervals.fit(truth[:2_000], seen[:2_000])
    new, real = truth[2_000:], seen[2_000:]
    half = found.factor * found.sigma(new)
    assert 0.87 <= (np.abs(real - new) <= half).mean() <= 0.93
    for part in (new < 3, new > 7):
        assert 0.82 <= (np.abs(real - new) <= half)[part].mean() <= 0.96
    assert half[new > 7].mean() > 2 * half[new < 3].mean()
    assert deciding.Intervals(**found.to_dict()) == found


def test_linear_members_agree_with_scikit_learn():
    from sklearn.linear_model import LogisticRegression, Ridge

    rng = np.random.default_rng(3)
    x = rng.normal(size=(300, 4)) * [1, 10, 0.1, 1] + 5
    z = (x - x.mean(0)) / x.std(0)
    y = (z @ [1, -1, 0.5, 0] + rng.normal(size=300) > 0).astype(float)
    ours = LinearMember("l", "raw").refit(x.astype(np.float32), y, {"strength": 2.0}, 2, 0)
    peer = LogisticRegression(C=1.0).fit(z, y)  # two sets of weights share the penalty
    np.testing.assert_allclose(
        np.exp(ours.answer(x.astype(np.float32))), peer.predict_proba(z), atol=2e-3
    )
    number = z @ [1, -1, 0.5, 0] + rng.normal(size=300)
    ours = LinearMember("l", "raw").refit(x.astype(np.float32), number, {"strength": 2.0}, 0, 0)
    np.testing.assert_allclose(
        ours.answer(x.astype(np.float32))[:, 0], Ridge(2.0).fit(z, number).predict(z), atol=1e-3
    )


@pytest.mark.parametrize("n", [60, 999, 1_000, 5_000, 30_000])
def test_division_shares_no_row_and_every_class_everywhere(n):
    y = np.random.default_rng(0).choice(4, n, p=[0.7, 0.2, 0.06, 0.04]).astype(float)
    found = divide(y, 0)
    assert len(found.test) == (0 if n < 1_000 else n // 10)
    assert len(np.unique(found.valid)) == len(found.valid)
    assert not np.intersect1d(found.valid, found.test).size
    for train, valid in found.folds:
        assert not np.intersect1d(train, np.concatenate([valid, found.test])).size
        if n > 60:
            assert len(np.unique(y[train])) == len(np.unique(y[valid])) == 4
    assert len(found.folds) == (4 if n < 5_500 else 1)
    assert all(found.reasons.values())


@pytest.mark.parametrize("parameters", [*VARIANTS.values(), RANDOM_FOREST])
def test_trees_are_trained_without_a_word(capfd, parameters):
    rng = np.random.default_rng(6)
    x = np.stack([rng.normal(size=300), rng.integers(4, size=300)], 1).astype(np.float32)
    y = (x[:, 0] + rng.normal(size=300) > 0).astype(float)
    half = np.arange(300) % 2 == 0
    rows = np.flatnonzero(half), np.flatnonzero(~half)
    member = BoostedMember("trees", "columns", parameters, (1,))
    trial = member.evaluate(x, y, [rows, rows[::-1]], 2, 0)
    answer = member.refit(x, y, trial.setting, 2, 0).answer(x)
    assert metrics.roc_auc(y == 1, answer[:, 1]) > 0.7
    assert capfd.readouterr() == ("", "")
