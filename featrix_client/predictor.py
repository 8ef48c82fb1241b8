"""A predictor on the server: answers what a row's target is."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import quote

from featrix_client.api_endpoint import APIEndpoint, create_endpoint
from featrix_client.errors import FeatrixHTTPError, FeatrixInputError, missing_error
from featrix_client.events import predictor_reports
from featrix_client.model_card import ModelCard
from featrix_client.predictor_answers import AnswersOfPredictor
from featrix_client.state import predictor_entries
from featrix_client.transport import Transport

if TYPE_CHECKING:
    import pandas as pd

_FEEDBACK_PAGE = 1000


class Predictor(AnswersOfPredictor):
    """A view of one predictor on the server. Made by `FoundationalModel`, not by hand.

    Attributes describe the last answer of the server; `refresh` asks again.

    Attributes
    ----------
    id, name : str
        Predictor id; name given to it, else its target column.
    session_id : str
        The foundational model it stands on; with labels of its own, a session that shares the
        space of that model.
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
        self._session_id = entry.session_id or self._session_id
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

    def _as_predictor(self) -> dict[str, str]:
        return {"predictor_id": self.id}

    def _only_job(self) -> str | None:
        return self.training_state.job_id

    def get_metrics(self) -> dict[str, Any]:
        """Return how the training went and how good the predictor is.

        Returns
        -------
        dict
            With ``training_info``, one entry an epoch, ``final_metrics``, and what else the
            server tells (both checkpoints, threshold, confusion matrix, calibration).
            ``feedback``: the scores (``metrics``) on the newest ``n`` predictions whose truth was
            told, of ``total``. Empty before there is anything to tell.
        """
        answer = self._transport.get(f"{self._path}/training_metrics", predictor_id=self.id)
        metrics: dict[str, Any] = answer.get("training_metrics") or {}
        return metrics

    def get_model_card(self) -> ModelCard:
        """Return the predictor's model card: what was decided in training, and why.

        Returns
        -------
        ModelCard
            As `FoundationalModel.get_model_card`, of this predictor alone.

        Raises
        ------
        requests.HTTPError
            With ``.status`` 409 before it is trained.
        """
        return ModelCard(self._transport.get(f"{self._path}/model_card", predictor_id=self.id))

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

    # ------------------------------------------------------------- in production

    def create_api_endpoint(
        self,
        name: str,
        description: str | None = None,
        *,
        requests_per_minute: int | None = None,
    ) -> APIEndpoint:
        """Make a production endpoint: an address with a key that can predict and nothing else.

        Parameters
        ----------
        name : str
            Name of the endpoint.
        description : str, optional
            What it is for.
        requests_per_minute : int, optional
            How often it may be asked; left out, as often as the server allows.

        Raises
        ------
        ValueError
            If an argument cannot be used.
        """
        return create_endpoint(
            *(self._transport, self.session_id, self.id),
            name=name,
            description=description,
            requests_per_minute=requests_per_minute,
        )

    def feedback_frame(self) -> pd.DataFrame:
        """Return the records whose truth was told, as labels for a new predictor.

        Returns
        -------
        pandas.DataFrame
            The columns the predictor uses, and its target with what was true; one row a
            prediction, newest first. Can be given as ``labels_df``.
        """
        import pandas as pd

        path = f"/compute/predictor/{quote(self.id, safe='')}/feedback"
        rows: list[dict[str, Any]] = []
        total = None
        while total is None or len(rows) < total:
            page = self._transport.get(path, offset=len(rows), limit=_FEEDBACK_PAGE)
            if not page["rows"]:
                break
            rows, total = rows + page["rows"], page["total"]
        truth: list[Any] = [row["ground_truth"] for row in rows]
        frame = pd.DataFrame.from_records([row["record"] for row in rows])
        if self.target_type == "numeric":
            truth = list(pd.to_numeric(pd.Series(truth, dtype=object), errors="coerce"))
        frame[self.target_column] = truth
        return frame
