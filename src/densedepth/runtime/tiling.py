"""Big pictures: a photo seen finer than the network's own scale, in overlapping tiles.

A tile is a crop. The network takes it for a whole photo of its training camera, which sees several times as much, so
its metres are wrong by a factor of its own in every tile. The whole photo, predicted once, is the guide: what varies
slowly is the guide's, what varies quickly the tile's. In log depth, each tile is moved by the median of its distance to
the guide, and by the smooth part of what is left. Tiles fade into each other over their overlap.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from densedepth.runtime.upsampling import Field, enlarged

Tiles = int | Literal["auto"]
"""How many times as fine as at its own scale the network sees a photo; 1 is without tiles."""

MAX_FACTOR = 8
MAX_AUTO_FACTOR = 4
"""Tiles that see less than a quarter of the photo's width know little about what they look at."""

OVERLAP = 0.5
"""Part of a tile that its neighbour sees, too."""

CELLS = 8
"""The smooth part of a distance has so many cells along the longer side of a tile."""

MAX_STRAY = 0.5
"""Log depth: one cell can ask for no more than this after the median, where tile and guide see different things."""


class Tile(NamedTuple):
    """A tile's place, in pixels of the fine grid."""

    rows: slice
    columns: slice


def tile_factor(tiles: Tiles, size: tuple[int, int], working: tuple[int, int]) -> int:
    """How many times as fine the network shall see a photo; 1 is without tiles.

    Args:
        tiles: a whole number, or "auto": as fine as the photo is, up to `MAX_AUTO_FACTOR`.
        size: (width, height) of the photo.
        working: (width, height) at which the network sees the whole of it.

    Raises:
        ValueError: another word or number.
    """
    if tiles == "auto":
        return max(1, min(MAX_AUTO_FACTOR, round(math.hypot(*size) / math.hypot(*working))))
    if not isinstance(tiles, int) or not 1 <= tiles <= MAX_FACTOR:
        raise ValueError(f"tiles must be auto or a whole number from 1 to {MAX_FACTOR}, got {tiles!r}")
    return tiles


def tile_places(working: tuple[int, int], factor: int) -> list[Tile]:
    """Tiles of the working size (width, height) that cover a grid `factor` times as large, row by row."""
    width, height = working
    tops, lefts = _starts(height, factor), _starts(width, factor)
    return [Tile(slice(top, top + height), slice(left, left + width)) for top in tops for left in lefts]


def predict_tiles(
    predict: Callable[[NDArray[np.uint8]], Field],
    fine: NDArray[np.uint8],
    guide_m: Field,
    progress: Callable[[Iterable[Tile]], Iterable[Tile]] = iter,
) -> Field:
    """Depth on the fine grid, with the scale of the guide and the detail of the tiles.

    Args:
        predict: the network, uint8 (h, w, 3) to float32 (h, w) metres of any scale.
        fine: uint8 (k h, k w, 3), the photo at k times the network's scale, k a whole number.
        guide_m: float32 (h, w), the network's answer for the whole photo, in the metres that are wanted.
        progress: wraps the iteration over tiles, for a progress bar.

    Returns:
        float32 (k h, k w) metres.
    """
    height, width = fine.shape[:2]
    working = guide_m.shape[1], guide_m.shape[0]
    guide = np.log(enlarged(guide_m, (width, height)))
    total, weights = np.zeros_like(guide), np.zeros_like(guide)
    for tile in progress(tile_places(working, height // working[1])):
        log_depth = np.log(predict(fine[tile.rows, tile.columns]))
        log_depth += _smooth_part(guide[tile.rows, tile.columns] - log_depth)
        weight = _fading(tile.rows, height)[:, None] * _fading(tile.columns, width)
        total[tile.rows, tile.columns] += weight * log_depth
        weights[tile.rows, tile.columns] += weight
    total /= weights
    depth_m: Field = np.exp(total, out=total)
    return depth_m


def _starts(side: int, factor: int) -> list[int]:
    """Where tiles of this side begin, evenly spread over `factor` sides."""
    room = (factor - 1) * side
    steps = math.ceil(room / (side * (1 - OVERLAP)))
    return [round(step * room / max(1, steps)) for step in range(steps + 1)]


def _smooth_part(distance: Field) -> Field:
    """The median of a field and its low frequencies."""
    h, w = distance.shape
    median = np.float32(np.median(distance))
    stray = np.clip(distance - median, -MAX_STRAY, MAX_STRAY)
    cells = max(1, round(CELLS * w / max(h, w))), max(1, round(CELLS * h / max(h, w)))
    means = Image.fromarray(stray).resize(cells, Image.Resampling.BOX)
    return median + np.asarray(means.resize((w, h), Image.Resampling.BICUBIC))


def _fading(place: slice, whole: int) -> Field:
    """Weight of each pixel along one side of a tile: it rises over the overlap, but stays 1 at the photo's border."""
    side = place.stop - place.start
    ramp = OVERLAP * side
    at = np.arange(side, dtype=np.float32) + np.float32(0.5)
    from_start = np.full(side, ramp, np.float32) if place.start == 0 else at
    from_stop = np.full(side, ramp, np.float32) if place.stop == whole else side - at
    part = np.minimum(np.minimum(from_start, from_stop) / ramp, 1)
    weight: Field = np.square(np.sin(part * np.float32(np.pi / 2)))
    return weight
