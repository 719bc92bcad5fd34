"""What all surfaces are mixed from: periodic noise, and the colours that people choose."""

from __future__ import annotations

import colorsys
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

SIDE = 512
"""Of all procedural textures, in pixels."""

FIELDS = 4
Rng = np.random.Generator
Picture = NDArray[np.floating]
Color = tuple[float, float, float]


def noise(rng: Rng, cycles_x: float, cycles_y: float, roughness: float = 1.5) -> Picture:
    """Periodic noise, mean 0, deviation 1, with features of about 1 / cycles of the side.

    A few fields of each sort are made once; a draw is one of them, shifted and mirrored.
    """
    field = _field(int(rng.integers(FIELDS)), cycles_x, cycles_y, roughness)
    down, right = rng.integers(SIDE, size=2)
    flip = rng.integers(2, size=2) * 2 - 1
    return np.roll(field, (down, right), axis=(0, 1))[:: flip[0], :: flip[1]]


@lru_cache(maxsize=150)
def _field(number: int, cycles_x: float, cycles_y: float, roughness: float) -> NDArray[np.float32]:
    rng = np.random.default_rng(number)
    fx = np.fft.rfftfreq(SIDE, 1 / SIDE)[None, :] / cycles_x
    fy = np.fft.fftfreq(SIDE, 1 / SIDE)[:, None] / cycles_y
    # Flat up to the wanted frequency, then falling with a power law, as natural surfaces do.
    amplitude = (1 + fx * fx + fy * fy) ** (-roughness)
    phase = rng.standard_normal((SIDE, SIDE // 2 + 1)) + 1j * rng.standard_normal((SIDE, SIDE // 2 + 1))
    amplitude[0, 0] = 0
    field = np.fft.irfft2(phase * amplitude, (SIDE, SIDE))
    return np.asarray(field / field.std(), np.float32)


def grid() -> tuple[Picture, Picture]:
    step = (np.arange(SIDE, dtype=np.float32) + 0.5) / SIDE
    return np.meshgrid(step, step)


def hsv(hue: float, saturation: float, value: float) -> Color:
    return colorsys.hsv_to_rgb(hue % 1.0, min(max(saturation, 0), 1), min(max(value, 0), 1))


WOODS: tuple[Color, ...] = (
    *((0.72, 0.55, 0.37), (0.60, 0.42, 0.26), (0.45, 0.29, 0.17), (0.32, 0.21, 0.14), (0.80, 0.67, 0.50)),
    *((0.56, 0.35, 0.22), (0.66, 0.58, 0.48), (0.52, 0.47, 0.42), (0.77, 0.60, 0.38), (0.86, 0.80, 0.70)),
)


def wood_color(rng: Rng) -> Color:
    base = np.array(WOODS[rng.integers(len(WOODS))]) * rng.normal(1, 0.06)
    red, green, blue = np.clip(base + rng.normal(0, 0.015, 3), 0.05, 0.95)
    return float(red), float(green), float(blue)


def wall_color(rng: Rng) -> Color:
    """Mostly white, cream, grey or beige; sometimes a strong colour."""
    choice = rng.random()
    if choice < 0.35:
        return hsv(rng.uniform(0.08, 0.16), rng.uniform(0.0, 0.10), rng.uniform(0.84, 0.96))
    if choice < 0.62:
        return hsv(rng.uniform(0.08, 0.14), rng.uniform(0.10, 0.30), rng.uniform(0.68, 0.92))
    if choice < 0.76:
        return hsv(rng.uniform(0.5, 0.65), rng.uniform(0.0, 0.10), rng.uniform(0.55, 0.85))
    if choice < 0.93:
        return hsv(rng.random(), rng.uniform(0.06, 0.25), rng.uniform(0.6, 0.9))
    return hsv(rng.random(), rng.uniform(0.25, 0.5), rng.uniform(0.4, 0.8))


def fabric_color(rng: Rng) -> Color:
    choice = rng.random()
    if choice < 0.4:
        return hsv(rng.uniform(0.05, 0.13), rng.uniform(0.05, 0.35), rng.uniform(0.25, 0.9))
    if choice < 0.6:
        return hsv(rng.random(), rng.uniform(0, 0.1), rng.uniform(0.15, 0.85))
    return hsv(rng.random(), rng.uniform(0.2, 0.65), rng.uniform(0.25, 0.75))
