"""Furniture from boxes, cylinders and balls: one function a piece."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np

from densedepth.data.synth.pieces import BLACK, STEEL, WHITE, Finish, Piece, block
from densedepth.data.synth.shapes import Kind, Material, Shape


def _legs(f: Finish, material: Material, w: float, d: float, height: float, thick: float) -> list[Shape]:
    kind: Kind = "cylinder" if f.chance(0.5) else "box"
    x, y = w / 2 - thick, d / 2 - thick
    return [
        block(
            material,
            (sx * x - thick / 2, sx * x + thick / 2),
            (sy * y - thick / 2, sy * y + thick / 2),
            (0, height),
            kind,
        )
        for sx in (-1, 1)
        for sy in (-1, 1)
    ]


def table(f: Finish, w: float = 0, d: float = 0, height: float = 0) -> Piece:
    """A top on four legs, with a vase or a few things on it now and then."""
    w, d, height = w or f.between(1.1, 1.8), d or f.between(0.7, 0.95), height or f.between(0.71, 0.77)
    wood = f.body()
    shapes = [block(wood, (-w / 2, w / 2), (-d / 2, d / 2), (height - 0.04, height))]
    shapes += _legs(f, wood, w, d, height - 0.04, f.between(0.04, 0.08))
    return Piece(shapes + _things(f, w * 0.8, d * 0.8, height), w, d)


def coffee_table(f: Finish) -> Piece:
    return table(f, f.between(0.8, 1.2), f.between(0.5, 0.65), f.between(0.38, 0.46))


def round_table(f: Finish) -> Piece:
    w, height, wood = f.between(0.7, 1.2), f.between(0.70, 0.76), f.body()
    top = block(wood, (-w / 2, w / 2), (-w / 2, w / 2), (height - 0.035, height), "cylinder")
    post = block(wood, (-0.05, 0.05), (-0.05, 0.05), (0.02, height - 0.035), "cylinder")
    foot = block(wood, (-w / 4, w / 4), (-w / 4, w / 4), (0, 0.03), "cylinder")
    return Piece([top, post, foot, *_things(f, w * 0.5, w * 0.5, height)], w, w)


def dining_set(f: Finish) -> Piece:
    """A table, round or not, with chairs on some of its sides."""
    middle = round_table(f) if f.chance(0.35) else table(f)
    shapes, seat = list(middle.shapes), chair(f)
    side, end = middle.depth_m / 2 + 0.12, middle.width_m / 2 + 0.12
    for x, y, yaw in [(0.0, -side, 0.0), (0.0, side, math.pi), (end, 0.0, math.pi / 2), (-end, 0.0, -math.pi / 2)]:
        if f.chance(0.7):
            shapes += seat.placed(x + f.between(-0.1, 0.1), y, yaw + f.between(-0.2, 0.2))
    return Piece(shapes, middle.width_m + 0.7, middle.depth_m + 0.7)


def _things(f: Finish, w: float, d: float, z: float) -> list[Shape]:
    """Cups, boxes, bowls and books on a top of w x d at height z."""
    shapes = []
    for _ in range(int(f.rng.integers(0, 4))):
        x, y = f.between(-w / 2, w / 2), f.between(-d / 2, d / 2)
        r, h = f.between(0.03, 0.09), f.between(0.05, 0.25)
        kind: Kind = ("box", "cylinder", "ball")[int(f.rng.integers(3))]
        h = 2 * r if kind == "ball" else h
        shapes.append(
            block(f.plain(f.colour((0.1, 0.8), (0.3, 0.95))), (x - r, x + r), (y - r, y + r), (z, z + h), kind)
        )
    return shapes


def chair(f: Finish) -> Piece:
    w, d, seat, top = 0.44, 0.46, f.between(0.43, 0.48), f.between(0.8, 1.0)
    wood = f.body()
    cushion = f.cloth() if f.chance(0.5) else wood
    shapes = [block(cushion, (-w / 2, w / 2), (-d / 2, d / 2), (seat - 0.04, seat))]
    shapes += [block(cushion, (-w / 2, w / 2), (-d / 2, -d / 2 + 0.035), (seat + 0.15, top))]
    shapes += [block(wood, (s * 0.19 - 0.015, s * 0.19 + 0.015), (-d / 2, -d / 2 + 0.03), (seat, top)) for s in (-1, 1)]
    return Piece(shapes + _legs(f, wood, w, d, seat - 0.04, 0.035), w, d)


def sofa(f: Finish) -> Piece:
    w, d, cloth = f.between(1.5, 2.2), f.between(0.85, 0.98), f.cloth()
    arm, seat, back = f.between(0.12, 0.22), f.between(0.38, 0.46), f.between(0.75, 0.9)
    shapes = [
        block(cloth, (-w / 2, w / 2), (-d / 2, d / 2 - 0.03), (0.07, seat - 0.12)),
        block(cloth, (-w / 2, w / 2), (-d / 2, -d / 2 + 0.22), (0.07, back)),
        block(cloth, (-w / 2, -w / 2 + arm), (-d / 2, d / 2), (0.05, seat + 0.18)),
        block(cloth, (w / 2 - arm, w / 2), (-d / 2, d / 2), (0.05, seat + 0.18)),
    ]
    seats = 2 if w < 1.8 else 3
    edges = np.linspace(-w / 2 + arm, w / 2 - arm, seats + 1)
    for left, right in itertools.pairwise(edges):
        x = (float(left) + 0.008, float(right) - 0.008)
        shapes.append(block(cloth, x, (-d / 2 + 0.2, d / 2), (seat - 0.12, seat)))
        shapes.append(block(cloth, x, (-d / 2 + 0.2, -d / 2 + 0.32), (seat, back - 0.04)))
    if f.chance(0.7):
        at = f.between(-w / 3, w / 3)
        shapes.append(
            block(f.cloth(), (at - 0.22, at + 0.22), (-d / 2 + 0.3, -d / 2 + 0.48), (seat, seat + 0.36), "ball")
        )
    return Piece(shapes, w, d)


def bed(f: Finish) -> Piece:
    """Head against the wall."""
    w, d, wood = f.between(0.95, 1.8), f.between(1.95, 2.1), f.body()
    top, sheet = f.between(0.45, 0.6), f.plain(f.colour((0.0, 0.15), (0.85, 0.97)))
    shapes = [
        block(wood, (-w / 2 - 0.03, w / 2 + 0.03), (-d / 2, -d / 2 + 0.06), (0, f.between(0.8, 1.2))),
        block(wood, (-w / 2, w / 2), (-d / 2, d / 2), (0.08, top - 0.2)),
        block(sheet, (-w / 2 + 0.02, w / 2 - 0.02), (-d / 2 + 0.06, d / 2 - 0.02), (top - 0.2, top)),
        block(
            f.cloth(),
            (-w / 2 - 0.01, w / 2 + 0.01),
            (-d / 2 + f.between(0.5, 0.8), d / 2 + 0.01),
            (top - 0.22, top + 0.04),
        ),
    ]
    pillows = 1 if w < 1.3 else 2
    for i in range(pillows):
        x = (i - (pillows - 1) / 2) * w / 2
        half = min(0.35, w / 2 / pillows - 0.05)
        y = (-d / 2 + 0.08, -d / 2 + 0.46)
        shapes.append(block(sheet, (x - half, x + half), y, (top - 0.03, top + 0.15), "ball"))
    return Piece(shapes, w + 0.06, d)


def shelf(f: Finish) -> Piece:
    """Sides, boards and a back, with books in it."""
    w, d, height = f.between(0.7, 1.2), f.between(0.28, 0.36), f.between(1.4, 2.1)
    wood = f.body()
    shapes = [
        block(wood, (-w / 2, -w / 2 + 0.02), (-d / 2, d / 2), (0, height)),
        block(wood, (w / 2 - 0.02, w / 2), (-d / 2, d / 2), (0, height)),
        block(wood, (-w / 2, w / 2), (-d / 2, -d / 2 + 0.01), (0, height)),
    ]
    boards = np.linspace(0.06, height, round(height / 0.38) + 1)
    for z in boards:
        shapes.append(block(wood, (-w / 2, w / 2), (-d / 2, d / 2), (float(z) - 0.02, float(z))))
    for low, high in itertools.pairwise(boards):
        z, gap = float(low), float(high - low) - 0.02
        if f.chance(0.75):
            left, right = sorted((f.between(-w / 2 + 0.03, -0.1), f.between(0.0, w / 2 - 0.03)))
            books = f.material("books", f.colour((0.3, 0.9), (0.3, 0.8)), f.colour((0.2, 0.9), (0.4, 0.9)), 0.35)
            shapes.append(
                block(books, (left, right), (-d / 2 + 0.02, d / 2 - 0.05), (z, z + gap * f.between(0.6, 0.92)))
            )
        else:
            shapes += _things(f, w * 0.7, d * 0.3, z)
    return Piece(shapes, w, d)


def _fronts(
    f: Finish, body: Material, w: float, d: float, z: tuple[float, float], across: int, down: int
) -> list[Shape]:
    """Doors or drawers with knobs on the front of a body."""
    shapes, knob = [], f.plain(STEEL if f.chance(0.6) else BLACK)
    xs, zs = np.linspace(-w / 2, w / 2, across + 1), np.linspace(*z, down + 1)
    for left, right in itertools.pairwise(xs):
        for low, high in itertools.pairwise(zs):
            x, y = (float(left) + 0.012, float(right) - 0.012), (d / 2, d / 2 + 0.018)
            shapes.append(block(body, x, y, (float(low) + 0.012, float(high) - 0.012)))
            kx, kz = (x[0] + x[1]) / 2 if down > 1 else x[1] - 0.05, float(low + high) / 2
            shapes.append(
                block(knob, (kx - 0.015, kx + 0.015), (d / 2 + 0.015, d / 2 + 0.045), (kz - 0.015, kz + 0.015), "ball")
            )
    return shapes


def _cupboard(f: Finish, w: float, d: float, height: float, across: int, down: int) -> list[Shape]:
    body = f.body()
    case = block(body, (-w / 2, w / 2), (-d / 2, d / 2), (0.0, height))
    return [case, *_fronts(f, body, w, d, (0.06, height - 0.02), across, down)]


def wardrobe(f: Finish) -> Piece:
    doors = int(f.rng.integers(2, 4))
    w, d = doors * f.between(0.42, 0.55), f.between(0.52, 0.6)
    return Piece(_cupboard(f, w, d, f.between(1.85, 2.2), doors, 1), w, d + 0.04)


def dresser(f: Finish) -> Piece:
    w, d, height = f.between(0.8, 1.3), f.between(0.4, 0.5), f.between(0.7, 1.0)
    return Piece(_cupboard(f, w, d, height, 2, 3) + _things(f, w * 0.7, d * 0.5, height), w, d + 0.04)


def television(f: Finish) -> Piece:
    """A low cupboard and a dark screen on it."""
    w, d, height = f.between(1.2, 1.7), 0.42, f.between(0.4, 0.55)
    screen, half = f.plain(BLACK), f.between(0.4, 0.6)
    shapes = _cupboard(f, w, d, height, 3, 1)
    shapes += [
        block(screen, (-half, half), (-0.03, 0.01), (height + 0.06, height + 0.06 + half * 1.12)),
        block(screen, (-0.15, 0.15), (-0.1, 0.1), (height, height + 0.015)),
        block(screen, (-0.04, 0.04), (-0.02, 0.0), (height, height + 0.08)),
    ]
    return Piece(shapes, w, d + 0.04)


def desk(f: Finish) -> Piece:
    """With a screen, a keyboard and a chair."""
    w, d, height = f.between(1.2, 1.6), f.between(0.65, 0.8), 0.74
    dark, half = f.plain(BLACK), f.between(0.25, 0.34)
    y = -d / 2 + 0.2
    shapes = table(f, w, d, height).shapes
    shapes += [
        block(dark, (-half, half), (y - 0.015, y + 0.015), (height + 0.1, height + 0.1 + half * 1.15)),
        block(dark, (-0.03, 0.03), (y - 0.03, y - 0.015), (height, height + 0.3)),
        block(dark, (-0.12, 0.12), (y - 0.1, y + 0.06), (height, height + 0.012)),
        block(f.plain(STEEL), (-0.22, 0.22), (0.02, 0.15), (height, height + 0.02)),
        *chair(f).placed(f.between(-0.2, 0.2), d / 2 + 0.2, math.pi + f.between(-0.5, 0.5)),
    ]
    return Piece(shapes, w, d)


def counter(f: Finish) -> Piece:
    """Kitchen: cupboards below and above, a top between."""
    doors = int(f.rng.integers(3, 5))
    w, d = doors * 0.55, 0.6
    body, top = f.body(), f.material("mottled", f.colour((0, 0.2), (0.3, 0.9)), f.colour((0, 0.2), (0.2, 0.7)), 0.03)
    shapes = [
        block(body, (-w / 2, w / 2), (-d / 2, d / 2 - 0.03), (0.0, 0.87)),
        *_fronts(f, body, w, d - 0.06, (0.1, 0.85), doors, 1),
        block(top, (-w / 2 - 0.01, w / 2 + 0.01), (-d / 2, d / 2), (0.87, 0.91)),
        *_things(f, w * 0.8, d * 0.6, 0.91),
    ]
    above = [block(body, (-w / 2, w / 2), (-d / 2, -d / 2 + 0.35), (1.45, 2.1))]
    for part in _fronts(f, body, w, 0.35, (1.45, 2.1), doors, 1):
        x, y, z = part.centre_m
        above.append(Shape(part.kind, (x, y - d / 2 + 0.175, z), part.half_m, part.material))
    return Piece(shapes + above, w + 0.02, d + 0.03)


def fridge(f: Finish) -> Piece:
    w, d, height = 0.62, 0.64, f.between(1.5, 1.95)
    skin = f.plain(WHITE if f.chance(0.6) else STEEL)
    case = block(skin, (-w / 2, w / 2), (-d / 2, d / 2 - 0.05), (0.02, height))
    split = height * f.between(0.55, 0.7)
    doors = [block(skin, (-w / 2, w / 2), (d / 2 - 0.045, d / 2), z) for z in ((0.05, split), (split + 0.012, height))]
    return Piece([case, *doors], w, d)


def plant(f: Finish) -> Piece:
    r, height = f.between(0.12, 0.2), f.between(0.25, 0.4)
    pot = f.plain(f.colour((0.0, 0.6), (0.4, 0.9)))
    leaves = f.material("mottled", (0.02, 0.10, 0.02), (0.12, 0.30, 0.05), 0.05)
    shapes = [block(pot, (-r, r), (-r, r), (0, height), "cylinder")]
    for _ in range(int(f.rng.integers(3, 7))):
        x, y, z = f.between(-0.15, 0.15), f.between(-0.15, 0.15), height + f.between(0.05, 0.6)
        a, b = f.between(0.08, 0.2), f.between(0.08, 0.24)
        shapes.append(block(leaves, (x - a, x + a), (y - a, y + a), (z - b, z + b), "ball"))
    return Piece(shapes, 0.6, 0.6)


def floor_lamp(f: Finish) -> Piece:
    height, metal = f.between(1.4, 1.7), f.plain(BLACK if f.chance(0.5) else STEEL)
    shade = f.material("plain", (0.85, 0.7, 0.45), (0.85, 0.7, 0.45), 0.5, glow=0.9)
    shapes = [
        block(metal, (-0.14, 0.14), (-0.14, 0.14), (0, 0.025), "cylinder"),
        block(metal, (-0.014, 0.014), (-0.014, 0.014), (0.02, height), "cylinder"),
        block(shade, (-0.19, 0.19), (-0.19, 0.19), (height - 0.12, height + 0.16), "cylinder"),
    ]
    return Piece(shapes, 0.4, 0.4)


def box_pile(f: Finish) -> Piece:
    shapes, z, w = [], 0.0, f.between(0.3, 0.5)
    for _ in range(int(f.rng.integers(1, 4))):
        h = f.between(0.15, 0.35)
        card = f.material("mottled", (0.42, 0.28, 0.15), (0.36, 0.23, 0.12), 0.2)
        shapes.append(block(card, (-w / 2, w / 2), (-w / 2, w / 2), (z, z + h)))
        z, w = z + h, w * f.between(0.7, 1.0)
    return Piece(shapes, 0.5, 0.5)


def ball(f: Finish) -> Piece:
    r = f.between(0.08, 0.32)
    skin = f.material("stripes", f.colour((0.5, 0.9), (0.5, 0.9)), f.colour((0.0, 0.5), (0.7, 0.95)), 0.2)
    return Piece([block(skin, (-r, r), (-r, r), (0, 2 * r), "ball")], 2 * r, 2 * r)


Maker = Callable[[Finish], Piece]
#: What stands along the walls and what in the middle of each kind of room, most important first.
FURNITURE: dict[str, tuple[tuple[Maker, ...], tuple[Maker, ...]]] = {
    "bedroom": ((bed, wardrobe, dresser, shelf, chair, floor_lamp, plant), (ball, box_pile)),
    "dining_room": ((dresser, shelf, plant, floor_lamp, sofa), (dining_set,)),
    "kitchen": ((counter, fridge, dresser, shelf, plant), (dining_set,)),
    "living_room": ((sofa, television, shelf, floor_lamp, plant, dresser, sofa), (coffee_table, ball)),
    "office": ((desk, shelf, desk, shelf, wardrobe, plant, box_pile), (round_table, ball)),
}
