"""E-mail addresses: domain, top-level domain, free provider, and the local part's look."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import numpy as np

from featrix_server.engine.columns.base import ColumnSpec
from featrix_server.engine.columns.dense import DenseEncoder
from featrix_server.engine.columns.hashing import hashed_tokens, text_vectors
from featrix_server.engine.columns.values import text_of

EMAIL = re.compile(r"[^@\s,;<>]{1,64}@[^@\s,;<>/]+\.[^@\s,;<>/.]{2,24}")
_FREE = frozenset(
    [
        *("126", "163", "aol", "daum", "fastmail", "foxmail", "free", "freenet", "gmail", "gmx"),
        *("googlemail", "hanmail", "hey", "hotmail", "icloud", "laposte", "libero", "live", "mac"),
        *("mail", "me", "msn", "naver", "orange", "outlook", "pm", "proton", "protonmail", "qq"),
        *("rediffmail", "sina", "t-online", "tutanota", "virgilio", "wanadoo", "web", "yahoo"),
        *("yandex", "ymail", "zoho"),
    ]
)
_SECOND_LEVEL = frozenset(["ac", "co", "com", "net", "org"])  # yahoo.co.uk is a yahoo


class EmailEncoder(DenseEncoder):
    """Addresses of one domain get near vectors."""

    type: ClassVar[str] = "email"
    strategy: ClassVar[str] = (
        "hashed domain and top-level domain, free-provider flag, hashed local part"
    )
    noun: ClassVar[str] = "an e-mail address"

    def key(self, value: Any) -> str | None:
        """Return the address in lower case."""
        text = text_of(value)
        return text.lower() if text is not None and EMAIL.fullmatch(text) else None

    def _fit(self, spec: ColumnSpec, keys: list[str], seed: int) -> None:
        """Nothing to fit: the features are fixed."""

    def _features(self, keys: list[str]) -> np.ndarray:
        locals_, domains = zip(*(key.rsplit("@", 1) for key in keys), strict=True)
        names = [domain.rsplit(".", 1) for domain in domains]
        flags = [
            [
                _provider(name) in _FREE,
                np.log1p(len(local)),
                sum(map(str.isdigit, local)) / len(local),
                "." in local,
            ]
            for local, (name, _) in zip(locals_, names, strict=True)
        ]
        return np.hstack(
            [
                hashed_tokens([f"domain {domain}" for domain in domains], 18),
                hashed_tokens([f"tld {tld}" for _, tld in names], 6),
                text_vectors(locals_)[:, :20],
                np.array(flags, dtype=np.float32),
            ]
        )

    def _state(self) -> dict[str, Any]:
        return {}

    def _restore(self, state: dict[str, Any]) -> None:
        """Nothing was fitted."""


def _provider(name: str) -> str:
    labels = name.split(".")
    return labels[-2] if len(labels) > 1 and labels[-1] in _SECOND_LEVEL else labels[-1]
