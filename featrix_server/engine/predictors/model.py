"""A trained predictor: records in, predictions out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..batches import Rows
from ..columns import ColumnEncoder
from ..table import Table
from . import storage
from .blend import shift_prior
from .deciding import COVERAGE, binary_confidence, class_confidence
from .ensemble import Variant
from .evaluation import decide_classes
from .features import Features, Inputs
from .guardrails import warn_rows
from .host import HostNetworks
from .network import FEW_ROWS
from .network_training import answer, log_chances
from .options import PredictorError
from .prediction import Answers, Prediction

PREFERENCES = ("roc_auc", "pr_auc")
BATCH_ROWS = 65_536


class PredictorModel:
    """A finished predictor.

    Attributes
    ----------
    kind, classes
        ``"binary"``, ``"multiclass"`` or ``"regression"``; labels as text (binary: negative,
        positive).
    target_column
        What is predicted; a value of it in a query is ignored.
    columns
        What may be queried.
    facts
        ``predictor.json``.
    """

    def __init__(self, features: Features, stored: storage.Stored) -> None:
        self._features = features
        self._stored = stored
        self.facts = stored.facts
        self.kind: str = self.facts["kind"]
        self.classes: tuple[str, ...] = tuple(self.facts["classes"])
        self.target_column: str = self.facts["options"]["target_column"]
        self.columns: tuple[str, ...] = tuple(self.facts["columns"])
        self._hosted: dict[int, HostNetworks] = {}
        self._known = frozenset(self.columns)
        self._originals = self.facts["originals"]
        ratio = self.facts["log_ratio"]
        self._log_ratio = None if ratio is None else np.array(ratio)

    @classmethod
    def load(cls, folder: Path, space_folder: Path) -> PredictorModel:
        """Load a finished predictor and the columns of its embedding space.

        Raises
        ------
        CheckpointError
            If either is missing or damaged.
        """
        facts = storage.read_facts(folder)
        features = Features(space_folder, facts["options"]["target_column"])
        return cls(features, storage.load(folder, features))

    @property
    def encoders(self) -> dict[str, ColumnEncoder]:
        """The columns' encoders by name."""
        return self._features.encoders

    def variant(self, preference: str | None = None) -> Variant:
        """The ensemble that answers under a preference.

        Raises
        ------
        PredictorError
            For a preference that is none, or any of a regression.
        """
        if preference is None:
            return self._stored.variants[self.facts["default"]]
        if preference not in PREFERENCES or self.kind == "regression":
            classifier = self.kind != "regression"
            raise PredictorError(
                f"best_metric_preference is {preference!r}",
                code="bad_preference",
                hint='It is "roc_auc", "pr_auc" or nothing'
                if classifier
                else "Leave it out: a regressor has one checkpoint",
                field="best_metric_preference",
            )
        return self._stored.variants[preference]

    # -- arrays ----------------------------------------------------------------------------

    def log_answers(self, inputs: Inputs, variant: Variant) -> np.ndarray:
        """Final log-probabilities (n, classes), or standardised numbers (n, 1)."""
        n_classes = len(self.classes)
        stored = self._stored
        answers = {
            name: self._ask_network(inputs.rows, variant.epoch)
            if name == "network"
            else stored.members[name].answer(inputs.form(stored.members[name].form))
            for name in variant.members
        }
        mixed = variant.mix(answers, n_classes)
        if not n_classes:
            return mixed
        return shift_prior(variant.temperature.apply(mixed), self._log_ratio)

    def _ask_network(self, rows: Rows, epoch: int) -> np.ndarray:
        nets, n_classes = self._stored.networks[epoch], len(self.classes)
        if len(rows) > FEW_ROWS:
            return answer(nets, self._features.constants, rows, n_classes)
        if epoch not in self._hosted:
            self._hosted[epoch] = HostNetworks(nets, self._features.layout, max(n_classes, 1))
        return log_chances(self._hosted[epoch].answer(rows, n_classes), n_classes)

    def predict_columns(
        self, read: Callable[[str], Any] | Table, n: int | None = None,
        *, preference: str | None = None,
    ) -> Answers:  # fmt: skip
        """Predict many rows given as columns.

        Parameters
        ----------
        read
            A table, or a function that gives the ``n`` values of a named column (plain values or
            an Arrow array).
        n
            Number of rows, unless ``read`` is a table.
        preference
            As in :meth:`predict`.
        """
        variant = self.variant(preference)
        if isinstance(read, Table):
            index = np.arange(read.n_rows)
            return self._answers(
                Inputs(self._features, self._features.read_table(read, index), read.n_rows), variant
            )
        if n is None:
            raise TypeError("n is needed unless a table is given")
        return self._answers(Inputs(self._features, read, n), variant)

    def _answers(self, inputs: Inputs, variant: Variant) -> Answers:
        final = self.log_answers(inputs, variant)
        if not self.classes:
            number = self.facts["number"]
            numbers = final[:, 0] * number["std"] + number["mean"]
            intervals = variant.intervals
            assert intervals is not None
            sigma = intervals.sigma(numbers)
            half = intervals.factor * sigma
            return Answers(
                intervals.confidence(numbers), numbers=numbers, low=numbers - half,
                high=numbers + half, sigma=sigma,
            )  # fmt: skip
        chances = np.exp(final)
        predicted = decide_classes(chances, variant.threshold)
        if variant.threshold:
            confidence = binary_confidence(chances[:, 1], variant.threshold.value)
        else:
            confidence = class_confidence(chances)
        return Answers(confidence, chances, predicted)

    # -- records ---------------------------------------------------------------------------

    def predict(
        self, records: Sequence[dict[str, Any]], *, preference: str | None = None
    ) -> list[Prediction]:
        """Predict records, one answer each in their order.

        Parameters
        ----------
        records
            Dicts; columns may be absent, None or NaN (missing). A row that cannot be answered
            gives a :class:`Prediction` with ``error``.
        preference
            ``"roc_auc"`` or ``"pr_auc"``: the checkpoint best by that; None: the predictor's own.

        Raises
        ------
        PredictorError
            For an impossible preference.
        """
        variant = self.variant(preference)
        results: list[Prediction] = []
        for start in range(0, len(records), BATCH_ROWS):
            results += self._predict(records[start : start + BATCH_ROWS], variant)
        return results

    def _predict(self, records: Sequence[Any], variant: Variant) -> list[Prediction]:
        errors = [self._fault(record) for record in records]
        good = [record for record, error in zip(records, errors, strict=True) if error is None]
        answered = iter(self._good(good, variant) if good else [])
        return [
            next(answered)
            if error is None
            else Prediction(
                error=error,
                ignored_query_columns=self._unknown(record),
                available_query_columns=self.columns,
            )
            for record, error in zip(records, errors, strict=True)
        ]

    def _unknown(self, record: Any) -> list[str]:
        """Columns of a record that the predictor does not use."""
        if not isinstance(record, dict) or self._known.issuperset(record):
            return []
        return [str(name) for name in record if name not in self._known]

    def _fault(self, record: Any) -> str | None:
        if not isinstance(record, dict):
            return f"a record is a dict of columns, not {type(record).__name__}"
        if self._known.isdisjoint(record):
            sent = ", ".join(map(str, list(record)[:5])) or "nothing"
            return (
                f"the record has none of the predictor's columns (sent: {sent}; known: "
                f"{', '.join(self.columns[:10])})"
            )
        return None

    def _good(self, records: Sequence[dict[str, Any]], variant: Variant) -> list[Prediction]:
        inputs = Inputs.of_records(self._features, records)
        answers = self._answers(inputs, variant)
        warnings = warn_rows(self._features, inputs.rows, records)
        build = self._class_predictions if self.classes else self._number_predictions
        predictions = build(answers, variant)
        for prediction, record, found in zip(predictions, records, warnings, strict=True):
            prediction.guardrails = found
            prediction.available_query_columns = self.columns
            prediction.ignored_query_columns = self._unknown(record)
        return predictions

    def _class_predictions(self, answers: Answers, variant: Variant) -> list[Prediction]:
        assert answers.probabilities is not None
        assert answers.predicted is not None
        threshold = variant.threshold.value if variant.threshold else None
        positive = self.classes[1] if variant.threshold else None
        rows = zip(
            answers.predicted.tolist(), answers.probabilities.tolist(),
            answers.confidence.tolist(), strict=True,
        )  # fmt: skip
        return [
            Prediction(
                prediction=self._originals[k],
                predicted_class=self.classes[k],
                probabilities=dict(zip(self.classes, chances, strict=True)),
                probability=chances[k],
                confidence=confidence,
                threshold=threshold,
                pos_label=positive,
            )
            for k, chances, confidence in rows
        ]

    def _number_predictions(self, answers: Answers, variant: Variant) -> list[Prediction]:
        parts = (answers.numbers, answers.low, answers.high, answers.sigma, answers.confidence)
        return [
            Prediction(
                prediction=number,
                predicted_class=repr(number),
                confidence=confidence,
                interval_low=low,
                interval_high=high,
                sigma=sigma,
                coverage_level=COVERAGE,
            )
            for number, low, high, sigma, confidence in zip(
                *(part.tolist() for part in parts if part is not None), strict=True
            )
        ]

    # -- reasons ---------------------------------------------------------------------------

    def importance(
        self, record: dict[str, Any], *, preference: str | None = None
    ) -> dict[str, float]:
        """How much each column matters to one answer: shares that sum to 1.

        Each supplied column is taken away in turn, in one batch; its share is the change in the
        predicted class' log-odds (of numbers: in the number). Missing columns get 0.

        Raises
        ------
        PredictorError
            If the record cannot be answered.
        """
        signed = self.explain(record, preference=preference)["attributions"]
        total = sum(abs(value) for value in signed.values())
        shares = {name: abs(value) / total if total else 0.0 for name, value in signed.items()}
        return {name: shares.get(name, 0.0) for name in self.columns}

    def explain(
        self,
        record: dict[str, Any],
        class_idx: int | str | None = None,
        *,
        preference: str | None = None,
    ) -> dict[str, Any]:
        """What each supplied column adds to one answer, signed.

        Parameters
        ----------
        record
            The row.
        class_idx
            Class (as text, or its place in ``classes``) to explain; None: the predicted one.
        preference
            As in :meth:`predict`.

        Returns
        -------
        dict
            ``attributions`` {column: change when it is known}: log-odds of the class, or standard
            deviations of the target; ``predicted_class``, ``explained_class``; ``base_value`` and
            ``value``: the same scale with no column known, and with all that were sent;
            ``unit``.

        Raises
        ------
        PredictorError
            If the record cannot be answered, or there is no such class.
        """
        if error := self._fault(record):
            raise PredictorError(error, code="bad_record", field="query_record")
        variant = self.variant(preference)
        sent = [name for name in self.columns if not self._is_missing(name, record.get(name))]
        versions = [record, {}, *({**record, name: None} for name in sent)]
        final = self.log_answers(Inputs.of_records(self._features, versions), variant)
        k = 0
        if self.classes:
            k = int(decide_classes(np.exp(final[:1]), variant.threshold)[0])
        predicted = self.classes[k] if self.classes else None
        if class_idx is not None:
            k = self._class_index(class_idx)
        values = _log_odds(final, k) if self.classes else final[:, 0]
        return {
            "attributions": {
                name: float(values[0] - value) for name, value in zip(sent, values[2:], strict=True)
            },
            "predicted_class": predicted,
            "explained_class": self.classes[k] if self.classes else None,
            "base_value": float(values[1]),
            "value": float(values[0]),
            "unit": "log-odds" if self.classes else "standard deviations of the target",
        }

    def _is_missing(self, name: str, value: Any) -> bool:
        encoder = self._features.encoders[name]
        return bool(encoder.encode([value]).missing[0])

    def _class_index(self, wanted: int | str) -> int:
        if isinstance(wanted, str) and wanted in self.classes:
            return self.classes.index(wanted)
        if isinstance(wanted, int) and 0 <= wanted < len(self.classes):
            return wanted
        raise PredictorError(
            f"there is no class {wanted!r}",
            code="unknown_class",
            hint=f"The classes are {', '.join(self.classes[:20])}" if self.classes
            else "A regressor has none: leave it out",
            field="class_idx",
        )  # fmt: skip


def _log_odds(log_chances: np.ndarray, k: int) -> np.ndarray:
    """log(p / (1 - p)) of class ``k`` (n,), exact also where p is near 1."""
    others = np.delete(log_chances, k, axis=1)
    return log_chances[:, k] - np.logaddexp.reduce(others, axis=1)
