"""Frames of one's own: a plain folder of photos and depth files, or a ``manifest.csv``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from densedepth.data.base import Frame, checked_frame
from densedepth.data.readers.depth_files import read_depth_values
from densedepth.data.readers.folder_index import Entry, FolderIndex, index_folder
from densedepth.data.readers.units import checked_units, in_metres, positive
from densedepth.errors import DataError
from densedepth.io import read_photo
from densedepth.types import Camera

_SHOWN = 3


class Folder:
    """One split of a folder as a :class:`~densedepth.data.base.DepthDataset`.

    Pairs come from ``manifest.csv`` (columns image, depth and optionally scene, split, fx, fy, cx, cy) where there is
    one, else from the names, see :mod:`densedepth.data.readers.pairing`. The split comes from the manifest, from
    folders called train and test, or from train.txt and test.txt; a folder without any is all "train". Scenes come from
    the manifest, the first folder level, or the file names without their numbers; where none of these tells frames
    apart, runs of neighbouring frames are the scenes.

    The camera of a frame is the first known of: the manifest, ``fov`` or ``focal_px``, the depth file (those of this
    package), the photo's EXIF data.

    Args:
        root: the folder.
        split: "train", "test", or another one that the folder knows.
        images: subfolder or glob of the photos, such as ``rgb`` or ``*/color_*.jpg``; found by name when left out.
        depths: the same for the depth files.
        manifest: the csv, relative to the folder.
        metres_per_unit: metres per number in the depth files. Float files hold metres unless it is given, and depth
            files of this package say their unit; other whole numbers need it.
        invalid: number that means no depth, besides 0; "nan" stands for everything that is not finite.
        max_depth_m: deeper than this many metres means no depth, too.
        fov: horizontal field of view of all photos in degrees.
        focal_px: focal length of all photos in pixels.
        unpaired: "error" refuses a folder in which a photo or a depth file has no partner, "skip" leaves those out.

    Raises:
        DataError: options that make no sense, nothing found, no such split, or a file without its partner.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        split: str = "train",
        *,
        images: str | None = None,
        depths: str | None = None,
        manifest: str | None = None,
        metres_per_unit: float | None = None,
        invalid: float | Literal["nan"] = 0,
        max_depth_m: float | None = None,
        fov: float | None = None,
        focal_px: float | None = None,
        unpaired: Literal["error", "skip"] = "error",
    ) -> None:
        self.root = Path(root)
        self.metres_per_unit, self.invalid = checked_units(metres_per_unit, invalid)
        self.max_depth_m = positive("max_depth_m", max_depth_m)
        self.fov, self.focal_px = positive("fov", fov), positive("focal_px", focal_px)
        if fov is not None and (focal_px is not None or fov >= 180):
            raise DataError(f"fov must lie below 180 degrees and exclude focal_px, got {fov}")
        if unpaired not in ("error", "skip"):
            raise DataError(f"unpaired must be error or skip, got '{unpaired}'")
        index = index_folder(self.root, images, depths, manifest)
        _refuse_missing(self.root, index, unpaired)
        self.entries = _of_split(self.root, index, split)
        self.scenes = [entry.scene for entry in self.entries]

    @property
    def pairs(self) -> list[tuple[Path, Path]]:
        """(photo, depth file) of each frame."""
        return [(entry.photo, entry.depth) for entry in self.entries]

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> Frame:
        return self.frame(index)

    def frame(self, index: int, at_least: tuple[int, int] | None = None) -> Frame:
        """Frame ``index``; a JPEG photo is decoded no larger than it takes to have (height, width) ``at_least``."""
        entry = self.entries[index]
        photo = read_photo(entry.photo, at_least)
        stored = read_depth_values(entry.depth)
        values = stored.values[:: photo.reduced, :: photo.reduced]
        if photo.reduced > 1 and values.shape != photo.image.shape[:2]:
            return self.frame(index)  # its error tells the sizes of the files
        advice = f"; 'densedepth data inspect {self.root}' finds it out"
        depth_m = in_metres(
            stored._replace(values=values), self.metres_per_unit, self.invalid, str(entry.depth), advice
        )
        if self.max_depth_m is not None:
            depth_m[depth_m > self.max_depth_m] = 0
        height, width = stored.values.shape
        return checked_frame(
            photo.image,
            depth_m,
            camera=self._camera(entry, width, height) or stored.camera or photo.camera,
            scene=entry.scene,
            key=entry.key,
            source=str(entry.depth) if entry.source == str(entry.depth) else f"{entry.source}: {entry.depth}",
        )

    def _camera(self, entry: Entry, width: int, height: int) -> Camera | None:
        numbers = entry.intrinsics or ({} if self.focal_px is None else {"fx": self.focal_px})
        if numbers:
            fx = numbers["fx"]
            centre = (numbers.get("cx", width / 2), numbers.get("cy", height / 2))
            return Camera(fx, numbers.get("fy", fx), *centre, width, height)
        return None if self.fov is None else Camera.from_fov(width, height, self.fov)


def _refuse_missing(root: Path, index: FolderIndex, unpaired: str) -> None:
    if index.missing:
        source, file = index.missing[0]
        raise DataError(f"{source}: {file} is missing ({len(index.missing)} such files)")
    lone = [f"{len(index.lone_photos)} photos without depth"] if index.lone_photos else []
    lone += [f"{len(index.lone_depths)} depth files without photo"] if index.lone_depths else []
    if lone and unpaired == "error":
        names = ", ".join([*index.lone_photos, *index.lone_depths][:_SHOWN])
        raise DataError(
            f"{root}: {' and '.join(lone)} ({names}, ...); complete them, or leave them out: unpaired: skip"
        )
    if not index.entries:
        raise DataError(f"{root}: no photo and depth file belong together by name; list them in manifest.csv")


def _of_split(root: Path, index: FolderIndex, split: str) -> list[Entry]:
    if not index.splits:
        if split == "train":
            return index.entries
        raise DataError(
            f"{root}: no split '{split}': every frame is 'train'; put frames into folders {split}/ and train/, write "
            f"{split}.txt and train.txt, or add a column split to manifest.csv"
        )
    without = [entry for entry in index.entries if entry.split is None]
    if without:
        raise DataError(f"{root}: {len(without)} frames belong to no split, others do; the first is {without[0].key}")
    entries = [entry for entry in index.entries if entry.split == split]
    if not entries:
        raise DataError(f"{root}: no split '{split}'; it has {', '.join(index.splits)}")
    return entries
