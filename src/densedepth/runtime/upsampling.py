"""Depth at the photo's own size, with its edges where the photo has them.

A network answers on a coarse grid, where an edge of depth is a slope some pixels wide. Two steps bring it to the photo:

1. On the coarse grid, every value is drawn to those neighbours that look like it and lie near it in depth: a joint
   bilateral filter (Petschnigg et al., 'Digital Photography with Flash and No-Flash Image Pairs', 2004) with a weight
   on depth as well. A neighbour's value is first carried over along its own surface, so that floors and walls stay
   plane. A few rounds of it turn slopes into steps where the colour changes.
2. Every pixel of the photo takes the mean of its four coarse neighbours, each weighted bilinearly and by how much its
   colour is like the pixel's (Kopf et al., 'Joint Bilateral Upsampling', 2007).

Both work on the logarithm of depth, so that near and far count alike. Step 2 goes through the photo in strips: nothing
of the photo's size is made but the result.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Upsampling = Literal["bilinear", "guided"]

ANSWER_PX = 2
"""Networks of this package answer at half the size of their input; the rest of the graph enlarges that bilinearly."""

RADIUS = 3
"""Reach of step 1, in coarse pixels."""

ROUNDS = 3

COLOUR_LEVELS = 13.0
"""Standard deviation of the colour weights: distance of two RGB colours, in levels of 255."""

LOG_DEPTH = 0.02
"""Standard deviation of the depth weight of step 1: 2 %."""

SLOPE = 0.02
"""Log depth a coarse pixel: steeper slopes are taken for blurred edges more than for surfaces."""

_UNLIKE = np.float32(1e-4)
"""Weight of a neighbour of quite another colour: where all four are, the mean is bilinear."""

Field = NDArray[np.float32]
_Pair = tuple[tuple[slice, slice], tuple[slice, slice], int, int, Field]


def upsampled(depth_m: Field, image: NDArray[np.uint8], how: Upsampling, *, tiled: bool = False) -> Field:
    """Bring a network's answer to the size of its photo.

    Args:
        depth_m: float32 (h, w) positive metres.
        image: uint8 (H, W, 3), the photo.
        how: "bilinear", or "guided" by the photo. Where the answer is as fine as the photo, both are bilinear.
        tiled: the answer comes from tiles, for all the detail there is: then guide it until what the network really
            answered, half of that, is as fine as the photo.

    Returns:
        float32 (H, W) metres.

    Raises:
        ValueError: `how` is neither.
    """
    if how not in get_args(Upsampling):
        raise ValueError(f"upsampling must be one of {', '.join(get_args(Upsampling))}, got {how!r}")
    (h, w), (height, width) = depth_m.shape, image.shape[:2]
    px = ANSWER_PX if tiled else 1
    if how == "bilinear" or min(h, w) < 2 * ANSWER_PX or h >= px * height or w >= px * width:
        return enlarged(depth_m, (width, height))
    answered = Image.fromarray(depth_m).resize((w // ANSWER_PX, h // ANSWER_PX), Image.Resampling.BOX)
    return guided(np.asarray(answered), image)


def guided(depth_m: Field, image: NDArray[np.uint8]) -> Field:
    """Depth on a coarse grid, float32 (h, w) with both sides at least 2, to the size (H, W) of its photo."""
    h, w = depth_m.shape
    coarse = _planes(shrunk(image, (w, h), Image.Resampling.BOX))
    return _joined(_sharpened(np.log(depth_m), coarse), coarse, image)


def enlarged(values: Field, size: tuple[int, int]) -> Field:
    """Bilinear, to `size` (width, height); what lies on a finer grid is averaged."""
    picture = Image.fromarray(values).resize(size, Image.Resampling.BILINEAR)
    return np.array(picture, dtype=np.float32)


def shrunk(image: NDArray[np.uint8], size: tuple[int, int], how: Image.Resampling) -> NDArray[np.uint8]:
    """A photo at `size` (width, height), antialiased.

    Much larger photos are first averaged in whole blocks, which is faster and as good; in strips, because Pillow would
    copy the photo at four bytes a pixel.
    """
    height, width = image.shape[:2]
    block = max(1, width // (3 * size[0])), max(1, height // (3 * size[1]))
    if block == (1, 1):
        return np.asarray(Image.fromarray(image).resize(size, how))
    strip = 64 * block[1]
    strips = [np.asarray(Image.fromarray(image[top : top + strip]).reduce(block)) for top in range(0, height, strip)]
    # The last block of a row or column may be a part of one.
    whole = (0.0, 0.0, width / block[0], height / block[1])
    return np.asarray(Image.fromarray(np.concatenate(strips)).resize(size, how, box=whole))


def _planes(image: NDArray[np.uint8]) -> Field:
    """Colours as (3, H, W), each plane in one piece; in their unit the squared distance is the weight's exponent."""
    planes = np.ascontiguousarray(image.transpose(2, 0, 1), dtype=np.float32)
    planes *= np.float32(np.sqrt(0.5) / COLOUR_LEVELS)
    return planes


def _sharpened(log_depth: Field, coarse: Field) -> Field:
    """Step 1."""
    pairs = list(_pairs(coarse))
    along_y, along_x = _slopes(log_depth, pairs)
    for _ in range(ROUNDS):
        total, weights = log_depth.copy(), np.ones_like(log_depth)
        for one, other, down, right, exponent in pairs:
            # The value of each as seen from the other's place.
            of_other = log_depth[other] - (along_y[other] * down + along_x[other] * right)
            of_one = log_depth[one] + (along_y[one] * down + along_x[one] * right)
            difference = 0.5 * (of_other - log_depth[one] + log_depth[other] - of_one)
            weight = np.exp(exponent - difference * difference * np.float32(0.5 / LOG_DEPTH**2))
            weights[one] += weight
            weights[other] += weight
            total[one] += weight * of_other
            total[other] += weight * of_one
        log_depth = total / weights
    return log_depth


def _pairs(coarse: Field) -> list[_Pair]:
    """All pairs of pixels within reach, each once: where both lie, how far apart, log weight by colour and distance."""
    h, w = coarse.shape[1:]
    pairs = []
    for down in range(min(RADIUS + 1, h)):
        for right in range(-RADIUS if down else 1, RADIUS + 1):
            if abs(right) >= w:
                continue
            one = slice(0, h - down), slice(max(0, -right), w - max(0, right))
            other = slice(down, h), slice(max(0, right), w - max(0, -right))
            difference = coarse[:, *one] - coarse[:, *other]
            # Two thirds of the reach are the standard deviation of the distance.
            distance = np.float32((down**2 + right**2) / (2 * (RADIUS * 2 / 3) ** 2))
            pairs.append((one, other, down, right, -np.square(difference).sum(axis=0) - distance))
    return pairs


def _slopes(log_depth: Field, pairs: list[_Pair]) -> tuple[Field, Field]:
    """Slope of the surface at each pixel, log depth a pixel down and right: the mean over what looks alike."""
    slopes = np.array(np.gradient(log_depth), dtype=np.float32)
    trust = 1 / (1 + np.square(slopes).sum(axis=0) / np.float32(SLOPE**2))
    sources = [trust * slopes[0], trust * slopes[1], trust]
    sums = [source.copy() for source in sources]
    for one, other, _, _, exponent in pairs:
        weight = np.exp(exponent)
        for source, total in zip(sources, sums, strict=True):
            total[one] += weight * source[other]
            total[other] += weight * source[one]
    return sums[0] / sums[2], sums[1] / sums[2]


def _joined(log_depth: Field, coarse: Field, image: NDArray[np.uint8]) -> Field:
    """Step 2, for all rows of the photo that lie between the same two coarse rows at a time."""
    (h, w), (height, width) = log_depth.shape, image.shape[:2]
    above, row_part = _between(height, h)
    left, column_part = _between(width, w)
    columns = ((left, 1 - column_part), (left + 1, column_part))
    depth_m = np.empty((height, width), np.float32)
    bounds = np.flatnonzero(np.diff(above, prepend=-1, append=h))
    for top, bottom in pairwise(bounds):
        colours = _planes(image[top:bottom])
        part = row_part[top:bottom, None]
        total = np.zeros(colours.shape[1:], np.float32)
        weights = np.zeros_like(total)
        for row, of_row in ((above[top], 1 - part), (above[top] + 1, part)):
            for column, of_column in columns:
                difference = colours - coarse[:, row][:, None, column]
                np.square(difference, out=difference)
                weight = difference[0]
                weight += difference[1]
                weight += difference[2]
                np.exp(np.negative(weight, out=weight), out=weight)
                weight += _UNLIKE
                weight *= of_row
                weight *= of_column
                weights += weight
                weight *= log_depth[row, column]
                total += weight
        total /= weights
        np.exp(total, out=depth_m[top:bottom])
    return depth_m


def _between(fine: int, coarse: int) -> tuple[NDArray[np.intp], Field]:
    """For each fine pixel, the coarse one before it and how far it is on the way to the next, 0 to 1."""
    place = np.clip((np.arange(fine) + 0.5) * (coarse / fine) - 0.5, 0, coarse - 1)
    before = np.minimum(place.astype(np.intp), coarse - 2)
    return before, (place - before).astype(np.float32)
