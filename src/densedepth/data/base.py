"""The one contract of all data sets: a sequence of frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from densedepth.errors import DataError
from densedepth.types import Camera


@dataclass(frozen=True)
class Frame:
    """One photo and its depth.

    Attributes:
        image: uint8 (H, W, 3), RGB.
        depth_m: float32 (H, W), metres; 0 where ``valid`` is False.
        valid: bool (H, W), the pixels that have a depth.
        camera: intrinsics of the photo, or None when unknown.
        scene: frames of one scene must stay on one side of a split.
        key: names the frame in messages and reports.
    """

    image: np.ndarray
    depth_m: np.ndarray
    valid: np.ndarray
    camera: Camera | None
    scene: str
    key: str


class DepthDataset(Protocol):
    """``len(dataset)``, ``dataset[i] -> Frame``, and the scene of each frame without reading it."""

    @property
    def scenes(self) -> Sequence[str]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Frame: ...


class Subset:
    """The frames of ``dataset`` at ``indices``, in that order."""

    def __init__(self, dataset: DepthDataset, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = list(indices)
        self.scenes = [dataset.scenes[i] for i in self.indices]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Frame:
        return self.dataset[self.indices[index]]


class InMemory:
    """Keeps each frame decoded after its first use: 1.5 MB for 640x480, so 1.2 GB for 795 of them."""

    def __init__(self, dataset: DepthDataset) -> None:
        self.dataset = dataset
        self.scenes = dataset.scenes
        self._frames: dict[int, Frame] = {}

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Frame:
        if index not in self._frames:
            self._frames[index] = self.dataset[index]
        return self._frames[index]


def split_by_scene(dataset: DepthDataset, fraction: float, seed: int) -> tuple[Subset, Subset]:
    """Split into (rest, held out) so that no scene stands on both sides.

    Scenes are drawn at random until the held-out part has at least ``fraction`` of the frames.
    """
    if not 0 <= fraction < 1:
        raise DataError(f"the validation fraction must be in [0, 1), got {fraction}")
    by_scene: dict[str, list[int]] = {}
    for index, scene in enumerate(dataset.scenes):
        by_scene.setdefault(scene, []).append(index)
    wanted = fraction * len(dataset)
    held_out: set[int] = set()
    for scene in np.random.default_rng(seed).permutation(sorted(by_scene)):
        if len(held_out) >= wanted:
            break
        held_out.update(by_scene[str(scene)])
    rest = [i for i in range(len(dataset)) if i not in held_out]
    return Subset(dataset, rest), Subset(dataset, sorted(held_out))
