"""What a person sees of a run: a bar on a terminal, a line an epoch in a log file."""

from __future__ import annotations

import sys
import time

from tqdm import tqdm


class Progress:
    """Loss, delta1, images/s and time left.

    Args:
        done: steps done before.
        total: steps of the whole run.
        epochs: of the whole run.
        frames_per_step: over all processes.
        shown: whether this is the process that speaks.
    """

    def __init__(self, done: int, total: int, epochs: int, frames_per_step: int, shown: bool) -> None:
        self.epochs, self.frames_per_step, self.shown = epochs, frames_per_step, shown
        self.terminal = sys.stderr.isatty()
        self._bar = tqdm(
            total=total, initial=done, unit="step", dynamic_ncols=True, disable=not (shown and self.terminal)
        )
        self._since, self._steps = time.monotonic(), 0
        self._begun, self._done, self._total = time.monotonic(), 0, total - done
        self._validated = ""

    @property
    def images_per_second(self) -> float:
        """Since the last call of ``lap``."""
        return self._steps * self.frames_per_step / max(time.monotonic() - self._since, 1e-9)

    def lap(self) -> None:
        """Begin to measure anew, after a validation or a checkpoint."""
        self._since, self._steps = time.monotonic(), 0

    def step(self, epoch: int, loss: float, delta1: float) -> None:
        self._steps += 1
        self._done += 1
        self._bar.set_description(f"epoch {epoch + 1}/{self.epochs}", refresh=False)
        rate = f"{self.images_per_second:.1f} images/s"
        self._bar.set_postfix_str(f"loss {loss:.4g}, delta1 {delta1:.3f}, {rate}{self._validated}", refresh=False)
        self._bar.update()

    def epoch(self, epoch: int, step: int, loss: float, metrics: dict[str, float] | None) -> None:
        """Say how an epoch ended, or a run within one."""
        text = f"epoch {epoch}/{self.epochs}, step {step}: loss {loss:.4g}"
        if metrics:
            self._validated = f", validation delta1 {metrics['delta1']:.3f}"
            text += f"{self._validated}, rmse {metrics['rmse']:.3f} m"
        if self.shown:
            seconds = (time.monotonic() - self._begun) / max(self._done, 1) * (self._total - self._done)
            left = tqdm.format_interval(seconds)
            tqdm.write(f"{text}, {self.images_per_second:.1f} images/s, {left} left", file=sys.stderr)

    def close(self) -> None:
        self._bar.close()
