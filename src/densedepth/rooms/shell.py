"""Floor, ceiling, walls with their openings, doors, windows and what lies behind: the room without furniture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from densedepth.rooms.mesh import Material, Mesh
from densedepth.rooms.plan import Opening, Plan, Wall
from densedepth.rooms.scene import SceneBuilder
from densedepth.rooms.shapes import block, sheet
from densedepth.rooms.style import Style

THICK_M = 0.2


def add_shell(builder: SceneBuilder, plan: Plan, style: Style) -> None:
    """Put the empty room into the scene."""
    floor = Material("floor", (1, 1, 1), 0.0, detail="floor")
    ceiling = Material("ceiling", style.ceiling, 0.0, detail="blank")
    (x, y), (nx, ny), height = plan.size_m, plan.notch_m, plan.height_m
    rectangles = [((0, 0), (x, y - ny)), ((0, y - ny), (x - nx, y))] if nx else [((0, 0), (x, y))]
    for low, high in rectangles:
        builder.add(block((*low, -0.1), (*high, 0), floor))
        builder.add(block((*low, height), (*high, height + 0.1), ceiling))
    for number, wall in enumerate(plan.walls):
        detail = "wall 2" if number == style.accent_wall else "wall"
        for mesh in _wall(plan, wall, Material("wall", (1, 1, 1), 0.0, detail=detail), style):
            builder.add(_placed(mesh, wall))
        for opening in wall.openings:
            _fill(builder, wall, opening, style)


def _placed(mesh: Mesh, wall: Wall) -> Mesh:
    """From wall axes (x along, y outwards, z up) into the room. They are left-handed, so this mirrors, too."""
    matrix = np.array([(*wall.along, 0), (*-wall.inward, 0), (0, 0, 1)])
    return replace(mesh, points=mesh.points @ matrix + (*wall.start, 0), normals=mesh.normals @ matrix)


def _convex(plan: Plan, corner: tuple[float, float]) -> bool:
    (x, y), (nx, ny) = plan.size_m, plan.notch_m
    return not (nx and corner == (x - nx, y - ny))


def _wall(plan: Plan, wall: Wall, material: Material, style: Style) -> list[Mesh]:
    length, height = wall.length_m, plan.height_m
    # Corners are closed by walls that overlap behind them; at the inner corner of an L that would stick out.
    first = -THICK_M if _convex(plan, wall.start) else 0.0
    last = length + THICK_M if _convex(plan, wall.end) else length
    skirting = Material("skirting", style.trim, 0.2)
    parts, at = [], first
    for opening in sorted(wall.openings, key=lambda opening: opening.left_m):
        left, right, low, high = opening.left_m, opening.right_m, opening.bottom_m, opening.bottom_m + opening.height_m
        parts.append(block((at, 0, -0.1), (left, THICK_M, height + 0.1), material))
        parts.append(block((left, 0, high), (right, THICK_M, height + 0.1), material))
        if low > 0:
            parts.append(block((left, 0, -0.1), (right, THICK_M, low), material))
        at = right
    parts.append(block((at, 0, -0.1), (last, THICK_M, height + 0.1), material))
    edges = [0.0]
    for opening in sorted(wall.openings, key=lambda opening: opening.left_m):
        if opening.kind != "window":
            edges += [opening.left_m - 0.07, opening.right_m + 0.07]
    edges.append(length)
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if end > start and style.skirting_m:
            parts.append(block((start, -0.012, 0), (end, 0.0, style.skirting_m), skirting))
    return parts


def _fill(builder: SceneBuilder, wall: Wall, opening: Opening, style: Style) -> None:
    trim = Material("trim", style.trim, 0.25)
    parts = _frame(opening, trim)
    if opening.kind == "window":
        parts += _sashes(opening, trim, style)
        pane = Material("outside", (1, 1, 1), 0.0, detail=style.outside, glow=style.outside_glow)
        left, right, low = opening.left_m, opening.right_m, opening.bottom_m
        high, y = low + opening.height_m, THICK_M - 0.03
        corners = [(left, y, low), (right, y, low), (right, y, high), (left, y, high)]
        builder.add(_placed(sheet(corners, pane), wall), casts=False)
    elif opening.kind == "door":
        sill = Material("floor", (1, 1, 1), 0.0, detail="floor")
        builder.add(_placed(block((opening.left_m, 0, -0.1), (opening.right_m, THICK_M, 0), sill), wall))
        parts += _leaf(opening, replace(trim, color=style.door, detail="blank"))
    else:
        for mesh in _next_room(opening, style):
            builder.add(_placed(mesh, wall))
    builder.add(_placed(Mesh.joined(parts), wall), opening.kind)


def _frame(opening: Opening, trim: Material) -> list[Mesh]:
    left, right, low = opening.left_m, opening.right_m, opening.bottom_m
    high, wide = low + opening.height_m, 0.065
    bottom = low if low > 0 else 0.0
    parts = [
        block((left - wide, -0.016, bottom), (left, 0.0, high + wide), trim),
        block((right, -0.016, bottom), (right + wide, 0.0, high + wide), trim),
        block((left, -0.016, high), (right, 0.0, high + wide), trim),
    ]
    if low > 0:
        parts.append(block((left - 0.08, -0.05, low - 0.035), (right + 0.08, 0.05, low), trim))
    return parts


def _sashes(opening: Opening, trim: Material, style: Style) -> list[Mesh]:
    left, right, low = opening.left_m, opening.right_m, opening.bottom_m
    high, y, wide = low + opening.height_m, 0.09, 0.045
    bars = [(left, low, right, low + wide), (left, high - wide, right, high)]
    bars += [(left, low, left + wide, high), (right - wide, low, right, high)]
    for x in np.linspace(left, right, style.panes[0] + 1)[1:-1]:
        bars.append((x - wide, low, x + wide, high))
    for z in np.linspace(low, high, style.panes[1] + 1)[1:-1]:
        bars.append((left, z - 0.015, right, z + 0.015))
    parts = [block((x0, y, z0), (x1, y + 0.05, z1), trim) for x0, z0, x1, z1 in bars]
    if style.blind > 0:
        cloth = Material("blind", style.blind_color, 0.1)
        drop = style.blind * opening.height_m
        for z in np.arange(high - 0.03, high - drop, -0.04):
            slat = block((left + 0.01, -0.012, 0), (right - 0.01, 0.012, 0.002), cloth)
            slat.points = slat.points @ np.array([[1, 0, 0], [0, 0.8, 0.6], [0, -0.6, 0.8]])
            parts.append(slat.moved((0, 0.05, z)))
    return parts


def _leaf(opening: Opening, material: Material) -> list[Mesh]:
    left, right, high, y = opening.left_m, opening.right_m, opening.height_m, 0.03
    parts = [block((left, y, -0.001), (right, y + 0.04, high), material)]
    width = right - left
    for low, top in ((0.12, 0.42), (0.5, 0.94)):
        for side in (0, 1):
            x = left + 0.09 * width + side * 0.44 * width
            parts.append(block((x, y - 0.008, low * high), (x + 0.38 * width, y, top * high), material))
    metal = Material("metal", (0.6, 0.58, 0.55), 0.8)
    parts.append(block((right - 0.14, y - 0.05, 1.0), (right - 0.03, y - 0.03, 1.02), metal))
    parts.append(block((right - 0.06, y - 0.03, 0.98), (right - 0.03, y, 1.04), metal))
    return parts


def _next_room(opening: Opening, style: Style) -> list[Mesh]:
    """What one sees through an open doorway: the bare end of another room."""
    deep, side, height = style.beyond_m, 0.9, 2.5
    left, right = opening.left_m - side, opening.right_m + side * 0.4
    wall = Material("wall", (1, 1, 1), 0.0, detail="wall 2")
    ceiling = Material("ceiling", style.ceiling, 0.0)
    floor = Material("floor", (1, 1, 1), 0.0, detail="floor")
    near = THICK_M
    return [
        block((left, 0, -0.1), (right, near + deep, 0), floor),
        block((left, near, height), (right, near + deep, height + 0.1), ceiling),
        block((left, near + deep, -0.1), (right, near + deep + 0.1, height), wall),
        block((left - 0.1, near, -0.1), (left, near + deep, height), wall),
        block((right, near, -0.1), (right + 0.1, near + deep, height), wall),
        block((left, near + deep - 0.012, 0), (right, near + deep, style.skirting_m + 0.01), Material("t", style.trim)),
    ]
