"""What the whole package hands around: a pinhole `Camera` and a `DepthMap` in metres.

Image coordinates are continuous: pixel (row r, column c) covers [c, c + 1] x [r, r + 1] and its centre is
(c + 0.5, r + 0.5). With that convention a resized image has a camera whose numbers are all simply scaled.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

    from densedepth.io.mesh import Mesh

FILM_DIAGONAL_MM = math.hypot(36.0, 24.0)
"""Diagonal of a 35 mm film frame, 43.27 mm: what "35mm-equivalent focal length" refers to."""

CAMERA_SOURCES = ("given", "exif", "assumed")


@dataclass(frozen=True)
class Camera:
    """A pinhole camera for images of one size. All lengths are in pixels.

    Attributes:
        fx, fy: focal length along the rows and along the columns.
        cx, cy: principal point, from the outer corner of the top left pixel.
        width, height: of the images.

    Raises:
        ValueError: a focal length or a side that is not positive, or any number that is not finite.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int

    def __post_init__(self) -> None:
        if not all(isinstance(side, int) and side > 0 for side in (self.width, self.height)):
            raise ValueError(f"camera size must be positive whole pixels, got {self.width} x {self.height}")
        if not all(math.isfinite(f) and f > 0 for f in (self.fx, self.fy)):
            raise ValueError(f"camera focal lengths must be positive, got fx={self.fx}, fy={self.fy}")
        if not all(math.isfinite(c) for c in (self.cx, self.cy)):
            raise ValueError(f"camera principal point must be finite, got cx={self.cx}, cy={self.cy}")

    @classmethod
    def from_fov(cls, width: int, height: int, horizontal_deg: float) -> Camera:
        """A camera with square pixels, a centred principal point and this horizontal field of view.

        Args:
            width: of the images, in pixels.
            height: of the same.
            horizontal_deg: angle between the left and the right border, in degrees.

        Raises:
            ValueError: an angle outside 0 to 180 degrees, or sides that are not positive.
        """
        if not 0 < horizontal_deg < 180:
            raise ValueError(f"field of view must lie between 0 and 180 degrees, got {horizontal_deg}")
        return cls._centred(width, height, width / 2 / math.tan(math.radians(horizontal_deg) / 2))

    @classmethod
    def from_focal_35mm(cls, width: int, height: int, focal_mm: float) -> Camera:
        """A camera with square pixels, a centred principal point and this 35mm-equivalent focal length, by the diagonal
        (CIPA DCG-001): image diagonal : focal length = 43.27 mm : `focal_mm`.

        Args:
            width: of the images, in pixels.
            height: of the same.
            focal_mm: 35mm-equivalent focal length in millimetres.

        Raises:
            ValueError: a focal length or sides that are not positive.
        """
        return cls._centred(width, height, math.hypot(width, height) * focal_mm / FILM_DIAGONAL_MM)

    @classmethod
    def _centred(cls, width: int, height: int, focal_px: float) -> Camera:
        return cls(focal_px, focal_px, width / 2, height / 2, width, height)

    @property
    def focal_px(self) -> float:
        """Mean of fx and fy."""
        return (self.fx + self.fy) / 2

    @property
    def focal_35mm(self) -> float:
        """35mm-equivalent focal length in millimetres, by the diagonal."""
        return self.focal_px / math.hypot(self.width, self.height) * FILM_DIAGONAL_MM

    def resized(self, width: int, height: int) -> Camera:
        """The camera of the same image resized to `width` x `height` pixels."""
        sx, sy = width / self.width, height / self.height
        return Camera(self.fx * sx, self.fy * sy, self.cx * sx, self.cy * sy, width, height)

    def to_dict(self) -> dict[str, float | int]:
        """Plain numbers under the field names, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Camera:
        """The inverse of `to_dict`.

        Raises:
            ValueError: missing, unknown or non-numeric entries, or numbers that no camera has.
        """
        names = [field.name for field in fields(cls)]
        if not isinstance(values, Mapping) or set(values) != set(names):
            raise ValueError(f"a camera needs exactly the keys {', '.join(names)}, got {values!r:.200}")
        if not all(isinstance(value, int | float) for value in values.values()):
            raise ValueError(f"camera values must be numbers, got {dict(values)!r:.200}")
        try:
            return cls(**values)
        except OverflowError as cause:  # whole numbers of JSON have any length
            raise ValueError(f"camera values are too large, got {dict(values)!r:.200}") from cause


@dataclass(eq=False)
class DepthMap:
    """Depth along the optical axis, in metres, for every pixel of one picture.

    Attributes:
        depth_m: float32 (H, W). Exactly 0.0 where `valid` is False.
        valid: bool (H, W). True only where the depth is finite and positive; None derives it from `depth_m`.
        camera: the camera of a picture of this size, or None.
        camera_source: where the camera comes from: "given", "exif" or "assumed"; None without a camera.
        image: the picture, uint8 (H, W, 3) RGB, or None.
        model: name of the model that predicted the map, or None.
        uncertainty_m: float32 (H, W), the expected absolute error of `depth_m` in metres, where the model says it;
            exactly 0.0 where `valid` is False. Of the files only .npz keeps it.

    Raises:
        ValueError: wrong shape or dtype, `valid` set where the depth is not finite and positive, or an expected error
            that is not finite or negative there.
    """

    depth_m: NDArray[np.float32]
    # None is an argument only: __post_init__ puts a mask in its place.
    valid: NDArray[np.bool_] = None  # type: ignore[assignment]
    camera: Camera | None = None
    camera_source: str | None = None
    image: NDArray[np.uint8] | None = None
    model: str | None = None
    uncertainty_m: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        _check_array("depth_m", self.depth_m, np.float32, (None, None))
        shape = self.depth_m.shape
        usable = np.isfinite(self.depth_m) & (self.depth_m > 0)
        if self.valid is None:
            self.valid = usable
        _check_array("valid", self.valid, np.bool_, shape)
        if np.any(self.valid & ~usable):
            raise ValueError("valid is set at pixels whose depth is not finite and positive")
        if np.any(self.depth_m[~self.valid]):
            self.depth_m = np.where(self.valid, self.depth_m, np.float32(0))
        if self.uncertainty_m is not None:
            _check_array("uncertainty_m", self.uncertainty_m, np.float32, shape)
            if not np.all(np.isfinite(self.uncertainty_m) & (self.uncertainty_m >= 0), where=self.valid):
                raise ValueError("uncertainty_m must be finite and not negative where the depth is valid")
            if np.any(self.uncertainty_m[~self.valid]):
                self.uncertainty_m = np.where(self.valid, self.uncertainty_m, np.float32(0))
        if self.image is not None:
            _check_array("image", self.image, np.uint8, (*shape, 3))
        if self.camera is not None and (self.camera.height, self.camera.width) != shape:
            raise ValueError(
                f"camera is for {self.camera.width} x {self.camera.height} pixels, "
                f"the depth map has {self.width} x {self.height}: use camera.resized(width, height)"
            )
        if self.camera_source is not None and self.camera_source not in CAMERA_SOURCES:
            raise ValueError(f"camera_source must be one of {CAMERA_SOURCES}, got {self.camera_source!r}")

    @property
    def width(self) -> int:
        """Columns, in pixels."""
        return int(self.depth_m.shape[1])

    @property
    def height(self) -> int:
        """Rows, in pixels."""
        return int(self.depth_m.shape[0])

    @property
    def range_m(self) -> tuple[float, float] | None:
        """(nearest, farthest) valid depth in metres, or None when no pixel is valid."""
        if not self.valid.any():
            return None
        nearest = np.min(self.depth_m, where=self.valid, initial=np.float32(np.inf))
        return float(nearest), float(self.depth_m.max())

    def points(self) -> tuple[NDArray[np.float32], NDArray[np.uint8] | None]:
        """The valid pixels as points in space, row by row.

        Returns:
            xyz_m: float32 (N, 3) metres in camera axes: x right, y down, z forward.
            rgb: uint8 (N, 3) colours of the points, or None when the map holds no image.

        Raises:
            ValueError: the map has no camera.
        """
        xyz_m = self.xyz_grid_m()[self.valid]
        return xyz_m, None if self.image is None else self.image[self.valid]

    def xyz_grid_m(self, rows: slice = slice(None), columns: slice = slice(None)) -> NDArray[np.float32]:
        """Camera coordinates (x right, y down, z forward) of the chosen pixels.

        Returns:
            float32 (H', W', 3) metres; (0, 0, 0) where the depth is not valid.

        Raises:
            ValueError: the map has no camera.
        """
        if self.camera is None:
            raise ValueError("points need a camera: set depth.camera, e.g. Camera.from_fov(w, h, 60)")
        z = self.depth_m[rows, columns]
        x_over_z = (np.arange(self.width, dtype=np.float32)[columns] + 0.5 - self.camera.cx) / self.camera.fx
        y_over_z = (np.arange(self.height, dtype=np.float32)[rows] + 0.5 - self.camera.cy) / self.camera.fy
        xyz_m = np.empty((*z.shape, 3), np.float32)
        np.multiply(z, x_over_z[None, :], out=xyz_m[..., 0], casting="same_kind")
        np.multiply(z, y_over_z[:, None], out=xyz_m[..., 1], casting="same_kind")
        xyz_m[..., 2] = z
        return xyz_m

    def normals(self) -> NDArray[np.float32]:
        """Unit normals of the surfaces, towards the camera, in its axes: see `densedepth.io.surface.normals`.

        Returns:
            float32 (H, W, 3); (0, 0, 0) where the depth is not valid.

        Raises:
            DepthFileError: the map has no camera.
        """
        from densedepth.io.surface import normals

        return normals(self)

    def without_flying_pixels(self, grazing_deg: float = 5.0) -> DepthMap:
        """The map less the pixels between two surfaces: see `densedepth.io.surface.flying_pixels`.

        Args:
            grazing_deg: degrees; more takes away more, 0 nothing.

        Raises:
            DepthFileError: the map has no camera.
        """
        from densedepth.io.surface import without_flying_pixels

        return without_flying_pixels(self, grazing_deg)

    def mesh(self, *, grazing_deg: float = 5.0, step: int | None = None) -> Mesh:
        """The visible surfaces as triangles in camera axes: see `densedepth.io.mesh.make_mesh`.

        Args:
            grazing_deg: how eagerly the mesh is cut at depth edges, in degrees; 0 is the default.
            step: every step-th row and column; None takes the smallest that gives at most 500,000 vertices.

        Raises:
            DepthFileError: the map has no camera, or no surface.
            ValueError: `step` is not positive.
        """
        from densedepth.io.mesh import make_mesh

        return make_mesh(self, grazing_deg=grazing_deg, step=step)

    def save(self, path: str | PathLike[str], *, overwrite: bool = True) -> Path:
        """Write the map in the format its suffix names: see `densedepth.io.save_depth`.

        Args:
            path: where to; missing folders are made.
            overwrite: replace a file that exists.

        Returns:
            The path written.

        Raises:
            DepthFileError: unknown suffix, the depth does not fit the format, or the file cannot be written.
        """
        from densedepth.io import save_depth

        return save_depth(self, path, overwrite=overwrite)

    def colorize(self, min_m: float | None = None, max_m: float | None = None, cmap: str | None = None) -> Image:
        """The depth as an RGB picture: see `densedepth.io.colorize`.

        Args:
            min_m: depth that gets the first colour (near), in metres; None takes the nearest of the map.
            max_m: depth that gets the last colour (far), in metres; None takes the farthest of the map.
            cmap: name of any map of the `cmap` package; None is reversed turbo: near is red, far is blue.

        Raises:
            ValueError: `cmap` names no colour map.
        """
        from densedepth.io import colorize

        return colorize(self, min_m, max_m, cmap)


def _check_array(name: str, array: object, dtype: type[np.generic], shape: tuple[int | None, ...]) -> None:
    """Raise a ValueError that says what was expected; None in `shape` stands for any positive number."""
    wanted = f"{name} must be a {dtype.__name__} array of shape {tuple(side or 'any' for side in shape)}"
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{wanted}, got {type(array).__name__}")
    fits = array.ndim == len(shape) and array.size > 0
    fits = fits and all(want in (None, have) for want, have in zip(shape, array.shape, strict=True))
    if not fits or array.dtype != dtype:
        raise ValueError(f"{wanted}, got {array.dtype} {array.shape}")
