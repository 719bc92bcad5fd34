"""A random room: kind, shape, openings, then the furniture."""

from __future__ import annotations

import numpy as np

from densedepth.rooms import kinds, things
from densedepth.rooms.catalogue import Catalogue
from densedepth.rooms.furnish import Furnisher
from densedepth.rooms.plan import Item, Opening, Plan, Wall

Rng = np.random.Generator


def sample_plan(catalogue: Catalogue, rng: Rng, kind: str | None = None) -> tuple[Plan, Furnisher]:
    """A furnished room.

    Args:
        catalogue: the furniture.
        rng: everything follows from its state.
        kind: one of `kinds.KINDS`; None draws one.

    Returns:
        The plan, and the furnisher that knows which textures the room's own things need.
    """
    kind = kind or kinds.draw(rng)
    spec = kinds.KINDS[kind]
    size = (float(rng.uniform(*spec.width_m)), float(rng.uniform(*spec.depth_m)))
    if rng.random() < 0.5:
        size = size[::-1]
    notch = (0.0, 0.0)
    if min(size) > 3.0 and rng.random() < 0.2:
        notch = (float(rng.uniform(0.2, 0.45)) * size[0], float(rng.uniform(0.2, 0.45)) * size[1])
    plan = Plan(kind, size, float(rng.uniform(2.3, 2.8) if rng.random() < 0.75 else rng.uniform(2.8, 3.2)), notch)
    _open_walls(plan, rng, spec.windows)
    furnisher = Furnisher(plan, catalogue, rng)
    _dress_windows(furnisher)
    spec.furnish(furnisher)
    kinds.fill_up(furnisher)
    return plan, furnisher


def _open_walls(plan: Plan, rng: Rng, most_windows: int) -> None:
    """Doors and windows, with the zones that keep furniture away from them."""
    for number in range(int(rng.integers(1, 3))):
        wide = float(rng.uniform(0.78, 0.95))
        kind = "doorway" if rng.random() < 0.3 or number else "door"
        if kind == "doorway" and rng.random() < 0.3:
            wide = float(rng.uniform(1.0, 1.8))
        _open(plan, rng, kind, wide, 0.0, float(rng.uniform(1.98, 2.12)))
    sill, top = rng.uniform(0.3, 1.05), min(plan.height_m - 0.2, rng.uniform(2.0, 2.3))
    for _ in range(int(rng.integers(min(1, most_windows), most_windows + 1))):
        _open(plan, rng, "window", float(rng.uniform(0.7, 2.2)), float(sill), float(top - sill))


def _open(plan: Plan, rng: Rng, kind: str, width: float, bottom: float, height: float) -> None:
    for _ in range(12):
        wall = plan.walls[int(rng.integers(len(plan.walls)))]
        free = wall.length_m - width - 0.4
        if free <= 0 or not _outer(plan, wall):
            continue
        left = 0.2 + float(rng.uniform(0, free))
        gap = 0.4 if kind == "window" else 0.25
        if any(left < other.right_m + gap and other.left_m < left + width + gap for other in wall.openings):
            continue
        wall.openings.append(Opening(kind, left, width, bottom, height))
        deep = 0.14 if kind == "window" else 0.85
        x, y = wall.point(left + width / 2, deep / 2 + 0.001)
        size = (width + 0.14, deep, height)
        plan.zones.append(Item(f"{kind} zone", "", (float(x), float(y), bottom), wall.turn_rad, size, solid=False))
        return


def _outer(plan: Plan, wall: Wall) -> bool:
    """Not one of the two walls around the missing corner of an L: behind them is the next house."""
    (x, y), (nx, ny) = plan.size_m, plan.notch_m
    inner = (x - nx, y - ny)
    return not nx or inner not in (wall.start, wall.end)


def _dress_windows(furnisher: Furnisher) -> None:
    """Curtains beside the windows and radiators under them."""
    plan, rng = furnisher.plan, furnisher.rng
    curtains = rng.random() < 0.55
    for wall in plan.walls:
        for opening in [opening for opening in wall.openings if opening.kind == "window"]:
            middle = (opening.left_m + opening.right_m) / 2
            if curtains:
                full = opening.bottom_m < 0.5 or rng.random() < 0.6
                bottom = 0.03 if full else opening.bottom_m - 0.15
                height = min(opening.bottom_m + opening.height_m + 0.15, plan.height_m - 0.06) - bottom
                wide = float(rng.uniform(0.16, 0.4)) * opening.width_m
                for side in (-1, 1):
                    made = things.curtain(rng, wide, height)
                    along = middle + side * (opening.width_m / 2 + 0.14 - wide / 2)
                    _hang_at_window(furnisher, made, wall, along, bottom)
            if opening.bottom_m > 0.7 and rng.random() < 0.5:
                furnisher.at_wall(furnisher.piece("radiator"), wall, middle, 0.0, 0.05)


def _hang_at_window(furnisher: Furnisher, made: things.Made, wall: Wall, along: float, bottom: float) -> None:
    """Curtains hang in the very zone that furniture has to leave free."""
    item = furnisher.own("curtain", made)
    x, y = wall.point(along, 0.055 + item.size_m[1] / 2)
    item.position_m, item.turn_rad = (float(x), float(y), bottom), wall.turn_rad
    furnisher.plan.add(item, ignore=[zone for zone in furnisher.plan.zones if zone.role == "window zone"])
