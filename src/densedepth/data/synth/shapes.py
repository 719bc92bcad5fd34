"""Boxes, upright cylinders and ellipsoids, and where rays meet them.

World axes: x and y on the floor, z up, metres. Vectors are stored as (3, N), so that each coordinate is contiguous.
Every shape is a unit cube, cylinder or sphere (from -1 to 1), stretched, turned about z and moved; rays go to those
unit coordinates, where meeting them takes a few operations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Kind = Literal["box", "cylinder", "ball"]
#: float32 (3, N), or (3, 1) for one of them.
Vectors = np.ndarray

#: Directions keep this distance from 0, so that their inverse exists; far below the size of a pixel.
_TINY = np.float32(1e-9)


@dataclass(frozen=True)
class Material:
    """How a surface looks.

    Attributes:
        pattern: a name in :data:`densedepth.data.synth.textures.PATTERNS`.
        colours: two RGB reflectances (linear, 0 to 1) between which the pattern goes.
        scale_m: size of the pattern.
        shift: moves the pattern, so that no two things show the same part of it.
        glow: light that the surface itself sends out, in units of white paper under the room's light.
    """

    pattern: str
    colours: tuple[tuple[float, float, float], tuple[float, float, float]]
    scale_m: float = 0.3
    shift: float = 0.0
    glow: float = 0.0


@dataclass(frozen=True)
class Shape:
    """A solid in the world.

    Attributes:
        kind: what fills the stretched cube.
        centre_m: its middle, (x, y, z).
        half_m: half its sides before turning.
        yaw: turn about z, radians, from x towards y.
        material: of its surface.
    """

    kind: Kind
    centre_m: tuple[float, float, float]
    half_m: tuple[float, float, float]
    material: Material
    yaw: float = 0.0

    def unturned(self, vectors: Vectors) -> Vectors:
        """World directions in the shape's own axes, metres."""
        if self.yaw == 0:
            return vectors
        cos, sin = np.float32(math.cos(self.yaw)), np.float32(math.sin(self.yaw))
        x, y, z = vectors
        return np.stack([cos * x + sin * y, cos * y - sin * x, z])

    def turned(self, vectors: Vectors) -> Vectors:
        """The inverse of `unturned`."""
        if self.yaw == 0:
            return vectors
        cos, sin = np.float32(math.cos(self.yaw)), np.float32(math.sin(self.yaw))
        x, y, z = vectors
        return np.stack([cos * x - sin * y, cos * y + sin * x, z])

    def local(self, points_m: Vectors) -> Vectors:
        """World points in the shape's own axes, metres from its middle."""
        return self.unturned(points_m - np.array(self.centre_m, np.float32)[:, None])

    def contains(self, point_m: tuple[float, float, float], margin_m: float) -> bool:
        """Whether the point lies inside the shape's box or within ``margin_m`` of it."""
        local = self.local(np.array(point_m, np.float32)[:, None])[:, 0]
        return bool(np.all(np.abs(local) < np.array(self.half_m) + margin_m))

    def distance(self, origin_m: Vectors, directions: Vectors) -> np.ndarray:
        """How many times ``directions`` (3, N) it takes from ``origin_m`` (3, 1), outside, to the surface; inf if
        missed."""
        half = np.array(self.half_m, np.float32)[:, None]
        start = self.local(origin_m) / half
        step = self.unturned(directions) / half
        if self.kind == "ball":
            near, far = _sphere(start, step)
        else:
            near, far = _slab(start[2], step[2])
            sides = _sphere(start[:2], step[:2]) if self.kind == "cylinder" else _box2(start, step)
            near, far = np.maximum(near, sides[0]), np.minimum(far, sides[1])
        return np.where((near <= far) & (near > 0), near, np.float32(np.inf))

    def normals(self, local_m: Vectors) -> Vectors:
        """Outward unit normals in the world, (3, N), at points of the surface in own axes."""
        half = np.array(self.half_m, np.float32)[:, None]
        unit = local_m / half
        if self.kind == "ball":
            normal = unit / half
            normal /= np.linalg.norm(normal, axis=0)
        elif self.kind == "cylinder":
            normal = np.stack([unit[0] / half[0], unit[1] / half[1], np.zeros_like(unit[2])])
            normal /= np.maximum(np.linalg.norm(normal, axis=0), _TINY)
            on_cap = np.abs(unit[2]) >= np.hypot(unit[0], unit[1])
            normal[:, on_cap] = 0
            normal[2, on_cap] = np.sign(unit[2, on_cap])
        else:
            normal = np.zeros_like(unit)
            axis = np.abs(unit).argmax(axis=0)[None]
            np.put_along_axis(normal, axis, np.sign(np.take_along_axis(unit, axis, 0)), 0)
        return self.turned(normal)

    def surface_m(self, local_m: Vectors) -> tuple[Vectors, Vectors]:
        """Two coordinates along the surface, metres: what a texture is laid on."""
        x, y, z = local_m
        if self.kind == "box":
            face = np.abs(local_m / np.array(self.half_m, np.float32)[:, None]).argmax(axis=0)
            # Upright faces are read along the floor and upwards, lying ones along x and y.
            return np.where(face == 0, y, x), np.where(face == 2, y, z)
        radius = np.float32(self.half_m[0])
        return np.arctan2(y, x) * radius, z


@dataclass(frozen=True)
class Cluster:
    """Shapes that stand together, such as the parts of a table: rays that pass their bounding ball pass them all.

    Attributes:
        shapes: at least one.
        centre_m: of the ball.
        radius_m: of the ball.
    """

    shapes: tuple[Shape, ...]
    centre_m: tuple[float, float, float]
    radius_m: float

    @classmethod
    def of(cls, shapes: Sequence[Shape]) -> Cluster:
        centres = np.array([shape.centre_m for shape in shapes])
        centre = (centres.min(axis=0) + centres.max(axis=0)) / 2
        radii = np.linalg.norm(centres - centre, axis=1) + [math.hypot(*shape.half_m) for shape in shapes]
        x, y, z = (float(coordinate) for coordinate in centre)
        return cls(tuple(shapes), (x, y, z), float(radii.max()))


def cast(clusters: Sequence[Cluster], origin_m: np.ndarray, directions: Vectors) -> tuple[np.ndarray, np.ndarray]:
    """The first shape on each ray.

    Args:
        clusters: what can be met; the origin is outside of all shapes.
        origin_m: where all rays start, (3,).
        directions: (3, N), of any length.

    Returns:
        Distance (N,) in units of each direction's length, inf where nothing is met; and the number of the shape,
        counted through all clusters, -1 where nothing is met.
    """
    origin = origin_m.astype(np.float32)[:, None]
    directions = np.where(np.abs(directions) < _TINY, _TINY, directions)
    towards = directions / np.sqrt(np.einsum("ij,ij->j", directions, directions))
    nearest = np.full(directions.shape[1], np.inf, np.float32)
    index = np.full(directions.shape[1], -1, np.int16)
    number = -1
    for cluster in clusters:
        aimed = _aimed_at(cluster.centre_m, cluster.radius_m, origin, towards)
        if not len(aimed):
            number += len(cluster.shapes)
            continue
        near_towards, near_directions = towards.take(aimed, axis=1), directions.take(aimed, axis=1)
        for shape in cluster.shapes:
            number += 1
            part = _aimed_at(shape.centre_m, math.hypot(*shape.half_m), origin, near_towards)
            if not len(part):
                continue
            rays = aimed.take(part)
            distance = shape.distance(origin, near_directions.take(part, axis=1))
            closer = np.flatnonzero(distance < nearest.take(rays))
            hit = rays.take(closer)
            nearest[hit] = distance.take(closer)
            index[hit] = number
    return nearest, index


def leave(half_m: np.ndarray, start_m: Vectors, directions: Vectors) -> np.ndarray:
    """How many times ``directions`` it takes to leave the box from -half_m to half_m (3, 1) from inside."""
    directions = np.where(np.abs(directions) < _TINY, _TINY, directions)
    result: np.ndarray = ((np.copysign(half_m, directions) - start_m) / directions).min(axis=0)
    return result


def _aimed_at(centre_m: tuple[float, float, float], radius_m: float, origin: Vectors, towards: Vectors) -> np.ndarray:
    """Rays, of unit direction, within the cone around a ball: a shape is small, most rays pass it."""
    axis = np.array(centre_m, np.float32) - origin[:, 0]
    distance = float(np.linalg.norm(axis))
    if distance <= radius_m:
        return np.arange(towards.shape[1])
    # A little wider than exact, for rounding.
    cos = math.sqrt(1 - (radius_m / distance) ** 2) * 0.999 - 1e-4
    return np.flatnonzero(axis @ towards >= np.float32(cos * distance))


def _slab(start: Vectors, step: Vectors) -> tuple[Vectors, Vectors]:
    """Where rays enter and leave -1 to 1 on one axis."""
    inverse = 1 / step
    middle, half = -start * inverse, np.abs(inverse)
    return middle - half, middle + half


def _box2(start: Vectors, step: Vectors) -> tuple[Vectors, Vectors]:
    near_x, far_x = _slab(start[0], step[0])
    near_y, far_y = _slab(start[1], step[1])
    return np.maximum(near_x, near_y), np.minimum(far_x, far_y)


def _sphere(start: Vectors, step: Vectors) -> tuple[Vectors, Vectors]:
    """Where rays enter and leave the unit circle or sphere, by the number of coordinates; inf, -inf if they miss."""
    a = np.einsum("ij,ij->j", step, step)
    b = np.einsum("ij,ij->j", np.broadcast_to(start, step.shape), step)
    # The closest point to the middle, instead of b * b - a * c: far away, that difference loses its digits.
    closest = start - (b / a) * step
    inside = 1 - np.einsum("ij,ij->j", closest, closest)
    root = np.sqrt(np.maximum(inside, 0) / a)
    missed = inside < 0
    near, far = -b / a - root, -b / a + root
    return np.where(missed, np.float32(np.inf), near), np.where(missed, np.float32(-np.inf), far)
