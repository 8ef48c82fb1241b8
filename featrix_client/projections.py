"""Points on the sphere as arrays and frames: from binary answers where the server has them."""

from __future__ import annotations

import json
import struct
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from featrix_client.errors import FeatrixHTTPError
from featrix_client.transport import Transport, unwrap

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

ARROW_STREAM = "application/vnd.apache.arrow.stream"
ROW_ID = "__featrix_row_id"
ROW_OFFSET = "__featrix_row_offset"

_VALUE_GROUPS = ("scalar_columns", "set_columns", "string_columns")
_NOT_METADATA = ("coords", "entire_cluster_results")


def fetch_frame(transport: Transport, session_path: str, limit: int | None) -> pd.DataFrame:
    """Return rows with their points; see `FoundationalModel.projections_frame`."""
    accept = "application/json"
    if find_spec("pyarrow") is not None:
        accept = f"{ARROW_STREAM}, {accept};q=0.5"
    response = transport.request(
        "GET",
        f"{session_path}/projections",
        params={} if limit is None else {"limit": limit},
        headers={"Accept": accept},
    )
    if response.headers.get("Content-Type", "").startswith(ARROW_STREAM):
        return _frame_from_arrow(response.content)
    return _frame_from_json(unwrap(response.json())["projections"])


def _frame_from_arrow(data: bytes) -> pd.DataFrame:
    import pyarrow as pa

    table = pa.ipc.open_stream(data).read_all()
    about = json.loads((table.schema.metadata or {}).get(b"featrix", b"{}"))
    frame: pd.DataFrame = table.replace_schema_metadata(None).drop_columns([ROW_OFFSET]).to_pandas()
    frame.attrs["featrix"] = about
    return frame


def _frame_from_json(projections: dict[str, Any]) -> pd.DataFrame:
    import pandas as pd

    points = projections["coords"]
    offsets = [point.get(ROW_OFFSET, place) for place, point in enumerate(points)]
    columns: dict[str, Any] = {
        ROW_ID: [point.get(ROW_ID, place) for place, point in enumerate(points)]
    }
    for axis, number in zip("xyz", "012", strict=True):
        columns[axis] = pd.array([_coordinate(point, axis, number) for point in points], "float32")
    clusters = projections.get("entire_cluster_results") or {}
    for k in sorted(clusters, key=int):
        labels = clusters[k]["cluster_labels"]
        columns[f"cluster_{k}"] = pd.array([labels[offset] for offset in offsets], "uint8")
    values = pd.DataFrame(
        [
            {
                name: value
                for group in _VALUE_GROUPS
                for name, value in (point.get(group) or {}).items()
            }
            for point in points
        ]
    )
    frame = pd.concat([pd.DataFrame(columns), values], axis=1)
    about = {key: value for key, value in projections.items() if key not in _NOT_METADATA}
    about.setdefault("available_k", sorted(map(int, clusters)))
    about["clusters"] = {
        k: {name: value for name, value in result.items() if name != "cluster_labels"}
        for k, result in clusters.items()
    }
    frame.attrs["featrix"] = about
    return frame


def _coordinate(point: dict[str, Any], axis: str, number: str) -> float:
    value = point.get(axis, point.get(number))
    return 0.0 if value is None else float(value)


Movie = tuple["np.ndarray[Any, Any]", "np.ndarray[Any, Any]", "np.ndarray[Any, Any]"]


def fetch_movie(transport: Transport, session_path: str, start_epoch: int = 0) -> Movie:
    """Return epochs, row ids and positions; see `FoundationalModel.movie_frames`."""
    import numpy as np

    try:
        container = transport.request(
            "GET", f"{session_path}/epoch_projections.glb", params={"start_epoch": start_epoch}
        ).content
        meaning, positions = read_container(container)
        row_ids = np.asarray(meaning["row_ids"], np.int64)
    except (FeatrixHTTPError, ValueError, KeyError) as error:
        if isinstance(error, FeatrixHTTPError) and error.code == "not_ready":
            raise
        return _movie_from_json(transport, session_path, start_epoch)
    return np.asarray(meaning["epochs"], np.int32), row_ids, positions


def fetch_movie_rows(transport: Transport, session_path: str) -> pd.DataFrame:
    """Return the rows that a movie follows; see `FoundationalModel.movie_rows`."""
    try:
        about = transport.get(f"{session_path}/epoch_projections_meta.json")
        points = [
            {ROW_ID: row, ROW_OFFSET: place, **values}
            for place, (row, values) in enumerate(
                zip(about["row_ids"], about["source_rows"], strict=True)
            )
        ]
        known = ("entire_cluster_results", "best_k", "available_k", "column_types")
        told = {"coords": points, **{name: about[name] for name in known}}
    except (FeatrixHTTPError, KeyError, ValueError) as error:
        if isinstance(error, FeatrixHTTPError) and error.code == "not_ready":
            raise
        answer = transport.get(
            f"{session_path}/epoch_projections", epoch="last", include_source_data="true"
        )
        (told,) = answer["epoch_projections"].values()
    return _frame_from_json(told).drop(columns=list("xyz"))


def read_container(data: bytes) -> tuple[dict[str, Any], np.ndarray[Any, Any]]:
    """Read the training movie out of its binary container (glTF 2.0, see the server's ``movie``).

    Parameters
    ----------
    data : bytes
        The container.

    Returns
    -------
    meaning : dict
        ``epochs`` (of each frame), ``row_ids``, ``n_points`` and more.
    positions : numpy.ndarray
        float32 (n_epochs, n_points, 3), read-only.

    Raises
    ------
    ValueError
        If it is not such a container.
    """
    import numpy as np

    try:
        magic, _, _, json_length, json_kind = struct.unpack_from("<4sIII4s", data)
        if (magic, json_kind) != (b"glTF", b"JSON"):
            raise ValueError("not a binary glTF file")
        header = json.loads(data[20 : 20 + json_length])
        meaning = header["extras"]["featrix"]
        accessor = header["accessors"][meaning["positions"]]
        view = header["bufferViews"][accessor["bufferView"]]
        start = 20 + json_length + 8 + view.get("byteOffset", 0)
        shape = (len(meaning["epochs"]), meaning["n_points"], 3)
        positions = np.frombuffer(data, "<f4", accessor["count"] * 3, start).reshape(shape)
    except (struct.error, KeyError, IndexError, TypeError) as error:
        raise ValueError(f"not a container of a training movie: {error!r}") from error
    return meaning, positions


def _movie_from_json(transport: Transport, session_path: str, start_epoch: int) -> Movie:
    """Read the movie as a server tells it that has no container of ours."""
    import numpy as np

    answer = transport.get(f"{session_path}/epoch_projections", start_epoch=start_epoch)
    told = answer["epoch_projections"]
    frames = sorted(told.values(), key=lambda frame: int(frame["epoch"]))
    points = frames[0]["coords"] if frames else []
    row_ids = [point.get(ROW_ID, place) for place, point in enumerate(points)]
    positions = [
        [
            [_coordinate(p, axis, n) for axis, n in zip("xyz", "012", strict=True)]
            for p in f["coords"]
        ]
        for f in frames
    ]
    return (
        np.array([int(frame["epoch"]) for frame in frames], np.int32),
        np.array(row_ids, np.int64),
        np.array(positions, np.float32).reshape(len(frames), len(points), 3),
    )
