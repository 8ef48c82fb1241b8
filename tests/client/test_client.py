"""`FeatrixSphere` against the real embedded server: listing, bad input, clusters, health."""

from __future__ import annotations

import gzip
import os
import uuid

import pandas as pd
import pytest
import requests

import featrix_client
from featrix_client import (
    FeatrixAuthenticationError,
    FeatrixConnectionError,
    FeatrixInputError,
    FeatrixSphere,
)
from tests.client.scripted import Answer, in_turn


def sessions_on_disk(home) -> set[str]:
    return {path.name for path in (home / "sessions").iterdir()}


@pytest.fixture
def nothing_left(featrix, server_home):
    """After the test the server still serves, and has nothing that it had not before."""
    before = featrix.list_sessions(), sessions_on_disk(server_home)
    yield
    assert featrix.health_check()["status"] == "ok"
    assert (featrix.list_sessions(), sessions_on_disk(server_home)) == before


def test_public_names_are_those_listed():
    public = {name for name in vars(featrix_client) if name[0].isupper()}
    assert public | {"verify_signature"} == set(featrix_client.__all__)
    assert featrix_client.__all__ == sorted(
        featrix_client.__all__, key=lambda n: (not n.isupper(), n)
    )


def test_the_import_path_of_the_reference():
    from featrixsphere import api

    assert api.FeatrixSphere is FeatrixSphere
    assert api.__all__ == featrix_client.__all__


def test_health(featrix):
    health = featrix.health_check()
    assert health["status"] == "ok"
    assert health["compute_cluster"] == "local"
    assert health["version"]


def test_health_of_an_unwell_server_is_returned(serve):
    server = serve(in_turn(Answer({"status": "down"}, 500)))
    sphere = FeatrixSphere(server.url)
    sphere._transport.policy = type(sphere._transport.policy)(attempts=1)
    assert sphere.health_check() == {"status": "down", "version": None, "compute_cluster": None}


def test_one_line_says_which_server(serve, capsys, monkeypatch):
    server = serve(in_turn(Answer({})))
    FeatrixSphere(server.url + "/")
    assert (
        capsys.readouterr().out
        == f"Featrix: using the server at {server.url} (given as api_url).\n"
    )
    monkeypatch.setenv("FEATRIX_API_KEY", "fx_secret")
    print(FeatrixSphere())
    said = capsys.readouterr().out
    assert "https://sphere-api.featrix.com" in said
    assert "fx_secret" not in said


def test_compute_clusters(featrix, serve):
    with pytest.raises(FeatrixInputError, match=r"no compute cluster 'mars'(.|\n)*It has: local"):
        featrix.set_compute_cluster("mars")
    with pytest.raises(ValueError, match="mars"):
        FeatrixSphere("local", compute_cluster="mars")
    featrix.set_compute_cluster("local")
    assert featrix.compute_cluster == "local"
    featrix.list_sessions()
    featrix.set_compute_cluster(None)
    assert featrix.compute_cluster is None
    remote = serve(in_turn(Answer({"status": "ok", "compute_cluster": "node-7"})))
    assert FeatrixSphere(remote.url, "burst").compute_cluster == "burst"
    assert remote.requests[0].path == "/health"


def test_sessions_by_prefix_newest_first(serve):
    items = [
        {"session_id": "a-1", "created_at": "2026-01-01T00:00:00Z"},
        {"session_id": "a-2", "created_at": "2026-01-03T00:00:00Z"},
        {"session_id": "a-3", "created_at": "2026-01-02T00:00:00Z"},
    ]
    server = serve(in_turn(Answer({"sessions": items}), Answer({"sessions": ["b-2", "b-1"]})))
    sphere = FeatrixSphere(server.url)
    assert sphere.list_sessions("a b") == ["a-2", "a-3", "a-1"]
    assert server.requests[0].path == "/compute/sessions-for-org?name_prefix=a+b"
    assert sphere.list_sessions() == ["b-2", "b-1"]
    assert server.requests[1].path == "/compute/sessions-for-org"


@pytest.mark.parametrize("session_id", ["nothing", f"m-{uuid.UUID(int=7, version=4)}"])
def test_an_unknown_id_is_a_404(featrix, session_id):
    with pytest.raises(requests.HTTPError, match=session_id) as caught:
        featrix.foundational_model(session_id)
    assert caught.value.status == 404
    assert caught.value.hint


@pytest.mark.parametrize("session_id", ["", "..", "a/b", None, 5])
def test_what_is_no_id_is_refused(featrix, session_id):
    with pytest.raises(ValueError, match="is not the id of a model"):
        featrix.foundational_model(session_id)


def test_a_wrong_key_is_refused(featrix, monkeypatch):
    monkeypatch.setenv("FEATRIX_API_KEY", "fx_wrong")
    with pytest.raises(FeatrixAuthenticationError, match=r"FEATRIX_API_KEY|X-Api-Key"):
        FeatrixSphere(featrix.url).list_sessions()


def test_nobody_at_the_address():
    sphere = FeatrixSphere("http://127.0.0.1:9")
    sphere._transport.policy = type(sphere._transport.policy)(connect_attempts=1)
    with pytest.raises(FeatrixConnectionError, match=r"No server answers at http://127\.0\.0\.1:9"):
        sphere.list_sessions()


def test_the_notebook_helper(featrix):
    assert type(featrix.get_notebook()).__name__ == "NotebookHelper"


# ---------------------------------------------------------------- bad tables


ROWS = "".join(f"{i},{'ab'[i % 2]},{i * 7 % 11}\n" for i in range(60))
HEADER = "number,letter,other\n"
JUNK = os.urandom(1 << 16)

BAD_FILES = {
    "header_only.csv": (HEADER, "no rows"),
    "binary.csv": (JUNK, "binary"),
    "binary.parquet": (JUNK, ""),
    "binary.json": (JUNK, ""),
    "binary.csv.gz": (JUNK, "binary"),
    "one_column.csv": ("number\n" + "\n".join(map(str, range(60))), "column"),
    "few_rows.csv": (HEADER + "1,a,2\n" * 19, "19"),
    "duplicate.csv": ("number,letter,number\n" + ROWS, "number"),
    "table.xlsx": (JUNK, ""),
}


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_told(featrix, tmp_path, name):
    content, word = BAD_FILES[name]
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(FeatrixInputError) as caught:
        featrix.create_foundational_model(data_file=path)
    assert word in str(caught.value)


@pytest.mark.usefixtures("nothing_left")
def test_bad_arguments_that_only_the_server_can_know(featrix, people):
    with pytest.raises(FeatrixInputError, match="plam"):
        featrix.create_foundational_model(df=people(60), ignore_columns=["plam"])
    with pytest.raises(FeatrixInputError, match="colour"):
        featrix.create_foundational_model(df=people(60), column_overrides={"plan": "colour"})
    with pytest.raises(FeatrixInputError, match="19"):
        featrix.create_foundational_model(df=people(19))
    with pytest.raises(FeatrixInputError, match="column"):
        featrix.create_foundational_model(df=people(60), ignore_columns=["age", "plan"])


@pytest.mark.usefixtures("nothing_left")
def test_a_url_that_cannot_be_used(featrix):
    with pytest.raises(FeatrixInputError, match="http"):
        featrix.create_foundational_model(data_file="http://127.0.0.1:9/table.csv")


# --------------------------------------------------------------- good tables


GOOD_FILES = {
    "table.csv": lambda frame: frame.to_csv(index=False).encode(),
    "table.json": lambda frame: frame.to_json(orient="records").encode(),
    "table.jsonl": lambda frame: frame.to_json(orient="records", lines=True).encode(),
    "table.parquet": lambda frame: frame.to_parquet(),
}


@pytest.mark.parametrize("gzipped", [False, True])
@pytest.mark.parametrize("name", GOOD_FILES)
def test_every_kind_of_file(featrix, people, tmp_path, name, gzipped):
    frame = people(60)
    content = GOOD_FILES[name](frame)
    path = tmp_path / (name + ".gz" * gzipped)
    path.write_bytes(gzip.compress(content) if gzipped else content)
    with pytest.warns(UserWarning, match="60"):  # few rows
        fm = featrix.create_foundational_model(name="kind", data_file=path, epochs=1)
    assert fm.id.startswith("kind-")
    assert fm.columns == ["age", "plan", "spend"]
    assert featrix.list_sessions("kind")[0] == fm.id
    fm.delete()
    assert fm.id not in featrix.list_sessions()


def test_an_odd_frame_arrives(featrix, people):
    frame = people(200).assign(
        when=pd.date_range("2020-01-01", periods=200, freq="7h", tz="Europe/Berlin"),
        wait=pd.to_timedelta(range(200), unit="s"),
        tags=[["a", "b"] if i % 2 else ["c"] for i in range(200)],
        facts=[{"n": i} for i in range(200)],
        mixed=[i if i % 2 else f"n{i % 7}" for i in range(200)],
        level=pd.Categorical([f"l{i % 3}" for i in range(200)]),
    )
    frame[7] = [float("inf") if i % 9 == 0 else i / 3 for i in range(200)]
    fm = featrix.create_foundational_model(df=frame, epochs=1)
    assert set(fm.columns) == {str(name) for name in frame.columns}
    fm.delete()
