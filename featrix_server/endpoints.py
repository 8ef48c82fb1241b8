"""Endpoints: a door to one predictor, with a key that opens nothing else.

A key is 256 bits. The database holds its SHA-256 and the salt it was derived from, by HMAC with a
secret that lies in a file only the server's user can read. So the owner can be told the key again
(the API lists it as an attribute), and neither the database nor a copy of it gives a key away. A
key that the caller chose is kept as its hash only and never told again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
import re
import secrets
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, select
from starlette.concurrency import run_in_threadpool

from featrix_server.db import Database, EndpointRow, SessionRow, UsageRow, now
from featrix_server.errors import ApiError, invalid_input
from featrix_server.process import write_private
from featrix_server.rate_limit import RateLimiter
from featrix_server.settings import Settings
from featrix_server.store import new_id

SECRET_FILE = "endpoint-secret"
_PREFIX = "fx_endpoint_"
_CHOSEN_KEY = re.compile(r"[!-~]{43,200}")  # 43 characters of base64 are 256 bits


@dataclass(frozen=True)
class EndpointUsage:
    """How much an endpoint was used: calls that were let in."""

    usage_count: int
    error_count: int
    avg_latency_ms: float | None
    last_used_at: datetime | None
    by_day: dict[str, int]


@dataclass(frozen=True)
class Door:
    """What must be known of an endpoint to let a request through; as of `EndpointRow`."""

    id: str
    session_id: str
    predictor_id: str
    key_hash: str | None
    is_public: bool
    requests_per_minute: int | None
    deleted_at: datetime | None


_DOOR = select(
    EndpointRow.id,
    EndpointRow.session_id,
    EndpointRow.predictor_id,
    EndpointRow.key_hash,
    EndpointRow.is_public,
    EndpointRow.requests_per_minute,
    EndpointRow.deleted_at,
).where(EndpointRow.id == bindparam("endpoint"))
_FRESH_S = 1.0
"""How long a door is remembered; only of a change by another server that long nothing is known."""


class _Doors:
    """Doors that were looked up in the last moment: those in use cost no look into the database.

    What changes here is forgotten at once.
    """

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, Door]] = {}
        self._lock = threading.Lock()
        self.changes = 0

    def get(self, endpoint_id: str) -> Door | None:
        kept = self._kept.get(endpoint_id)
        return kept[1] if kept and time.monotonic() - kept[0] < _FRESH_S else None

    def keep(self, door: Door | None, changes: int) -> None:
        """Remember a door, unless one was changed since there had been that many changes."""
        with self._lock:
            if door is not None and changes == self.changes:
                self._kept[door.id] = time.monotonic(), door

    def forget(self, endpoint_id: str) -> None:
        with self._lock:
            self.changes += 1
            self._kept.pop(endpoint_id, None)


class Endpoints:
    """The endpoints of one server. Safe to share between threads."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._limiter = RateLimiter()
        self._doors = _Doors()

    # -------------------------------------------------------------------- the door

    async def admit(self, endpoint_id: str, key: str, is_owner: bool) -> Door:
        """Let a request through to an endpoint.

        Parameters
        ----------
        key
            What the caller sent as a key; may be empty.
        is_owner
            Whether that is the key of the server.

        Raises
        ------
        ApiError
            401 without a right key; 403 if the endpoint has none any more, which shuts out the
            owner, too; 404 if it is not there (told only to who has a right key); 429 if it was
            asked too often.
        """
        row = self._doors.get(endpoint_id) or await run_in_threadpool(self._look_up, endpoint_id)
        fits = row is not None and _fits(key, row.key_hash)
        if row is None or row.deleted_at is not None:
            raise unknown_endpoint(endpoint_id) if is_owner or fits else _wrong_key()
        if not row.is_public:
            if row.key_hash is None and key:
                raise ApiError(
                    403,
                    "endpoint_disabled",
                    f"The key of the endpoint {endpoint_id!r} was revoked; it answers nobody.",
                    hint="endpoint.regenerate_api_key() makes a new key.",
                )
            if not (is_owner or fits):
                raise _wrong_key()
        self._take_token(row)
        return row

    def _look_up(self, endpoint_id: str) -> Door | None:
        changes = self._doors.changes
        with self._database.look() as database:
            row = database.execute(_DOOR, {"endpoint": endpoint_id}).first()
        door = None if row is None else Door(*row)
        self._doors.keep(door, changes)
        return door

    def _take_token(self, row: Door) -> None:
        per_minute = row.requests_per_minute or self._settings.endpoint_requests_per_minute
        wait_s = self._limiter.take(row.id, per_minute) if per_minute else 0.0
        if wait_s:
            raise ApiError(
                429,
                "rate_limited",
                f"The endpoint {row.id!r} answers {per_minute:,} requests a minute.",
                hint=f"Ask again in {math.ceil(wait_s)} s.",
                retry_after_s=math.ceil(wait_s),
            )

    # ------------------------------------------------------------------ management

    def create(self, *, api_key: str | None, **facts: Any) -> EndpointRow:
        """Make an endpoint.

        Parameters
        ----------
        api_key
            A key of the caller's choice; None: make one.
        **facts
            Of `EndpointRow`: name, description, session_id, predictor_id, requests_per_minute.

        Raises
        ------
        ApiError
            422 if the chosen key is too easily guessed.
        """
        row = EndpointRow(id=new_id(facts["name"]), **facts)
        if api_key is None:
            self._renew(row)
        else:
            if not _CHOSEN_KEY.fullmatch(api_key):
                raise invalid_input(
                    "api_key is too weak: it must be 43 to 200 characters without blanks.",
                    hint="Leave it out, and a key of 256 random bits is made.",
                    field="api_key",
                )
            row.key_hash, row.key_created_at = _hash(api_key), now()
        with self._database.write() as database:
            database.add(row)
        return row

    def find(self, endpoint_id: str) -> EndpointRow:
        """Return an endpoint.

        Raises
        ------
        ApiError
            404 if it is not there.
        """
        rows = self._find(EndpointRow.id == endpoint_id)
        if not rows:
            raise unknown_endpoint(endpoint_id)
        return rows[0]

    def all(self) -> list[EndpointRow]:
        """Return all endpoints, newest first."""
        return self._find()

    def _find(self, *conditions: Any) -> list[EndpointRow]:
        query = (
            select(EndpointRow)
            .join(SessionRow, SessionRow.id == EndpointRow.session_id)
            .where(EndpointRow.deleted_at.is_(None), SessionRow.deleted_at.is_(None), *conditions)
            .order_by(EndpointRow.created_at.desc(), EndpointRow.id)
        )
        with self._database.read() as database:
            return [*database.scalars(query)]

    def key_of(self, row: EndpointRow) -> str | None:
        """Return the key of an endpoint; None if there is none, or it cannot be told again."""
        if row.key_salt is None:
            return None
        key = self._derive(row.id, row.key_salt)
        return key if _fits(key, row.key_hash) else None  # the secret may be another one by now

    def regenerate(self, endpoint_id: str) -> EndpointRow:
        """Give an endpoint a new key; the old one is worth nothing at once."""
        return self._change(endpoint_id, self._renew)

    def revoke(self, endpoint_id: str, *, make_public: bool) -> EndpointRow:
        """Take an endpoint's key away: it then answers nobody, or everybody."""

        def change(row: EndpointRow) -> None:
            row.key_hash = row.key_salt = row.key_created_at = None
            row.is_public = make_public

        return self._change(endpoint_id, change)

    def delete(self, endpoint_id: str) -> EndpointRow:
        """Remove an endpoint."""

        def change(row: EndpointRow) -> None:
            row.deleted_at = now()

        self._limiter.forget(endpoint_id)
        return self._change(endpoint_id, change)

    def _change(self, endpoint_id: str, change: Any) -> EndpointRow:
        self.find(endpoint_id)
        with self._database.write() as database:
            row = database.get(EndpointRow, endpoint_id, with_for_update=True)
            if row is None or row.deleted_at is not None:
                raise unknown_endpoint(endpoint_id)
            change(row)
        self._doors.forget(endpoint_id)
        return row

    def _renew(self, row: EndpointRow) -> None:
        row.key_salt, row.key_created_at = secrets.token_hex(16), now()
        row.key_hash = _hash(self._derive(row.id, row.key_salt))
        row.is_public = False

    def _derive(self, endpoint_id: str, salt: str) -> str:
        digest = hmac.digest(self._secret(), f"{endpoint_id}:{salt}".encode(), "sha256")
        return _PREFIX + base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def _secret(self) -> bytes:
        path = self._settings.data_dir / SECRET_FILE
        if not path.exists():
            write_private(path, secrets.token_hex(32) + "\n")
        return path.read_bytes().strip()

    # ----------------------------------------------------------------------- usage

    def usage(self, endpoint_ids: list[str]) -> dict[str, EndpointUsage]:
        """Return how much endpoints were used, by their ids."""
        query = (
            select(
                UsageRow.endpoint_id,
                UsageRow.day,
                func.sum(UsageRow.calls),
                func.sum(UsageRow.errors),
                func.sum(UsageRow.latency_ms),
                func.max(UsageRow.last_used_at),
            )
            .where(UsageRow.endpoint_id.in_(endpoint_ids))
            .group_by(UsageRow.endpoint_id, UsageRow.day)
            .order_by(UsageRow.day)
        )
        with self._database.read() as database:
            days = [tuple(row) for row in database.execute(query)]
        return {one: _sum_up([day[1:] for day in days if day[0] == one]) for one in endpoint_ids}


def _sum_up(days: list[tuple[Any, ...]]) -> EndpointUsage:
    calls = sum(day[1] for day in days)
    return EndpointUsage(
        usage_count=calls,
        error_count=sum(day[2] for day in days),
        avg_latency_ms=sum(day[3] for day in days) / calls if calls else None,
        last_used_at=max((day[4] for day in days), default=None),
        by_day={day[0]: day[1] for day in days},
    )


def unknown_endpoint(endpoint_id: str) -> ApiError:
    """Return the 404 for an endpoint that is not there."""
    return ApiError(
        404,
        "not_found",
        f"There is no endpoint {endpoint_id!r} on this server.",
        hint="predictor.create_api_endpoint() makes one.",
        field="endpoint_id",
    )


def _wrong_key() -> ApiError:
    return ApiError(
        401,
        "unauthorized",
        "The key of the endpoint is missing or wrong.",
        hint="Send it in the X-Api-Key header; APIEndpoint.api_key holds it.",
    )


def _hash(key: str) -> str:
    # A plain hash will do: a key of 256 random bits cannot be guessed, however fast one hashes.
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def _fits(key: str, key_hash: str | None) -> bool:
    return key_hash is not None and hmac.compare_digest(_hash(key), key_hash)
