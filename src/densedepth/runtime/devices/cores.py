"""How many processor cores this process may use."""

from __future__ import annotations

import os


def cores() -> int:
    """The cores that the system grants (taskset, a scheduler's share); all where it does not say."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
