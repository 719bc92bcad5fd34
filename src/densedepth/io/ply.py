"""Binary little-endian PLY: points of every pixel, or triangles with the photo's colours at their corners.

Metres in camera axes: x right, y down, z forward. Comments say which model, which camera and where that comes from.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from densedepth.io import metadata
from densedepth.io.mesh import make_mesh
from densedepth.io.surface import GRAZING_DEG, need_camera, normals, without_flying_pixels
from densedepth.types import DepthMap

_XYZ = ("x", "y", "z")
_NORMAL = ("nx", "ny", "nz")
_RGB = ("red", "green", "blue")
_TYPES = {"<f4": "float", "u1": "uchar"}
_ROWS_AT_ONCE = 256


def write_points(depth: DepthMap, path: Path, *, grazing_deg: float = GRAZING_DEG, with_normals: bool = False) -> None:
    """Write every valid pixel that does not fly as a point; colours come with the image.

    Rows are written in bands, so that the points of a 24 megapixel photo are never all in memory.

    Raises:
        DepthFileError: the map has no camera.
    """
    need_camera(depth)
    depth = without_flying_pixels(depth, grazing_deg)
    layout = _layout(with_normals, depth.image is not None)
    with path.open("wb") as file:
        file.write(_header(depth, layout, int(np.count_nonzero(depth.valid))))
        for top in range(0, depth.height, _ROWS_AT_ONCE):
            rows = slice(top, top + _ROWS_AT_ONCE)
            valid = depth.valid[rows]
            columns: list[NDArray[Any]] = [depth.xyz_grid_m(rows)[valid]]
            if with_normals:
                columns.append(normals(depth, rows)[valid])
            if depth.image is not None:
                columns.append(depth.image[rows][valid])
            file.write(_table(layout, columns).tobytes())


def write_mesh(depth: DepthMap, path: Path, *, grazing_deg: float = GRAZING_DEG, step: int | None = None) -> None:
    """Write the visible surfaces with normals, and colours where there is an image; see `make_mesh`."""
    mesh = make_mesh(depth, grazing_deg=grazing_deg, step=step)
    layout = _layout(True, mesh.rgb is not None)
    faces = np.empty(len(mesh.faces), dtype=[("corners", "u1"), ("vertices", "<i4", 3)])
    faces["corners"], faces["vertices"] = 3, mesh.faces
    columns: list[NDArray[Any]] = [mesh.xyz_m, mesh.normals, *([] if mesh.rgb is None else [mesh.rgb])]
    with path.open("wb") as file:
        file.write(_header(depth, layout, len(mesh.xyz_m), len(faces)))
        file.write(_table(layout, columns).tobytes())
        file.write(faces.tobytes())


def _layout(with_normals: bool, with_colours: bool) -> list[tuple[str, str]]:
    floats = [*_XYZ, *(_NORMAL if with_normals else ())]
    return [(name, "<f4") for name in floats] + [(name, "u1") for name in (_RGB if with_colours else ())]


def _header(depth: DepthMap, layout: list[tuple[str, str]], vertices: int, faces: int | None = None) -> bytes:
    lines = ["ply", "format binary_little_endian 1.0", "comment metres, x right, y down, z forward"]
    lines += [f"comment densedepth.{key} {' '.join(text.split())}" for key, text in metadata.to_text(depth).items()]
    lines += [f"element vertex {vertices}"]
    lines += [f"property {_TYPES[kind]} {name}" for name, kind in layout]
    if faces is not None:
        lines += [f"element face {faces}", "property list uchar int vertex_indices"]
    return "\n".join([*lines, "end_header", ""]).encode("ascii", "replace")


def _table(layout: list[tuple[str, str]], columns: list[NDArray[Any]]) -> NDArray[np.void]:
    table = np.empty(len(columns[0]), dtype=layout)
    names = iter(name for name, _ in layout)
    for group in columns:
        for column in group.T:
            table[next(names)] = column
    return table
