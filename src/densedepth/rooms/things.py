"""Furniture of our own, for what the catalogue has too little of.

Each faces -y, its underside centred on the origin.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from densedepth.rooms.mesh import Material, Mesh
from densedepth.rooms.palette import fabric_color, hsv, wall_color, wood_color
from densedepth.rooms.shapes import block, grid, sheet, turned

Rng = np.random.Generator
Size = tuple[float, float, float]
Made = tuple[Mesh, Size]

#: Material that stands for the room's curtain cloth until its style is known.
CURTAIN = "curtain"


def wooden(rng: Rng) -> Material:
    """Wood or paint, as furniture fronts have."""
    if rng.random() < 0.6:
        return Material("wood", wood_color(rng), 0.15, detail="wood")
    return Material("paint", wall_color(rng), 0.15, detail="blank")


def _open_shelves(size: Size, boards: int, material: Material) -> list[Mesh]:
    width, depth, height = size
    x, y, t = width / 2, depth / 2, 0.02
    parts = [
        block((-x, -y, 0), (-x + t, y, height), material),
        block((x - t, -y, 0), (x, y, height), material),
        block((-x, y - 0.01, 0), (x, y, height), material),
    ]
    for level in np.linspace(0.04, height - t, boards):
        parts.append(block((-x + t, -y, level), (x - t, y - 0.01, level + t), material))
    return parts


def bookshelf(rng: Rng) -> Made:
    """Shelves, filled with books and a few other things."""
    size = (float(rng.uniform(0.5, 1.3)), float(rng.uniform(0.24, 0.36)), float(rng.uniform(0.8, 2.15)))
    boards = max(3, round(size[2] / rng.uniform(0.28, 0.42)))
    parts = _open_shelves(size, boards, wooden(rng))
    levels = np.linspace(0.04, size[2] - 0.02, boards)
    fullness = rng.uniform(0.4, 1.0)
    for level, above in pairwise(levels):
        parts += _row_of_books(rng, size, level + 0.02, above - level - 0.02, fullness)
    return Mesh.joined(parts), size


def _row_of_books(rng: Rng, size: Size, bottom: float, room: float, fullness: float) -> list[Mesh]:
    parts = []
    x = -size[0] / 2 + 0.025
    back = size[1] / 2 - 0.015
    while x < size[0] / 2 - 0.07:
        if rng.random() > fullness:
            x += rng.uniform(0.03, 0.25)
            continue
        height = min(room - 0.02, rng.uniform(0.16, 0.30))
        if rng.random() < 0.06 and room > 0.15 and x < size[0] / 2 - 0.16:
            radius = rng.uniform(0.03, 0.06)
            profile = [(0.02, 0), (radius, 0.03), (radius * 0.9, height * 0.5), (0.02, height * 0.8), (0, height * 0.8)]
            vase = turned(profile, Material("vase", fabric_color(rng), 0.5), 12)
            parts.append(vase.moved((x + radius, 0, bottom)))
            x += 2 * radius + 0.02
            continue
        color = fabric_color(rng)
        series = int(rng.integers(1, 5)) if rng.random() < 0.3 else 1
        thick, depth = rng.uniform(0.012, 0.05), min(size[1] - 0.03, rng.uniform(0.13, 0.22))
        for _ in range(series):
            if x + thick > size[0] / 2 - 0.025:
                return parts
            front = back - depth - rng.uniform(0, 0.02)
            book = block((x, front, bottom), (x + thick, back, bottom + height), Material("book", color, 0.1))
            parts.append(book)
            x += thick + 0.001
    return parts


def wardrobe(rng: Rng) -> Made:
    """A tall cupboard with two to five doors."""
    doors = int(rng.integers(2, 6))
    size = (doors * float(rng.uniform(0.4, 0.55)), float(rng.uniform(0.5, 0.62)), float(rng.uniform(1.8, 2.25)))
    width, depth, height = size
    body, front = wooden(rng), wooden(rng)
    if rng.random() < 0.6:
        front = body
    knob = Material("metal", (0.6, 0.6, 0.6), 0.8)
    parts = [block((-width / 2, -depth / 2 + 0.02, 0), (width / 2, depth / 2, height), body)]
    step = width / doors
    for door in range(doors):
        left = -width / 2 + door * step
        parts.append(
            block(
                (left + 0.003, -depth / 2 + 0.005, 0.06), (left + step - 0.003, -depth / 2 + 0.02, height - 0.02), front
            )
        )
        x = left + (0.05 if door % 2 else step - 0.05)
        parts.append(
            block((x - 0.008, -depth / 2, height * 0.45), (x + 0.008, -depth / 2 + 0.006, height * 0.55), knob)
        )
    return Mesh.joined(parts), size


def drawers(rng: Rng) -> Made:
    """A chest of drawers or a sideboard."""
    columns, rows = int(rng.integers(1, 4)), int(rng.integers(2, 5))
    size = (
        columns * float(rng.uniform(0.45, 0.6)),
        float(rng.uniform(0.38, 0.5)),
        0.1 + rows * float(rng.uniform(0.16, 0.24)),
    )
    width, depth, height = size
    body = wooden(rng)
    front = body if rng.random() < 0.7 else wooden(rng)
    knob = Material("metal", (0.55, 0.53, 0.5), 0.8)
    parts = [block((-width / 2, -depth / 2 + 0.02, 0.06), (width / 2, depth / 2, height), body)]
    parts += [
        block((x - 0.025, y - 0.025, 0), (x + 0.025, y + 0.025, 0.06), body)
        for x in (-width / 2 + 0.04, width / 2 - 0.04)
        for y in (-depth / 2 + 0.06, depth / 2 - 0.04)
    ]
    for column in range(columns):
        for row in range(rows):
            left, low = -width / 2 + column * width / columns, 0.08 + row * (height - 0.1) / rows
            right, high = left + width / columns, low + (height - 0.1) / rows
            parts.append(
                block((left + 0.006, -depth / 2 + 0.006, low), (right - 0.006, -depth / 2 + 0.02, high - 0.008), front)
            )
            middle = (left + right) / 2
            parts.append(
                block((middle - 0.05, -depth / 2, high - 0.06), (middle + 0.05, -depth / 2 + 0.007, high - 0.045), knob)
            )
    return Mesh.joined(parts), size


def floor_lamp(rng: Rng) -> Made:
    """A stand with a shade."""
    height, radius = float(rng.uniform(1.35, 1.75)), float(rng.uniform(0.14, 0.24))
    metal = Material("metal", hsv(0.1, rng.uniform(0, 0.3), rng.uniform(0.1, 0.8)), 0.6)
    shade = Material("shade", hsv(rng.uniform(0.08, 0.14), rng.uniform(0.05, 0.35), 0.95), 0.0)
    tall = rng.uniform(0.2, 0.35)
    parts = [
        turned([(0, 0), (0.14, 0), (0.14, 0.02), (0.015, 0.03), (0.012, height - tall), (0, height - tall)], metal, 16),
        turned([(radius, height - tall), (radius * rng.uniform(0.5, 1), height), (0, height)], shade, 20),
    ]
    return Mesh.joined(parts), (2 * radius, 2 * radius, height)


def ceiling_disc(rng: Rng) -> Made:
    """A flat lamp under the ceiling; it glows when the scene's lamp is lit."""
    radius, tall = float(rng.uniform(0.13, 0.26)), float(rng.uniform(0.05, 0.12))
    shade = Material("shade", (0.95, 0.94, 0.9), 0.2)
    profile = [(0, 0), (radius * 0.7, tall * 0.2), (radius, tall * 0.7), (radius, tall)]
    return turned(profile, shade, 24), (2 * radius, 2 * radius, tall)


def pendant(rng: Rng) -> Made:
    """A shade on a cord."""
    radius, tall, cord = (float(rng.uniform(*limits)) for limits in ((0.14, 0.26), (0.14, 0.3), (0.3, 0.7)))
    shade = Material("shade", fabric_color(rng) if rng.random() < 0.5 else (0.92, 0.9, 0.85), 0.2)
    cable = Material("cable", (0.2, 0.2, 0.2), 0.1)
    parts = [
        turned([(radius, 0), (radius * 0.8, tall * 0.5), (0.03, tall), (0, tall)], shade, 24),
        block((-0.004, -0.004, tall), (0.004, 0.004, tall + cord), cable),
    ]
    return Mesh.joined(parts), (2 * radius, 2 * radius, tall + cord)


def framed_picture(rng: Rng, detail: str) -> Made:
    """A picture in a frame, to hang on a wall."""
    width, height = float(rng.uniform(0.2, 1.1)), float(rng.uniform(0.25, 0.8))
    border = rng.uniform(0.01, 0.06)
    frame = Material("frame", wood_color(rng) if rng.random() < 0.5 else (0.08, 0.08, 0.08), 0.2)
    art = Material("art", (1, 1, 1), 0.2, detail=detail)
    x, y = width / 2, 0.0125
    parts = [
        block((-x, -y + 0.004, 0), (x, y, height), frame),
        sheet(
            [
                (-x + border, -y, border),
                (x - border, -y, border),
                (x - border, -y, height - border),
                (-x + border, -y, height - border),
            ],
            art,
        ),
    ]
    for low, high in (((-x, 0), (-x + border, height)), ((x - border, 0), (x, height))):
        parts.append(block((low[0], -y - 0.004, low[1]), (high[0], y, high[1]), frame))
    return Mesh.joined(parts), (width, 0.035, height)


def mirror(rng: Rng) -> Made:
    """Drawn as a grey, shiny board."""
    width, height = float(rng.uniform(0.4, 1.0)), float(rng.uniform(0.5, 1.0))
    frame = Material("frame", wood_color(rng) if rng.random() < 0.5 else (0.7, 0.7, 0.7), 0.3)
    glass = Material("mirror", (0.5, 0.53, 0.54), 1.0)
    x, y = width / 2, 0.0125
    parts = [
        block((-x, -y + 0.003, 0), (x, y, height), frame),
        block((-x + 0.03, -y, 0.03), (x - 0.03, -y + 0.004, height - 0.03), glass),
    ]
    return Mesh.joined(parts), (width, 0.03, height)


def rug(detail: str, width: float, depth: float) -> Made:
    """A sheet that shows one texture from edge to edge."""
    material = Material("rug", (1, 1, 1), 0.0, detail=detail)
    x, y, z = width / 2, depth / 2, 0.008
    edge = Material("edge", (0.4, 0.37, 0.33), 0.0)
    parts = [
        sheet([(-x, -y, z), (x, -y, z), (x, y, z), (-x, y, z)], material),
        block((-x, -y, 0), (x, y, z - 0.0005), edge),
    ]
    return Mesh.joined(parts), (width, depth, z)


def curtain(rng: Rng, width: float, height: float) -> Made:
    """Cloth in folds."""
    depth = 0.09
    columns = max(12, int(width / 0.012))
    u = np.linspace(0, 1, columns)
    folds = max(2, round(width / rng.uniform(0.07, 0.14)))
    phase = 0.35 * np.sin(2 * np.pi * (u * rng.uniform(1, 2) + rng.random()))
    wave = np.sin(2 * np.pi * folds * u + phase)
    v = np.linspace(0, 1, 5)[:, None]
    x = np.broadcast_to((u - 0.5) * width, (5, columns))
    y = wave[None, :] * depth / 2 * (0.6 + 0.4 * (1 - v))
    z = np.broadcast_to(v * height, (5, columns))
    return grid(np.stack([x, y, z], axis=2), Material(CURTAIN)), (width, depth, height)


def wall_shelf(rng: Rng) -> Made:
    """A board on the wall with books."""
    size = (float(rng.uniform(0.5, 1.2)), 0.25, 0.32)
    board = block((-size[0] / 2, -size[1] / 2, 0), (size[0] / 2, size[1] / 2, 0.025), wooden(rng))
    books = _row_of_books(rng, size, 0.025, 0.28, rng.uniform(0.4, 0.95))
    return Mesh.joined([board, *books]), size


def stack_of_books(rng: Rng) -> Made:
    """Two to six books lying on each other."""
    parts, z = [], 0.0
    for _ in range(int(rng.integers(2, 7))):
        width, depth, thick = rng.uniform(0.15, 0.22), rng.uniform(0.2, 0.28), rng.uniform(0.012, 0.04)
        book = block(
            (-width / 2, -depth / 2, 0), (width / 2, depth / 2, thick), Material("book", fabric_color(rng), 0.15)
        )
        parts.append(book.moved((0, 0, z), rng.uniform(-0.2, 0.2)))
        z += thick
    mesh = Mesh.joined(parts)
    extent = 2 * np.abs(mesh.points[:, :2]).max(axis=0)
    return mesh, (float(extent[0]), float(extent[1]), float(z))


def carton(rng: Rng) -> Made:
    """A plain carton."""
    size = (float(rng.uniform(0.25, 0.6)), float(rng.uniform(0.25, 0.5)), float(rng.uniform(0.15, 0.45)))
    color = (0.68, 0.53, 0.36) if rng.random() < 0.6 else fabric_color(rng)
    x, y, z = size[0] / 2, size[1] / 2, size[2]
    return block((-x, -y, 0), (x, y, z), Material("carton", color, 0.05, detail="blank")), size
