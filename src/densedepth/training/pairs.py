"""From frames to tensors: what one sample is, drawn by (epoch, index)."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor
from torch.utils.data import Dataset

from densedepth.data import DepthDataset, augment, whole
from densedepth.data.augment import Pair, generator
from densedepth.training.config import DataConfig


class TrainingPairs(Dataset[dict[str, Tensor]]):
    """Augmented pairs. Indexed by (epoch, index), so that worker processes need no state to draw what is due."""

    def __init__(self, frames: DepthDataset, config: DataConfig, seed: int, focal_px: float | None) -> None:
        self.frames = frames
        size = (config.height, config.width)
        self.draw = partial(augment, size=size, config=config.augment, focal_px=focal_px, fit=config.fit)
        self.seed = seed

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Tensor]:
        epoch, index = key
        pair = self.draw(self.frames[index], rng=generator(self.seed, epoch, index))
        return _tensors(pair)


class ValidationPairs(Dataset[dict[str, Tensor]]):
    """Whole frames, unchanged."""

    def __init__(self, frames: DepthDataset, config: DataConfig, focal_px: float | None) -> None:
        self.frames = frames
        self.draw = partial(whole, size=(config.height, config.width), focal_px=focal_px, fit=config.fit)

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return _tensors(self.draw(self.frames[index]))


def _tensors(pair: Pair) -> dict[str, Tensor]:
    return {
        "image": torch.from_numpy(pair.image).permute(2, 0, 1),
        "depth_m": torch.from_numpy(pair.depth_m)[None],
        "valid": torch.from_numpy(pair.valid)[None],
    }
