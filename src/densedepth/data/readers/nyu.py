"""NYU Depth v2 in the published csv layout ('NYU 50K': data/nyu2_train.csv, data/nyu2_test.csv), zipped or not.

Rows are ``photo,depth`` relative to the folder above ``data``. Depth comes in two encodings that look alike and are
told apart by the file's own bit depth: 8 bit is value / 255 * 10 m (published training part), 16 bit is millimetres
(published test part). Zero means no depth in both.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np

from densedepth.data.base import Frame, checked_frame
from densedepth.data.readers.archive import Archive, Folder, open_archive
from densedepth.data.readers.nyu_rows import read_cameras, read_pairs
from densedepth.errors import DataError
from densedepth.io import read_photo
from densedepth.io.opening import Source, label_of, one_line, open_picture
from densedepth.types import Camera

MAX_DEPTH_M = 10.0
#: The Kinect of the set, for 640x480.
KINECT = Camera(fx=518.8579, fy=519.4696, cx=325.5824, cy=253.7362, width=640, height=480)
#: The part inside the white border that undistortion left: rows 20:460, columns 24:616, as in the authors' crop.
INSIDE_BORDER = (slice(20, 460), slice(24, 616))


class NyuCsv:
    """One part of the csv layout as a :class:`~densedepth.data.base.DepthDataset`.

    With a file ``intrinsics.csv`` beside the csv, with header ``image,fx,fy,cx,cy,width,height``, each frame has the
    camera that stands there under its photo's path; otherwise all have the Kinect's.

    Args:
        root: the folder that holds ``data/``, ``data`` itself, the published zip, or the folder that holds the zip.
            Frames of a zip are read from inside it.
        split: "train" or "test".
        mask_border: mark the pixels of the white border invalid (for training; evaluation has crops of its own).

    Attributes:
        pairs: names of photo and depth, relative to the folder above ``data``, or absolute.

    Raises:
        DataError: no csv there, a row that is not two paths, or a file that a row names and that is missing.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        split: Literal["train", "test"] = "train",
        *,
        mask_border: bool = False,
    ) -> None:
        self.archive, csv_name = _find_csv(Path(root), f"nyu2_{split}.csv")
        self.mask_border = mask_border
        self.pairs = read_pairs(self.archive, csv_name)
        self.scenes = [_scene(PurePosixPath(photo)) for photo, _ in self.pairs]
        self._cameras = read_cameras(self.archive, csv_name, self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Frame:
        return self.frame(index)

    def frame(self, index: int, at_least: tuple[int, int] | None = None) -> Frame:
        """Frame ``index``; a JPEG photo is decoded no larger than it takes to have (height, width) ``at_least``."""
        photo, depth = self.pairs[index]
        image, _, reduced = read_photo(self.archive.source(photo), at_least)
        depth_m = read_nyu_depth_m(self.archive.source(depth), every=reduced)
        if reduced > 1 and depth_m.shape != image.shape[:2]:
            return self.frame(index)  # its error tells the sizes of the files
        return checked_frame(
            image,
            depth_m,
            valid=inside_border(*depth_m.shape) if self.mask_border else None,
            camera=KINECT if self._cameras is None else self._cameras[index],
            scene=self.scenes[index],
            key="/".join(PurePosixPath(photo).parts[-2:]),
            source=self.archive.label(depth),
        )


def read_nyu_depth_m(source: Source, *, eight_bit: bool = True, every: int = 1) -> np.ndarray:
    """Depth in metres, float32 (H, W), from an 8-bit or a 16-bit PNG; 0 = none.

    Args:
        source: the picture, as `densedepth.io.read_image` takes it.
        eight_bit: the layout knows 8-bit depth; without it, 8 bits are an error.
        every: keep one pixel of so many, both ways.

    Raises:
        DataError: the file is missing, damaged, or neither 8-bit nor 16-bit single-channel.
    """
    label = label_of(source)
    with open_picture(source, DataError) as picture:
        try:
            mode, values = picture.mode, np.asarray(picture)[::every, ::every]
        except Exception as error:  # decoders meet damaged data with errors of any kind
            raise DataError(f"{label}: cannot be read as a depth picture ({one_line(error)})") from None
    if mode == "L" and eight_bit:
        return values.astype(np.float32) * np.float32(MAX_DEPTH_M / 255)
    if mode in ("I;16", "I"):
        return values.astype(np.float32) * np.float32(1e-3)
    bits = "8-bit or 16-bit" if eight_bit else "16-bit"
    raise DataError(f"{label}: depth must be a single-channel {bits} PNG, this one has mode {mode}")


def inside_border(height: int, width: int) -> np.ndarray:
    """Where a frame of this size is inside the white border of undistortion, bool (H, W)."""
    mask = np.zeros((480, 640), dtype=bool)
    mask[INSIDE_BORDER] = True
    if (height, width) == mask.shape:
        return mask
    rows = np.arange(height) * 480 // height
    columns = np.arange(width) * 640 // width
    return mask[rows[:, None], columns]


def _find_csv(root: Path, file_name: str) -> tuple[Archive, str]:
    """Where the csv lies: the archive that its rows are relative to, and its name there."""
    archive = open_archive(root)
    for name in (f"data/{file_name}", f"nyu_data/data/{file_name}"):
        if archive.exists(name):
            return archive, name
    if isinstance(archive, Folder):
        if archive.exists(file_name):
            data = Path(os.path.abspath(root))
            return Folder(data.parent), f"{data.name}/{file_name}"
        zips = sorted(root.glob("*.zip"))
        if len(zips) > 1:
            zips = [path for path in zips if path.name == "nyu_data.zip"]
        if zips:
            return _find_csv(zips[0], file_name)
    raise DataError(
        f"{archive.label(f'data/{file_name}')}: not found; --data.root / --root must be the folder that holds "
        f"data/{file_name}, or a zip of it"
    )


def _scene(photo: PurePosixPath) -> str:
    """Training frames: the folder without ``_out``. Test frames lie in one folder: each is its own scene."""
    if re.fullmatch(r"\d+_colors", photo.stem):
        return photo.stem.removesuffix("_colors")
    return photo.parent.name.removesuffix("_out")
