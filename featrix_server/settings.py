"""Typed settings of the server: every knob, its default and its environment variable."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

_UNPACKED = 16  # tables of text seldom shrink to less than a tenth


def default_data_dir() -> Path:
    """Return the folder that holds everything the server keeps.

    ``FEATRIX_HOME`` when set, else the platform's user data folder for "featrix"
    (``~/.local/share/featrix`` on Linux).
    """
    home = os.environ.get("FEATRIX_HOME")
    return Path(home).expanduser() if home else Path(platformdirs.user_data_dir("featrix", False))


class Settings(BaseSettings):
    """Settings of one server, from keyword arguments or ``FEATRIX_SERVER_*`` variables.

    Attributes
    ----------
    data_dir : Path
        Folder of the database, the sessions and the server's own files.
    host : str
        Address to listen on. Loopback unless told otherwise.
    port : int
        Port to listen on, 0 to 65535; 0 takes a free one.
    database_url : str
        SQLAlchemy URL; empty means ``featrix.db`` (SQLite) in `data_dir`.
    api_key : str
        Key every request but ``/health`` must carry. Empty means that every request is
        refused; ``python -m featrix_server`` makes a key before it starts to listen.
    allowed_hosts : tuple of str
        Names accepted in the ``Host`` header besides the loopback ones. ``"*"`` accepts all.
        Guards against a web page that points its own name at 127.0.0.1 (DNS rebinding).
    allow_private_urls : bool, optional
        Whether webhooks and data files may have addresses in private networks, this machine's
        own among them. Left out: only for the embedded server (loopback, no `allowed_hosts`),
        whose one user can call those addresses anyway.
    compute_cluster : str
        Name this server reports as the place where its jobs run, and of the store in `data_dir`.
    clusters : dict of str to Path
        Further stores by name: models can be made in them and cloned to them.
    max_upload_bytes : int
        Largest data file accepted, in bytes, uploaded or fetched; larger is refused with 413, and
        so is a compressed file that holds more than 16 times as much.
    max_body_bytes : int
        Largest body of any other request, in bytes; larger is refused with 413.
    idle_timeout_s : float
        Seconds without requests and without jobs after which the server stops; 0 means never.
    workers : int
        Worker processes that train models, at least 1.
    encode_cache_models : int
        Trained models kept in memory for ``encode_records``.
    vector_cache_databases : int
        Vector databases whose index is kept in memory, at least 1.
    vector_exact_below : int
        Records of a vector database below which a search looks at every vector.
    collect_after_days : float
        Days after which the data of a deleted session is removed from disk.
    keep_predictions : int
        Predictions kept in the log, at least 1; beyond that the oldest are forgotten. Feedback on
        them, and their number, are kept.
    endpoint_requests_per_minute : int
        Requests a minute that an endpoint answers unless it was made with a limit of its own;
        more are refused with 429. 0 means any number.
    predictions_per_day : int
        Predictions that each predictor answers a day (UTC); more are refused with 429, and
        ``alert_quota_threshold`` is told at 80 % and 95 %. 0 means any number.
    """

    model_config = SettingsConfigDict(env_prefix="FEATRIX_SERVER_", extra="forbid", frozen=True)

    data_dir: Path = Field(default_factory=default_data_dir)
    host: str = "127.0.0.1"
    port: int = Field(0, ge=0, le=65535)
    database_url: str = ""
    api_key: str = Field("", repr=False)
    allowed_hosts: tuple[str, ...] = ()
    allow_private_urls: bool | None = None
    compute_cluster: str = "local"
    clusters: dict[str, Path] = Field(default_factory=dict)
    max_upload_bytes: int = Field(4 * 1024**3, gt=0)
    max_body_bytes: int = Field(256 * 1024**2, gt=0)  # 100,000 records come as one body
    idle_timeout_s: float = Field(3600.0, ge=0)
    workers: int = Field(1, ge=1)
    encode_cache_models: int = Field(4, ge=1)
    vector_cache_databases: int = Field(8, ge=1)
    vector_exact_below: int = Field(100_000, ge=1)
    collect_after_days: float = Field(7.0, ge=0)
    keep_predictions: int = Field(1_000_000, ge=1)
    endpoint_requests_per_minute: int = Field(0, ge=0)
    predictions_per_day: int = Field(0, ge=0)

    @property
    def resolved_database_url(self) -> str:
        """The database URL in force."""
        return self.database_url or f"sqlite:///{self.data_dir / 'featrix.db'}"

    @property
    def private_urls_allowed(self) -> bool:
        """Whether this server may call private addresses that a user names."""
        if self.allow_private_urls is not None:
            return self.allow_private_urls
        return self.host in ("127.0.0.1", "::1", "localhost") and not self.allowed_hosts

    @property
    def max_unpacked_bytes(self) -> int:
        """Most bytes a data file may hold once unpacked: small files can unpack to anything."""
        return _UNPACKED * self.max_upload_bytes

    @property
    def sessions_dir(self) -> Path:
        """Folder that holds one folder a session."""
        return self.data_dir / "sessions"

    @property
    def published_dir(self) -> Path:
        """Folder that holds the permanent copy of each published model, by its id."""
        return self.data_dir / "published"
