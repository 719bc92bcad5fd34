"""Paired augmentation: what happens to the photo's geometry happens to its depth, by one draw of one generator.

Draws are seeded by (seed, epoch, index), so the stream is the same for any number of workers and after a restart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from densedepth.data.base import Frame

#: The six orders of RGB; the authors' program draws one of them, identity included, when it swaps.
PERMUTATIONS = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))

Fit = Literal["crop", "stretch"]


@dataclass(frozen=True)
class AugmentConfig:
    """What training does to a frame. The defaults are the paper's: mirror and channel permutation only.

    Attributes:
        mirror: probability of a horizontal flip.
        channel_swap: probability of drawing one of the six orders of the colour channels, identity included. The
            paper gives .25; the authors' program comes to .357.
        zoom_probability: probability of a zoom-crop; otherwise the largest window that fits is used.
        max_zoom: largest zoom. A crop of 1/zoom of the frame, enlarged, looks as a camera with zoom times the focal
            length sees the room, so depth is divided by the zoom to hold for the training camera.
        rotation_deg: largest camera roll, in degrees; uncovered corners become invalid.
        colour: strength of brightness, contrast, saturation, gamma and white-balance jitter; 0 = none.
        blur_noise: probability of a slight blur or sensor noise, each.
    """

    mirror: float = 0.5
    channel_swap: float = 0.25
    zoom_probability: float = 0.0
    max_zoom: float = 1.0
    rotation_deg: float = 0.0
    colour: float = 0.0
    blur_noise: float = 0.0


@dataclass(frozen=True)
class Pair:
    """A frame brought to the network's sizes.

    Attributes:
        image: uint8 (H, W, 3).
        depth_m: float32 (H/2, W/2), for the training camera; 0 where invalid.
        valid: bool (H/2, W/2).
    """

    image: np.ndarray
    depth_m: np.ndarray
    valid: np.ndarray


def window_pixel(width: int, height: int, size: tuple[int, int], fit: Fit = "crop") -> tuple[float, float]:
    """Width and height, in frame pixels, of one pixel of the network's input of ``size`` (h, w).

    "crop" fills it with the largest window of its aspect ratio, so that pixels stay square; "stretch" with the whole
    frame.
    """
    x, y = width / size[1], height / size[0]
    return (x, y) if fit == "stretch" else (min(x, y), min(x, y))


def generator(seed: int, epoch: int, index: int) -> np.random.Generator:
    return np.random.default_rng((seed, epoch, index))


def augment(
    frame: Frame,
    size: tuple[int, int],
    config: AugmentConfig,
    rng: np.random.Generator,
    *,
    focal_px: float | None,
    fit: Fit = "crop",
) -> Pair:
    """Draw one augmented pair from ``frame``.

    Args:
        frame: the frame to draw from.
        size: (height, width) of the image for the network; depth comes at half of it.
        config: probabilities and strengths.
        rng: makes all the draws.
        focal_px: focal length of the training camera at ``size``. Depth is scaled from the drawn view's focal
            length to it. None leaves depth unscaled (the paper).
        fit: how a frame of another aspect ratio fills ``size``; see :func:`window_pixel`.
    """
    height, width = frame.depth_m.shape
    zoom = math.exp(rng.uniform(0, math.log(config.max_zoom))) if rng.random() < config.zoom_probability else 1.0
    angle = math.radians(rng.uniform(-config.rotation_deg, config.rotation_deg))
    mirror = rng.random() < config.mirror
    # Zoomed, the window may lie anywhere.
    pixel_x, pixel_y = (side / zoom for side in window_pixel(width, height, size, fit))
    crop_w, crop_h = size[1] * pixel_x, size[0] * pixel_y
    centre_x = rng.uniform(crop_w / 2, width - crop_w / 2) if zoom > 1 else width / 2
    centre_y = rng.uniform(crop_h / 2, height - crop_h / 2) if zoom > 1 else height / 2

    view = _View(centre_x, centre_y, crop_w, crop_h, angle, mirror)
    image = view.photo(frame.image, size)
    half = (size[0] // 2, size[1] // 2)
    depth_m = view.depth(np.where(frame.valid, frame.depth_m, np.float32(0)), half)
    if focal_px is not None and frame.camera is not None:
        view_focal_px = (frame.camera.fx / pixel_x + frame.camera.fy / pixel_y) / 2
        depth_m = depth_m * np.float32(focal_px / view_focal_px)

    if rng.random() < config.channel_swap:
        image = image[..., PERMUTATIONS[rng.integers(len(PERMUTATIONS))]]
    if config.colour > 0:
        image = _jitter_colour(image, config.colour, rng)
    if config.blur_noise > 0:
        image = _blur_and_noise(image, config.blur_noise, rng)
    return Pair(np.ascontiguousarray(image), depth_m, depth_m > 0)


def whole(frame: Frame, size: tuple[int, int], *, focal_px: float | None, fit: Fit = "crop") -> Pair:
    """The largest window that ``fit`` allows, unchanged (validation)."""
    unchanged = AugmentConfig(mirror=0, channel_swap=0)
    return augment(frame, size, unchanged, generator(0, 0, 0), focal_px=focal_px, fit=fit)


@dataclass(frozen=True)
class _View:
    """A window of the frame: centre and size in its pixels, turned by ``angle``, possibly mirrored."""

    centre_x: float
    centre_y: float
    crop_w: float
    crop_h: float
    angle: float
    mirror: bool

    def _matrix(self, size: tuple[int, int], shrink: tuple[float, float] = (1.0, 1.0)) -> tuple[float, ...]:
        """PIL's affine: output pixel (x, y) -> source pixel, on a source shrunk by ``shrink`` in x and y."""
        height, width = size
        sx, sy = self.crop_w / width, self.crop_h / height
        if self.mirror:
            sx = -sx
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        a, b, d, e = cos * sx, -sin * sy, sin * sx, cos * sy
        c = self.centre_x - a * width / 2 - b * height / 2
        f = self.centre_y - d * width / 2 - e * height / 2
        return *(v / shrink[0] for v in (a, b, c)), *(v / shrink[1] for v in (d, e, f))

    def photo(self, image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Anti-aliased: the source is first brought to the output's scale, then turned and cut bilinearly."""
        picture = Image.fromarray(image)
        factor = min(self.crop_w / size[1], self.crop_h / size[0])
        shrink = (1.0, 1.0)
        if factor > 1:
            small = max(1, round(picture.width / factor)), max(1, round(picture.height / factor))
            shrink = picture.width / small[0], picture.height / small[1]
            picture = picture.resize(small, Image.Resampling.BOX)
        turned = picture.transform(
            (size[1], size[0]), Image.Transform.AFFINE, self._matrix(size, shrink), Image.Resampling.BILINEAR
        )
        return np.array(turned)

    def depth(self, depth_m: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Nearest neighbour: depth is never mixed across an edge or with a hole. Outside the frame it is 0."""
        turned = Image.fromarray(depth_m).transform(
            (size[1], size[0]), Image.Transform.AFFINE, self._matrix(size), Image.Resampling.NEAREST
        )
        return np.array(turned)  # a copy: Pillow's own memory is read-only


def _jitter_colour(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Gain per channel (exposure and white balance), contrast, saturation, gamma, each around 1."""
    gain = rng.uniform(1 - strength, 1 + strength) * rng.uniform(1 - strength / 3, 1 + strength / 3, size=3)
    contrast, saturation = rng.uniform(1 - strength, 1 + strength, size=2)
    gamma = math.exp(rng.uniform(-strength, strength))
    # Per-channel parts as one table of 256 entries; saturation needs the pixel.
    level = (np.arange(256)[:, None] / 255.0) ** gamma * gain
    table = (level - 0.5) * contrast + 0.5
    x = np.take_along_axis(table, image.reshape(-1, 3), axis=0).reshape(image.shape).astype(np.float32)
    grey = x @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    x = grey[..., None] + np.float32(saturation) * (x - grey[..., None])
    return (x.clip(0, 1) * 255 + 0.5).astype(np.uint8)


def _blur_and_noise(image: np.ndarray, probability: float, rng: np.random.Generator) -> np.ndarray:
    if rng.random() < probability:
        # Shrinking and enlarging is a blur that costs little and looks like a soft lens.
        factor = rng.uniform(1.2, 2.0)
        height, width = image.shape[:2]
        small = Image.fromarray(image).resize(
            (round(width / factor), round(height / factor)), Image.Resampling.BILINEAR
        )
        image = np.asarray(small.resize((width, height), Image.Resampling.BILINEAR))
    if rng.random() < probability:
        sigma = rng.uniform(1.0, 8.0)
        noise = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(sigma)
        image = (image + noise).clip(0, 255).astype(np.uint8)
    return image
