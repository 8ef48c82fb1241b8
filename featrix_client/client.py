"""The entry point: a connection to a Featrix server."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from featrix_client.api_endpoint import APIEndpoint, find_endpoint
from featrix_client.config import find_target
from featrix_client.creation import check_options, create_session
from featrix_client.errors import FeatrixInputError
from featrix_client.foundational_model import FoundationalModel
from featrix_client.local import ensure_server
from featrix_client.prediction import PredictionFeedback
from featrix_client.predictor import Predictor
from featrix_client.retries import RetryPolicy
from featrix_client.transport import Address, Transport
from featrix_client.vector_database import VectorDatabase, find_database

if TYPE_CHECKING:
    import pandas as pd

# What a server on this machine does not mend in a few seconds, it does not mend at all.
_LOCAL_POLICY = RetryPolicy(base_delay=0.25, max_delay=2.0)


class FeatrixSphere:
    """A connection to a Featrix server; one printed line says to which.

    Parameters
    ----------
    api_url : str, optional
        Address of a server, or ``"local"`` for the embedded one. When left out: the environment
        (``FEATRIX_API_URL``, ``FEATRIX_BASE_URL``), then an address in a configuration file
        (``~/.featrix`` and others), then the hosted service if an API key is configured
        (``FEATRIX_API_KEY`` or a configuration file), else the embedded server, which is started
        if it does not run yet and shared by all of the user's notebooks.
    compute_cluster : str, optional
        Where jobs run; see `set_compute_cluster`.

    Attributes
    ----------
    url : str
        Address of the server.
    compute_cluster : str or None
        Where jobs run, if it was set.

    Raises
    ------
    ValueError
        If the address is not one, or the cluster unknown.
    RuntimeError
        If the embedded server is not installed or does not start.
    """

    def __init__(self, api_url: str | None = None, compute_cluster: str | None = None) -> None:
        target = find_target(api_url)
        if target.url is None:
            self._transport = Transport(
                _local_address(), relocate=_local_address, policy=_LOCAL_POLICY
            )
            print(f"Featrix: using the embedded server at {self.url} ({target.reason}).")
        else:
            self._transport = Transport(Address(target.url, target.api_key))
            print(f"Featrix: using the server at {self.url} ({target.reason}).")
        if compute_cluster is not None:
            self.set_compute_cluster(compute_cluster)

    def __repr__(self) -> str:
        kind = "embedded" if self._transport.is_local else "remote"
        cluster = f", compute_cluster={self.compute_cluster!r}" if self.compute_cluster else ""
        return f"FeatrixSphere({self.url!r}{cluster})  # {kind} server"

    @property
    def url(self) -> str:
        """Address of the server."""
        return self._transport.url

    @property
    def compute_cluster(self) -> str | None:
        """Where jobs run, if it was set."""
        return self._transport.compute_cluster

    def create_foundational_model(
        self,
        name: str | None = None,
        data_file: str | os.PathLike[str] | None = None,
        df: pd.DataFrame | None = None,
        ignore_columns: Sequence[str] | None = None,
        epochs: int | None = None,
        webhooks: Mapping[str, str] | None = None,
        user_metadata: Mapping[str, Any] | None = None,
        foundation_mode: bool = False,
        *,
        column_overrides: Mapping[str, str] | None = None,
    ) -> FoundationalModel:
        """Send a table to the server and start training a model on it.

        Give exactly one of `data_file` and `df`.

        Parameters
        ----------
        name : str, optional
            Name of the model; its id starts with it.
        data_file : str or path, optional
            A CSV, Parquet, JSON or JSON lines file, each also gzipped (``.gz``), or an
            ``http(s)://`` or ``s3://`` URL of one, which the server fetches.
        df : pandas.DataFrame, optional
            A table in memory. Its index is not part of it.
        ignore_columns : list of str, optional
            Columns to leave out.
        epochs : int, optional
            Passes over the data, at least 1; None lets the server decide.
        webhooks : dict, optional
            Event name to URL; see `featrix_client.WEBHOOK_EVENTS`.
        user_metadata : dict, optional
            Kept with the model; at most 32 KB as JSON.
        foundation_mode : bool
            Force the way large tables are trained, which is on by itself above 200,000 rows.
        column_overrides : dict, optional
            Column name to the type to treat it as: ``scalar``, ``set``, ``free_string``,
            ``timestamp``, ``email``, ``url``, ``json`` or ``list``.

        Returns
        -------
        FoundationalModel
            With status ``training``; see `FoundationalModel.wait_for_training`.

        Raises
        ------
        ValueError
            If an argument or the table cannot be used.
        requests.HTTPError
            If the server refuses for another reason.

        Warns
        -----
        FeatrixWarning
            What the server found odd about the table.
        """
        options = check_options(
            name=name,
            ignore_columns=ignore_columns,
            epochs=epochs,
            webhooks=webhooks,
            user_metadata=user_metadata,
            foundation_mode=foundation_mode,
            column_overrides=column_overrides,
        )
        session_id = create_session(self._transport, data_file=data_file, df=df, options=options)
        return self.foundational_model(session_id)

    def foundational_model(self, session_id: str) -> FoundationalModel:
        """Return a model of the server.

        Parameters
        ----------
        session_id : str
            Its id, or the name it is published under.

        Raises
        ------
        requests.HTTPError
            With ``.status`` 404 if the server has no such model.
        """
        _check_id(session_id, "session_id")
        model = FoundationalModel(self._transport, quote(session_id, safe=""))
        found = model.refresh()["session"].get("session_id") or session_id
        if found == session_id:
            return model
        return self.foundational_model(found)  # it was the name of a published model

    def predictor(self, predictor_id: str, foundational_model_id: str) -> Predictor:
        """Return a predictor of a model.

        Raises
        ------
        requests.HTTPError
            With ``.status`` 404 if the server has no such model, or the model no such predictor.
        """
        _check_id(foundational_model_id, "foundational_model_id")
        predictor = Predictor(self._transport, foundational_model_id, predictor_id)
        predictor.refresh()
        return predictor

    def vector_database(
        self, foundational_model_id: str, name: str | None = None
    ) -> VectorDatabase:
        """Return a vector database of a model.

        Parameters
        ----------
        foundational_model_id : str
            Id of the model.
        name : str, optional
            Its name; left out: the newest one.

        Raises
        ------
        requests.HTTPError
            With ``.status`` 404 if the server has no such model, or the model no such database.
        """
        _check_id(foundational_model_id, "foundational_model_id")
        return find_database(self._transport, foundational_model_id, name)

    def api_endpoint(self, endpoint_id: str, foundational_model_id: str) -> APIEndpoint:
        """Return a production endpoint of a model, with its key.

        Raises
        ------
        requests.HTTPError
            With ``.status`` 404 if the server has no such model, or the model no such endpoint.
        """
        _check_id(foundational_model_id, "foundational_model_id")
        return find_endpoint(self._transport, endpoint_id, foundational_model_id)

    def prediction_feedback(self, prediction_uuid: str, ground_truth: Any) -> dict[str, Any]:
        """Tell the server what was true of a prediction.

        Parameters
        ----------
        prediction_uuid : str
            `PredictionResult.prediction_uuid`.
        ground_truth : str or number
            What the prediction should have been.

        Returns
        -------
        dict
            What the server answers.

        Raises
        ------
        requests.HTTPError
            With ``.status`` 404 if the server does not know the prediction.
        """
        return PredictionFeedback(prediction_uuid, ground_truth, self._transport).send()

    def list_sessions(self, name_prefix: str = "") -> list[str]:
        """Return the ids of the models whose name starts with `name_prefix`, newest first."""
        answer = self._transport.get("/compute/sessions-for-org", name_prefix=name_prefix or None)
        items = answer["sessions"] if isinstance(answer, dict) else answer
        dated = [item if isinstance(item, dict) else {"session_id": item} for item in items]
        dated.sort(key=lambda item: item.get("created_at") or "", reverse=True)
        return [str(item["session_id"]) for item in dated]

    def health_check(self) -> dict[str, Any]:
        """Return what the server says about itself, also when that is not good.

        Returns
        -------
        dict
            At least ``status``, ``version`` and ``compute_cluster``, None where unknown.

        Raises
        ------
        requests.ConnectionError
            If no server answers.
        """
        unknown: dict[str, Any] = dict.fromkeys(("status", "version", "compute_cluster"))
        return unknown | self._transport.health()

    def get_notebook(self) -> Any:
        """Return the helper that draws models in a notebook.

        Returns
        -------
        featrix_notebook.helper.NotebookHelper
        """
        # The one call upward, by name: the client must work without the notebook parts.
        return importlib.import_module("featrix_notebook.helper").NotebookHelper()

    def set_compute_cluster(self, name: str | None) -> None:
        """Run later jobs on another cluster; None goes back to the server's own choice.

        Raises
        ------
        ValueError
            If the server names its clusters and this is none of them.
        """
        if name is not None:
            known = self._known_clusters()
            if known and name not in known:
                raise FeatrixInputError(
                    f"The server has no compute cluster {name!r}.",
                    hint=f"It has: {', '.join(known)}.",
                    field="compute_cluster",
                )
        self._transport.compute_cluster = name

    def _known_clusters(self) -> list[str]:
        health = self.health_check()
        if names := health.get("compute_clusters"):
            return list(names)
        # A remote server may stand before more clusters than the one that answers.
        own = health["compute_cluster"] if self._transport.is_local else None
        return [own] if own else []


def _check_id(session_id: str, field: str) -> None:
    if not isinstance(session_id, str) or not session_id.strip("./ ") or "/" in session_id:
        raise FeatrixInputError(
            f"{session_id!r} is not the id of a model.",
            hint="list_sessions() returns the ids.",
            field=field,
        )


def _local_address() -> Address:
    server = ensure_server()
    return Address(server.url, server.key)
