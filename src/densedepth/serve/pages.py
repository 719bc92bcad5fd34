"""Everything beside /v1: the studio's files, the example photos, health, metrics, the page about the API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from densedepth.runtime.zoo import EXAMPLES_DIR
from densedepth.serve.api import token_required
from densedepth.serve.metrics import CONTENT_TYPE
from densedepth.serve.problems import documented
from densedepth.serve.reference import page
from densedepth.serve.service import Service

HERE = Path(__file__).resolve().parent
STUDIO_DIR = HERE / "studio"

EXAMPLES = {
    "living_room": "A living room with a sofa, a coffee table on a rug, an armchair and a bookcase",
    "kitchen": "A kitchen with a dining table, a hanging lamp and a window",
    "bedroom": "A bedroom with a bed between two bedside tables, a wardrobe and a window",
    "office": "A home office with a desk, an office chair, a bookcase and a lounge chair",
    "corridor": "A long corridor with doors on both sides",
}
"""Name to what the photo shows."""

# Not those of the system, which on some are wrong.
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".jpg": "image/jpeg",
}

ASK_AGAIN = "no-cache"
"""Kept, but asked for again each time: a new version is seen at once, an old one costs one short answer."""

A_DAY = "public, max-age=86400"


class Example(BaseModel):
    """An example photo."""

    name: str
    url: str
    alt: str


class Health(BaseModel):
    """How the server is."""

    status: Literal["ok"] = "ok"


def page_routes(service: Service) -> APIRouter:
    """Health, metrics and the list of examples."""
    router = APIRouter()
    secured = token_required(service)

    @router.get("/healthz", summary="The process lives", tags=["operation"])
    async def healthz() -> Health:
        return Health()

    @router.get("/readyz", summary="Photos can be sent", tags=["operation"], responses=documented(503))
    async def readyz() -> Health:
        service.gate.check_open()
        return Health()

    @router.get(
        "/metrics",
        summary="Numbers for Prometheus",
        tags=["operation"],
        dependencies=secured,
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **documented(401)},
    )
    async def numbers() -> Response:
        return Response(service.metrics.text(), media_type=CONTENT_TYPE)

    @router.get(
        "/v1/examples", summary="Example photos", tags=["depth"], dependencies=secured, responses=documented(401)
    )
    async def examples() -> list[Example]:
        there = {path.stem: path for path in sorted(EXAMPLES_DIR.glob("*.jpg"))}
        return [
            Example(name=name, url=f"/examples/{there[name].name}", alt=alt)
            for name, alt in EXAMPLES.items()
            if name in there
        ]

    return router


def add_files(app: FastAPI) -> None:
    """Routes of the studio's files, the examples and the page about the API.

    Each file has its own route, so no path that a client makes up ever reaches the file system, and a wrong method on
    a route of the API is still told from a page that is not there.
    """
    for path in sorted(STUDIO_DIR.rglob("*")):
        if path.suffix in MEDIA_TYPES:
            _add_file(app, f"/{path.relative_to(STUDIO_DIR).as_posix()}", STUDIO_DIR, path, ASK_AGAIN)
    _add_file(app, "/", STUDIO_DIR, STUDIO_DIR / "index.html", ASK_AGAIN)
    for path in sorted(EXAMPLES_DIR.glob("*.jpg")):
        _add_file(app, f"/examples/{path.name}", EXAMPLES_DIR, path, A_DAY)
    _add_file(app, "/docs.css", HERE, HERE / "reference.css", ASK_AGAIN)

    async def docs(request: Request) -> Response:
        return HTMLResponse(page(app.openapi()))

    app.router.routes.append(Route("/docs", docs))


def _add_file(app: FastAPI, url: str, folder: Path, path: Path, caching: str) -> None:
    app.router.routes.append(Route(url, _file(StaticFiles(directory=folder), path.relative_to(folder), caching)))


def _file(files: StaticFiles, place: Path, caching: str) -> Callable[[Request], Awaitable[Response]]:
    """Answers with one file, or that it has not changed."""

    async def endpoint(request: Request) -> Response:
        answer = await files.get_response(str(place), request.scope)
        answer.headers["Cache-Control"] = caching
        if answer.status_code == 200:
            answer.headers["Content-Type"] = MEDIA_TYPES[place.suffix]
        return answer

    return endpoint
