"""Response classes shared by all routes."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse

from featrix_server import safejson

ARROW_STREAM = "application/vnd.apache.arrow.stream"


class SafeJSONResponse(JSONResponse):
    """JSON with null in place of NaN and infinities, which JSON does not know."""

    def render(self, content: Any) -> bytes:
        """Serialise `content`."""
        return safejson.encoded(content)
