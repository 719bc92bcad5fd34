"""Windows of a frame: one geometry for the photo and its depth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from densedepth.data.base import Frame

Fit = Literal["crop", "stretch"]

#: From a pixel's centre to those of its quarters, in pixels.
QUARTERS = ((-0.25, -0.25), (0.25, -0.25), (-0.25, 0.25), (0.25, 0.25))


@dataclass(frozen=True)
class Pair:
    """A frame brought to the network's sizes.

    Attributes:
        image: uint8 (H, W, 3).
        depth_m: float32 (H/2, W/2), for the training camera; 0 where invalid.
        valid: bool (H/2, W/2).
    """

    image: np.ndarray
    depth_m: np.ndarray
    valid: np.ndarray


def window_pixel(width: int, height: int, size: tuple[int, int], fit: Fit = "crop") -> tuple[float, float]:
    """Width and height, in frame pixels, of one pixel of the network's input of ``size`` (h, w).

    "crop" fills it with the largest window of its aspect ratio, so that pixels stay square; "stretch" with the whole
    frame.
    """
    x, y = width / size[1], height / size[0]
    return (x, y) if fit == "stretch" else (min(x, y), min(x, y))


@dataclass(frozen=True)
class View:
    """How the network looks at a frame of any size. The default is the largest window, as it is.

    Attributes:
        zoom: at least 1. A window of 1/zoom, enlarged, looks as a camera with zoom times the focal length sees it.
        place: (x, y) of the window in the room that is left, 0..1 each.
        angle: camera roll in radians.
        mirror: left and right exchanged.
    """

    zoom: float = 1.0
    place: tuple[float, float] = (0.5, 0.5)
    angle: float = 0.0
    mirror: bool = False

    def at_least(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of a frame that has a pixel for each one of the network's input of ``size`` (h, w).

        Two both ways for a turned view, whose pixels are picked; see :meth:`Window.photo`.
        """
        finer = self.zoom * (2 if self.angle else 1)
        return math.ceil(size[0] * finer), math.ceil(size[1] * finer)

    def pair(self, frame: Frame, size: tuple[int, int], *, focal_px: float | None, fit: Fit = "crop") -> Pair:
        """Photo at ``size`` (h, w) and depth at half of it.

        Depth is scaled from the view's focal length, the frame's times the zoom, to ``focal_px``, the training
        camera's at ``size``. The principal point, which the mirror moves, has no part in it: depth is measured along
        the axis. None, or a frame without camera, leaves depth unscaled.
        """
        height, width = frame.depth_m.shape
        pixel_x, pixel_y = (side / self.zoom for side in window_pixel(width, height, size, fit))
        room_x, room_y = width - size[1] * pixel_x, height - size[0] * pixel_y
        centre_x, centre_y = (
            (width - room_x) / 2 + self.place[0] * room_x,
            (height - room_y) / 2 + self.place[1] * room_y,
        )
        window = Window(centre_x, centre_y, pixel_x, pixel_y, self.angle, self.mirror)
        depth_m = window.depth(frame, (size[0] // 2, size[1] // 2))
        if focal_px is not None and frame.camera is not None:
            view_focal_px = (frame.camera.fx / pixel_x + frame.camera.fy / pixel_y) / 2
            depth_m *= np.float32(focal_px / view_focal_px)
        elif focal_px is not None:
            depth_m /= np.float32(self.zoom)
        return Pair(window.photo(frame.image, size), depth_m, depth_m > 0)


@dataclass(frozen=True)
class Window:
    """A part of one frame: its centre and the size of the result's pixels, in pixels of the frame."""

    centre_x: float
    centre_y: float
    pixel_x: float
    pixel_y: float
    angle: float
    mirror: bool

    def source(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Places in the frame of places in the result, which are counted in its pixels from its centre."""
        x, y = x * (-self.pixel_x if self.mirror else self.pixel_x), y * self.pixel_y
        if not self.angle:  # a row of x and a column of y stay that
            return self.centre_x + x, self.centre_y + y
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        return self.centre_x + cos * x - sin * y, self.centre_y + sin * x + cos * y

    def photo(self, image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Anti-aliased. What lies outside the frame is its mirror image."""
        if self.angle:
            return self._turned(image, size)
        height, width = image.shape[:2]
        reach_x, reach_y = size[1] * self.pixel_x / 2, size[0] * self.pixel_y / 2
        left, top = max(0.0, self.centre_x - reach_x), max(0.0, self.centre_y - reach_y)
        right, bottom = min(width, self.centre_x + reach_x), min(height, self.centre_y + reach_y)
        if not self.mirror and size == (height, width) and (left, top, right, bottom) == (0, 0, width, height):
            return image.copy()  # read at the right size; Pillow gives the same by four copies
        picture = Image.fromarray(image)
        # Hamming is as sharp as bicubic at the price of bilinear; no window moves by whole pixels alone, as with box.
        cut = picture.resize((size[1], size[0]), Image.Resampling.HAMMING, (left, top, right, bottom))
        return np.array(cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if self.mirror else cut)

    def _turned(self, image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Each pixel is the mean of a grid of picked ones: half the time of shrinking and interpolating, and as good.

        A frame that has too few pixels for that is interpolated.
        """
        corners_x, corners_y = self.source(
            np.array([-1, 1, 1, -1]) * size[1] / 2, np.array([-1, -1, 1, 1]) * size[0] / 2
        )
        left, right = math.floor(corners_x.min()), math.ceil(corners_x.max())
        top, bottom = math.floor(corners_y.min()), math.ceil(corners_y.max())
        height, width = image.shape[:2]
        reached = image[max(0, top) : bottom, max(0, left) : right]
        beyond = ((max(0, -top), max(0, bottom - height)), (max(0, -left), max(0, right - width)), (0, 0))
        picture = Image.fromarray(np.pad(reached, beyond, mode="symmetric"))
        grid_x, grid_y = max(1, round(self.pixel_x)), max(1, round(self.pixel_y))
        resampling = Image.Resampling.NEAREST if min(grid_x, grid_y) > 1 else Image.Resampling.BILINEAR
        # Pillow's affine takes a place in the result, counted from its corner, to one in the source.
        (x0, x1, x2), (y0, y1, y2) = self.source(
            np.array([0, 1 / grid_x, 0]) - size[1] / 2, np.array([0, 0, 1 / grid_y]) - size[0] / 2
        )
        matrix = (x1 - x0, x2 - x0, x0 - left, y1 - y0, y2 - y0, y0 - top)
        fine = picture.transform((size[1] * grid_x, size[0] * grid_y), Image.Transform.AFFINE, matrix, resampling)
        return np.array(fine.reduce((grid_x, grid_y)))

    def depth(self, frame: Frame, half: tuple[int, int]) -> np.ndarray:
        """Depth at ``half`` the photo's size, picked and never mixed: no value that was not measured.

        Each pixel takes the depth at its centre. Where that is a hole it takes a valid one from the centres of its
        quarters, so that sparse depth (lidar) is not thinned out when it shrinks. A median of the pixel would alias
        less, but it moves thin things away from where the photo shows them, and reads all pixels of the frame.

        Returns:
            float32 ``half``; 0 where none of these places has a depth, or where they lie outside the frame.
        """
        x, y = (np.arange(side) + 0.5 - side / 2 for side in (half[1], half[0]))
        depth_m = self._depth_at(frame, x[None, :], y[:, None])
        holes = np.flatnonzero(depth_m == 0)
        rows, columns = np.divmod(holes, half[1])
        x, y = x[columns], y[rows]
        for step_x, step_y in QUARTERS:
            if not len(holes):
                break
            found = self._depth_at(frame, x + step_x, y + step_y)
            depth_m.reshape(-1)[holes] = found
            left = found == 0
            holes, x, y = holes[left], x[left], y[left]
        return depth_m

    def _depth_at(self, frame: Frame, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        height, width = frame.depth_m.shape
        # A pixel of depth is two of the photo, both ways.
        source_x, source_y = self.source(2 * x, 2 * y)
        columns, rows = np.floor(source_x).astype(np.intp), np.floor(source_y).astype(np.intp)
        near_columns, near_rows = columns.clip(0, width - 1), rows.clip(0, height - 1)
        inside = (columns == near_columns) & (rows == near_rows)
        place = near_rows * width + near_columns
        return np.where(inside & frame.valid.take(place), frame.depth_m.take(place), np.float32(0))
