"""What a trained model answers: metrics, points, movie, picture, card, vectors."""

from __future__ import annotations

import io
import json
import math
import struct
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image

from featrix_server.engine import FrameStore
from featrix_server.responses import ARROW_STREAM

from .conftest import Server, Trained, make_table
from .test_gate import assert_envelope

TABLE = pd.read_csv(io.BytesIO(make_table()))


def strict(text: str) -> Any:
    """Parse JSON that holds no NaN or Infinity."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} in JSON")

    return json.loads(text, parse_constant=refuse)


def arrow(trained: Trained, **query: Any) -> pa.Table:
    answer = trained.server.http.get(
        f"{trained.path}/projections", params=query, headers={"Accept": ARROW_STREAM}
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == ARROW_STREAM
    return pa.ipc.open_stream(answer.content).read_all()


def positions(coords: list[dict[str, Any]]) -> np.ndarray:
    return np.array([[point["x"], point["y"], point["z"]] for point in coords])


def test_training_metrics(trained: Trained) -> None:
    body = strict(trained.get("/training_metrics").text)
    data = body["data"]
    assert body["source"] == "embedding_space_training"
    assert "training_metrics" not in body
    n = len(data["epochs"])
    assert data["epochs"] == list(range(1, n + 1))
    for name in (
        "train_loss", "val_loss", "learning_rate", "gradient_norm", "joint_loss", "marginal_loss",
        "spread_loss", "validation_joint_loss", "duration", "time_now", "phase",
    ):  # fmt: skip
        assert len(data[name]) == n, name
    assert all(rate is None or rate > 0 for rate in data["learning_rate"])
    assert data["best_epoch"] in data["epochs"]
    assert data["best_val_loss"] == data["val_loss"][data["best_epoch"] - 1]
    assert data["d_model"] > 3
    assert data["metadata"]["n_parameters"] > 0
    assert set(data["columns"]) == {"plan", "age", "price", "note"}
    assert len(data["columns"]["age"]["mutual_information_bits"]) == n
    assert body["loss_history"] == data["train_loss"]
    assert body["lr_history"] == data["learning_rate"]
    assert body["validation_loss"][0] == {"epoch": 1, "value": data["val_loss"][0]}


def test_metrics_of_a_model_that_has_not_begun(server: Server) -> None:
    body = strict(server.http.get(f"{server.create()}/training_metrics").text)
    assert body["data"]["epochs"] == body["data"]["train_loss"] == body["loss_history"] == []
    assert body["data"]["best_epoch"] is None


def test_projections_show_every_row_on_the_unit_sphere(trained: Trained) -> None:
    body = strict(trained.get("/projections").text)["projections"]
    coords = body["coords"]
    assert body["total_count"] == len(coords) == 200
    assert (body["offset"], body["limit"]) == (0, None)
    assert np.linalg.norm(positions(coords), axis=1) == pytest.approx(1, abs=1e-4)
    for index, point in enumerate(coords):
        assert (point["0"], point["1"], point["2"]) == (point["x"], point["y"], point["z"])
        assert point["__featrix_row_id"] == point["__featrix_row_offset"] == index
        row = TABLE.iloc[index]
        assert point["scalar_columns"] == {"age": row.age, "price": pytest.approx(row.price)}
        assert point["set_columns"]["plan"] == row.plan
    best = str(body["best_k"])
    assert body["best_k"] in body["available_k"]
    for k, result in body["entire_cluster_results"].items():
        labels = result["cluster_labels"]
        assert len(labels) == 200
        assert set(labels) <= set(range(int(k)))
        assert result["n_clusters"] == int(k)
        assert math.isfinite(result["score"])
        assert math.isfinite(result["silhouette_score"])
    assert [point["cluster_pre"] for point in coords] == (
        body["entire_cluster_results"][best]["cluster_labels"]
    )


@pytest.mark.parametrize(
    ("limit", "offset", "expected"),
    [
        (None, 0, range(200)),
        (10, 0, range(10)),
        (10, 195, range(195, 200)),
        (1000, 199, range(199, 200)),
        (None, 5, range(5, 200)),
        (5, 200, range(0)),
        (5, 10_000, range(0)),
    ],
)
def test_pages_of_projections(
    trained: Trained, limit: int | None, offset: int, expected: range
) -> None:
    query = {"offset": offset} | ({} if limit is None else {"limit": limit})
    body = strict(trained.get("/projections", **query).text)["projections"]
    assert [point["__featrix_row_id"] for point in body["coords"]] == list(expected)
    assert (body["total_count"], body["offset"], body["limit"]) == (200, offset, limit)
    assert arrow(trained, **query)["__featrix_row_id"].to_pylist() == list(expected)


def test_projections_as_arrow_are_the_same_points(trained: Trained) -> None:
    table = arrow(trained)
    body = trained.get("/projections").json()["projections"]
    about = json.loads(table.schema.metadata[b"featrix"])
    own = ["__featrix_row_id", "__featrix_row_offset", "x", "y", "z"]
    own += [f"cluster_{k}" for k in body["available_k"]]
    assert table.column_names == [*own, "plan", "age", "price", "note"]
    types = dict(zip(table.schema.names, table.schema.types, strict=True))
    assert types["__featrix_row_id"] == types["__featrix_row_offset"] == pa.int64()
    assert types["x"] == pa.float32()
    assert types[f"cluster_{body['best_k']}"] == pa.uint8()
    assert types["age"] == pa.int64()
    xyz = np.column_stack([table[axis].to_numpy() for axis in "xyz"])
    np.testing.assert_allclose(xyz, positions(body["coords"]), atol=1e-6)
    for k, result in body["entire_cluster_results"].items():
        assert table[f"cluster_{k}"].to_pylist() == result["cluster_labels"]
    assert table["plan"].to_pylist() == TABLE.plan.tolist()
    assert about["total_count"] == 200
    assert about["best_k"] == body["best_k"]
    assert about["available_k"] == body["available_k"]
    assert about["column_types"]["age"] == "scalar"
    assert "cluster_labels" not in about["clusters"][str(body["best_k"])]


def test_epoch_projections_show_the_same_rows_in_every_epoch(trained: Trained) -> None:
    body = strict(trained.get("/epoch_projections").text)
    frames = body["epoch_projections"]
    epochs = [frame["epoch"] for frame in frames.values()]
    assert list(frames) == [f"epoch_{epoch}" for epoch in epochs]
    assert epochs == sorted(set(epochs))
    assert epochs[0] == 0
    ids = [point["__featrix_row_id"] for point in frames["epoch_0"]["coords"]]
    for frame in frames.values():
        assert [point["__featrix_row_id"] for point in frame["coords"]] == ids
        assert np.linalg.norm(positions(frame["coords"]), axis=1) == pytest.approx(1, abs=1e-4)
        assert frame["total_count"] == len(ids)
        assert "scalar_columns" not in frame["coords"][0]
    last = frames[f"epoch_{epochs[-1]}"]
    all_rows = trained.get("/projections").json()["projections"]
    expected = positions(all_rows["coords"])[ids]
    np.testing.assert_allclose(positions(last["coords"]), expected, atol=1e-3)
    for result in last["entire_cluster_results"].values():
        assert len(result["cluster_labels"]) == len(ids)
    series = body["training_metrics"]["validation_loss"]
    metrics = trained.get("/training_metrics").json()
    assert [entry["epoch"] for entry in series] == metrics["data"]["epochs"]


def test_choosing_epochs_and_points(trained: Trained) -> None:
    def frames(**query: Any) -> dict[str, Any]:
        body = strict(trained.get("/epoch_projections", **query).text)
        found: dict[str, Any] = body["epoch_projections"]
        return found

    everything = frames()
    keys = list(everything)
    assert list(frames(epoch="last")) == keys[-1:]
    assert list(frames(epoch=1)) == ["epoch_1"]
    assert list(frames(start_epoch=1)) == keys[1:]
    assert list(frames(limit=2)) == keys[:2]
    assert list(frames(offset=1, limit=1)) == keys[1:2]
    assert list(frames(start_epoch=9_999)) == []
    part = frames(point_limit=3, point_offset=2)
    for key, frame in part.items():
        assert frame["coords"] == everything[key]["coords"][2:5]
        assert (frame["offset"], frame["limit"]) == (2, 3)
    (last,) = frames(epoch="last", include_source_data="true", point_limit=1).values()
    row = TABLE.iloc[last["coords"][0]["__featrix_row_id"]]
    assert last["coords"][0]["scalar_columns"]["age"] == row.age
    assert all("coords" not in frame for frame in frames(metadata_only="true").values())


@pytest.mark.parametrize(
    "query",
    [{"epoch": "first"}, {"epoch": 999}, {"limit": 0}, {"point_offset": -1}, {"start_epoch": "x"}],
)
@pytest.mark.parametrize("route", ["", ".glb", "_meta.json"])
def test_impossible_choices_are_refused(trained: Trained, route: str, query: Any) -> None:
    answer = trained.get(f"/epoch_projections{route}", **query)
    assert assert_envelope(answer, 422, "invalid_input")["field"] == next(iter(query))


def test_the_movie_container_is_binary_gltf(trained: Trained) -> None:
    answer = trained.get("/epoch_projections.glb")
    assert answer.headers["content-type"] == "model/gltf-binary"
    magic, version, length = struct.unpack_from("<4sII", answer.content)
    assert (magic, version, length) == (b"glTF", 2, len(answer.content))
    size, kind = struct.unpack_from("<I4s", answer.content, 12)
    assert (kind, size % 4) == (b"JSON", 0)
    header = strict(answer.content[20 : 20 + size].decode())
    binary_size, kind = struct.unpack_from("<I4s", answer.content, 20 + size)
    assert (kind, binary_size) == (b"BIN\0", header["buffers"][0]["byteLength"])
    binary = answer.content[28 + size :]
    assert len(binary) == binary_size
    about = header["extras"]["featrix"]

    def read(accessor: int, dtype: str) -> np.ndarray:
        view = header["bufferViews"][header["accessors"][accessor]["bufferView"]]
        part = binary[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]
        return np.frombuffer(part, dtype)

    body = trained.get("/epoch_projections").json()["epoch_projections"]
    assert about["epochs"] == [frame["epoch"] for frame in body.values()]
    xyz = read(about["positions"], "<f4").reshape(len(about["epochs"]), about["n_points"], 3)
    np.testing.assert_allclose(
        xyz, [positions(frame["coords"]) for frame in body.values()], atol=1e-6
    )
    *_, last = body.values()
    for k, accessor in about["clusters"].items():
        labels = last["entire_cluster_results"][k]["cluster_labels"]
        assert read(accessor, "u1").tolist() == labels


def test_the_movie_side_file(trained: Trained) -> None:
    body = strict(trained.get("/epoch_projections_meta.json", point_limit=20).text)
    frames = trained.get("/epoch_projections").json()["epoch_projections"]
    assert body["epochs"] == [frame["epoch"] for frame in frames.values()]
    assert body["n_points"] == len(body["row_ids"]) == len(body["source_rows"]) == 20
    for row_id, row in zip(body["row_ids"], body["source_rows"], strict=True):
        assert row["scalar_columns"]["age"] == TABLE.age[row_id]
    assert body["training_metrics"]["learning_rate"]
    best = body["entire_cluster_results"][str(body["best_k"])]
    assert len(best["cluster_labels"]) == 20


def test_preview_and_card(trained: Trained) -> None:
    answer = trained.get("/preview")
    assert answer.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(answer.content)).size == (512, 512)
    card = strict(trained.get("/model_card").text)
    for key in (
        "columns", "excluded_columns", "training_config", "quality_metrics", "calibration",
        "data_summary", "warnings", "model_identification", "training_dataset",
    ):  # fmt: skip
        assert key in card
    assert card["model_identification"]["name"] == "Small table"
    assert card["model_identification"]["session_id"] == trained.session_id


def encode(trained: Trained, records: list[dict[str, Any]], **more: Any) -> list[dict[str, Any]]:
    answer = trained.server.http.post(
        f"{trained.path}/encode_records", json={"records": records, **more}
    )
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = strict(answer.text)["results"]
    return results


def test_records_are_encoded_in_order(trained: Trained) -> None:
    records = json.loads(TABLE.head(5).to_json(orient="records"))
    results = encode(trained, records)
    assert [result["query_record"] for result in results] == records
    d_model = trained.get().json()["session"]["dimensions"]
    for result in results:
        assert len(result["embedding"]) == 3
        assert len(result["embedding_long"]) == d_model
        assert np.linalg.norm(result["embedding"]) == pytest.approx(1, abs=1e-4)
        assert np.linalg.norm(result["embedding_long"]) == pytest.approx(1, abs=1e-4)
    coords = trained.get("/projections", limit=5).json()["projections"]["coords"]
    np.testing.assert_allclose(
        [result["embedding"] for result in results], positions(coords), atol=1e-3
    )
    assert encode(trained, records) == results
    for record, result in zip(records, results, strict=True):
        (alone,) = encode(trained, [record])
        np.testing.assert_allclose(alone["embedding_long"], result["embedding_long"], atol=1e-5)


def test_records_may_be_partial_odd_or_none(trained: Trained) -> None:
    odd: list[dict[str, Any]] = [
        {},
        {"age": None},
        {"age": "not a number", "plan": ["a", {"b": 1}]},
        {"plan": "never seen", "unknown column": 1},
        {"age": 1e308, "price": -1e308},
        {"note": "x" * 100_000},
        {"age": True, "price": "12.5"},
    ]
    results = encode(trained, odd)
    assert [result["query_record"] for result in results] == odd
    for result in results:
        assert np.linalg.norm(result["embedding_long"]) == pytest.approx(1, abs=1e-4)
    assert encode(trained, []) == []


def test_an_intent_chooses_the_shape(trained: Trained) -> None:
    record = {"age": 30, "plan": "pro"}
    (plain,) = encode(trained, [record])
    (near,) = encode(trained, [record], intent="near_lossless")
    (seen,) = encode(trained, [record], intent="visualization")
    assert near["embedding"] == plain["embedding_long"]
    assert seen["embedding"] == plain["embedding"]
    assert seen["intent"] == "visualization"
    assert seen["port_spec"]["width"] == 3
    answer = trained.server.http.post(
        f"{trained.path}/encode_records", json={"records": [record], "intent": "magic"}
    )
    assert assert_envelope(answer, 422, "invalid_input")["field"] == "intent"


@pytest.mark.parametrize("body", [{}, {"records": {}}, {"records": [1]}, {"records": None}, []])
def test_records_must_be_a_list_of_objects(trained: Trained, body: Any) -> None:
    answer = trained.server.http.post(f"{trained.path}/encode_records", json=body)
    assert_envelope(answer, 422, "invalid_input")


def test_what_is_not_there_yet_is_a_409(server: Server) -> None:
    path = server.create()
    for route in (
        "preview", "model_card", "projections", "epoch_projections", "epoch_projections.glb",
        "epoch_projections_meta.json",
    ):  # fmt: skip
        body = assert_envelope(server.http.get(f"{path}/{route}"), 409, "not_ready")
        assert "wait_for_training" in body["hint"]
    answer = server.http.post(f"{path}/encode_records", json={"records": [{}]})
    assert_envelope(answer, 409, "not_ready")


def test_while_training_the_last_frame_is_shown(server: Server) -> None:
    path = server.create()
    folder = server.settings.sessions_dir / path.rsplit("/", 1)[-1]
    frames = FrameStore(folder)
    frames.begin([7, 3, 150])
    frames.append(0, np.eye(3))
    frames.append(1, np.eye(3)[::-1])
    body = strict(server.http.get(f"{path}/projections").text)["projections"]
    assert positions(body["coords"]).tolist() == np.eye(3)[::-1].tolist()
    assert [point["__featrix_row_id"] for point in body["coords"]] == [7, 3, 150]
    assert [point["__featrix_row_offset"] for point in body["coords"]] == [0, 1, 2]
    assert [point["cluster_pre"] for point in body["coords"]] == [0, 0, 0]
    ages = [point["scalar_columns"]["age"] for point in body["coords"]]
    assert ages == TABLE.age[[7, 3, 150]].tolist()
    assert body["entire_cluster_results"] == {}
    answer = server.http.get(
        f"{path}/projections", params={"limit": 2}, headers={"Accept": ARROW_STREAM}
    )
    table = pa.ipc.open_stream(answer.content).read_all()
    assert table["__featrix_row_id"].to_pylist() == [7, 3]
    assert table["plan"].to_pylist() == TABLE.plan[[7, 3]].tolist()
    assert server.http.get(f"{path}/epoch_projections.glb").status_code == 200


def test_table_columns_named_like_ours_keep_their_values(server: Server) -> None:
    frame = pd.DataFrame({"x": range(50), "x_": range(50, 100), "y": ["a", "b"] * 25})
    path = f"/compute/session/{server.upload(frame.to_parquet(), 't.parquet').json()['session_id']}"
    frames = FrameStore(server.settings.sessions_dir / path.rsplit("/", 1)[-1])
    frames.begin([1, 2])
    frames.append(0, np.eye(3)[:2])
    answer = server.http.get(f"{path}/projections", headers={"Accept": ARROW_STREAM})
    table = pa.ipc.open_stream(answer.content).read_all()
    assert len(set(table.column_names)) == len(table.column_names)
    renamed = json.loads(table.schema.metadata[b"featrix"])["renamed_columns"]
    assert renamed == {"x__": "x", "y_": "y"}
    assert table["x__"].to_pylist() == [1, 2]
    assert table["x_"].to_pylist() == [51, 52]
    assert table["x"].to_pylist() == [1.0, 0.0]
    body = server.http.get(f"{path}/projections").json()["projections"]
    assert body["coords"][0]["scalar_columns"]["x"] == 1
