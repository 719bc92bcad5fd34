"""Endless furnished rooms with exact depth and intrinsics, drawn from a seed with numpy alone.

For tests, demos and machines without a network: a frame depends on (seed, index) and the options only. A scene is a
room; its frames are views of it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from densedepth.data.base import Frame, checked_frame
from densedepth.data.synth.picture import Sensor, take_picture
from densedepth.data.synth.rooms import KINDS, draw_room
from densedepth.data.synth.scene import Room, draw_view
from densedepth.errors import DataError
from densedepth.types import Camera

__all__ = ["SynthConfig", "SyntheticRooms", "scene_of", "synth_frame"]

MIN_SIDE, MAX_SIDE = 32, 4096
#: Stands in what is made, so that a folder is not continued by a program that draws other rooms.
VERSION = 1


@dataclass(frozen=True)
class SynthConfig:
    """What the frames are like.

    Attributes:
        width: of the frames, pixels.
        height: of the frames, pixels.
        fov_deg: horizontal field of view of the cameras, from and to; each scene has its own.
        frames_per_scene: views of one room.

    Raises:
        DataError: a side, field of view or number of frames out of range.
    """

    width: int = 320
    height: int = 240
    fov_deg: tuple[float, float] = (60.0, 60.0)
    frames_per_scene: int = 4

    def __post_init__(self) -> None:
        if not all(MIN_SIDE <= side <= MAX_SIDE for side in (self.width, self.height)):
            raise DataError(f"frames have {MIN_SIDE} to {MAX_SIDE} pixels a side, not {self.width}x{self.height}")
        low, high = self.fov_deg
        if not 20 <= low <= high <= 120:
            raise DataError(f"the field of view lies between 20 and 120 degrees, not from {low:g} to {high:g}")
        if self.frames_per_scene < 1:
            raise DataError(f"a scene needs at least one frame, not {self.frames_per_scene}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {**asdict(self), "fov_deg": list(self.fov_deg), "version": VERSION}


DEFAULT = SynthConfig()


def synth_frame(seed: int, index: int, config: SynthConfig = DEFAULT) -> Frame:
    """Frame ``index`` of the endless data set of ``seed``.

    Args:
        seed: of everything, 0 or more.
        index: 0 or more; frames ``frames_per_scene * n`` and following show room n.
        config: what frames are like.

    Returns:
        The frame, every pixel valid; depth is z of the middle of the pixel, exact up to float32.
    """
    number, view_number = divmod(index, config.frames_per_scene)
    room, camera = _scene(seed, number, config)
    rng = np.random.default_rng((seed, number, 1 + view_number))
    view = draw_view(rng, room, camera)
    photo, depth_m = take_picture(room, view, Sensor.drawn(rng), rng)
    scene = scene_of(seed, index, config)
    key = f"{scene}/{view_number}"
    return checked_frame(photo, depth_m, camera=camera, scene=scene, key=key, source=f"seed {seed}, frame {index}")


def scene_of(seed: int, index: int, config: SynthConfig = DEFAULT) -> str:
    """The scene of a frame without drawing it."""
    number = index // config.frames_per_scene
    return f"{_kind(seed, number)}_{number:05d}"


def _kind(seed: int, number: int) -> str:
    return KINDS[np.random.default_rng((seed, number)).integers(len(KINDS))]


@lru_cache(maxsize=4)
def _scene(seed: int, number: int, config: SynthConfig) -> tuple[Room, Camera]:
    rng = np.random.default_rng((seed, number, 0))
    camera = Camera.from_fov(config.width, config.height, float(rng.uniform(*config.fov_deg)))
    return draw_room(_kind(seed, number), rng), camera


class SyntheticRooms:
    """The first ``frames`` frames of a seed as a :class:`~densedepth.data.base.DepthDataset`, drawn when asked for.

    Raises:
        DataError: no frames, or a negative seed.
    """

    def __init__(self, frames: int, seed: int = 0, config: SynthConfig = DEFAULT) -> None:
        if frames < 1 or seed < 0:
            raise DataError(f"needs at least 1 frame and a seed of 0 or more, got {frames} and {seed}")
        self.seed = seed
        self.config = config
        views = config.frames_per_scene
        rooms = [scene_of(seed, first, config) for first in range(0, frames, views)]
        self.scenes = [rooms[index // views] for index in range(frames)]

    def __len__(self) -> int:
        return len(self.scenes)

    def __getitem__(self, index: int) -> Frame:
        if not 0 <= index < len(self):
            raise IndexError(index)
        return synth_frame(self.seed, index, self.config)
