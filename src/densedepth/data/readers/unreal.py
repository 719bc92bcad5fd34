"""Unreal-1k, the authors' rendered frames: HDF5 with ``x/<key>`` an encoded picture and ``y/<key>`` depth in cm.

The pictures were encoded with red and blue exchanged: a decoder that knows nothing of it returns BGR.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Literal

import numpy as np

from densedepth.data.base import Frame, checked_frame
from densedepth.data.readers.hdf5 import Hdf5
from densedepth.errors import DataError, ImageError
from densedepth.io import read_image

TEST_FRAMES = 100
METRES_PER_CM = 0.01


class Unreal:
    """One part of Unreal-1k as a :class:`~densedepth.data.base.DepthDataset`.

    The file has no split and names no scenes. The split is that of the authors' program: names in alphabetical
    order, shuffled with seed 0, the last 100 to test. Each frame is its own scene.

    Args:
        root: the .h5, or the folder that holds it and no other .h5.
        split: "train" or "test".

    Raises:
        DataError: no such file, damaged, not in the layout, or a picture without depth or the reverse.
    """

    def __init__(self, root: str | os.PathLike[str], split: Literal["train", "test"] = "train") -> None:
        path = _the_file(Path(root))
        if split not in ("train", "test"):
            raise DataError(f"{path}: there is no split '{split}', only train and test")
        self._h5 = Hdf5(path)
        photos, depths = self._h5.names("x"), self._h5.names("y")
        lonely = sorted(photos ^ depths)
        if lonely:
            side = "x (the picture)" if lonely[0] in photos else "y (the depth)"
            raise DataError(f"{path}: {len(lonely)} frames are not pairs; the first, '{lonely[0]}', has only {side}")
        if len(photos) <= TEST_FRAMES:
            raise DataError(f"{path}: holds {len(photos)} frames; {TEST_FRAMES} go to test, so that more are needed")
        keys = np.array(sorted(photos))
        # The legacy generator on purpose: it is the one that made the published split.
        np.random.RandomState(0).shuffle(keys)
        part = keys[:-TEST_FRAMES] if split == "train" else keys[-TEST_FRAMES:]
        self.scenes: list[str] = part.tolist()

    def __len__(self) -> int:
        return len(self.scenes)

    def __getitem__(self, index: int) -> Frame:
        key = self.scenes[index]
        encoded, depth_cm = self._h5.read(f"x/{key}"), np.asarray(self._h5.read(f"y/{key}"))
        source = f"{self._h5.path}: y/{key}"
        if depth_cm.ndim == 3 and depth_cm.shape[2] == 1:
            depth_cm = depth_cm[..., 0]
        if depth_cm.dtype.kind not in "uif":
            raise DataError(f"{source}: depth must be numbers, it is {depth_cm.dtype}")
        return checked_frame(
            np.ascontiguousarray(self._decoded(encoded, key)[..., ::-1]),
            depth_cm.astype(np.float32) * np.float32(METRES_PER_CM),
            camera=None,
            scene=key,
            key=key,
            source=source,
        )

    def _decoded(self, encoded: object, key: str) -> np.ndarray:
        # A string's bytes as they are: as an array they would lose the zeros at their end.
        data = io.BytesIO(encoded if isinstance(encoded, bytes) else np.asarray(encoded).tobytes())
        try:
            return read_image(data)
        except ImageError as error:
            raise DataError(f"{self._h5.path}: x/{key}: {error}") from None


def _the_file(root: Path) -> Path:
    if not root.is_dir():
        return root
    files = sorted(root.glob("*.h5"))
    if len(files) != 1:
        raise DataError(f"{root}: holds {len(files)} .h5 files; name the one to read as --data.root / --root")
    return files[0]
