"""The application: routes around a service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from fastapi import FastAPI

from densedepth import __version__
from densedepth.runtime import Network
from densedepth.serve.api import api_routes
from densedepth.serve.observing import Observed
from densedepth.serve.pages import add_files, page_routes
from densedepth.serve.problems import install
from densedepth.serve.service import Service
from densedepth.serve.settings import Settings

DESCRIPTION = """Send a photo, get its depth in metres. Errors are JSON: {"error": "one line"}."""


def create_app(networks: Mapping[str, Network], settings: Settings | None = None) -> FastAPI:
    """An ASGI application that answers with these networks.

    Args:
        networks: name to network, at least one; the first is the default.
        settings: limits.

    Returns:
        The application. `app.state.service` is what stands behind it.
    """
    service = Service(networks, settings or Settings())

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # The socket is open meanwhile: /healthz answers, /readyz says not yet.
        warming = asyncio.create_task(asyncio.to_thread(service.warm_up))
        try:
            yield
        finally:
            service.gate.draining = True
            await warming
            await asyncio.to_thread(service.close)

    app = FastAPI(
        title="densedepth",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.service = service
    install(app)
    app.include_router(api_routes(service))
    app.include_router(page_routes(service))
    add_files(app)
    app.add_middleware(Observed, metrics=service.metrics)
    return app
