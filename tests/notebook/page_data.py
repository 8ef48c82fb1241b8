"""What an exported page carries, read back out of its text."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any


def page_data(text: str) -> dict[str, Any]:
    """The bundles and widgets of a page."""
    packed = text.split('id="data">', 1)[1].split("</script>", 1)[0]
    data: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(packed)))
    return data
