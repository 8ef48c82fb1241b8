"""What somebody means harm with: names that are paths, files that are not what they seem."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from .conftest import KEY, UPLOAD, Server, make_table
from .predicting import ROW, Asked
from .test_gate import assert_envelope

NAMES = [
    "../../secret",
    "..",
    "/etc/passwd",
    "..\\..\\secret",
    "\x00",
    "a\x00/../b",
    "%2e%2e%2fsecret",
    "x" * 5_000,
    "\u202e\U0001f600",
    "' OR 1=1 --",
    ".new-0123456789abcdef",
]
BODY = {
    "predictor_id": "none",
    "query_record": ROW,
    "records": [ROW],
    "labels": ["pro"],
    "target_column": "plan",
    "target_column_type": "set",
    "session_id": "none",
    "name": "new",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_a_path_leads_nowhere(asked: Asked, name: str) -> None:
    """Each part of each path, and each text of a body that names something."""
    model, made = asked.model, asked.made["plan"]
    http = model.server.http
    secret = model.server.settings.data_dir.parent / "secret"
    secret.mkdir(exist_ok=True)
    (secret / "schema.json").write_text('{"told": "a secret"}')
    outside = set(secret.parent.rglob("*"))
    for path, methods in http.get("/openapi.json").json()["paths"].items():
        parts = re.findall(r"{(\w+)}", path)
        for evil in parts if name != ".." else ():  # clients resolve that one themselves
            given = {part: quote(made.get(part) or "none", safe="") for part in parts}
            address = path.format(**given | {evil: quote(name, safe="")})
            for method in methods:
                body = BODY if method in ("post", "put") else None
                refused(http.request(method.upper(), address, json=body, timeout=30), address)
    here = model.path
    for route, body in (
        ("predict", {"predictor_id": name, "query_record": ROW}),
        ("predict_table", {"predictor_id": name, "records": [ROW]}),
        ("explain", {"predictor_id": name, "query_record": ROW}),
        ("endpoints", {"predictor_id": name, "name": "e"}),
        ("disable_webhook", {"predictor_id": name, "event_type": "training_finished"}),
        ("control", {"action": "pause", "job_id": name}),
        ("clone_embedding_space", {"to_compute": name}),
        ("publish_partial_foundation", {"name": name, "checkpoint_epoch": name}),
    ):
        refused(http.post(f"{here}/{route}", json=body), route)
    refused(http.get(f"{here}/webhooks", params={"predictor_id": name}), "webhooks")
    assert set(secret.parent.rglob("*")) >= outside
    assert {path.name for path in secret.iterdir()} == {"schema.json"}
    assert not list(secret.parent.parent.glob("secret"))


def refused(answer: httpx.Response, where: str) -> None:
    assert 400 <= answer.status_code < 500, (where, answer.status_code, answer.text[:300])
    assert "a secret" not in answer.text


class Trap:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self._mark,)


def disguises(mark: Path) -> dict[str, bytes]:
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("../../escaped.csv", make_table())
        archive.writestr("data.pkl", pickle.dumps(Trap(mark)))
    return {"pickle": pickle.dumps(Trap(mark)), "zip": zipped.getvalue()}


@pytest.mark.parametrize("kind", ["pickle", "zip"])
@pytest.mark.parametrize("filename", ["t.csv", "t.parquet", "t.json", "t.pkl", "t.zip", "t"])
def test_a_disguised_table_is_refused(
    shared: Server, tmp_path: Path, kind: str, filename: str
) -> None:
    mark = tmp_path / "unpickled"
    for content in (disguises(mark)[kind], gzip.compress(disguises(mark)[kind])):
        assert_envelope(shared.upload(content, filename), 422, "invalid_input")
    assert not mark.exists()
    shared.assert_nothing_left()


@pytest.mark.parametrize("kind", ["pickle", "zip"])
def test_a_disguised_model_file_is_damage(asked: Asked, tmp_path: Path, kind: str) -> None:
    mark = tmp_path / "unpickled"
    with asked.copy(tmp_path / "data") as own:
        session = own.model.server.context.store.folder(own.made["plan"]["session_id"])
        predictor = session / "predictors" / own.made["plan"]["predictor_id"]
        files = [path for path in (*session.iterdir(), *predictor.iterdir()) if path.is_file()]
        assert len(files) > 8
        for path in files:
            path.unlink()  # it may be shared with another model
            path.write_bytes(disguises(mark)[kind])
        for answer in (
            own.post("plan", "predict", query_record=ROW),
            own.post("plan", "predict_table", records=[ROW]),
            own.model.server.http.post(f"{own.model.path}/encode_records", json={"records": [ROW]}),
        ):
            assert_envelope(answer, 409, "damaged")
        own.model.server.assert_serving()
    assert not mark.exists()


def test_a_small_file_that_unpacks_to_too_much_is_refused(
    make_server: Callable[..., Server],
) -> None:
    server = make_server(max_upload_bytes=100_000)
    bomb = gzip.compress(b"a,b\n" + b"1,2\n" * 5_000_000)
    assert len(bomb) < 100_000
    for filename in ("t.csv.gz", "t.csv", "t.json.gz"):
        body = assert_envelope(server.upload(bomb, filename), 413, "too_large")
        assert "uncompressed" in body["error"]
        assert body["hint"]
    server.assert_nothing_left()
    server.assert_serving()


def test_a_parquet_file_that_unpacks_to_too_much_is_refused(
    make_server: Callable[..., Server],
) -> None:
    server = make_server(max_upload_bytes=20_000)
    equal = pa.table({name: pa.array(["x" * 20]).take(pa.array([0] * 50_000)) for name in "ab"})
    said = pa.table({"a": range(50_000), "b": range(50_000)})
    for table, options in ((equal, {}), (said, {"column_encoding": "DELTA_BINARY_PACKED"})):
        file = io.BytesIO()
        pq.write_table(table, file, use_dictionary=table is equal, compression="zstd", **options)
        assert len(file.getvalue()) < 20_000
        body = assert_envelope(server.upload(file.getvalue(), "t.parquet"), 413, "too_large")
        assert "uncompressed" in body["error"]
    server.assert_nothing_left()
    server.assert_serving()


@pytest.mark.parametrize("origin", ["https://page.example", "null", "http://127.0.0.1:1"])
def test_a_page_of_another_origin_changes_nothing(server: Server, origin: str) -> None:
    """What a browser sends without asking first: simple requests, without our key."""
    url = str(server.http.base_url)
    with httpx.Client(base_url=url, headers={"Origin": origin}, trust_env=False) as page:
        sent = (
            page.post(UPLOAD, files={"file": ("t.csv", make_table())}),
            page.post(UPLOAD, data={"api_key": KEY, "x-api-key": KEY}),
            page.get("/compute/sessions-for-org", params={"api_key": KEY}),
            page.post("/compute/train_on_foundational_model", content=json.dumps(BODY)),
        )
        for answer in sent:
            assert_envelope(answer, 401, "unauthorized")
        sent += (page.options(UPLOAD, headers={"Access-Control-Request-Method": "POST"}),)
        sent += (page.get("/health"),)
        for answer in sent:
            assert not [name for name in answer.headers if name.startswith("access-control")]
    server.assert_nothing_left()
