"""The process: socket, connections, signals. Uvicorn does the HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator
from typing import Any

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from densedepth.errors import DenseDepthError
from densedepth.serve.logs import LOGGER

HEAD_TIMEOUT_S = 10.0
"""Time for the head of a request, from the connection or its first byte, and for a body nobody waits for any more."""

KEEP_ALIVE_S = 15
MAX_HEAD_BYTES = 32_768
MAX_CONNECTIONS = 512
BACKLOG = 512


class TimedProtocol(H11Protocol):
    """A connection that is closed when a client takes too long over the head of a request ("slow loris"), or goes on
    sending a body that was answered already.

    Uvicorn itself waits forever for both. Bodies that are wanted have their own time, in `uploads`.
    """

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See `asyncio.Protocol`."""
        super().connection_made(transport)
        self._start()

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        super().data_received(data)
        self._settle()

    def on_response_complete(self) -> None:
        """See `H11Protocol`."""
        super().on_response_complete()
        self._settle()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._stop()
        super().connection_lost(exc)

    def _settle(self) -> None:
        part_of_a_head = self.conn.their_state is h11.IDLE and bool(self.conn.trailing_data[0])
        unwanted_body = self.conn.their_state is h11.SEND_BODY and self.conn.our_state is h11.DONE
        if not (part_of_a_head or unwanted_body):
            self._stop()
        elif self._timer is None:
            self._start()

    def _start(self) -> None:
        self._timer = self.loop.call_later(HEAD_TIMEOUT_S, self.transport.close)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Server(uvicorn.Server):
    """On SIGTERM or ctrl-C it takes in nothing new, finishes what it accepted, and ends with status 0.

    While it finishes, the socket stays open: whoever asks is told 503, also by /readyz, rather than refused. A second
    signal ends it at once.
    """

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._gate = app.state.service.gate

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Uvicorn's own would end the process by the signal once more, after all is done."""
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """First signal: stop gently. Second: at once."""
        if self._gate.draining:
            self.force_exit = self.should_exit = True
        else:
            LOGGER.info("stopping: finishing %d photos", self._gate.admitted)
            self._gate.draining = True

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second: end when the last photo is done."""
        if self._gate.draining and self._gate.admitted == 0:
            self.should_exit = True
        return await super().on_tick(counter)


def open_socket(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        DenseDepthError: the address is not ours, or in use.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as cause:
        why = getattr(cause, "strerror", None) or cause
        raise DenseDepthError(
            f"cannot listen at {host}, port {port} ({why}); choose another --port or --host"
        ) from cause


def address_of(listening: socket.socket) -> str:
    """What a person types into a browser."""
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, host)
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def serve_on(listening: socket.socket, app: FastAPI, timeout_s: float) -> None:
    """Answer requests until a signal comes; what is under way then has `timeout_s`.

    Raises:
        BaseException: what a model failed with on its first picture.
    """
    config = uvicorn.Config(
        app,
        http=TimedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, round(timeout_s)),
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        limit_concurrency=MAX_CONNECTIONS,
    )
    Server(config, app).run(sockets=[listening])
    if (failure := app.state.service.failure) is not None:
        raise failure
