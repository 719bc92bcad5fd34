"""Paired augmentation: what happens to the photo's geometry happens to its depth, by one draw of one generator.

Draws are seeded by (seed, epoch, index), so the stream is the same for any number of workers and after a restart.
The view is drawn before the frame is read, because a reader can save work when it knows how many pixels are enough.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from densedepth.data.base import Frame
from densedepth.data.view import Fit, Pair, View

#: The six orders of RGB; the authors' program draws one of them, identity included, when it swaps.
PERMUTATIONS = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
#: Rec. 601 luma, what Pillow calls grey.
GREY = (0.299, 0.587, 0.114)
#: CutDepth's p: the largest part of what lies right of and below its corner that the rectangle takes, each way.
CUT_SHARE = 0.75


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
        cut_depth: probability of a rectangle of the photo that shows its depth instead (CutDepth).
    """

    mirror: float = 0.5
    channel_swap: float = 0.25
    zoom_probability: float = 0.0
    max_zoom: float = 1.0
    rotation_deg: float = 0.0
    colour: float = 0.0
    blur_noise: float = 0.0
    cut_depth: float = 0.0


def generator(seed: int, epoch: int, index: int) -> np.random.Generator:
    """What draws for frame ``index`` in this epoch."""
    return np.random.default_rng((seed, epoch, index))


def draw_view(config: AugmentConfig, rng: np.random.Generator) -> View:
    """The geometry of one draw; does not depend on the frame."""
    zoom = math.exp(rng.uniform(0, math.log(config.max_zoom))) if rng.random() < config.zoom_probability else 1.0
    angle = math.radians(rng.uniform(-config.rotation_deg, config.rotation_deg))
    mirror = bool(rng.random() < config.mirror)
    # Zoomed, the window may lie anywhere.
    place = (rng.random(), rng.random()) if zoom > 1 else (0.5, 0.5)
    return View(zoom, place, angle, mirror)


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
        fit: how a frame of another aspect ratio fills ``size``; see :func:`densedepth.data.view.window_pixel`.

    Returns:
        Photo at ``size``, depth and mask at half of it.
    """
    view = draw_view(config, rng)
    return recolour(view.pair(frame, size, focal_px=focal_px, fit=fit), config, rng)


def whole(frame: Frame, size: tuple[int, int], *, focal_px: float | None, fit: Fit = "crop") -> Pair:
    """The largest window that ``fit`` allows, unchanged (validation); arguments and result as of :func:`augment`."""
    return View().pair(frame, size, focal_px=focal_px, fit=fit)


def recolour(pair: Pair, config: AugmentConfig, rng: np.random.Generator) -> Pair:
    """Draw the part of the augmentation that touches the photo alone."""
    image = pair.image
    swap = rng.random() < config.channel_swap
    if swap or config.colour > 0 or config.blur_noise > 0:
        picture = Image.fromarray(image)
        if swap:
            order = PERMUTATIONS[rng.integers(len(PERMUTATIONS))]
            picture = Image.merge("RGB", [picture.getchannel(i) for i in order])
        if config.colour > 0:
            picture = _jitter_colour(picture, config.colour, rng)
        if config.blur_noise > 0:
            picture = _blur_and_noise(picture, config.blur_noise, rng)
        image = np.array(picture)
    if config.cut_depth > 0 and rng.random() < config.cut_depth:
        _cut_depth(image, pair.depth_m, rng)
    return Pair(image, pair.depth_m, pair.valid)


def _jitter_colour(picture: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    """Gain per channel (exposure and white balance), contrast, saturation, gamma, each around 1."""
    gain = rng.uniform(1 - strength, 1 + strength) * rng.uniform(1 - strength / 3, 1 + strength / 3, size=3)
    contrast, saturation = rng.uniform(1 - strength, 1 + strength, size=2)
    gamma = math.exp(rng.uniform(-strength, strength))
    # Gamma and gain go by channel: a table. Contrast around mid-grey and saturation around the pixel's own grey mix
    # channels linearly: a matrix with offset. Both run in Pillow on 8 bits.
    levels = gain[:, None] * (np.arange(256) / 255) ** gamma
    table = (levels.clip(0, 1) * 255 + 0.5).astype(np.uint8)
    mix = contrast * (saturation * np.eye(3) + (1 - saturation) * np.array(GREY))
    matrix = np.column_stack([mix, np.full(3, 127.5 * (1 - contrast))])
    return picture.point(table.ravel().tolist()).convert("RGB", tuple(matrix.ravel().tolist()))


def _blur_and_noise(picture: Image.Image, probability: float, rng: np.random.Generator) -> Image.Image:
    if rng.random() < probability:
        # Shrinking and enlarging is a blur that costs little and looks like a soft lens.
        factor = rng.uniform(1.2, 2.0)
        small = picture.resize(
            (round(picture.width / factor), round(picture.height / factor)), Image.Resampling.BILINEAR
        )
        picture = small.resize(picture.size, Image.Resampling.BILINEAR)
    if rng.random() < probability:
        image = np.asarray(picture)
        noise = rng.standard_normal(image.shape, dtype=np.float32)
        noise *= np.float32(rng.uniform(1.0, 8.0))
        noise += image
        picture = Image.fromarray(noise.clip(0, 255, out=noise).astype(np.uint8))
    return picture


def _cut_depth(image: np.ndarray, depth_m: np.ndarray, rng: np.random.Generator) -> None:
    """Let a rectangle of ``image`` show its depth, the farthest as white; where that is unknown the photo stays.

    CutDepth: Ishii and Yamashita 2021, arXiv 2107.07684. Edges stay where they are, but the network cannot rely on
    colour there.
    """
    height, width = depth_m.shape
    top, left = int(rng.random() * height), int(rng.random() * width)
    bottom = top + max(1, int((height - top) * rng.random() * CUT_SHARE))
    right = left + max(1, int((width - left) * rng.random() * CUT_SHARE))
    # A pixel of depth is two of the photo, both ways.
    cut_m = depth_m[top:bottom, left:right].repeat(2, axis=0).repeat(2, axis=1)
    part = image[2 * top : 2 * bottom, 2 * left : 2 * right]
    known = cut_m > 0
    part[known] = (cut_m[known] * (255 / depth_m.max())).astype(np.uint8)[:, None]
