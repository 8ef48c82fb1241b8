"""A predictor on the server: answers what a row's target is."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

from featrix_client.creation import existing_file
from featrix_client.csvfile import read_csv_records
from featrix_client.errors import FeatrixHTTPError, FeatrixInputError, missing_error
from featrix_client.events import predictor_reports
from featrix_client.prediction import BatchResults, PredictionResult, occlusion_importance
from featrix_client.prediction_grid import PredictionGrid
from featrix_client.records import clean_record, clean_records
from featrix_client.run import TrainingRun
from featrix_client.state import predictor_entries
from featrix_client.transport import Transport

if TYPE_CHECKING:
    import pandas as pd

BATCH_ROWS = 10_000
"""Records a request of a batch."""

_BATCH_TIMEOUT_S = 300.0
_CHECKPOINTS = ("roc_auc", "pr_auc")


class Predictor(TrainingRun):
    """A view of one predictor on the server. Made by `FoundationalModel`, not by hand.

    Attributes describe the last answer of the server; `refresh` asks again.

    Attributes
    ----------
    id, name : str
        Predictor id; name given to it, else its target column.
    session_id : str
        The foundational model it stands on.
    target_column : str
        What it predicts.
    target_type : {"set", "numeric"}
        Classes, or numbers.
    status : {"training", "done", "error"}
        Where it stands.
    accuracy, auc, f1 : float or None
        Of a classifier, on the rows held back from its training, at its threshold; averages
        over the classes if there are more than two. None before it is trained and for numbers,
        whose errors are in `get_metrics`.
    raw : dict
        The last status document of the server.
    """

    called = "predictor"
    made_by = "Creating it again"

    def __init__(self, transport: Transport, session_id: str, predictor_id: str) -> None:
        super().__init__(transport, predictor_id, session_id)
        self.target_column = ""
        self.target_type: Literal["set", "numeric"] = "set"
        self.accuracy: float | None = None
        self.auc: float | None = None
        self.f1: float | None = None

    def __repr__(self) -> str:
        facts = [f"id={self.id!r}", f"target_column={self.target_column!r}"]
        facts += [f"target_type={self.target_type!r}", f"status={self.status!r}"]
        scores = {"accuracy": self.accuracy, "auc": self.auc, "f1": self.f1}
        facts += [f"{name}={score:.4g}" for name, score in scores.items() if score is not None]
        return f"Predictor({', '.join(facts)})"

    @property
    def session_id(self) -> str:
        """Id of the foundational model it stands on."""
        return self._session_id

    # ------------------------------------------------------------------ state

    def refresh(self) -> dict[str, Any]:
        """Ask the server how the predictor stands, update the attributes, return the raw answer.

        Raises
        ------
        requests.HTTPError
            With ``.status`` 404 if the server does not know the model or the predictor.
        """
        body: dict[str, Any] = self._transport.get(self._path)
        self.read_status(body)
        return body

    def read_status(self, body: dict[str, Any]) -> None:
        """Update the attributes from a status document that was fetched already.

        Raises
        ------
        requests.HTTPError
            With ``.status`` 404 if the predictor is not in it.
        """
        entries = predictor_entries(body)
        entry = next((entry for entry in entries if entry.id == self.id), None)
        if entry is None:
            known = ", ".join(f"{other.id} ({other.target_column})" for other in entries)
            raise missing_error(
                f"The model {self.session_id!r} has no predictor {self.id!r}.",
                hint=f"It has: {known}." if known else "It has none yet.",
            )
        self.raw, self.training_state = body, entry.state
        self.name = entry.name
        self.target_column, self.target_type = entry.target_column, entry.target_type
        self.accuracy, self.auc, self.f1 = entry.accuracy, entry.auc, entry.f1
        if self.status == "done" and self.target_type == "set" and self.accuracy is None:
            self._fill_in()

    def _fill_in(self) -> None:
        """Ask for the scores, which some servers leave out of the status."""
        try:
            metrics = self.get_metrics()
        except FeatrixHTTPError:  # a server that does not know need not stop us
            return
        if metrics.get("target_column") in (None, self.target_column):
            final = metrics.get("final_metrics") or {}
            self.accuracy, self.f1 = final.get("accuracy"), final.get("f1")
            self.auc = final.get("auc", final.get("roc_auc"))

    def _only_job(self) -> str | None:
        return self.training_state.job_id

    def get_metrics(self) -> dict[str, Any]:
        """Return how the training went and how good the predictor is.

        Returns
        -------
        dict
            With ``training_info``, one entry an epoch, ``final_metrics``, and what else the
            server tells (both checkpoints, threshold, confusion matrix, calibration). Empty
            before there is anything to tell.
        """
        answer = self._transport.get(f"{self._path}/training_metrics", predictor_id=self.id)
        metrics: dict[str, Any] = answer.get("training_metrics") or {}
        return metrics

    def get_training_metrics(self) -> dict[str, Any]:
        """Return the epochs of the training as lists, in the form of the model's own metrics.

        Returns
        -------
        dict
            ``data``: a dict of lists of one length, ``epochs`` first, None where unknown.
        """
        rows = predictor_reports({"training_metrics": self.get_metrics()})
        names = dict.fromkeys(name for row in rows for name in row)
        words = {"epoch": "epochs", "loss": "train_loss", "validation_loss": "val_loss"}
        return {"data": {words.get(name, name): [row.get(name) for row in rows] for name in names}}

    def train_more(self, epochs: int = 50) -> Self:
        """Train on from where the training ended; what it has is kept if nothing gets better.

        Parameters
        ----------
        epochs : int
            Further passes over the labelled rows, at least 1.

        Returns
        -------
        Predictor
            This predictor, with status ``training``.

        Raises
        ------
        ValueError
            If `epochs` is not a whole number of at least 1.
        """
        try:
            number = operator.index(epochs)
        except TypeError:
            number = 0
        if isinstance(epochs, bool) or number < 1:
            raise FeatrixInputError(
                f"epochs must be a whole number of at least 1, not {epochs!r}.", field="epochs"
            )
        wish = {
            "epochs": number,
            "target_column": self.target_column,
            "predictor_id": self.id,
        }
        self._transport.post(f"{self._path}/train_predictor_more", wish)
        self.refresh()
        return self

    # ------------------------------------------------------------ predictions

    def predict(
        self,
        record: Mapping[str, Any],
        feature_importance: bool = False,
        best_metric_preference: str | None = None,
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
        answer = self._transport.post(f"{self._path}/predict", {"query_record": row, **wish})
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
        results = iter(self._batch(good, show_progress))
        return BatchResults(
            PredictionResult(error=line) if isinstance(line, str) else next(results)
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
            answer = self._transport.json(
                "POST",
                f"{self._path}/predict_table",
                json={"records": records, **wish},
                timeout=_BATCH_TIMEOUT_S,
            )
            yield self._read_batch(answer, len(records))

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
        with tqdm(total=len(rows), desc="Predicting", unit="row", disable=not show_progress) as bar:
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
