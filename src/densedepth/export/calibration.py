"""Photos to calibrate int8 on: a folder of photos, or the training frames of a data set."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from densedepth.data import DepthDataset, open_dataset, split_by_scene
from densedepth.data.inspection.layouts import FOLDER, detect
from densedepth.errors import DataError
from densedepth.io import IMAGE_SUFFIXES, read_image
from densedepth.runtime import Card
from densedepth.runtime.geometry import working_size

#: Of the training part, whole scenes: the same that `densedepth train` holds out for validation with this seed and at
#: least this fraction. Calibration takes the others, ground truth these.
HELD_OUT, SPLIT_SEED = 0.06, 0


def calibration_photos(folder: Path, card: Card, count: int) -> tuple[list[NDArray[np.uint8]], str]:
    """At most ``count`` photos, evenly spread, as the network of ``card`` sees them.

    Args:
        folder: photos at any depth; or a data set that is recognised, of which training frames are taken.
        card: says the size.
        count: how many at most.

    Returns:
        The photos, uint8 (1, H, W, 3) each, and a line that says what they are.

    Raises:
        DataError: no folder, no photos in it, or fewer than one asked for.
        ImageError: a photo cannot be read.
    """
    if count < 1:
        raise DataError(f"the number of calibration photos must be at least 1, got {count}")
    if not folder.exists():
        raise DataError(f"{folder}: no such folder; --calibration is a folder of photos or of a data set")
    name, _ = detect(folder)
    if name != FOLDER:
        frames = open_dataset(name, folder, "train")
        rest = split_by_scene(frames, HELD_OUT, SPLIT_SEED)[0] or frames
        picked = evenly_spread(len(rest), count)
        return [_seen(rest[i].image, card) for i in picked], f"{len(picked)} training photos of {name}"
    files = sorted(_pictures(folder))
    if not files:
        raise DataError(f"{folder}: no photos in it to calibrate on")
    picked = evenly_spread(len(files), count)
    return [_seen(read_image(files[i]), card) for i in picked], f"{len(picked)} photos of {folder.resolve().name}"


def validation_frames(dataset: str, root: Path) -> DepthDataset:
    """Frames with ground truth that neither training nor calibration has seen, out of the training part.

    Raises:
        DataError: the data set cannot be opened, or has a single scene.
    """
    _, held_out = split_by_scene(open_dataset(dataset, root, "train"), HELD_OUT, SPLIT_SEED)
    if not len(held_out):
        raise DataError(f"{root}: no frames of {dataset} to measure on; give the folder of a larger data set")
    return held_out


def _pictures(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            if Path(name).suffix.lower() in IMAGE_SUFFIXES and not name.startswith("."):
                yield Path(place, name)


def evenly_spread(total: int, count: int) -> list[int]:
    """Indices of at most ``count`` of ``total``, evenly spread."""
    count = min(total, count)
    return [i * total // count for i in range(count)]


def _seen(image: NDArray[np.uint8], card: Card) -> NDArray[np.uint8]:
    size = working_size(image.shape[1], image.shape[0], card.input)
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0))[None]
