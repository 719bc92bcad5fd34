"""What furniture is made of: blocks, finishes, and pieces that are put somewhere."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from densedepth.data.synth.shapes import Kind, Material, Shape

Colour = tuple[float, float, float]
#: From x to x, from y to y.
Rectangle = tuple[float, float, float, float]
BLACK: Colour = (0.015, 0.015, 0.018)
WHITE: Colour = (0.75, 0.75, 0.73)
STEEL: Colour = (0.32, 0.33, 0.35)


@dataclass(frozen=True)
class Piece:
    """A piece of furniture in its own axes: on z = 0 around (0, 0), its back towards -y.

    Attributes:
        shapes: its parts.
        width_m: along x, all parts included.
        depth_m: along y.
    """

    shapes: list[Shape]
    width_m: float
    depth_m: float

    def placed(self, x: float, y: float, yaw: float) -> list[Shape]:
        """Its parts, turned and moved to (x, y)."""
        cos, sin = math.cos(yaw), math.sin(yaw)
        placed = []
        for shape in self.shapes:
            px, py, pz = shape.centre_m
            centre = (x + cos * px - sin * py, y + sin * px + cos * py, pz)
            placed.append(Shape(shape.kind, centre, shape.half_m, shape.material, shape.yaw + yaw))
        return placed

    def footprint(self, x: float, y: float, yaw: float) -> Rectangle:
        """The floor it takes there; ``yaw`` is a multiple of a quarter turn."""
        turned = round(yaw / (math.pi / 2)) % 2 == 1
        w, d = (self.depth_m, self.width_m) if turned else (self.width_m, self.depth_m)
        return x - w / 2, x + w / 2, y - d / 2, y + d / 2


class Finish:
    """Draws colours and materials that go together, linear reflectances."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def between(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def colour(self, saturation: tuple[float, float], value: tuple[float, float]) -> Colour:
        """A colour of any hue; saturation and value are of the displayed colour."""
        hue, s, v = self.rng.random(), self.between(*saturation), self.between(*value)
        ramp = np.abs((hue + np.array([0, 2 / 3, 1 / 3])) % 1 * 6 - 3) - 1
        displayed = v * (1 - s * (1 - ramp.clip(0, 1)))
        red, green, blue = (float(c) for c in displayed**2.2)
        return red, green, blue

    def material(self, pattern: str, first: Colour, second: Colour, scale_m: float, glow: float = 0.0) -> Material:
        return Material(pattern, (first, second), scale_m, self.between(0, 50), glow)

    def wood(self) -> Material:
        light, dark = np.array([0.56, 0.33, 0.16]), np.array([0.10, 0.05, 0.03])
        mix = self.rng.random()
        base = light * mix + dark * (1 - mix)
        red, green, blue = (float(c) for c in base)
        return self.material("wood", (red, green, blue), (red * 0.6, green * 0.55, blue * 0.5), 0.25)

    def lacquer(self) -> Material:
        """Furniture paint: mostly white or grey."""
        colour = self.colour((0.0, 0.12), (0.75, 0.93)) if self.chance(0.6) else self.colour((0.2, 0.6), (0.3, 0.8))
        return self.material("plain", colour, colour, 0.5)

    def body(self) -> Material:
        return self.wood() if self.chance(0.6) else self.lacquer()

    def cloth(self) -> Material:
        first = self.colour((0.1, 0.75), (0.25, 0.85))
        second = self.colour((0.0, 0.6), (0.3, 0.95))
        darker = (first[0] * 0.6, first[1] * 0.6, first[2] * 0.6)
        pattern = str(self.rng.choice(["woven", "woven", "mottled", "stripes", "checker"]))
        return self.material(pattern, first, darker if pattern in ("woven", "mottled") else second, 0.12)

    def plain(self, colour: Colour) -> Material:
        return self.material("plain", colour, colour, 0.5)


def block(
    material: Material,
    x: tuple[float, float],
    y: tuple[float, float],
    z: tuple[float, float],
    kind: Kind = "box",
) -> Shape:
    """A shape that fills these ranges of x, y and z."""
    centre = ((x[0] + x[1]) / 2, (y[0] + y[1]) / 2, (z[0] + z[1]) / 2)
    half = ((x[1] - x[0]) / 2, (y[1] - y[0]) / 2, (z[1] - z[0]) / 2)
    return Shape(kind, centre, half, material)
