"""A plan turned into what the graphics card draws: one list of triangles, and the textures on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from densedepth.rooms.mesh import Mesh, face_normals
from densedepth.rooms.shaders import LARGE
from densedepth.rooms.textures import Texture

VERTEX = np.dtype(
    [
        ("point", np.float32, 3),
        ("normal", np.int8, 4),
        ("uv", np.float32, 2),
        ("color", np.uint8, 4),
        ("marks", np.float16, 4),
    ]
)


@dataclass
class Light:
    """A window, lamp or the sun.

    Attributes:
        kind: "window", "lamp" or "sun".
        place: centre (window), position (lamp), or unit vector towards it (sun).
        power: linear RGB. Window: radiance; lamp: intensity; sun: irradiance.
        facing: into the room (window only).
        right: half the width, along the wall (window only).
        half_height_m: (window only).
    """

    kind: str
    place: NDArray[np.floating]
    power: NDArray[np.floating]
    facing: NDArray[np.floating] = field(default_factory=lambda: np.zeros(3))
    right: NDArray[np.floating] = field(default_factory=lambda: np.zeros(3))
    half_height_m: float = 0.0

    @property
    def area_m2(self) -> float:
        return 4 * float(np.linalg.norm(self.right)) * self.half_height_m


@dataclass
class Scene:
    """Everything the renderer needs for one room.

    Attributes:
        vertices: of `VERTEX`, three in a row are a triangle; the last `shadowless` cast no shadow.
        small: model textures, each uint8 (256, 256, 4).
        large: procedural textures, each uint8 (512, 512, 3).
        lights: the direct ones.
        ambient: light thrown back by ceiling, walls and floor, linear RGB (3, 3), for normals up, sideways and down.
        extent: the far corner of the room's box, metres.
        objects: what each object number stands for; 0 is the room itself.
    """

    vertices: NDArray[np.void]
    shadowless: int
    small: list[NDArray[np.uint8]]
    large: list[NDArray[np.uint8]]
    lights: list[Light]
    ambient: NDArray[np.floating]
    extent: tuple[float, float, float]
    objects: list[str]


class SceneBuilder:
    """Collects meshes."""

    def __init__(self) -> None:
        self.blocks: list[NDArray[np.void]] = []
        self.late_blocks: list[NDArray[np.void]] = []
        self.small: list[NDArray[np.uint8]] = []
        self.large: list[NDArray[np.uint8]] = []
        self._layers: dict[int, int] = {}
        self._offered: dict[str, Callable[[], Texture]] = {}
        self._details: dict[str, tuple[int, Texture]] = {}
        self.objects = ["room"]

    def offer(self, name: str, make: Callable[[], Texture]) -> None:
        """Make a procedural texture known under a name that materials can use as `detail`; it is made when used."""
        self._offered[name] = make

    def _detail(self, name: str) -> tuple[int, Texture]:
        if name not in self._details:
            texture = self._offered[name]()
            self._details[name] = (LARGE + len(self.large), texture)
            self.large.append(texture.rgb)
        return self._details[name]

    def mean_albedo(self, name: str) -> NDArray[np.floating]:
        """Mean of a procedural texture, linear RGB."""
        return np.asarray(np.mean((self._detail(name)[1].rgb[::8, ::8] / 255.0) ** 2.2, axis=(0, 1)))

    def add(self, mesh: Mesh, label: str | None = None, casts: bool = True) -> None:
        """Add a mesh in room coordinates; with a label it becomes an object of its own."""
        number = 0
        if label is not None:
            number = len(self.objects)
            self.objects.append(label)
        block = np.zeros(len(mesh.points), VERTEX)
        block["point"] = mesh.points
        block["normal"][:, :3] = np.rint(mesh.normals * 127)
        block["marks"][:, 1] = number
        tones = np.empty((len(mesh.materials), 4))
        layers, glows, sizes = np.zeros((3, len(mesh.materials)))
        projected = np.zeros(len(mesh.materials), bool)
        bare = np.isnan(mesh.uv[:, 0])
        for part in np.unique(mesh.parts):
            material = mesh.materials[part]
            layers[part], sizes[part], shine = 0, 1, material.shine
            if material.texture is not None and not bare[mesh.parts == part].any():
                layers[part] = self._small_layer(material.texture)
            elif material.detail:
                layers[part], texture = self._detail(material.detail)
                sizes[part] = texture.size_m
                shine = max(shine, texture.shine) if texture.shine else 0.0
                projected[part] = material.texture is not None
            tones[part] = (*_seen_through(material.color, material.opacity), min(shine, 1))
            glows[part] = material.glow
        uv = mesh.uv
        replaced = bare | projected[mesh.parts]
        if replaced.any():
            uv = np.where(replaced[:, None], box_projection(mesh.points), uv)
        block["uv"] = uv / np.where(sizes == 0, 1, sizes)[mesh.parts, None]
        block["color"] = np.rint(tones[mesh.parts] * 255)
        block["marks"][:, 0] = layers[mesh.parts]
        block["marks"][:, 2] = glows[mesh.parts]
        (self.blocks if casts else self.late_blocks).append(block)

    def _small_layer(self, texture: NDArray[np.uint8]) -> int:
        if id(texture) not in self._layers:
            self.small.append(texture)
            self._layers[id(texture)] = len(self.small)
        return self._layers[id(texture)]

    def build(self, lights: list[Light], ambient: NDArray[np.floating], extent: tuple[float, float, float]) -> Scene:
        late = sum(map(len, self.late_blocks))
        vertices = np.concatenate([*self.blocks, *self.late_blocks])
        return Scene(vertices, late, self.small, self.large, lights, ambient, extent, self.objects)


def _seen_through(color: tuple[float, float, float], opacity: float) -> tuple[float, float, float]:
    """Glass is drawn solid, as frosted glass: what one sees is then where the depth is."""
    if opacity > 0.95:
        return color
    red, green, blue = color
    frost = 1 - opacity
    return opacity * red + frost * 0.68, opacity * green + frost * 0.74, opacity * blue + frost * 0.73


def box_projection(points: NDArray[np.floating]) -> NDArray[np.floating]:
    """Texture coordinates in metres: each triangle is seen along the axis it faces most."""
    axis = np.repeat(np.abs(face_normals(points)).argmax(axis=1), 3)
    # The grain of wood runs along x: upright on standing faces would need a turn, so z comes first there.
    return np.where(
        (axis == 2)[:, None],
        points[:, (0, 1)],
        np.where((axis == 1)[:, None], points[:, (0, 2)], points[:, (1, 2)]),
    )
