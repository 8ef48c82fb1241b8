"""Input adapters: whatever a caller has, as the columns the sphere is drawn from.

A model of ours, an object of the vendor's client, the JSON of a projections call, a DataFrame, a
mapping of columns or a plain array all become one :class:`Points`.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import requests
from numpy.typing import ArrayLike, NDArray

ROW_ID = "__featrix_row_id"
ROW_OFFSET = "__featrix_row_offset"
AXES = ("x", "y", "z")
OPEN_STATUSES = frozenset({"queued", "pending", "running", "training", "paused", "processing"})
_CLUSTER = "cluster_"
# What servers answer to a question for frames before there is one.
NOT_YET = (404, 409, 422, 425)
_COLUMN_GROUPS = (
    ("scalar_columns", "scalar"),
    ("set_columns", "set"),
    ("string_columns", "free_string"),
)


@dataclass(frozen=True)
class Points:
    """Rows on the unit sphere, as columns.

    Attributes
    ----------
    xyz
        float32 (n, 3), each row of norm 1.
    row_ids
        (n,) what a row is called: the server's row id, or the label in the caller's index.
    rows
        n rows of the caller's table, in the same order.
    clusters
        ``k`` to uint8 (n,) labels from 0, for every number of clusters that is known.
    best_k
        The number of clusters to show by default, or None.
    column_types
        Column name to the engine's type word, where it is known.
    derived
        Further columns (n,) that are no part of the table, such as predictions.
    embeddings
        The rows' full vectors, float (n, d), where the caller gave them.
    placed
        bool (m,): which of the source's m rows have a position, and so are among the n.
    title, notes
        What the picture is of, and what a reader must know about it (rows left out, a model that
        is still training).
    """

    xyz: NDArray[np.float32]
    row_ids: NDArray[Any]
    rows: pd.DataFrame
    clusters: Mapping[int, NDArray[np.uint8]] = field(default_factory=dict)
    best_k: int | None = None
    column_types: Mapping[str, str] = field(default_factory=dict)
    derived: Mapping[Hashable, pd.Series] = field(default_factory=dict)
    embeddings: NDArray[Any] | None = None
    placed: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))
    title: str = ""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.xyz)

    def of(self, keep: NDArray[np.int64]) -> Points:
        """These of the rows, in this order."""
        vectors = self.embeddings
        return replace(
            self,
            xyz=self.xyz[keep],
            row_ids=self.row_ids[keep],
            rows=self.rows.iloc[keep],
            clusters={k: labels[keep] for k, labels in self.clusters.items()},
            derived={name: values.iloc[keep] for name, values in self.derived.items()},
            embeddings=None if vectors is None else vectors[keep],
        )

    def sampled(self, keep: NDArray[np.int64], seed: int) -> Points:
        """These of the rows, an even sample by this seed, which is stated in the notes."""
        note = f"{len(keep):,} of {len(self):,} rows are shown, an even sample (seed {seed})."
        return replace(self.of(keep), notes=(*self.notes, note))


def read_points(source: Any, rows: Any = None, embeddings: Any = None) -> Points:
    """Turn any supported input into :class:`Points`.

    Parameters
    ----------
    source
        A foundational model (ours, or any object with ``get_projections()``), the dict that
        ``get_projections()`` returns, a table with columns ``x``, ``y``, ``z`` (pandas, or
        anything with ``to_pandas()``), a mapping of such columns, an array (n, 3), or
        :class:`Points`, which stay as they are.
    rows
        With an array: the n table rows the points stand for.
    embeddings
        The full vectors that the points are pictures of, numbers (n, d) in the order of the
        source. A model has its own.

    Raises
    ------
    TypeError
        For an object of another kind.
    ValueError
        When coordinates are missing, not numbers, or of the wrong shape.
    """
    if isinstance(source, Points):
        return source
    if rows is not None and not isinstance(source, (np.ndarray, list, tuple)):
        raise TypeError("rows= goes with an array of positions; a table or a model has its own.")
    if hasattr(source, "projections_frame") or hasattr(source, "get_projections"):
        if embeddings is not None:
            raise TypeError("embeddings= goes with positions of your own; a model has its own.")
        return _from_model(source)
    points = _from_plain(source, rows)
    return points if embeddings is None else _with_embeddings(points, embeddings)


def _from_plain(source: Any, rows: Any) -> Points:
    if isinstance(source, Mapping) and ("projections" in source or "coords" in source):
        return from_payload(source)
    if isinstance(source, pd.DataFrame):
        return from_frame(source)
    if hasattr(source, "to_pandas"):
        return from_frame(source.to_pandas())
    if isinstance(source, Mapping):
        return from_frame(pd.DataFrame(dict(source)))
    if isinstance(source, (np.ndarray, list, tuple)):
        return _from_array(source, rows)
    raise TypeError(
        f"SphereExplorer cannot show a {type(source).__name__}. Give it a foundational model, a "
        "DataFrame with the columns x, y, z, or an array of shape (n, 3)."
    )


def is_training(source: Any) -> bool:
    """Whether a model says that it is not finished."""
    return str(getattr(source, "status", "") or "").lower() in OPEN_STATUSES


def _from_model(model: Any) -> Points:
    name = str(getattr(model, "name", None) or getattr(model, "id", None) or "")
    if is_training(model) and callable(getattr(model, "refresh", None)):
        model.refresh()  # the object knows what it was told last, perhaps long ago
    if is_training(model) and hasattr(model, "get_epoch_projections"):
        return _latest_frame(model, name)
    if hasattr(model, "projections_frame"):
        points = from_frame(model.projections_frame())
    else:
        points = from_payload(model.get_projections())
    return _named(points, name)


def _latest_frame(model: Any, name: str) -> Points:
    """The newest picture of a model in training; no rows at all before its first epoch."""
    try:
        answer = model.get_epoch_projections(epoch="last", include_source_data=True)
    except requests.HTTPError as error:
        if getattr(error.response, "status_code", None) not in NOT_YET:
            raise
        answer = {}
    frames = answer.get("epoch_projections", answer) if isinstance(answer, Mapping) else {}
    numbered = [f for f in frames.values() if isinstance(f, Mapping) and f.get("coords")]
    if not numbered:
        empty = Points(np.empty((0, 3), np.float32), np.empty(0, np.int64), pd.DataFrame())
        return _named(empty, name, "Training: the first epoch is not there yet.")
    last = max(numbered, key=lambda frame: int(frame.get("epoch") or 0))
    note = f"Training: epoch {last.get('epoch')}, {len(last['coords']):,} sample rows."
    return _named(from_payload(last), name, note)


def _named(points: Points, title: str, *notes: str) -> Points:
    return replace(points, title=title or points.title, notes=(*notes, *points.notes))


def _with_embeddings(points: Points, embeddings: ArrayLike) -> Points:
    """Add the full vectors, without those of the rows that have no position."""
    try:
        vectors = np.asarray(embeddings, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(f"embeddings must hold numbers: {error}") from None
    n = len(points.placed)
    if vectors.ndim != 2 or len(vectors) != n:
        raise ValueError(
            f"embeddings must have one row for each of the {n:,} rows, shape ({n}, d), "
            f"not {vectors.shape}."
        )
    return replace(points, embeddings=vectors[points.placed])


def from_payload(payload: Mapping[str, Any]) -> Points:
    """Projections as JSON: one object a point, turned into columns in one pass a column."""
    body = payload.get("projections", payload)
    coords = body.get("coords") if isinstance(body, Mapping) else None
    if not isinstance(coords, Sequence) or not coords:
        raise ValueError("The projections hold no points: expected a non-empty list 'coords'.")
    columns: dict[str, list[Any]] = {}
    for number, axis in enumerate(AXES):
        columns[axis] = [c.get(axis, c.get(str(number))) for c in coords]
    types: dict[str, str] = {}
    for group, type_word in _COLUMN_GROUPS:
        names = {name: None for c in coords for name in c.get(group) or {}}
        for name in names:
            types[name] = type_word
            columns.setdefault(name, [(c.get(group) or {}).get(name) for c in coords])
    columns[ROW_ID] = [c.get(ROW_ID, c.get(ROW_OFFSET, i)) for i, c in enumerate(coords)]
    offsets = np.array([c.get(ROW_OFFSET, i) for i, c in enumerate(coords)], dtype=np.int64)
    frame = pd.DataFrame(columns)
    results = body.get("entire_cluster_results") or {}
    for k, result in results.items():
        labels = np.asarray(result.get("cluster_labels", ()), dtype=np.int64)
        if len(labels) > offsets.max(initial=0):
            frame[f"{_CLUSTER}{k}"] = labels[offsets].astype(np.uint8)
    frame.attrs["featrix"] = {
        "best_k": body.get("best_k") or _best_k(results),
        "column_types": types,
    }
    return from_frame(frame)


def _best_k(results: Mapping[str, Any]) -> int | None:
    """Where the server names no best k: the best silhouette, or the smallest Davies-Bouldin."""
    scored = [
        (r["silhouette_score"] if "silhouette_score" in r else -r["score"], int(k))
        for k, r in results.items()
        if "silhouette_score" in r or "score" in r
    ]
    return max(scored)[1] if scored else None


def from_frame(frame: pd.DataFrame) -> Points:
    """A table with ``x``, ``y``, ``z``; every other column belongs to the rows."""
    missing = [axis for axis in AXES if axis not in frame.columns]
    if missing:
        raise ValueError(
            f"The table has no column {', '.join(map(repr, missing))}. Positions are read from "
            "the columns x, y and z; or pass SphereExplorer(positions, rows=table)."
        )
    meta = _metadata(frame)
    known_k = {int(k) for k in meta.get("available_k") or ()}
    ours = ROW_ID in frame.columns
    clusters = {
        k: frame[name].to_numpy(dtype=np.uint8)
        for name in frame.columns
        if (k := _cluster_k(name)) is not None and (ours or k in known_k)
    }
    drop = {*AXES, ROW_ID, ROW_OFFSET} | {f"{_CLUSTER}{k}" for k in clusters}
    rows = frame.loc[:, [name not in drop for name in frame.columns]]
    row_ids = frame[ROW_ID].to_numpy() if ours else frame.index.to_numpy()
    best = meta.get("best_k")
    return _placed(
        _coordinates([frame[axis] for axis in AXES]),
        row_ids,
        rows,
        clusters=clusters,
        best_k=int(best) if best and int(best) in clusters else max(clusters, default=None),
        column_types=meta.get("column_types") or {},
    )


def _metadata(frame: pd.DataFrame) -> dict[str, Any]:
    meta = frame.attrs.get("featrix") or {}
    return dict(json.loads(meta) if isinstance(meta, (str, bytes)) else meta)


def _cluster_k(name: object) -> int | None:
    if not isinstance(name, str) or not name.startswith(_CLUSTER):
        return None
    digits = name[len(_CLUSTER) :]
    return int(digits) if digits.isdecimal() else None


def _from_array(positions: ArrayLike, rows: Any) -> Points:
    array = np.asarray(positions)
    if array.ndim != 2 or array.shape[1] != 3:
        raise ValueError(f"Positions must have the shape (n, 3), not {array.shape}.")
    xyz = _coordinates([array[:, axis] for axis in range(3)])
    if rows is None:
        table = pd.DataFrame(index=pd.RangeIndex(len(array)))
    elif isinstance(rows, pd.DataFrame):
        table = rows.copy(deep=False)  # what the caller does to the frame later stays there
    else:
        table = rows.to_pandas() if hasattr(rows, "to_pandas") else pd.DataFrame(rows)
    if len(table) != len(array):
        raise ValueError(f"There are {len(array):,} positions, but rows has {len(table):,} rows.")
    return _placed(xyz, table.index.to_numpy(), table)


def _coordinates(axes: Sequence[Any]) -> NDArray[np.float32]:
    try:
        return np.column_stack([np.asarray(axis, dtype=np.float32) for axis in axes])
    except (TypeError, ValueError) as error:
        raise ValueError(f"The columns x, y and z must hold numbers: {error}") from None


def _placed(
    xyz: NDArray[np.float32], row_ids: NDArray[Any], rows: pd.DataFrame, **known: Any
) -> Points:
    """Bring points to the unit sphere; rows without a position are left out, and it is said."""
    with np.errstate(invalid="ignore", over="ignore"):
        norm = np.sqrt(np.einsum("ij,ij->i", xyz, xyz, dtype=np.float64))
    there = np.isfinite(norm) & (norm > 1e-12)
    notes: tuple[str, ...] = ()
    if not there.all():
        lost = int(len(there) - there.sum())
        notes = (f"{lost:,} {'row has' if lost == 1 else 'rows have'} no position: not shown.",)
        xyz, row_ids, rows, norm = xyz[there], row_ids[there], rows.loc[there], norm[there]
        known["clusters"] = {k: v[there] for k, v in known.get("clusters", {}).items()}
    unit = np.divide(xyz, norm[:, None], out=np.empty_like(xyz), casting="same_kind")
    return Points(unit, row_ids, rows, placed=there, notes=notes, **known)
