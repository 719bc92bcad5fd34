"""What lights a room: the sky through its windows, sometimes the sun, lamps, and what the walls throw back."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from densedepth.rooms.plan import Item, Opening, Plan, Wall
from densedepth.rooms.scene import Light
from densedepth.rooms.shaders import MAX_LIGHTS

Rng = np.random.Generator
LAMPS = ("hanging lamp", "pendant", "ceiling lamp")
STANDING = ("table lamp", "floor lamp", "desk lamp")


def sample_lights(plan: Plan, rng: Rng, blind: float) -> tuple[list[Light], set[int]]:
    """The direct lights, at most `MAX_LIGHTS`, and the indices of the items that shine.

    Args:
        plan: the room.
        rng: everything follows from its state.
        blind: how far the blinds are down, 0 to 1.
    """
    windows = [(wall, opening) for wall in plan.walls for opening in wall.openings if opening.kind == "window"]
    windows.sort(key=lambda window: -window[1].width_m * window[1].height_m)
    day = bool(windows) and rng.random() < 0.75
    lights: list[Light] = []
    if day:
        sky = rng.uniform(2.0, 7.0) * (1 - 0.8 * blind) * _daylight(rng)
        lights += [_window(wall, opening, sky) for wall, opening in windows[:2]]
        if rng.random() < 0.4 and blind < 0.5:
            lights.append(_sun(windows[0][0], rng))
    shining: set[int] = set()
    if not day or rng.random() < 0.4:
        warm = _lamplight(rng)
        overhead = [number for number, item in enumerate(plan.items) if item.role in LAMPS]
        power = rng.uniform(1.5, 5.0) * plan.floor_area_m2() / 15
        if overhead:
            lights += [_lamp(plan.items[number], warm * power / len(overhead[:2])) for number in overhead[:2]]
            shining |= set(overhead[:2])
        else:
            middle = np.array([*np.array(plan.size_m) / 2, plan.height_m - 0.15])
            lights.append(Light("lamp", middle, warm * power))
    standing = [number for number, item in enumerate(plan.items) if item.role in STANDING]
    if standing and rng.random() < 0.5:
        number = int(rng.choice(standing))
        lights.append(_lamp(plan.items[number], _lamplight(rng) * rng.uniform(0.3, 1.0)))
        shining.add(number)
    return lights[:MAX_LIGHTS], shining


def ambient(
    plan: Plan, lights: list[Light], floor: NDArray[np.floating], wall: NDArray[np.floating], rng: Rng
) -> NDArray[np.floating]:
    """Irradiance after many bounces on surfaces that face up, sideways and down, linear RGB (3, 3).

    All flux, spread over all surfaces, times albedo / (1 - albedo) for the bounces, as in an integrating sphere.

    Args:
        plan: the room.
        lights: the direct ones.
        floor: mean albedo of the floor, linear RGB.
        wall: the same of the walls.
        rng: varies the strength a little.
    """
    (x, y), height = plan.size_m, plan.height_m
    surface_m2 = 2 * plan.floor_area_m2() + 2 * (x + y) * height
    flux = np.full(3, 0.5)
    for light in lights:
        if light.kind == "window":
            flux = flux + light.power * light.area_m2 * math.pi
        elif light.kind == "lamp":
            flux = flux + light.power * 4 * math.pi
        else:
            flux = flux + light.power * 0.6
    ceiling = np.full(3, 0.75)
    mean = (floor * plan.floor_area_m2() + ceiling * plan.floor_area_m2() + wall * 2 * (x + y) * height) / surface_m2
    # Furniture swallows some of it.
    mean = np.clip(mean * 0.8, 0.1, 0.6)
    level = flux / surface_m2 * mean / (1 - mean) * rng.uniform(0.6, 1.2)
    tints = np.stack([(ceiling + wall) / 2, (ceiling + wall + floor) / 3, (floor + 0.6 * wall) / 1.6])
    return np.asarray(level * (0.25 + 0.75 * tints / tints.mean()))


def _daylight(rng: Rng) -> NDArray[np.floating]:
    cold = rng.uniform(0, 1)
    return np.array([1 - 0.14 * cold, 1 - 0.04 * cold, 1 + 0.08 * cold])


def _lamplight(rng: Rng) -> NDArray[np.floating]:
    warm = rng.uniform(0, 1)
    return np.array([1, 1 - 0.25 * warm, 1 - 0.55 * warm])


def _window(wall: Wall, opening: Opening, power: NDArray[np.floating]) -> Light:
    x, y = wall.point((opening.left_m + opening.right_m) / 2)
    inward, along = np.array([*wall.inward, 0.0]), np.array([*wall.along, 0.0])
    centre = np.array([x, y, opening.bottom_m + opening.height_m / 2])
    return Light("window", centre, power, inward, along * opening.width_m / 2, opening.height_m / 2)


def _sun(wall: Wall, rng: Rng) -> Light:
    """Through this wall's windows."""
    aside, up = rng.uniform(-0.9, 0.9), rng.uniform(0.25, 1.0)
    level = -wall.inward * math.cos(aside) + wall.along * math.sin(aside)
    towards = np.array([*(level * math.cos(up)), math.sin(up)])
    return Light("sun", towards, rng.uniform(2.0, 8.0) * np.array([1.0, 0.93, 0.82]))


def _lamp(item: Item, power: NDArray[np.floating]) -> Light:
    """Hanging lamps shine below themselves; standing ones above, where their shade is open."""
    x, y, z = item.position_m
    below = item.role in LAMPS
    return Light("lamp", np.array([x, y, z - 0.06 if below else item.top_m + 0.05]), power)
