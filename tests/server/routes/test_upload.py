"""Making models from uploaded files: good ones, odd ones, and all that must be refused."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pandas as pd
import pytest

from .conftest import UPLOAD, Server, make_table
from .test_gate import assert_envelope


def test_an_upload_makes_a_model_in_training(server: Server) -> None:
    answer = server.upload(
        name="Churn 2026 / Größe",
        epochs="3",
        user_metadata='{"team": "é", "n": [1, 2.5, null]}',
        n_rows="200",
        priority="regular",
        surprise='{"from": "another version"}',
    )
    assert answer.status_code == 200
    created = answer.json()
    assert created["session_id"].startswith("churn-2026-grosse-")
    assert created["compute_cluster"] == "local"
    assert created["warnings"] == []
    assert "queued" not in created  # that word means "no capacity" on the wire

    status = server.http.get(f"/compute/session/{created['session_id']}").json()
    session, job = status["session"], status["jobs"][created["job_id"]]
    assert session["name"] == "Churn 2026 / Größe"
    assert session["status"] == job["status"] == "queued"
    assert session["user_metadata"] == {"team": "é", "n": [1, 2.5, None]}
    assert job["job_type"] == "train_es"
    assert job["total_epochs"] == 3
    assert set(session["columns"]) == {"plan", "age", "price", "note"}


def test_both_forms_of_the_path_are_the_same(server: Server) -> None:
    for path in (UPLOAD, UPLOAD.rstrip("/")):
        answer = server.http.post(path, files={"file": ("t.csv", make_table())})
        assert answer.status_code == 200, answer.text
        assert answer.history == []


@pytest.mark.parametrize(
    ("filename", "encode"),
    [
        ("t.csv", lambda frame: frame.to_csv(index=False).encode()),
        ("t.tsv", lambda frame: frame.to_csv(index=False, sep="\t").encode()),
        ("t.parquet", lambda frame: frame.to_parquet(index=False)),
        ("t.json", lambda frame: frame.to_json(orient="records").encode()),
        ("t.jsonl", lambda frame: frame.to_json(orient="records", lines=True).encode()),
    ],
)
@pytest.mark.parametrize("gzipped", [False, True])
def test_every_format_gives_the_same_columns(
    server: Server, filename: str, encode: Callable[[pd.DataFrame], bytes], gzipped: bool
) -> None:
    rng = random.Random(1)
    frame = pd.DataFrame(
        {
            "kind": [rng.choice("abc") for _ in range(60)],
            "size": [rng.random() * 100 for _ in range(60)],
        }
    )
    content = encode(frame)
    if gzipped:
        filename, content = filename + ".gz", gzip.compress(content)
    answer = server.upload(content, filename)
    assert answer.status_code == 200, answer.text
    columns = server.http.get(f"/compute/session/{answer.json()['session_id']}/columns").json()
    assert columns["column_types"] == {"kind": "set", "size": "scalar"}


def test_columns_are_named_with_types_and_reasons(server: Server) -> None:
    path = server.create(ignore_columns='["note"]', column_overrides='{"plan": "free_string"}')
    columns = server.http.get(f"{path}/columns").json()
    assert columns["column_names"] == columns["columns"] == ["plan", "age", "price"]
    assert columns["num_columns"] == 3
    assert columns["column_types"] == {"plan": "free_string", "age": "scalar", "price": "scalar"}
    (excluded,) = columns["excluded_columns"]
    assert (excluded["name"], excluded["code"]) == ("note", "ignored")
    assert excluded["reason"]


def wide(n_columns: int, n_rows: int = 30) -> bytes:
    rng = random.Random(0)
    lines = [",".join(f"c{i}" for i in range(n_columns))]
    lines += [",".join(str(rng.randint(0, 99)) for _ in range(n_columns)) for _ in range(n_rows)]
    return "\n".join(lines).encode()


BAD_FILES = {
    "empty": b"",
    "only white space": b"\n \n\n",
    "header only": b"a,b\n",
    "binary junk": random.Random(0).randbytes(5_000),
    "zeros": bytes(4_000),
    "one column": b"a\n" + b"".join(b"%d\n" % i for i in range(100)),
    "19 rows": make_table(19),
    "nothing but nulls": b"a,b\n" + b",\n" * 50,
    "one usable column": b"a,b\n" + b"".join(b"%d,x\n" % i for i in range(50)),
    "duplicate names": b"a,a,b\n" + b"1,2,3\n" * 40,
    "a workbook": b"PK\x03\x04" + bytes(100),
}


@pytest.mark.parametrize("content", BAD_FILES.values(), ids=BAD_FILES.keys())
def test_a_bad_file_is_refused_and_leaves_nothing(shared: Server, content: bytes) -> None:
    body = assert_envelope(shared.upload(content, "data.csv"), 422, "invalid_input")
    assert len(body["error"]) > 15
    assert "Traceback" not in body["error"]
    assert str(shared.settings.data_dir) not in body["error"]
    shared.assert_nothing_left()
    shared.assert_serving()


@pytest.mark.parametrize("filename", ["t.parquet", "t.json", "t.jsonl", "t.csv.gz", "t.json.gz"])
def test_a_file_of_another_kind_than_its_name_says_is_refused(
    shared: Server, filename: str
) -> None:
    assert_envelope(shared.upload(random.Random(1).randbytes(999), filename), 422, "invalid_input")
    shared.assert_nothing_left()


def rows(*columns: list[object]) -> bytes:
    return "\n".join(",".join(map(str, row)) for row in zip(*columns, strict=True)).encode()


N = list(range(40))
ODD_FILES = {
    "a column of mixed types": rows(["a", *N[:20], *["x y"] * 20], ["b", *N]),
    "NaN and Infinity": rows(["a", *N[:36], "NaN", "Infinity", "-inf", "nan"], ["b", *N]),
    "no UTF-8": rows(["a", *["Größe", "süß"] * 20], ["b", *N]).decode().encode("latin-1"),
    "ragged lines": rows(["a", *N], ["b", *N]) + b"\n1,2,3,4\n5,6\n",
    "strange names": rows(["../../etc/passwd", *N], ["a\tb", *N], ["x", *N], ["\U0001f600", *N]),
}


@pytest.mark.parametrize("content", ODD_FILES.values(), ids=ODD_FILES.keys())
def test_an_odd_file_is_accepted_with_its_columns_told(server: Server, content: bytes) -> None:
    answer = server.upload(content, "data.csv")
    assert answer.status_code == 200, answer.text
    columns = server.http.get(f"/compute/session/{answer.json()['session_id']}/columns").json()
    told = columns["column_names"] + [one["name"] for one in columns["excluded_columns"]]
    assert len(told) == len(set(told)) == len(content.splitlines()[0].split(b","))


def test_lines_that_cannot_be_read_are_reported(server: Server) -> None:
    answer = server.upload(ODD_FILES["ragged lines"], "data.csv")
    assert any("line" in warning for warning in answer.json()["warnings"]), answer.json()


def test_a_table_of_5000_columns_is_refused_unless_most_are_left_out(server: Server) -> None:
    answer = server.upload(wide(5_000), "wide.csv")
    body = assert_envelope(answer, 422, "invalid_input")
    assert "5,000 usable columns" in body["error"]
    assert "ignore_columns" in body["hint"]
    server.assert_nothing_left()
    ignored = json.dumps([f"c{i}" for i in range(3, 5_000)])
    answer = server.upload(wide(5_000), "wide.csv", ignore_columns=ignored)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "filename", ["../../escape.csv", "/etc/passwd", "..\\..\\x.csv", "a" * 300, "", "nul\x01.csv"]
)
def test_file_names_are_never_paths(server: Server, filename: str) -> None:
    before = {path for path in server.settings.data_dir.parent.rglob("*") if path.is_file()}
    boundary = (
        b'--B\r\nContent-Disposition: form-data; name="file"; filename="'
        + filename.encode()
        + b'"\r\n\r\n'
    )
    answer = server.http.post(
        UPLOAD,
        content=boundary + make_table() + b"\r\n--B--\r\n",
        headers={"Content-Type": "multipart/form-data; boundary=B"},
    )
    assert answer.status_code == 200, answer.text
    folder = server.settings.sessions_dir / answer.json()["session_id"]
    after = {path for path in server.settings.data_dir.parent.rglob("*") if path.is_file()}
    assert {path.parent for path in after - before} == {folder}
    assert {path.name for path in folder.iterdir()} == {"data.parquet", "schema.json"}


@pytest.mark.parametrize("name", ["../../x", "", "   ", "\U0001f600", "A" * 200, "x\ny", "CON"])
def test_names_are_never_paths(server: Server, name: str) -> None:
    path = server.create(name=name)
    session_id = path.rsplit("/", 1)[-1]
    assert session_id.replace("-", "").isalnum()
    assert session_id.isascii()
    assert (server.settings.sessions_dir / session_id).is_dir()
    assert server.http.get(path).json()["session"]["name"] == (name if name.strip() else None)


BAD_FIELDS = [
    ("epochs", "0"),
    ("epochs", "-3"),
    ("epochs", "many"),
    ("epochs", "1.5"),
    ("name", "n" * 201),
    ("ignore_columns", "age"),
    ("ignore_columns", '{"age": 1}'),
    ("ignore_columns", '["no such column"]'),
    ("column_overrides", "[]"),
    ("column_overrides", '{"age": "colour"}'),
    ("column_overrides", '{"no such column": "scalar"}'),
    ("user_metadata", "[1]"),
    ("user_metadata", "{"),
    ("user_metadata", json.dumps({"text": "é" * 16_400}, ensure_ascii=False)),
    ("webhooks", "[]"),
    ("foundation_mode", "perhaps"),
]


@pytest.mark.parametrize(("field", "value"), BAD_FIELDS)
def test_bad_fields_are_named_and_nothing_is_left(shared: Server, field: str, value: str) -> None:
    body = assert_envelope(shared.upload(**{field: value}), 422, "invalid_input")
    assert field in f"{body['field']} {body['error']} {body['hint']}" or "column" in body["error"]
    shared.assert_nothing_left()


def test_user_metadata_up_to_32_kb_comes_back_as_it_is(server: Server) -> None:
    metadata = {"text": "é" * 16_300, "n": -1.5e-7}
    path = server.create(user_metadata=json.dumps(metadata, ensure_ascii=False))
    assert server.http.get(path).json()["session"]["user_metadata"] == metadata


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "multipart/form-data; boundary=B"),
        (b"--B--\r\n", "multipart/form-data; boundary=B"),
        (b"a,b\n1,2\n", "text/csv"),
        (b"{}", "application/json"),
        (b"junk", "multipart/form-data; boundary=B"),
        (b"junk", "multipart/form-data"),
        (b"junk", ""),
        (b'--B\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n--B--\r\n',
         "multipart/form-data; boundary=B"),
        (b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\na,b\n1,',
         "multipart/form-data; boundary=B"),
        (b"--B\r\nNonsense\r\n\r\nx\r\n--B--\r\n", "multipart/form-data; boundary=B"),
    ],
)  # fmt: skip
def test_bodies_without_a_file_are_refused(shared: Server, content: bytes, kind: str) -> None:
    answer = shared.http.post(UPLOAD, content=content, headers={"Content-Type": kind})
    assert answer.status_code in (400, 422)
    assert_envelope(answer, answer.status_code, "invalid_input")
    shared.assert_nothing_left()


def test_a_repeated_idempotency_key_gives_the_first_model(server: Server) -> None:
    def send(key: str) -> httpx.Response:
        headers = {"X-Featrix-Idempotency-Key": key}
        return server.http.post(UPLOAD, files={"file": ("t.csv", make_table())}, headers=headers)

    first, again, other = send("one"), send("one"), send("two")
    assert first.json() == again.json()
    assert other.json()["session_id"] != first.json()["session_id"]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(send, ["three"] * 4))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["session_id"] for answer in answers}) == 1
    sessions = server.http.get("/compute/sessions-for-org").json()["sessions"]
    assert len(sessions) == 3
    assert len(list(server.settings.sessions_dir.iterdir())) == 3
