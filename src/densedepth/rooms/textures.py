"""Procedural surfaces: floors, walls, fabrics, woods, rugs, pictures and what is seen through a window.

Each is uint8 (512, 512, 3) sRGB. Those with a size in metres repeat without a seam.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from densedepth.rooms.palette import (
    SIDE,
    Color,
    Picture,
    Rng,
    fabric_color,
    grid,
    hsv,
    noise,
    wall_color,
    wood_color,
)


@dataclass(frozen=True)
class Texture:
    """A picture of a surface; `size_m` is how much of it the picture shows, `shine` how strongly it reflects."""

    rgb: NDArray[np.uint8]
    size_m: float
    shine: float


def _texture(rgb: Picture, size_m: float, shine: float) -> Texture:
    return Texture((np.clip(rgb, 0, 1) * 255 + 0.5).astype(np.uint8), size_m, shine)


def _paint(color: Color, shade: Picture) -> Picture:
    return np.array(color, np.float32) * shade[..., None]


def _grain(rng: Rng) -> Picture:
    """Wood grain along x, around 1."""
    rings = np.sin(2 * np.pi * (noise(rng, 1, 6) * 0.7 + noise(rng, 2, 14) * 0.2) * 1.2)
    return np.asarray(1 + 0.035 * rings + 0.035 * noise(rng, 3, 70, 1.0) + 0.02 * noise(rng, 1, 3))


def wood(rng: Rng) -> Texture:
    """Plain veneer."""
    return _texture(_paint((0.82, 0.82, 0.82), _grain(rng)), 0.9, 0.25)


def planks(rng: Rng) -> Texture:
    """Floor boards, each with grain and tone of its own."""
    x, y = grid()
    rows = int(rng.integers(10, 28))
    size_m = 2.4
    row = np.floor(y * rows).astype(int)
    per_row = int(rng.choice([1, 1, 2, 3]))
    along = x * per_row + rng.random(rows)[row]
    board = (np.floor(along).astype(int) % per_row) + row * per_row
    count = rows * per_row
    tone = (1 + rng.uniform(0.02, 0.12) * rng.standard_normal(count))[board]
    grain = _grain(rng)
    shift = rng.integers(0, SIDE, count)
    columns = (np.arange(SIDE)[None, :] + shift[board]) % SIDE
    grain = grain[np.arange(SIDE)[:, None], columns]
    edge_y = np.abs((y * rows) % 1 - 0.5) * 2 > 1 - rng.uniform(0.03, 0.08) * rows / 16
    edge_x = np.abs(along % 1 - 0.5) * 2 > 1 - 0.006 * per_row
    shade = grain * tone * np.where(edge_y | edge_x, rng.uniform(0.5, 0.85), 1)
    return _texture(_paint(wood_color(rng), shade), size_m, rng.uniform(0.1, 0.6))


def parquet(rng: Rng) -> Texture:
    """Basket weave: squares of short strips, turned by a quarter each."""
    x, y = grid()
    cells, strips = 8, int(rng.integers(3, 6))
    turned = (np.floor(x * cells) + np.floor(y * cells)) % 2 == 0
    across = np.where(turned, x, y) * cells * strips
    strip = np.floor(across).astype(int) % (cells * strips)
    cell = np.floor(np.where(turned, y, x) * cells).astype(int)
    tone = (1 + 0.08 * rng.standard_normal((cells * strips, cells)))[strip, cell]
    grain = _grain(rng)
    shade = np.where(turned, grain.T, grain) * tone * np.where((across % 1) < 0.05, 0.75, 1)
    return _texture(_paint(wood_color(rng), shade), 2.4, rng.uniform(0.1, 0.5))


def tiles(rng: Rng, size_m: float | None = None, bond: bool = False) -> Texture:
    """Tiles with grout; `bond` shifts every second row by half."""
    x, y = grid()
    columns, rows = (int(n) for n in rng.choice([(4, 4), (6, 6), (8, 8), (5, 5), (4, 8), (6, 12)]))
    size_m = size_m or rng.uniform(1.6, 2.4)
    row = np.floor(y * rows).astype(int)
    u = x * columns + (0.5 * (row % 2) if bond else 0)
    column = np.floor(u).astype(int) % columns
    color = np.array(hsv(rng.uniform(0.03, 0.16), rng.uniform(0, 0.35), rng.uniform(0.4, 0.95)))
    if rng.random() < 0.25:
        color = np.array(hsv(rng.random(), rng.uniform(0.1, 0.4), rng.uniform(0.4, 0.9)))
    other = np.clip(color * rng.choice([0.35, 0.6, 1.2]) + rng.normal(0, 0.03, 3), 0.05, 0.97)
    checked = (column + row) % 2 == 1 if rng.random() < 0.12 else np.zeros_like(row, bool)
    tone = (1 + 0.03 * rng.standard_normal((rows, columns)))[row, column]
    tone *= 1 + rng.choice([0.0, 0.02, 0.05]) * noise(rng, 3, 3) + 0.01 * noise(rng, 60, 60)
    gap = 0.003 * max(rows, columns) / size_m * 2
    grout = (np.abs(u % 1 - 0.5) * 2 > 1 - gap) | (np.abs((y * rows) % 1 - 0.5) * 2 > 1 - gap)
    rgb = np.where(checked[..., None], other, color) * tone[..., None]
    rgb = np.where(grout[..., None], np.clip(color * rng.uniform(0.6, 0.9), 0, 1), rgb)
    return _texture(rgb, size_m, rng.uniform(0.3, 0.8))


def wall_tiles(rng: Rng) -> Texture:
    return tiles(rng, rng.uniform(0.8, 1.4), bond=bool(rng.random() < 0.4))


def carpet(rng: Rng) -> Texture:
    """Short pile, uneven by wear."""
    shade = 1 + 0.07 * noise(rng, 90, 90, 0.6) + 0.02 * noise(rng, 3, 3)
    color = hsv(rng.uniform(0.02, 0.14), rng.uniform(0.05, 0.4), rng.uniform(0.3, 0.8))
    if rng.random() < 0.3:
        color = hsv(rng.random(), rng.uniform(0.05, 0.45), rng.uniform(0.25, 0.6))
    return _texture(_paint(color, shade), 1.6, 0.0)


def stone(rng: Rng) -> Texture:
    """Concrete, terrazzo or linoleum."""
    speckle = noise(rng, 60, 60, 0.5)
    shade = 1 + 0.03 * noise(rng, 2, 2) + rng.uniform(0.01, 0.05) * speckle
    shade = np.where(speckle > 2.2, shade * rng.uniform(0.6, 1.3), shade)
    return _texture(_paint(hsv(rng.random(), rng.uniform(0, 0.12), rng.uniform(0.45, 0.8)), shade), 2.0, 0.3)


def plaster(rng: Rng) -> Texture:
    shade = 1 + 0.008 * noise(rng, 2, 2) + rng.uniform(0.003, 0.018) * noise(rng, 60, 60, 0.8)
    return _texture(_paint(wall_color(rng), shade), 2.0, 0.03)


def wallpaper(rng: Rng) -> Texture:
    """Stripes, dots or blossoms in two near tones."""
    x, y = grid()
    base = np.array(wall_color(rng))
    other = np.clip(base * rng.uniform(0.75, 0.97) + rng.normal(0, 0.03, 3), 0, 1)
    cycles = int(rng.integers(5, 16))
    style = rng.integers(4)
    if style == 0:
        mask = (np.sin(2 * np.pi * cycles * x) > rng.uniform(-0.5, 0.7)).astype(float)
    elif style == 1:
        u, v = (x * cycles) % 1 - 0.5, (y * cycles + 0.5 * (np.floor(x * cycles) % 2)) % 1 - 0.5
        radius, angle = np.hypot(u, v), np.arctan2(v, u)
        mask = (radius < 0.25 * (1 + 0.4 * np.cos(int(rng.integers(3, 7)) * angle))).astype(float)
    elif style == 2:
        mask = (noise(rng, 3 * cycles, 3 * cycles, 3) > 0.6).astype(float)
    else:
        mask = (np.sin(2 * np.pi * cycles * x) * np.sin(2 * np.pi * cycles * y) > 0.2).astype(float)
    rgb = base + (other - base) * mask[..., None]
    return _texture(rgb * (1 + 0.01 * noise(rng, 50, 50, 0.8))[..., None], 1.6, 0.05)


def brick(rng: Rng) -> Texture:
    x, y = grid()
    rows, columns = 16, 5
    row = np.floor(y * rows).astype(int)
    u = x * columns + 0.5 * (row % 2)
    column = np.floor(u).astype(int) % columns
    tone = (1 + 0.14 * rng.standard_normal((rows, columns)))[row, column] * (1 + 0.08 * noise(rng, 40, 40, 0.8))
    color = (
        hsv(rng.uniform(0.01, 0.07), rng.uniform(0.35, 0.6), rng.uniform(0.4, 0.65))
        if rng.random() < 0.6
        else hsv(0.1, 0.04, 0.88)
    )
    mortar = (np.abs(u % 1 - 0.5) * 2 > 0.955) | (np.abs((y * rows) % 1 - 0.5) * 2 > 0.85)
    rgb = np.where(mortar[..., None], np.array(color) * 0.3 + 0.5, _paint(color, tone))
    return _texture(rgb, 1.2, 0.02)


def panelling(rng: Rng) -> Texture:
    """Upright boards, painted or of wood."""
    x, _ = grid()
    boards = int(rng.integers(8, 16))
    board = np.floor(x * boards).astype(int)
    tone = (1 + 0.05 * rng.standard_normal(boards))[board]
    groove = np.where((x * boards) % 1 < 0.05, 0.6, 1)
    painted = rng.random() < 0.5
    shade = (1 if painted else _grain(rng).T * tone) * groove
    return _texture(_paint(wall_color(rng) if painted else wood_color(rng), shade), 1.6, 0.2)


def fabric(rng: Rng) -> Texture:
    """A weave around mid grey, to be multiplied with the colour of what it covers."""
    x, y = grid()
    weave = 1 + 0.05 * np.sin(2 * np.pi * 64 * x) * np.sin(2 * np.pi * 64 * y)
    shade = weave + 0.05 * noise(rng, 60, 60, 0.6) + 0.02 * noise(rng, 3, 3)
    style = rng.random()
    if style < 0.12:
        shade = shade * np.where(np.sin(2 * np.pi * int(rng.integers(3, 10)) * x) > 0, 1, rng.uniform(0.5, 0.85))
    elif style < 0.22:
        cycles = int(rng.integers(3, 8))
        bands = (np.sin(2 * np.pi * cycles * x) > 0.2).astype(float) + (np.sin(2 * np.pi * cycles * y) > 0.2)
        shade = shade * (1 - 0.2 * bands)
    elif style < 0.32:
        shade = shade * np.where(noise(rng, 5, 5, 3) > 0.7, rng.uniform(0.5, 0.8), 1)
    return _texture(_paint((0.85, 0.85, 0.85), shade), 0.8, 0.0)


def leather(rng: Rng) -> Texture:
    return _texture(_paint((0.85, 0.85, 0.85), 1 + 0.04 * noise(rng, 50, 50, 1.2) + 0.02 * noise(rng, 3, 3)), 0.6, 0.3)


def rug(rng: Rng) -> Texture:
    """A whole rug from edge to edge: border and field."""
    x, y = grid()
    ground, pattern, border = (np.array(fabric_color(rng)) for _ in range(3))
    style = rng.integers(4)
    cycles = int(rng.integers(3, 9))
    if style == 0:
        mask = np.sin(2 * np.pi * cycles * x) > 0
    elif style == 1:
        mask = np.abs((x * cycles) % 1 - 0.5) + np.abs((y * cycles) % 1 - 0.5) < 0.32
    elif style == 2:
        mask = noise(rng, cycles, cycles, 2.5) + noise(rng, cycles, cycles, 2.5)[:, ::-1] > 0.5
    else:
        mask = np.zeros_like(x, bool)
    rgb = np.where(mask[..., None], pattern, ground)
    if rng.random() < 0.6:
        edge = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y))
        rgb = np.where(((edge > 0.03) & (edge < 0.09))[..., None], border, rgb)
    return _texture(rgb * (1 + 0.07 * noise(rng, 80, 80, 0.6))[..., None], 1.0, 0.0)


def picture(rng: Rng) -> Texture:
    """Something that could hang in a frame: a landscape, blots, or stripes."""
    x, y = grid()
    style = rng.integers(3)
    colors = [np.array(fabric_color(rng)) for _ in range(4)]
    if style == 0:
        rgb = colors[0] * 0.5 + 0.5 - 0.3 * (1 - y)[..., None]
        for layer in range(1, 4):
            ridge = 0.75 - 0.2 * layer + 0.08 * noise(rng, 2 + layer, 1)[0]
            rgb = np.where((y < ridge[None, :])[..., None], colors[layer] * (0.7 + 0.4 * y)[..., None], rgb)
    elif style == 1:
        rgb = np.ones((SIDE, SIDE, 3)) * (colors[0] * 0.3 + 0.65)
        for layer in range(1, 4):
            rgb = np.where((noise(rng, 2, 2, 2.5) > rng.uniform(0.3, 1.2))[..., None], colors[layer], rgb)
    else:
        rgb = np.ones((SIDE, SIDE, 3)) * colors[0]
        for layer in range(1, 4):
            low = rng.uniform(0, 0.8, 2)
            high = low + rng.uniform(0.1, 0.5, 2)
            inside = (x > low[0]) & (x < high[0]) & (y > low[1]) & (y < high[1])
            rgb = np.where(inside[..., None], colors[layer], rgb)
    return _texture(rgb * (1 + 0.03 * noise(rng, 30, 30))[..., None], 1.0, 0.1)


def outdoors(rng: Rng) -> Texture:
    """Sky, trees and houses, out of focus."""
    x, y = grid()
    sky = np.array(hsv(0.58, rng.uniform(0.02, 0.4), rng.uniform(0.85, 1.0)))
    rgb = sky * (0.85 + 0.15 * y)[..., None] + 0.06 * np.clip(noise(rng, 2, 4), 0, 2)[..., None]
    for _ in range(int(rng.integers(0, 4))):
        left, width = rng.uniform(-0.1, 0.9), rng.uniform(0.15, 0.5)
        house = (x > left) & (x < left + width) & (y < rng.uniform(0.3, 0.75))
        color = np.array(hsv(rng.uniform(0, 0.15), rng.uniform(0, 0.4), rng.uniform(0.4, 0.8)))
        windows = (np.sin(60 * x) > 0.4) & (np.sin(45 * y) > 0.3)
        rgb = np.where(house[..., None], np.where(windows[..., None], color * 0.5, color), rgb)
    top = rng.uniform(0.05, 0.6) + 0.1 * noise(rng, 4, 1)[0]
    green = np.array(hsv(rng.uniform(0.18, 0.36), rng.uniform(0.3, 0.6), rng.uniform(0.25, 0.5)))
    leaves = green * (1 + 0.3 * noise(rng, 14, 14, 1.2))[..., None]
    rgb = np.where((y < top[None, :])[..., None], leaves, rgb)
    return _texture(rgb, 1.0, 0.0)


def night(rng: Rng) -> Texture:
    """A dark town with a few lights."""
    lights = noise(rng, 30, 30, 2)[..., None] > rng.uniform(2.8, 4.0)
    return _texture(np.where(lights, (0.9, 0.7, 0.4), (0.03, 0.04, 0.07)), 1.0, 0.0)


def blank(rng: Rng) -> Texture:
    """Nothing to see: paint, plastic."""
    return _texture(_paint((0.85, 0.85, 0.85), 1 + 0.012 * noise(rng, 20, 20)), 1.0, 0.1)


Maker = Callable[[Rng], Texture]

FLOORS: dict[str, tuple[Maker, ...]] = {
    "wet": (tiles, tiles, tiles, stone, planks),
    "dry": (planks, planks, planks, parquet, carpet, carpet, tiles, stone),
    "work": (carpet, carpet, stone, planks, tiles),
}
WALLS: dict[str, tuple[Maker, ...]] = {
    "wet": (wall_tiles, wall_tiles, plaster, plaster),
    "dry": (*[plaster] * 13, *[wallpaper] * 4, brick, panelling, panelling),
    "work": (*[plaster] * 10, brick, panelling),
}
DETAILS: dict[str, Maker] = {
    "wood": wood,
    "fabric": fabric,
    "leather": leather,
    "blank": blank,
    "rug": rug,
    "picture": picture,
    "outdoors": outdoors,
    "night": night,
}
