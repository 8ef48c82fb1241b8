"""The API reference's import path: ``from featrixsphere.api import FeatrixSphere``."""

from __future__ import annotations

from featrix_client import *  # noqa: F403 - exactly the client's public names, listed once there
from featrix_client import __all__ as __all__
