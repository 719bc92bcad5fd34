"""Reads what the steps report, and stops at a loss that is no number."""

from __future__ import annotations

import json
import math
from collections import deque
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from densedepth.errors import DenseDepthError
from densedepth.io import replacing
from densedepth.training.loader import DepthData

BAD_BATCH = "bad_batch.json"


class Reported(NamedTuple):
    """What a step came to."""

    step: int
    loss: float
    delta1: float
    stop: bool


class LossGuard:
    """Hands out the reports of steps, on a GPU one step late, so that the processor need not wait for it.

    Args:
        data: names the frames of a batch.
        run: folder for the names.
        lag: steps that are under way before their report is read.
        writes: whether this is the process that writes files.
    """

    def __init__(self, data: DepthData, run: Path, lag: int, writes: bool) -> None:
        self.data, self.run, self.lag, self.writes = data, run, lag, writes
        self._pending: deque[tuple[int, Tensor]] = deque()

    def put(self, step: int, report: Tensor) -> list[Reported]:
        """Add the report of step number ``step`` (from 0); returns those that are due.

        Raises:
            DenseDepthError: a loss is NaN or infinite; names the file that lists the batch's frames.
        """
        # A copy: a compiled graph may write its next results to the same place.
        self._pending.append((step, report.clone()))
        return self._read(self.lag)

    def flush(self) -> list[Reported]:
        """All reports that are left; nothing is saved before they are read."""
        return self._read(0)

    def _read(self, left: int) -> list[Reported]:
        read = []
        while len(self._pending) > left:
            step, report = self._pending.popleft()
            loss, delta1, stop = report.tolist()
            if not math.isfinite(loss):
                raise self._bad(step, loss)
            read.append(Reported(step, loss, delta1, stop > 0))
        return read

    def _bad(self, step: int, loss: float) -> DenseDepthError:
        epoch, batch = divmod(step, self.data.steps_per_epoch)
        file = self.run / BAD_BATCH
        if self.writes:
            names = {"step": step, "epoch": epoch, "loss": str(loss), "frames": self.data.names(epoch, batch)}
            if batch > 0:
                # Where weights were spoilt by the step before, its frames are the ones to look at.
                names["frames_of_the_step_before"] = self.data.names(epoch, batch - 1)
            with replacing(file) as beside:
                beside.write_text(json.dumps(names, indent=2, ensure_ascii=False) + "\n")
        return DenseDepthError(
            f"loss is {loss} at step {step}: look at the frames named in {file}, or lower --optim.lr"
        )
