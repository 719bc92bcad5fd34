"""The plain way to load and augment: per sample, in the loader's workers, into float tensors. See loader.py.

Written as one who knows the tools writes it: crop and resize are one step, geometry comes after the photo is small,
and nothing is done that the draw does not ask for.
"""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

from densedepth.data import AugmentConfig

#: What resizes the photo: Pillow with one of its filters, or torchvision on a tensor of bytes (bilinear, antialiased).
Resizer = Image.Resampling | Literal["torchvision"]


class Plain(Dataset[tuple[Tensor, Tensor]]):
    """Pairs of image float32 (3, H, W), 0..1, and depth in metres, float32 (1, H/2, W/2)."""

    def __init__(
        self, files: list[tuple[Path, Path]], size: tuple[int, int], augment: AugmentConfig, resizer: Resizer
    ) -> None:
        self.files, self.size, self.augment, self.resizer = files, size, augment, resizer

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        photo_path, depth_path = self.files[index]
        photo, depth = Image.open(photo_path).convert("RGB"), Image.open(depth_path)
        config, (height, width) = self.augment, self.size
        zoom = 1.0
        if random.random() < config.zoom_probability:
            zoom = math.exp(random.uniform(0, math.log(config.max_zoom)))
        side_x, side_y = photo.width / zoom, photo.height / zoom
        left, top = random.random() * (photo.width - side_x), random.random() * (photo.height - side_y)
        box = (left, top, left + side_x, top + side_y)
        image = self._resized(photo, box)
        small = depth.resize((width // 2, height // 2), Image.Resampling.NEAREST, box)
        depth_m = torch.from_numpy(np.array(small, dtype=np.float32))[None] / (1000 * zoom)
        if config.rotation_deg:
            angle = random.uniform(-config.rotation_deg, config.rotation_deg)
            image = F.rotate(image, angle, InterpolationMode.BILINEAR)
            depth_m = F.rotate(depth_m, angle)
        if random.random() < config.mirror:
            image, depth_m = image.flip(-1), depth_m.flip(-1)
        return self._recoloured(image), depth_m

    def _resized(self, photo: Image.Image, box: tuple[float, float, float, float]) -> Tensor:
        height, width = self.size
        if isinstance(self.resizer, Image.Resampling):
            resized = photo.resize((width, height), self.resizer, box)
            return torch.from_numpy(np.array(resized)).permute(2, 0, 1).float().div_(255)
        left, top, right, bottom = (round(side) for side in box)
        pixels = torch.from_numpy(np.array(photo)).permute(2, 0, 1)
        small: Tensor = F.resized_crop(pixels, top, left, bottom - top, right - left, [height, width])
        return small.float().div_(255)

    def _recoloured(self, image: Tensor) -> Tensor:
        config, strength = self.augment, self.augment.colour
        if random.random() < config.channel_swap:
            image = image[torch.randperm(3)]
        if strength:
            gain = random.uniform(1 - strength, 1 + strength) * (1 + strength / 3 * (2 * torch.rand(3, 1, 1) - 1))
            image = image.pow(math.exp(random.uniform(-strength, strength))).mul_(gain).clamp_(0, 1)
            image = F.adjust_contrast(image, random.uniform(1 - strength, 1 + strength))
            image = F.adjust_saturation(image, random.uniform(1 - strength, 1 + strength))
        if random.random() < config.blur_noise:
            image = F.gaussian_blur(image, [5, 5], [random.uniform(0.5, 1.0)] * 2)
        if random.random() < config.blur_noise:
            image = image.add(torch.randn_like(image), alpha=random.uniform(1, 8) / 255).clamp_(0, 1)
        return image
