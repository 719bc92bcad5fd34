"""What a Prometheus server reads."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The numbers of one server; two in one process do not mix."""

    def __init__(self, waiting: Callable[[], float]) -> None:
        """`waiting` tells how many photos wait or are worked on."""
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "densedepth_requests", "Requests by route and status.", ["route", "status"], registry=self._registry
        )
        self.seconds = Histogram(
            "densedepth_request_seconds",
            "Time from the head of a request to the end of its answer.",
            ["route"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self.rejected = Counter(
            "densedepth_rejected",
            "Requests that a limit refused, by status: 413, 429, 503, 504.",
            ["status"],
            registry=self._registry,
        )
        self.batch = Histogram(
            "densedepth_batch_size",
            "Pictures that went through a network at once.",
            buckets=(1, 2, 4, 8, 16, 32),
            registry=self._registry,
        )
        queue = Gauge("densedepth_queue_length", "Photos that wait or are worked on.", registry=self._registry)
        queue.set_function(waiting)

    def noted(self, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        self.requests.labels(route, str(status)).inc()
        self.seconds.labels(route).observe(seconds)
        if status in (413, 429, 503, 504):
            self.rejected.labels(str(status)).inc()

    def text(self) -> bytes:
        """All of it, in the text format."""
        return generate_latest(self._registry)
