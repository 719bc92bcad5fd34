"""The KITTI depth benchmark: 16-bit PNG, 256 units a metre, 0 = none, in the three forms it is found in.

ROOT/depth_selection/val_selection_cropped/{image,groundtruth_depth,intrinsics}    1,000 chosen frames, 1216x352
ROOT/{train,val}/DRIVE/proj_depth/groundtruth/image_02/0000000005.png              photos are those of KITTI raw
ROOT/{rgb,depth}/NAME.png                                                          pairs of equal names
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from densedepth.data.base import Frame, checked_frame
from densedepth.data.readers.kitti_files import (
    DRIVE,
    PHOTO_SUFFIXES,
    Folders,
    Missing,
    camera_of,
    check_choice,
    check_raw_root,
    describe,
    nearby,
    note,
    read_kitti_depth_m,
    settle_missing,
)
from densedepth.data.readers.lidar import read_raw_camera
from densedepth.errors import DataError
from densedepth.io import read_image

SELECTION_FOLDERS = (".", "val_selection_cropped", "depth_selection/val_selection_cropped")


@dataclass(frozen=True)
class _Pair:
    """Files of a frame; ``intrinsics`` is its own file of nine numbers, ``day`` a folder of KITTI raw, or None."""

    photo: Path
    depth: Path
    scene: str
    key: str
    intrinsics: Path | None = None
    day: Path | None = None
    camera: str = "02"


class KittiDepth:
    """Frames of the depth benchmark as a :class:`~densedepth.data.base.DepthDataset`.

    A scene is a drive where the files say it; in the form of equal names each frame is its own.

    Args:
        root: the folder that holds one of the three forms, or ``val_selection_cropped`` itself.
        split: "test" takes val_selection_cropped; "train" and "val" take those trees, both cameras. The form of equal
            names has no parts: all frames are taken, and that is said.
        photo_root: for the trees, the folder of KITTI raw that holds the days; None looks below ``root``.
        missing: photos without depth and the reverse are an "error", or "skip" says how many there are and leaves them
            out.

    Raises:
        DataError: none of the three forms in ``root``, incomplete pairs, or an unknown option.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        split: Literal["train", "val", "test"] = "train",
        *,
        photo_root: str | os.PathLike[str] | None = None,
        missing: Missing = "error",
    ) -> None:
        check_choice("split", split, ("train", "val", "test"))
        check_choice("missing", missing, ("error", "skip"))
        root, folders = Path(root), Folders()
        if (selection := _selection_in(root)) is not None and split == "test":
            found = _selected(selection, folders)
        elif split != "test" and _is_tree(root / split, folders):
            photos = root if photo_root is None else Path(photo_root)
            check_raw_root(photos, folders, "photo_root (a reader's option)")
            found = _tree(root / split, photos, folders)
        elif _is_plain(root):
            note(f"{root}: rgb/ and depth/ have no parts, so split '{split}' is all of it")
            found = _plain(root, folders)
        else:
            raise DataError(_not_found(root, split, folders))
        entries = list(found)
        self.pairs = [entry for entry in entries if isinstance(entry, _Pair)]
        if not entries:
            raise DataError(f"{root}: the folders of split '{split}' hold no frames")
        absent = [entry for entry in entries if isinstance(entry, str)]
        settle_missing(absent, len(entries), missing, f"frames in {root}")
        self.scenes = [pair.scene for pair in self.pairs]
        cameras = {(pair.day, pair.camera) for pair in self.pairs if pair.day is not None}
        self._projections = {(day, camera): read_raw_camera(day, camera) for day, camera in cameras}

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Frame:
        pair = self.pairs[index]
        image = read_image(pair.photo)
        height, width = image.shape[:2]
        projection, day = None, ""
        if pair.intrinsics is not None:
            projection = _read_intrinsics(pair.intrinsics)
        elif pair.day is not None:
            projection, day = self._projections[pair.day, pair.camera], pair.day.name
        return checked_frame(
            image,
            read_kitti_depth_m(pair.depth),
            camera=camera_of(projection, day, width, height),
            scene=pair.scene,
            key=pair.key,
            source=str(pair.depth),
        )


def _selection_in(root: Path) -> Path | None:
    bases = (root / folder for folder in SELECTION_FOLDERS)
    return next((base for base in bases if (base / "image").is_dir() and (base / "groundtruth_depth").is_dir()), None)


def _is_tree(part: Path, folders: Folders) -> bool:
    return any(DRIVE.fullmatch(name) for name in folders.names(part))


def _is_plain(root: Path) -> bool:
    return (root / "rgb").is_dir() and (root / "depth").is_dir()


def _selected(base: Path, folders: Folders) -> Iterator[_Pair | str]:
    """Names differ by ``_sync_image_`` and ``_sync_groundtruth_depth_``."""

    def depth_stem(photo_stem: str) -> str:
        return photo_stem.replace("_sync_image_", "_sync_groundtruth_depth_")

    return _paired(base, "image", "groundtruth_depth", depth_stem, folders)


def _plain(root: Path, folders: Folders) -> Iterator[_Pair | str]:
    return _paired(root, "rgb", "depth", lambda stem: stem, folders)


def _paired(
    base: Path, photos: str, depths: str, depth_stem: Callable[[str], str], folders: Folders
) -> Iterator[_Pair | str]:
    """The pairs of two folders, and as text what the others lack."""
    unused = set(folders.stems(base / depths, (".png",)))
    for stem in folders.stems(base / photos, PHOTO_SUFFIXES):
        photo = folders.find(base / photos, stem, PHOTO_SUFFIXES)
        depth = folders.find(base / depths, depth_stem(stem), (".png",))
        if photo is None or depth is None:
            yield f"{base / depths / depth_stem(stem)}.png"
            continue
        if depth.stem not in unused:
            yield f"a depth file of its own: {photo}"
            continue
        unused.remove(depth.stem)
        drive = DRIVE.match(stem)
        intrinsics = folders.find(base / "intrinsics", stem, (".txt",))
        yield _Pair(photo, depth, drive.group() if drive else stem, photo.name, intrinsics)
    for stem in sorted(unused):
        yield f"the photo of {base / depths / stem}.png in {base / photos}"


def _tree(part: Path, photo_root: Path, folders: Folders) -> Iterator[_Pair | str]:
    for drive in sorted(filter(DRIVE.fullmatch, folders.names(part))):
        day = photo_root / drive[:10]
        for camera in ("02", "03"):
            depths = part / drive / "proj_depth" / "groundtruth" / f"image_{camera}"
            photos = day / drive / f"image_{camera}" / "data"
            for stem in folders.stems(depths, (".png",)):
                photo = folders.find(photos, stem, PHOTO_SUFFIXES)
                if photo is None:
                    yield f"{photos / stem}.png (or .jpg)"
                else:
                    key = f"{drive}/image_{camera}/{photo.name}"
                    yield _Pair(photo, depths / f"{stem}.png", drive, key, day=day, camera=camera)


def _not_found(root: Path, split: str, folders: Folders) -> str:
    def fits(folder: Path) -> bool:
        tree = split != "test" and _is_tree(folder / split, folders)
        return tree or _is_plain(folder) or (split == "test" and _selection_in(folder) is not None)

    wanted = "val_selection_cropped/{image,groundtruth_depth}"
    if split != "test":
        wanted = f"{split}/2011_09_26_drive_0001_sync/proj_depth"
    return (
        f"{describe(root, folders)}; looked for {wanted} and for rgb/ and depth/ for split '{split}': "
        f"root must be the folder that holds them{nearby(root, folders, fits)}"
    )


def _read_intrinsics(path: Path) -> np.ndarray:
    try:
        numbers = [float(word) for word in path.read_text(encoding="utf-8").split()]
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as intrinsics ({error})") from None
    if len(numbers) != 9 or not np.isfinite(numbers).all() or min(numbers[0], numbers[4]) <= 0:
        raise DataError(f"{path}: intrinsics are nine numbers, a 3x3 matrix by rows with positive focal lengths")
    return np.array(numbers).reshape(3, 3)
