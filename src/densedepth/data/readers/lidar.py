"""Velodyne scans of KITTI: reading points and calibration, and projecting them to a depth map of a photo.

The chain is that of the KITTI paper (Geiger et al. 2013, "Vision meets robotics"): a point x of the scanner lies at
P R T x in the photo, where T brings it to camera 0, R rectifies it, and P projects it into the photo's own camera.

**Which pixel.** A point at (u, v) goes to column round(u) - 1 and row round(v) - 1, counted from 0. So does monodepth's
evaluation (utils/evaluation_utils.py), to agree with KITTI's Matlab program, whose pixels count from 1; the published
numbers on the Eigen split were made with it and its copies. Others take round(u), and the photos speak for them:
reflectance and brightness agree best within a pixel of u counted from 0. The difference is one pixel; numbers that can
be compared are worth more than it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from densedepth.errors import DataError
from densedepth.types import Camera

BYTES_OF_A_POINT = 16


@dataclass(frozen=True)
class LidarCamera:
    """Where a camera stands in the world of the scanner.

    Attributes:
        velodyne_to_image: float64 (3, 4); times (x, y, z, 1) in metres of the scanner gives (u w, v w, w), w being the
            depth along the optical axis in metres.
        projection: float64 (3, 4), the rectified camera: fx, fy, cx, cy and its place beside camera 0.
        size: (width, height) of the rectified photos, or None where the calibration does not say.
        source: the calibration file, for messages.
    """

    velodyne_to_image: np.ndarray
    projection: np.ndarray
    size: tuple[int, int] | None
    source: str

    def depth_map_m(self, points: np.ndarray, width: int, height: int, key: str) -> np.ndarray:
        """Depth of the points that fall into a photo, by the rule at the top of this file.

        Args:
            points: (N, 3 or more), metres in the scanner's axes: x forward, y left, z up.
            width: of the photo.
            height: of the photo.
            key: what a message names.

        Returns:
            float32 (height, width), metres along the optical axis. The nearest point wins where several fall into one
            pixel; 0 where none does.

        Raises:
            DataError: the calibration is for photos of another size.
        """
        if self.size is not None and self.size != (width, height):
            raise DataError(
                f"{key}: the photo is {width}x{height}, its calibration {self.source} is for "
                f"{self.size[0]}x{self.size[1]}; use the photos at their own size"
            )
        rows, columns, depth_m, _ = self.pixels(points, width, height)
        nearest_m = np.full((height, width), np.inf)
        np.minimum.at(nearest_m, (rows, columns), depth_m)
        nearest_m[np.isinf(nearest_m)] = 0
        return nearest_m.astype(np.float32)

    def pixels(
        self, points: np.ndarray, width: int, height: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Row, column, depth in metres and place in ``points`` of each point in front that falls into the photo."""
        u_w, v_w, w = self.velodyne_to_image[:, :3] @ points[:, :3].T + self.velodyne_to_image[:, 3:]
        index = np.flatnonzero(w > 0)
        columns = np.rint(u_w[index] / w[index]) - 1
        rows = np.rint(v_w[index] / w[index]) - 1
        inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
        index = index[inside]
        return rows[inside].astype(np.intp), columns[inside].astype(np.intp), w[index], index

    def camera(self, width: int, height: int) -> Camera:
        """The intrinsics that belong to :meth:`depth_map_m`. Raises DataError when the calibration has none."""
        try:
            return kitti_camera(self.projection, width, height)
        except ValueError as error:
            raise DataError(f"{self.source}: no camera ({error}); get a whole copy") from None


def kitti_camera(projection: np.ndarray, width: int, height: int) -> Camera:
    """KITTI's intrinsics (3, 3 or 4) as a :class:`~densedepth.types.Camera`.

    u = 1 is the centre of the first pixel by the rule at the top of this file; in a `Camera` that centre is at 0.5.
    """
    fx, fy, cx, cy = (float(projection[at]) for at in ((0, 0), (1, 1), (0, 2), (1, 2)))
    return Camera(fx, fy, cx - 0.5, cy - 0.5, width, height)


def read_velodyne(path: str | os.PathLike[str]) -> np.ndarray:
    """The points of a scan, float32 (N, 4): x forward, y left, z up in metres, and reflectance in 0..1.

    Raises:
        DataError: missing, empty, cut short, or not made of finite numbers.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        values = np.fromfile(path, dtype="<f4")
    except FileNotFoundError:
        raise DataError(f"{path}: no such velodyne scan") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    if size == 0 or size % BYTES_OF_A_POINT:
        raise DataError(
            f"{path}: {size} bytes are no whole number of points of {BYTES_OF_A_POINT} bytes (float32 x y z "
            "reflectance); get a whole copy"
        )
    if not np.isfinite(values).all():
        raise DataError(f"{path}: holds NaN or infinite numbers, so this is no velodyne scan; get a whole copy")
    return values.reshape(-1, 4)


def read_raw_calibration(day: Path) -> LidarCamera:
    """The calibration of KITTI raw for camera 02: ``calib_cam_to_cam.txt`` and ``calib_velo_to_cam.txt`` of a day.

    Raises:
        DataError: a file or an entry of it is missing or malformed.
    """
    cameras, scanner = _read(day / "calib_cam_to_cam.txt"), _read(day / "calib_velo_to_cam.txt")
    to_camera0 = np.hstack([scanner.matrix("R", 3, 3), scanner.matrix("T", 3, 1)])
    projection = cameras.matrix("P_rect_02", 3, 4)
    return _lidar_camera(projection, cameras.matrix("R_rect_00", 3, 3), to_camera0, cameras, "S_rect_02")


def read_raw_camera(day: Path, camera: str = "02") -> np.ndarray | None:
    """P_rect of a camera, float64 (3, 4), or None where the folder of the day has no ``calib_cam_to_cam.txt``."""
    path = day / "calib_cam_to_cam.txt"
    return _read(path).matrix(f"P_rect_{camera}", 3, 4) if path.is_file() else None


def read_object_calibration(path: Path) -> LidarCamera:
    """The calibration of the object benchmark, one file a frame: ``P2``, ``R0_rect`` and ``Tr_velo_to_cam``.

    Raises:
        DataError: the file or an entry of it is missing or malformed.
    """
    entries = _read(path)
    projection, rectification = entries.matrix("P2", 3, 4), entries.matrix("R0_rect", 3, 3)
    return _lidar_camera(projection, rectification, entries.matrix("Tr_velo_to_cam", 3, 4), entries)


def _lidar_camera(
    projection: np.ndarray,
    rectification: np.ndarray,
    to_camera0: np.ndarray,
    entries: _Calibration,
    size_name: str | None = None,
) -> LidarCamera:
    rectified = np.vstack([rectification @ to_camera0, [0, 0, 0, 1]])
    size = None
    if size_name is not None and size_name in entries.numbers:
        width, height = entries.matrix(size_name, 1, 2)[0]
        size = int(width), int(height)
    return LidarCamera(projection @ rectified, projection, size, str(entries.path))


@dataclass(frozen=True)
class _Calibration:
    """The entries ``name: numbers`` of a calibration file."""

    path: Path
    numbers: dict[str, list[float]]

    def matrix(self, name: str, rows: int, columns: int) -> np.ndarray:
        found = self.numbers.get(name)
        if found is None or len(found) != rows * columns:
            has = "is missing" if found is None else f"has {len(found)}"
            raise DataError(f"{self.path}: '{name}' should have {rows * columns} numbers and {has}; get a whole copy")
        return np.array(found).reshape(rows, columns)


def _read(path: Path) -> _Calibration:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise DataError(f"{path}: no such calibration; KITTI publishes it beside the frames, copy it there") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as a calibration ({error})") from None
    numbers = {}
    for line in lines:
        name, colon, text = line.partition(":")
        try:
            values = [float(word) for word in text.split()]
        except ValueError:  # the time of the calibration is no number
            continue
        if colon and values and np.isfinite(values).all():
            numbers[name.strip()] = values
    return _Calibration(path, numbers)
