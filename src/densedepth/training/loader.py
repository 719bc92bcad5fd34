"""From frames to batches. A batch is ``image`` uint8 (N, 3, H, W), ``depth_m`` float32 and ``valid`` bool
(N, 1, H/2, W/2)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from densedepth.data import DepthDataset, InMemory, augment, open_dataset, split_by_scene, whole
from densedepth.data.augment import Pair, generator, window_pixel
from densedepth.errors import DenseDepthError
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


class EpochShuffle(Sampler[tuple[int, int]]):
    """Every frame once an epoch, in an order drawn from (seed, epoch). Lightning calls ``set_epoch``."""

    def __init__(self, length: int, seed: int) -> None:
        self.length = length
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.length)
        return ((self.epoch, int(index)) for index in order)


class DepthData(pl.LightningDataModule):
    """Opens the data set, splits it by scene, and makes the loaders.

    Attributes:
        camera: the training camera: that of the first frame, at the scale at which the network sees whole frames.
            None when the data set does not say.
    """

    def __init__(self, config: DataConfig, batch_size: int, seed: int) -> None:
        super().__init__()
        self.config = config
        self.batch_size = batch_size
        self.seed = seed
        frames = open_dataset(config.dataset, config.root, "train", mask_border=config.mask_border)
        self.train_frames, self.validation_frames = split_by_scene(
            frames, config.validation_fraction, config.split_seed
        )
        if len(self.train_frames) < batch_size:
            raise DenseDepthError(
                f"{config.root}: {len(self.train_frames)} training frames are fewer than one batch of {batch_size}"
            )
        self.camera = frames[0].camera
        if self.camera is not None:
            width, height = self.camera.width, self.camera.height
            pixel_x, pixel_y = window_pixel(width, height, (config.height, config.width), config.fit)
            self.camera = self.camera.resized(round(width / pixel_x), round(height / pixel_y))

    def train_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        frames: DepthDataset = InMemory(self.train_frames) if self.config.in_memory else self.train_frames
        pairs = TrainingPairs(frames, self.config, self.seed, self._canonical_focal_px())
        sampler = EpochShuffle(len(frames), self.seed)
        return self._loader(pairs, sampler=sampler, drop_last=True)

    def val_dataloader(self) -> DataLoader[dict[str, Tensor]] | list[DataLoader[dict[str, Tensor]]]:
        if not len(self.validation_frames):
            return []
        return self._loader(ValidationPairs(self.validation_frames, self.config, self._canonical_focal_px()))

    def _canonical_focal_px(self) -> float | None:
        if not self.config.canonical_focal:
            return None
        if self.camera is None:
            raise DenseDepthError(f"{self.config.root}: the data set has no camera: set --data.canonical_focal false")
        return self.camera.focal_px

    def _loader(self, pairs: Dataset[dict[str, Tensor]], **options: object) -> DataLoader[dict[str, Tensor]]:
        return DataLoader(
            pairs,
            batch_size=self.batch_size,
            num_workers=self.config.workers,
            persistent_workers=self.config.workers > 0,
            pin_memory=torch.cuda.is_available(),
            **options,  # type: ignore[arg-type]
        )


def _tensors(pair: Pair) -> dict[str, Tensor]:
    return {
        "image": torch.from_numpy(pair.image).permute(2, 0, 1),
        "depth_m": torch.from_numpy(pair.depth_m)[None],
        "valid": torch.from_numpy(pair.valid)[None],
    }
