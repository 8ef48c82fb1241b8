"""The metadata database: migrations, transactions, durability."""

from __future__ import annotations

import multiprocessing
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text
from sqlalchemy.exc import IntegrityError, StatementError

from featrix_server.db import (
    Base,
    DatabaseDamagedError,
    DatabaseVersionError,
    JobRow,
    MetricRow,
    SessionRow,
    add_event,
    fresh_stamp,
    now,
    open_database,
)
from featrix_server.settings import Settings


def settings(folder: Path) -> Settings:
    return Settings(data_dir=folder)


def test_the_migrations_make_exactly_what_the_models_say(tmp_path: Path) -> None:
    database = open_database(settings(tmp_path))
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    database.close()


def test_sqlite_is_set_up_for_several_processes_and_power_cuts(tmp_path: Path) -> None:
    database = open_database(settings(tmp_path))
    with database.read() as session:
        for pragma, value in (
            ("journal_mode", "wal"),
            ("foreign_keys", 1),
            ("synchronous", 2),
            ("busy_timeout", 30_000),
        ):
            assert session.scalar(text(f"PRAGMA {pragma}")) == value
    database.close()


def test_a_newer_schema_is_refused_with_advice(tmp_path: Path) -> None:
    database = open_database(settings(tmp_path))
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    with pytest.raises(DatabaseVersionError, match=r"'9999'.*Upgrade featrix-notebook"):
        open_database(settings(tmp_path))


@pytest.mark.parametrize("size", [100, 4096, 20_000])
def test_a_truncated_database_is_refused_with_advice(tmp_path: Path, size: int) -> None:
    database = open_database(settings(tmp_path))
    with database.write() as session:
        session.add_all(SessionRow(id=f"s{n}", name="x" * 500) for n in range(200))
    database.close()
    path = tmp_path / "featrix.db"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DatabaseDamagedError, match=r"featrix\.db.*damaged.*backup"):
        open_database(settings(tmp_path))


def test_an_empty_database_beside_models_is_refused(tmp_path: Path) -> None:
    models = settings(tmp_path).sessions_dir
    (models / "churn-1").mkdir(parents=True)
    (models / ".new-1").mkdir()
    (tmp_path / "featrix.db").write_bytes(b"")
    for _ in range(2):
        with pytest.raises(DatabaseDamagedError, match=r"is empty.*holds 1 models.*backup"):
            open_database(settings(tmp_path))
    models.rename(tmp_path / "put away")
    open_database(settings(tmp_path)).close()


def test_new_rows_come_after_all_others_when_the_clock_was_set_back(tmp_path: Path) -> None:
    database = open_database(settings(tmp_path))
    with database.write() as session:
        assert fresh_stamp(session, SessionRow.created_at) <= now()
        late = now() + timedelta(days=1)
        session.add(SessionRow(id="a", created_at=late))
        session.flush()
        session.add(SessionRow(id="b", created_at=fresh_stamp(session, SessionRow.created_at)))
        session.flush()
        assert fresh_stamp(session, SessionRow.created_at) > late + timedelta(microseconds=1)
    database.close()


def open_and_count(folder: Path) -> int:
    database = open_database(settings(folder))
    try:
        return len(inspect(database.engine).get_table_names())
    finally:
        database.close()


def test_processes_that_open_a_new_database_at_once_agree(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(4) as pool:
        counts = pool.map(open_and_count, [tmp_path] * 8, chunksize=1)
    assert counts == [len(Base.metadata.tables) + 1] * 8  # and Alembic's own


def test_what_is_committed_survives_a_killed_process(tmp_path: Path) -> None:
    code = """
import os, signal, sys
from pathlib import Path
from featrix_server.db import SessionRow, open_database
from featrix_server.settings import Settings
database = open_database(Settings(data_dir=Path(sys.argv[1])))
with database.write() as session:
    session.add(SessionRow(id="kept"))
with database.write() as session:
    session.add(SessionRow(id="lost"))
    session.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], check=False, cwd=Path(__file__).parents[3]
    )
    assert done.returncode == -signal.SIGKILL
    database = open_database(settings(tmp_path))
    with database.read() as session:
        assert [row.id for row in session.query(SessionRow)] == ["kept"]
    database.close()


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    database = open_database(settings(tmp_path))

    def fail() -> None:
        with database.write() as session:
            session.add(SessionRow(id="a"))
            session.flush()
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fail()
    with pytest.raises(IntegrityError), database.write() as session:
        session.add(JobRow(id="j", session_id="unknown", job_type="train_es"))
    with database.read() as session:
        assert session.query(SessionRow).count() == session.query(JobRow).count() == 0
    database.close()


def test_writers_wait_for_one_another(tmp_path: Path) -> None:
    database = open_database(settings(tmp_path))
    with database.write() as session:
        session.add(SessionRow(id="a", epochs=0))

    def add_ten() -> None:
        for _ in range(10):
            with database.write() as session:
                row = session.get_one(SessionRow, "a")
                row.epochs = (row.epochs or 0) + 1

    threads = [threading.Thread(target=add_ten) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as session:
        assert session.get_one(SessionRow, "a").epochs == 40
    database.close()


def test_removing_a_session_removes_all_of_it(tmp_path: Path) -> None:
    database = open_database(settings(tmp_path))
    with database.write() as session:
        session.add(SessionRow(id="a"))
        session.flush()
        session.add(JobRow(id="j", session_id="a", job_type="train_es"))
        session.flush()
        session.add(MetricRow(job_id="j", epoch=1, payload={"loss": float("nan")}))
        add_event(session, "a", "epoch", {"loss": float("inf")}, "j")
    with database.read() as session:
        assert session.get_one(MetricRow, ("j", 1)).payload == {"loss": None}
    with database.write() as session:
        session.execute(text("DELETE FROM sessions"))
    with database.read() as session:
        for table in ("jobs", "metrics", "events"):
            assert session.scalar(text(f"SELECT count(*) FROM {table}")) == 0
    database.close()


def test_event_numbers_are_never_given_out_twice(tmp_path: Path) -> None:
    database = open_database(settings(tmp_path))
    seen = []
    for _ in range(2):
        with database.write() as session:
            session.add(SessionRow(id="a"))
            session.flush()
            row = add_event(session, "a", "status", {})
            session.flush()
            seen.append(row.seq)
            session.execute(text("DELETE FROM sessions"))
    assert seen[1] > seen[0]
    database.close()


def test_times_keep_their_meaning(tmp_path: Path) -> None:
    database = open_database(settings(tmp_path))
    moment = datetime(2026, 1, 2, 3, 4, 5, 678_901, timezone(timedelta(hours=2)))
    with database.write() as session:
        session.add(SessionRow(id="a", created_at=moment))
    with database.read() as session:
        stored = session.get_one(SessionRow, "a").created_at
    assert stored == moment
    assert stored.tzinfo == UTC
    with pytest.raises(StatementError, match="zone"), database.write() as session:
        session.add(SessionRow(id="b", created_at=datetime(2026, 1, 2)))
    database.close()


def test_the_default_folder_can_be_moved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FEATRIX_HOME", str(tmp_path / "home"))
    assert Settings().data_dir == tmp_path / "home"
    monkeypatch.setenv("FEATRIX_SERVER_DATA_DIR", str(tmp_path / "other"))
    assert Settings().data_dir == tmp_path / "other"
    monkeypatch.setenv("FEATRIX_SERVER_ALLOWED_HOSTS", '["a.example"]')
    assert Settings().allowed_hosts == ("a.example",)
    assert "secret" not in repr(Settings(api_key="secret"))
