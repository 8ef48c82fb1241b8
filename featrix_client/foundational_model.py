"""A foundational model on the server: a learned space of table rows."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from featrix_client import projections
from featrix_client.encoding import encode_records, read_rows
from featrix_client.errors import FeatrixHTTPError, FeatrixInputError
from featrix_client.lifecycle import Lifecycle
from featrix_client.model_card import ModelCard
from featrix_client.predictor_creation import PredictorsOfModel
from featrix_client.records import clean_records
from featrix_client.reference_record import ReferenceRecord
from featrix_client.state import training_state
from featrix_client.transport import Transport
from featrix_client.vector_database import VectorDatabase, create_database

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


class FoundationalModel(PredictorsOfModel, Lifecycle):
    """A view of one model on the server. Made by `FeatrixSphere`, not by hand.

    Attributes describe the last answer of the server; `refresh` asks again.

    Attributes
    ----------
    id : str
        Session id.
    name : str
        Name given to it, else its id.
    status : {"training", "done", "error"}
        Where it stands.
    dimensions : int or None
        Width of its embeddings; None before it is trained.
    epochs : int or None
        Epochs completed.
    final_loss : float or None
        Validation loss of the epoch that was kept; None before it is trained.
    created_at : str or None
        When it was created, as ISO 8601 text.
    columns : list of str or None
        Columns in the model, without the excluded ones.
    raw : dict
        The last status document of the server.
    """

    called = "fm"
    made_by = "create_foundational_model()"

    def __init__(self, transport: Transport, session_id: str) -> None:
        super().__init__(transport, session_id, session_id)
        self.dimensions: int | None = None
        self.epochs: int | None = None
        self.final_loss: float | None = None
        self.created_at: str | None = None
        self.columns: list[str] | None = None

    def __repr__(self) -> str:
        facts = [f"id={self.id!r}", f"status={self.status!r}"]
        if self.name != self.id:
            facts.insert(1, f"name={self.name!r}")
        for field in ("dimensions", "epochs", "final_loss"):
            value = getattr(self, field)
            if value is not None:
                facts.append(
                    f"{field}={value:.4g}" if isinstance(value, float) else f"{field}={value}"
                )
        return f"FoundationalModel({', '.join(facts)})"

    def _other(self, session_id: str) -> FoundationalModel:
        return FoundationalModel(self._transport, session_id)

    # ------------------------------------------------------------------ state

    def refresh(self) -> dict[str, Any]:
        """Ask the server how the model stands, update the attributes, return the raw answer.

        Raises
        ------
        requests.HTTPError
            With ``.status`` 404 if the server does not know the model.
        """
        body: dict[str, Any] = self._transport.get(self._path)
        session, state = body["session"], training_state(body)
        self.raw, self.training_state = body, state
        self.name = session.get("name") or self.id
        self.created_at = session.get("created_at")
        # While it trains only the job counts; at the end its count may hold further phases.
        self.epochs = session.get("epochs") or state.epoch
        architecture = session.get("es_architecture") or {}
        self.dimensions = architecture.get("d_model") or session.get("dimensions")
        self.final_loss = session.get("final_loss")
        self.columns = session.get("columns") or self.columns
        if state.status == "done":
            self._fill_in()
        return body

    def _fill_in(self) -> None:
        """Ask for what some servers leave out of the status of a trained model."""
        if self.final_loss is None:
            with suppress(FeatrixHTTPError):  # a server that does not know need not stop us
                metrics = self.get_training_metrics().get("data") or {}
                self.final_loss = metrics.get("best_val_loss")
        if self.columns is None:
            with suppress(FeatrixHTTPError):
                answer = self._transport.get(f"{self._path}/columns")
                self.columns = answer.get("column_names") or answer.get("columns")

    # ---------------------------------------------------------------- results

    def encode(
        self,
        records: Mapping[str, Any] | Iterable[Mapping[str, Any]] | pd.DataFrame,
        short: bool = False,
    ) -> list[dict[str, list[float]]]:
        """Return the place of records in the learned space.

        Columns may be missing, unknown ones are ignored.

        Parameters
        ----------
        records : list of dict, dict, or pandas.DataFrame
            The records; a single one may be given bare.
        short : bool
            Return only the points on the sphere.

        Returns
        -------
        list of dict
            One a record, in order: ``embedding``, a point on the unit sphere (3 numbers), and
            unless `short` also ``embedding_long``, a unit vector of `dimensions` numbers.

        Raises
        ------
        ValueError
            If something in `records` is not a record.
        """
        return encode_records(self._transport, self._path, records, short)

    def row_embeddings(self) -> np.ndarray[Any, Any]:
        """Return the vectors of the rows of the model's own table.

        Returns
        -------
        numpy.ndarray
            float32 (rows, `dimensions`), of length one each; place ``i`` belongs to the row whose
            ``__featrix_row_id`` is ``i``.

        Raises
        ------
        requests.HTTPError
            With ``.status`` 409 if the model is not trained, 404 if the server has no such answer.
        """
        return read_rows(self._transport, self._path)

    def create_vector_database(
        self,
        name: str | None = None,
        records: Mapping[str, Any] | Iterable[Mapping[str, Any]] | pd.DataFrame | None = None,
    ) -> VectorDatabase:
        """Make a place to keep records and search them by likeness.

        Without `records` a database of that name that is there already is returned as it is.

        Parameters
        ----------
        name : str, optional
            Its name within the model; left out: ``default``.
        records : list of dict or pandas.DataFrame, optional
            Records to begin with; see `VectorDatabase.add_records`.

        Raises
        ------
        ValueError
            If something in `records` cannot be used; nothing is left behind then. If `records`
            are given and the database has records already.
        requests.HTTPError
            With ``.status`` 409 if the model is not trained.
        """
        rows = [] if records is None else clean_records(records)
        made = create_database(self._transport, self._session_id, name)
        if not rows:
            return made
        if count := made.raw.get("record_count"):
            raise FeatrixInputError(
                f"There is a vector database {made.name!r} with {count:,} records already.",
                hint="Give this one another name; or get that one with "
                f"featrix.vector_database({self.id!r}, {made.name!r}) and add to it, or "
                "delete() it first.",
                field="name",
            )
        try:
            made.add_records(rows)
        except FeatrixInputError:
            made.delete()
            raise
        return made

    def create_reference_record(
        self, record: Mapping[str, Any], name: str | None = None
    ) -> ReferenceRecord:
        """Take a record as a good example, to find more like it.

        Parameters
        ----------
        record : dict
            The example; columns it does not have are left out of account.
        name : str, optional
            A name for it.

        Raises
        ------
        ValueError
            If `record` is no record.
        requests.HTTPError
            With ``.status`` 409 if the model is not trained.
        """
        return ReferenceRecord(self._transport, self._session_id, record, name)

    def get_training_metrics(self) -> dict[str, Any]:
        """Return the history of the training, also while it runs.

        Returns
        -------
        dict
            ``loss_history`` and ``lr_history``, one number an epoch, and ``data`` with the lists
            ``epochs``, ``train_loss``, ``val_loss``, ``learning_rate``, ``gradient_norm`` and
            more, all of one length, None where unknown.
        """
        answer: dict[str, Any] = self._transport.get(f"{self._path}/training_metrics")
        return answer

    def get_model_card(self) -> ModelCard:
        """Return the model card: what was decided in training, and why.

        Returns
        -------
        ModelCard
            A dict with ``columns``, ``excluded_columns``, ``training_config``, ``quality_metrics``,
            ``calibration``, ``data_summary``, ``warnings`` and more.
        """
        return ModelCard(self._transport.get(f"{self._path}/model_card"))

    def get_projections(
        self, limit: int | None = None, offset: int | None = None
    ) -> dict[str, Any]:
        """Return rows of the table as points on the sphere.

        `projections_frame` returns the same as a DataFrame, and is faster.

        Parameters
        ----------
        limit : int, optional
            Most points to return; None returns all.
        offset : int, optional
            Points to leave out at the start.

        Returns
        -------
        dict
            ``coords``, one dict a point, ``entire_cluster_results``, ``total_count``,
            ``offset`` and ``limit``.
        """
        answer = self._transport.get(f"{self._path}/projections", limit=limit, offset=offset)
        inner: dict[str, Any] = answer["projections"]
        return inner

    def projections_frame(self, limit: int | None = None) -> pd.DataFrame:
        """Return rows of the table with their place on the sphere, as a DataFrame.

        Parameters
        ----------
        limit : int, optional
            Most rows to return; None returns all.

        Returns
        -------
        pandas.DataFrame
            Columns ``__featrix_row_id``, ``x``, ``y``, ``z`` (on the unit sphere), ``cluster_<k>``
            for each clustering, then the columns of the table. ``.attrs["featrix"]`` holds
            ``total_count``, ``offset``, ``limit``, ``best_k``, ``available_k`` and more.
        """
        return projections.fetch_frame(self._transport, self._path, limit)

    def get_epoch_projections(
        self,
        epoch: int | str | None = None,
        start_epoch: int | None = None,
        limit: int | None = None,
        point_limit: int | None = None,
        point_offset: int | None = None,
        metadata_only: bool = False,
        include_source_data: bool = False,
    ) -> dict[str, dict[str, Any]]:
        """Return the points of the sphere at the epochs of the training.

        `movie_frames` returns the same points as one array, and is much faster.

        Parameters
        ----------
        epoch : int or "last", optional
            Only this one.
        start_epoch, limit : int, optional
            First epoch, and most epochs to return.
        point_limit, point_offset : int, optional
            Most points of each epoch, and points to leave out at the start.
        metadata_only : bool
            Leave out the points.
        include_source_data : bool
            Add the rows' own values to the points.

        Returns
        -------
        dict
            ``"epoch_<n>"`` to a dict of ``epoch``, ``coords`` and more, in order of time; the
            same rows in the same order in each.
        """
        answer = self._transport.get(
            f"{self._path}/epoch_projections",
            epoch=epoch,
            start_epoch=start_epoch,
            limit=limit,
            point_limit=point_limit,
            point_offset=point_offset,
            metadata_only="true" if metadata_only else None,
            include_source_data="true" if include_source_data else None,
        )
        frames = answer["epoch_projections"]
        return dict(sorted(frames.items(), key=lambda item: int(item[0].rpartition("_")[2])))

    def movie_frames(
        self, start_epoch: int = 0
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Return the points of the sphere at all epochs that were kept.

        Parameters
        ----------
        start_epoch : int
            Leave out earlier epochs.

        Returns
        -------
        epochs : numpy.ndarray
            int32 (n_epochs,), ascending; 0 is the untrained model.
        row_ids : numpy.ndarray
            int64 (n_points,), the rows of the table that were followed.
        positions : numpy.ndarray
            float32 (n_epochs, n_points, 3), on the unit sphere.
        """
        return projections.fetch_movie(self._transport, self._path, start_epoch)

    def movie_rows(self) -> pd.DataFrame:
        """Return the rows of the table that `movie_frames` follows, in the same order.

        Returns
        -------
        pandas.DataFrame
            Columns ``__featrix_row_id``, ``cluster_<k>`` for each clustering of the finished
            model, then the columns of the table. ``.attrs["featrix"]`` holds ``best_k``,
            ``available_k`` and ``column_types``.
        """
        return projections.fetch_movie_rows(self._transport, self._path)

    def get_sphere_preview(self, save_path: str | os.PathLike[str] | None = None) -> bytes:
        """Return a picture of the sphere.

        Parameters
        ----------
        save_path : path, optional
            Also write it there.

        Returns
        -------
        bytes
            A PNG file.
        """
        picture = self._transport.request("GET", f"{self._path}/preview").content
        if save_path is not None:
            Path(save_path).expanduser().write_bytes(picture)
        return picture
