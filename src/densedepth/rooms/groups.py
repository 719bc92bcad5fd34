"""Furniture that belongs together: a sofa and its table, a table and its chairs, a desk, a row of cabinets."""

from __future__ import annotations

import numpy as np

from densedepth.rooms import things
from densedepth.rooms.furnish import Furnisher
from densedepth.rooms.plan import Item, Wall


def shelf(f: Furnisher) -> Item | None:
    """A bookcase, of the catalogue or of our own."""
    if f.chance(0.3):
        case = f.against(f.piece("bookcase"))
    else:
        case = f.against(f.own("bookshelf", things.bookshelf(f.rng)))
    if case and case.size_m[2] < 1.6:
        f.clutter(case, "table thing", 1, 4)
        if f.chance(0.3):
            f.on_top(case, f.piece("small plant"))
    return case


def chest(f: Furnisher, things_role: str = "table thing") -> Item | None:
    item = f.piece(f.one_of(["dresser", "cupboard"])) if f.chance(0.35) else f.own("drawers", things.drawers(f.rng))
    item = f.against(item)
    if item and item.size_m[2] < 1.3:
        if f.chance(0.5):
            f.on_top(item, f.piece("table lamp"))
        if f.chance(0.4):
            f.on_top(item, f.piece("small plant"))
        f.clutter(item, things_role, 1, 5)
    return item


def lay_rug(f: Furnisher, x: float, y: float, turn: float, width: float, depth: float) -> None:
    """Under everything: only its edges matter, so it is laid without asking, cut to the room."""
    rug = f.own("rug", things.rug(f.detail("rug"), width, depth))
    rug.position_m, rug.turn_rad = (x, y, 0.0), turn
    if f.plan.contains(rug.corners(), 0.02) and not any(item.role == "rug" for item in f.plan.items):
        f.plan.items.append(rug)


def seat_group(f: Furnisher) -> None:
    """Sofa, table and television that belong together."""
    rng = f.rng
    sofa = f.against(f.piece("corner sofa" if f.chance(0.18) else "sofa"))
    if sofa is None:
        sofa = f.against(f.piece("armchair"))
        if sofa is None:
            return
    table = None
    if f.chance(0.85):
        table = f.before(f.piece("coffee table"), sofa, rng.uniform(0.3, 0.5), float(rng.choice([0, np.pi])))
        f.clutter(table, "table thing", 1, 6)
        if table and f.chance(0.3):
            f.on_top(table, f.piece("small plant"))
    at = np.array(table.position_m[:2]) if table else sofa.to_room(np.array([[0, -sofa.size_m[1] / 2 - 0.7]]))[0]
    if f.chance(0.6):
        wide, deep = rng.uniform(1.6, 2.8), rng.uniform(1.2, 2.0)
        lay_rug(f, float(at[0]), float(at[1]), sofa.turn_rad, wide, deep)
    opposite = [wall for wall in f.plan.walls if wall.inward @ sofa.facing < -0.9]
    television(f, opposite)
    key = f.pick("armchair")
    for side in (-1, 1):
        if f.chance(0.5):
            chair = f.piece("armchair", key)
            x = side * (sofa.size_m[0] / 2 + rng.uniform(0.3, 0.6))
            here = sofa.to_room(np.array([[x, -sofa.size_m[1] / 2 - rng.uniform(0.4, 0.8)]]))[0]
            f.place(chair, here[0], here[1], 0.0, sofa.turn_rad - side * (np.pi / 2 - rng.uniform(0.0, 0.5)))
    for side in (-1, 1):
        if f.chance(0.35):
            f.beside(f.own("floor lamp", things.floor_lamp(rng)), sofa, side, 0.06)
        elif f.chance(0.4):
            stand = f.beside(f.piece("bedside table"), sofa, side, 0.06)
            f.on_top(stand, f.piece("table lamp"))
            f.clutter(stand, "table thing", 0, 2)
    if f.chance(0.3):
        f.somewhere(f.piece("pouf"))


def television(f: Furnisher, walls: list[Wall]) -> None:
    if not walls:
        return
    choice = f.rng.random()
    if choice < 0.15:
        f.against(f.piece("media wall"), walls)
    elif choice < 0.3:
        f.hang(f.piece("wall tv") or f.own("picture", things.mirror(f.rng)), 0.9, 1.2)
    else:
        stand = f.piece("tv stand") if f.chance(0.4) else f.own("drawers", things.drawers(f.rng))
        stand = f.against(stand, walls)
        f.on_top(stand, f.piece("tv"), tries=30)
        f.clutter(stand, "table thing", 1, 4)


def dining_group(f: Furnisher) -> Item | None:
    table = f.somewhere(f.piece("dining table"), 0.75, 24, square=True) or f.somewhere(f.piece("small table"), 0.6, 20)
    if table is None:
        return None
    f.chairs(table)
    if f.chance(0.5):
        f.clutter(table, "place setting", 2, 6)
    f.clutter(table, "table thing", 0, 4)
    if f.chance(0.4):
        f.on_top(table, f.piece("small plant"))
    if f.chance(0.4):
        f.from_ceiling(f.own("pendant", things.pendant(f.rng)), *table.position_m[:2])
    if f.chance(0.35):
        lay_rug(f, *table.position_m[:2], table.turn_rad, table.size_m[0] + 1.2, table.size_m[1] + 1.2)
    return table


def desk_place(f: Furnisher) -> Item | None:
    desk = f.against(f.piece("desk"))
    if desk is None:
        return None
    f.on_top(desk, f.piece("computer"), tries=20)
    if f.chance(0.5):
        f.on_top(desk, f.piece("desk lamp"))
    f.clutter(desk, "desk thing", 1, 6)
    desk_chair(f, desk)
    return desk


def desk_chair(f: Furnisher, desk: Item) -> None:
    role = "office chair" if f.chance(0.75) else "chair"
    key = f.pick(role)
    for gap in (f.rng.uniform(-0.25, 0.2), 0.02, 0.15):
        if f.before(
            f.piece(role, key) if key else None, desk, gap, np.pi + f.rng.normal(0, 0.4), f.rng.normal(0, 0.12)
        ):
            return


def kitchen_run(f: Furnisher, wall: Wall, family: str, corner_m: float) -> float:
    """Cabinets side by side along a wall with cabinets above; returns where the run ends."""
    rng = f.rng
    at, end = 0.02 + corner_m, wall.length_m - rng.uniform(0.0, 0.3) * wall.length_m - 0.02
    stove_at = rng.uniform(0.3, 0.7) * wall.length_m
    stove = False
    while at < end:
        if not stove and at > stove_at:
            item, stove = f.piece("stove"), True
        else:
            item = f.piece(f"kitchen base {family}")
        if item is None or at + item.size_m[0] > wall.length_m - 0.01:
            break
        if f.at_wall(item, wall, at + item.size_m[0] / 2, 0.0, 0.02):
            if item.role != "stove":
                f.clutter(item, "kitchen thing", 0, 3)
            elif (hood := f.piece("kitchen hood")) is not None:
                f.at_wall(hood, wall, at + item.size_m[0] / 2, 1.6, 0.02)
            at += item.size_m[0] + 0.002
        else:
            at += 0.15
    run_end, at, bottom = at, 0.02 + corner_m, rng.uniform(1.4, 1.5)
    while at < run_end - 0.3:
        item = f.piece(f"kitchen wall {family}")
        if item is None or at + item.size_m[0] > wall.length_m - 0.01:
            break
        # Hung by their tops, which are in line.
        z = bottom + 0.77 - item.size_m[2]
        if not f.chance(0.85) or not f.at_wall(item, wall, at + item.size_m[0] / 2, z, 0.02):
            at += 0.25
        else:
            at += item.size_m[0] + 0.002
    return run_end
