"""Many jobs on a cluster, through Ray Data.

A job must leave its result in a file that appears whole or not at all, and skip what is there. Then a worker that is
killed loses nothing: Ray does its jobs again, and so does the same command given once more.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeVar

Engine = Literal["local", "ray"]

Job = TypeVar("Job")
Result = TypeVar("Result")

BLOCKS_PER_WORKER = 8
MAX_JOBS_PER_BLOCK = 100
"""Jobs travel in blocks, and the block of a killed worker is done again: small enough to repeat little."""


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
