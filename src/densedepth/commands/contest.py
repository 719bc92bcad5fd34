"""Timing networks side by side: each has a process of its own, so that its memory can be told, and they take turns."""

from __future__ import annotations

import time
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from densedepth.errors import DenseDepthError
from densedepth.io.opening import one_line

WARM_UPS = 2


class Contestant:
    """A model on a device, in a process of its own.

    Attributes:
        load_s: seconds from the start of the process's work to a model that is ready, imports included.
    """

    def __init__(self, path: str, device: str, threads: int | None) -> None:
        """Raises DenseDepthError when the model cannot be loaded there."""
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, path, device, threads), daemon=True)
        self._process.start()
        theirs.close()
        self.load_s: float = self._answer()

    def warm_up(self, width: int, height: int) -> None:
        """Predict a few pictures of this size, the same for all contestants, which are also those that are timed."""
        self._ask("warm_up", width, height)

    def time(self) -> tuple[float, float]:
        """Predict once: seconds on the clock, and seconds of processor time of all threads together."""
        seconds: tuple[float, float] = self._ask("time")
        return seconds

    def peak_mb(self) -> float | None:
        """The most memory that the process ever held, in megabytes, or None where the system does not say."""
        megabytes: float | None = self._ask("peak_mb")
        return megabytes

    def delta1(self, dataset: str, root: Path, options: dict[str, Any], limit: int | None) -> float:
        """Part of the pixels within 25 % of the truth, mean over images, under the data set's usual protocol."""
        value: float = self._ask("delta1", dataset, root, options, limit)
        return value

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join()

    def _ask(self, question: str, *arguments: Any) -> Any:
        with suppress(OSError):  # nobody is there any more: the answer says so
            self._pipe.send((question, arguments))
        return self._answer()

    def _answer(self) -> Any:
        try:
            failed, value = self._pipe.recv()
        except (EOFError, OSError) as cause:
            self._process.join()
            raise DenseDepthError(f"its process ended with status {self._process.exitcode}") from cause
        if failed:
            self.close()
            raise DenseDepthError(value)
        return value


def _work(pipe: Connection, path: str, device: str, threads: int | None) -> None:
    """What the process of a contestant does: answer questions until nobody is there to ask."""
    try:
        worker = _Worker(path, device, threads)
        pipe.send((False, worker.load_s))
        while True:
            question, arguments = pipe.recv()
            pipe.send((False, getattr(worker, question)(*arguments)))
    except (EOFError, KeyboardInterrupt):
        pass
    except Exception as error:  # whatever a runtime or a compiler raises ends this contestant, not the contest
        pipe.send((True, one_line(error)))


class _Worker:
    def __init__(self, path: str, device: str, threads: int | None) -> None:
        started_s = time.perf_counter()
        from densedepth.runtime import load

        self._estimator = load(path, device=device, threads=threads)
        self.load_s = time.perf_counter() - started_s

    def warm_up(self, width: int, height: int) -> None:
        self._image = np.random.default_rng(0).integers(0, 256, (1, height, width, 3), dtype=np.uint8)
        for _ in range(WARM_UPS):
            self.time()

    def time(self) -> tuple[float, float]:
        wall_s, processor_s = time.perf_counter(), time.process_time()
        self._estimator.infer(self._image)
        return time.perf_counter() - wall_s, time.process_time() - processor_s

    def peak_mb(self) -> float | None:
        status = Path("/proc/self/status")
        if not status.is_file():
            return None
        # Not getrusage, whose peak includes that of the parent process.
        return next(int(line.split()[1]) / 1000 for line in status.read_text().splitlines() if "VmHWM" in line)

    def delta1(self, dataset: str, root: Path, options: dict[str, Any], limit: int | None) -> float:
        from densedepth.data import open_dataset
        from densedepth.evaluation import evaluate_model, protocol_for

        frames, protocol = open_dataset(dataset, root, "test", **options), protocol_for(dataset, None)
        result = evaluate_model(self._estimator, frames, protocol, dataset_name=dataset, tta=False, limit=limit)
        return result.per_image["delta1"]
