"""Making many files in several processes and in several runs."""

from __future__ import annotations

import json
import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, TypeVar

from densedepth.errors import DataError, DenseDepthError

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Things under way for each process: enough that none waits, few enough that memory stays flat.
_AHEAD = 4

_function: Callable[[Any], Any]


def in_order(function: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """``function(item)`` for each item, in the order of the items.

    When the caller stops early or is interrupted, what is under way is finished and nothing else is begun: files that
    are being written become whole.

    Args:
        function: goes to each process once, so it may carry a data set; must be picklable, as well as what it takes
            and gives.
        items: drawn a little ahead of the results.
        workers: processes; 1 works in this one.

    Raises:
        DenseDepthError: a process was killed from outside. What ``function`` raises is raised here, too.
    """
    if workers <= 1:
        yield from map(function, items)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(function,))
    under_way: deque[Future[Result]] = deque()
    try:
        for item in items:
            under_way.append(pool.submit(_call, item))
            if len(under_way) >= _AHEAD * workers:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    except BrokenProcessPool:
        raise DenseDepthError(
            "a worker process was killed, probably for memory; run again with fewer workers"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin(function: Callable[[Any], Any]) -> None:
    # Ctrl-C reaches every process of the terminal; only the first decides what to do about it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    global _function
    _function = function


def _call(item: Any) -> Any:
    return _function(item)


def same_settings(path: Path, found: Any, wanted: Mapping[str, Any]) -> None:
    """Refuse to go on with what was begun differently.

    Args:
        path: the file that holds the settings.
        found: what it holds.
        wanted: settings of this run, plain JSON values.

    Raises:
        DataError: a setting differs; names it and both its values.
    """
    if not isinstance(found, dict):
        raise DataError(f"{path}: no settings in it; name another folder")
    for name in sorted(wanted.keys() | found.keys()):
        before, now = (json.dumps(settings.get(name)) for settings in (found, wanted))
        if before != now:
            raise DataError(
                f"{path}: what lies there was made with {name} = {before}, not {now}; name another folder, or the same "
                "settings to go on"
            )
