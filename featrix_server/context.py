"""What a request works with: the open parts of the server, and the session a path names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from fastapi import Path as PathParameter
from sqlalchemy import BindParameter, ColumnElement, and_, select

from featrix_server.db import SPACE_JOBS, Database, JobRow, PredictorRow, SessionRow
from featrix_server.deprecation import mark_answer
from featrix_server.endpoints import Endpoints
from featrix_server.errors import ApiError, invalid_input
from featrix_server.jobs.events import EventHub
from featrix_server.models import ModelCache
from featrix_server.prediction_log import PredictionLog
from featrix_server.quota import Quota
from featrix_server.schemas import ErrorBody
from featrix_server.settings import Settings
from featrix_server.store import Store
from featrix_server.vectors import VectorIndexes


@dataclass(frozen=True)
class Context:
    """The open parts of one server, kept in ``app.state.context``."""

    settings: Settings
    database: Database
    store: Store
    models: ModelCache
    events: EventHub
    predictions: PredictionLog
    quota: Quota
    vectors: VectorIndexes
    endpoints: Endpoints


async def get_context(request: Request) -> Context:
    """Return the server's parts."""  # async: a plain function would cost a change of thread
    context: Context = request.app.state.context
    return context


ContextDep = Annotated[Context, Depends(get_context)]


@dataclass(frozen=True)
class OpenSession:
    """A session as a request found it: its row, jobs and predictors oldest first, its folder.

    ``labelled`` are predictors of this model that learned from a table of labels. They live in
    sessions of their own, which share its space, but belong to it all the same.
    """

    row: SessionRow
    jobs: tuple[JobRow, ...]
    folder: Path
    predictors: tuple[PredictorRow, ...] = ()
    labelled: tuple[PredictorRow, ...] = ()
    labelled_jobs: tuple[JobRow, ...] = ()

    @property
    def training(self) -> JobRow | None:
        """The newest job that makes the embedding space."""
        return next((job for job in reversed(self.jobs) if job.job_type in SPACE_JOBS), None)

    @property
    def predictor_training(self) -> JobRow | None:
        """The newest job that trains a predictor."""
        jobs = (job for job in self.jobs if job.job_type == "train_single_predictor")
        return max(jobs, key=lambda job: job.created_at, default=None)

    @property
    def all_predictors(self) -> tuple[PredictorRow, ...]:
        """Its own predictors, then those with labels of their own."""
        return self.predictors + self.labelled

    def predictor(self, predictor_id: str) -> PredictorRow:
        """Return one of the predictors.

        Raises
        ------
        ApiError
            404 if the model has no such predictor.
        """
        for row in self.all_predictors:
            if row.id == predictor_id:
                return row
        raise unknown_predictor(self.row.id, predictor_id)

    @property
    def status(self) -> str:
        """The session's status word; while its training is open, that of the training."""
        job = self.training
        return job.status if job and self.row.finished_at is None else self.row.status


def find_session(
    session_id: Annotated[str, PathParameter(description="Id of a model.")], context: ContextDep
) -> OpenSession:
    """Return the session that a path names: by its id, or by the name it is published under.

    Raises
    ------
    ApiError
        404 if there is none, or it has been deleted.
    """
    with context.database.read() as database:
        row = database.get(SessionRow, session_id)
        if row is None:
            published = SessionRow.published_name == session_id
            row = database.scalar(
                select(SessionRow).where(published, SessionRow.published_at.is_not(None))
            )
        if row is None or row.deleted_at is not None:
            raise unknown_session(session_id)
        session_id = row.id
        query = select(JobRow).where(JobRow.session_id == session_id)
        jobs = tuple(database.scalars(query.order_by(JobRow.created_at, JobRow.id)))
        made = select(PredictorRow).where(PredictorRow.session_id == session_id)
        predictors = tuple(database.scalars(made.order_by(PredictorRow.created_at)))
        labelled = database.execute(
            select(PredictorRow, JobRow)
            .join(JobRow, JobRow.id == PredictorRow.job_id)
            .join(SessionRow, SessionRow.id == PredictorRow.session_id)
            .where(labelled_for(session_id), SessionRow.deleted_at.is_(None))
            .order_by(PredictorRow.created_at)
        ).all()
    mark_answer(row)
    return OpenSession(
        row,
        jobs,
        context.store.folder(row.id),
        predictors,
        labelled=tuple(predictor for predictor, _ in labelled),
        labelled_jobs=tuple(job for _, job in labelled),
    )


def labelled_for(session_id: str | BindParameter[str]) -> ColumnElement[bool]:
    """Return the condition that a predictor learned from a table of labels for this model."""
    return and_(SessionRow.parent_id == session_id, PredictorRow.labels_digest.is_not(None))


SessionDep = Annotated[OpenSession, Depends(find_session)]


def find_predictor(predictor_id: str, context: Context) -> PredictorRow:
    """Return a predictor, whatever model it is of.

    Raises
    ------
    ApiError
        404 if there is none, or its model has been deleted.
    """
    with context.database.read() as database:
        row = database.scalars(
            select(PredictorRow)
            .join(SessionRow, SessionRow.id == PredictorRow.session_id)
            .where(PredictorRow.id == predictor_id, SessionRow.deleted_at.is_(None))
        ).first()
    if row is None:
        raise ApiError(
            404,
            "not_found",
            f"There is no predictor {predictor_id!r} on this server.",
            hint="fm.list_predictors() shows the predictors there are.",
            field="predictor_id",
        )
    return row


async def find_cluster(
    context: ContextDep,
    x_featrix_node: Annotated[
        str | None, Header(description="Name of the store to make the model in.")
    ] = None,
) -> str:
    """Return the name of the store that a request wants its new model in.

    Raises
    ------
    ApiError
        422 if there is no such store.
    """
    return known_cluster(context, x_featrix_node)


ClusterDep = Annotated[str, Depends(find_cluster)]


def known_cluster(context: Context, name: str | None) -> str:
    """Return the name of a store, the default one for None; refuse an unknown one with 422."""
    if not name:
        return context.store.default
    if name not in context.store.roots:
        raise invalid_input(
            f"The server has no compute cluster {name!r}.",
            hint=f"It has: {', '.join(context.store.roots)}.",
            field="compute_cluster",
        )
    return name


def unknown_session(session_id: str) -> ApiError:
    """Return the 404 for a session that is not there."""
    return ApiError(
        404,
        "not_found",
        f"There is no model {session_id!r} on this server.",
        hint="FeatrixSphere().list_sessions() shows the models there are.",
        field="session_id",
    )


def unknown_predictor(session_id: str, wanted: str) -> ApiError:
    """Return the 404 for a predictor that is not there."""
    return ApiError(
        404,
        "not_found",
        f"The model {session_id!r} has no predictor {wanted!r}.",
        hint="fm.list_predictors() shows the predictors there are.",
        field="predictor_id",
    )


_REASONS = {
    401: "The key is missing or wrong.",
    403: "The Host header names another server.",
    404: "There is no such model, or no such part of it.",
    409: "Not possible in the model's present state, or not there yet.",
    410: "The model was deprecated, and its date has passed.",
    413: "The request is too large.",
    422: "The input is not valid.",
    429: "Too many requests; `Retry-After` says when the next is welcome, in seconds.",
    507: "The server's disk is full.",
}


def failures(*codes: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI entries for the errors a route can answer with."""
    return {code: {"model": ErrorBody, "description": _REASONS[code]} for code in codes}
