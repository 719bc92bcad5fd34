"""Which unit raw depth numbers are in: every usual one, with how well the scene it makes fits rooms or streets.

A guess multiplies three things: how usual the unit is for that kind of file, how well the median and the 95th
percentile in metres fit a room or a street (normal in the logarithm), and how usual that unit is for such a scene.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

Kind = Literal["8-bit", "whole", "float"]


@dataclass(frozen=True)
class _Unit:
    name: str
    metres: float
    room: float
    street: float


#: How usual a unit is for a kind of file, in rooms and in streets.
_UNITS: dict[Kind, list[_Unit]] = {
    "8-bit": [
        _Unit("10 m / 255", 10 / 255, 0.7, 0.02),
        _Unit("80 m / 255", 80 / 255, 0.02, 0.4),
        _Unit("1 cm", 0.01, 0.05, 0.01),
        _Unit("1 m", 1.0, 0.01, 0.3),
    ],
    "whole": [
        _Unit("1 mm", 1e-3, 0.7, 0.15),
        _Unit("1/256 m", 1 / 256, 0.01, 0.7),
        _Unit("1/5000 m", 1 / 5000, 0.2, 0.01),
        _Unit("1 cm", 0.01, 0.04, 0.15),
        _Unit("0.1 mm", 1e-4, 0.03, 0.0),
        _Unit("1 m", 1.0, 0.002, 0.05),
    ],
    "float": [
        _Unit("1 m", 1.0, 0.85, 0.85),
        _Unit("1 mm", 1e-3, 0.08, 0.05),
        _Unit("1 cm", 0.01, 0.05, 0.08),
    ],
}
#: (median, 95th percentile) in metres, and the standard deviation of both in natural logarithms.
_ROOM, _STREET = ((2.5, 5.0), 0.6), ((13.0, 42.0), 0.5)
#: So many standard deviations away, a median and a far end belong to no scene.
_TOO_FAR = 4.0
#: The second best may not come closer than this to the best.
MARGIN = 3.0


@dataclass(frozen=True)
class Hypothesis:
    """One unit and what it would mean.

    Attributes:
        name: one number is that much.
        metres_per_unit: the same in metres.
        probability: among all hypotheses.
        near_m: 5th percentile of depth.
        median_m: median of depth.
        far_m: 95th percentile of depth.
        plausible: whether such a scene exists.
    """

    name: str
    metres_per_unit: float
    probability: float
    near_m: float
    median_m: float
    far_m: float
    plausible: bool

    @property
    def percent(self) -> str:
        """The probability for people."""
        return f"{100 * self.probability:.3g} %" if self.probability > 1e-4 else "under 0.01 %"

    def __str__(self) -> str:
        return f"one number = {self.name}: median {_m(self.median_m)}, 5 to 95 % {_m(self.near_m)} to {_m(self.far_m)}"


def kind_of(dtype: np.dtype) -> Kind:
    """Which table of units applies."""
    return "float" if dtype.kind == "f" else "8-bit" if dtype.itemsize == 1 else "whole"


def unit_hypotheses(values: np.ndarray, kind: Kind, lidar: bool) -> list[Hypothesis]:
    """All units, most probable first.

    Args:
        values: raw numbers of pixels that have depth, of all frames alike.
        kind: of the files.
        lidar: depth is sparse and photos are wide, as in driving sets, so a street is more likely than a room.
    """
    near, median, far = (float(value) for value in np.quantile(values, (0.05, 0.5, 0.95)))
    street_weight = 0.8 if lidar else 0.1
    weights, scenes = [], []
    for unit in _UNITS[kind]:
        room, street = (_distance(median * unit.metres, far * unit.metres, scene) for scene in (_ROOM, _STREET))
        likelihoods = (unit.room * (1 - street_weight), room), (unit.street * street_weight, street)
        weights.append(sum(usual * math.exp(-(distance**2) / 2) for usual, distance in likelihoods))
        scenes.append(min(room, street))
    total = sum(weights) or 1.0
    found = []
    for unit, weight, fit in zip(_UNITS[kind], weights, scenes, strict=True):
        near_m, median_m, far_m = (value * unit.metres for value in (near, median, far))
        found.append(Hypothesis(unit.name, unit.metres, weight / total, near_m, median_m, far_m, fit < _TOO_FAR))
    return sorted(found, key=lambda each: -each.probability)


def implausible(values_m: np.ndarray) -> bool:
    """Whether depth in metres fits neither a room nor a street."""
    median, far = (float(value) for value in np.quantile(values_m, (0.5, 0.95)))
    return min(_distance(median, far, _ROOM), _distance(median, far, _STREET)) >= _TOO_FAR


def _distance(median_m: float, far_m: float, scene: tuple[tuple[float, float], float]) -> float:
    (usual_median, usual_far), spread = scene
    return math.hypot(math.log(median_m / usual_median), math.log(far_m / usual_far)) / spread


def _m(value: float) -> str:
    return f"{value:.3g} m"
