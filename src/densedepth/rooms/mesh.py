"""Triangles with normals, texture coordinates and materials: how furniture is kept in memory and in the cache."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from densedepth.io.write import replacing

#: Heavier models are thinned out to about this many triangles: at 320x240 nobody sees the difference.
MAX_TRIANGLES = 7000


@dataclass
class Material:
    """What a part of a mesh is made of.

    Attributes:
        name: as in the model's file.
        color: sRGB, 0 to 1; multiplies the texture.
        shine: strength of highlights, 0 to 1.
        opacity: 1 is solid.
        texture: uint8 (256, 256, 4) RGBA, or None.
        detail: name of a procedural texture that is laid on by the box projection of the points, or "".
        glow: 1 for something that shines by itself.
    """

    name: str
    color: tuple[float, float, float] = (0.7, 0.7, 0.7)
    shine: float = 0.1
    opacity: float = 1.0
    texture: NDArray[np.uint8] | None = None
    detail: str = ""
    glow: float = 0.0


def _unit_box() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Corners of twelve triangles around the origin, their normals, and which two axes lie in each one's plane."""
    points, normals, axes = [], [], []
    for axis in range(3):
        u, v = ((1, 2), (0, 2), (0, 1))[axis]
        for sign in (-1, 1):
            quad = np.zeros((4, 3))
            quad[:, axis] = sign
            quad[:, u] = (-1, 1, 1, -1)
            quad[:, v] = (-1, -1, 1, 1)
            # Counter-clockwise seen from outside.
            flip = (sign > 0) == (axis == 1)
            points.append(quad[[0, 2, 1, 0, 3, 2] if flip else [0, 1, 2, 0, 2, 3]] / 2)
            normals.append(np.tile(np.eye(3)[axis] * sign, (6, 1)))
            axes.append(np.tile((u, v), (6, 1)))
    return np.vstack(points), np.vstack(normals), np.vstack(axes)


_BOX_POINTS, _BOX_NORMALS, _BOX_UV_AXES = _unit_box()


@dataclass
class Mesh:
    """Unshared corners, three in a row are a triangle.

    Attributes:
        points: float (N, 3), metres.
        normals: float (N, 3), unit length.
        uv: float (N, 2) texture coordinates; NaN where the part has none.
        parts: int32 (N,), index into `materials`.
        materials: of the parts.
    """

    points: NDArray[np.floating]
    normals: NDArray[np.floating]
    uv: NDArray[np.floating]
    parts: NDArray[np.int32]
    materials: list[Material] = field(default_factory=list)

    @classmethod
    def box(cls, size_m: Sequence[float], material: Material | None = None) -> Mesh:
        """A box of this size, its underside centred on the origin, with texture coordinates in metres."""
        points = _BOX_POINTS * np.array(size_m)
        uv = np.take_along_axis(points, _BOX_UV_AXES, axis=1)
        points[:, 2] += size_m[2] / 2
        return cls(points, _BOX_NORMALS, uv, np.zeros(36, np.int32), [material or Material("box")])

    @classmethod
    def joined(cls, meshes: Sequence[Mesh]) -> Mesh:
        """All meshes as one."""
        offsets = np.cumsum([0, *(len(mesh.materials) for mesh in meshes)])
        return cls(
            np.vstack([mesh.points for mesh in meshes]),
            np.vstack([mesh.normals for mesh in meshes]),
            np.vstack([mesh.uv for mesh in meshes]),
            np.concatenate([mesh.parts + np.int32(offset) for mesh, offset in zip(meshes, offsets[:-1], strict=True)]),
            [material for mesh in meshes for material in mesh.materials],
        )

    def moved(self, offset: Sequence[float], turn_rad: float = 0.0) -> Mesh:
        """Turned about the z axis, then shifted."""
        c, s = np.cos(turn_rad), np.sin(turn_rad)
        turn = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
        return replace(self, points=self.points @ turn + np.asarray(offset), normals=self.normals @ turn)

    def turned(self, rotation: NDArray[np.floating]) -> Mesh:
        """Turned by a 3 x 3 matrix in the model's own axes, then from y up to z up."""
        to_z_up = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
        matrix = (to_z_up @ rotation).T
        return replace(self, points=self.points @ matrix, normals=self.normals @ matrix)

    def fitted(self, size_m: Sequence[float]) -> Mesh:
        """Stretched to this size, the middle of its underside at the origin."""
        low, high = self.points.min(axis=0), self.points.max(axis=0)
        scale = np.array(size_m) / np.maximum(high - low, 1e-9)
        middle = (low + high) / 2
        middle[2] = low[2]
        normals = _unit(self.normals / scale)
        return replace(self, points=(self.points - middle) * scale, normals=normals)

    def with_normals(self) -> Mesh:
        """Flat normals where the file gave none or one without a length."""
        flat = np.repeat(face_normals(self.points), 3, axis=0)
        length = np.linalg.norm(self.normals, axis=1)
        good = np.isfinite(length) & (length > 1e-6)
        normals = np.where(good[:, None], self.normals, flat)
        return replace(self, normals=_unit(normals))

    def simplified(self, max_triangles: int = MAX_TRIANGLES) -> Mesh:
        """At most about `max_triangles`: corners within a cell of a grid fall together, flat triangles go.

        The cell starts at 4 mm and grows until few enough are left (vertex clustering, Rossignac and Borrel 1993).
        """
        mesh, cell_m = self, 0.004
        while len(mesh.points) // 3 > max_triangles:
            mesh = self._clustered(cell_m)
            cell_m *= 1.4
        return mesh._clustered(0.0) if mesh is self else mesh

    def _clustered(self, cell_m: float) -> Mesh:
        points = self.points
        if cell_m:
            grid = np.floor((points - points.min(axis=0)) / cell_m).astype(np.int64)
            _, cell = np.unique(grid @ (1 << 42, 1 << 21, 1), return_inverse=True)
            count = np.bincount(cell)
            points = np.stack([np.bincount(cell, points[:, axis]) / count for axis in range(3)], axis=1)[cell]
        a, b, c = points[0::3], points[1::3], points[2::3]
        keep = np.repeat(np.linalg.norm(np.cross(b - a, c - a), axis=1) > 1e-10, 3)
        return Mesh(points[keep], self.normals[keep], self.uv[keep], self.parts[keep], self.materials)


def face_normals(points: NDArray[np.floating]) -> NDArray[np.floating]:
    """Unit normals of the triangles, (N / 3, 3)."""
    a, b, c = points[0::3], points[1::3], points[2::3]
    return _unit(np.cross(b - a, c - a))


def _unit(vectors: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12))


def save_mesh(mesh: Mesh, path: Path) -> None:
    """Write to `.npz`; textures go in as PNG."""
    arrays: dict[str, NDArray[np.generic]] = {
        "points": mesh.points.astype(np.float32),
        "normals": np.rint(mesh.normals * 127).astype(np.int8),
        "uv": mesh.uv.astype(np.float32),
        "parts": mesh.parts,
        "names": np.array([material.name for material in mesh.materials]),
        "numbers": np.array([(*m.color, m.shine, m.opacity) for m in mesh.materials], np.float32),
    }
    for number, material in enumerate(mesh.materials):
        if material.texture is not None:
            buffer = io.BytesIO()
            Image.fromarray(material.texture).save(buffer, "PNG", compress_level=3)
            arrays[f"texture{number}"] = np.frombuffer(buffer.getvalue(), np.uint8)
    with replacing(path) as temporary:
        np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]


def load_mesh(path: Path) -> Mesh:
    """The inverse of `save_mesh`."""
    with np.load(path, allow_pickle=False) as file:
        materials = []
        for number, (name, numbers) in enumerate(zip(file["names"], file["numbers"], strict=True)):
            red, green, blue, shine, opacity = (float(value) for value in numbers)
            texture = None
            if f"texture{number}" in file:
                with Image.open(io.BytesIO(file[f"texture{number}"].tobytes())) as picture:
                    texture = np.asarray(picture)
            materials.append(Material(str(name), (red, green, blue), shine, opacity, texture))
        return Mesh(
            file["points"],
            _unit(file["normals"].astype(np.float32)),
            file["uv"],
            file["parts"],
            materials,
        )
