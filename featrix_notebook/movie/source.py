"""Whatever a caller has, as the frames of a training movie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import requests
from numpy.typing import ArrayLike, NDArray

from featrix_notebook import frames
from featrix_notebook.frames import Points
from featrix_notebook.widgets.rows import stratified_order

_SMALLEST = 1e-12


@dataclass(frozen=True)
class Movie:
    """The same rows on the unit sphere, epoch after epoch.

    Attributes
    ----------
    epochs
        int32 (frames,), rising.
    xyz
        float32 (frames, n, 3), each point of norm 1.
    points
        The rows, at their place in the last frame.
    frame_clusters
        uint8 (frames, n): the clusters of each frame, where the source tells them.
    """

    epochs: NDArray[np.int32]
    xyz: NDArray[np.float32]
    points: Points
    frame_clusters: NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self.epochs)

    def extended(self, epochs: NDArray[np.int32], xyz: NDArray[np.float32]) -> Movie:
        """This movie with later frames of the same rows behind its own.

        Raises
        ------
        ValueError
            When the new frames have another number of rows.
        """
        later = epochs > self.epochs[-1] if len(self) else np.ones(len(epochs), bool)
        if not later.any():
            return self
        if len(self) and xyz.shape[1] != self.xyz.shape[1]:
            raise ValueError(
                f"The movie shows {self.xyz.shape[1]:,} rows, but its new frames have "
                f"{xyz.shape[1]:,}."
            )
        joined = np.concatenate([self.xyz, xyz[later]]) if len(self) else xyz[later]
        return replace(
            self,
            epochs=np.concatenate([self.epochs, epochs[later]]),
            xyz=joined,
            points=replace(self.points, xyz=joined[-1]),
            frame_clusters=None,
        )

    def sampled(self, most: int, seed: int) -> Movie:
        """At most so many of the rows: an even sample, which is stated in the notes.

        It is even over the first frame, so that a movie that grows keeps its sample.
        """
        if self.xyz.shape[1] <= most:
            return self
        return self.of(self.sample(most, seed), seed)

    def sample(self, most: int, seed: int) -> NDArray[np.int64]:
        """Places of the rows that :meth:`sampled` shows, in table order."""
        return np.sort(stratified_order(self.xyz[0], seed)[:most])

    def of(self, keep: NDArray[np.int64], seed: int) -> Movie:
        """The movie of these rows, a sample by this seed."""
        each = self.frame_clusters
        return Movie(
            self.epochs,
            self.xyz[:, keep],
            self.points.sampled(keep, seed),
            None if each is None else each[:, keep],
        )


def read_movie(
    source: Any,
    *,
    rows: Any = None,
    epochs: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    title: str = "",
) -> Movie:
    """Turn any supported input into a :class:`Movie`.

    Parameters
    ----------
    source
        A foundational model (ours, or any object with ``get_epoch_projections()``), what that
        method returns, positions of the shape (frames, n, 3), or a :class:`Movie`, which stays as
        it is.
    rows
        With positions: the n table rows that the points stand for.
    epochs
        With positions: the epoch of each frame, rising; by default 0, 1, 2 ...
    clusters
        With positions: cluster labels from 0, of the rows (n,), or of each frame (frames, n).
    title
        What the movie is of; a model has a name of its own.

    Raises
    ------
    TypeError
        For an object of another kind.
    ValueError
        For coordinates that are missing, not finite or without a direction, frames of different
        rows, and epochs that do not rise.
    """
    if isinstance(source, Movie):
        return source
    is_model = hasattr(source, "movie_frames") or hasattr(source, "get_epoch_projections")
    if is_model or isinstance(source, Mapping):
        given = [("rows", rows), ("epochs", epochs), ("clusters", clusters)]
        for name, value in given:
            if value is not None:
                raise TypeError(f"{name}= goes with an array of positions; a model has its own.")
        movie = _from_model(source) if is_model else _from_payload(source)
        return _titled(movie, title)
    if isinstance(source, (np.ndarray, Sequence)) and not isinstance(source, (str, bytes)):
        return _titled(_from_arrays(source, rows, epochs, clusters), title)
    raise TypeError(
        f"TrainingMovie cannot show a {type(source).__name__}. Give it a foundational model, what "
        "get_epoch_projections() returns, or an array of shape (epochs, n, 3)."
    )


def _titled(movie: Movie, title: str) -> Movie:
    return replace(movie, points=replace(movie.points, title=title)) if title else movie


# ------------------------------------------------------------------ from a model


def _from_model(model: Any) -> Movie:
    if callable(getattr(model, "refresh", None)) and frames.is_training(model):
        model.refresh()  # the object knows what it was told last, perhaps long ago
    name = str(getattr(model, "name", None) or getattr(model, "id", None) or "")
    epochs, xyz = new_frames(model)
    movie = empty() if not len(epochs) else with_rows(model, epochs, xyz)
    return _titled(movie, name)


def empty() -> Movie:
    """A movie before its first frame."""
    nobody = Points(np.empty((0, 3), np.float32), np.empty(0, np.int64), pd.DataFrame())
    return Movie(np.empty(0, np.int32), np.empty((0, 0, 3), np.float32), nobody)


def new_frames(model: Any, after: int = -1) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Epochs and positions of a model's frames after an epoch; none at all before the first."""
    try:
        if hasattr(model, "movie_frames"):
            epochs, _, xyz = model.movie_frames(start_epoch=after + 1)
        else:
            movie = _from_payload(model.get_epoch_projections(start_epoch=max(after + 1, 0)))
            epochs, xyz = movie.epochs, movie.xyz
    except requests.HTTPError as error:
        if getattr(error.response, "status_code", None) not in frames.NOT_YET:
            raise
        return empty().epochs, empty().xyz
    epochs = np.asarray(epochs, np.int32)
    return (epochs, on_sphere(xyz, epochs)) if len(epochs) else (epochs, empty().xyz)


def with_rows(model: Any, epochs: NDArray[np.int32], xyz: NDArray[np.float32]) -> Movie:
    """A movie of frames already read, with the rows and clusters as the model tells them now."""
    if hasattr(model, "movie_rows"):
        frame = model.movie_rows()
        if len(frame) != xyz.shape[1]:
            raise ValueError(f"The movie has {xyz.shape[1]:,} points, but {len(frame):,} rows.")
        frame[list(frames.AXES)] = xyz[-1]
        return Movie(epochs, xyz, frames.from_frame(frame))
    told = _from_payload(model.get_epoch_projections(epoch="last", include_source_data=True))
    points = told.points if len(told) else empty().points
    return Movie(epochs, xyz, replace(points, xyz=xyz[-1]), told.frame_clusters)


# ------------------------------------------------------------------ from what it answers


def _from_payload(payload: Mapping[str, Any]) -> Movie:
    """The JSON form: ``{"epoch_<n>": {"coords": [...]}}``, or the same in ``epoch_projections``."""
    told = payload.get("epoch_projections", payload)
    if not isinstance(told, Mapping) or not all(isinstance(f, Mapping) for f in told.values()):
        raise ValueError(
            "These are no epochs of a movie: expected {'epoch_1': {'coords': [...]}, ...}."
        )
    if not told:
        return empty()
    ordered = sorted((_epoch_of(name, frame), frame) for name, frame in told.items())
    epochs = np.array([epoch for epoch, _ in ordered], np.int32)
    xyz = on_sphere([_coords(epoch, frame) for epoch, frame in ordered], epochs)
    last = ordered[-1][1]
    points = replace(frames.from_payload(last), xyz=xyz[-1])
    return Movie(epochs, xyz, points, _clusters_of_each([f for _, f in ordered], points))


def _epoch_of(name: Any, frame: Mapping[str, Any]) -> int:
    number = frame.get("epoch", str(name).rpartition("_")[2])
    try:
        return int(number)
    except (TypeError, ValueError):
        raise ValueError(
            f"The frame {str(name)[:60]!r} does not say of which epoch it is."
        ) from None


def _coords(epoch: int, frame: Mapping[str, Any]) -> list[list[Any]]:
    coords = frame.get("coords")
    if not isinstance(coords, Sequence) or not coords:
        raise ValueError(f"The frame of epoch {epoch} holds no points: expected a list 'coords'.")
    return [
        [point.get(axis, point.get(str(number))) for number, axis in enumerate(frames.AXES)]
        for point in coords
    ]


def _clusters_of_each(
    told: Sequence[Mapping[str, Any]], points: Points
) -> NDArray[np.uint8] | None:
    """Labels of every frame for the best number of clusters, where every frame has them."""
    k = str(points.best_k)
    labels = [(frame.get("entire_cluster_results") or {}).get(k, {}) for frame in told]
    found = [np.asarray(one.get("cluster_labels", ()), np.int64) for one in labels]
    if len(told) < 2 or any(len(one) < len(points) for one in found):
        return None
    offsets = [point.get(frames.ROW_OFFSET, i) for i, point in enumerate(told[-1]["coords"])]
    return np.stack([one[offsets] for one in found]).astype(np.uint8)


# ------------------------------------------------------------------ from plain arrays


def _from_arrays(source: Any, rows: Any, epochs: Any, clusters: Any) -> Movie:
    shapes = {np.shape(frame) for frame in source}
    if len(shapes) > 1:
        told = ", ".join(map(str, sorted(shapes, key=str)))
        raise ValueError(f"Every frame must show the same rows, but the frames have shapes {told}.")
    count = len(source)
    numbers = _epochs(range(count) if epochs is None else epochs, count)
    xyz = on_sphere(source, numbers)
    points = frames.read_points(xyz[-1], rows) if rows is not None else frames.read_points(xyz[-1])
    if clusters is None:
        return Movie(numbers, xyz, points)
    labels = _labels(clusters, xyz.shape[:2])
    last = labels[-1] if labels.ndim == 2 else labels
    k = int(labels.max(initial=0)) + 1
    points = replace(points, clusters={k: last}, best_k=k)
    return Movie(numbers, xyz, points, labels if labels.ndim == 2 else None)


def _epochs(given: Any, count: int) -> NDArray[np.int32]:
    try:
        numbers = np.asarray(list(given), np.float64)
    except (TypeError, ValueError):
        raise ValueError("epochs must be whole numbers, one a frame.") from None
    if numbers.shape != (count,):
        raise ValueError(f"There are {count} frames, but epochs has {len(numbers)} values.")
    whole = np.all(numbers == np.rint(numbers)) and np.all(np.abs(numbers) < 2**31)
    if not whole or np.any(np.diff(numbers) <= 0):
        raise ValueError("epochs must be whole numbers that rise from frame to frame.")
    return numbers.astype(np.int32)


def _labels(given: Any, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    labels = np.asarray(given)
    if labels.shape not in (shape, shape[1:]) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"clusters must be whole numbers of the shape {shape[1:]} or {shape}, not "
            f"{labels.dtype} of {labels.shape}."
        )
    if labels.size and (labels.min() < 0 or labels.max() > 254):
        raise ValueError("clusters must be labels from 0 to 254.")
    return labels.astype(np.uint8)


def on_sphere(given: Any, epochs: NDArray[np.int32]) -> NDArray[np.float32]:
    """Bring frames to the unit sphere; refuse points that have no place on it.

    Raises
    ------
    ValueError
        Naming the first coordinate that is missing, not finite, or without a direction.
    """
    try:
        xyz = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"Positions must be numbers: {error}") from None
    if xyz.ndim == 2 and len(epochs) == xyz.shape[0] and xyz.shape[1] == 3:
        raise ValueError(
            f"One frame of shape {xyz.shape} is no movie: positions have the shape (epochs, n, 3). "
            "SphereExplorer shows a single frame; or pass [positions]."
        )
    if xyz.ndim != 3 or xyz.shape[2] != 3 or len(xyz) != len(epochs):
        raise ValueError(f"Positions must have the shape (epochs, n, 3), not {xyz.shape}.")
    if not xyz.shape[0] or not xyz.shape[1]:
        raise ValueError("The movie has no points.")
    wrong = np.asarray(~np.isfinite(xyz).all(axis=2))
    if wrong.any():
        _refuse("a coordinate that is missing, NaN or infinite", wrong, epochs)
    # Scaled first, so that the square of a huge coordinate stays a number.
    largest = np.abs(xyz).max(axis=2, keepdims=True)
    nowhere = np.asarray(largest[..., 0] <= _SMALLEST)
    if nowhere.any():
        _refuse("the coordinates 0, 0, 0, which have no place on a sphere", nowhere, epochs)
    xyz = xyz / largest
    xyz /= np.sqrt(np.einsum("fni,fni->fn", xyz, xyz))[..., None]
    placed: NDArray[np.float32] = xyz.astype(np.float32)
    return placed


def _refuse(what: str, wrong: NDArray[np.bool_], epochs: NDArray[np.int32]) -> None:
    frame, point = np.argwhere(wrong)[0]
    count = int(wrong.sum())
    more = f" {count:,} points of the movie are like that." if count > 1 else ""
    raise ValueError(f"In the frame of epoch {epochs[frame]} point {point} has {what}.{more}")
