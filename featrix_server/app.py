"""The web application, made by a factory from its settings; nothing here is global."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from fastapi import FastAPI, Security
from fastapi.security import APIKeyHeader

from featrix_server import __version__
from featrix_server.alerts import PACE, Monitor, Pace
from featrix_server.collecting import collect, restore_published
from featrix_server.context import Context
from featrix_server.db import open_database
from featrix_server.delivery import TIMES, Dispatcher, Times
from featrix_server.endpoints import Endpoints
from featrix_server.errors import install_error_handlers
from featrix_server.jobs.events import EventHub
from featrix_server.models import ModelCache
from featrix_server.pending import Pending
from featrix_server.prediction_log import PredictionLog
from featrix_server.quota import Quota
from featrix_server.responses import SafeJSONResponse
from featrix_server.routes import (
    create,
    encode,
    endpoints,
    events,
    feedback,
    health,
    lifecycle,
    predictions,
    predictors,
    projections,
    sessions,
    training,
    vector_databases,
    webhooks,
)
from featrix_server.security import Gate
from featrix_server.settings import Settings
from featrix_server.store import Store
from featrix_server.vectors import VectorIndexes

# Routes are tried in this order: what is asked thousands of times comes first.
_ROUTERS = (
    endpoints,
    predictions,
    health,
    create,
    sessions,
    lifecycle,
    training,
    projections,
    encode,
    predictors,
    feedback,
    events,
    vector_databases,
    webhooks,
)


def create_app(
    settings: Settings, webhook_times: Times = TIMES, alert_pace: Pace = PACE
) -> FastAPI:
    """Make the application that serves one data folder.

    Parameters
    ----------
    settings
        The settings. ``settings.api_key`` must be set, or every request is refused.
    webhook_times
        When webhooks are called.
    alert_pace
        How often alerts are computed and raised.

    Returns
    -------
    FastAPI
        The application. It opens the database and the folders at once, and closes them when
        it is shut down. It trains nothing itself: see `featrix_server.jobs`.

    Raises
    ------
    DatabaseVersionError, DatabaseDamagedError
        If a newer version of the server wrote the database, or it cannot be read.
    """
    database = open_database(settings)
    store = Store(settings)
    endpoints = Endpoints(database, settings)
    context = Context(
        settings=settings,
        database=database,
        store=store,
        models=ModelCache(settings.encode_cache_models, settings.data_dir / "compile-cache"),
        events=EventHub(database),
        predictions=PredictionLog(database, settings.keep_predictions),
        quota=Quota(database, settings.predictions_per_day),
        vectors=VectorIndexes(
            database, store, settings.vector_cache_databases, settings.vector_exact_below
        ),
        endpoints=endpoints,
    )

    dispatcher = Dispatcher(
        database, allow_private=settings.private_urls_allowed, times=webhook_times
    )

    monitor = Monitor(
        database,
        context.store,
        context.models,
        context.predictions,
        alert_pace,
        settings.predictions_per_day,
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        restore_published(context)
        collect(context, timedelta(days=settings.collect_after_days))
        app.state.pending = Pending()
        dispatcher.start()
        monitor.start()
        try:
            yield
        finally:
            context.events.close()
            await asyncio.to_thread(monitor.stop)
            await asyncio.to_thread(dispatcher.stop)
            context.vectors.close()
            database.close()

    app = FastAPI(
        title="Featrix Notebook server",
        version=__version__,
        description="Foundational models of tables: create, watch, look at, and use them.",
        lifespan=lifespan,
        default_response_class=SafeJSONResponse,
        docs_url=None,  # those pages load scripts from the network; /openapi.json is ours
        redoc_url=None,
        # The check itself is in Gate, which sees unknown paths too; this is for /openapi.json.
        dependencies=[Security(APIKeyHeader(name="X-Api-Key", auto_error=False))],
    )
    app.state.context = context
    for module in _ROUTERS:
        app.include_router(module.router)
    app.include_router(lifecycle.server_router)
    install_error_handlers(app, settings.compute_cluster)
    app.add_middleware(Gate, settings=settings, admit=endpoints.admit)
    return app
