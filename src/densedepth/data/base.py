"""The one contract of all data sets: a sequence of frames."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
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


def checked_frame(
    image: np.ndarray,
    depth_m: np.ndarray,
    *,
    camera: Camera | None,
    scene: str,
    key: str,
    source: str,
    valid: np.ndarray | None = None,
) -> Frame:
    """A frame from what a reader has decoded, or one line that says what is wrong with it.

    Args:
        image: must be uint8 (H, W, 3).
        depth_m: float (H, W); exactly 0 means no depth. A reader turns its layout's own mark for "no depth" into 0
            first, so that NaN, infinity and negative numbers that are left are damage.
        camera: of the photo; brought to its size if it is for another one.
        scene: see :class:`Frame`.
        key: see :class:`Frame`.
        source: what the message names: the file, and where it makes sense the line or the entry.
        valid: bool (H, W), the pixels that count; None takes those with a depth.

    Returns:
        The frame; its depth is 0 wherever it is not valid.

    Raises:
        DataError: wrong dtype or shape, photo and depth of different size, NaN, infinite or negative depth, or no
            pixel with a depth.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise DataError(f"{source}: the photo must be uint8 (H, W, 3), it is {image.dtype} {image.shape}")
    if depth_m.ndim != 2 or not np.issubdtype(depth_m.dtype, np.floating):
        raise DataError(f"{source}: depth must be float (H, W), it is {depth_m.dtype} {depth_m.shape}")
    height, width = depth_m.shape
    if image.shape[:2] != depth_m.shape:
        raise DataError(
            f"{source}: depth is {width}x{height}, its photo {image.shape[1]}x{image.shape[0]}: "
            "the pair does not belong together"
        )
    # Two passes over the pixels in the usual case; NaN fails every comparison.
    usable = depth_m.min(initial=0) >= 0 and depth_m.max(initial=0) < np.inf
    broken = 0 if usable else int(np.count_nonzero(~np.isfinite(depth_m)))
    if broken:
        raise DataError(f"{source}: {broken} pixels are NaN or infinite; if that means no depth, tell the reader so")
    negative = 0 if usable else int(np.count_nonzero(depth_m < 0))
    if negative:
        raise DataError(f"{source}: {negative} pixels have negative depth, so this is no depth in metres; fix the file")
    has_depth = depth_m > 0
    if not has_depth.any():
        raise DataError(f"{source}: no pixel has a depth; remove the frame or replace the file")
    valid = has_depth if valid is None else valid & has_depth
    depth_m = np.where(valid, depth_m, 0).astype(np.float32, copy=False)
    if camera is not None and (camera.width, camera.height) != (width, height):
        try:
            camera = camera.resized(width, height)
        except (ValueError, OverflowError) as error:
            raise DataError(f"{source}: its camera does not fit {width}x{height} pixels ({error})") from None
    return Frame(image, depth_m, valid, camera, scene, key)


class DepthDataset(Protocol):
    """``len(dataset)``, ``dataset[i] -> Frame``, and the scene of each frame without reading it.

    A reader that can save work by reading less also has ``frame(index, at_least: tuple[int, int] | None) -> Frame``
    with ``dataset[i]`` = ``frame(i, None)``; ask through :func:`read_frame`. ``at_least`` is the (height, width) that
    is enough: photo, depth, mask and camera may then come smaller, all at one size not below it both ways. Depth is
    made smaller by picking pixels, never by mixing them.
    """

    @property
    def scenes(self) -> Sequence[str]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Frame: ...


def read_frame(dataset: DepthDataset, index: int, at_least: tuple[int, int] | None = None) -> Frame:
    """Frame ``index``, at no less than (height, width) ``at_least`` where the reader can save work by that."""
    frame = getattr(dataset, "frame", None)
    return dataset[index] if frame is None else frame(index, at_least)


class Subset:
    """The frames of ``dataset`` at ``indices``, in that order."""

    def __init__(self, dataset: DepthDataset, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = list(indices)
        self.scenes = [dataset.scenes[i] for i in self.indices]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Frame:
        return self.frame(index)

    def frame(self, index: int, at_least: tuple[int, int] | None = None) -> Frame:
        return read_frame(self.dataset, self.indices[index], at_least)


class Joined:
    """The frames of several data sets, one after the other."""

    def __init__(self, datasets: Sequence[DepthDataset]) -> None:
        self.datasets = list(datasets)
        self.ends = list(accumulate(len(dataset) for dataset in datasets))
        self.scenes = [scene for dataset in datasets for scene in dataset.scenes]

    def __len__(self) -> int:
        return self.ends[-1]

    def __getitem__(self, index: int) -> Frame:
        return self.frame(index)

    def frame(self, index: int, at_least: tuple[int, int] | None = None) -> Frame:
        number = bisect_right(self.ends, index)
        before = self.ends[number - 1] if number else 0
        return read_frame(self.datasets[number], index - before, at_least)


class InMemory:
    """Keeps each frame decoded, at the largest size that was asked for: 8 bytes a pixel, 0.6 MB at 320x240.

    A frame is read again only when more pixels of it are asked for than ever before.
    """

    def __init__(self, dataset: DepthDataset) -> None:
        self.dataset = dataset
        self.scenes = dataset.scenes
        self._kept: dict[int, tuple[tuple[float, float], Frame]] = {}

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Frame:
        return self.frame(index)

    def frame(self, index: int, at_least: tuple[int, int] | None = None) -> Frame:
        height, width = (math.inf, math.inf) if at_least is None else at_least
        if index in self._kept:
            (enough_height, enough_width), frame = self._kept[index]
            if height <= enough_height and width <= enough_width:
                return frame
        frame = read_frame(self.dataset, index, at_least)
        # A reader gives what was asked for, often more, and less only when the file has no more.
        enough = (max(height, frame.depth_m.shape[0]), max(width, frame.depth_m.shape[1]))
        self._kept[index] = enough, frame
        return frame


def split_by_scene(dataset: DepthDataset, fraction: float, seed: int) -> tuple[Subset, Subset]:
    """Split so that no scene stands on both sides.

    Args:
        dataset: the frames to split.
        fraction: scenes are held out, drawn at random, until they have at least this share of the frames.
        seed: of the draw.

    Returns:
        (the rest, the held-out part), each in the order of ``dataset``.

    Raises:
        DataError: the fraction is not in [0, 1).
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
