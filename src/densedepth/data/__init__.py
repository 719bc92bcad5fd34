"""Data sets as sequences of frames, their readers, splits and augmentation. numpy and Pillow only."""

from __future__ import annotations

import os
from collections.abc import Callable

from densedepth.data.augment import AugmentConfig, augment, whole
from densedepth.data.base import DepthDataset, Frame, InMemory, Subset, split_by_scene
from densedepth.data.nyu import NyuCsv
from densedepth.errors import DataError

__all__ = [
    "AugmentConfig",
    "DepthDataset",
    "Frame",
    "InMemory",
    "NyuCsv",
    "Subset",
    "augment",
    "open_dataset",
    "split_by_scene",
    "whole",
]

#: name -> opener(root, split, mask_border); a new layout is one line here and one file beside this one.
DATASETS: dict[str, Callable[..., DepthDataset]] = {"nyu": NyuCsv}


def open_dataset(name: str, root: str | os.PathLike[str], split: str, *, mask_border: bool = False) -> DepthDataset:
    """Open the data set ``name`` below ``root``.

    Raises:
        DataError: unknown name, or the folder is not in the layout that the name promises.
    """
    if name not in DATASETS:
        raise DataError(f"unknown data set '{name}'; known: {', '.join(sorted(DATASETS))}")
    return DATASETS[name](root, split, mask_border=mask_border)
