"""From the numbers of a depth file to metres: the options ``metres_per_unit`` and ``invalid`` of several readers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from densedepth.data.readers.depth_files import DepthValues
from densedepth.errors import DataError


def checked_units(metres_per_unit: Any, invalid: Any) -> tuple[float | None, float]:
    """The two options as numbers, which may come as anything from a recipe.

    Raises:
        DataError: not a positive number, or no number at all.
    """
    try:
        return positive("metres_per_unit", metres_per_unit), float(invalid)
    except (TypeError, ValueError):
        raise DataError(f"invalid must be a number or nan, got '{invalid}'") from None


def positive(name: str, value: Any) -> float | None:
    """An option that is a positive number, or None where it was left out. Raises DataError for anything else."""
    if value is not None and not (isinstance(value, int | float) and math.isfinite(value) and value > 0):
        raise DataError(f"{name} must be a positive number, got '{value}'")
    return value


def in_metres(
    stored: DepthValues, metres_per_unit: float | None, invalid: float, label: str, advice: str = ""
) -> np.ndarray:
    """Depth in metres, float32 (H, W), 0 where there is none.

    Args:
        stored: what the file holds.
        metres_per_unit: metres per number; None takes what the file says, and metres for floats.
        invalid: see :func:`without_holes`.
        label: what a message names.
        advice: the end of the message about an unknown unit.

    Raises:
        DataError: whole numbers whose unit nobody says.
    """
    scale = metres_per_unit or stored.metres_per_unit
    if scale is None and stored.values.dtype.kind != "f":
        raise DataError(
            f"{label}: whole numbers ({stored.values.dtype}) of unknown unit; set metres_per_unit, e.g. 0.001 for "
            f"millimetres{advice}"
        )
    return without_holes(stored.values, invalid) * np.float32(scale or 1.0)


def without_holes(values: np.ndarray, invalid: float) -> np.ndarray:
    """The numbers as float32 with 0 where they mean no depth: at 0 and at ``invalid``; NaN means all not finite."""
    holes = ~np.isfinite(values) if math.isnan(invalid) else values == invalid
    return np.where(holes, 0, values).astype(np.float32)
