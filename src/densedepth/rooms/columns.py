"""Where a piece of furniture really is: the lowest and the highest surface over each cell of its footprint.

This tells apart a chair under a table from a chair in a table, and gives things a flat place to stand on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from densedepth.rooms.mesh import Mesh

CELL_M = 0.04


@dataclass(frozen=True)
class Columns:
    """Heights over the footprint, in the piece's own axes (see `catalogue`).

    Attributes:
        low_m: float32 (ny, nx), the lowest surface over the cell; +inf where there is nothing.
        high_m: float32 (ny, nx), the highest one; -inf where there is nothing.
        size_m: width and depth of the footprint.
    """

    low_m: NDArray[np.float32]
    high_m: NDArray[np.float32]
    size_m: tuple[float, float]

    @classmethod
    def of(cls, mesh: Mesh, size_m: tuple[float, float, float]) -> Columns:
        """From the triangles: each is sampled densely enough to meet every cell it covers."""
        width, depth = size_m[:2]
        nx, ny = max(1, round(width / CELL_M)), max(1, round(depth / CELL_M))
        samples = _samples(mesh, 0.6 * min(width / nx, depth / ny))
        i = np.clip(((samples[:, 0] / width + 0.5) * nx).astype(int), 0, nx - 1)
        j = np.clip(((samples[:, 1] / depth + 0.5) * ny).astype(int), 0, ny - 1)
        low = np.full(ny * nx, np.inf, np.float32)
        high = np.full(ny * nx, -np.inf, np.float32)
        np.minimum.at(low, j * nx + i, samples[:, 2].astype(np.float32))
        np.maximum.at(high, j * nx + i, samples[:, 2].astype(np.float32))
        return cls(low.reshape(ny, nx), high.reshape(ny, nx), (width, depth))

    @classmethod
    def solid(cls, size_m: tuple[float, float, float]) -> Columns:
        """A full box."""
        width, depth, height = size_m
        shape = max(1, round(depth / CELL_M)), max(1, round(width / CELL_M))
        return cls(np.zeros(shape, np.float32), np.full(shape, height, np.float32), (width, depth))

    def at(self, xy: NDArray[np.floating]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(low, high) at points (N, 2) in the piece's own axes; nothing outside the footprint."""
        ny, nx = self.low_m.shape
        i = np.floor((xy[:, 0] / self.size_m[0] + 0.5) * nx).astype(int)
        j = np.floor((xy[:, 1] / self.size_m[1] + 0.5) * ny).astype(int)
        inside = (i >= 0) & (i < nx) & (j >= 0) & (j < ny)
        i, j = np.clip(i, 0, nx - 1), np.clip(j, 0, ny - 1)
        low = np.where(inside, self.low_m[j, i], np.float32(np.inf))
        high = np.where(inside, self.high_m[j, i], np.float32(-np.inf))
        return low, high

    def centres(self) -> NDArray[np.float64]:
        """Middles of the cells that hold something, (N, 2)."""
        ny, nx = self.low_m.shape
        j, i = np.nonzero(np.isfinite(self.low_m))
        return np.stack([((i + 0.5) / nx - 0.5) * self.size_m[0], ((j + 0.5) / ny - 0.5) * self.size_m[1]], axis=1)


def _samples(mesh: Mesh, step_m: float) -> NDArray[np.floating]:
    """Points on all triangles, at most `step_m` apart."""
    a, b, c = mesh.points[0::3], mesh.points[1::3], mesh.points[2::3]
    longest = np.maximum(
        np.linalg.norm((b - a)[:, :2], axis=1),
        np.maximum(np.linalg.norm((c - a)[:, :2], axis=1), np.linalg.norm((c - b)[:, :2], axis=1)),
    )
    steps = np.clip(np.ceil(longest / step_m), 1, 200).astype(int)
    found = [mesh.points]
    for count in np.unique(steps[steps > 1]):
        chosen = steps == count
        i, j = np.meshgrid(np.arange(count + 1), np.arange(count + 1))
        keep = i + j <= count
        u, v = i[keep] / count, j[keep] / count
        edge_1, edge_2 = (b - a)[chosen], (c - a)[chosen]
        inner = a[chosen][:, None] + u[None, :, None] * edge_1[:, None] + v[None, :, None] * edge_2[:, None]
        found.append(inner.reshape(-1, 3))
    return np.vstack(found)
