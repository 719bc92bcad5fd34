"""A room with its lights, and the camera that looks at it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from densedepth.data.synth.shapes import Cluster, Material, Shape, Vectors, cast, leave
from densedepth.types import Camera

#: How near the camera comes to a wall, and to anything else.
_WALL_MARGIN_M, _MARGIN_M = 0.25, 0.35
#: What a view should show at least, found with few rays.
_FEWEST_SHAPES = 14


@dataclass(frozen=True)
class Light:
    """A small lamp.

    Attributes:
        position_m: (x, y, z).
        colour: RGB; 1 lights white paper fully at one metre.
        radius_m: how soft its shadows are.
    """

    position_m: tuple[float, float, float]
    colour: tuple[float, float, float]
    radius_m: float = 0.1


@dataclass(frozen=True)
class Room:
    """A box seen from inside, from (0, 0, 0) to ``size_m``, with what stands in it.

    Attributes:
        size_m: (x, y, z).
        surfaces: materials at x = 0, x = max, y = 0, y = max, the floor and the ceiling.
        clusters: what stands in it, each piece of furniture together.
        lights: lamps.
        ambient: light from everywhere, RGB.
    """

    size_m: tuple[float, float, float]
    surfaces: tuple[Material, ...]
    clusters: list[Cluster]
    lights: list[Light]
    ambient: tuple[float, float, float] = (0.2, 0.2, 0.2)

    @cached_property
    def shapes(self) -> list[Shape]:
        """All shapes, in the order in which `hits` counts them."""
        return [shape for cluster in self.clusters for shape in cluster.shapes]

    @cached_property
    def casters(self) -> list[Cluster]:
        """What throws shadows. What glows is a lamp's shade or a window: it lets light through."""
        dark = [[shape for shape in cluster.shapes if not shape.material.glow] for cluster in self.clusters]
        return [Cluster.of(shapes) for shapes in dark if shapes]

    def hits(self, origin_m: np.ndarray, directions: Vectors) -> tuple[np.ndarray, np.ndarray]:
        """What rays from a point inside meet first.

        Returns:
            Distance (N,) in units of each direction's length, and the index of the shape, -1 for the room itself.
        """
        distance, index = cast(self.clusters, origin_m, directions)
        half_m = np.array(self.size_m, np.float32)[:, None] / 2
        wall = leave(half_m, origin_m.astype(np.float32)[:, None] - half_m, directions)
        index[wall <= distance] = -1
        return np.minimum(distance, wall), index


@dataclass(frozen=True)
class View:
    """Where the camera stands.

    Attributes:
        camera: its intrinsics.
        position_m: (3,).
        axes: (3, 3), columns are the camera's x (right), y (down) and z (forward) in the world.
    """

    camera: Camera
    position_m: np.ndarray
    axes: np.ndarray

    @classmethod
    def looking(
        cls, camera: Camera, position_m: tuple[float, float, float], heading: float, tilt: float, roll: float
    ) -> View:
        """Heading is from x towards y, tilt upwards, roll clockwise; radians."""
        ch, sh, ct, st = math.cos(heading), math.sin(heading), math.cos(tilt), math.sin(tilt)
        forward, right = np.array([ch * ct, sh * ct, st]), np.array([sh, -ch, 0.0])
        down = np.cross(forward, right)
        cr, sr = math.cos(roll), math.sin(roll)
        axes = np.stack([cr * right + sr * down, cr * down - sr * right, forward], axis=1)
        return cls(camera, np.array(position_m), axes)

    def rays(self, columns: np.ndarray, rows: np.ndarray) -> Vectors:
        """World directions (3, N) through image points, as long as one metre along the optical axis: a distance in
        units of their length is z."""
        x = (columns - self.camera.cx) / self.camera.fx
        y = (rows - self.camera.cy) / self.camera.fy
        return (self.axes @ np.stack([x, y, np.ones_like(x)])).astype(np.float32)


def draw_view(rng: np.random.Generator, room: Room, camera: Camera) -> View:
    """A place at 1.0 to 1.8 m that is outside of everything and sees a good part of the room."""
    width, length, _ = room.size_m
    small = camera.resized(24, 18)
    columns, rows = (grid.ravel() + 0.5 for grid in np.meshgrid(np.arange(24), np.arange(18)))
    best: tuple[float, View] | None = None
    for _ in range(40):
        x = rng.uniform(_WALL_MARGIN_M, width - _WALL_MARGIN_M)
        y = rng.uniform(_WALL_MARGIN_M, length - _WALL_MARGIN_M)
        position = (float(x), float(y), float(rng.uniform(1.0, 1.8)))
        aim = rng.uniform(0.25, 0.75, 2) * (width, length)
        heading = math.atan2(aim[1] - y, aim[0] - x)
        tilt, roll = math.radians(rng.uniform(-20, 4)), math.radians(rng.normal(0, 1.5))
        if any(shape.contains(position, _MARGIN_M) for shape in room.shapes):
            continue
        view = View.looking(camera, position, heading, tilt, roll)
        z, seen = room.hits(view.position_m, View(small, view.position_m, view.axes).rays(columns, rows))
        # What people photograph: nothing right before the lens, the far wall not too near, and not the wall alone.
        badness = max(0.0, 0.8 - float(np.quantile(z, 0.03))) + max(0.0, 2.1 - float(np.median(z)))
        badness += max(0, _FEWEST_SHAPES - len(np.unique(seen))) / 10 + max(0.0, float(np.mean(seen < 0)) - 0.8)
        if best is None or badness < best[0]:
            best = badness, view
        if badness == 0:
            break
    if best is None:
        corner = (_WALL_MARGIN_M, _WALL_MARGIN_M, 1.8)
        return View.looking(camera, corner, math.atan2(length, width), -0.2, 0.0)
    return best[1]
