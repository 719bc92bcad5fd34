"""The frames under inspection, whatever their layout: what is known of each without reading it, and its pixels.

A plain folder is read raw, because its unit is what has to be found out. Any other layout is read by its own reader,
which knows the unit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Protocol

import numpy as np

from densedepth.data.base import DepthDataset
from densedepth.data.readers.depth_files import read_depth_values
from densedepth.data.readers.folder_index import FolderIndex
from densedepth.errors import DataError
from densedepth.io import read_image


@dataclass(frozen=True)
class Item:
    """One frame, unread.

    Attributes:
        where: what findings call it.
        split: "train", "test", ...; "" where the folder has no splits.
        scene: see `densedepth.data.Frame`.
        photo: file of the photo, where it is one.
        depth: file of the depth, where it is one.
    """

    where: str
    split: str
    scene: str
    photo: Path | None = None
    depth: Path | None = None


@dataclass(frozen=True)
class Pixels:
    """One frame, read.

    Attributes:
        image: uint8 (H, W, 3).
        values: numbers (H', W') as stored, or metres from a reader that knows the unit.
        stated: metres per number, where the file or the reader says it.
    """

    image: np.ndarray
    values: np.ndarray
    stated: float | None


class Source(Protocol):
    """A data set as the inspection sees it."""

    items: list[Item]

    def pixels(self, number: int) -> Pixels:
        """Raises DataError or ImageError where the frame cannot be read."""

    def photo_bytes(self, number: int) -> bytes | None:
        """The photo's file, or None where it has none that can be read without decoding."""


class FolderSource:
    """A plain folder or manifest; numbers come as they are stored."""

    def __init__(self, index: FolderIndex, splits: Sequence[str] = ()) -> None:
        for split in splits:
            if split not in (index.splits or ["train"]):
                raise DataError(f"no split '{split}'; it has {', '.join(index.splits or ['train'])}")
        self.entries = [e for e in index.entries if not splits or (e.split or "train") in splits]
        self.items = [Item(str(e.photo), e.split or "", e.scene, e.photo, e.depth) for e in self.entries]

    def pixels(self, number: int) -> Pixels:
        entry = self.entries[number]
        stored = read_depth_values(entry.depth)
        return Pixels(read_image(entry.photo), stored.values, stored.metres_per_unit)

    def photo_bytes(self, number: int) -> bytes | None:
        return _read(self.entries[number].photo)


class ReaderSource:
    """Any layout through its reader; depth comes in metres."""

    def __init__(self, datasets: Mapping[str, DepthDataset]) -> None:
        self._datasets = datasets
        self._places = [(split, place) for split, frames in self._datasets.items() for place in range(len(frames))]
        self.items = [self._item(split, place) for split, place in self._places]

    def _item(self, split: str, place: int) -> Item:
        frames = self._datasets[split]
        photo = _photo_name(frames, place)
        where = f"{split} frame {place}" if photo is None else str(photo)
        return Item(where, split, frames.scenes[place])

    def pixels(self, number: int) -> Pixels:
        split, place = self._places[number]
        frame = self._datasets[split][place]
        return Pixels(frame.image, frame.depth_m, 1.0)

    def photo_bytes(self, number: int) -> bytes | None:
        split, place = self._places[number]
        frames = self._datasets[split]
        name = _photo_name(frames, place)
        if name is None:
            return None
        read: Callable[[str], bytes] | None = getattr(getattr(frames, "archive", None), "read", None)
        return _read(Path(name)) if read is None else read(str(name))


def _photo_name(frames: DepthDataset, place: int) -> str | PurePath | None:
    """Readers of files keep them as ``pairs``: (photo, depth, ...), or objects with a ``photo``."""
    pairs = getattr(frames, "pairs", None)
    if pairs is None:
        return None
    name = pairs[place][0] if isinstance(pairs[place], tuple) else getattr(pairs[place], "photo", None)
    return name if isinstance(name, str | PurePath) else None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
