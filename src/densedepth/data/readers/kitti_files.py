"""What the layouts of KITTI share: file names, depth in 16 bit, and what is said about frames that are not there."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

import numpy as np

from densedepth.data.readers.depth_files import read_depth_values
from densedepth.data.readers.lidar import kitti_camera
from densedepth.errors import DataError
from densedepth.types import Camera

Missing = Literal["error", "skip"]

DAY = re.compile(r"\d{4}_\d\d_\d\d")
DRIVE = re.compile(r"\d{4}_\d\d_\d\d_drive_\d{4}_sync")
#: Published as .png; many people keep .jpg to save space.
PHOTO_SUFFIXES = (".png", ".jpg", ".jpeg")
UNITS_PER_METRE = 256
#: fx = fy of the rectified photos of each day, as in the published lists of the Eigen split.
FOCAL_PX = {
    "2011_09_26": 721.5377,
    "2011_09_28": 707.0493,
    "2011_09_29": 718.3351,
    "2011_09_30": 707.0912,
    "2011_10_03": 718.856,
}


class Folders:
    """Finds files by their stem; each folder is listed once, which is quick where asking for single files is not."""

    def __init__(self) -> None:
        self._names: dict[Path, frozenset[str]] = {}

    def names(self, folder: Path) -> frozenset[str]:
        """The names in a folder; none where there is no such folder."""
        if folder not in self._names:
            try:
                self._names[folder] = frozenset(os.listdir(folder))
            except (FileNotFoundError, NotADirectoryError):
                self._names[folder] = frozenset()
            except OSError as error:
                raise DataError(f"{folder}: cannot be listed ({error.strerror}); check its permissions") from None
        return self._names[folder]

    def stems(self, folder: Path, suffixes: Sequence[str]) -> list[str]:
        """The sorted stems of the files with one of these suffixes, hidden ones left out."""
        names = (Path(name) for name in self.names(folder) if not name.startswith("."))
        return sorted({name.stem for name in names if name.suffix in suffixes})

    def find(self, folder: Path, stem: str, suffixes: Sequence[str]) -> Path | None:
        """The file ``stem`` with the first of these suffixes that is there."""
        names = self.names(folder)
        return next((folder / f"{stem}{suffix}" for suffix in suffixes if f"{stem}{suffix}" in names), None)


def read_kitti_depth_m(path: Path) -> np.ndarray:
    """Depth in metres, float32 (H, W), from a 16-bit PNG of the depth benchmark: 256 units a metre, 0 = none.

    Raises:
        DataError: missing, damaged, or not a 16-bit PNG of one channel.
    """
    units = read_depth_values(path).values
    if units.dtype.kind == "f" or units.dtype.itemsize == 1:
        raise DataError(
            f"{path}: depth of KITTI is a 16-bit PNG, {UNITS_PER_METRE} units a metre; this one has "
            f"{8 * units.dtype.itemsize} bits, so it is a picture of the depth or another encoding"
        )
    return units.astype(np.float32) / np.float32(UNITS_PER_METRE)


def camera_of(projection: np.ndarray | None, day: str, width: int, height: int) -> Camera | None:
    """From a calibration, else from the focal length of the day with a centred principal point, else None."""
    if projection is not None:
        return kitti_camera(projection, width, height)
    focal_px = FOCAL_PX.get(day)
    return None if focal_px is None else Camera(focal_px, focal_px, width / 2, height / 2, width, height)


def check_choice(option: str, value: str, choices: Sequence[str]) -> None:
    """Raise a DataError unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise DataError(f"{option} must be one of {', '.join(choices)}, got '{value}'")


def check_raw_root(root: Path, folders: Folders, option: str = "root") -> None:
    """Raise a DataError unless ``root`` holds the days of KITTI raw; it names the right folder if that is near."""

    def holds_days(folder: Path) -> bool:
        return any(DAY.fullmatch(name) for name in folders.names(folder))

    if not holds_days(root):
        raise DataError(
            f"{describe(root, folders)}; looked for days of KITTI raw: {option} must be the folder that holds "
            f"2011_09_26/2011_09_26_drive_0001_sync/image_02/data/0000000005.png{nearby(root, folders, holds_days)}"
        )


def describe(root: Path, folders: Folders) -> str:
    """``root`` and why nothing was found in it."""
    if not root.is_dir():
        return f"{root}: no such folder"
    return f"{root}: not a folder of this data set" if folders.names(root) else f"{root}: the folder is empty"


def nearby(root: Path, folders: Folders, fits: Callable[[Path], bool]) -> str:
    """A hint if ``root`` is one level too high, or up to five too low (the folder of the photos)."""
    above = list(root.absolute().parents)[:5]
    below = [root / name for name in sorted(folders.names(root))]
    for folder in [*below, *above]:
        # A neighbour that may not be listed is no hint, and no error either.
        with suppress(DataError):
            if fits(folder):
                return f"; did you mean {folder}?"
    return ""


def settle_missing(absent: Sequence[str], total: int, missing: Missing, what: str) -> None:
    """Refuse or announce frames that are not complete on the disk.

    Args:
        absent: what each of them lacks.
        total: number of frames asked for.
        missing: "error", or "skip" to go on with the others.
        what: the frames, such as "frames of the Eigen split 'train'".

    Raises:
        DataError: some are absent and ``missing`` is "error", or all are.
    """
    if not absent:
        return
    found = f"{len(absent):,} of {total:,} {what} are not complete, the first lacks {absent[0]}"
    if len(absent) == total:
        raise DataError(f"{found}; none is left: check the folder")
    if missing == "error":
        raise DataError(f"{found}; get them, or leave them out with the reader's option 'missing: skip'")
    note(f"{found}; {total - len(absent):,} are used")


def note(text: str) -> None:
    """Say what a user should know although all goes on."""
    print(f"note: {text}", file=sys.stderr)
