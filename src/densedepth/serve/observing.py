"""Around every request: one line in the log, its numbers, the headers that keep a browser safe, and no traceback."""

from __future__ import annotations

import asyncio
import time
from collections.abc import MutableMapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from densedepth.serve.logs import LOGGER
from densedepth.serve.metrics import Metrics
from densedepth.serve.problems import answer

METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}
SEND_TIMEOUT_S = 60.0
"""A client that takes in nothing for so long is given up."""

# The page loads nothing from outside and runs nothing that is not a file of the server. Pictures are also made in it.
CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}


class Observed:
    """An ASGI application with a log line and numbers for every request.

    The line says who asked for which route and what came of it: never what the picture shows, what it is called, or
    the query.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._headers = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen: MutableMapping[str, Any] = {"status": 0, "sent": 0, "received": 0}
        started_s = time.perf_counter()

        async def watched_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen["status"] = message["status"]
                message = {**message, "headers": [*_with_caching(message), *self._headers]}
            seen["sent"] += len(message.get("body", b""))
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await send(message)

        async def watched_receive() -> Message:
            message = await receive()
            seen["received"] += len(message.get("body", b""))
            return message

        try:
            await self._app(scope, watched_receive, watched_send)
        except Exception as error:
            self._failed(error, seen)
            if not seen["status"]:
                await answer(500, "a fault of the server; its log says more")(scope, receive, watched_send)
        finally:
            self._note(scope, seen, time.perf_counter() - started_s)

    @staticmethod
    def _failed(error: Exception, seen: MutableMapping[str, Any]) -> None:
        if isinstance(error, TimeoutError) and seen["status"]:
            LOGGER.warning("a client took in nothing for %g s", SEND_TIMEOUT_S)
        else:
            LOGGER.error("fault in a request", exc_info=error)

    def _note(self, scope: Scope, seen: MutableMapping[str, Any], seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other")
        self._metrics.noted(route, seen["status"], seconds)
        client = scope.get("client")
        LOGGER.info(
            "request",
            extra={
                "fields": {
                    "method": scope["method"] if scope["method"] in METHODS else "other",
                    "route": route,
                    "status": seen["status"],
                    "ms": round(seconds * 1000, 1),
                    "client": client[0] if client else None,
                    "bytes_in": seen["received"],
                    "bytes_out": seen["sent"],
                }
            },
        )


def _with_caching(message: Message) -> list[tuple[bytes, bytes]]:
    """The headers of an answer; what says nothing about caching is for this one client only."""
    headers = list(message["headers"])
    if not any(name == b"cache-control" for name, _ in headers):
        headers.append((b"cache-control", b"no-store"))
    return headers
