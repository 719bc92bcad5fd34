"""The plan of a room: walls with openings, furniture on the floor and on other furniture, and what may stand where.

Axes: x and y along the walls, z up, metres. The floor is a rectangle, or an L: a rectangle without one corner.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from densedepth.rooms.columns import CELL_M, Columns
from densedepth.rooms.mesh import Mesh

#: Surfaces may sink this far into each other: cushions give, and models touch by a hair.
TOLERANCE_M = 0.012


@dataclass
class Item:
    """Something in the room.

    Attributes:
        role: what it is used as, e.g. "sofa".
        key: of the piece in the catalogue; "" for things made here.
        position_m: middle of its underside.
        turn_rad: about z; at 0 it faces -y.
        size_m: width, depth, height before turning.
        columns: where it has substance; None is a full box.
        mesh: its triangles, where it is not from the catalogue.
        solid: False for a mere zone that furniture has to leave free.
    """

    role: str
    key: str
    position_m: tuple[float, float, float]
    turn_rad: float
    size_m: tuple[float, float, float]
    columns: Columns | None = None
    mesh: Mesh | None = None
    solid: bool = True

    @property
    def bottom_m(self) -> float:
        return self.position_m[2]

    @property
    def top_m(self) -> float:
        return self.position_m[2] + self.size_m[2]

    @property
    def facing(self) -> NDArray[np.float64]:
        """Unit vector (x, y) its front looks along."""
        return np.array([math.sin(self.turn_rad), -math.cos(self.turn_rad)])

    def corners(self) -> NDArray[np.float64]:
        """The footprint, (4, 2), counter-clockwise."""
        half = np.array(self.size_m[:2]) / 2
        local = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * half
        return self.to_room(local)

    def to_room(self, local: NDArray[np.floating]) -> NDArray[np.float64]:
        """Points (N, 2) from the item's own axes into the room's."""
        c, s = math.cos(self.turn_rad), math.sin(self.turn_rad)
        return np.asarray(local @ np.array([[c, s], [-s, c]]) + np.array(self.position_m[:2]))

    def to_own(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """The inverse of `to_room`."""
        c, s = math.cos(self.turn_rad), math.sin(self.turn_rad)
        return np.asarray((points - np.array(self.position_m[:2])) @ np.array([[c, -s], [s, c]]))

    def surfaces(self) -> Columns:
        return self.columns or Columns.solid(self.size_m)


@dataclass(frozen=True)
class Opening:
    """A hole in a wall: "door", "doorway" (no leaf) or "window", from `left_m` along the wall."""

    kind: str
    left_m: float
    width_m: float
    bottom_m: float
    height_m: float

    @property
    def right_m(self) -> float:
        return self.left_m + self.width_m


@dataclass
class Wall:
    """From `start` to `end`; the room is on its left."""

    start: tuple[float, float]
    end: tuple[float, float]
    openings: list[Opening] = field(default_factory=list)

    @property
    def length_m(self) -> float:
        return math.dist(self.start, self.end)

    @property
    def along(self) -> NDArray[np.float64]:
        return (np.array(self.end) - self.start) / self.length_m

    @property
    def inward(self) -> NDArray[np.float64]:
        x, y = self.along
        return np.array([-y, x])

    @property
    def turn_rad(self) -> float:
        """Turn of furniture with its back to this wall."""
        x, y = self.inward
        return math.atan2(x, -y)

    def point(self, along_m: float, inward_m: float = 0.0) -> NDArray[np.float64]:
        return np.array(self.start) + self.along * along_m + self.inward * inward_m


@dataclass
class Plan:
    """A room and everything in it.

    Attributes:
        kind: "bedroom", "kitchen", ...
        size_m: of the rectangle around the floor; it starts at (0, 0).
        height_m: of the ceiling.
        notch_m: the corner an L lacks, (x, y) measured from the far corner (size_m); (0, 0) for a rectangle.
        walls: counter-clockwise.
        items: the furniture.
        zones: where no furniture may stand, e.g. behind a door.
    """

    kind: str
    size_m: tuple[float, float]
    height_m: float
    notch_m: tuple[float, float] = (0.0, 0.0)
    walls: list[Wall] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    zones: list[Item] = field(default_factory=list)

    def __post_init__(self) -> None:
        outline = self.outline()
        self.walls = self.walls or [
            Wall(start, end) for start, end in zip(outline, outline[1:] + outline[:1], strict=True)
        ]

    def outline(self) -> list[tuple[float, float]]:
        (x, y), (nx, ny) = self.size_m, self.notch_m
        if nx and ny:
            return [(0, 0), (x, 0), (x, y - ny), (x - nx, y - ny), (x - nx, y), (0, y)]
        return [(0, 0), (x, 0), (x, y), (0, y)]

    def contains(self, points: NDArray[np.floating], margin_m: float = 0.0) -> bool:
        """Whether all points (N, 2) lie inside, at least `margin_m` from the walls."""
        (x, y), (nx, ny) = self.size_m, self.notch_m
        low, high = points.min(axis=0), points.max(axis=0)
        if low.min() < margin_m or high[0] > x - margin_m or high[1] > y - margin_m:
            return False
        return not (nx and ny and high[0] > x - nx - margin_m and high[1] > y - ny - margin_m and self._cut(points))

    def _cut(self, points: NDArray[np.floating]) -> bool:
        """Whether a footprint reaches into the missing corner."""
        x, y = self.size_m[0] - self.notch_m[0], self.size_m[1] - self.notch_m[1]
        notch = np.array([(x, y), (x + 50, y), (x + 50, y + 50), (x, y + 50)])
        return len(points) < 3 or overlap(points, notch)

    def fits(self, item: Item, ignore: Iterable[Item] = ()) -> bool:
        """Whether `item` stands inside the walls and in nothing else."""
        if item.top_m > self.height_m - 0.01 or not self.contains(item.corners(), 0.004):
            return False
        ignored = {id(other) for other in ignore}
        others = [other for other in (*self.items, *self.zones) if id(other) not in ignored]
        return not any(interpenetrate(item, other) for other in others)

    def add(self, item: Item, ignore: Iterable[Item] = ()) -> bool:
        """Put `item` there if it fits."""
        if not self.fits(item, ignore):
            return False
        self.items.append(item)
        return True

    def floor_area_m2(self) -> float:
        return self.size_m[0] * self.size_m[1] - self.notch_m[0] * self.notch_m[1]


def overlap(a: NDArray[np.floating], b: NDArray[np.floating]) -> bool:
    """Whether two convex polygons (N, 2) share more than a border (separating axes)."""
    for polygon in (a, b):
        edges = np.roll(polygon, -1, axis=0) - polygon
        axes = np.stack([-edges[:, 1], edges[:, 0]], axis=1)
        axes /= np.maximum(np.linalg.norm(axes, axis=1, keepdims=True), 1e-9)
        first, second = a @ axes.T, b @ axes.T
        gap = np.maximum(first.min(axis=0) - second.max(axis=0), second.min(axis=0) - first.max(axis=0))
        if gap.max() > -1e-3:
            return False
    return True


def interpenetrate(a: Item, b: Item) -> bool:
    """Whether two items share space. Zones count as full; furniture by its columns, so a chair may go under a table."""
    reach = (math.hypot(*a.size_m[:2]) + math.hypot(*b.size_m[:2])) / 2
    if math.dist(a.position_m[:2], b.position_m[:2]) > reach:
        return False
    if min(a.top_m, b.top_m) - max(a.bottom_m, b.bottom_m) <= TOLERANCE_M or not overlap(a.corners(), b.corners()):
        return False
    if not (a.solid and b.solid):
        return True
    small, large = sorted((a, b), key=lambda item: item.size_m[0] * item.size_m[1])
    columns = small.surfaces()
    centres = columns.centres()
    if not len(centres):
        return False
    low, high = columns.at(centres)
    # The other's cells are met at four points around each centre, too: its substance may lie between them.
    shifts = np.array([(0, 0), (-1, -1), (1, -1), (1, 1), (-1, 1)]) * (CELL_M / 2)
    for shift in shifts:
        other_low, other_high = large.surfaces().at(large.to_own(small.to_room(centres + shift)))
        shared = np.minimum(high + small.bottom_m, other_high + large.bottom_m) - np.maximum(
            low + small.bottom_m, other_low + large.bottom_m
        )
        if (shared > TOLERANCE_M).any():
            return True
    return False
