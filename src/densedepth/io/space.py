"""Depth as things in space: a coloured point cloud (.ply) and a textured mesh (.glb)."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from densedepth.errors import DepthFileError
from densedepth.io.color import colorize
from densedepth.types import DepthMap

MAX_MESH_VERTICES = 500_000
MAX_TEXTURE_SIDE = 2048
MAX_RELATIVE_JUMP = 0.08
"""A triangle whose farthest corner lies this part farther than its nearest spans two surfaces: it is cut."""

_ROWS_AT_ONCE = 256


def write_ply(depth: DepthMap, path: Path) -> None:
    """Write every valid pixel as a point: binary little-endian PLY, metres, x right, y down, z forward.

    Colours come with the image. Rows are written in bands, so that the points of a 24 megapixel photo are
    never all in memory.

    Raises:
        DepthFileError: the map has no camera.
    """
    _need_camera(depth)
    layout = [("x", "<f4"), ("y", "<f4"), ("z", "<f4")]
    header = ["ply", "format binary_little_endian 1.0", "comment metres, x right, y down, z forward"]
    header += [f"element vertex {np.count_nonzero(depth.valid)}"]
    header += [f"property float {name}" for name, _ in layout]
    if depth.image is not None:
        layout += [("red", "u1"), ("green", "u1"), ("blue", "u1")]
        header += [f"property uchar {name}" for name, _ in layout[3:]]
    with path.open("wb") as file:
        file.write("\n".join([*header, "end_header", ""]).encode("ascii"))
        for top in range(0, depth.height, _ROWS_AT_ONCE):
            rows = slice(top, top + _ROWS_AT_ONCE)
            valid = depth.valid[rows]
            points = np.empty(np.count_nonzero(valid), dtype=layout)
            points["x"], points["y"], points["z"] = depth.xyz_grid_m(rows)[valid].T
            if depth.image is not None:
                points["red"], points["green"], points["blue"] = depth.image[rows][valid].T
            file.write(points.tobytes())


def write_glb(depth: DepthMap, path: Path) -> None:
    """Write the visible surface as a mesh in metres and glTF axes: x right, y up, z backward.

    The texture is the photo, or the depth colours without one, at most 2048 pixels long. Large maps keep
    every n-th row and column so that the mesh has at most 500,000 vertices. Triangles are cut where depth
    jumps.

    Raises:
        DepthFileError: the map has no camera, or no three neighbouring pixels form a surface.
    """
    import trimesh

    _need_camera(depth)
    step = _mesh_step(depth.height, depth.width)
    every_nth = slice(None, None, step)
    xyz_m = depth.xyz_grid_m(every_nth, every_nth)
    faces = _faces(xyz_m[..., 2])
    if len(faces) == 0:
        raise DepthFileError("no surface to mesh: depth is missing or jumps between all pixels; save as .ply")
    rows, columns = np.mgrid[: depth.height : step, : depth.width : step]
    # trimesh counts texture rows from the bottom.
    uv = np.stack([(columns + 0.5) / depth.width, 1 - (rows + 0.5) / depth.height], axis=-1)
    material = trimesh.visual.material.PBRMaterial(  # type: ignore[no-untyped-call]
        baseColorTexture=_texture(depth), metallicFactor=0.0, roughnessFactor=1.0, doubleSided=True
    )
    mesh = trimesh.Trimesh(
        vertices=xyz_m.reshape(-1, 3) * np.array([1, -1, -1], np.float32),
        faces=faces,
        visual=trimesh.visual.TextureVisuals(  # type: ignore[no-untyped-call]
            uv=uv.reshape(-1, 2), material=material
        ),
        process=False,
    )
    mesh.remove_unreferenced_vertices()
    with path.open("wb") as file:
        mesh.export(file, file_type="glb")


def _need_camera(depth: DepthMap) -> None:
    if depth.camera is None:
        raise DepthFileError(
            "a point cloud or mesh needs a camera: set depth.camera, "
            "e.g. Camera.from_fov(depth.width, depth.height, 60)"
        )


def _mesh_step(height: int, width: int) -> int:
    step = max(1, math.isqrt(height * width // MAX_MESH_VERTICES))
    while math.ceil(height / step) * math.ceil(width / step) > MAX_MESH_VERTICES:
        step += 1
    return step


def _faces(z_m: NDArray[np.float32]) -> NDArray[np.int64]:
    """Vertex indices (F, 3) of the triangles over a depth grid (H, W), without those over a jump or hole."""
    index = np.arange(z_m.size).reshape(z_m.shape)
    top_left, top_right = index[:-1, :-1].ravel(), index[:-1, 1:].ravel()
    bottom_left, bottom_right = index[1:, :-1].ravel(), index[1:, 1:].ravel()
    # Counter-clockwise as the camera sees them, so that normals face the viewer.
    faces = np.concatenate(
        [
            np.stack([top_left, bottom_left, top_right], axis=1),
            np.stack([top_right, bottom_left, bottom_right], axis=1),
        ]
    )
    corners_m = z_m.ravel()[faces]
    near_m, far_m = corners_m.min(axis=1), corners_m.max(axis=1)
    kept: NDArray[np.int64] = faces[(near_m > 0) & (far_m <= near_m * (1 + MAX_RELATIVE_JUMP))]
    return kept


def _texture(depth: DepthMap) -> Image.Image:
    texture = colorize(depth) if depth.image is None else Image.fromarray(depth.image)
    texture.thumbnail((MAX_TEXTURE_SIDE, MAX_TEXTURE_SIDE))
    return texture
