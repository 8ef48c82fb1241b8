"""`GET /health`: the one route that needs no key."""

from __future__ import annotations

import os

from fastapi import APIRouter

from featrix_server import __version__
from featrix_server.context import ContextDep, failures
from featrix_server.schemas import Health

router = APIRouter(tags=["server"])


@router.get("/health", response_model=Health, responses=failures(403))
def health(context: ContextDep) -> Health:
    """Say that the server is up, and which version it is."""
    return Health(
        version=__version__,
        compute_cluster=context.settings.compute_cluster,
        compute_clusters=list(context.store.roots),
        pid=os.getpid(),
    )
