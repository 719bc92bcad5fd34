"""What the numbers of a folder's depth files mean, from a few of its frames: type, mark for "no depth", unit, or that
they are no depth at all but disparity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from densedepth.data.inspection.units import Hypothesis, kind_of, unit_hypotheses

#: Of this share of the frames, a habit is one of the data set and no accident.
_COMMON = 0.5
#: Pixels taken of each frame.
SAMPLED = 4000
_WIDE = 2.0


@dataclass(frozen=True)
class Conventions:
    """How to read a data set.

    Attributes:
        dtype: of most depth files.
        dtypes: how many of the looked at files have which.
        invalid: number that means "no depth" besides 0; NaN for all that is not finite.
        invalid_why: how that was found, or "".
        stated: metres per number as the files or their layout say, or None.
        hypotheses: units, most probable first; empty when no pixel has depth.
        inverse_why: why the numbers are disparity, or "".
    """

    dtype: np.dtype
    dtypes: dict[str, int]
    invalid: float
    invalid_why: str
    stated: float | None
    hypotheses: list[Hypothesis]
    inverse_why: str

    @property
    def metres_per_unit(self) -> float:
        """The stated or the most probable unit; 1 where there is nothing to go by."""
        if self.stated is not None or not self.hypotheses:
            return self.stated or 1.0
        return self.hypotheses[0].metres_per_unit

    def valid(self, values: np.ndarray) -> np.ndarray:
        """bool (H, W): the pixels that have depth."""
        usable: np.ndarray = np.isfinite(values) & (values > 0) & (values != self.invalid)
        return usable

    def summary(self) -> list[str]:
        """Type, unit and mark for "no depth", a line for each."""
        lines = []
        if self.stated is not None:
            lines.append(f"unit: {self.stated:g} m, as the files or their reader say")
        elif self.inverse_why:
            lines.append("unit: none, this is disparity")
        elif self.hypotheses:
            best, *others = self.hypotheses
            lines.append(f"unit: {best} ({best.percent} likely; {self.dtype.name} files)")
            lines += [f"      or {other} ({other.percent})" for other in others[:3]]
        if self.invalid_why:
            lines.append(f"no depth: 0 and {self.invalid:g}, because {self.invalid_why}")
        return lines


def find_conventions(maps: Sequence[np.ndarray], stated: float | None, disparity_in_name: bool) -> Conventions:
    """Look at raw depth maps (H, W), a few dozen at most.

    Args:
        maps: raw numbers, at least one map.
        stated: metres per number where the files or the layout say it.
        disparity_in_name: whether file names speak of disparity.
    """
    types = Counter(values.dtype.str for values in maps)
    dtype = np.dtype(types.most_common(1)[0][0])
    maps = [values for values in maps if values.dtype == dtype]
    invalid, why = (0.0, "") if stated is not None else _hole_mark(maps)
    blank = Conventions(dtype, {np.dtype(name).name: n for name, n in types.items()}, invalid, why, stated, [], "")
    masks = [blank.valid(values) for values in maps]
    samples = [sampled(values[mask]) for values, mask in zip(maps, masks, strict=True) if mask.any()]
    if not samples:
        return blank
    values = np.concatenate(samples).astype(np.float64)
    height, width = maps[0].shape
    lidar = bool(np.mean([mask.mean() for mask in masks]) < 0.5 and width > _WIDE * height)
    hypotheses = unit_hypotheses(values, kind_of(dtype), lidar)
    inverse = _inverse(maps, masks, disparity_in_name)
    return Conventions(dtype, blank.dtypes, invalid, why, stated, hypotheses, inverse)


def sampled(values: np.ndarray) -> np.ndarray:
    """About ``SAMPLED`` of the values, evenly."""
    return values[:: max(1, len(values) // SAMPLED)]


def _hole_mark(maps: Sequence[np.ndarray]) -> tuple[float, str]:
    """NaN, one negative number, or one number far above all others, in most frames."""
    total = len(maps)
    odd = sum(not np.isfinite(values).all() for values in maps)
    if odd > _COMMON * total:
        return float("nan"), f"{odd} of {total} frames looked at have NaN or infinite pixels"
    negative = Counter(float(values[values < 0].min()) for values in maps if (values < 0).any())
    if negative:
        mark, count = negative.most_common(1)[0]
        only = all(bool(np.all(values[values < 0] == mark)) for values in maps)
        if count > _COMMON * total and only:
            return (
                mark,
                f"{count} of {total} frames looked at have pixels of exactly {mark:g} and no other negative ones",
            )
    tops = [np.unique(values[np.isfinite(values)])[-2:] for values in maps]
    marks = Counter(float(top[1]) for top in tops if len(top) == 2 and top[1] > 0 and top[0] < 0.8 * top[1])
    if marks:
        mark, count = marks.most_common(1)[0]
        repeated = sum(np.count_nonzero(values == mark) > max(10, 5e-4 * values.size) for values in maps)
        if min(count, repeated) > _COMMON * total:
            return mark, f"{count} of {total} frames looked at have pixels of exactly {mark:g}, far above all others"
    return 0.0, ""


def _inverse(maps: Sequence[np.ndarray], masks: Sequence[np.ndarray], in_name: bool) -> str:
    """Why the numbers are disparity-like. Two signs are needed, of which the name may be one.

    The floor and the road are below, so the lower half of most frames is nearer. And on a slanted plane it is the
    reciprocal of depth that is linear in the image: v v'' / v'^2 is 2 for depth and 0 for disparity.
    """
    reasons = ["the file names speak of disparity"] if in_name else []
    larger_below = [_larger_below(values, mask) for values, mask in zip(maps, masks, strict=True)]
    below = [each for each in larger_below if each is not None]
    if below and np.mean(below) > 0.7:
        reasons.append(f"the lower half has the larger numbers in {sum(below)} of {len(below)} frames")
    bends = [_bend(values.astype(np.float64), mask) for values, mask in zip(maps, masks, strict=True)]
    known = [bend for bend in bends if bend is not None]
    if known and np.median(known) < 0.6:
        reasons.append(f"slanted planes are straight in these numbers (bend {np.median(known):.2f}; depth: 1 to 2)")
    return " and ".join(reasons) if len(reasons) > 1 else ""


def _larger_below(values: np.ndarray, mask: np.ndarray) -> bool | None:
    half = values.shape[0] // 2
    above, below = values[:half][mask[:half]], values[half:][mask[half:]]
    if min(above.size, below.size) < 0.05 * mask.sum() or not mask.any():
        return None
    return bool(np.median(below) > 1.05 * np.median(above))


def _bend(values: np.ndarray, mask: np.ndarray) -> float | None:
    """Median of v v'' / v'^2 where the numbers rise or fall smoothly; None where there is too little of that."""
    step = max(2, values.shape[1] // 16)
    found = []
    for numbers, known in ((values, mask), (values.T, mask.T)):
        first, middle, last = (numbers[:, part] for part in _thirds(step))
        first_known, middle_known, last_known = (known[:, part] for part in _thirds(step))
        up, on = middle - first, last - middle
        slope = (up + on) / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = np.abs(slope) / middle
            even = (up * on > 0) & (np.abs(up) < 2.5 * np.abs(on)) & (np.abs(on) < 2.5 * np.abs(up))
            smooth = first_known & middle_known & last_known & even & (relative > 0.06) & (relative < 0.5)
            found.append(((on - up) * middle / slope**2)[smooth])
    bends = np.concatenate(found)
    return float(np.median(bends)) if bends.size > 200 else None


def _thirds(step: int) -> tuple[slice, slice, slice]:
    return slice(None, -2 * step), slice(step, -step), slice(2 * step, None)
