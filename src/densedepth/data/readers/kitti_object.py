"""The KITTI object benchmark: photos of camera 2, velodyne scans and a calibration for each frame.

ROOT/training/{image_2,velodyne,calib}/000000.{png,bin,txt}    and testing/ likewise
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from densedepth.data.base import Frame, checked_frame
from densedepth.data.readers.kitti_files import (
    PHOTO_SUFFIXES,
    Folders,
    Missing,
    check_choice,
    describe,
    nearby,
    note,
    settle_missing,
)
from densedepth.data.readers.lidar import read_object_calibration, read_velodyne
from densedepth.errors import DataError
from densedepth.io import read_image

#: Folder of each part, and the suffixes of what a frame has in it.
PARTS = {"image_2": PHOTO_SUFFIXES, "velodyne": (".bin",), "calib": (".txt",)}


class KittiObject:
    """Frames of the object benchmark as a :class:`~densedepth.data.base.DepthDataset`.

    The frames are drawn from drives that the benchmark does not name, so each is its own scene.

    Args:
        root: the folder that holds ``training`` and ``testing``, or one that holds ``image_2``, ``velodyne`` and
            ``calib`` itself; that one has no parts: all frames are taken, and that is said.
        split: "train" takes ``training``, "test" ``testing``.
        missing: frames that lack a photo, a scan or a calibration are an "error", or "skip" says how many there are
            and leaves them out.

    Raises:
        DataError: none of this in ``root``, incomplete frames, or an unknown option.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        split: Literal["train", "test"] = "train",
        *,
        missing: Missing = "error",
    ) -> None:
        check_choice("split", split, ("train", "test"))
        check_choice("missing", missing, ("error", "skip"))
        root, folders = Path(root), Folders()
        part = root / f"{split}ing"

        def fits(folder: Path) -> bool:
            return folders.names(folder).issuperset(PARTS)

        if fits(root):
            note(f"{root}: holds image_2/ itself, not training/ and testing/, so split '{split}' is all of it")
            part = root
        elif not fits(part):
            hint = nearby(root, folders, lambda folder: fits(folder / part.name) or fits(folder))
            raise DataError(
                f"{describe(root, folders)}; looked for image_2/, velodyne/ and calib/ in it and in its {part.name}/: "
                f"root must be the folder that holds them{hint}"
            )
        stems = sorted({stem for name, suffixes in PARTS.items() for stem in folders.stems(part / name, suffixes)})
        if not stems:
            raise DataError(f"{part}: image_2/, velodyne/ and calib/ hold no frames")
        self.files: list[tuple[Path, Path, Path]] = []
        absent = []
        for stem in stems:
            found = [folders.find(part / name, stem, suffixes) for name, suffixes in PARTS.items()]
            photo, scan, calibration = found
            if photo is None or scan is None or calibration is None:
                lacking = list(PARTS)[found.index(None)]
                absent.append(f"{part / lacking / stem}{PARTS[lacking][0]}")
            else:
                self.files.append((photo, scan, calibration))
        settle_missing(absent, len(stems), missing, f"frames in {part}")
        self.scenes = [photo.stem for photo, _, _ in self.files]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Frame:
        photo, scan, calibration = self.files[index]
        image = read_image(photo)
        height, width = image.shape[:2]
        scanner = read_object_calibration(calibration)
        return checked_frame(
            image,
            scanner.depth_map_m(read_velodyne(scan), width, height, str(photo)),
            camera=scanner.camera(width, height),
            scene=self.scenes[index],
            key=photo.name,
            source=str(scan),
        )
