"""Depth as colour."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from densedepth.types import DepthMap

DEFAULT_CMAP = "google:turbo_r"
"""Near is red, far is blue: neighbouring depths differ more in hue than in a map of one colour."""

_ROWS_AT_ONCE = 256


def colorize(
    depth: DepthMap | NDArray[Any],
    min_m: float | None = None,
    max_m: float | None = None,
    cmap: str | None = None,
) -> Image.Image:
    """Colour a depth map linearly in metres.

    Args:
        depth: a depth map, or an array (H, W) of metres; values that are not finite and positive are holes.
        min_m: depth that gets the first colour (near); the nearest depth of the map when None.
        max_m: depth that gets the last colour (far); the farthest depth of the map when None.
        cmap: name of any map of the `cmap` package; None is reversed turbo: near is red, far is blue.

    Returns:
        RGB picture of the same size; pixels without depth are black.

    Raises:
        ValueError: the array is not (H, W), or `cmap` names no colour map.
    """
    if not isinstance(depth, DepthMap):
        depth = DepthMap(np.asarray(depth, dtype=np.float32))
    near_m, far_m = color_limits(depth, min_m, max_m)
    span_m = max(far_m - near_m, 1e-6)
    table = color_table(cmap or DEFAULT_CMAP)
    rgb = np.empty((depth.height, depth.width, 3), np.uint8)
    # In strips, so that a big picture takes little more memory than its colours.
    for top in range(0, depth.height, _ROWS_AT_ONCE):
        strip = slice(top, top + _ROWS_AT_ONCE)
        position = depth.depth_m[strip] - np.float32(near_m)
        position *= 255 / span_m
        index = np.rint(position.clip(0, 255, out=position), out=position).astype(np.uint8)
        rgb[strip] = table[index]
        rgb[strip][~depth.valid[strip]] = 0
    return Image.fromarray(rgb)


def color_limits(depth: DepthMap, min_m: float | None = None, max_m: float | None = None) -> tuple[float, float]:
    """(near, far) in metres between which `colorize` spreads the colours; (0, 1) for a map without depth."""
    near_m, far_m = depth.range_m or (0.0, 1.0)
    return near_m if min_m is None else min_m, far_m if max_m is None else max_m


@lru_cache(maxsize=8)
def color_table(cmap: str) -> NDArray[np.uint8]:
    """The 256 colours of a map, uint8 (256, 3), near to far."""
    from cmap import Colormap

    table: NDArray[np.float64] = Colormap(cmap).lut(256)
    return np.rint(table[:, :3] * 255).astype(np.uint8)
