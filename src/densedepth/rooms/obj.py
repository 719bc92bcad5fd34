"""Wavefront OBJ with its MTL file and textures, read from inside a zip archive.

Every corner of every face keeps its own normal and texture coordinate, which general mesh loaders merge or drop.
"""

from __future__ import annotations

import io
import posixpath
import zipfile
from pathlib import Path
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from densedepth.errors import DataError
from densedepth.io.opening import one_line
from densedepth.rooms.mesh import Material, Mesh

TEXTURE_SIDE = 256


def read_obj(archive: Path, path: str) -> Mesh:
    """The model at `path` in `archive`, in its file's own units and axes (y up).

    Raises:
        DataError: missing, damaged, or without a single triangle.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            lines = file.read(path).decode("latin-1").replace("\\\n", " ").splitlines()
            return _parse(lines, file, posixpath.dirname(path))
    except Exception as error:  # zipfile and Pillow meet damaged files with errors of any kind
        raise DataError(
            f"{archive}: the model {path} cannot be read ({one_line(error)}); install the furniture again"
        ) from None


def _parse(lines: list[str], archive: zipfile.ZipFile, folder: str) -> Mesh:
    points: list[list[str]] = []
    coordinates: list[list[str]] = []
    normals: list[list[str]] = []
    library: dict[str, Material] = {}
    names: dict[str, int] = {}
    corners: list[tuple[int, int, int]] = []
    part_of_face: list[int] = []
    part = names.setdefault("", 0)
    for line in lines:
        words = line.split()
        if not words:
            continue
        kind = words[0]
        if kind == "v":
            points.append(words[1:4])
        elif kind == "vt":
            coordinates.append(words[1:3])
        elif kind == "vn":
            normals.append(words[1:4])
        elif kind == "f":
            face = [_corner(word, len(points), len(coordinates), len(normals)) for word in words[1:]]
            for second in range(1, len(face) - 1):
                corners += (face[0], face[second], face[second + 1])
                part_of_face.append(part)
        elif kind == "usemtl":
            part = names.setdefault(" ".join(words[1:]), len(names))
        elif kind == "mtllib":
            library |= _read_materials(archive, folder, line.split(None, 1)[1].strip())
    if not corners:
        raise ValueError("no triangles")
    index = np.array(corners, np.int64)
    xyz = np.array(points, np.float64)[index[:, 0]]
    return Mesh(
        points=xyz,
        normals=_take(normals, index[:, 2], 3),
        uv=_take(coordinates, index[:, 1], 2),
        parts=np.repeat(np.array(part_of_face, np.int32), 3),
        materials=[library.get(name, Material(name)) for name in names],
    ).with_normals()


def _corner(word: str, points: int, coordinates: int, normals: int) -> tuple[int, int, int]:
    """0-based (point, coordinate, normal) of "v/vt/vn"; -1 where there is none. Negative numbers count back."""
    fields = [*word.split("/"), "", ""][:3]
    totals = (points, coordinates, normals)
    v, t, n = (
        -1 if not field else (int(field) - 1 if int(field) > 0 else total + int(field))
        for field, total in zip(fields, totals, strict=True)
    )
    return v, t, n


def _take(rows: list[list[str]], index: NDArray[np.int64], width: int) -> NDArray[np.float64]:
    """The rows at `index`; NaN where the index is -1."""
    padded = [row if len(row) == width else (row + ["0"] * width)[:width] for row in rows]
    table = np.vstack([np.array(padded, np.float64).reshape(-1, width), np.full((1, width), np.nan)])
    return table[index]


def _read_materials(archive: zipfile.ZipFile, folder: str, name: str) -> dict[str, Material]:
    materials: dict[str, Material] = {}
    current = Material("")
    path = _find(archive, folder, name)
    if path is None:
        return {}
    for line in archive.read(path).decode("latin-1").splitlines():
        words = line.split()
        if not words:
            continue
        kind = words[0].lower()
        if kind == "newmtl":
            current = materials[" ".join(words[1:])] = Material(" ".join(words[1:]))
        elif kind == "kd":
            red, green, blue = (min(1.0, max(0.0, float(word))) for word in words[1:4])
            current.color = (red, green, blue)
        elif kind == "ks":
            current.shine = min(1.0, max(0.0, sum(map(float, words[1:4])) / 3))
        elif kind == "d":
            current.opacity = float(words[-1])
        elif kind == "tr":
            current.opacity = 1 - float(words[-1])
        elif kind == "map_kd":
            texture = _find(archive, folder, line.split(None, 1)[1].strip())
            current.texture = None if texture is None else _read_texture(archive.read(texture))
    return materials


def _find(archive: zipfile.ZipFile, folder: str, name: str) -> str | None:
    for candidate in (name, unquote(name), posixpath.basename(name.replace("\\", "/"))):
        path = posixpath.normpath(posixpath.join(folder, candidate))
        if path in archive.NameToInfo:
            return path
    return None


def _read_texture(data: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data)) as picture:
        small = picture.convert("RGBA").resize((TEXTURE_SIDE, TEXTURE_SIDE), Image.Resampling.BOX)
    # Row 0 of an OBJ texture is v = 1; OpenGL's is v = 0.
    return np.ascontiguousarray(np.asarray(small)[::-1])
