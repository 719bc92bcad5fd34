"""Who may come in: rate of each client, size of the queue, bytes in memory. All of it runs on the event loop."""

from __future__ import annotations

import hmac
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address, ip_network

from fastapi import Request

from densedepth.serve.problems import Refused, busy
from densedepth.serve.settings import Settings

BURST_S = 5.0
"""A client that was silent may send this many seconds' worth of uploads at once."""

MAX_CLIENTS = 10_000
"""Clients whose rate is remembered; the one that was silent longest is forgotten first."""


class RateLimiter:
    """A bucket of tokens for each client: it fills at `rate` a second and holds `rate * BURST_S`, at least one."""

    def __init__(self, rate: float, now: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._capacity = max(1.0, rate * BURST_S)
        self._now = now
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(self, client: str) -> None:
        """Take one token. Raises Refused (429) when there is none."""
        if not self._rate:
            return
        now_s = self._now()
        tokens, seen_s = self._buckets.pop(client, (self._capacity, now_s))
        tokens = min(self._capacity, tokens + (now_s - seen_s) * self._rate)
        allowed = tokens >= 1
        self._buckets[client] = (tokens - allowed, now_s)
        if len(self._buckets) > MAX_CLIENTS:
            self._buckets.popitem(last=False)
        if not allowed:
            wait_s = math.ceil((1 - tokens) / self._rate)
            raise Refused(
                429, f"more than {self._rate:g} uploads a second; go on in {wait_s} s", {"Retry-After": str(wait_s)}
            )


class Gate:
    """What one server holds at a time.

    Attributes:
        admitted: photos that wait or are worked on.
        draining: whether the server is about to stop: what is here is finished, nothing new comes in.
        ready: whether the models are loaded and warm.
    """

    def __init__(self, settings: Settings, wait_s: Callable[[], float]) -> None:
        """`wait_s` estimates in seconds how long one photo takes."""
        self.admitted = 0
        self.draining = False
        self.ready = False
        self._limit = settings.queue
        # Uploads still on their way are no photos yet, but fill memory.
        self._bytes_limit = settings.queue * settings.max_body_bytes
        self._bytes = 0
        self._wait_s = wait_s

    def check_open(self) -> None:
        """Raises Refused (503) while starting or stopping."""
        if self.draining:
            raise busy("the server is stopping; try another one, or later", 5)
        if not self.ready:
            raise busy("the server is starting", 1)

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Take a place in the queue for the time of a `with`. Raises Refused (503) when it is full."""
        self.check_open()
        if self.admitted >= self._limit:
            raise busy(f"{self.admitted} photos wait already; try again later", self.admitted * self._wait_s())
        self.admitted += 1
        try:
            yield
        finally:
            self.admitted -= 1

    @contextmanager
    def holding(self) -> Iterator[Callable[[int], None]]:
        """Account for the bytes of one upload: call what it gives with the size of each piece.

        That raises Refused (503) when all uploads together fill the memory set aside for them.
        """
        held = 0

        def add(size: int) -> None:
            nonlocal held
            if self._bytes + size > self._bytes_limit:
                raise busy("too many uploads at once; try again later", 1 + self._limit * self._wait_s())
            held += size
            self._bytes += size

        try:
            yield add
        finally:
            self._bytes -= held


def check_token(request: Request, token: str | None) -> None:
    """Raises Refused (401) unless the request carries the token, where the server has one."""
    if token is None:
        return
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    # The comparison takes the same time wherever the first difference is.
    same = hmac.compare_digest(given.strip().encode(), token.encode())
    if not (same and scheme.lower() == "bearer"):
        why = "wrong token" if given else "this server wants a token: send Authorization: Bearer TOKEN"
        raise Refused(401, why, {"WWW-Authenticate": "Bearer"})


def client_of(request: Request) -> str:
    """The address that the rate counts for. A host with IPv6 owns a whole /64, so that counts as one."""
    host = request.client.host if request.client else "unknown"
    try:
        address = ip_address(host)
    except ValueError:
        return host
    return host if address.version == 4 else str(ip_network((address, 64), strict=False))
