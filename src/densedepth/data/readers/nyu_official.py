"""The official split of the 1449 labelled NYU frames: 795 to train, 654 to test, no scene on both sides."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from densedepth.data.readers.mat5 import read_numbers
from densedepth.errors import DataError
from densedepth.io.opening import one_line

#: In the order of the frames: scene, part, and how many frames in a row.
LIST = Path(__file__).with_name("splits") / "nyu_labeled.csv"


def official_frames(count: int, source: str) -> list[tuple[str, str]]:
    """(scene, "train" or "test") of each of the 1449 frames, from the list inside this package.

    Args:
        count: how many frames there are.
        source: what the message names.

    Raises:
        DataError: there are not 1449, so that the official split says nothing about them.
    """
    frames: list[tuple[str, str]] = []
    with LIST.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            frames += [(row["scene"], row["split"])] * int(row["frames"])
    if count != len(frames):
        raise DataError(
            f"{source}: holds {count} frames, the official split is for {len(frames)}; "
            "put the splits.mat that belongs to it beside it, or name it with the option splits"
        )
    return frames


def read_splits(path: Path, count: int) -> dict[str, list[int]]:
    """The 0-based frames of "train" and "test" from a ``splits.mat`` (MATLAB 5; 1-based ``trainNdxs``, ``testNdxs``).

    Args:
        path: the file.
        count: how many frames there are.

    Raises:
        DataError: the file cannot be read, a number is no frame, or a frame stands twice.
    """
    names = {"train": "trainNdxs", "test": "testNdxs"}
    try:
        content = read_numbers(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}: cannot be read as a MATLAB 5 file ({one_line(error)}); fetch it again, or remove it to use "
            "the official split inside this package"
        ) from None
    parts: dict[str, list[int]] = {}
    for part, name in names.items():
        if name not in content:
            raise DataError(f"{path}: holds no '{name}'; it must have {' and '.join(names.values())}")
        numbers = content[name]
        if not np.all((numbers >= 1) & (numbers <= count) & (numbers % 1 == 0)):
            raise DataError(f"{path}: '{name}' must hold frame numbers from 1 to {count}, the frames that there are")
        parts[part] = [int(number) - 1 for number in numbers]
    everything = parts["train"] + parts["test"]
    if len(set(everything)) != len(everything):
        raise DataError(f"{path}: a frame stands twice, in one part or in both; fetch it again")
    return parts
