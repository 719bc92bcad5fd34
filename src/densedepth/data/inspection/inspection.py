"""An inspection from beginning to end."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from densedepth.data import DATASETS, open_dataset
from densedepth.data.base import DepthDataset
from densedepth.data.inspection.checks import (
    check_duplicates,
    check_holes,
    check_numbers,
    check_pairs,
    check_splits,
)
from densedepth.data.inspection.conventions import Conventions, find_conventions
from densedepth.data.inspection.duplicates import Fingerprint, fingerprint
from densedepth.data.inspection.findings import Finding, ranked
from densedepth.data.inspection.layouts import FOLDER, detect, splits_of
from densedepth.data.inspection.sources import FolderSource, Item, Pixels, ReaderSource, Source
from densedepth.data.inspection.survey import Measured, Progress, in_threads, measure, no_progress, read_or_finding
from densedepth.data.readers.folder_index import FolderIndex, index_folder
from densedepth.data.readers.pairing import DISPARITY_WORDS, words_of
from densedepth.errors import DataError, DenseDepthError
from densedepth.io.opening import one_line

#: Its root may be a name of the hub.
HUB = "hf"
#: Frames from which the conventions of a folder are learned.
PROBED = 24


@dataclass
class Inspection:
    """What was looked at and what was found.

    Attributes:
        root: the data set.
        dataset: its layout, a name in `densedepth.data.DATASETS`.
        layout_why: why it is that one.
        findings: most severe first.
        items: all frames.
        index: of a plain folder, else None.
        source: reads the frames; None where nothing could be opened.
        conventions: of the depth numbers; None where no frame could be read.
        frames: measurements of the frames that were read.
        looked: how many frames' pixels were looked at, readable or not.
    """

    root: Path
    dataset: str
    layout_why: str
    findings: list[Finding] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    index: FolderIndex | None = None
    source: Source | None = None
    conventions: Conventions | None = None
    frames: list[Measured] = field(default_factory=list)
    looked: int = 0

    @property
    def splits(self) -> dict[str, int]:
        """Frames by split; one split "train" where the folder has none."""
        return dict(Counter(item.split or "train" for item in self.items))

    @property
    def photo_size(self) -> tuple[int, int] | None:
        """(height, width) of most photos looked at."""
        sizes = Counter(frame.photo_size for frame in self.frames)
        return sizes.most_common(1)[0][0] if sizes else None

    @property
    def far_m(self) -> float | None:
        """Depth below which 99.9 % of the pixels lie, in metres."""
        if not self.frames or self.conventions is None:
            return None
        values = np.concatenate([frame.values for frame in self.frames])
        return float(np.quantile(values, 0.999)) * self.conventions.metres_per_unit

    def summary(self) -> list[str]:
        """What the data set is, a line for each thing."""
        lines = [f"{self.root}: {self.dataset}, because {self.layout_why}"]
        if self.source is None:
            return lines
        parts = ", ".join(f"{count} {split}" for split, count in self.splits.items())
        scenes = len({item.scene for item in self.items})
        lines.append(f"frames: {len(self.items)} ({parts}); depth of {self.looked} looked at")
        lines.append(f"scenes: {scenes}" + (f", from {self.index.scenes_from}" if self.index else ""))
        if self.index is not None:
            lines.append(f"pairs: by {self.index.pairs_from}")
        if self.conventions is not None:
            lines += self.conventions.summary()
        if self.frames:
            valid = float(np.mean([frame.valid_share for frame in self.frames]))
            lines.append(f"holes: {100 * (1 - valid):.1f} % of the pixels have no depth")
            scores = [frame.agreement.here for frame in self.frames if frame.agreement is not None]
            line = f"edges: {len(scores)} of {len(self.frames)} frames have enough depth jumps to be judged"
            lines.append(line + (f"; photo and depth agree {np.median(scores):.2f} (median)" if scores else ""))
        return lines


def inspect_dataset(
    root: Path,
    *,
    dataset: str | None = None,
    splits: Sequence[str] = (),
    sample: int = 300,
    seed: int = 0,
    progress: Progress = no_progress,
) -> Inspection:
    """Look at a data set. Broken files become findings.

    The files of all photos are read and compared. Pixels of depth are looked at in a sample of the frames.

    Args:
        root: folder or file.
        dataset: layout; None finds it out.
        splits: those to look at; all that open when empty.
        sample: frames whose pixels are looked at; 0 takes all.
        seed: of the sample.
        progress: wraps an iteration, with a word for its unit.

    Returns:
        What the data set is, and the findings, most severe first.

    Raises:
        DataError: nothing at ``root``, or an unknown layout.
    """
    if not root.exists() and dataset != HUB:
        raise DataError(f"{root}: nothing there; give the folder or file of a data set")
    if dataset is not None and dataset not in DATASETS:
        raise DataError(f"unknown data set '{dataset}'; known: {', '.join(sorted(DATASETS))}")
    name, why = detect(root) if dataset is None else (dataset, "it was given")
    result = Inspection(root, name, why)
    try:
        result.findings += _open(result, splits)
    except DenseDepthError as error:
        result.findings.append(Finding("layout", str(root), f"cannot be opened as {name}: {_text(error, root)}"))
        return result
    assert result.source is not None
    numbers = _chosen(len(result.items), sample, seed)
    result.looked = len(numbers)
    findings = list(check_splits(result.items))
    result.conventions = _conventions(result, numbers)
    if result.conventions is not None:
        findings += _measure(result, numbers, progress)
        findings += check_numbers(str(root), result.conventions, result.frames)
        findings += check_holes(str(root), result.frames)
        findings += check_pairs(result.items, result.frames)
    else:
        broken = (read_or_finding(result.source, number) for number in numbers)
        findings += [each for each in broken if isinstance(each, Finding)]
    findings += _duplicates(result, numbers, progress)
    result.findings = ranked([*result.findings, *findings])
    return result


def _open(result: Inspection, splits: Sequence[str]) -> list[Finding]:
    """Fill in source and items; findings on what is missing."""
    root = result.root
    if result.dataset == FOLDER:
        index = result.index = index_folder(root)
        result.source = FolderSource(index, splits)
        result.items = result.source.items
        findings = [
            Finding("missing-file", str(file), f"is missing, but {where} names it") for where, file in index.missing
        ]
        findings += [Finding("missing-depth", str(root / name), "a photo without depth") for name in index.lone_photos]
        findings += [Finding("missing-photo", str(root / name), "depth without a photo") for name in index.lone_depths]
        if not result.items:
            findings.append(Finding("layout", str(root), f"no photo and depth file make a pair ({index.pairs_from})"))
        return findings
    opened: dict[str, DepthDataset] = {}
    errors = []
    for split in splits or splits_of(result.dataset, root):
        try:
            opened[split] = open_dataset(result.dataset, root, split)
        except DenseDepthError as error:
            if splits:
                raise
            errors.append(error)
    if not opened:
        raise errors[0]
    result.source = ReaderSource(opened)
    result.items = result.source.items
    return []


def _text(error: Exception, root: Path) -> str:
    return " ".join(str(error).removeprefix(f"{root}: ").split())


def _chosen(count: int, sample: int, seed: int) -> list[int]:
    """A sorted sample; all frames when they are not more."""
    if not 0 < sample < count:
        return list(range(count))
    return sorted(int(number) for number in np.random.default_rng(seed).choice(count, sample, replace=False))


def _conventions(result: Inspection, numbers: Sequence[int]) -> Conventions | None:
    assert result.source is not None
    step = max(1, len(numbers) // PROBED)
    read = (read_or_finding(result.source, number) for number in numbers[::step])
    pixels = [each for each in read if isinstance(each, Pixels)]
    if not pixels:
        return None
    stated = {each.stated for each in pixels}
    depth = result.items[numbers[0]].depth
    words = set() if depth is None else set(words_of(os.path.relpath(depth, result.root)))
    unit = stated.pop() if len(stated) == 1 else None
    return find_conventions([each.values for each in pixels], unit, bool(words & DISPARITY_WORDS))


def _measure(result: Inspection, numbers: Sequence[int], progress: Progress) -> list[Finding]:
    source, conventions = result.source, result.conventions
    assert source is not None
    assert conventions is not None
    findings: list[Finding] = []
    work = in_threads(lambda number: measure(source, number, conventions), numbers, progress, "frame")
    for measured, found in work:
        findings += found
        if measured is not None:
            result.frames.append(measured)
    return findings


def _duplicates(result: Inspection, numbers: Sequence[int], progress: Progress) -> list[Finding]:
    """Of all photos that are files, and of the sample where they are not."""
    source, items = result.source, result.items
    assert source is not None
    sampled = set(numbers)

    def work(number: int) -> Fingerprint | Finding | None:
        try:
            data = source.photo_bytes(number)
            if data is not None:
                return fingerprint(data, items[number].where)
            if number not in sampled:
                return None
            return fingerprint(source.pixels(number).image, items[number].where)
        except (DenseDepthError, OSError) as error:
            return Finding("unreadable", items[number].where, one_line(error), number)

    found = list(in_threads(work, range(len(items)), progress, "photo"))
    broken = [each for each in found if isinstance(each, Finding)]
    return [*broken, *check_duplicates(items, [each if isinstance(each, Fingerprint) else None for each in found])]
