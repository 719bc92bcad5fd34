"""Putting furniture where people put it: against walls, around tables, in front of sofas, on top of things."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from densedepth.rooms import things
from densedepth.rooms.catalogue import Catalogue
from densedepth.rooms.plan import Item, Plan, Wall
from densedepth.rooms.roles import keys_of

Rng = np.random.Generator

#: Furniture stands this far off the wall: skirting boards, cables.
WALL_GAP_M = (0.02, 0.05)


class Furnisher:
    """A plan, the catalogue, and the dice."""

    def __init__(self, plan: Plan, catalogue: Catalogue, rng: Rng) -> None:
        self.plan, self.catalogue, self.rng = plan, catalogue, rng
        self.details: set[str] = set()
        """Procedural textures that only this room's own things need."""

    # -- making ------------------------------------------------------------------------------------------------

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def one_of(self, options: Sequence[str]) -> str:
        return options[int(self.rng.integers(len(options)))]

    def has(self, role: str) -> bool:
        return any(key in self.catalogue.pieces for key in keys_of(role))

    def pick(self, role: str) -> str | None:
        """A piece for this role, or None when the catalogue has none."""
        keys = [key for key in keys_of(role) if key in self.catalogue.pieces]
        return self.one_of(keys) if keys else None

    def piece(self, role: str, key: str | None = None) -> Item | None:
        """An item at the origin."""
        key = key or self.pick(role)
        if key is None:
            return None
        size = self.catalogue.pieces[key].size_m
        return Item(role, key, (0, 0, 0), 0.0, size, self.catalogue.columns(key))

    def own(self, role: str, made: things.Made) -> Item:
        """An item made here."""
        mesh, size = made
        return Item(role, "", (0, 0, 0), 0.0, size, None, mesh)

    def detail(self, kind: str) -> str:
        """A new texture of this kind, by the name that materials use."""
        name = f"{kind} {len(self.details)}"
        self.details.add(name)
        return name

    # -- placing -----------------------------------------------------------------------------------------------

    def place(
        self, item: Item | None, x: float, y: float, z: float = 0.0, turn_rad: float | None = None
    ) -> Item | None:
        """Put it there if it fits."""
        if item is None:
            return None
        item.position_m = (float(x), float(y), float(z))
        if turn_rad is not None:
            item.turn_rad = float(turn_rad)
        return item if self.plan.add(item) else None

    def against(
        self, item: Item | None, walls: Sequence[Wall] | None = None, corner: bool = False, tries: int = 24
    ) -> Item | None:
        """With its back to a wall, somewhere along it; `corner` pushes it to an end of the wall."""
        if item is None:
            return None
        for _ in range(tries):
            options = walls or self.plan.walls
            wall = options[int(self.rng.integers(len(options)))]
            free = wall.length_m - item.size_m[0]
            if free < 0.02:
                continue
            along = self.rng.uniform(0, free)
            if corner:
                along = self.rng.choice([0.02, free - 0.02])
            if self.at_wall(item, wall, along + item.size_m[0] / 2):
                return item
        return None

    def at_wall(
        self, item: Item | None, wall: Wall, along_m: float, z: float = 0.0, gap_m: float | None = None
    ) -> Item | None:
        """With its back to `wall`, its middle `along_m` from the wall's start."""
        if item is None:
            return None
        gap = self.rng.uniform(*WALL_GAP_M) if gap_m is None else gap_m
        x, y = wall.point(along_m, gap + item.size_m[1] / 2)
        return self.place(item, x, y, z, wall.turn_rad)

    def beside(self, item: Item | None, other: Item, side: int, gap_m: float = 0.05) -> Item | None:
        """Next to `other`, backs in line; side is -1 or 1."""
        if item is None:
            return None
        x = side * (other.size_m[0] / 2 + gap_m + item.size_m[0] / 2)
        y = other.size_m[1] / 2 - item.size_m[1] / 2
        x, y = other.to_room(np.array([[x, y]]))[0]
        return self.place(item, x, y, other.bottom_m, other.turn_rad)

    def before(
        self, item: Item | None, other: Item, gap_m: float, turn_rad: float = 0.0, shift_m: float = 0.0
    ) -> Item | None:
        """In front of `other`; turned against it by `turn_rad`."""
        if item is None:
            return None
        half = abs(item.size_m[1] * math.cos(turn_rad)) / 2 + abs(item.size_m[0] * math.sin(turn_rad)) / 2
        x, y = other.to_room(np.array([[shift_m, -(other.size_m[1] / 2 + gap_m + half)]]))[0]
        return self.place(item, x, y, 0.0, other.turn_rad + turn_rad)

    def somewhere(
        self, item: Item | None, margin_m: float = 0.05, tries: int = 16, square: bool = False
    ) -> Item | None:
        """Anywhere on the floor; `square` keeps it in line with the walls."""
        if item is None:
            return None
        x, y = self.plan.size_m
        for _ in range(tries):
            turn = self.rng.integers(4) * np.pi / 2 if square else self.rng.uniform(0, 2 * np.pi)
            low, high = margin_m, np.array([x, y]) - margin_m
            at = self.rng.uniform(low, high)
            if self.place(item, at[0], at[1], 0.0, turn):
                return item
        return None

    def on_top(self, support: Item | None, item: Item | None, tries: int = 12) -> Item | None:
        """On a flat part of `support`, wherever there is room."""
        if support is None or item is None:
            return None
        room = np.array(support.size_m[:2]) / 2 - 0.01
        columns = support.surfaces()
        for _ in range(tries):
            turn = self.rng.normal(0, 0.35)
            local = self.rng.uniform(-room, room)
            x, y = support.to_room(local[None])[0]
            item.turn_rad = support.turn_rad + turn
            item.position_m = (float(x), float(y), 0.0)
            corners = support.to_own(item.corners())
            if (np.abs(corners) > room).any():
                continue
            u = np.linspace(0, 1, max(3, math.ceil(max(item.size_m[:2]) / 0.03)))
            s, t = (grid.reshape(-1, 1) for grid in np.meshgrid(u, u))
            under = corners[0] + s * (corners[1] - corners[0]) + t * (corners[3] - corners[0])
            high = columns.at(under)[1]
            if not np.isfinite(high).all() or np.ptp(high) > 0.008 or high.max() < 0.3 * support.size_m[2]:
                continue
            if self.place(item, x, y, support.bottom_m + float(high.max()) + 0.001, item.turn_rad):
                return item
        return None

    def clutter(self, support: Item | None, role: str, low: int, high: int) -> None:
        """Some small things on `support`."""
        for _ in range(int(self.rng.integers(low, high + 1))):
            books = role in ("table thing", "desk thing") and self.chance(0.2)
            self.on_top(support, self.own("books", things.stack_of_books(self.rng)) if books else self.piece(role))

    def chairs(self, table: Item, share: float = 0.8) -> None:
        """Chairs of one kind around a table, facing it, most of them pushed in a little."""
        key = self.pick("chair")
        if key is None:
            return
        width, depth, _ = self.catalogue.pieces[key].size_m
        round_table = abs(table.size_m[0] - table.size_m[1]) < 0.15
        places: list[tuple[float, float, float]] = []
        if round_table:
            count = int(self.rng.integers(2, 5))
            start = self.rng.uniform(0, 2 * np.pi)
            places = [
                (math.sin(start + k * 2 * np.pi / count), -math.cos(start + k * 2 * np.pi / count), 0.0)
                for k in range(count)
            ]
            places = [(x, y, math.atan2(-x, y)) for x, y, _ in places]
        else:
            per_side = max(1, int((table.size_m[0] - 0.1) // (width + 0.08)))
            for k in range(per_side):
                x = (k + 0.5) / per_side * 2 - 1
                places += [(x, -1, np.pi), (x, 1, 0.0)]
            if table.size_m[1] > 0.65:
                places += [(-1, 0, np.pi / 2), (1, 0, -np.pi / 2)]
        half_x, half_y = table.size_m[0] / 2, table.size_m[1] / 2
        for x, y, turn in places:
            if not self.chance(share):
                continue
            for tucked in (self.rng.uniform(-0.12, 0.25), 0.0, -0.08, -0.2):
                out = depth / 2 - tucked
                if round_table:
                    local = np.array([x, y]) * (half_x + out)
                elif abs(y) == 1:
                    local = np.array([x * half_x * 0.94, y * (half_y + out)])
                else:
                    local = np.array([x * (half_x + out), 0.0])
                at = table.to_room(local[None])[0]
                if self.place(
                    self.piece("chair", key), at[0], at[1], 0.0, table.turn_rad + turn + self.rng.normal(0, 0.08)
                ):
                    break

    def hang(self, item: Item | None, low_m: float = 1.0, high_m: float = 1.5) -> Item | None:
        """On a wall, where nothing else is."""
        if item is None:
            return None
        for _ in range(3):
            z = self.rng.uniform(low_m, high_m)
            wall = self.plan.walls[int(self.rng.integers(len(self.plan.walls)))]
            free = wall.length_m - item.size_m[0] - 0.2
            if free <= 0 or z + item.size_m[2] > self.plan.height_m - 0.15:
                continue
            along = 0.1 + item.size_m[0] / 2 + self.rng.uniform(0, free)
            if self.at_wall(item, wall, along, z, gap_m=0.004):
                return item
        return None

    def from_ceiling(self, item: Item | None, x: float, y: float) -> Item | None:
        if item is None or item.size_m[2] > self.plan.height_m - 1.75:
            return None
        return self.place(item, x, y, self.plan.height_m - item.size_m[2] - 0.011, self.rng.integers(4) * np.pi / 2)

    # -- habits that all rooms share ---------------------------------------------------------------------------

    def dress_walls(self, pictures: int) -> None:
        for _ in range(pictures):
            self.hang(self.own("picture", things.framed_picture(self.rng, self.detail("picture"))))
        if self.chance(0.35):
            self.hang(self.own("wall shelf", things.wall_shelf(self.rng)), 1.2, 1.7)
        for z in (0.25, 0.25, 1.1, 1.1):
            self.hang(self.piece("wall small"), z, z + 0.05)

    def litter(self, low: int, high: int, extra: Sequence[str] = ()) -> None:
        """Things that lie and stand about on the floor, most of them near walls."""
        for _ in range(int(self.rng.integers(low, high + 1))):
            role = self.one_of(["floor thing", "floor thing", "floor thing", "floor plant", "large toy", *extra])
            item = self.own("carton", things.carton(self.rng)) if self.chance(0.12) else self.piece(role)
            if self.chance(0.6):
                self.against(item, tries=6)
            else:
                self.somewhere(item, tries=6)

    def greenery(self, count: int) -> None:
        for _ in range(count):
            self.against(self.piece("floor plant"), corner=self.chance(0.7))

    def lamp_overhead(self) -> Item | None:
        rng = self.rng
        x, y = np.array(self.plan.size_m) / 2 + rng.normal(0, 0.1, 2)
        if self.plan.notch_m[0]:
            x = min(x, self.plan.size_m[0] - self.plan.notch_m[0] - 0.5)
        choice = rng.random()
        if choice < 0.3:
            item = self.piece("hanging lamp")
        elif choice < 0.55:
            item = self.own("pendant", things.pendant(rng))
        elif choice < 0.68:
            item = self.piece("ceiling lamp")
        else:
            item = self.own("ceiling lamp", things.ceiling_disc(rng))
        return self.from_ceiling(item, x, y) or self.from_ceiling(
            self.own("ceiling lamp", things.ceiling_disc(rng)), x, y
        )
