"""The open database: transactions, and the schema's version.

SQLite (WAL) in the data folder by default, PostgreSQL by URL. Everything that only one of
them understands stays in this module.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from featrix_server import safejson
from featrix_server.settings import Settings

LOCK_WAIT_S = 30.0
"""Longest wait for another process's transaction; longer means that something is stuck."""

_MIGRATIONS = Path(__file__).parents[1] / "migrations"
_MIGRATION_LOCK = 0x7EA7_0001  # any fixed number: names the lock in PostgreSQL


class DatabaseVersionError(RuntimeError):
    """The database was written by a newer version of the server."""


class DatabaseDamagedError(RuntimeError):
    """The database cannot be read, or is empty where it cannot be."""


class Database:
    """An open database. Safe to share between threads; one object a process."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writer = engine.execution_options(featrix_write=True)
        self._quick_writer = engine.execution_options(featrix_write=True, featrix_quick=True)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a transaction that only reads: one consistent picture, blocking nobody."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def look(self) -> Iterator[Connection]:
        """Open a reading transaction for bare statements: a third of what `read` costs."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a transaction that writes: committed on leaving, rolled back on an exception.

        SQLite takes its write lock at the start, so what was read cannot change before it is
        written, and a busy database is waited for (up to `LOCK_WAIT_S`) instead of failing.
        """
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def quick_write(self) -> Iterator[Connection]:
        """Open a writing transaction for what happens often: bare statements, no wait for the disk.

        Once committed it survives a killed process, as always; of SQLite, a power cut may take
        the transactions of the last moments (all of each, and nothing else).
        """
        with self._quick_writer.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def open_database(settings: Settings) -> Database:
    """Open the database and bring its schema up to date.

    Any number of processes may do so at once: one migrates, the others wait.

    Raises
    ------
    DatabaseVersionError
        If a newer version of the server wrote the database.
    DatabaseDamagedError
        If it cannot be read, or is empty although there are models.
    """
    url = settings.resolved_database_url
    if url.startswith("sqlite"):
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        engine = create_engine(
            url, connect_args={"timeout": LOCK_WAIT_S}, json_serializer=safejson.dumps
        )
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        engine = create_engine(url, pool_pre_ping=True, json_serializer=safejson.dumps)
    database = Database(engine)
    try:
        _migrate(database, url, settings)
    except BaseException as error:
        database.close()
        if any(sign in str(error) for sign in _DAMAGE):
            raise DatabaseDamagedError(
                f"The database {url} is damaged ({error.__cause__ or error}). Put it back from a "
                f"backup, or move it and {settings.sessions_dir} away to begin anew."
            ) from error
        raise
    return database


_DAMAGE = ("malformed", "not a database")  # in the messages of SQLite


def _refuse_to_forget(url: str, settings: Settings) -> None:
    """Refuse to make a new database beside models: the collector would take them for leftovers."""
    if not settings.sessions_dir.exists():
        return
    models = [one for one in settings.sessions_dir.iterdir() if not one.name.startswith(".")]
    if models:
        raise DatabaseDamagedError(
            f"The database {url} is empty, but {settings.sessions_dir} holds {len(models)} models. "
            "Put the database back from a backup, or move that folder away to begin anew."
        )


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    # No implicit BEGIN by the driver: _begin_sqlite decides which kind it is.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    write = options.get("featrix_write", False)
    if write:
        # With WAL, NORMAL survives a killed process but not a power cut; a commit an epoch is rare
        # enough for FULL, which survives both.
        wanted = "NORMAL" if options.get("featrix_quick", False) else "FULL"
        if connection.info.get("synchronous") != wanted:  # connections are used again
            connection.exec_driver_sql(f"PRAGMA synchronous = {wanted}")
            connection.info["synchronous"] = wanted
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _switch_to_wal(engine: Engine) -> None:
    """Turn on write-ahead logging, once for the life of the file.

    SQLite does not wait for the lock this takes, so two processes meeting here must retry.
    """
    deadline = time.monotonic() + LOCK_WAIT_S
    while True:
        raw = engine.raw_connection()
        try:
            raw.cursor().execute("PRAGMA journal_mode = WAL")
            return
        except Exception as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        finally:
            raw.close()


def _migrate(database: Database, url: str, settings: Settings) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    head = scripts.get_current_head()
    if database.engine.dialect.name == "sqlite":
        _switch_to_wal(database.engine)
    with database._writer.begin() as connection:
        if database.engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        current = MigrationContext.configure(connection).get_current_revision()
        known = {script.revision for script in scripts.walk_revisions()}
        if current is None:
            _refuse_to_forget(url, settings)
        if current is not None and current not in known:
            raise DatabaseVersionError(
                f"The database {url} has schema {current!r}, made by a newer version; this "
                f"version knows schemas up to {head!r}. Upgrade featrix-notebook, or give another "
                "data folder (--data-dir or FEATRIX_HOME)."
            )
        if current != head:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


# EFBIG too: it is what a process meets whose files are limited in size (ulimit -f).
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def is_disk_full(error: BaseException | None) -> bool:
    """Tell whether an error, or one that led to it, means that the disk is full."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        if isinstance(error, OperationalError) and "disk is full" in str(error.orig):
            return True
        if "No space left on device" in str(error):  # DuckDB and Arrow keep only the text
            return True
        error = error.__cause__ or error.__context__
    return False
