"""Where the photographer stands and what the camera looks at."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from densedepth.rooms.plan import Item, Plan
from densedepth.types import Camera

Rng = np.random.Generator
HEIGHT_M = (0.8, 1.9)
CLEAR_M = 0.4
"""Free space around the camera."""

WALL_CLEAR_M = 0.2
TRIES = 60
CHOICES = (2, 6)


def look(position: NDArray[np.floating], towards: NDArray[np.floating], roll_rad: float = 0.0) -> NDArray[np.floating]:
    """4 x 4, from room to camera axes (x right, y down, z forward), for a camera that looks along `towards`."""
    forward = towards / np.linalg.norm(towards)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    c, s = math.cos(roll_rad), math.sin(roll_rad)
    matrix = np.eye(4)
    matrix[:3, :3] = (c * right + s * down, c * down - s * right, forward)
    matrix[:3, 3] = -matrix[:3, :3] @ position
    return matrix


def sample_view(plan: Plan, camera: Camera, rng: Rng) -> NDArray[np.floating]:
    """A free place to stand, and a direction in which there is something to see; see `look` for the result.

    Of two to six random views that which shows most furniture is taken.
    """
    best, most = None, -1.0
    found, choices = 0, rng.integers(*CHOICES, endpoint=True)
    for _ in range(TRIES):
        position = _position(plan, rng)
        if not is_free(plan, position):
            continue
        matrix = look(position, _direction(plan, position, rng), rng.normal(0, math.radians(2.0)))
        value = _interest(plan, camera, matrix, position)
        if value > most:
            best, most = matrix, value
        found += 1
        if found == choices:
            break
    if best is None:
        # A room too full to stand in: on a ladder in its middle.
        middle = np.array([*np.array(plan.size_m) / 2, min(HEIGHT_M[1] + 0.2, plan.height_m - 0.2)])
        return look(middle, _direction(plan, middle, rng))
    return best


def _position(plan: Plan, rng: Rng) -> NDArray[np.floating]:
    size = np.array(plan.size_m)
    # People step back against a wall to get more into the photo.
    at = rng.beta(0.7, 0.7, 2) * (size - 2 * WALL_CLEAR_M) + WALL_CLEAR_M
    return np.array([*at, np.clip(rng.normal(1.4, 0.22), *HEIGHT_M)])


def is_free(plan: Plan, position: NDArray[np.floating]) -> bool:
    """Whether a camera there is inside the room and at least `CLEAR_M` from every piece's box."""
    return (
        plan.contains(position[None, :2], WALL_CLEAR_M)
        and float(distances_to(plan.items, position).min(initial=9)) >= CLEAR_M
    )


def distances_to(items: Sequence[Item], position: NDArray[np.floating]) -> NDArray[np.float64]:
    """From a point to each item's box, in metres; 0 inside."""
    if not items:
        return np.empty(0)
    table = np.array([(*item.position_m, item.turn_rad, *item.size_m) for item in items])
    dx, dy = (position[:2] - table[:, :2]).T
    c, s = np.cos(table[:, 3]), np.sin(table[:, 3])
    own = np.abs(np.stack([c * dx + s * dy, c * dy - s * dx], axis=1)) - table[:, 4:6] / 2
    vertical = np.maximum(table[:, 2] - position[2], position[2] - table[:, 2] - table[:, 6])
    outside = np.maximum(np.concatenate([own, vertical[:, None]], axis=1), 0)
    return np.asarray(np.linalg.norm(outside, axis=1))


def _direction(plan: Plan, position: NDArray[np.floating], rng: Rng) -> NDArray[np.floating]:
    """Towards a piece of furniture, or along the room; mostly a little downwards."""
    size = np.array(plan.size_m)
    pieces = [item for item in plan.items if max(item.size_m) > 0.25 and item.bottom_m < 1.6]
    if pieces and rng.random() < 0.75:
        item = pieces[int(rng.integers(len(pieces)))]
        target = np.array([*item.position_m[:2], item.bottom_m + item.size_m[2] * rng.uniform(0.2, 1)])
    else:
        target = np.array([*(size * rng.uniform(0.1, 0.9, 2)), rng.uniform(0.5, 1.4)])
    target[:2] += rng.normal(0, 0.3, 2)
    flat = target[:2] - position[:2]
    if np.linalg.norm(flat) < 0.3:
        flat = size / 2 - position[:2] + 1e-3
    pitch = math.atan2(target[2] - position[2], float(np.linalg.norm(flat)))
    pitch = float(np.clip(0.7 * pitch + rng.normal(0, 0.06), math.radians(-35), math.radians(12)))
    return np.array([*(flat / np.linalg.norm(flat) * math.cos(pitch)), math.sin(pitch)])


def _interest(plan: Plan, camera: Camera, matrix: NDArray[np.floating], position: NDArray[np.floating]) -> float:
    """Pieces in the picture, less when the view is blocked by something close and tall."""
    centres = np.array([(*item.position_m[:2], item.bottom_m + item.size_m[2] / 2) for item in plan.items])
    if not len(centres):
        return 0.0
    x, y, z = (centres @ matrix[:3, :3].T + matrix[:3, 3]).T
    z = np.maximum(z, 1e-3)
    inside = (np.abs(x / z * camera.fx) < camera.width / 2) & (np.abs(y / z * camera.fy) < camera.height / 2)
    inside &= z > 0.5
    value = float(inside.sum())
    forward = matrix[2, :3]
    for reach in (0.5, 0.8, 1.1, 1.4):
        point = position + forward * reach
        blocked = not plan.contains(point[None, :2]) or (distances_to(plan.items, point) == 0).any()
        if blocked:
            return value * 0.25 * reach
    return value
