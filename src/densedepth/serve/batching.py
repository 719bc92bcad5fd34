"""Micro-batching: photos that wait for one network at one size go through it together.

One thread runs all networks. What it does is not visible from outside: `Batcher.network` gives something that runs
as a `Bundle` does, and an estimator around it works as around the bundle itself.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from densedepth.runtime import Card, DepthEstimator, Network
from densedepth.runtime.network import Prediction

WINDOW_S = 0.004
"""How long the first photo of a batch waits for others."""


class TooLate(Exception):
    """The answer did not come before the deadline."""


@dataclass
class _Job:
    model: str
    images: NDArray[np.uint8]
    arrived_s: float = field(default_factory=time.monotonic)
    future: Future[Prediction] = field(default_factory=Future)

    @property
    def kind(self) -> tuple[str, int, int]:
        """Jobs of one kind fit into one batch."""
        return self.model, self.images.shape[1], self.images.shape[2]


class Batcher:
    """The thread that runs the networks.

    Attributes:
        seconds_per_image: running mean of the time one picture takes, 0 before the first.
    """

    def __init__(
        self, networks: Mapping[str, Network], limit: int, noted: Callable[[int], object] = lambda size: None
    ) -> None:
        """`limit` pictures at most go through a network at once; `noted` is told how many it were, each time."""
        self._estimators = {name: DepthEstimator(network) for name, network in networks.items()}
        self._limit = limit
        self._noted = noted
        self._waiting: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self.seconds_per_image = 0.0
        self._thread = threading.Thread(target=self._run, name="densedepth-model", daemon=True)
        self._thread.start()

    def network(self, model: str, deadline_s: float | None = None) -> Network:
        """A network that waits its turn, until `deadline_s` of `time.monotonic` at most."""
        return _Turn(self, model, self._estimators[model].card, deadline_s)

    def close(self) -> None:
        """Finish what waits and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def submit(self, model: str, images: NDArray[np.uint8]) -> Future[Prediction]:
        """Queue uint8 (N, H, W, 3); a future that is cancelled before its turn costs nothing."""
        job = _Job(model, images)
        with self._changed:
            if self._closed:
                raise RuntimeError("the batcher is closed")
            self._waiting.append(job)
            self._changed.notify()
        return job.future

    def _run(self) -> None:
        while batch := self._next():
            live = [job for job in batch if job.future.set_running_or_notify_cancel()]
            if live:
                self._answer(live)

    def _answer(self, jobs: list[_Job]) -> None:
        images = jobs[0].images if len(jobs) == 1 else np.concatenate([job.images for job in jobs])
        started_s = time.perf_counter()
        try:
            said = self._estimators[jobs[0].model].run(images)
        except BaseException as error:
            for job in jobs:
                job.future.set_exception(error)
            return
        seconds = (time.perf_counter() - started_s) / len(images)
        self.seconds_per_image += (seconds - self.seconds_per_image) * (0.1 if self.seconds_per_image else 1)
        self._noted(len(images))
        first = 0
        for job in jobs:
            last = first + len(job.images)
            job.future.set_result(said if len(jobs) == 1 else _part(said, slice(first, last)))
            first = last

    def _next(self) -> list[_Job]:
        """The oldest job and those that fit beside it; nothing after `close`."""
        with self._changed:
            while not self._waiting:
                if self._closed:
                    return []
                self._changed.wait()
            first = self._waiting[0]
            while self._size(batch := self._fitting(first)) < self._limit and not self._closed:
                remaining_s = first.arrived_s + WINDOW_S - time.monotonic()
                if remaining_s <= 0:
                    break
                self._changed.wait(remaining_s)
            chosen = {id(job) for job in batch}
            self._waiting = deque(job for job in self._waiting if id(job) not in chosen)
            return batch

    def _fitting(self, first: _Job) -> list[_Job]:
        batch, size = [first], len(first.images)
        for job in list(self._waiting)[1:]:
            if job.kind == first.kind and size + len(job.images) <= self._limit:
                batch.append(job)
                size += len(job.images)
        return batch

    @staticmethod
    def _size(batch: list[_Job]) -> int:
        return sum(len(job.images) for job in batch)


def _part(said: Prediction, images: slice) -> Prediction:
    """Copies: a slice of a batch would keep the answers to all others in memory."""
    return Prediction(*(None if values is None else values[images].copy() for values in said))  # type: ignore[arg-type]


@dataclass(frozen=True)
class _Turn:
    """One caller's view of a network."""

    batcher: Batcher
    model: str
    card: Card
    deadline_s: float | None

    def infer(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The depth of `run` alone."""
        return self.run(images).depth_m

    def run(self, images: NDArray[np.uint8]) -> Prediction:
        """See `UncertainNetwork`. Raises TooLate when the deadline comes first."""
        future = self.batcher.submit(self.model, images)
        remaining_s = None if self.deadline_s is None else max(0.0, self.deadline_s - time.monotonic())
        try:
            return future.result(remaining_s)
        except (TimeoutError, CancelledError) as cause:
            future.cancel()
            raise TooLate from cause
