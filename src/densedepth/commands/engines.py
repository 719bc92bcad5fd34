"""Many jobs at the same time: in threads of this process, or on a cluster through Ray Data.

On a cluster, a job must leave its result in a file that appears whole or not at all, and skip what is there. Then a
worker that is killed loses nothing: Ray does its jobs again, and so does the same command given once more.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Literal, TypeVar

Engine = Literal["local", "ray"]

Job = TypeVar("Job")
Result = TypeVar("Result")

BLOCKS_PER_WORKER = 8
MAX_JOBS_PER_BLOCK = 100
"""Jobs travel in blocks, and the block of a killed worker is done again: small enough to repeat little."""


class Budget:
    """So much and no more is spent at the same time; what alone is more than that has to wait until it is alone."""

    def __init__(self, limit: int) -> None:
        self._limit, self._spent = limit, 0
        self._changed = threading.Condition()

    @contextmanager
    def spent(self, amount: int) -> Iterator[None]:
        """Wait until `amount` is left, and give it back in the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._spent == 0 or self._spent + amount <= self._limit)
            self._spent += amount
        try:
            yield
        finally:
            with self._changed:
                self._spent -= amount
                self._changed.notify_all()


def in_threads(work: Callable[[Job], Result], jobs: Iterable[Job], workers: int) -> Iterator[Result]:
    """The results of jobs in their order, worked out by so many threads.

    Jobs are begun as results are taken: there are never more than twice as many as threads between the two. When the
    taker stops, jobs in work are finished and no others are begun.
    """
    if workers <= 1:
        yield from map(work, jobs)
        return
    pool = ThreadPoolExecutor(workers, "densedepth")
    begun: deque[Future[Result]] = deque()
    try:
        for job in jobs:
            begun.append(pool.submit(work, job))
            if len(begun) == 2 * workers:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def on_ray(
    factory: Callable[[], Callable[[Job], Result]], jobs: list[Job], workers: int = 0
) -> Iterator[tuple[Job, Result]]:
    """Each job with its result, as they get ready, on the cluster that $RAY_ADDRESS names or on the cores here.

    Args:
        factory: makes the worker, once per process; it must pickle, and so must jobs and results.
        jobs: what to do. Their paths must be absolute: workers may stand in another folder.
        workers: processes; 0 takes one for each core of the cluster.
    """
    if not jobs:
        return
    # Before the import, which reads them. Ray's remarks on its own workings would bury the one line a file gets.
    for name, value in {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}.items():
        os.environ.setdefault(name, value)
    import ray
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.ERROR)  # after the import, which sets it

    class Worker:
        """A row in, a row out, as Ray Data wants it."""

        def __init__(self) -> None:
            self.work = factory()

        def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
            return {"job": row["job"], "result": self.work(row["job"])}

    started_here = not ray.is_initialized()
    if started_here:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        workers = workers or int(ray.cluster_resources().get("CPU", 1))  # type: ignore[no-untyped-call]
        blocks = max(workers * BLOCKS_PER_WORKER, -(-len(jobs) // MAX_JOBS_PER_BLOCK))
        rows = ray.data.from_items([{"job": job} for job in jobs], override_num_blocks=min(blocks, len(jobs)))
        pool = ray.data.ActorPoolStrategy(size=min(workers, len(jobs)))
        done = rows.map(Worker, compute=pool, num_cpus=1)  # type: ignore[arg-type]
        for row in done.iter_rows():
            yield row["job"], row["result"]
    finally:
        if started_here:
            ray.shutdown()
