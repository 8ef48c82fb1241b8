"""The metadata that callers send along with a prediction, for themselves."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import Depends, Header

from featrix_server.errors import invalid_input

HEADER = "X-Featrix-Customer-Metadata"
_MAX_BYTES = 16 * 1024


async def customer_metadata(
    x_featrix_customer_metadata: Annotated[
        str | None,
        Header(description="A JSON object of at most 16 KB, kept with the prediction, never used."),
    ] = None,
) -> dict[str, Any] | None:
    """Return the object in the header.

    Raises
    ------
    ApiError
        422 if it is no JSON object, or longer than 16 KB.
    """
    text = x_featrix_customer_metadata
    if not text:
        return None
    if len(text) > _MAX_BYTES:  # header text is latin-1: as many bytes
        raise invalid_input(
            f"{HEADER} has {len(text):,} bytes; at most {_MAX_BYTES:,} are kept.", field=HEADER
        )
    try:
        # Headers are read as latin-1; clients that send more than ASCII mean UTF-8.
        found = json.loads(text.encode("latin-1"))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise invalid_input(f"{HEADER} is not a JSON object.", field=HEADER)
    return found


CustomerMetadata = Annotated[dict[str, Any] | None, Depends(customer_metadata)]
