"""The metadata database: typed rows, transactions, and the schema's version.

SQLite (WAL) in the data folder by default, PostgreSQL by URL. Everything that only one of
them understands stays in this module.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    JSON,
    BigInteger,
    Connection,
    DateTime,
    Dialect,
    Engine,
    ForeignKey,
    Index,
    Integer,
    TypeDecorator,
    create_engine,
    event,
    text,
)
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from featrix_server import safejson
from featrix_server.settings import Settings

Status = Literal["queued", "running", "paused", "done", "failed", "cancelled"]
Request = Literal["pause", "stop", "cancel"]
OPEN_STATUSES: tuple[Status, ...] = ("queued", "running", "paused")

LOCK_WAIT_S = 30.0
"""Longest wait for another process's transaction; longer means that something is stuck."""

_MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATION_LOCK = 0x7EA7_0001  # any fixed number: names the lock in PostgreSQL


class DatabaseVersionError(RuntimeError):
    """The database was written by a newer version of the server."""


def now() -> datetime:
    """Return the present time in UTC, to the microsecond."""
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time: stored as UTC without a zone (SQLite knows none), given back with one."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse times without a zone; store the rest in UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Say that the stored time is UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """Declarative base; plain Python annotations choose the column types."""

    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads this name off the class
        datetime: UtcDateTime,
        dict[str, Any]: JSON(none_as_null=True),
        list[str]: JSON(none_as_null=True),
    }


class SessionRow(Base):
    """One session, which is one foundational model.

    ``options`` holds what the caller asked for: ``epochs``, ``seed``, ``foundation_mode``,
    ``ignore_columns``, ``column_overrides``, ``webhooks``. ``columns`` names the columns in the
    model. ``deleted_at`` is set by ``mark_for_deletion`` and hides the session. ``parent_id`` is
    the session whose trained space this one was made with; that one may be gone by now.
    """

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(primary_key=True)
    parent_id: Mapped[str | None]
    name: Mapped[str | None]
    status: Mapped[str] = mapped_column(default="queued")
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    compute_cluster: Mapped[str] = mapped_column(default="local")
    session_type: Mapped[str] = mapped_column(default="embedding_space")
    user_metadata: Mapped[dict[str, Any] | None]
    deletion_protection: Mapped[bool] = mapped_column(default=False)
    dimensions: Mapped[int | None]
    epochs: Mapped[int | None]
    final_loss: Mapped[float | None]
    columns: Mapped[list[str] | None]
    options: Mapped[dict[str, Any]] = mapped_column(default=dict)
    warnings: Mapped[list[str]] = mapped_column(default=list)
    idempotency_key: Mapped[str | None] = mapped_column(unique=True)
    source_filename: Mapped[str | None]
    error: Mapped[str | None]


class JobRow(Base):
    """One piece of work for a worker process.

    ``requested`` is what a person asked for and the worker has not yet done. ``spec`` are the
    job's own options (``train_es``: ``epochs``, ``seed``, ``foundation_mode``;
    ``train_single_predictor``: ``more`` epochs for a finished predictor). A worker owns a job while
    ``lease_owner`` is its name and ``lease_expires_at`` lies ahead.
    """

    __tablename__ = "jobs"
    __table_args__ = (Index("ix_jobs_status_created_at", "status", "created_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    session_id: Mapped[str] = mapped_column(
        ForeignKey("sessions.id", ondelete="CASCADE"), index=True
    )
    job_type: Mapped[str]
    status: Mapped[str] = mapped_column(default="queued")
    spec: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    progress: Mapped[float] = mapped_column(default=0.0)
    current_epoch: Mapped[int | None]
    total_epochs: Mapped[int | None]
    error: Mapped[str | None]
    lease_owner: Mapped[str | None]
    lease_expires_at: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime | None]
    requested: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(default=0)
    predictor_id: Mapped[str | None]
    name: Mapped[str | None]


class PredictorRow(Base):
    """One predictor of a session. Its one job trains it, and trains it further when asked.

    ``options`` are those of ``engine.PredictorOptions``. ``trained_at`` is when its training was
    last finished; from the first time on it can answer, whatever becomes of a later training.
    ``labels_digest`` is the SHA-256 of the labels file it came with.
    """

    __tablename__ = "predictors"

    id: Mapped[str] = mapped_column(primary_key=True)
    session_id: Mapped[str] = mapped_column(
        ForeignKey("sessions.id", ondelete="CASCADE"), index=True
    )
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), unique=True)
    name: Mapped[str | None]
    target_column: Mapped[str]
    target_type: Mapped[str]
    problem_type: Mapped[str]
    options: Mapped[dict[str, Any]]
    labels_digest: Mapped[str | None]
    warnings: Mapped[list[str]] = mapped_column(default=list)
    created_at: Mapped[datetime] = mapped_column(default=now)
    trained_at: Mapped[datetime | None]
    accuracy: Mapped[float | None]
    auc: Mapped[float | None]
    f1: Mapped[float | None]


class MetricRow(Base):
    """The report of one epoch of one job (``to_dict()`` of an engine's report)."""

    __tablename__ = "metrics"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    payload: Mapped[dict[str, Any]]


class EventRow(Base):
    """One entry of a session's event log; ``seq`` only ever grows."""

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_session_id_seq", "session_id", "seq"),
        {"sqlite_autoincrement": True},  # a removed session's numbers are never given out again
    )

    seq: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"))
    job_id: Mapped[str | None]
    kind: Mapped[str]
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=now)


def add_event(
    session: Session, session_id: str, kind: str, payload: dict[str, Any], job_id: str | None = None
) -> EventRow:
    """Append an event to a session's log, in the caller's transaction."""
    row = EventRow(session_id=session_id, job_id=job_id, kind=kind, payload=payload)
    session.add(row)
    return row


class Database:
    """An open database. Safe to share between threads; one object a process."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writer = engine.execution_options(featrix_write=True)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a transaction that only reads: one consistent picture, blocking nobody."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a transaction that writes: committed on leaving, rolled back on an exception.

        SQLite takes its write lock at the start, so what was read cannot change before it is
        written, and a busy database is waited for (up to `LOCK_WAIT_S`) instead of failing.
        """
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

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
        _migrate(database, url)
    except BaseException:
        database.close()
        raise
    return database


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    # No implicit BEGIN by the driver: _begin_sqlite decides which kind it is.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    # With WAL, NORMAL survives a killed process but not a power cut; a commit an epoch is rare
    # enough for FULL, which survives both.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("featrix_write", False)
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


def _migrate(database: Database, url: str) -> None:
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
