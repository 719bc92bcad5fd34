"""Ctrl-C, and the SIGTERM by which schedulers end a job: finish the step first."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType


class StopSignals:
    """Remembers the first signal; the second one of ctrl-C interrupts at once. Use as a context."""

    def __init__(self) -> None:
        self.number = 0
        self._before: dict[int, object] = {}

    def __bool__(self) -> bool:
        return self.number != 0

    @property
    def known(self) -> signal.Signals:
        """The signal; SIGTERM if it was another process of the run that got one."""
        return signal.Signals(self.number or signal.SIGTERM)

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._remember)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _remember(self, number: int, frame: FrameType | None) -> None:
        if self.number == number == signal.SIGINT:
            raise KeyboardInterrupt
        self.number = number
