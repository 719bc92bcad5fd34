"""What every room has: floor, walls, window, door, pictures, skirting boards, a lamp."""

from __future__ import annotations

import math

from densedepth.data.synth.pieces import STEEL, WHITE, Finish, Piece, Rectangle, block
from densedepth.data.synth.scene import Light
from densedepth.data.synth.shapes import Material, Shape

#: Of a room, along x, y and z, metres.
Size = tuple[float, float, float]


def surfaces(f: Finish, kind: str) -> tuple[Material, ...]:
    pale = f.colour((0.02, 0.25), (0.78, 0.95))
    wall = f.material("plain", pale, pale, 0.8)
    if f.chance(0.25):
        second = f.colour((0.02, 0.3), (0.7, 0.95))
        wall = f.material(str(f.rng.choice(["stripes", "mottled"])), pale, second, f.between(0.1, 0.3))
    accent = f.colour((0.2, 0.6), (0.35, 0.85))
    walls = [wall] * 4
    if f.chance(0.3):
        walls[int(f.rng.integers(4))] = f.material("plain", accent, accent, 0.8)
    floors = {
        "planks": (0.09, 0.19),
        "tiles": (0.25, 0.6),
        "checker": (0.3, 0.5),
        "mottled": (0.04, 0.15),
    }
    weights = (0.15, 0.55, 0.3, 0.0) if kind == "kitchen" else (0.6, 0.12, 0.05, 0.23)
    pattern = str(f.rng.choice(list(floors), p=weights))
    floor = f.material(pattern, f.colour((0, 0.3), (0.5, 0.9)), f.colour((0, 0.25), (0.25, 0.6)), 0.3)
    if pattern == "planks":
        floor = f.wood()
    floor = f.material(pattern, *floor.colours, f.between(*floors[pattern]))
    return (*walls, floor, f.plain(WHITE))


def openings(f: Finish, size: Size) -> tuple[list[list[Shape]], list[Rectangle], tuple[float, float, float]]:
    """A window, a door and pictures on the walls; the floor before the door; the middle of the window."""
    walls = [int(wall) for wall in f.rng.permutation(4)]
    frame, pane = f.plain(WHITE), f.material("mottled", (0.55, 0.75, 1.0), (0.95, 0.97, 1.0), 1.5, glow=1.3)
    w, low, high = f.between(0.9, 1.7), f.between(0.8, 1.0), f.between(1.95, 2.2)
    shapes = [
        block(pane, (-w / 2, w / 2), (0, 0.02), (low, high)),
        block(frame, (-w / 2 - 0.08, w / 2 + 0.08), (0, 0.14), (low - 0.05, low)),
        block(frame, (-w / 2 - 0.06, w / 2 + 0.06), (0, 0.05), (high, high + 0.06)),
        block(frame, (-w / 2, w / 2), (0, 0.04), ((low + high) / 2 - 0.02, (low + high) / 2 + 0.02)),
        *(block(frame, (x - 0.03, x + 0.03), (0, 0.04), (low, high)) for x in (-w / 2 - 0.03, 0, w / 2 + 0.03)),
    ]
    if f.chance(0.6):
        cloth = f.cloth()
        shapes += [
            block(cloth, (s * (w / 2 + 0.14) - 0.18, s * (w / 2 + 0.14) + 0.18), (0.06, 0.13), (0.08, high + 0.15))
            for s in (-1, 1)
        ]
    at = along(f, walls[0], w + 0.7, size)
    window = Piece(shapes, w, 0).placed(*wall_pose(walls[0], at, 0.0, size))
    x, y, _ = window[0].centre_m
    inside = (min(max(x, 0.3), size[0] - 0.3), min(max(y, 0.3), size[1] - 0.3), (low + high) / 2)

    leaf, handle = f.body(), f.plain(STEEL)
    door = [
        block(frame, (-0.5, 0.5), (0, 0.02), (0, 2.09)),
        block(leaf, (-0.43, 0.43), (0, 0.035), (0.01, 2.03)),
        block(handle, (0.3, 0.38), (0.03, 0.07), (1.02, 1.04)),
    ]
    at = along(f, walls[1], 1.0, size)
    pose = wall_pose(walls[1], at, 0.0, size)
    pieces = [window, Piece(door, 1.0, 0).placed(*pose)]
    taken = [Piece([], 1.0, 1.2).footprint(*wall_pose(walls[1], at, 0.6, size))]
    for wall in walls[2:]:
        for _ in range(int(f.rng.integers(0, 3))):
            a, b, z = f.between(0.15, 0.45), f.between(0.15, 0.4), f.between(1.5, 1.75)
            art = f.material("painting", f.colour((0.2, 0.9), (0.3, 0.9)), f.colour((0.1, 0.8), (0.4, 0.95)), 0.5)
            picture = [
                block(f.body(), (-a - 0.03, a + 0.03), (0, 0.02), (z - b - 0.03, z + b + 0.03)),
                block(art, (-a, a), (0, 0.025), (z - b, z + b)),
            ]
            pose = wall_pose(wall, along(f, wall, 2 * a, size), 0.0, size)
            pieces.append(Piece(picture, 2 * a, 0).placed(*pose))
    return pieces, taken, inside


def skirting(f: Finish, size: Size) -> list[list[Shape]]:
    """Boards along the feet of the walls."""
    wood = f.plain(WHITE) if f.chance(0.6) else f.wood()
    boards = []
    for wall in range(4):
        half = size[wall % 2] / 2
        board = Piece([block(wood, (-half, half), (0, 0.014), (0, 0.08))], 2 * half, 0)
        boards.append(board.placed(*wall_pose(wall, half, 0.0, size)))
    return boards


def rug(f: Finish, size: Size) -> Shape:
    """Somewhere in the middle; furniture may stand on it."""
    w, d = size[0] * f.between(0.3, 0.5), size[1] * f.between(0.3, 0.5)
    x, y = size[0] * f.between(0.4, 0.6), size[1] * f.between(0.4, 0.6)
    cloth = f.cloth()
    return block(cloth, (x - w / 2, x + w / 2), (y - d / 2, y + d / 2), (0, 0.012))


def lamp(f: Finish, size: Size) -> tuple[list[Shape], list[Light]]:
    """A lamp under the ceiling, and its light if it is on."""
    x, y, z = size[0] * f.between(0.4, 0.6), size[1] * f.between(0.4, 0.6), size[2] - f.between(0.12, 0.5)
    r = f.between(0.1, 0.17)
    on = f.chance(0.8)
    warm = f.between(0.55, 0.95)
    glow = f.material("plain", (0.95, 0.92, 0.8), (0.95, 0.92, 0.8), 1, glow=1.5 if on else 0.0)
    shapes = [
        block(glow, (x - r, x + r), (y - r, y + r), (z - r, z + r), "ball"),
        block(f.plain(STEEL), (x - 0.01, x + 0.01), (y - 0.01, y + 0.01), (z + r * 0.9, size[2]), "cylinder"),
    ]
    power = f.between(3.0, 6.0)
    return shapes, [Light((x, y, z), (power, power * (0.75 + 0.25 * warm), power * warm), r)] if on else []


def wall_pose(wall: int, at: float, off: float, size: Size) -> tuple[float, float, float]:
    """(x, y, yaw) that turn a piece's back to a wall: 0 is y = 0, then counter-clockwise."""
    width, length, _ = size
    x, y = [(at, off), (width - off, at), (width - at, length - off), (off, length - at)][wall]
    return x, y, wall * math.pi / 2


def along(f: Finish, wall: int, w: float, size: Size) -> float:
    """Where the middle of a thing w wide may stand along a wall."""
    room = size[wall % 2]
    return f.between(w / 2 + 0.05, max(room - w / 2 - 0.05, w / 2 + 0.06))
