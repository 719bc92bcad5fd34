"""Data sets as sequences of frames, their readers, splits and augmentation. numpy and Pillow only; what a single
layout needs beyond them (h5py, scipy, datasets) is imported when it is opened."""

from __future__ import annotations

import inspect
import os
from importlib import import_module
from typing import Any, cast

from densedepth.data.augment import AugmentConfig, augment, whole
from densedepth.data.base import DepthDataset, Frame, InMemory, Joined, Subset, checked_frame, split_by_scene
from densedepth.data.fill import fill_depth
from densedepth.data.readers.nyu import NyuCsv
from densedepth.errors import DataError

__all__ = [
    "AugmentConfig",
    "DepthDataset",
    "Frame",
    "InMemory",
    "Joined",
    "NyuCsv",
    "Subset",
    "augment",
    "checked_frame",
    "fill_depth",
    "open_dataset",
    "split_by_scene",
    "whole",
]

#: name -> "module:class"; the class is called as (root, split, **options). A new layout is one line here and one file
#: in readers/.
DATASETS: dict[str, str] = {
    "hf": "densedepth.data.readers.hub:HubDataset",
    "shards": "densedepth.data.readers.shards:Shards",
    "folder": "densedepth.data.readers.folder:Folder",
    "nyu": "densedepth.data.readers.nyu:NyuCsv",
    "nyu-mat": "densedepth.data.readers.nyu_mat:NyuMat",
    "nyu-npy": "densedepth.data.readers.nyu_npy:NyuNpy",
    "nyu-sync": "densedepth.data.readers.nyu_sync:NyuSync",
    "unreal": "densedepth.data.readers.unreal:Unreal",
    "kitti": "densedepth.data.readers.kitti:KittiRaw",
    "kitti-depth": "densedepth.data.readers.kitti_depth:KittiDepth",
    "kitti-object": "densedepth.data.readers.kitti_object:KittiObject",
}


def open_dataset(name: str, root: str | os.PathLike[str], split: str, **options: Any) -> DepthDataset:
    """Open a data set by the name of its layout.

    Args:
        name: one of `DATASETS`.
        root: folder, or file, of the data set.
        split: part of it, such as "train" or "test".
        options: keyword arguments of the layout's reader.

    Returns:
        The frames, none of them read yet.

    Raises:
        DataError: unknown name or option, or the folder is not in the layout that the name promises.
    """
    if name not in DATASETS:
        raise DataError(f"unknown data set '{name}'; known: {', '.join(sorted(DATASETS))}")
    module, reader_name = DATASETS[name].split(":")
    reader = getattr(import_module(module), reader_name)
    known = [p.name for p in inspect.signature(reader).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for option in options:
        if option not in known:
            raise DataError(
                f"the data set '{name}' has no option '{option}'; it has: {', '.join(known) if known else 'none'}"
            )
    return cast(DepthDataset, reader(root, split, **options))
