"""Which camera took a photo, in one order for photos, videos and the server.

1. What the user says (`CameraChoice`): one of a named camera, the field of view, a focal length or the intrinsics.
2. The 35mm-equivalent focal length in the photo's EXIF data (`densedepth.io.read_photo`).
3. The camera that the model was trained for (`DepthEstimator.predict`).

`DepthMap.camera_source`, saved in every file that holds a camera, says which: "given", "exif" or "assumed".
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass

from densedepth.errors import ImageError
from densedepth.types import Camera

SHAPE_TOLERANCE = 0.02
"""Relative difference of aspect ratios that still counts as the same shape: 1366 x 768 is 16:9."""

_D435_HEIGHT_DEG = 42.5


def _by_height(width: int, height: int, vertical_deg: float) -> Camera:
    focal_px = height / 2 / math.tan(math.radians(vertical_deg) / 2)
    return Camera(focal_px, focal_px, width / 2, height / 2, width, height)


SENSORS: dict[str, tuple[Camera, ...]] = {
    "kinect-v1": (Camera(525.0, 525.0, 320.0, 240.0, 640, 480),),
    "kinect-v2": (Camera.from_fov(1920, 1080, 84.1),),
    "azure-kinect": (Camera.from_fov(3840, 2160, 90.0), Camera.from_fov(4096, 3072, 90.0)),
    "realsense-d435": (_by_height(1920, 1080, _D435_HEIGHT_DEG), _by_height(640, 480, _D435_HEIGHT_DEG)),
}
"""Nominal colour cameras, one for each shape of picture; the principal point in the middle. A single device differs
by about 2 %: a calibration, given as intrinsics, is better.

- kinect-v1 (also Asus Xtion, PrimeSense): 525 pixels at 640 x 480, the default of OpenNI and of the TUM RGB-D data.
- kinect-v2: 84.1 x 53.8 degrees, Microsoft's Kinect for Windows v2.
- azure-kinect: 90 x 59 degrees at 16:9, 90 x 74.3 at 4:3, Microsoft's hardware specification.
- realsense-d435 (also D435i): 69.4 x 42.5 degrees at 16:9, Intel's data sheet; 4:3 keeps the height and cuts the sides.
"""

PHONES_35MM: dict[str, float] = {
    **{f"iphone-{model}": 26.0 for model in ("12", "13", "14", "15")},
    **{f"iphone-{model}": 24.0 for model in ("14-pro", "15-pro")},
    "iphone-ultra-wide": 13.0,
}
"""35mm-equivalent millimetres of phones, Apple's technical specifications: whole photos of the main camera without
zoom. Videos are cut and stabilised: their view is narrower."""

CAMERA_NAMES = (*SENSORS, *PHONES_35MM)


@dataclass(frozen=True)
class CameraChoice:
    """What the user says about the camera: nothing, or one of these.

    Attributes:
        camera: a name in `CAMERA_NAMES`.
        fov: horizontal field of view in degrees.
        focal_35mm: 35mm-equivalent focal length in millimetres.
        focal_px: focal length in pixels of the photo, after its EXIF turn.
        intrinsics: fx, fy, cx, cy in pixels of the photo, the corner of the picture at (0, 0); with width and height
            behind them, in pixels of a picture of that size, which fits any resolution of the same shape.

    Raises:
        ValueError: more than one is given, or a number is out of range.
    """

    camera: str | None = None
    fov: float | None = None
    focal_35mm: float | None = None
    focal_px: float | None = None
    intrinsics: Sequence[float] = ()

    def __post_init__(self) -> None:
        given = [name for name in self.__dataclass_fields__ if getattr(self, name) not in (None, (), [])]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} both say the camera: give one of them")
        if self.camera is not None and self.camera not in CAMERA_NAMES:
            near = difflib.get_close_matches(self.camera.lower(), CAMERA_NAMES, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(CAMERA_NAMES)}"
            raise ValueError(f"no camera is named '{self.camera}'; {hint}")
        if self.fov is not None and not 0 < self.fov < 180:
            raise ValueError(f"fov must lie between 0 and 180 degrees, got {self.fov:g}")
        for name, unit in (("focal_35mm", "millimetres"), ("focal_px", "pixels")):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} must be positive {unit}, got {value:g}")
        if self.intrinsics:
            self._check_intrinsics()

    def _check_intrinsics(self) -> None:
        numbers = self.intrinsics
        got = " ".join(f"{number:g}" for number in numbers)
        if len(numbers) not in (4, 6):
            raise ValueError(f"intrinsics are fx fy cx cy, or fx fy cx cy width height, got {got}")
        if not all(math.isfinite(number) and number > 0 for number in numbers):
            raise ValueError(f"intrinsics must be positive pixels, got {got}")
        if any(side != int(side) for side in numbers[4:]):
            raise ValueError(f"width and height of the intrinsics must be whole pixels, got {got}")

    def camera_for(self, width: int, height: int) -> Camera | None:
        """The camera that is meant; None leaves it to EXIF or an assumption.

        Args:
            width: of the upright photo, in pixels.
            height: of the same.

        Raises:
            ImageError: a named camera or intrinsics do not fit the photo's shape.
        """
        if self.camera in SENSORS:
            return _sensor_camera(self.camera, width, height)
        if self.fov is not None:
            return Camera.from_fov(width, height, self.fov)
        if self.focal_px is not None:
            return Camera(self.focal_px, self.focal_px, width / 2, height / 2, width, height)
        if self.intrinsics:
            return self._from_intrinsics(width, height)
        focal_mm = self.focal_35mm if self.camera is None else PHONES_35MM[self.camera]
        return None if focal_mm is None else Camera.from_focal_35mm(width, height, focal_mm)

    def _from_intrinsics(self, width: int, height: int) -> Camera:
        fx, fy, cx, cy, *size = self.intrinsics
        if size:
            of_width, of_height = int(size[0]), int(size[1])
            if not _same_shape(of_width, of_height, width, height):
                raise ImageError(
                    f"the intrinsics are for {of_width} x {of_height} pixels, the photo has {width} x {height}: "
                    "another shape; give those of this photo, after its EXIF turn"
                )
            return Camera(fx, fy, cx, cy, of_width, of_height).resized(width, height)
        if cx >= width or cy >= height:
            raise ImageError(
                f"the principal point ({cx:g}, {cy:g}) lies outside of the photo's {width} x {height} pixels: "
                "intrinsics of another size? give its width and height behind them"
            )
        return Camera(fx, fy, cx, cy, width, height)


def _same_shape(width: int, height: int, other_width: int, other_height: int) -> bool:
    return math.isclose(width * other_height, other_width * height, rel_tol=SHAPE_TOLERANCE)


def _sensor_camera(name: str, width: int, height: int) -> Camera:
    for sensor in SENSORS[name]:
        if _same_shape(sensor.width, sensor.height, width, height):
            return sensor.resized(width, height)
        if _same_shape(sensor.height, sensor.width, width, height):  # turned; the middle stays the middle
            focal_px = sensor.focal_px * height / sensor.width
            return Camera(focal_px, focal_px, width / 2, height / 2, width, height)
    shapes = " and ".join(f"{sensor.width} x {sensor.height}" for sensor in SENSORS[name])
    raise ImageError(
        f"{name} takes pictures shaped {shapes}, this one has {width} x {height}: cut? give fov or focal_px"
    )
