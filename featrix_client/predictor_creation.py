"""Creating and finding the predictors of a foundational model."""

from __future__ import annotations

import math
import operator
import os
import tempfile
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from featrix_client.creation import existing_file, upload_file
from featrix_client.errors import FeatrixInputError, FeatrixTimeoutError, FeatrixWarning
from featrix_client.frames import write_frame
from featrix_client.predictor import Predictor
from featrix_client.records import clean
from featrix_client.run import TrainingRun
from featrix_client.state import predictor_entries

if TYPE_CHECKING:
    import pandas as pd


_NAMING_LIMIT_S, _NAMING_POLL_S = 600.0, 0.5
"""How long, and how often, a server is asked for the name of a predictor it has put in a queue."""


class PredictorsOfModel(TrainingRun):
    """The part of `FoundationalModel` that makes and lists predictors."""

    def create_binary_classifier(
        self,
        target_column: str,
        name: str | None = None,
        rare_label_value: Any = None,
        epochs: int = 0,
        labels_file: str | os.PathLike[str] | None = None,
        labels_df: pd.DataFrame | None = None,
        cost_false_positive: float | None = None,
        cost_false_negative: float | None = None,
        class_imbalance: Mapping[Any, float] | None = None,
    ) -> Predictor:
        """Start training a predictor of one of two classes.

        Rows without a label are left out of its training. The target itself is hidden from the
        model when it predicts.

        Parameters
        ----------
        target_column : str
            Column to predict, of the model's table or of the labels.
        name : str, optional
            Name of the predictor.
        rare_label_value : optional
            The class that counts as positive; left out: the less frequent one.
        epochs : int
            Passes over the labelled rows; 0 lets the server decide.
        labels_file, labels_df : path or pandas.DataFrame, optional
            Labels in a table of their own, at most one of the two. It holds the target and
            either columns of the model (each of its rows is then learned from), or
            ``__featrix_row_id`` (rows of the model's table), or nothing else (one label a row
            of the model's table, in order).
        cost_false_positive, cost_false_negative : float, optional
            What the two mistakes cost, above 0; the threshold is chosen by it. One alone
            stands beside 1.
        class_imbalance : dict, optional
            Share of each class where the predictor will be used, if it differs from the table.

        Returns
        -------
        Predictor
            With status ``training``; see `Predictor.wait_for_training`.

        Raises
        ------
        ValueError
            If the model is not trained yet, or an argument, the target or the labels cannot
            be used.

        Warns
        -----
        FeatrixWarning
            What the server found odd about the target.

        Notes
        -----
        What rows without a label bring: they shape the space and the scales by which columns are
        read, and through both a part of the predictor. With about 100 labels that part alone
        was measured to be no better than boosting or logistic regression on the labelled rows;
        averaged with simple models on the columns, as is done below 500 labels, it helps to stay
        near the best of them, whichever that is. With thousands of labels it added nothing that
        could be measured. More labels are worth more than more unlabelled rows.

        What it costs: several kinds of models are tried on the rows that are held back, which
        takes seconds to minutes. Gradient boosting alone (LightGBM, say) fits many times faster,
        often in under a second, and is the better choice where only a ranking of the rows of one
        clean table is wanted. What the time buys is a score that does not hang on one kind of
        model, probabilities that can be believed, a threshold that follows the costs, warnings
        about unusual rows, and a model card.
        """
        return self._create(
            target_column,
            "set",
            name=name,
            epochs=epochs,
            labels_file=labels_file,
            labels_df=labels_df,
            problem_type="binary",  # ours: more than two classes are refused
            rare_label_value=None if rare_label_value is None else label_text(rare_label_value),
            cost_false_positive=_cost(cost_false_positive, "cost_false_positive"),
            cost_false_negative=_cost(cost_false_negative, "cost_false_negative"),
            class_imbalance=_shares(class_imbalance),
        )

    def create_multi_classifier(
        self,
        target_column: str,
        name: str | None = None,
        epochs: int = 0,
        labels_file: str | os.PathLike[str] | None = None,
        labels_df: pd.DataFrame | None = None,
        class_imbalance: Mapping[Any, float] | None = None,
    ) -> Predictor:
        """Start training a predictor of one of several classes.

        Parameters, result, errors, and what unlabelled rows bring, as for
        `create_binary_classifier`; two classes do as well, but without costs or a class of one's
        own choice that counts as positive.
        """
        return self._create(
            target_column,
            "set",
            name=name,
            epochs=epochs,
            labels_file=labels_file,
            labels_df=labels_df,
            class_imbalance=_shares(class_imbalance),
        )

    def create_regressor(
        self,
        target_column: str,
        name: str | None = None,
        epochs: int = 0,
        labels_file: str | os.PathLike[str] | None = None,
        labels_df: pd.DataFrame | None = None,
    ) -> Predictor:
        """Start training a predictor of a number.

        At least nine tenths of the labels must be numbers; the others count as unlabelled.
        Predictions are in the units of the column and come with an interval. Parameters, result,
        errors, and what unlabelled rows bring, as for `create_binary_classifier`.
        """
        return self._create(
            target_column,
            "scalar",
            name=name,
            epochs=epochs,
            labels_file=labels_file,
            labels_df=labels_df,
        )

    def list_predictors(self) -> list[Predictor]:
        """Return the predictors of the model, oldest first, also those with labels of their own.

        Returns
        -------
        list of Predictor
        """
        body = self.refresh()
        found = [
            Predictor(self._transport, self._session_id, entry.id)
            for entry in predictor_entries(body)
        ]
        for predictor in found:
            predictor.read_status(body)
        return found

    def _create(
        self,
        target_column: str,
        target_type: str,
        *,
        labels_file: str | os.PathLike[str] | None,
        labels_df: pd.DataFrame | None,
        name: str | None,
        epochs: int,
        **wishes: Any,
    ) -> Predictor:
        _check_text(target_column, "target_column")
        if name is not None:
            _check_text(name, "name")
        options = {
            "target_column": target_column,
            "target_column_type": target_type,
            "epochs": _epochs(epochs),
            "name": name,
            **wishes,
        }
        options = {key: value for key, value in options.items() if value is not None}
        if labels_file is not None and labels_df is not None:
            raise FeatrixInputError(
                "labels_file and labels_df were both given; give one of them.", field="labels_file"
            )
        path = None if labels_file is None else existing_file(labels_file, "labels_file")
        self._require_trained()
        answer = self._ask_for_predictor(options, path, labels_df)
        for text in answer.get("warnings") or ():
            warnings.warn(str(text), FeatrixWarning, stacklevel=3)  # the user's line
        session_id = str(answer.get("session_id") or self._session_id)
        made = answer.get("predictor_id") or self._named_later(session_id, target_column)
        predictor = Predictor(self._transport, session_id, str(made))
        predictor.refresh()
        return predictor

    def _named_later(self, session_id: str, target_column: str) -> str:
        """Wait until a server that has put the wish into a queue names the predictor."""
        known = {entry.id for entry in predictor_entries(self.raw)}
        deadline = time.monotonic() + _NAMING_LIMIT_S
        while time.monotonic() < deadline:
            time.sleep(_NAMING_POLL_S)
            body = self._transport.get(f"/compute/session/{session_id}")
            for entry in predictor_entries(body):
                if entry.target_column == target_column and entry.id not in known:
                    return entry.id
        raise FeatrixTimeoutError(
            f"The server has put the predictor into a queue and not named it in "
            f"{_NAMING_LIMIT_S:.0f} s.",
            hint=f"{self.called}.list_predictors() shows it once the server has begun.",
        )

    def _ask_for_predictor(
        self, options: dict[str, Any], labels: Path | None, labels_df: pd.DataFrame | None
    ) -> dict[str, Any]:
        if labels is None and labels_df is None:
            answer: dict[str, Any] = self._transport.post(f"{self._path}/train_predictor", options)
            return answer
        address = "/compute/train_on_foundational_model"
        options = options | {"foundation_model_id": self._session_id}
        if labels is not None:
            return upload_file(self._transport, address, labels, options)
        assert labels_df is not None
        with tempfile.TemporaryDirectory(prefix="featrix-") as folder:
            path = write_frame(labels_df, Path(folder), stem="labels", min_columns=1)
            return upload_file(self._transport, address, path, options)

    def _require_trained(self) -> None:
        """Refuse a model that has not learned its table: there is nothing to build on."""
        if self.is_ready():  # asked anew: what predictors there are must be known, too
            return
        training = self.status == "training"
        raise FeatrixInputError(
            f"The model {self.name!r} is not trained "
            + ("yet." if training else f"({self.training_state.word})."),
            hint=f"Wait for it first: {self.called}.wait_for_training()."
            if training
            else f"Create it again with {self.made_by}.",
        )


def label_text(value: Any) -> str:
    """Return a label the way tables and servers write it: ``1`` for 1.0, ``true`` for True."""
    plain = clean(value)
    if isinstance(plain, bool):
        return str(plain).lower()
    if isinstance(plain, float) and plain.is_integer():
        plain = int(plain)
    return str(plain).strip()


def _check_text(value: Any, field: str) -> None:
    if not isinstance(value, str) or not value.strip():
        raise FeatrixInputError(f"{field} must be a text, not {value!r}.", field=field)


def _epochs(value: Any) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = -1
    if isinstance(value, bool) or number < 0:
        raise FeatrixInputError(
            f"epochs must be a whole number of at least 1, or 0 for automatic, not {value!r}.",
            field="epochs",
        )
    return number


def _cost(value: Any, field: str) -> float | None:
    if value is None:
        return None
    if not _is_positive(value):
        raise FeatrixInputError(
            f"{field} must be a finite number above 0, not {value!r}.",
            hint="Only the ratio of the two costs counts. To leave one mistake out of account, "
            "make the other one very dear.",
            field=field,
        )
    return float(value)


def _shares(value: Mapping[Any, float] | None) -> dict[str, float] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping) or not value:
        raise FeatrixInputError(
            f"class_imbalance must be a dict of classes and shares, not {value!r}.",
            hint="For instance class_imbalance={'yes': 0.02, 'no': 0.98}.",
            field="class_imbalance",
        )
    for label, share in value.items():
        if not _is_positive(share):
            raise FeatrixInputError(
                f"The share of class {label!r} must be a finite number above 0, not {share!r}.",
                hint="A class that never comes in production needs a small share all the same.",
                field="class_imbalance",
            )
    return {label_text(label): float(share) for label, share in value.items()}


def _is_positive(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and math.isfinite(value) and bool(value > 0)
    except TypeError:
        return False
