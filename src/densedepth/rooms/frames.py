"""Rooms as a sequence of frames: frame i is view i mod n of room i div n, and depends on the seed and i alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from densedepth.data.base import Frame
from densedepth.errors import DataError
from densedepth.rooms import kinds
from densedepth.rooms.catalogue import Catalogue, open_catalogue
from densedepth.rooms.furnish import Furnisher
from densedepth.rooms.light import ambient, sample_lights
from densedepth.rooms.mesh import Mesh
from densedepth.rooms.photo import develop
from densedepth.rooms.plan import Plan
from densedepth.rooms.renderer import Rendered, Renderer
from densedepth.rooms.sample import sample_plan
from densedepth.rooms.scene import Scene, SceneBuilder
from densedepth.rooms.shell import add_shell
from densedepth.rooms.style import Style, add_textures, restyled, sample_style
from densedepth.rooms.view import sample_view
from densedepth.types import Camera

#: Raised when the same seed would give other frames.
VERSION = 1

ATTEMPTS = 4


@dataclass(frozen=True)
class RoomsConfig:
    """What the frames depend on, besides the seed and the furniture.

    Attributes:
        width: of the photos, pixels.
        height: the same.
        fov_deg: horizontal field of view, drawn anew for every view.
        views_per_room: frames of one room.

    Raises:
        DataError: a number out of range.
    """

    width: int = 320
    height: int = 240
    fov_deg: tuple[float, float] = (45.0, 80.0)
    views_per_room: int = 6

    def __post_init__(self) -> None:
        if not (32 <= self.width <= 4096 and 32 <= self.height <= 4096):
            raise DataError(f"frames must be 32 to 4096 pixels on a side, got {self.width}x{self.height}")
        low, high = self.fov_deg
        if not 10 <= low <= high <= 120:
            raise DataError(f"the field of view must go from 10 to 120 degrees, smaller first, got {low} to {high}")
        if self.views_per_room < 1:
            raise DataError(f"a room needs at least one view, got {self.views_per_room}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {"version": VERSION, **asdict(self)}


class FurnishedRooms:
    """``frames[i] -> Frame`` for i in 0 .. count - 1; the renderer and the furniture are opened at the first.

    Args:
        count: frames.
        seed: draws everything.
        config: size and field of view.
        assets: folder with the furniture.
    """

    def __init__(self, count: int, seed: int, config: RoomsConfig, assets: Path) -> None:
        self.count, self.seed, self.config, self.assets = count, seed, config, assets
        self._catalogue: Catalogue | None = None
        self._renderer: Renderer | None = None
        self._loaded: tuple[int, Plan, Scene] | None = None
        # A room's kind is part of its scene's name, as in the published set: it is drawn before everything else.
        rooms = range(-(-count // config.views_per_room))
        names = [f"{self._kind(room)}_{room:05d}" for room in rooms]
        self.scenes: Sequence[str] = [names[index // config.views_per_room] for index in range(count)]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Frame:
        if not 0 <= index < self.count:
            raise IndexError(index)
        camera, rendered = self.render(index)
        photo = develop(rendered.light, self._rng(index, 2))
        valid = rendered.depth_m > 0
        return Frame(photo, rendered.depth_m, valid, camera, self.scenes[index], f"{self.scenes[index]}/{index}")

    def render(self, index: int) -> tuple[Camera, Rendered]:
        """Frame ``index`` before it becomes a photo."""
        camera, _, rendered = self._view(index)
        return camera, rendered

    def pose(self, index: int) -> NDArray[np.floating]:
        """4 x 4, from the axes of the room to those of frame ``index``'s camera (x right, y down, z forward)."""
        return self._view(index)[1]

    def _view(self, index: int) -> tuple[Camera, NDArray[np.floating], Rendered]:
        """A view that turns out blind, close to one surface that fills it, is drawn again."""
        plan, _ = self.room(index // self.config.views_per_room)
        assert self._renderer is not None
        for attempt in range(ATTEMPTS):
            rng = self._rng(index, 1, attempt)
            camera = Camera.from_fov(self.config.width, self.config.height, float(rng.uniform(*self.config.fov_deg)))
            to_camera = sample_view(plan, camera, rng)
            rendered = self._renderer.view(camera, to_camera)
            if _worth_keeping(rendered):
                break
        return camera, to_camera, rendered

    def room(self, number: int) -> tuple[Plan, Scene]:
        """Room ``number``, loaded into the renderer."""
        if self._catalogue is None:
            self._catalogue = open_catalogue(self.assets)
        if self._renderer is None:
            self._renderer = Renderer(self.config.width, self.config.height)
        if self._loaded is None or self._loaded[0] != number:
            rng = np.random.default_rng((self.seed, number, 0))
            plan, scene = build_room(self._catalogue, rng, self._kind(number))
            self._renderer.load(scene)
            self._loaded = (number, plan, scene)
        return self._loaded[1:]

    def _kind(self, room: int) -> str:
        return kinds.draw(np.random.default_rng((self.seed, room, 1)))

    def _rng(self, index: int, *purpose: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, index, 7, *purpose))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_catalogue": None, "_renderer": None, "_loaded": None}


def _worth_keeping(rendered: Rendered) -> bool:
    depth = rendered.depth_m
    return bool(np.median(depth) > 1.0 and np.mean(depth < 0.6) < 0.04 and len(np.unique(rendered.objects)) > 4)


def build_room(catalogue: Catalogue, rng: np.random.Generator, kind: str) -> tuple[Plan, Scene]:
    """Sample, finish and light a room."""
    plan, furnisher = sample_plan(catalogue, rng, kind)
    style = sample_style(rng)
    lights, shining = sample_lights(plan, rng, style.blind)
    if not any(light.kind == "window" for light in lights):
        style.outside = "night"
    builder = SceneBuilder()
    add_textures(builder, rng, kind, furnisher.details)
    # Walls come last: what furniture hides of them is then never shaded.
    _add_items(builder, furnisher, rng, style, shining)
    add_shell(builder, plan, style)
    floor, wall = (builder.mean_albedo(name) for name in ("floor", "wall"))
    level = ambient(plan, lights, floor, wall, rng)
    return plan, builder.build(lights, level, (*plan.size_m, plan.height_m))


def _add_items(
    builder: SceneBuilder, furnisher: Furnisher, rng: np.random.Generator, style: Style, shining: set[int]
) -> None:
    # Pieces of one kind, such as the chairs around a table, look the same.
    finished: dict[str, Mesh] = {}
    for number, item in enumerate(furnisher.plan.items):
        if item.mesh is not None:
            mesh = style.cloth(item.mesh)
        else:
            if item.key not in finished:
                finished[item.key] = restyled(furnisher.catalogue.mesh(item.key), item.role, rng, style)
            mesh = finished[item.key]
        if number in shining:
            mesh = style.lit(mesh)
        builder.add(mesh.moved(item.position_m, item.turn_rad), item.role, casts=number not in shining)
