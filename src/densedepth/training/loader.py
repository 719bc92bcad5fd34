"""From frames to batches. A batch is ``image`` uint8 (N, 3, H, W), ``depth_m`` float32 and ``valid`` bool
(N, 1, H/2, W/2)."""

from __future__ import annotations

import lightning.pytorch as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from densedepth.data import DepthDataset, InMemory, open_dataset, split_by_scene
from densedepth.data.augment import window_pixel
from densedepth.errors import DenseDepthError
from densedepth.training.config import DataConfig
from densedepth.training.order import EpochShuffle
from densedepth.training.pairs import TrainingPairs, ValidationPairs


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
        frames = open_dataset(config.dataset, config.root, "train", **config.options)
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
