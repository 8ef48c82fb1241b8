"""URLs: scheme, top-level domain, subdomain, domain, path and query."""

from __future__ import annotations

import re
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

import numpy as np

from featrix_server.engine.columns.base import ColumnSpec
from featrix_server.engine.columns.dense import DenseEncoder
from featrix_server.engine.columns.hashing import hashed_tokens, text_vectors
from featrix_server.engine.columns.values import text_of

URL = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://\S+|(?:[\w-]+\.)+[a-z][a-z-]{1,23}(?::\d+)?(?:[/?#]\S*)?)",
    re.IGNORECASE,
)


class UrlEncoder(DenseEncoder):
    """Pages of one site get near vectors, nearer where the paths share words."""

    type: ClassVar[str] = "url"
    strategy: ClassVar[str] = "hashed scheme, top-level domain, subdomain, domain, path and query"
    noun: ClassVar[str] = "a URL"

    def key(self, value: Any) -> str | None:
        """Return the URL as text."""
        text = text_of(value)
        return text if text is not None and _split(text) is not None else None

    def _fit(self, spec: ColumnSpec, keys: list[str], seed: int) -> None:
        """Nothing to fit: the features are fixed."""

    def _features(self, keys: list[str]) -> np.ndarray:
        parts = [_split(key) or ("", "", "", "", "", "") for key in keys]
        schemes, subdomains, domains, tlds, paths, queries = zip(*parts, strict=True)
        sizes = [
            [np.log1p(len(key)), path.strip("/").count("/"), len(path) > 1, len(query) > 0]
            for key, path, query in zip(keys, paths, queries, strict=True)
        ]
        return np.hstack(
            [
                hashed_tokens([f"scheme {scheme}" for scheme in schemes], 3),
                hashed_tokens([f"tld {tld}" for tld in tlds], 5),
                hashed_tokens([f"sub {subdomain}" for subdomain in subdomains], 6),
                hashed_tokens([f"domain {domain}" for domain in domains], 14),
                text_vectors(paths)[:, :12],
                text_vectors(queries)[:, 12:16],
                np.array(sizes, dtype=np.float32),
            ]
        )

    def _state(self) -> dict[str, Any]:
        return {}

    def _restore(self, state: dict[str, Any]) -> None:
        """Nothing was fitted."""


def _split(text: str) -> tuple[str, str, str, str, str, str] | None:
    """Return scheme, subdomain, domain, top-level domain, path and names in the query."""
    if not URL.fullmatch(text):
        return None
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        host = parts.hostname or ""
        query = " ".join(sorted(name for name, _ in parse_qsl(parts.query)))
    except ValueError:  # a broken IPv6 host, more query fields than Python allows
        return None
    labels = host.removeprefix("www.").split(".")
    tld = labels[-1] if len(labels) > 1 else ""
    domain = ".".join(labels[-2:])
    return parts.scheme, ".".join(labels[:-2]), domain, tld, parts.path, query
