"""A furnished room drawn from a generator."""

from __future__ import annotations

import math

import numpy as np

from densedepth.data.synth.fixtures import Size, along, lamp, openings, rug, skirting, surfaces, wall_pose
from densedepth.data.synth.furniture import FURNITURE
from densedepth.data.synth.pieces import Finish, Piece, Rectangle
from densedepth.data.synth.scene import Light, Room
from densedepth.data.synth.shapes import Cluster, Shape

KINDS = tuple(FURNITURE)


def draw_room(kind: str, rng: np.random.Generator) -> Room:
    """A furnished room of one of `KINDS`."""
    f = Finish(rng)
    size = (f.between(3.3, 5.8), f.between(3.3, 5.8), f.between(2.4, 2.9))
    fixtures, taken, window = openings(f, size)
    pieces = [*fixtures, *skirting(f, size)]
    by_wall, in_middle = FURNITURE[kind]
    for number, make in enumerate(by_wall):
        if number < 2 or f.chance(0.75):
            pieces.append(_against_a_wall(f, make(f), size, taken))
    if f.chance(0.45):
        pieces.append([rug(f, size)])
    for make in in_middle:
        if f.chance(0.7):
            pieces.append(_in_the_middle(f, make(f), size, taken))
    lamp_shapes, lights = lamp(f, size)
    if f.chance(0.6) or not lights:
        daylight = f.between(2.0, 5.0)
        lights.append(Light(window, (daylight * 0.93, daylight, daylight * f.between(1.0, 1.15)), 0.3))
    clusters = [Cluster.of(shapes) for shapes in [*pieces, lamp_shapes] if shapes]
    ambient = f.between(0.12, 0.3)
    return Room(size, surfaces(f, kind), clusters, lights, (ambient, ambient, ambient * 1.03))


def _against_a_wall(f: Finish, piece: Piece, size: Size, taken: list[Rectangle]) -> list[Shape]:
    for _ in range(12):
        wall = int(f.rng.integers(4))
        pose = wall_pose(wall, along(f, wall, piece.width_m, size), piece.depth_m / 2 + 0.03, size)
        if _claim(piece, pose, size, taken, 0.05):
            return piece.placed(*pose)
    return []


def _in_the_middle(f: Finish, piece: Piece, size: Size, taken: list[Rectangle]) -> list[Shape]:
    for _ in range(12):
        turn = int(f.rng.integers(4)) * math.pi / 2
        pose = (size[0] * f.between(0.2, 0.8), size[1] * f.between(0.2, 0.8), turn)
        if _claim(piece, pose, size, taken, 0.1):
            return piece.placed(pose[0], pose[1], turn + f.between(-0.12, 0.12))
    return []


def _claim(
    piece: Piece,
    pose: tuple[float, float, float],
    size: Size,
    taken: list[Rectangle],
    margin_m: float,
) -> bool:
    """Take the floor that a piece needs, if it is free."""
    x0, x1, y0, y1 = piece.footprint(*pose)
    if x0 < 0 or y0 < 0 or x1 > size[0] or y1 > size[1]:
        return False
    for a0, a1, b0, b1 in taken:
        if x0 < a1 + margin_m and a0 < x1 + margin_m and y0 < b1 + margin_m and b0 < y1 + margin_m:
            return False
    taken.append((x0, x1, y0, y1))
    return True
