"""NYU Depth v2 in the published csv layout ('NYU 50K': data/nyu2_train.csv, data/nyu2_test.csv).

Rows are ``photo,depth`` relative to the folder above ``data``. Depth comes in two encodings that look alike and are
told apart by the file's own bit depth: 8 bit is value / 255 * 10 m (published training part), 16 bit is millimetres
(published test part). Zero means no depth in both.
"""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from densedepth.data.base import Frame, checked_frame
from densedepth.errors import DataError
from densedepth.io import read_image
from densedepth.types import Camera

MAX_DEPTH_M = 10.0
#: The Kinect of the set, for 640x480.
KINECT = Camera(fx=518.8579, fy=519.4696, cx=325.5824, cy=253.7362, width=640, height=480)
#: The part inside the white border that undistortion left: rows 20:460, columns 24:616, as in the authors' crop.
INSIDE_BORDER = (slice(20, 460), slice(24, 616))


class NyuCsv:
    """One part of the csv layout as a :class:`~densedepth.data.base.DepthDataset`.

    Args:
        root: the folder that holds ``data/``, or ``data`` itself.
        split: "train" or "test".
        mask_border: mark the pixels of the white border invalid (for training; evaluation has crops of its own).

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
        root = Path(root)
        csv_path = root / "data" / f"nyu2_{split}.csv"
        if not csv_path.exists() and (root / csv_path.name).exists():
            csv_path = root / csv_path.name
        self.mask_border = mask_border
        self.pairs = _read_rows(csv_path)
        self.scenes = [_scene(photo) for photo, _ in self.pairs]

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Frame:
        photo_path, depth_path = self.pairs[index]
        depth_m = read_nyu_depth_m(depth_path)
        valid = _inside_border(*depth_m.shape) if self.mask_border else None
        return checked_frame(
            read_image(photo_path),
            depth_m,
            valid=valid,
            camera=KINECT,
            scene=self.scenes[index],
            key=f"{photo_path.parent.name}/{photo_path.name}",
            source=str(depth_path),
        )


def read_nyu_depth_m(path: str | os.PathLike[str]) -> np.ndarray:
    """Depth in metres, float32 (H, W), from an 8-bit or a 16-bit PNG of the csv layout; 0 = none.

    Raises:
        DataError: the file is missing, damaged, or neither 8-bit nor 16-bit single-channel.
    """
    try:
        with Image.open(path) as picture:
            picture.load()
            mode, values = picture.mode, np.asarray(picture)
    except FileNotFoundError:
        raise DataError(f"{path}: no such depth file") from None
    except Exception as error:
        raise DataError(f"{path}: cannot be read as a depth picture ({error})") from None
    if mode == "L":
        return values.astype(np.float32) * np.float32(MAX_DEPTH_M / 255)
    if mode in ("I;16", "I"):
        return values.astype(np.float32) * np.float32(1e-3)
    raise DataError(f"{path}: depth must be a single-channel 8-bit or 16-bit PNG, this one has mode {mode}")


def _read_rows(csv_path: Path) -> list[tuple[Path, Path]]:
    try:
        text = csv_path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(
            f"{csv_path}: not found; --data.root / --root must be the folder that holds data/nyu2_train.csv"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{csv_path}: cannot be read ({error})") from None
    # Rows start with "data/": they are relative to the folder above it, wherever the csv was found.
    base = csv_path.parent.parent
    pairs = []
    for number, row in enumerate(csv.reader(text.splitlines()), start=1):
        if not row:
            continue
        if len(row) != 2:
            raise DataError(f"{csv_path}, line {number}: expected 'photo,depth', got {len(row)} fields")
        photo, depth = (base / cell.strip() for cell in row)
        for path in (photo, depth):
            if not path.is_file():
                raise DataError(f"{csv_path}, line {number}: {path} is missing")
        pairs.append((photo, depth))
    if not pairs:
        raise DataError(f"{csv_path}: holds no rows")
    return pairs


def _scene(photo: Path) -> str:
    """Training frames: the folder without ``_out``. Test frames lie in one folder: each is its own scene."""
    if re.fullmatch(r"\d+_colors", photo.stem):
        return photo.stem.removesuffix("_colors")
    return photo.parent.name.removesuffix("_out")


def _inside_border(height: int, width: int) -> np.ndarray:
    mask = np.zeros((480, 640), dtype=bool)
    mask[INSIDE_BORDER] = True
    if (height, width) == mask.shape:
        return mask
    rows = np.arange(height) * 480 // height
    columns = np.arange(width) * 640 // width
    return mask[rows[:, None], columns]
