"""What stands in which room: one function a kind, and its sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from densedepth.rooms import groups, things
from densedepth.rooms.furnish import Furnisher


@dataclass(frozen=True)
class Kind:
    """A kind of room: how often, how large (short and long side in metres), how many windows at most."""

    furnish: Callable[[Furnisher], None]
    weight: float
    width_m: tuple[float, float]
    depth_m: tuple[float, float]
    windows: int = 2


def living_room(f: Furnisher) -> None:
    groups.seat_group(f)
    if f.plan.floor_area_m2() > 22 and f.chance(0.6):
        groups.dining_group(f)
    for _ in range(int(f.rng.integers(1, 4))):
        groups.shelf(f)
    if f.chance(0.6):
        groups.chest(f)
    if f.chance(0.15):
        f.against(f.piece("fireplace"))
    if f.chance(0.1):
        f.against(f.piece("piano"))
    f.greenery(int(f.rng.integers(0, 4)))
    f.lamp_overhead()
    f.dress_walls(int(f.rng.integers(1, 6)))
    f.litter(1, 6, ["pouf", "armchair"])
    if f.chance(0.12):
        f.somewhere(f.piece(f.one_of(["person", "animal"])))


def dining_room(f: Furnisher) -> None:
    groups.dining_group(f)
    for _ in range(int(f.rng.integers(1, 4))):
        (groups.chest if f.chance(0.5) else groups.shelf)(f)
    f.lamp_overhead()
    f.greenery(int(f.rng.integers(0, 3)))
    f.dress_walls(int(f.rng.integers(1, 6)))
    key = f.pick("chair")
    for _ in range(int(f.rng.integers(0, 3))):
        f.against(f.piece("chair", key) if key else None)
    f.litter(0, 4)


def bedroom(f: Furnisher) -> None:
    rng = f.rng
    bed = f.against(f.piece("bed"), tries=40) or f.against(f.piece("single bed"))
    if bed:
        key, lamp = f.pick("bedside table"), f.pick("table lamp")
        for side in (-1, 1):
            table = f.beside(f.piece("bedside table", key) if key else None, bed, side, rng.uniform(0.03, 0.15))
            if f.chance(0.7) and lamp:
                f.on_top(table, f.piece("table lamp", lamp), tries=24)
            f.clutter(table, "table thing", 0, 3)
        if f.chance(0.35):
            f.before(f.piece("pouf"), bed, 0.06)
        if f.chance(0.4):
            x, y = bed.to_room(np.array([[0, -bed.size_m[1] / 3]]))[0]
            groups.lay_rug(f, float(x), float(y), bed.turn_rad, bed.size_m[0] + 1.2, 1.7)
    if f.chance(0.85):
        f.against(f.piece("wardrobe") if f.chance(0.4) else f.own("wardrobe", things.wardrobe(rng)), tries=40)
    if f.chance(0.75):
        groups.chest(f)
    if f.chance(0.4):
        groups.desk_place(f)
    if f.chance(0.45):
        groups.shelf(f)
    if f.chance(0.4):
        f.against(f.piece("armchair") or f.piece("chair"), corner=True)
    if f.chance(0.2):
        f.hang(f.own("mirror", things.mirror(rng)), 0.8, 1.1)
    f.lamp_overhead()
    f.greenery(int(rng.integers(0, 2)))
    f.dress_walls(int(rng.integers(1, 5)))
    f.litter(1, 7)


def child_room(f: Furnisher) -> None:
    bed = f.against(f.piece("single bed"), corner=True, tries=30)
    if bed and f.chance(0.6):
        f.beside(f.own("drawers", things.drawers(f.rng)), bed, int(f.rng.choice([-1, 1])), 0.08)
    groups.desk_place(f)
    groups.shelf(f)
    if f.chance(0.7):
        f.against(f.own("wardrobe", things.wardrobe(f.rng)))
    table = f.somewhere(f.piece("small table"), 0.5)
    if table:
        f.chairs(table, share=0.6)
        f.clutter(table, "table thing", 0, 3)
    x, y = f.plan.size_m
    if f.chance(0.6):
        groups.lay_rug(f, x / 2, y / 2, float(f.rng.uniform(0, np.pi)), 1.6, 1.3)
    f.lamp_overhead()
    f.dress_walls(int(f.rng.integers(2, 6)))
    f.litter(4, 11, ["floor thing"])


def kitchen(f: Furnisher) -> None:
    rng = f.rng
    family = f.one_of(["0", "B"])
    number = int(rng.integers(len(f.plan.walls)))
    wall = f.plan.walls[number]
    end = groups.kitchen_run(f, wall, family, 0.0)
    fridge = f.piece("fridge")
    placed = fridge and f.at_wall(fridge, wall, end + 0.05 + fridge.size_m[0] / 2)
    if not placed:
        f.against(f.piece("fridge"), corner=True)
    if f.chance(0.65):
        groups.kitchen_run(f, f.plan.walls[(number + 1) % len(f.plan.walls)], family, 0.7)
    if f.chance(0.25):
        island = f.somewhere(f.piece("kitchen island"), 1.0, square=True)
        f.clutter(island, "kitchen thing", 1, 4)
    if f.chance(0.85):
        table = f.somewhere(
            f.piece("dining table" if f.plan.floor_area_m2() > 13 else "small table"), 0.6, 30, square=True
        )
        if table:
            f.chairs(table)
            f.clutter(table, "kitchen thing", 1, 4)
            f.clutter(table, "place setting", 0, 3)
    if f.chance(0.3):
        f.against(f.piece("washing machine"))
    if f.chance(0.4):
        groups.chest(f, "kitchen thing")
    f.lamp_overhead()
    f.dress_walls(int(rng.integers(0, 4)))
    f.litter(0, 4, ["bar stool", "chair"])


def bathroom(f: Furnisher) -> None:
    rng = f.rng
    basin = f.against(f.piece("washbasin"), tries=30)
    if basin:
        f.clutter(basin, "bath thing", 1, 4)
        if basin.size_m[2] < 1.2:
            mirror = f.own("mirror", things.mirror(rng))
            x, y = basin.to_room(np.array([[0, basin.size_m[1] / 2 - mirror.size_m[1] / 2]]))[0]
            f.place(mirror, x, y, rng.uniform(1.15, 1.3), basin.turn_rad)
    choice = rng.random()
    if choice < 0.45:
        f.against(f.piece("bath"), corner=True, tries=30)
    elif choice < 0.6:
        f.against(f.piece("corner bath"), corner=True, tries=30)
    else:
        f.against(f.piece("shower"), corner=True, tries=30)
    toilet = f.against(f.piece("toilet"), tries=30)
    if toilet and f.chance(0.3):
        f.beside(f.piece("bidet"), toilet, int(rng.choice([-1, 1])), 0.25)
    if f.chance(0.45):
        machine = f.against(f.piece("washing machine"))
        f.clutter(machine, "bath thing", 0, 3)
    for role, z in (("towel radiator", 0.5), ("towel", 1.0), ("towel", 1.1)):
        if f.chance(0.5) and f.has(role):
            f.hang(f.piece(role), z, z + 0.1)
    if f.chance(0.5):
        groups.chest(f, "bath thing")
    if f.chance(0.6):
        x, y = f.plan.size_m
        groups.lay_rug(f, x / 2, y / 2, float(rng.choice([0, np.pi / 2])), 0.9, 0.6)
    f.lamp_overhead()
    f.dress_walls(int(rng.integers(0, 3)))
    f.litter(1, 4)


def office(f: Furnisher) -> None:
    rng = f.rng
    for _ in range(int(rng.integers(1, 2 + int(f.plan.floor_area_m2() / 8)))):
        if f.chance(0.7):
            groups.desk_place(f)
            continue
        desk = f.somewhere(f.piece("desk"), 0.5, 20, square=True)
        if desk:
            f.on_top(desk, f.piece("computer"), tries=20)
            f.clutter(desk, "desk thing", 1, 6)
            groups.desk_chair(f, desk)
    for _ in range(int(rng.integers(1, 4))):
        (groups.shelf if f.chance(0.5) else groups.chest)(f)
    for _ in range(int(rng.integers(0, 3))):
        cabinet = f.against(f.piece("filing cabinet"))
        f.clutter(cabinet, "desk thing", 0, 2)
    if f.chance(0.4):
        f.against(f.piece("office large"))
    if f.chance(0.3):
        f.against(f.piece("sofa"))
    f.lamp_overhead()
    f.greenery(int(rng.integers(0, 3)))
    f.dress_walls(int(rng.integers(1, 5)))
    f.litter(1, 6, ["office chair", "chair"])


def classroom(f: Furnisher) -> None:
    """Tables in rows, all facing one wall; also a meeting room or cafe."""
    rng = f.rng
    table, chair = f.pick(f.one_of(["dining table", "desk", "small table"])), f.pick("chair")
    if table is None or chair is None:
        return
    size = f.catalogue.pieces[table].size_m
    turn = float(rng.integers(4)) * np.pi / 2
    step = (size[0] + rng.uniform(0.5, 1.0), size[1] + rng.uniform(0.9, 1.3))
    if round(turn / (np.pi / 2)) % 2:
        step = step[::-1]
    for x in np.arange(0.9 + size[0] / 2, f.plan.size_m[0] - 0.8, step[0]):
        for y in np.arange(0.9 + size[1] / 2, f.plan.size_m[1] - 0.8, step[1]):
            placed = f.place(f.piece("dining table", table), x, y, 0.0, turn + rng.normal(0, 0.02))
            if placed:
                for shift in (-0.25, 0.25) if size[0] > 1.1 else (0.0,):
                    if f.chance(0.8):
                        f.before(f.piece("chair", chair), placed, 0.02, np.pi + rng.normal(0, 0.1), shift * size[0])
                f.clutter(placed, "desk thing", 0, 2)
    for _ in range(int(rng.integers(1, 4))):
        groups.shelf(f)
    f.against(f.piece("office large"))
    f.lamp_overhead()
    f.dress_walls(int(rng.integers(2, 8)))
    f.litter(0, 4)


def library(f: Furnisher) -> None:
    """Shelves along the walls and in rows; also a shop."""
    for _ in range(int(f.rng.integers(4, 9))):
        groups.shelf(f)
    for _ in range(int(f.rng.integers(1, 5))):
        f.somewhere(f.own("bookshelf", things.bookshelf(f.rng)), 0.7, square=True)
    table = f.somewhere(f.piece("dining table"), 0.6, square=True)
    if table:
        f.chairs(table, share=0.6)
        f.clutter(table, "table thing", 1, 5)
    f.lamp_overhead()
    f.dress_walls(int(f.rng.integers(0, 4)))
    f.litter(1, 6, ["armchair", "chair"])


def corridor(f: Furnisher) -> None:
    for _ in range(int(f.rng.integers(1, 4))):
        (groups.shelf if f.chance(0.5) else groups.chest)(f)
    if f.chance(0.5):
        f.hang(f.own("mirror", things.mirror(f.rng)), 0.9, 1.2)
    f.lamp_overhead()
    f.dress_walls(int(f.rng.integers(2, 8)))
    for _ in range(int(f.rng.integers(1, 4))):
        f.against(f.piece(f.one_of(["chair", "pouf", "floor plant", "radiator"])))
    f.litter(2, 6)


def storage(f: Furnisher) -> None:
    """A basement, a laundry, a hobby room."""
    for _ in range(int(f.rng.integers(2, 5))):
        groups.shelf(f)
    for _ in range(int(f.rng.integers(0, 3))):
        f.against(f.piece("washing machine"))
    for _ in range(int(f.rng.integers(1, 4))):
        f.somewhere(f.piece("large toy"))
    if f.chance(0.4):
        groups.desk_place(f)
    f.lamp_overhead()
    f.dress_walls(int(f.rng.integers(0, 3)))
    for _ in range(int(f.rng.integers(3, 9))):
        box = f.against(f.own("carton", things.carton(f.rng)))
        if box and f.chance(0.5):
            f.on_top(box, f.own("carton", things.carton(f.rng)))
    f.litter(4, 10)


def home(f: Furnisher) -> None:
    """Cooking, eating and sitting in one large room."""
    groups.kitchen_run(f, f.plan.walls[int(f.rng.integers(len(f.plan.walls)))], f.one_of(["0", "B"]), 0.0)
    f.against(f.piece("fridge"), corner=True)
    groups.seat_group(f)
    groups.dining_group(f)
    for _ in range(int(f.rng.integers(1, 3))):
        groups.shelf(f)
    f.greenery(int(f.rng.integers(0, 3)))
    f.lamp_overhead()
    f.dress_walls(int(f.rng.integers(1, 6)))
    f.litter(1, 6, ["chair"])


KINDS: dict[str, Kind] = {
    "living_room": Kind(living_room, 5, (3.2, 5.5), (4.0, 7.5)),
    "bedroom": Kind(bedroom, 6, (2.8, 4.2), (3.2, 5.2)),
    "kitchen": Kind(kitchen, 5, (2.4, 4.0), (3.0, 5.0)),
    "dining_room": Kind(dining_room, 2.5, (2.8, 4.5), (3.5, 6.0)),
    "bathroom": Kind(bathroom, 2, (2.0, 2.8), (2.4, 3.6), 1),
    "office": Kind(office, 3.5, (2.6, 4.5), (3.2, 6.5)),
    "child_room": Kind(child_room, 1.5, (2.6, 3.8), (3.0, 4.6)),
    "classroom": Kind(classroom, 2, (4.5, 7.0), (6.0, 10.0), 3),
    "library": Kind(library, 1.5, (3.5, 6.0), (5.0, 10.0)),
    "corridor": Kind(corridor, 0.7, (1.4, 2.2), (4.0, 9.0), 1),
    "storage": Kind(storage, 1.2, (2.6, 4.5), (3.2, 6.0), 1),
    "home": Kind(home, 2, (4.2, 6.5), (6.0, 10.0), 3),
}


def fill_up(f: Furnisher) -> None:
    """Few rooms stand empty: what was too large to fit leaves space for smaller things."""
    wanted = 9 + 0.7 * f.plan.floor_area_m2()
    for _ in range(12):
        if (
            sum(item.bottom_m < 1.0 and item.role not in ("rug", "curtain", "wall small") for item in f.plan.items)
            > wanted
        ):
            return
        choice = f.rng.random()
        if choice < 0.3:
            groups.shelf(f)
        elif choice < 0.5:
            groups.chest(f)
        elif choice < 0.7:
            f.against(f.piece(f.one_of(["chair", "armchair", "pouf", "floor plant"])))
        else:
            f.litter(1, 3)


def draw(rng: np.random.Generator) -> str:
    """The name of a kind, by weight."""
    weights = np.array([kind.weight for kind in KINDS.values()])
    return list(KINDS)[int(rng.choice(len(KINDS), p=weights / weights.sum()))]
