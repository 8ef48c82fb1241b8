"""What every table is made from: the declarative base, and times that know their zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, TypeDecorator, func, select
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Session


def now() -> datetime:
    """Return the present time in UTC, to the microsecond."""
    return datetime.now(UTC)


def fresh_stamp(session: Session, column: InstrumentedAttribute[datetime]) -> datetime:
    """Return the present time, or later: after all times in a column.

    The clock may have been set back, and the newest row is found by its time.
    """
    newest = session.scalar(select(func.max(column)))
    moment = now()
    return moment if newest is None or newest < moment else newest + timedelta(microseconds=1)


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
