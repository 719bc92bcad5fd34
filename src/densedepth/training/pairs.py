"""From frames to tensors: what one sample is, drawn by (epoch, index).

A sample is ``image`` uint8 (3, H, W), ``depth_m`` float32 and ``valid`` bool (1, H/2, W/2), and the int64 numbers
``epoch`` and ``index``, which say what draw of which frame it is. The loader stacks them. Photos stay bytes
on their way to the device, where the network brings them to 0..1.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.data import Dataset

from densedepth.data import DepthDataset
from densedepth.data.augment import draw_view, generator, recolour
from densedepth.data.base import read_frame
from densedepth.data.view import Pair, View
from densedepth.training.config import DataConfig


class TrainingPairs(Dataset[dict[str, Tensor]]):
    """Augmented pairs. Indexed by (epoch, index), so that worker processes need no state to draw what is due."""

    def __init__(self, frames: DepthDataset, config: DataConfig, seed: int, focal_px: float | None) -> None:
        self.frames = frames
        self.config = config
        self.seed = seed
        self.focal_px = focal_px

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Tensor]:
        epoch, index = key
        rng = generator(self.seed, epoch, index)
        view = draw_view(self.config.augment, rng)
        pair = _seen(self.frames, index, view, self.config, self.focal_px)
        return _tensors(recolour(pair, self.config.augment, rng), epoch, index)


class ValidationPairs(Dataset[dict[str, Tensor]]):
    """Whole frames, unchanged. ``epoch`` is 0."""

    def __init__(self, frames: DepthDataset, config: DataConfig, focal_px: float | None) -> None:
        self.frames = frames
        self.config = config
        self.focal_px = focal_px

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return _tensors(_seen(self.frames, index, View(), self.config, self.focal_px), 0, index)


def _seen(frames: DepthDataset, index: int, view: View, config: DataConfig, focal_px: float | None) -> Pair:
    size = (config.height, config.width)
    frame = read_frame(frames, index, view.at_least(size))
    return view.pair(frame, size, focal_px=focal_px, fit=config.fit)


def _tensors(pair: Pair, epoch: int, index: int) -> dict[str, Tensor]:
    return {
        "image": torch.from_numpy(pair.image).permute(2, 0, 1),
        "depth_m": torch.from_numpy(pair.depth_m)[None],
        "valid": torch.from_numpy(pair.valid)[None],
        "epoch": torch.tensor(epoch),
        "index": torch.tensor(index),
    }
