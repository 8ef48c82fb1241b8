"""The part of a predictor that answers: one record, many, a file of them, a grid."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from featrix_client.creation import existing_file
from featrix_client.csvfile import read_csv_records
from featrix_client.errors import FeatrixInputError
from featrix_client.prediction import (
    BatchResults,
    PredictionResult,
    customer_headers,
    occlusion_importance,
)
from featrix_client.prediction_grid import PredictionGrid
from featrix_client.progress import told_when_interrupted
from featrix_client.records import clean_record, clean_records
from featrix_client.run import TrainingRun

if TYPE_CHECKING:
    import pandas as pd

BATCH_ROWS = 10_000
"""Records a request of a batch."""

_BATCH_TIMEOUT_S = 300.0
_CHECKPOINTS = ("roc_auc", "pr_auc")


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Look for no garbage cycles meanwhile.

    Answers hold none, and going through them again and again took a fifth of the time of a batch
    of 100,000 (`tests/bench/bench_serving.py`).
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class AnswersOfPredictor(TrainingRun):
    """The part of `Predictor` that is asked about records."""

    target_column: str
    target_type: Literal["set", "numeric"]

    @property
    def session_id(self) -> str:
        """Id of the foundational model it stands on."""
        return self._session_id

    def predict(
        self,
        record: Mapping[str, Any],
        feature_importance: bool = False,
        best_metric_preference: str | None = None,
        *,
        customer_metadata: Mapping[str, Any] | None = None,
    ) -> PredictionResult:
        """Predict the target of one record.

        Columns may be missing; unknown ones, and the target itself, are ignored and listed in
        the result.

        Parameters
        ----------
        record : dict
            Column names and values.
        feature_importance : bool
            Also tell how much each column counts: how far the prediction moves when it is
            hidden.
        best_metric_preference : {"roc_auc", "pr_auc"}, optional
            Which of a classifier's two checkpoints to use; left out, the better suited one.
        customer_metadata : dict, optional
            Kept with the prediction for yourself, at most 16 KB as JSON; no model sees it.

        Raises
        ------
        ValueError
            If `record` is no record, the server can make nothing of it, or the preference is
            unknown or asked of a regressor.
        requests.HTTPError
            With ``.status`` 503 if the predictor is still training.
        """
        row = clean_record(record)
        wish = self._wish(best_metric_preference)
        if feature_importance:
            wish["feature_importance"] = True
        answer = self._transport.json(
            "POST",
            f"{self._path}/predict",
            json={"query_record": row, **wish},
            headers=customer_headers(customer_metadata),
        )
        result = PredictionResult.from_wire(answer, self._transport, self.session_id)
        if feature_importance and result.feature_importance is None and result.error is None:
            result.feature_importance = self._importance(row, result, best_metric_preference)
        return result

    def _importance(
        self, row: dict[str, Any], whole: PredictionResult, preference: str | None
    ) -> dict[str, float]:
        """Measure the importance of columns here, for a server that does not offer it."""
        columns = [name for name, value in row.items() if value is not None]
        hidden = [row | {name: None} for name in columns]
        results = [one for part in self.predict_parts(hidden, preference) for one in part]
        return occlusion_importance(whole, zip(columns, results, strict=True))

    def batch_predict(
        self,
        records: Iterable[Mapping[str, Any]] | pd.DataFrame,
        show_progress: bool = False,
    ) -> BatchResults:
        """Predict the target of many records.

        Parameters
        ----------
        records : list of dict, or pandas.DataFrame
            The records.
        show_progress : bool
            Show a bar.

        Returns
        -------
        list of PredictionResult
            One a record, in order; a record that fails has its ``error`` set. The list's
            ``to_frame()`` gives a table.

        Raises
        ------
        ValueError
            If there are no records, or something in them is none.
        requests.HTTPError
            With ``.status`` 503 if the predictor is still training.
        """
        rows = clean_records(records)
        if not rows:
            raise FeatrixInputError(
                "records is empty: there is nothing to predict.",
                hint="Give a list of dicts or a DataFrame with at least one row.",
                field="records",
            )
        return self._batch(rows, show_progress)

    def predict_csv_file(
        self, file_path: str | os.PathLike[str], show_progress: bool = False
    ) -> BatchResults:
        """Predict the target of each line of a CSV file.

        Parameters
        ----------
        file_path : path
            A CSV file whose first line names the columns; may be gzipped.
        show_progress : bool
            Show a bar.

        Returns
        -------
        list of PredictionResult
            One a line, in order, as `batch_predict` gives them; a line with too few or too many
            values has its ``error`` set.

        Raises
        ------
        ValueError
            If the file cannot be read or holds no records.
        """
        lines = read_csv_records(existing_file(file_path, "file_path"))
        good = [line for line in lines if not isinstance(line, str)]
        if not good:
            raise FeatrixInputError(
                f"No line of {file_path} is a record. {lines[0]}", field="file_path"
            )
        answered = self._batch(good, show_progress)
        results, first = iter(answered), answered[0]  # every line has the same columns
        return BatchResults(
            PredictionResult(
                error=line,
                ignored_query_columns=list(first.ignored_query_columns),
                available_query_columns=list(first.available_query_columns),
            )
            if isinstance(line, str)
            else next(results)
            for line in lines
        )

    def explain(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Tell for each column which way it moves the prediction of a record, and how far.

        Returns
        -------
        dict
            ``attributions``, column to signed contribution (log-odds of the predicted class, or
            units of the target), with the server's baseline and prediction.

        Raises
        ------
        ValueError
            If `record` is no record.
        """
        wish = {"query_record": clean_record(record), "predictor_id": self.id}
        answer: dict[str, Any] = self._transport.post(
            f"{self._path}/explain", wish, repeatable=True
        )
        return answer

    def predict_grid(
        self, degrees_of_freedom: int = 2, grid_shape: tuple[int, ...] = (10, 10)
    ) -> PredictionGrid:
        """Return an empty grid to be filled with predictions along one to three axes.

        Parameters
        ----------
        degrees_of_freedom : int
            Number of axes, 1 to 3.
        grid_shape : tuple of int
            Cells along each axis. For one axis the default means ``(10,)``.

        Raises
        ------
        ValueError
            If the two do not fit each other.
        """
        return PredictionGrid(self, degrees_of_freedom, grid_shape)

    def predict_parts(
        self,
        rows: list[dict[str, Any]],
        best_metric_preference: str | None = None,
        part: int = BATCH_ROWS,
    ) -> Iterator[list[PredictionResult]]:
        """Yield the results of many plain records, as many at a time as one request carries.

        Parameters
        ----------
        rows : list of dict
            Records as `clean_records` gives them.
        part : int
            Records a request.
        """
        wish = self._wish(best_metric_preference)
        for start in range(0, len(rows), part):
            records = rows[start : start + part]
            with _collector_paused():
                answer = self._transport.json(
                    "POST",
                    f"{self._path}/predict_table",
                    json={"records": records, **wish},
                    timeout=_BATCH_TIMEOUT_S,
                )
                results = self._read_batch(answer, len(records))
            yield results

    def _read_batch(self, answer: dict[str, Any], expected: int) -> list[PredictionResult]:
        items = answer["predictions"]
        if len(items) != expected:
            raise RuntimeError(
                f"The server answered {len(items)} predictions to {expected} records."
            )
        return [
            PredictionResult.from_wire(item, self._transport, self.session_id) for item in items
        ]

    def _batch(self, rows: list[dict[str, Any]], show_progress: bool) -> BatchResults:
        from tqdm.auto import tqdm

        results = BatchResults()

        def words() -> str:
            return (
                f"Interrupted when {len(results):,} of {len(rows):,} rows were answered; "
                "asking again begins with the first. The predictor is as it was."
            )

        with (
            told_when_interrupted(words),
            tqdm(total=len(rows), desc="Predicting", unit="row", disable=not show_progress) as bar,
        ):
            for part in self.predict_parts(rows):
                results += part
                bar.update(len(part))
        return results

    def _wish(self, best_metric_preference: str | None) -> dict[str, Any]:
        """What every question carries: who is asked, and which checkpoint."""
        wish: dict[str, Any] = {"predictor_id": self.id}
        if best_metric_preference is None:
            return wish
        if best_metric_preference not in _CHECKPOINTS:
            raise FeatrixInputError(
                f"best_metric_preference must be 'roc_auc' or 'pr_auc', "
                f"not {best_metric_preference!r}.",
                hint="Leave it out for the one that suits the classes better.",
                field="best_metric_preference",
            )
        if self.target_type == "numeric":
            raise FeatrixInputError(
                "best_metric_preference is for classifiers; this predictor predicts numbers.",
                hint="Leave it out.",
                field="best_metric_preference",
            )
        return wish | {"best_metric_preference": best_metric_preference}
