"""The authors' test set as arrays: ``eigen_test_rgb.npy``, ``eigen_test_depth.npy`` and ``eigen_test_crop.npy``.

654 frames: rgb (N, H, W, 3) uint8 or float, depth (N, H, W) in metres, crop four numbers: first and last row, first
and last column, all inside. The arrays are mapped, not loaded, and mapped anew for each frame: nothing is shared
between processes.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import numpy as np

from densedepth.data.base import Frame, checked_frame
from densedepth.data.readers.nyu import KINECT
from densedepth.errors import DataError
from densedepth.io.opening import one_line


class NyuNpy:
    """The test set as a :class:`~densedepth.data.base.DepthDataset`.

    Args:
        root: the folder that holds the three files.
        split: "test"; there is no other.
        mask_crop: mark the pixels outside ``eigen_test_crop.npy`` invalid. Off, because an evaluation's protocol has
            a crop of its own.

    Raises:
        DataError: a file is missing, no plain array, or of a shape or dtype that the layout does not know.
    """

    def __init__(
        self, root: str | os.PathLike[str], split: Literal["test"] = "test", *, mask_crop: bool = False
    ) -> None:
        root = Path(root)
        if split != "test":
            raise DataError(f"{root}: these arrays are a test set; there is no split '{split}'")
        self._rgb, self._depth = (root / f"eigen_test_{name}.npy" for name in ("rgb", "depth"))
        rgb, depth = _mapped(self._rgb), _mapped(self._depth)
        if depth.ndim != 3 or depth.dtype.kind != "f":
            raise DataError(f"{self._depth}: must be float (N, H, W) in metres, it is {depth.dtype} {depth.shape}")
        if rgb.shape != (*depth.shape, 3) or not (rgb.dtype == np.uint8 or rgb.dtype.kind == "f"):
            raise DataError(
                f"{self._rgb}: must be uint8 or float {(*depth.shape, 3)} to fit its depth, "
                f"it is {rgb.dtype} {rgb.shape}"
            )
        if not depth.size:
            raise DataError(f"{self._depth}: holds no frame")
        # Some frames tell the scale of floats; one that does not fit it is an error when it is read.
        some = rgb[[0, len(rgb) // 2, len(rgb) - 1]]
        self._white = 1.0 if rgb.dtype.kind == "f" and some.max() <= 1 else 255.0
        self._inside = _crop(root / "eigen_test_crop.npy", depth.shape[1:]) if mask_crop else None
        self.scenes = [f"{index:05}" for index in range(len(depth))]

    def __len__(self) -> int:
        return len(self.scenes)

    def __getitem__(self, index: int) -> Frame:
        rgb, depth_m = np.array(_mapped(self._rgb)[index]), np.array(_mapped(self._depth)[index])
        return checked_frame(
            self._eight_bit(rgb, index),
            depth_m,
            valid=self._inside,
            camera=KINECT,
            scene=self.scenes[index],
            key=self.scenes[index],
            source=f"{self._depth}, frame {index}",
        )

    def _eight_bit(self, rgb: np.ndarray, index: int) -> np.ndarray:
        if rgb.dtype == np.uint8:
            return rgb
        if not (rgb.min() >= 0 and rgb.max() <= self._white):
            raise DataError(f"{self._rgb}, frame {index}: values are not all in 0..{self._white:g}, as in other frames")
        return np.rint(rgb * (255 / self._white)).astype(np.uint8)


def _mapped(path: Path) -> np.ndarray:
    try:
        array: np.ndarray = np.lib.format.open_memmap(path, mode="r")
    except FileNotFoundError:
        raise DataError(f"{path}: not found; if it is still in nyu_test.zip, unzip that first") from None
    except Exception as error:  # numpy meets damaged files with errors of any kind
        raise DataError(f"{path}: no .npy array, or cut short ({one_line(error)}); get a whole copy") from None
    return array


def _crop(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    numbers = _mapped(path)
    if numbers.shape == (4,) and numbers.dtype.kind in "uif":
        top, bottom, left, right = (int(number) for number in numbers)
        if 0 <= top <= bottom < shape[0] and 0 <= left <= right < shape[1]:
            inside = np.zeros(shape, dtype=bool)
            inside[top : bottom + 1, left : right + 1] = True
            return inside
    raise DataError(f"{path}: must be first and last row, first and last column inside {shape[1]}x{shape[0]} pixels")
