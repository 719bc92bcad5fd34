"""What is found in all frames together: agreement of photo and depth, unit, holes, steps, saturation, splits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from densedepth.data.inspection.alignment import CHANCE, Agreement, near_centre
from densedepth.data.inspection.conventions import Conventions
from densedepth.data.inspection.duplicates import Fingerprint, alike_pairs, equal_groups
from densedepth.data.inspection.findings import Finding
from densedepth.data.inspection.matching import find_photo
from densedepth.data.inspection.sources import Item
from densedepth.data.inspection.survey import Measured
from densedepth.data.inspection.units import MARGIN, implausible

#: A set is judged as a whole from so many frames on.
_ENOUGH = 6
#: Working pixels by which all frames together may be off, and what moving them must gain.
_SET_MOVED, _SET_GAIN = 2, 0.05
_SPARSE, _HOLEY = 0.5, 0.8
#: Whole files with fewer different numbers are on a coarse grid.
_FEW_LEVELS = 300
_PEAK_SHARE, _PEAK_RATIO = 0.005, 3.0


def check_pairs(items: Sequence[Item], frames: Sequence[Measured]) -> Iterator[Finding]:
    """Pairs that look mirrored, shifted or exchanged, one by one and as a set."""
    judged = [(frame, frame.agreement) for frame in frames if frame.agreement is not None]
    whole = _common_shift([agreement for _, agreement in judged])
    if whole is not None:
        right, down, best, here = whole
        yield Finding("shifted-set", f"{len(judged)} frames", _shift_text(right, down, best, here) + " on average")
    matches = _matches(frames) if whole is None else {}
    shifted, strange = [], 0
    for frame, agreement in judged:
        item, code = items[frame.number], agreement.verdict
        where = str(item.depth or item.where)
        if code in ("mirrored", "upside-down"):
            score = agreement.mirrored if code == "mirrored" else agreement.upside_down
            what = f"edges agree {score:.2f} when the depth is turned back, {agreement.here:.2f} as it is"
            yield Finding(code, where, what, frame.number)
            continue
        if frame.number in matches:
            other, score, here = matches[frame.number]
            what = f"edges agree {score:.2f} with {items[other].where}, {here:.2f} with its own photo"
            yield Finding("swapped", where, what, frame.number)
            continue
        best, right, down = agreement.best
        strange += whole is None and agreement.here < CHANCE
        near = 2 * agreement.factor
        if code == "shifted" and not (whole and abs(right - whole[0]) <= near and abs(down - whole[1]) <= near):
            shifted.append(Finding(code, where, _shift_text(right, down, best, agreement.here), frame.number))
    if len(judged) >= _ENOUGH and strange > 0.5 * len(judged) and len(shifted) < 0.7 * strange:
        where = f"{strange} of {len(judged)} frames"
        yield Finding("unrelated", where, "edges of photo and depth agree no more than by chance")
    else:
        yield from shifted


def _matches(frames: Sequence[Measured]) -> dict[int, tuple[int, float, float]]:
    """Frames whose depth belongs to another photo: (that photo, its score, score of the own photo).

    Those that agree no more than by chance look for their photo; so does the frame whose photo is found that way.
    """
    traces = {frame.number: frame.traces for frame in frames}
    agreements = {frame.number: frame.agreement for frame in frames if frame.agreement is not None}
    lost = [number for number, agreement in agreements.items() if agreement.here < CHANCE]
    found = {}
    for number in lost:
        match = find_photo(number, traces)
        # Its own photo, moved, may be the better explanation.
        if match is not None and match[1] > agreements[number].best[0]:
            found[number] = match
            if match[0] not in lost:
                lost.append(match[0])
    return found


def _shift_text(right: int, down: int, best: float, here: float) -> str:
    parts = [f"{abs(right)} px {'right' if right > 0 else 'left'}"] if right else []
    parts += [f"{abs(down)} px {'down' if down > 0 else 'up'}"] if down else []
    move = " and ".join(parts)
    return f"depth fits best when it is moved {move}: edges then agree {best:.2f} instead of {here:.2f}"


def _common_shift(judged: Sequence[Agreement]) -> tuple[int, int, float, float] | None:
    """(right, down, score there, score here) in frame pixels, when all frames together are shifted."""
    surfaces = [agreement.surface for agreement in judged]
    shapes = {surface.shape for surface in surfaces}
    if len(surfaces) < _ENOUGH or len(shapes) > 1:
        return None
    mean = np.mean(surfaces, axis=0)
    centre = mean.shape[0] // 2
    row, column = (int(place) - centre for place in np.unravel_index(mean.argmax(), mean.shape))
    best, here = float(mean.max()), near_centre(mean, 0)
    if max(abs(row), abs(column)) < _SET_MOVED or best < max(here + _SET_GAIN, 1.5 * here, CHANCE):
        return None
    # One bad frame must not speak for the others.
    gains = [surface[row + centre, column + centre] > near_centre(surface, 0) for surface in surfaces]
    if np.mean(gains) < 0.7:
        return None
    factor = judged[0].factor
    return column * factor, row * factor, best, here


def check_numbers(root: str, conventions: Conventions, frames: Sequence[Measured]) -> Iterator[Finding]:
    """Type, unit, steps and saturation of the depth of all frames."""
    if len(conventions.dtypes) > 1:
        counts = ", ".join(f"{count} {name}" for name, count in sorted(conventions.dtypes.items()))
        yield Finding("mixed-types", root, f"depth files of several types: {counts} among those looked at")
    if not frames:
        return
    values = np.concatenate([frame.values for frame in frames]).astype(np.float64)
    yield from _unit(root, conventions, values)
    if conventions.dtype.itemsize == 1:
        yield Finding("eight-bit", root, "8-bit depth has 255 steps at most, 39 mm each if they span 10 m")
    else:
        levels = np.unique(values)
        if len(levels) <= _FEW_LEVELS and len(values) > 20 * len(levels):
            step_m = float(np.median(np.diff(levels))) * conventions.metres_per_unit
            what = f"only {len(levels)} different depths, on a grid of {1000 * step_m:.3g} mm"
            yield Finding("coarse-steps", root, what)
    top = max(frame.top[0] for frame in frames)
    at_top = sum(frame.top[1] for frame in frames if frame.top[0] == top)
    share = at_top / sum(frame.valid_pixels for frame in frames)
    just_below = float(np.mean((values < top) & (values > 0.95 * top)))
    touched = sum(frame.top[0] == top for frame in frames)
    if share > max(_PEAK_SHARE, _PEAK_RATIO * just_below) and touched > 1:
        what = (
            f"{100 * share:.1f} % of the pixels with depth are exactly at the largest number, {top:g} "
            f"({top * conventions.metres_per_unit:.4g} m), in {touched} of {len(frames)} frames: a limit, not a depth"
        )
        yield Finding("saturated", root, what)


def _unit(root: str, conventions: Conventions, values: np.ndarray) -> Iterator[Finding]:
    if conventions.inverse_why:
        yield Finding("disparity", root, f"near things have large numbers: {conventions.inverse_why}")
        return
    if not conventions.hypotheses:
        return
    best, second = conventions.hypotheses[:2]
    stated = conventions.stated
    if stated is None and conventions.dtype.kind == "f" and best.metres_per_unit != 1:
        # What a reader takes floats for, unless told otherwise.
        stated = 1.0
    if stated is not None:
        if implausible(values * stated):
            median = float(np.median(values)) * stated
            what = f"the median depth of {median:.3g} m, if one number is {stated:g} m, is that of no room or street"
            yield Finding("unit-implausible", root, what + (f"; {best} is" if best.plausible else ""))
    elif not best.plausible:
        yield Finding("unit-unknown", root, f"no usual unit makes a room or a street; the nearest: {best}")
    elif best.probability < MARGIN * second.probability:
        yield Finding("unit-ambiguous", root, f"{best}; nearly as likely: {second}")


def check_holes(root: str, frames: Sequence[Measured]) -> Iterator[Finding]:
    """How much of the frames has depth."""
    if not frames:
        return
    median = float(np.median([frame.valid_share for frame in frames]))
    if median < _SPARSE:
        yield Finding("sparse", root, f"{100 * median:.0f} % of a frame has depth (median), as from a laser scanner")
    elif median < _HOLEY:
        yield Finding("holes", root, f"{100 * (1 - median):.0f} % of a frame has no depth (median)")


def check_splits(items: Sequence[Item]) -> Iterator[Finding]:
    """Scenes that stand in more than one split."""
    splits: defaultdict[str, set[str]] = defaultdict(set)
    for item in items:
        splits[item.scene].add(item.split)
    for scene, names in splits.items():
        if len(names) > 1:
            count = sum(item.scene == scene for item in items)
            yield Finding("split-scene", f"scene {scene}", f"its {count} frames stand in {' and '.join(sorted(names))}")


def check_duplicates(items: Sequence[Item], prints: Sequence[Fingerprint | None]) -> Iterator[Finding]:
    """Photos that are the same; worst where one stands in train and the other in test."""
    for group in equal_groups([None if each is None else each.digest for each in prints]):
        first = group[0]
        for other in group[1:]:
            across = items[first].split != items[other].split
            what = f"the same photo as {items[first].where}"
            if across:
                what += f", which is in {items[first].split}, this one in {items[other].split}"
            yield Finding("split-duplicate" if across else "duplicate", items[other].where, what, other)
    groups = [(item.split, item.scene) for item in items]
    for first, other in alike_pairs(prints, groups):
        across = items[first].split != items[other].split
        what = f"looks the same as {items[first].where}"
        what += f", which is in {items[first].split}, this one in {items[other].split}" if across else ""
        yield Finding("split-duplicate" if across else "near-duplicate", items[other].where, what, other)
