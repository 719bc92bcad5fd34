"""Tar shards of the WebDataset layout with random access, for training sets that are read from slow or far disks."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from densedepth.data.base import Frame, checked_frame
from densedepth.data.readers.depth_files import read_depth_values
from densedepth.data.readers.shard_index import Shard, index_path, indexed_shards, read_json, read_member, scan
from densedepth.data.readers.units import checked_units, in_metres
from densedepth.errors import DataError, ImageError
from densedepth.io import read_image
from densedepth.types import Camera

Root = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]

LARGEST_UNIT_M = 1e6
"""Metres per unit below which a number is taken for one."""


class Shards:
    """Samples of tar shards as a :class:`~densedepth.data.base.DepthDataset`.

    ``densedepth data prepare`` writes such shards with an index file. Those of others are read, too: ``KEY.jpg`` or
    ``.png``, ``KEY.depth.png`` or ``.depth.npy``, and ``KEY.json`` if there is one. Their headers are read once, when
    the data set is opened.

    Args:
        root: a folder with ``SPLIT-*.tar``; or one .tar, a list of them, or a pattern such as ``train-*.tar`` or
            ``train-{000000..000012}.tar``, which name the shards themselves: then the split plays no role.
        split: "train" or "test".
        metres_per_unit: metres per number in depth files, if the json does not say; float files hold metres.
        invalid: number that means no depth, besides 0; "nan" stands for everything that is not finite.

    Attributes:
        groups: the number of the shard of each frame. Who draws shard by shard reads in sequence.

    Raises:
        DataError: no shards there, or one that is damaged; see `densedepth.data.readers.shard_index`.
    """

    def __init__(
        self,
        root: Root,
        split: str = "train",
        *,
        metres_per_unit: float | None = None,
        invalid: float | Literal["nan"] = 0,
    ) -> None:
        self.metres_per_unit, self.invalid = checked_units(metres_per_unit, invalid)
        shards = [shard for shard in _open(root, split) if shard.keys]
        if not shards:
            raise DataError(f"{root}: these shards hold no samples")
        self.paths = [shard.path for shard in shards]
        self.keys = [key for shard in shards for key in shard.keys]
        self.scenes = [scene for shard in shards for scene in shard.scenes]
        self.groups = [number for number, shard in enumerate(shards) for _ in shard.keys]
        self._ranges = np.concatenate([shard.ranges for shard in shards])

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, index: int) -> Frame:
        return self.frame(index)

    def frame(self, index: int, at_least: tuple[int, int] | None = None) -> Frame:
        """See :class:`~densedepth.data.base.DepthDataset`."""
        path, key = self.paths[self.groups[index]], self.keys[index]
        photo, depth, known = self._ranges[index]
        about = read_json(path, known, key)
        label = f"{path}, {key}"
        try:
            image = read_image(read_member(path, photo, key), at_least)
        except ImageError as error:
            raise DataError(f"{label}: {error}") from None
        depth_m = self._depth_m(read_member(path, depth, key), about.get("metres_per_unit"), label)
        camera = _camera(about.get("camera"), label)
        if at_least is not None and image.shape[0] < depth_m.shape[0]:
            depth_m = picked(depth_m, *image.shape[:2])
        scene = self.scenes[index]
        return checked_frame(image, depth_m, camera=camera, scene=scene, key=str(about.get("key", key)), source=label)

    def _depth_m(self, data: bytes, known: Any, label: str) -> np.ndarray:
        try:
            stored = read_depth_values(data)
        except DataError as error:
            raise DataError(f"{label}: {error}") from None
        if known is not None and not (isinstance(known, int | float) and 0 < known < LARGEST_UNIT_M):
            raise DataError(f"{label}.json: metres_per_unit must be a positive number, it is {known!r:.50}")
        return in_metres(stored, self.metres_per_unit if known is None else known, self.invalid, label)


def picked(depth_m: np.ndarray, height: int, width: int) -> np.ndarray:
    """Depth (height, width) of the pixels nearest to the middles of the new ones: depths are never mixed."""
    rows = ((np.arange(height) + 0.5) * depth_m.shape[0] / height).astype(int)
    columns = ((np.arange(width) + 0.5) * depth_m.shape[1] / width).astype(int)
    nearest: np.ndarray = depth_m[rows[:, None], columns]
    return nearest


def _camera(values: Any, label: str) -> Camera | None:
    try:
        return None if values is None else Camera.from_dict(values)
    except ValueError as error:
        raise DataError(f"{label}.json: {error}") from None


def _open(root: Root, split: str) -> list[Shard]:
    if isinstance(root, str | os.PathLike) and Path(root).is_dir():
        folder = Path(root)
        paths = sorted(folder.glob(f"{glob.escape(split)}-*.tar"))
        index = index_path(folder, split)
        if index.exists():
            return indexed_shards(index, paths)
        if not paths:
            others = ", ".join(path.name for path in sorted(folder.glob("*.tar"))[:3])
            raise DataError(f"{folder}: no {split}-*.tar there" + (f", but {others}; name the split" if others else ""))
        return [scan(path) for path in paths]
    names = [root] if isinstance(root, str | os.PathLike) else list(root)
    return [scan(path) for name in names for path in _matches(os.fspath(name))]


def _matches(name: str) -> list[Path]:
    """The shards that a path or a pattern stands for."""
    numbers = re.search(r"\{(\d+)\.\.(\d+)\}", name)
    if numbers is not None:
        first, last = numbers.groups()
        all_numbers = (f"{number:0{len(first)}d}" for number in range(int(first), int(last) + 1))
        spelled = [name[: numbers.start()] + number + name[numbers.end() :] for number in all_numbers]
        return [path for one in spelled for path in _matches(one)]
    if Path(name).exists() or not glob.has_magic(name):
        return [Path(name)]
    found = [Path(match) for match in sorted(glob.glob(name))]
    if not found:
        raise DataError(f"{name}: no file matches; check the pattern")
    return found
