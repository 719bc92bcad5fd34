"""Simple solids that furniture of our own is built from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from densedepth.rooms.mesh import Material, Mesh


def block(low: Sequence[float], high: Sequence[float], material: Material) -> Mesh:
    """A box between two corners; its texture is laid on by box projection."""
    size = [top - bottom for bottom, top in zip(low, high, strict=True)]
    mesh = Mesh.box(size, material).moved(((low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]))
    mesh.uv = np.full_like(mesh.uv, np.nan)
    return mesh


def sheet(corners: Sequence[Sequence[float]], material: Material) -> Mesh:
    """A flat face that shows one whole texture. Corners: lower left, lower right, upper right, upper left."""
    quad = np.array(corners, np.float64)
    order = [0, 1, 2, 0, 2, 3]
    uv = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float64)
    mesh = Mesh(quad[order], np.zeros((6, 3)), uv[order], np.zeros(6, np.int32), [material])
    return mesh.with_normals()


def grid(points: NDArray[np.floating], material: Material) -> Mesh:
    """A smooth surface through points (rows, columns, 3)."""
    across = np.gradient(points, axis=1)
    down = np.gradient(points, axis=0)
    normals = np.cross(across, down)
    normals /= np.maximum(np.linalg.norm(normals, axis=2, keepdims=True), 1e-9)
    a = np.stack([points[:-1, :-1], points[:-1, 1:], points[1:, 1:], points[:-1, :-1], points[1:, 1:], points[1:, :-1]])
    n = np.stack(
        [normals[:-1, :-1], normals[:-1, 1:], normals[1:, 1:], normals[:-1, :-1], normals[1:, 1:], normals[1:, :-1]]
    )
    corners = a.transpose(1, 2, 0, 3).reshape(-1, 3)
    uv = np.full((len(corners), 2), np.nan)
    return Mesh(corners, n.transpose(1, 2, 0, 3).reshape(-1, 3), uv, np.zeros(len(corners), np.int32), [material])


def turned(profile: Sequence[tuple[float, float]], material: Material, segments: int = 20) -> Mesh:
    """A body of revolution about z from (radius, height) pairs, bottom first."""
    angles = np.linspace(0, 2 * np.pi, segments + 1)
    radius, height = np.array(profile, np.float64).T
    points = np.stack(
        [
            radius[:, None] * np.cos(angles),
            radius[:, None] * np.sin(angles),
            np.repeat(height[:, None], segments + 1, axis=1),
        ],
        axis=2,
    )
    return grid(points, material)
