"""From metres to the whole millimetres of 16-bit files, where 0 is "no depth", and from any stored number to metres."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

METRES_PER_MM = 0.001
MAX_MM = 65535
"""Millimetres that 16 bits hold: 65.535 m."""


def millimetres(depth_m: NDArray[np.float32]) -> NDArray[np.float64]:
    """The nearest whole millimetres; they may be more than `MAX_MM`."""
    # float64: the product in float32 would add an error of its own to the half millimetre of rounding.
    return np.rint(np.multiply(depth_m, 1000.0, dtype=np.float64))


def metres(stored: NDArray[Any], metres_per_unit: float) -> NDArray[np.float32]:
    """Stored numbers as float32 metres, rounded once."""
    scaled = stored if metres_per_unit == 1 else np.multiply(stored, metres_per_unit, dtype=np.float64)
    return scaled.astype(np.float32)
