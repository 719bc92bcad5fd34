"""What a depth map says about surfaces: where they break off, which points belong to none, which way they face.

All of it is done on nearness, 1 / depth: over the pixels of a plane it is a linear function, however slanted the plane,
so that no plane looks curved or broken.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from densedepth.errors import DepthFileError
from densedepth.types import DepthMap

GRAZING_DEG = 5.0
"""Two neighbouring pixels whose connection is seen under a smaller angle lie on two surfaces, as a rule."""

_WIDE = 1 / 20
"""How far a surface's own slant is looked for, both ways, in parts of the longer side. Edges in predicted depth are
blurred over less than a third of that."""

_STEEPER = 3.0
"""A break is this many times as steep as the surroundings. What is as steep as they are is a slanted surface."""

_ROWS_AT_ONCE = 512


def need_camera(depth: DepthMap) -> None:
    """Raise a DepthFileError that says what to do when the map has no camera."""
    if depth.camera is None:
        raise DepthFileError(
            "a point cloud or mesh needs a camera: set depth.camera, "
            "e.g. Camera.from_fov(depth.width, depth.height, 60)"
        )


def flying_pixels(depth: DepthMap, grazing_deg: float = GRAZING_DEG) -> NDArray[np.bool_]:
    """Pixels that hang in the air between two surfaces, where an edge of the depth is blurred.

    The depth breaks on both sides of such a pixel and goes the same way: from a near surface to a far one. Pixels at a
    sharp edge and thin things before a wall stay; so does every plane that is larger than the blur.

    Args:
        depth: a map with a camera.
        grazing_deg: a connection of two neighbours that is seen under a smaller angle is a break; more takes away
            more, 0 nothing.

    Returns:
        bool (H, W).

    Raises:
        DepthFileError: the map has no camera.
    """
    flying = np.zeros(depth.depth_m.shape, np.bool_)
    for top in range(0, depth.height, _ROWS_AT_ONCE):
        rows = slice(top, min(top + _ROWS_AT_ONCE, depth.height))
        block = _Block(depth, rows, grazing_deg)
        between = np.zeros(block.nearness.shape, np.bool_)
        between[:, 1:-1] = block.across[:, 1:] * block.across[:, :-1] == 1
        between[1:-1] |= block.down[1:] * block.down[:-1] == 1
        flying[rows] = between[block.inner]
    return flying


def without_flying_pixels(depth: DepthMap, grazing_deg: float = GRAZING_DEG) -> DepthMap:
    """The map with its flying pixels not valid; see `flying_pixels`."""
    if grazing_deg == 0:
        return depth
    valid = depth.valid & ~flying_pixels(depth, grazing_deg)
    return replace(depth, depth_m=np.where(valid, depth.depth_m, np.float32(0)), valid=valid)


def normals(depth: DepthMap, rows: slice = slice(None)) -> NDArray[np.float32]:
    """Unit normals of the surfaces, towards the camera, in its axes (x right, y down, z forward).

    With nearness w and the ray (a, b, 1) of a pixel, n . r = d w on the plane n . P = d. Hence n is parallel to
    (w_a, w_b, w - a w_a - b w_b). Slopes come from the neighbours on the same surface, so that normals do not bend
    towards what lies behind; a pixel without any faces the image plane.

    Args:
        depth: a map with a camera.
        rows: of the map; all by default.

    Returns:
        float32 (H', W, 3); (0, 0, 0) where the depth is not valid.

    Raises:
        DepthFileError: the map has no camera.
    """
    block = _Block(depth, rows, GRAZING_DEG)
    camera = block.camera
    start, stop, _ = rows.indices(depth.height)
    w = block.nearness[block.inner]
    w_a = _slope(block.nearness, block.across)[block.inner] * np.float32(camera.fx)
    w_b = _slope(block.nearness.T, block.down.T).T[block.inner] * np.float32(camera.fy)
    a = ((np.arange(depth.width) + 0.5 - camera.cx) / camera.fx).astype(np.float32)
    b = ((np.arange(start, stop) + 0.5 - camera.cy) / camera.fy).astype(np.float32)[:, None]
    facing = -np.stack([w_a, w_b, w - a * w_a - b * w_b], axis=-1)
    length = np.linalg.norm(facing, axis=-1, keepdims=True)
    seen = (w > 0)[..., None]
    unit: NDArray[np.float32] = np.divide(facing, length, out=np.zeros_like(facing), where=seen & (length > 0))
    return unit


class _Block:
    """Some rows of a map with enough of the rows around them to judge each pixel as in the whole map.

    Attributes:
        camera: of the map.
        nearness: 1 / metres, 0 where not valid; float32 (H', W).
        across, down: breaks between neighbours; see `breaks`.
        inner: the rows asked for, within the block.
    """

    def __init__(self, depth: DepthMap, rows: slice, grazing_deg: float) -> None:
        need_camera(depth)
        assert depth.camera is not None
        self.camera = depth.camera
        reach = reach_px(depth)
        start, stop, _ = rows.indices(depth.height)
        outer = slice(max(0, start - reach - 1), min(depth.height, stop + reach + 1))
        self.inner = slice(start - outer.start, stop - outer.start)
        self.nearness = nearness(depth, outer)
        self.across = breaks(self.nearness, self.camera.fx, grazing_deg, reach)
        self.down = breaks(self.nearness.T, self.camera.fy, grazing_deg, reach).T


def reach_px(depth: DepthMap) -> int:
    """How many pixels around a place tell how slanted the surface is there."""
    return max(8, round(max(depth.width, depth.height) * _WIDE))


def nearness(depth: DepthMap, rows: slice = slice(None)) -> NDArray[np.float32]:
    """1 / metres, 0 where the depth is not valid; float32 (H', W)."""
    depth_m = depth.depth_m[rows]
    return np.divide(np.float32(1), depth_m, out=np.zeros_like(depth_m), where=depth.valid[rows])


def breaks(near: NDArray[np.float32], focal_px: float, grazing_deg: float, reach: int) -> NDArray[np.int8]:
    """Where the surface breaks off between a pixel and its right neighbour.

    Args:
        near: nearness (H, W).
        focal_px: along the rows of the array.
        grazing_deg: a connection is a break if it is seen under a smaller angle (exact on the optical axis), unless
            the surroundings are about as steep.
        reach: how far the surroundings go, in pixels.

    Returns:
        int8 (H, W - 1): 1 where it goes on nearer, -1 farther, 0 where there is no break or one is not valid.
    """
    change = np.diff(near, axis=1)
    # (far - near) / near over one pixel, 1 / focal_px wide, is the tangent of the slant.
    steepest = np.float32(1 / math.tan(math.radians(grazing_deg)) / focal_px if grazing_deg > 0 else np.inf)
    least = np.minimum(near[:, 1:], near[:, :-1])
    with np.errstate(invalid="ignore"):  # 0 times infinity at holes
        broken = (np.abs(change) > steepest * least) & (least > 0)
    if broken.any():
        broken &= np.abs(change) > _STEEPER * _steepness_around(near, np.sign(change), reach)
    return (np.sign(change) * broken).astype(np.int8)


def _steepness_around(near: NDArray[np.float32], sign: NDArray[np.float32], reach: int) -> NDArray[np.float32]:
    """Change of nearness over a pixel, in the direction of `sign`, on the flatter of the two sides of each connection.

    Within a blurred edge one side soon ends in a wall; within a slanted surface both go on. A side that is outside of
    the picture or not valid says nothing, and 0 is left where neither says anything.
    """
    width = near.shape[1]
    flatter = np.full_like(sign, np.inf)
    for start, end in (
        (np.arange(width - 1), np.maximum(np.arange(width - 1) - reach, 0)),
        (np.arange(1, width), np.minimum(np.arange(1, width) + reach, width - 1)),
    ):
        distance = (start - end).astype(np.float32)
        known = (near[:, end] > 0) & (distance != 0)
        change = (near[:, end] - near[:, start]) * sign * (-1 / np.where(distance == 0, np.float32(1), distance))
        np.minimum(flatter, change, out=flatter, where=known)
    flatter[np.isinf(flatter)] = 0
    return flatter


def _slope(near: NDArray[np.float32], broken: NDArray[np.int8]) -> NDArray[np.float32]:
    """Change of nearness over a pixel to the right: mean of both sides, or the one that has no break."""
    on = (broken == 0) & (near[:, 1:] > 0) & (near[:, :-1] > 0)
    change = np.where(on, np.diff(near, axis=1), np.float32(0))
    total, count = np.zeros_like(near), np.zeros_like(near)
    for side in (slice(None, -1), slice(1, None)):
        total[:, side] += change
        count[:, side] += on
    mean: NDArray[np.float32] = np.divide(total, np.maximum(count, np.float32(1)), dtype=np.float32)
    return mean
