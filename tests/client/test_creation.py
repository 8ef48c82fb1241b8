"""What is sent when a model is created: the form, the file, the checks before."""

from __future__ import annotations

import email
import gzip
import io
import json
import os
import tracemalloc

import numpy as np
import pandas as pd
import pytest

from featrix_client import WEBHOOK_EVENTS, FeatrixInputError, FeatrixSphere, FeatrixWarning
from featrix_client.multipart import MultipartForm
from tests.client.scripted import Answer

STATUS = {"session": {"session_id": "m-1", "name": "m", "status": "queued"}, "jobs": {}}


@pytest.fixture
def upload(serve):
    """A server that takes any table; `.form()` is what the last upload held."""

    def script(request):
        if request.method == "GET":
            return Answer(STATUS)
        if upload_failures:
            return Answer(status=upload_failures.pop())
        return Answer({"session_id": "m-1", "warnings": ["Column 'id' was left out."]})

    upload_failures: list[int] = []
    server = serve(script)
    server.failures = upload_failures
    server.featrix = FeatrixSphere(server.url)
    server.form = lambda: read_form([r for r in server.requests if r.method == "POST"][-1])
    return server


def read_form(request) -> dict[str, tuple[str | None, str | None, bytes]]:
    """Parse a form with the standard library: name -> (filename, content type, content)."""
    head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
    parts = email.message_from_bytes(head + request.body).get_payload()
    return {
        part.get_param("name", header="content-disposition"): (
            part.get_filename(),
            part["Content-Type"],
            part.get_payload(decode=True),
        )
        for part in parts
    }


def create(upload, **arguments):
    with pytest.warns(FeatrixWarning, match="left out"):
        return upload.featrix.create_foundational_model(**arguments)


def test_a_file_is_sent_with_every_option(upload, tmp_path):
    path = tmp_path / "people.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1,2\n"))
    fm = create(
        upload,
        name="m",
        data_file=path,
        ignore_columns=["id"],
        epochs=np.int64(5),
        webhooks={"training_finished": "https://host/done"},
        user_metadata={"owner": "Zoë", "n": np.float32(0.5), "bad": float("nan")},
        foundation_mode=True,
        column_overrides={"zip": "set"},
    )
    assert (fm.id, fm.name, fm.status, fm.columns) == ("m-1", "m", "training", None)
    form = upload.form()
    assert form.pop("file") == ("people.csv.gz", None, path.read_bytes())
    assert {
        name: json.loads(part[2]) if name not in ("name", "session_name_prefix") else part[2]
        for name, part in form.items()
    } == {
        "name": b"m",
        "session_name_prefix": b"m",
        "ignore_columns": ["id"],
        "epochs": 5,
        "webhooks": {"training_finished": "https://host/done"},
        "user_metadata": {"owner": "Zoë", "n": 0.5, "bad": None},
        "foundation_mode": True,
        "column_overrides": {"zip": "set"},
    }


def test_only_what_was_given_is_sent(upload, tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    create(upload, data_file=str(tmp_path / "t.csv"))
    assert set(upload.form()) == {"file"}


def test_a_frame_is_sent_as_parquet(upload):
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
    create(upload, df=frame)
    form = upload.form()
    filename, kind, content = form["file"]
    assert (filename, kind) == ("data.parquet", None)
    pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(content)), frame)
    assert (form["n_rows"][2], form["n_cols"][2]) == (b"2", b"2")


@pytest.mark.parametrize(
    "url", ["https://host/t.csv", "http://host/t.csv", "s3://bucket/t.parquet"]
)
def test_a_url_is_fetched_by_the_server(upload, url):
    create(upload, name="m", data_file=url, user_metadata={"a": 1}, ignore_columns=["id"])
    request = upload.requests[-2]
    assert request.path == "/compute/create-embedding-space"
    assert json.loads(request.body) == {
        "s3_file_data_set_training": url,
        "name": "m",
        "session_name_prefix": "m",
        "ignore_columns": ["id"],
        "user_metadata": '{"a": 1}',
    }


def test_a_repeated_upload_has_the_same_idempotency_key(upload, tmp_path):
    upload.featrix._transport.policy = upload.featrix._transport.policy.__class__(base_delay=0.01)
    (tmp_path / "t.csv").write_text("a,b\n" + "1,2\n" * 500)
    upload.failures += [500, 502]
    create(upload, data_file=tmp_path / "t.csv")
    posts = [request for request in upload.requests if request.method == "POST"]
    assert len(posts) == 3
    assert len({request.headers["X-Featrix-Idempotency-Key"] for request in posts}) == 1
    assert len({request.body.partition(b"\r\n")[2] for request in posts}) == 1
    create(upload, data_file=tmp_path / "t.csv")
    again = upload.requests[-2].headers["X-Featrix-Idempotency-Key"]
    assert again != posts[0].headers["X-Featrix-Idempotency-Key"]


def test_warnings_point_at_the_user(upload, tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    with pytest.warns(FeatrixWarning) as caught:
        upload.featrix.create_foundational_model(data_file=tmp_path / "t.csv")
    assert caught[0].filename == __file__


def test_a_large_file_is_streamed_with_a_bar(upload, tmp_path, capsys):
    path = tmp_path / "large.csv"
    path.write_bytes(b"a,b\n" + b"1234567,7654321\n" * 500_000)  # 8 MB
    tracemalloc.start()
    with MultipartForm({"name": "m"}, path, "large.csv") as form:
        size = sum(len(chunk) for chunk in form)
        assert size == len(form)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000
    create(upload, data_file=path)
    assert "Uploading large.csv: 100%" in capsys.readouterr().err


def test_names_in_the_form_cannot_break_out_of_it(tmp_path):
    path = tmp_path / 'a"b\r\nX-Evil: 1.csv'
    path.write_text("a,b\n")
    with MultipartForm({'na"me': "v"}, path, path.name) as form:
        head = b"".join(form)
    assert b'name="na%22me"' in head
    assert b'filename="a%22b%0D%0AX-Evil: 1.csv"' in head


# ------------------------------------------------------------------- checks


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "exactly one of data_file and df; neither"),
        ({"data_file": "a.csv", "df": pd.DataFrame()}, "exactly one of data_file and df; both"),
        ({"data_file": pd.DataFrame()}, "must be a path or a URL, not a DataFrame"),
        ({"data_file": 5}, "must be a path or a URL, not a int"),
        ({"name": ""}, "name must be a text"),
        ({"name": 7}, "name must be a text"),
        ({"epochs": 0}, "epochs must be a whole number of at least 1, not 0"),
        ({"epochs": -1}, "at least 1"),
        ({"epochs": 2.5}, "at least 1"),
        ({"epochs": True}, "at least 1"),
        ({"epochs": "5"}, "at least 1"),
        ({"ignore_columns": "id"}, r"must be a list of column names(.|\n)*\['id'\]"),
        ({"column_overrides": ["zip"]}, "must be a dict of columns and types"),
        ({"webhooks": ["x"]}, "must be a dict of events and URLs"),
        ({"webhooks": {"training_finish": "https://x"}}, "is 'training_finished' meant"),
        ({"webhooks": {"alert_drift": "ftp://x"}}, "needs an http:// or https:// URL"),
        ({"webhooks": {"alert_drift": None}}, "needs an http:// or https:// URL"),
        ({"user_metadata": [1]}, "must be a dict, not a list"),
        ({"user_metadata": {"a": "x" * 33_000}}, "at most 32,768 are kept"),
        ({"user_metadata": {"a": "é" * 16_400}}, "at most 32,768 are kept"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_sent(upload, arguments, message, tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    table = (
        {}
        if {"data_file", "df"} & set(arguments) or not arguments
        else {"data_file": tmp_path / "t.csv"}
    )
    with pytest.raises(FeatrixInputError, match=message):
        upload.featrix.create_foundational_model(**arguments, **table)
    assert not upload.requests


def test_all_events_of_the_reference_are_accepted(upload, tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    hooks = dict.fromkeys(WEBHOOK_EVENTS, "http://localhost:1/x") | {"webhook_secret": "s"}
    create(upload, data_file=tmp_path / "t.csv", webhooks=hooks, user_metadata={"a": "x" * 32_000})
    assert len(WEBHOOK_EVENTS) == 8


def test_a_missing_file_is_told_with_its_full_path(upload, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "people.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="There is no file") as caught:
        upload.featrix.create_foundational_model(data_file="poeple.csv")
    assert str(tmp_path / "poeple.csv") in str(caught.value)
    assert "people.csv" in caught.value.hint
    with pytest.raises(ValueError, match="Not even its folder exists"):
        upload.featrix.create_foundational_model(data_file="nowhere/t.csv")
    with pytest.raises(ValueError, match="is a folder"):
        upload.featrix.create_foundational_model(data_file=tmp_path)
    (tmp_path / "empty.csv").touch()
    with pytest.raises(ValueError, match="is empty"):
        upload.featrix.create_foundational_model(data_file="empty.csv")


def test_a_pipe_is_not_waited_for(upload, tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(ValueError, match="is a device, not a data file"):
        upload.featrix.create_foundational_model(data_file=tmp_path / "pipe.csv")
