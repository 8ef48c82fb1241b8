"""Which members an ensemble has, how they are tried, and what they are worth together."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..drift import answer_counts
from ..errors import CheckpointError
from ..files import write_atomically
from .blend import Leash, Temperature, calibrate, find_weights, mix, shift_prior
from .boosting import RANDOM_FOREST, VARIANTS, BoostedMember
from .curves import class_curves, number_curves
from .data import FEW_LABELS, LabelledData
from .deciding import Intervals, Threshold, find_threshold
from .linear import STRENGTHS, LinearMember
from .members import Member, Trial, mean_loss
from .options import PredictorOptions

MUCH_WORK = 200_000
"""Rows times classes above which two boosted variants must do."""
FEW_STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0)
"""Penalties tried on few labels, where they matter more and cost nothing."""
PRIOR = {"network": 0.35, "linear": 0.05, "linear-embedding": 0.05}
BOOSTED_PRIOR = 0.6
"""Weights before any validation row is seen; the boosted members share theirs."""


TREES = (*VARIANTS, "trees")


def choose_members(data: LabelledData) -> tuple[list[Member], dict[str, str]]:
    """Members besides the network, and the reasons for the choice."""
    categorical = tuple(data.features.categorical)
    embedding = not data.features.target_in_space
    reasons = {
        "embedding": "tried as an input"
        if embedding
        else "not an input: the space has learned from the target of these very rows, so no row "
        "could tell honestly what it is worth"
    }
    members: list[Member]
    if data.few:
        reasons["members"] = f"averaged simple heads: {len(data)} labels are under {FEW_LABELS}"
        form = "columns+embedding" if embedding else "columns"
        members = [
            LinearMember("linear-raw", "raw", FEW_STRENGTHS),
            LinearMember("linear", "codes", FEW_STRENGTHS),
            BoostedMember("trees", form, RANDOM_FOREST, categorical),
        ]
    else:
        names = list(VARIANTS)
        work = len(data) * max(data.n_classes, 1)
        if work > MUCH_WORK:
            names = names[:2]
        side = "above" if work > MUCH_WORK else "at most"
        reasons["members"] = (
            f"network, {len(names)} shapes of boosted trees, linear: rows times classes are {side} "
            f"{MUCH_WORK:,}"
        )
        members = [BoostedMember(name, "columns", VARIANTS[name], categorical) for name in names]
        members.append(LinearMember("linear", "codes"))
    if embedding:
        strengths = FEW_STRENGTHS if data.few else STRENGTHS
        members.append(LinearMember("linear-embedding", "embedding", strengths))
    return members, reasons


def prior_weights(names: list[str]) -> dict[str, float]:
    """Weights of members before any validation."""
    boosted = [name for name in names if name not in PRIOR]
    return {name: PRIOR.get(name, BOOSTED_PRIOR / max(len(boosted), 1)) for name in names}


@dataclass(frozen=True)
class Outcome:
    """What became of a member's trial.

    Attributes
    ----------
    valid, test
        Answers (n, outputs) for validation and test rows by models that never saw them.
    setting
        What to fit all rows with.
    """

    valid: np.ndarray
    test: np.ndarray
    setting: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, trial: Trial, data: LabelledData, form: str) -> Outcome:
        """Ask a trial's models."""
        x, division = data.inputs.form(form), data.division
        return cls(trial.validate(x, division.folds), trial.test(x[division.test]), trial.setting)

    def save(self, path: Path) -> None:
        """Write it, whole or not at all."""
        content = io.BytesIO()
        np.savez(content, valid=self.valid, test=self.test, setting=json.dumps(self.setting))
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content.getvalue())

    @classmethod
    def load(cls, path: Path, n_valid: int) -> Outcome | None:
        """Read it back; None if it was never written.

        Raises
        ------
        CheckpointError
            If it is damaged or of other labels.
        """
        if not path.exists():
            return None
        try:
            with np.load(path, allow_pickle=False) as file:
                found = cls(file["valid"], file["test"], json.loads(str(file["setting"])))
        except (ValueError, KeyError, OSError, EOFError) as error:
            raise CheckpointError(f"{path} is damaged: {error}") from error
        if len(found.valid) != n_valid:
            raise CheckpointError(f"{path} is of other labels; train a new predictor")
        return found


def try_member(member: Member, data: LabelledData, seed: int) -> Outcome:
    """Try a member on the folds."""
    x = data.inputs.form(member.form)
    trial = member.evaluate(x, data.y, data.division.folds, data.n_classes, seed)
    return Outcome.of(trial, data, member.form)


@dataclass(frozen=True)
class Variant:
    """An ensemble for one checkpoint of the network: everything decided on validation rows.

    Attributes
    ----------
    epoch
        Of the network; 0 without one.
    weights
        Of the members.
    leash, temperature, threshold, intervals
        As far as they apply.
    metrics, calibration, test_metrics
        On validation and test rows.
    curves
        What figures are drawn from, on validation rows; not kept with the predictor.
    predicted
        Distribution of the answers to validation rows (`drift.answer_counts`); empty for
        predictors that were trained before it was kept.
    """

    epoch: int
    weights: dict[str, float]
    leash: Leash
    temperature: Temperature
    threshold: Threshold | None
    intervals: Intervals | None
    metrics: dict[str, Any]
    calibration: dict[str, Any]
    test_metrics: dict[str, Any]
    curves: dict[str, Any] = field(default_factory=dict)
    predicted: dict[str, Any] = field(default_factory=dict)

    @property
    def members(self) -> list[str]:
        """Those that must answer."""
        return list(dict.fromkeys([*self.weights, *self.leash.anchors]))

    def mix(self, answers: Mapping[str, np.ndarray], n_classes: int) -> np.ndarray:
        """One answer (n, outputs) of all members', before calibration."""
        held = self.leash.hold({name: answers[name] for name in self.members})
        return mix([held[name] for name in self.weights], self.weights.values(), n_classes)


def log_ratio(data: LabelledData, options: PredictorOptions) -> np.ndarray | None:
    """Logarithm of class shares in use over those among the labels (classes,)."""
    if options.class_imbalance is None:
        return None
    from ..columns.values import text_of

    wanted = {text_of(label): share for label, share in options.class_imbalance.items()}
    shares = np.array([wanted[label] for label in data.classes], float)
    counts = np.bincount(data.y.astype(int), minlength=data.n_classes)
    return np.log(shares / shares.sum()) - np.log(counts / counts.sum())


def decide(
    outcomes: Mapping[str, Outcome], data: LabelledData, options: PredictorOptions, epoch: int
) -> Variant:
    """Weigh, calibrate, and set thresholds or intervals, all on validation rows."""
    from .evaluation import evaluate

    division, n_classes = data.division, data.n_classes
    y = data.y[division.valid]
    answers = {name: one.valid for name, one in outcomes.items()}
    leash = Leash()
    if n_classes == 0:
        leash = Leash.fit(answers, [name for name in answers if name in TREES])
    held = leash.hold(answers)
    if data.few:
        weights = {name: 1 / len(held) for name in held}
    else:
        weights = find_weights(held, prior_weights(list(held)), y, n_classes)
    raw = mix([held[name] for name in weights], weights.values(), n_classes)
    temperature, threshold, intervals = Temperature(), None, None
    ratio = log_ratio(data, options)
    if n_classes:
        temperature = calibrate(raw, y, np.random.default_rng([options.seed, 25]))
    else:
        intervals = Intervals.fit(data.numbers(raw), data.numbers(y[:, None]))
    final = shift_prior(temperature.apply(raw), ratio)
    weight = None if ratio is None else np.exp(ratio)[y.astype(int)]
    if n_classes == 2:
        threshold = find_threshold(np.exp(final[:, 1]), y == 1, options.costs, weight)
    if intervals is None:
        curves = class_curves(np.exp(final), y, data.classes, options.costs, weight)
    else:
        numbers = data.numbers(final)
        half = intervals.factor * intervals.sigma(numbers)
        curves = number_curves(numbers, data.numbers(y[:, None]), half, options.seed)
    metrics, calibration = evaluate(data, division.valid, raw, temperature, final, threshold)
    predicted = _distribution(data, final, threshold, weight)
    test_metrics: dict[str, Any] = {}
    if len(division.test):
        held = leash.hold({name: one.test for name, one in outcomes.items()})
        raw = mix([held[name] for name in weights], weights.values(), n_classes)
        final = shift_prior(temperature.apply(raw), ratio)
        test_metrics, judged = evaluate(
            data, division.test, raw, temperature, final, threshold, intervals
        )
        test_metrics |= {"rows": len(division.test), **judged.get("after", {})}
    return Variant(
        epoch, weights, leash, temperature, threshold, intervals, metrics, calibration,
        test_metrics, curves, predicted,
    )  # fmt: skip


def _distribution(
    data: LabelledData, final: np.ndarray, threshold: Threshold | None, weight: np.ndarray | None
) -> dict[str, Any]:
    """How the answers to validation rows are distributed, classes weighted as they are in use."""
    from .evaluation import decide_classes

    if not data.n_classes:
        return answer_counts(data.numbers(final), ())
    return answer_counts(decide_classes(np.exp(final), threshold), data.classes, weight)


def equal_loss(outcomes: Mapping[str, Outcome], data: LabelledData) -> tuple[float, np.ndarray]:
    """Validation loss and answer of all members so far, equally weighted."""
    answers = [one.valid for one in outcomes.values()]
    mixed = mix(answers, [1 / len(answers)] * len(answers), data.n_classes)
    return mean_loss(mixed, data.y[data.division.valid], data.n_classes), mixed
