"""NYU Depth v2, the 1449 labelled frames as published: ``nyu_depth_v2_labeled.mat`` (MATLAB 7.3, which is HDF5).

MATLAB stores the first dimension first, h5py reads it last: ``images`` (N, 3, W, H) uint8, ``depths`` and
``rawDepths`` (N, W, H) float32 metres, 0 = hole.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import numpy as np

from densedepth.data.base import Frame, checked_frame
from densedepth.data.readers.hdf5 import Hdf5
from densedepth.data.readers.nyu import KINECT, inside_border
from densedepth.data.readers.nyu_official import official_frames, read_splits
from densedepth.errors import DataError
from densedepth.io.opening import one_line

FILE_NAME = "nyu_depth_v2_labeled.mat"
ARRAYS = {"filled": "depths", "raw": "rawDepths"}


class NyuMat:
    """One part of the labelled set as a :class:`~densedepth.data.base.DepthDataset`; frames are read one at a time.

    Args:
        root: the .mat, or the folder that holds ``nyu_depth_v2_labeled.mat``.
        split: "train" (795 frames) or "test" (654), the official ones: from ``splits``, else from a ``splits.mat``
            beside the .mat, else from the list inside this package.
        splits: a file in the format of ``splits.mat`` (``trainNdxs``, ``testNdxs``).
        depth: "filled" for the in-painted depth, "raw" for the sensor's with its holes.
        mask_border: mark the pixels of the white border invalid (for training; evaluation has crops of its own).

    Raises:
        DataError: no such file, damaged, not in the layout, or splits that do not fit it. A ``splits.mat`` that
            cannot be read is an error, never a reason for another split.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        split: Literal["train", "test"] = "train",
        *,
        splits: str | os.PathLike[str] | None = None,
        depth: Literal["filled", "raw"] = "filled",
        mask_border: bool = False,
    ) -> None:
        path = Path(root)
        path = path / FILE_NAME if path.is_dir() else path
        if split not in ("train", "test"):
            raise DataError(f"{path}: there is no split '{split}', only train and test")
        if depth not in ARRAYS:
            raise DataError(f"{path}: depth is 'filled' or 'raw', not '{depth}'")
        self._mat = Hdf5(path)
        self._depths = ARRAYS[depth]
        count, _, width, height = self._mat.dataset("images", shape=(None, 3, None, None)).shape
        self._mat.dataset(self._depths, shape=(count, width, height))
        self.mask_border = mask_border
        beside = path.with_name("splits.mat")
        if splits is not None or beside.exists():
            parts = read_splits(Path(splits) if splits is not None else beside, count)
            self.indices = parts[split]
        else:
            self.indices = [i for i, (_, part) in enumerate(official_frames(count, str(path))) if part == split]
        scenes = self._scenes(count)
        self.scenes = [scenes[i] for i in self.indices]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Frame:
        number = self.indices[index]
        image = self._mat.read("images", number)
        depth_m = self._mat.read(self._depths, number).T
        return checked_frame(
            np.ascontiguousarray(image.transpose(2, 1, 0)),
            depth_m,
            valid=inside_border(*depth_m.shape) if self.mask_border else None,
            camera=KINECT,
            scene=self.scenes[index],
            key=f"{number:05}",
            source=f"{self._mat.path}: {self._depths}, frame {number + 1}",
        )

    def _scenes(self, count: int) -> list[str]:
        """The scene of each frame: references to arrays of UTF-16 units; without them, the official list's."""
        if "scenes" not in self._mat.names("/"):
            return [scene for scene, _ in official_frames(count, str(self._mat.path))]
        references = np.ravel(self._mat.read("scenes"))
        try:
            scenes = [
                np.ravel(self._mat.read(reference)).astype("<u2").tobytes().decode("utf-16-le")
                for reference in references
            ]
        except (DataError, ValueError, TypeError, AttributeError) as error:
            raise DataError(
                f"{self._mat.path}: 'scenes' is not a list of names ({one_line(error)}); get a whole copy"
            ) from None
        if len(scenes) != count:
            raise DataError(f"{self._mat.path}: names {len(scenes)} scenes for {count} frames; get a whole copy")
        return scenes
