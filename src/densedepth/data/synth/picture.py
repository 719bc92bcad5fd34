"""From a room and a view to a photo and its depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from densedepth.data.synth.scene import Light, Room, View
from densedepth.data.synth.shapes import Vectors, cast
from densedepth.data.synth.textures import reflectance

#: Where the four rays of a smoothed pixel go: the rotated grid, which smooths edges of all slopes.
_SUBPIXELS = np.array([[0.625, 0.125], [0.125, 0.375], [0.875, 0.625], [0.375, 0.875]])
#: Pixels that differ this much from a neighbour (of 1, as displayed) are smoothed; at most this part of the picture.
_CONTRAST, _MOST_SMOOTHED = 0.04, 0.15
#: Soft shadows: each lamp is a triangle of three.
_LAMP_CORNERS = np.array([[1.0, 0.0, -0.3], [-0.5, 0.87, 0.3], [-0.5, -0.87, 0.0]])
_GAMMA = 2.2


@dataclass(frozen=True)
class Sensor:
    """The camera's electronics.

    Attributes:
        middle: brightness that half of the picture's pixels stay under, linear, 1 is white.
        balance: factors on red, green and blue.
        noise: standard deviation at white, linear; a tenth of it remains in the dark.
        vignetting: part of the light that the farthest corner loses.
    """

    middle: float = 0.28
    balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    noise: float = 0.01
    vignetting: float = 0.15

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Sensor:
        red, blue = rng.uniform(0.93, 1.07, 2)
        middle = 0.28 * 2 ** rng.uniform(-0.6, 0.5)
        return cls(float(middle), (float(red), 1.0, float(blue)), float(rng.uniform(0.004, 0.02)), rng.uniform(0, 0.3))


def take_picture(room: Room, view: View, sensor: Sensor, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Render one view.

    Returns:
        Photo uint8 (H, W, 3), and z in metres of the middle of each pixel, float32 (H, W), exact.
    """
    height, width = view.camera.height, view.camera.width
    columns, rows = (grid.ravel() for grid in np.meshgrid(np.arange(width), np.arange(height)))
    light, depth_m = _look(room, view, columns + 0.5, rows + 0.5)
    exposure = np.float32(sensor.middle / max(float(np.median(light.mean(axis=0))), 1e-6))
    seen = _film(light * exposure).reshape(3, height, width)
    smoothed = np.flatnonzero(_edges(seen))
    # All in one go: many rays cost less than many calls.
    finer_columns = (columns[smoothed] + _SUBPIXELS[:, :1]).ravel()
    finer_rows = (rows[smoothed] + _SUBPIXELS[:, 1:]).ravel()
    finer = _film(_look(room, view, finer_columns, finer_rows)[0] * exposure)
    seen.reshape(3, -1)[:, smoothed] = finer.reshape(3, len(_SUBPIXELS), -1).mean(axis=1)

    radius = np.hypot(columns - width / 2, rows - height / 2) / np.hypot(width / 2, height / 2)
    seen *= (1 - sensor.vignetting * radius**2).astype(np.float32).reshape(height, width)
    seen *= np.array(sensor.balance, np.float32)[:, None, None]
    grain = rng.standard_normal(seen.shape, dtype=np.float32)
    seen += grain * np.float32(sensor.noise) * np.sqrt(seen + np.float32(0.01))
    shown = seen.clip(0, 1) ** np.float32(1 / _GAMMA) * 255
    photo = np.ascontiguousarray(np.rint(shown).astype(np.uint8).transpose(1, 2, 0))
    return photo, depth_m.reshape(height, width)


def _look(room: Room, view: View, columns: np.ndarray, rows: np.ndarray) -> tuple[Vectors, np.ndarray]:
    """Light (3, N) and z (N,) through image points."""
    rays = view.rays(columns, rows)
    depth_m, index = room.hits(view.position_m, rays)
    points_m = view.position_m.astype(np.float32)[:, None] + rays * depth_m
    return _light(room, points_m, index), depth_m


def _light(room: Room, points_m: Vectors, index: np.ndarray) -> Vectors:
    """The light that leaves points of surfaces, (3, N); ``index`` is what `Room.hits` says."""
    paint, normals = np.empty_like(points_m), np.empty_like(points_m)
    glow = np.zeros(points_m.shape[1], np.float32)
    for number in np.unique(index):
        part = np.flatnonzero(index == number)
        if number < 0:
            paint[:, part], normals[:, part] = _walls(room, points_m[:, part])
            continue
        shape = room.shapes[number]
        local_m = shape.local(points_m[:, part])
        paint[:, part] = reflectance(shape.material, *shape.surface_m(local_m))
        normals[:, part] = shape.normals(local_m)
        glow[part] = shape.material.glow
    light = np.array(room.ambient, np.float32)[:, None] * _openness(room, points_m)
    for lamp in room.lights:
        light = light + np.array(lamp.colour, np.float32)[:, None] * _lit(room, lamp, points_m, normals)
    result: np.ndarray = paint * (light + glow)
    return result


def _walls(room: Room, points_m: Vectors) -> tuple[Vectors, Vectors]:
    """Reflectance and inward normals of the room's own surfaces."""
    half = np.array(room.size_m, np.float32)[:, None] / 2
    unit = points_m / half - 1
    axis = np.abs(unit).argmax(axis=0)
    side = 2 * axis + (np.take_along_axis(unit, axis[None], 0)[0] > 0)
    paint, normals = np.empty_like(points_m), np.zeros_like(points_m)
    np.put_along_axis(normals, axis[None], (1 - 2 * (side % 2)).astype(np.float32)[None], 0)
    for number, material in enumerate(room.surfaces):
        part = np.flatnonzero(side == number)
        x, y, z = points_m[:, part]
        u, v = [(y, z), (x, z), (x, y)][number // 2]
        paint[:, part] = reflectance(material, u, v)
    return paint, normals


def _openness(room: Room, points_m: Vectors) -> np.ndarray:
    """How much of the light from everywhere reaches a point: less in the room's edges and near the floor."""
    open_part = np.ones(points_m.shape[1], np.float32)
    for coordinate, size in zip(points_m, room.size_m, strict=True):
        for away in (coordinate, np.float32(size) - coordinate):
            open_part *= 1 - np.float32(0.3) * np.exp(away * np.float32(-4))
    return open_part


def _lit(room: Room, lamp: Light, points_m: Vectors, normals: Vectors) -> np.ndarray:
    """Light of one lamp on surfaces, 0 in its shadow."""
    position = np.array(lamp.position_m)
    from_lamp = points_m - position.astype(np.float32)[:, None]
    square = np.einsum("ij,ij->j", from_lamp, from_lamp)
    facing = -np.einsum("ij,ij->j", from_lamp, normals) / np.sqrt(square)
    facing = np.maximum(facing, 0) / (square + np.float32(0.5))
    bright = np.flatnonzero(facing > 0)
    lit = np.zeros_like(facing)
    for corner in position + lamp.radius_m * _LAMP_CORNERS:
        rays = points_m[:, bright] - corner.astype(np.float32)[:, None]
        first, _ = cast(room.casters, corner, rays)
        # The surface itself is at 1.
        lit[bright] += facing[bright] * (first > np.float32(0.998))
    result: np.ndarray = lit / np.float32(len(_LAMP_CORNERS))
    return result


def _film(light: Vectors) -> Vectors:
    """Linear up to a half, then towards 1 without ever reaching it, so that lamps and windows keep their shape."""
    over = np.maximum(light - np.float32(0.5), 0)
    result: np.ndarray = np.minimum(light, np.float32(0.5)) + over / (1 + 2 * over)
    return result


def _edges(seen: np.ndarray) -> np.ndarray:
    """Pixels (H, W) to look at again: those most unlike a neighbour."""
    shown = seen.mean(axis=0) ** np.float32(1 / _GAMMA)
    contrast = np.zeros_like(shown)
    for axis in (0, 1):
        step = np.abs(np.diff(shown, axis=axis))
        before, after = [(slice(None),) * axis + (part,) for part in (slice(None, -1), slice(1, None))]
        contrast[before] = np.maximum(contrast[before], step)
        contrast[after] = np.maximum(contrast[after], step)
    result: np.ndarray = contrast > max(_CONTRAST, float(np.quantile(contrast, 1 - _MOST_SMOOTHED)))
    return result
