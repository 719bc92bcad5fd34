"""The visible surfaces of a depth map as triangles, cut where one surface ends before another."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from densedepth.errors import DepthFileError
from densedepth.io.surface import GRAZING_DEG, breaks, nearness, need_camera, normals, reach_px
from densedepth.types import DepthMap

MAX_MESH_VERTICES = 500_000
"""A photo of 12 megapixels keeps every 5th row and column."""


class Mesh(NamedTuple):
    """Triangles in camera axes: x right, y down, z forward.

    Attributes:
        xyz_m: float32 (V, 3), metres.
        normals: float32 (V, 3), unit length, towards the camera.
        uv: float32 (V, 2), place in the photo: (0, 0) is its top left corner, (1, 1) its bottom right one.
        rgb: uint8 (V, 3), colours of the photo, or None without one.
        faces: uint32 (F, 3), vertices counter-clockwise as the camera sees them.
    """

    xyz_m: NDArray[np.float32]
    normals: NDArray[np.float32]
    uv: NDArray[np.float32]
    rgb: NDArray[np.uint8] | None
    faces: NDArray[np.uint32]


def make_mesh(depth: DepthMap, *, grazing_deg: float = GRAZING_DEG, step: int | None = None) -> Mesh:
    """Join neighbouring pixels to triangles, except over holes and breaks of the depth.

    Of the two ways to halve a square of four pixels, the one with the smaller change of nearness along the cut is
    taken; where a corner is missing, the triangle of the other three.

    Args:
        depth: a map with a camera.
        grazing_deg: as in `densedepth.io.surface.breaks`; 0 means the default, for a mesh is always cut.
        step: only every step-th row and column; None takes the smallest that gives at most 500,000 vertices.

    Raises:
        DepthFileError: the map has no camera, or no three neighbouring pixels form a surface.
        ValueError: `step` is not positive.
    """
    need_camera(depth)
    if step is not None and step < 1:
        raise ValueError(f"step must be at least 1, got {step}")
    step = step or _fitting_step(depth.height, depth.width)
    thin = _thinned(depth, step)
    faces = _faces(thin, grazing_deg or GRAZING_DEG)
    if len(faces) == 0:
        raise DepthFileError(
            "no surface to mesh: depth is missing or jumps between all pixels; save the points instead"
        )
    used = np.zeros(thin.depth_m.size, np.bool_)
    used[faces] = True
    number = np.cumsum(used, dtype=np.uint32) - np.uint32(1)
    kept = used.reshape(thin.depth_m.shape)
    rows, columns = np.nonzero(kept)
    uv = np.stack([(columns * step + 0.5) / depth.width, (rows * step + 0.5) / depth.height], axis=1)
    return Mesh(
        thin.xyz_grid_m()[kept],
        normals(thin)[kept],
        uv.astype(np.float32),
        None if thin.image is None else thin.image[kept],
        number[faces],
    )


def _fitting_step(height: int, width: int) -> int:
    step = max(1, math.isqrt(height * width // MAX_MESH_VERTICES))
    while math.ceil(height / step) * math.ceil(width / step) > MAX_MESH_VERTICES:
        step += 1
    return step


def _thinned(depth: DepthMap, step: int) -> DepthMap:
    """Every step-th row and column, with the camera that sees those pixels at the same places in space."""
    if step == 1 or depth.camera is None:
        return depth
    every = np.s_[::step, ::step]
    depth_m = np.ascontiguousarray(depth.depth_m[every])
    height, width = depth_m.shape
    camera = depth.camera
    # Pixel c, with its centre at c + 0.5, stands where pixel c * step stood.
    camera = replace(
        camera,
        fx=camera.fx / step,
        fy=camera.fy / step,
        cx=(camera.cx - 0.5) / step + 0.5,
        cy=(camera.cy - 0.5) / step + 0.5,
        width=width,
        height=height,
    )
    image = None if depth.image is None else np.ascontiguousarray(depth.image[every])
    return DepthMap(depth_m, np.ascontiguousarray(depth.valid[every]), camera, image=image)


def _faces(depth: DepthMap, grazing_deg: float) -> NDArray[np.int64]:
    """Triangles (F, 3) over the pixels of a map, numbered row by row."""
    assert depth.camera is not None
    near, reach = nearness(depth), reach_px(depth)
    # A side of a square that may be used: both ends valid, no break between them.
    across = (breaks(near, depth.camera.fx, grazing_deg, reach) == 0) & depth.valid[:, 1:] & depth.valid[:, :-1]
    down = (breaks(near.T, depth.camera.fy, grazing_deg, reach).T == 0) & depth.valid[1:] & depth.valid[:-1]
    top, bottom, left, right = across[:-1], across[1:], down[:, :-1], down[:, 1:]
    falling = np.abs(near[1:, 1:] - near[:-1, :-1])
    rising = np.abs(near[1:, :-1] - near[:-1, 1:])
    # The cut that keeps both triangles, else the one that keeps any, else the flatter one.
    kept_falling = (left & bottom).astype(np.int8) + (top & right)
    kept_rising = (left & top).astype(np.int8) + (bottom & right)
    falls = (kept_falling > kept_rising) | ((kept_falling == kept_rising) & (falling <= rising))

    index = np.arange(near.size).reshape(near.shape)
    top_left, top_right, bottom_left, bottom_right = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    triangles = [
        (falls & left & bottom, (top_left, bottom_left, bottom_right)),
        (falls & top & right, (top_left, bottom_right, top_right)),
        (~falls & left & top, (top_left, bottom_left, top_right)),
        (~falls & bottom & right, (top_right, bottom_left, bottom_right)),
    ]
    return np.concatenate([np.stack([corner[chosen] for corner in corners], axis=1) for chosen, corners in triangles])
