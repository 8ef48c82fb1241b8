"""Which server to talk to, and with which key.

Order for the address: the argument; ``FEATRIX_API_URL`` or ``FEATRIX_BASE_URL``; an address in a
configuration file; the hosted service, if an API key is configured; else the embedded server.
Order for the key: ``FEATRIX_API_KEY``; a key in a configuration file; the bare text of the file
named by ``FEATRIX_KEY_FILE``.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from featrix_client.errors import FeatrixInputError

HOSTED_URL = "https://sphere-api.featrix.com"
LOCAL = "local"

_CONFIG_FILES = (
    "~/.featrix",
    "~/.featrix/identity.env",
    "~/.featrix/config",
    "~/.featrix_default_key",
)
_SETTINGS = {
    "api_key": "api_key",
    "featrix_api_key": "api_key",
    "base_url": "base_url",
    "featrix_base_url": "base_url",
}
_LINE = re.compile(r"\s*(?:export\s+)?(\w+)\s*=\s*(.*?)\s*")


@dataclass(frozen=True)
class Target:
    """Where requests go.

    Attributes
    ----------
    url : str or None
        Base address without a trailing slash; None means the embedded server.
    api_key : str or None
        Key to send; None when none is configured, and for the embedded server, which makes its
        own.
    reason : str
        Where the address came from, in words.
    """

    url: str | None
    api_key: str | None
    reason: str

    def __repr__(self) -> str:
        return f"Target(url={self.url!r}, reason={self.reason!r})"  # the key is not for logs


def find_target(api_url: str | None = None) -> Target:
    """Decide which server to use, from the argument, the environment and the user's files.

    Parameters
    ----------
    api_url : str, optional
        Address of a server, or ``"local"`` for the embedded one.

    Raises
    ------
    FeatrixInputError
        If the address that was chosen is not an http(s) address.
    """
    key, file_url, file_name = _configured()
    for value, reason in (
        (api_url, "given as api_url"),
        (os.environ.get("FEATRIX_API_URL"), "from FEATRIX_API_URL"),
        (os.environ.get("FEATRIX_BASE_URL"), "from FEATRIX_BASE_URL"),
        (file_url, f"from {file_name}"),
    ):
        if value:
            url = _checked_url(value, reason)
            return Target(url, key if url else None, reason)
    if key:
        return Target(HOSTED_URL, key, "the hosted service, since an API key is configured")
    return Target(None, None, "no other server is configured")


def _checked_url(value: str, reason: str) -> str | None:
    text = str(value).strip().rstrip("/")
    if text.lower() == LOCAL:
        return None
    if text.startswith("fx_"):
        raise FeatrixInputError(
            f"The server address {reason} looks like an API key.",
            hint="Put the key into FEATRIX_API_KEY and pass an address such as "
            "'https://host:8000', or 'local'.",
            field="api_url",
        )
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
    except ValueError:  # a port that is no number, an unclosed bracket
        usable = False
    if not usable:
        raise FeatrixInputError(
            f"{text!r} ({reason}) is not the address of a server.",
            hint="Give 'http://host:port', 'https://host', or 'local' for the embedded server.",
            field="api_url",
        )
    return text


def _configured() -> tuple[str | None, str | None, str]:
    """Return the configured key, the address in a file, and that file's name."""
    key = os.environ.get("FEATRIX_API_KEY", "").strip() or None
    url, url_file = None, ""
    for name in _CONFIG_FILES:
        found = _read_settings(Path(name).expanduser())
        key = key or found.get("api_key")
        if found.get("base_url"):
            url, url_file = found["base_url"], name
        if found:  # the first file that says something settles both
            break
    if key is None:
        key_file = Path(os.environ.get("FEATRIX_KEY_FILE") or "/etc/.featrix_key").expanduser()
        key = _read_text(key_file).strip() or None
    if key and not (key.isascii() and key.isprintable()):
        raise FeatrixInputError(
            "The configured API key holds characters that no key has.",
            hint="Look at FEATRIX_API_KEY, or at the key in ~/.featrix.",
            field="api_key",
        )
    return key, url, url_file


def _read_settings(path: Path) -> dict[str, str]:
    """Read a JSON object or ``name = value`` lines; anything else counts as empty."""
    text = _read_text(path)
    try:
        data = json.loads(text)
        pairs = list(data.items()) if isinstance(data, dict) else []
    except ValueError:
        matches = map(_LINE.fullmatch, text.splitlines())  # comments do not match
        pairs = [(match[1], match[2]) for match in matches if match]
    found: dict[str, str] = {}
    for name, value in pairs:
        known = _SETTINGS.get(str(name).lower())
        if known and isinstance(value, str) and (plain := _unquoted(value)):
            found.setdefault(known, plain)
    return found


def _unquoted(value: str) -> str:
    value = value.strip()
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1].strip()
    return value.split(" #")[0].strip()


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return ""
