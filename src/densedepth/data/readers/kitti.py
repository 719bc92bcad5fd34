"""KITTI raw as published, in the split of Eigen et al. 2014: photos of camera 02, depth from the velodyne scans or from
the depth benchmark.

    ROOT/2011_09_26/calib_cam_to_cam.txt, calib_velo_to_cam.txt
    ROOT/2011_09_26/2011_09_26_drive_0001_sync/image_02/data/0000000005.png (or .jpg)
    ROOT/2011_09_26/2011_09_26_drive_0001_sync/velodyne_points/data/0000000005.bin
    DEPTH_ROOT/train/2011_09_26_drive_0001_sync/proj_depth/groundtruth/image_02/0000000005.png
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

from densedepth.data.base import Frame, checked_frame
from densedepth.data.readers.kitti_files import (
    PHOTO_SUFFIXES,
    Folders,
    Missing,
    camera_of,
    check_choice,
    check_raw_root,
    note,
    read_kitti_depth_m,
    settle_missing,
)
from densedepth.data.readers.lidar import read_raw_calibration, read_raw_camera, read_velodyne
from densedepth.io import read_image
from densedepth.types import Camera

#: How the parts of the depth benchmark are unpacked: beside or inside the drives, in its own two parts, or in neither.
BENCHMARK_FOLDERS = ("", "{day}", "train", "val", "data_depth_annotated/train", "data_depth_annotated/val")


@dataclass(frozen=True)
class EigenFrame:
    """One frame of the lists.

    Attributes:
        drive: such as 2011_09_26_drive_0002_sync.
        number: of the frame in its drive, from 0.
        annotated: whether the depth benchmark holds it.
    """

    drive: str
    number: int
    annotated: bool

    @property
    def day(self) -> str:
        return self.drive[:10]

    @property
    def stem(self) -> str:
        return f"{self.number:010d}"


def eigen_split(split: Literal["train", "test"]) -> list[EigenFrame]:
    """The published lists: 23,158 training frames, by drive, or the 697 test frames in their order.

    Raises:
        DataError: another name.
    """
    check_choice("split", split, ("train", "test"))
    text = (files("densedepth.data.readers") / "splits" / f"kitti_eigen_{split}.txt").read_text(encoding="utf-8")
    frames: list[EigenFrame] = []
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        drive, *entries = line.split()
        for entry in entries:
            first, _, last = entry.rstrip("*").partition("-")
            numbers = range(int(first), int(last or first) + 1)
            frames.extend(EigenFrame(drive, number, not entry.endswith("*")) for number in numbers)
    return frames


class KittiRaw:
    """One part of the Eigen split as a :class:`~densedepth.data.base.DepthDataset`. A scene is a drive.

    Args:
        root: the folder that holds the days (2011_09_26 and so on).
        split: "train" (23,158 frames) or "test" (697).
        ground_truth: "velodyne" projects the scan of the frame, the ground truth of the 697 test frames; "benchmark"
            takes the denser depth of the KITTI depth benchmark, which holds 652 of them.
        depth_root: folder of the depth benchmark (the one that holds its ``train`` and ``val``); None looks below
            ``root``.
        missing: frames that lack a file are an "error", or "skip" says how many there are and leaves them out.

    Raises:
        DataError: no KITTI raw in ``root``, frames or calibrations that are missing, or an unknown option.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        split: Literal["train", "test"] = "train",
        *,
        ground_truth: Literal["velodyne", "benchmark"] = "velodyne",
        depth_root: str | os.PathLike[str] | None = None,
        missing: Missing = "error",
    ) -> None:
        check_choice("ground_truth", ground_truth, ("velodyne", "benchmark"))
        check_choice("missing", missing, ("error", "skip"))
        listed = eigen_split(split)
        self.root = Path(root)
        self.ground_truth = ground_truth
        folders = Folders()
        check_raw_root(self.root, folders)
        if ground_truth == "benchmark":
            annotated = [frame for frame in listed if frame.annotated]
            if len(annotated) < len(listed):
                note(f"{len(listed) - len(annotated)} of {len(listed)} frames have no benchmark depth and are left out")
            listed = annotated
        depth_base = self.root if depth_root is None else Path(depth_root)
        self.frames: list[tuple[EigenFrame, Path, Path]] = []
        absent = []
        for frame in listed:
            photo_folder = self.root / frame.day / frame.drive / "image_02" / "data"
            photo = folders.find(photo_folder, frame.stem, PHOTO_SUFFIXES)
            if photo is None:
                absent.append(f"{photo_folder / frame.stem}.png (or .jpg)")
                continue
            depth, wanted = self._depth_file(frame, depth_base, folders)
            if depth is None:
                absent.append(wanted)
                continue
            self.frames.append((frame, photo, depth))
        settle_missing(absent, len(listed), missing, f"frames of the Eigen split '{split}'")
        self.scenes = [frame.drive for frame, _, _ in self.frames]
        days = sorted({frame.day for frame, _, _ in self.frames})
        if ground_truth == "velodyne":
            self._scanners = {day: read_raw_calibration(self.root / day) for day in days}
        else:
            self._projections = {day: read_raw_camera(self.root / day) for day in days}

    def _depth_file(self, frame: EigenFrame, depth_base: Path, folders: Folders) -> tuple[Path | None, str]:
        """The file, or None, and what to call it where it is not."""
        if self.ground_truth == "velodyne":
            folder = self.root / frame.day / frame.drive / "velodyne_points" / "data"
            return folders.find(folder, frame.stem, (".bin",)), f"{folder / frame.stem}.bin"
        inside = Path(frame.drive) / "proj_depth" / "groundtruth" / "image_02"
        for part in BENCHMARK_FOLDERS:
            found = folders.find(depth_base / part.format(day=frame.day) / inside, frame.stem, (".png",))
            if found is not None:
                return found, ""
        looked = ", ".join(part.format(day=frame.day) or "." for part in BENCHMARK_FOLDERS)
        return None, f"{inside / frame.stem}.png (looked in {depth_base}: {looked})"

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> Frame:
        frame, photo_path, depth_path = self.frames[index]
        image = read_image(photo_path)
        height, width = image.shape[:2]
        if self.ground_truth == "velodyne":
            scanner = self._scanners[frame.day]
            depth_m = scanner.depth_map_m(read_velodyne(depth_path), width, height, str(photo_path))
            camera: Camera | None = scanner.camera(width, height)
        else:
            depth_m = read_kitti_depth_m(depth_path)
            camera = camera_of(self._projections[frame.day], frame.day, width, height)
        return checked_frame(
            image,
            depth_m,
            camera=camera,
            scene=frame.drive,
            key=f"{frame.drive}/image_02/{photo_path.name}",
            source=str(depth_path),
        )
