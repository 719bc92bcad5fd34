"""From frames to batches. A batch is ``image`` uint8 (N, 3, H, W), ``depth_m`` float32 and ``valid`` bool
(N, 1, H/2, W/2)."""

from __future__ import annotations

import math
import signal
from collections.abc import Iterable
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from densedepth.data import DepthDataset, Frame, InMemory, Joined, open_dataset, split_by_scene
from densedepth.data.base import read_frame
from densedepth.data.view import View, window_pixel
from densedepth.errors import DenseDepthError
from densedepth.training.config import DataConfig
from densedepth.training.memory import keep_freed_memory
from densedepth.training.order import BatchOrder, shard_of_each_frame
from densedepth.training.pairs import TrainingPairs, ValidationPairs

Batch = dict[str, Tensor]


class DepthData:
    """Opens the data set, splits it by scene, and makes the batches.

    With the batch size "auto" it only counts frames until :meth:`batch` is called.

    Attributes:
        camera: the training camera: that of the first frame, at the scale at which the network sees whole frames.
            None when the data set does not say.
        also: further training data sets, not split.
        order: which frames make up which batch.
    """

    def __init__(self, config: DataConfig, batch_size: int | Literal["auto"], seed: int) -> None:
        self.config = config
        self.seed = seed
        frames = open_dataset(config.dataset, config.root, "train", **config.options)
        self.train_frames, self.validation_frames = split_by_scene(
            frames, config.validation_fraction, config.split_seed
        )
        self.also = [open_dataset(part.dataset, part.root, "train", **part.options) for part in config.also]
        self.camera = frames[0].camera
        if self.camera is not None:
            width, height = self.camera.width, self.camera.height
            pixel_x, pixel_y = window_pixel(width, height, (config.height, config.width), config.fit)
            self.camera = self.camera.resized(round(width / pixel_x), round(height / pixel_y))
        if batch_size != "auto":
            self.batch(batch_size)

    def batch(self, size: int) -> None:
        """From now on make batches of ``size`` frames.

        Raises:
            DenseDepthError: there are fewer training frames than that.
        """
        if len(self.train_frames) < size:
            raise DenseDepthError(
                f"{self.config.root}: {len(self.train_frames)} training frames are fewer than one batch of {size}"
            )
        self.batch_size = size
        self.share(rank=0, world=1)

    def share(self, rank: int, world: int) -> None:
        """From now on make only the batches' parts of process ``rank`` of ``world``."""
        self.rank, self.world = rank, world
        random_access = self.config.in_memory or self.also
        self.order = BatchOrder(
            len(self.train_frames),
            self.batch_size,
            self.seed,
            rank=rank,
            world=world,
            groups=None if random_access else shard_of_each_frame(self.train_frames),
            also=[(len(frames), part.per_epoch) for frames, part in zip(self.also, self.config.also, strict=True)],
        )

    @property
    def steps_per_epoch(self) -> int:
        return self.order.batches

    def train_batches(self, epoch: int, start: int = 0) -> Iterable[Batch]:
        """The batches of an epoch from number ``start`` on."""
        self.order.begin(epoch, start)
        return self._train_loader

    def validation_batches(self) -> Iterable[Batch]:
        """Every validation frame once, process ``rank`` taking every ``world``-th."""
        return self._validation_loader

    def names(self, epoch: int, batch: int) -> list[str]:
        """The keys of a batch's frames, for messages."""
        return [self._name(index) for index in self.order.indices(epoch, batch)]

    def _name(self, index: int) -> str:
        try:
            return self._all_frames[index].key
        except Exception as error:  # the frame may be what is wrong
            return f"frame {index}, which cannot be read ({error})"

    @cached_property
    def _all_frames(self) -> DepthDataset:
        return Joined([self.train_frames, *self.also]) if self.also else self.train_frames

    @cached_property
    def _train_loader(self) -> DataLoader[Batch]:
        frames = self._all_frames
        if self.config.in_memory:
            frames = InMemory(_AtOneSize(frames, self.config))
        pairs = TrainingPairs(frames, self.config, self.seed, self._canonical_focal_px())
        return self._loader(pairs, batch_sampler=self.order)

    @cached_property
    def _validation_loader(self) -> DataLoader[Batch]:
        pairs = ValidationPairs(self.validation_frames, self.config, self._canonical_focal_px())
        mine = range(self.rank, len(self.validation_frames), self.world)
        return self._loader(pairs, sampler=mine, batch_size=max(1, self.batch_size // self.world))

    def _canonical_focal_px(self) -> float | None:
        if not self.config.canonical_focal:
            return None
        # Frames without camera are taken to be seen by the training camera: only their zoom counts, not this number.
        return 1.0 if self.camera is None else self.camera.focal_px

    def _loader(self, pairs: Dataset[Batch], **options: object) -> DataLoader[Batch]:
        return DataLoader(
            pairs,
            num_workers=self.config.workers,
            persistent_workers=self.config.workers > 0,
            worker_init_fn=_begin_worker,
            collate_fn=_in_one_piece,
            pin_memory=torch.cuda.is_available(),
            # A generator of its own: each pass draws a number, which must not move the network's random numbers.
            generator=torch.Generator(),
            **options,  # type: ignore[arg-type]
        )


class _AtOneSize:
    """Frames as large as the strongest augmentation needs them, whatever is asked for.

    What is kept in memory must not depend on the views that were drawn before: a run that goes on would see other
    pixels, and so would another number of loader processes.
    """

    def __init__(self, frames: DepthDataset, config: DataConfig) -> None:
        self.frames, self.scenes = frames, frames.scenes
        nearest = View(zoom=config.augment.max_zoom, angle=math.radians(config.augment.rotation_deg))
        self.most = nearest.at_least((config.height, config.width))

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> Frame:
        return self.frames[index]

    def frame(self, index: int, at_least: tuple[int, int] | None = None) -> Frame:
        return read_frame(self.frames, index, self.most)


def _in_one_piece(samples: list[Batch]) -> Batch:
    """As torch's own collate, but all tensors of the batch lie in one piece of memory.

    A loader process hands over each piece by a handshake of its own, which takes longer than stacking the numbers.
    """
    # Wide numbers first, so that each tensor starts where its type may.
    names = sorted(samples[0], key=lambda name: -samples[0][name].itemsize)
    sizes = [len(samples) * samples[0][name].nbytes for name in names]
    batch = {}
    parts = torch.split(torch.empty(sum(sizes), dtype=torch.uint8), sizes)
    for name, part in zip(names, parts, strict=True):
        one = samples[0][name]
        out = part.view(one.dtype).view(len(samples), *one.shape)
        batch[name] = torch.stack([sample[name] for sample in samples], out=out)
    return batch


def _begin_worker(worker: int) -> None:
    keep_freed_memory()
    # Ctrl-C reaches all processes of a terminal; the workers must still deliver the step that is being finished.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
