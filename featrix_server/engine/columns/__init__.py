"""Column encoders: one module a column type, chosen by the schema's type name."""

from __future__ import annotations

from typing import Any

from featrix_server.engine.columns.base import (
    DENSE_WIDTH,
    MAX_TARGETS,
    ColumnEncoder,
    ColumnSpec,
    Encoded,
)
from featrix_server.engine.columns.category import CategoryEncoder
from featrix_server.engine.columns.email import EmailEncoder
from featrix_server.engine.columns.json_document import JsonEncoder
from featrix_server.engine.columns.lists import ListEncoder
from featrix_server.engine.columns.mixed import MixedEncoder
from featrix_server.engine.columns.number import NumberEncoder
from featrix_server.engine.columns.text import TextEncoder
from featrix_server.engine.columns.timestamp import TimestampEncoder
from featrix_server.engine.columns.url import UrlEncoder

__all__ = [
    "DENSE_WIDTH",
    "MAX_TARGETS",
    "TYPES",
    "ColumnEncoder",
    "ColumnSpec",
    "Encoded",
    "encoder_for",
    "encoder_from_dict",
    "encoder_to_dict",
]

_ENCODERS: dict[str, type[Any]] = {
    encoder.type: encoder
    for encoder in (
        NumberEncoder,
        CategoryEncoder,
        TextEncoder,
        TimestampEncoder,
        EmailEncoder,
        UrlEncoder,
        JsonEncoder,
        ListEncoder,
        MixedEncoder,
    )
}

TYPES: tuple[str, ...] = tuple(_ENCODERS)
"""Names of all column types."""


def encoder_for(type: str) -> type[ColumnEncoder]:
    """Return the encoder class of a column type.

    Raises
    ------
    ValueError
        For a name that is not in `TYPES`.
    """
    if type not in _ENCODERS:
        raise ValueError(f"unknown column type {type!r}; one of {', '.join(TYPES)}")
    return _ENCODERS[type]


def encoder_to_dict(encoder: ColumnEncoder) -> dict[str, Any]:
    """Return a fitted encoder with the name of its type, safe for JSON."""
    return {"type": encoder.type, **encoder.to_dict()}


def encoder_from_dict(data: dict[str, Any]) -> ColumnEncoder:
    """Restore a fitted encoder from `encoder_to_dict`'s form."""
    return encoder_for(data["type"]).from_dict(data)
