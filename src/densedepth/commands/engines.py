"""Where the work on many files is done: in this process, or on a cluster through Ray Data.

A job must leave its result in a file that appears whole or not at all, and skip what is there. Then a worker that is
killed loses nothing: Ray does its jobs again, and so does the same command given once more.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, TypeVar

Engine = Literal["local", "ray"]

Job = TypeVar("Job")
Result = TypeVar("Result")

BLOCKS_PER_WORKER = 8
MAX_JOBS_PER_BLOCK = 100
"""Jobs travel in blocks, and the block of a killed worker is done again: small enough to repeat little."""


def mapped(
    engine: Engine, factory: Callable[[], Callable[[Job], Result]], jobs: Iterable[Job], workers: int = 0
) -> Iterator[Result]:
    """The results of all jobs: in order from "local", as they come from "ray".

    Args:
        engine: "local" works in this process; "ray" on the cluster that $RAY_ADDRESS names, or on all cores here.
        factory: makes the worker, once per process; it must pickle, and so must jobs and results.
        jobs: what to do.
        workers: processes of "ray"; 0 takes one for each core of the cluster.
    """
    return _on_ray(factory, list(jobs), workers) if engine == "ray" else map(factory(), jobs)


def _on_ray(factory: Callable[[], Callable[[Any], Any]], jobs: list[Any], workers: int) -> Iterator[Any]:
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
            return {"result": self.work(row["job"])}

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
            yield row["result"]
    finally:
        if started_here:
            ray.shutdown()
