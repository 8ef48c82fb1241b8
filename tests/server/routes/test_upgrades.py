"""What earlier versions stored opens: every older schema of the database, older files of models."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from featrix_server.db import Base
from featrix_server.settings import Settings

from .conftest import KEY, Server, Trained, running
from .predicting import ROW, Asked
from .test_gate import assert_envelope

MIGRATIONS = Path(__file__).parents[3] / "featrix_server" / "migrations"
HOOK = {"training_finished": "http://127.0.0.1:9/hook", "webhook_secret": "shared"}
SPACE_FILE = "model.safetensors"


def config() -> Config:
    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS))
    return made


SCRIPTS = ScriptDirectory.from_config(config())
OLDER = [one.revision for one in SCRIPTS.walk_revisions() if one.revision != SCRIPTS.get_heads()[0]]
PREDICTORS_SINCE, WEBHOOKS_SINCE = "0002", "0005"


def make_older(folder: Path, revision: str) -> None:
    """Give the models of a data folder a database as the version with that schema left it."""
    database, today = folder / "featrix.db", folder / "today.db"
    for suffix in ("", "-wal", "-shm"):
        if database.with_name(f"featrix.db{suffix}").exists():
            database.with_name(f"featrix.db{suffix}").rename(folder / f"today.db{suffix}")
    engine = create_engine(f"sqlite:///{database}")
    with engine.begin() as connection:
        made = config()
        made.attributes["connection"] = connection
        command.upgrade(made, revision)
    engine.dispose()
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("ATTACH ? AS today", (str(today),))
        tables = connection.execute("SELECT name FROM main.sqlite_schema WHERE type = 'table'")
        for (table,) in tables.fetchall():
            if table != "alembic_version" and not table.startswith("sqlite_"):
                names = ", ".join(
                    f'"{row[1]}"'
                    for row in connection.execute(f'PRAGMA main.table_info("{table}")')
                )
                connection.execute(
                    f'INSERT INTO main."{table}" ({names}) SELECT {names} FROM today."{table}"'
                )
        if revision < PREDICTORS_SINCE:
            connection.execute("DELETE FROM jobs WHERE predictor_id IS NOT NULL")
        if revision < WEBHOOKS_SINCE:
            connection.execute(
                "UPDATE sessions SET options = json_set(options, '$.webhooks', json(?))",
                (json.dumps(HOOK),),
            )
    for path in folder.glob("today.db*"):
        path.unlink()


@contextmanager
def opened(folder: Path, asked: Asked) -> Iterator[Asked]:
    with running(Settings(data_dir=folder, api_key=KEY)) as server:
        model = Trained(server, asked.model.path, asked.model.session_id)
        yield Asked(model, asked.made)


def readable(server: Server, made: dict[str, Any]) -> None:
    """Ask for everything that can be asked for about a model."""
    for path, methods in server.http.get("/openapi.json").json()["paths"].items():
        if "get" in methods and not path.endswith("/events"):  # a stream, which has no end
            for name in ("session_id", "predictor_id"):
                path = path.replace(f"{{{name}}}", made[name])
            assert server.http.get(path).status_code < 500, path


@pytest.mark.parametrize("revision", OLDER)
def test_an_older_database_opens_with_all_that_was_in_it(
    asked: Asked, tmp_path: Path, revision: str
) -> None:
    shutil.copytree(asked.model.server.settings.data_dir, tmp_path / "data")
    make_older(tmp_path / "data", revision)
    expected = asked.predict("plan", ROW)["probabilities"]
    with opened(tmp_path / "data", asked) as own:
        server, model = own.model.server, own.model
        with server.context.database.engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
        listed = server.http.get("/compute/sessions-for-org").json()["sessions"]
        assert model.session_id in {one["session_id"] for one in listed}
        assert model.get().json()["session"]["status"] == "done"
        readable(server, own.made["plan"])
        if revision < WEBHOOKS_SINCE:
            hooks = model.get("/webhooks").json()["webhooks"]
            assert hooks == HOOK | {"webhook_secret": "********"}
        encoded = server.http.post(f"{model.path}/encode_records", json={"records": [ROW]})
        assert encoded.status_code == 200, encoded.text
        assert server.http.post(f"{model.path}/vector_databases", json={}).status_code == 200
        answer = own.post("plan", "predict", query_record=ROW)
        if revision < PREDICTORS_SINCE:
            assert_envelope(answer, 404, "not_found")
        else:
            assert answer.status_code == 200, answer.text
            assert answer.json()["probabilities"] == expected
        server.create(epochs="1")
        server.train()  # and new models can be made beside the old ones


def of_format(path: Path, number: int) -> None:
    facts = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(facts | {"format": number}), "utf-8")


def of_space_version(path: Path, number: int) -> None:
    size = int.from_bytes(path.read_bytes()[:8], "little")
    head = json.loads(path.read_bytes()[8 : 8 + size])
    described = json.loads(head["__metadata__"]["featrix"]) | {"version": number}
    head["__metadata__"]["featrix"] = json.dumps(described)
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    rest = path.read_bytes()[8 + size :]
    path.unlink()  # it may be shared with another model
    path.write_bytes(len(text).to_bytes(8, "little") + text + rest)


@pytest.mark.parametrize(
    ("name", "change", "number"),
    [
        ("predictor.json", of_format, 1),
        ("predictor.json", of_format, 99),
        (SPACE_FILE, of_space_version, 99),
    ],
)
def test_files_of_another_version_are_refused_with_advice(
    asked: Asked, tmp_path: Path, name: str, change: Callable[[Path, int], None], number: int
) -> None:
    with asked.copy(tmp_path / "data") as own:
        server, made = own.model.server, own.made["plan"]
        folder: Any = server.context.store.folder(made["session_id"])
        if name != SPACE_FILE:
            folder = folder / "predictors" / made["predictor_id"]
        change(folder / name, number)
        encode = server.http.post(f"{own.model.path}/encode_records", json={"records": [ROW]})
        answers = [encode]
        if name != SPACE_FILE:  # a predictor has weights of its own
            assert encode.status_code == 200
            answers = [
                own.post("plan", "predict", query_record=ROW),
                own.post("plan", "predict_table", records=[ROW]),
            ]
        for answer in answers:
            body = assert_envelope(answer, 409, "other_version")
            assert str(number) in body["error"]
            assert "Train it again" in body["hint"]
        readable(server, made)
        server.assert_serving()
