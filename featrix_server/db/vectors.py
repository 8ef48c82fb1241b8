"""Rows of vector databases: the one truth about their records, from which indexes are derived."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from featrix_server.db.base import Base, now

_Serial = BigInteger().with_variant(Integer, "sqlite")


class VectorDatabaseRow(Base):
    """One vector database of a session.

    ``last_id`` is the greatest id that a record of it was ever given and ``removed_count`` how
    many were ever removed: together they name its contents, since whoever changes the records
    holds this row, so that ids rise in the order of the commits. ``auto_populate`` asks for the
    rows of the session's table; ``populated_rows`` is how many of them are in.
    """

    __tablename__ = "vector_databases"
    __table_args__ = (
        UniqueConstraint("session_id", "name"),
        {"sqlite_autoincrement": True},  # a file of a removed database must not fit a new one
    )

    id: Mapped[int] = mapped_column(_Serial, primary_key=True, autoincrement=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"))
    name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
    auto_populate: Mapped[bool] = mapped_column(default=False)
    populated_rows: Mapped[int] = mapped_column(default=0)
    record_count: Mapped[int] = mapped_column(default=0)
    last_id: Mapped[int] = mapped_column(_Serial, default=0)
    removed_count: Mapped[int] = mapped_column(_Serial, default=0)


class VectorRecordRow(Base):
    """One record and its embedding.

    ``vector`` holds little-endian float32, of length one; ``digest`` names the record's content.
    """

    __tablename__ = "vector_records"
    __table_args__ = (
        Index("ix_vector_records_database_id_id", "database_id", "id"),
        {"sqlite_autoincrement": True},  # a removed record's id is never given out again
    )

    id: Mapped[int] = mapped_column(_Serial, primary_key=True, autoincrement=True)
    database_id: Mapped[int] = mapped_column(ForeignKey("vector_databases.id", ondelete="CASCADE"))
    digest: Mapped[bytes]
    vector: Mapped[bytes]
    record: Mapped[dict[str, Any]]


class VectorBatchRow(Base):
    """A batch of records that came with an idempotency key, and is in."""

    __tablename__ = "vector_batches"

    database_id: Mapped[int] = mapped_column(
        ForeignKey("vector_databases.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(primary_key=True)
    records_added: Mapped[int]
