"""Rows on the sphere: all of them now, and the movie of how they came there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Header, Query
from starlette.responses import Response, StreamingResponse

from featrix_server import safejson, tables
from featrix_server.context import ContextDep, OpenSession, SessionDep, failures
from featrix_server.errors import invalid_input, not_ready
from featrix_server.metrics import metric_series
from featrix_server.movie import Movie, to_glb
from featrix_server.points import (
    Clusters,
    Points,
    arrow_stream,
    constant_parts,
    coords_json,
    frame_store,
    load_clusters,
    load_points,
)
from featrix_server.responses import ARROW_STREAM, SafeJSONResponse

router = APIRouter(prefix="/compute/session/{session_id}", tags=["sphere"])

_FAILURES = failures(401, 403, 404, 409, 422)
_OBJECT = {"type": "object"}
Count = Annotated[int | None, Query(ge=1)]
Offset = Annotated[int, Query(ge=0)]


@router.get(
    "/projections",
    response_class=Response,
    responses=_FAILURES
    | {
        200: {
            "content": {"application/json": {"schema": _OBJECT}, ARROW_STREAM: {}},
            "description": "`projections`: `coords`, `entire_cluster_results`, `total_count`, "
            "`offset`, `limit`; or the same as an Arrow stream.",
        }
    },
)
def projections(
    session: SessionDep,
    limit: Count = None,
    offset: Offset = 0,
    accept: Annotated[str, Header()] = "application/json",
) -> Response:
    """Give the rows' points on the unit sphere, with their values and clusters.

    While the model trains these are the points of the last frame, a sample of the rows. With
    `Accept: application/vnd.apache.arrow.stream` they come as an Arrow IPC stream.
    """
    clusters = load_clusters(session.folder)
    points = load_points(session.folder, clusters)
    if points is None:
        raise _no_points(session)
    total = len(points.row_ids)
    start = min(offset, total)
    window = slice(start, total if limit is None else min(start + limit, total))
    about: dict[str, Any] = {"total_count": total, "offset": offset, "limit": limit}
    about |= {"best_k": clusters.best_k, "available_k": clusters.available_k}
    if ARROW_STREAM in accept:
        about["clusters"] = clusters.about
        about["column_types"] = tables.column_types(session.folder)
        stream = arrow_stream(session.folder, points, window, clusters, about)
        return StreamingResponse(stream, media_type=ARROW_STREAM)
    about["entire_cluster_results"] = clusters.results()
    return StreamingResponse(
        _projections_json(session, points, window, clusters, about), media_type="application/json"
    )


def _projections_json(
    session: OpenSession,
    points: Points,
    window: slice,
    clusters: Clusters,
    about: dict[str, Any],
) -> Iterator[str]:
    constant = constant_parts(
        session.folder, points.row_ids[window], window.start, clusters, rows=True
    )
    yield '{"projections":{"coords":['
    yield from _in_pages(coords_json(points.xyz[window], constant))
    yield f"],{safejson.dumps(about)[1:]}}}"


@dataclass(frozen=True)
class FrameQuery:
    """Which epochs and points of the movie are asked for."""

    epoch: Annotated[str | None, Query(pattern=r"^(last|\d{1,9})$", description="`last` or N")] = (
        None
    )
    start_epoch: Annotated[int, Query(ge=0, description="First epoch.")] = 0
    limit: Annotated[int | None, Query(ge=1, description="Most epochs.")] = None
    offset: Annotated[int, Query(ge=0, description="Epochs to leave out first.")] = 0
    point_limit: Annotated[int | None, Query(ge=1, description="Most points.")] = None
    point_offset: Annotated[int, Query(ge=0, description="Points to leave out first.")] = 0

    def select(self, session: OpenSession) -> Movie:
        """Choose from the frames there are; the same points from every epoch.

        Raises
        ------
        ApiError
            409 before the first frame, 422 for an epoch that has none.
        """
        frames = frame_store(session.folder)
        if not frames.epochs:
            raise _no_points(session)
        epochs: list[int] = frames.epochs
        if self.epoch is not None:
            wanted = epochs[-1] if self.epoch == "last" else int(self.epoch)
            if wanted not in epochs:
                kept = ", ".join(map(str, epochs))
                raise invalid_input(
                    f"epoch: there is no frame of epoch {wanted}.",
                    hint=f"Frames are kept of the epochs {kept}.",
                    field="epoch",
                )
            first = epochs.index(wanted)
            positions = slice(first, first + 1)
        else:
            first = sum(epoch < self.start_epoch for epoch in epochs) + self.offset
            first = min(first, len(epochs))
            last = len(epochs) if self.limit is None else min(first + self.limit, len(epochs))
            positions = slice(first, last)
        begin = min(self.point_offset, frames.n_points)
        end = frames.n_points
        if self.point_limit is not None:
            end = min(begin + self.point_limit, end)
        return Movie(
            epochs=epochs[positions],
            row_ids=frames.row_ids[begin:end],
            positions=positions,
            points=slice(begin, end),
            total_points=frames.n_points,
        )


FrameQueryDep = Annotated[FrameQuery, Depends()]


@router.get(
    "/epoch_projections",
    response_class=Response,
    responses=_FAILURES
    | {
        200: {
            "content": {"application/json": {"schema": _OBJECT}},
            "description": "`epoch_projections`: `epoch_<n>` -> a frame, as in `projections`.",
        }
    },
)
def epoch_projections(
    session: SessionDep,
    context: ContextDep,
    query: FrameQueryDep,
    metadata_only: bool = False,
    include_source_data: bool = False,
) -> Response:
    """Give the training movie: the same rows' points after each epoch that kept a frame."""
    movie = query.select(session)
    series = metric_series(context.database, session.training)
    text = _movie_json(
        session, movie, query, series, metadata_only=metadata_only, rows=include_source_data
    )
    return StreamingResponse(text, media_type="application/json")


def _movie_json(
    session: OpenSession,
    movie: Movie,
    query: FrameQuery,
    series: dict[str, Any],
    *,
    metadata_only: bool,
    rows: bool,
) -> Iterator[str]:
    clusters = load_clusters(session.folder)
    frames = frame_store(session.folder)
    labels = clusters.results(np.asarray(frames.row_ids, np.int64))
    constant: list[str] = []
    if not metadata_only:
        constant = list(
            constant_parts(session.folder, movie.row_ids, movie.points.start, clusters, rows)
        )
    yield '{"epoch_projections":{'
    for index, epoch in enumerate(movie.epochs):
        is_last = movie.positions.start + index == len(frames.epochs) - 1
        about = {
            "epoch": epoch,
            "entire_cluster_results": labels if is_last else {},
            "total_count": movie.total_points,
            "offset": query.point_offset,
            "limit": query.point_limit,
        }
        yield f'{"," if index else ""}"epoch_{epoch}":'
        if metadata_only:
            yield safejson.dumps(about)
            continue
        position = movie.positions.start + index
        xyz = frames.read(position, position + 1)[0][movie.points]
        yield '{"coords":['
        yield from _in_pages(coords_json(xyz, constant))
        yield f"],{safejson.dumps(about)[1:]}"
    yield f'}},"training_metrics":{safejson.dumps(series)}}}'


@router.get(
    "/epoch_projections.glb",
    response_class=Response,
    responses=_FAILURES
    | {
        200: {
            "content": {"model/gltf-binary": {}},
            "description": "Binary glTF; its layout is described in `featrix_server.movie`.",
        }
    },
)
def epoch_projections_glb(session: SessionDep, query: FrameQueryDep) -> Response:
    """Give the training movie as one binary container, about a tenth of its JSON."""
    movie = query.select(session)
    frames = frame_store(session.folder).read(movie.positions.start, movie.positions.stop)
    body = to_glb(movie, frames[:, movie.points], load_clusters(session.folder))
    return Response(body, media_type="model/gltf-binary")


@router.get(
    "/epoch_projections_meta.json",
    response_class=SafeJSONResponse,
    responses=_FAILURES
    | {
        200: {
            "content": {"application/json": {"schema": _OBJECT}},
            "description": "`epochs`, `row_ids`, `source_rows`, `training_metrics`, clusters.",
        }
    },
)
def epoch_projections_meta(
    session: SessionDep, context: ContextDep, query: FrameQueryDep
) -> Response:
    """Give what belongs to the binary container: rows (once), metrics, final clusters."""
    movie = query.select(session)
    clusters = load_clusters(session.folder)
    about = {
        "version": 1,
        "epochs": movie.epochs,
        "n_points": len(movie.row_ids),
        "total_points": movie.total_points,
        "point_offset": movie.points.start,
        "row_ids": movie.row_ids,
        "column_types": tables.column_types(session.folder),
        "source_rows": list(tables.grouped_rows(session.folder, movie.row_ids)),
        "training_metrics": metric_series(context.database, session.training),
        "entire_cluster_results": clusters.results(np.asarray(movie.row_ids, np.int64)),
        "best_k": clusters.best_k,
        "available_k": clusters.available_k,
    }
    return SafeJSONResponse(about)


def _in_pages(pieces: Iterator[str], size: int = 1000) -> Iterator[str]:
    """Join many small pieces of text into fewer large ones."""
    page: list[str] = []
    for piece in pieces:
        page.append(piece)
        if len(page) == size:
            yield "".join(page)
            page.clear()
    yield "".join(page)


def _no_points(session: OpenSession) -> Exception:
    if session.status == "failed":
        hint = f"The training failed: {session.row.error}"
    else:
        hint = "Wait for the first epoch, or for the end of the training: fm.wait_for_training()."
    return not_ready(f"The model {session.row.id!r} has no points yet.", hint=hint)
