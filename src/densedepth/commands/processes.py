"""Many jobs in several processes, of which any may be killed."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import connection, get_context, parent_process
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


def in_processes(
    work: Callable[[Job], Result], jobs: Iterable[Job], workers: int
) -> Iterator[tuple[Job, Result | None]]:
    """Each job with its result, as they get ready; None where the job's process was killed.

    When a process dies, nobody can say which of the jobs under way it had. Those are done again, one at a time: what
    dies then was the cause, or had bad luck twice.

    Args:
        work: a function of a module; it must not raise for bad input.
        jobs: what to do; jobs and results must pickle.
        workers: processes; 1 works in this one.
    """
    if workers == 1:
        yield from ((job, work(job)) for job in jobs)
        return
    queue, suspects = deque(jobs), deque[Job]()
    while queue or suspects:
        source, room = (suspects, 1) if suspects else (queue, workers)
        running: dict[Future[Result], Job] = {}
        # Fresh interpreters: a fork would copy locks that threads of this process hold.
        pool = ProcessPoolExecutor(room, mp_context=get_context("spawn"), initializer=_depend_on_parent)
        try:
            while source or running:
                while source and len(running) < room:
                    with _interrupts_held():
                        running[pool.submit(work, source[0])] = source[0]
                    source.popleft()
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    result = future.result()
                    yield running.pop(future), result
        except BrokenProcessPool:
            if source is suspects:
                yield from ((job, None) for job in running.values())
            else:
                suspects.extend(running.values())
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back for a moment. A process that is started meanwhile holds it back for good."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _depend_on_parent() -> None:
    """Ctrl-C reaches all processes of a terminal: only the parent decides. But a parent that is killed ends us."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if (parent := parent_process()) is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
