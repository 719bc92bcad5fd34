"""From any photo to the camera the network was trained for, and back.

A network of one eye learns how large things look through one focal length. Photos are therefore brought to
the diagonal of the training image, with their own aspect ratio. When a photo's focal length in those working
pixels is k times the training camera's, everything looks k times as large as at training, so its depth is k
times the network's answer.
"""

from __future__ import annotations

import math

from densedepth.errors import ImageError
from densedepth.runtime.card import InputCamera
from densedepth.runtime.network import MIN_SIDE
from densedepth.types import Camera


def working_size(width: int, height: int, trained: InputCamera) -> tuple[int, int]:
    """(width, height) in pixels at which the network sees a photo of `width` x `height`.

    Same diagonal as the training image and the photo's aspect ratio; a side that would come out under 32
    pixels, from about 12:1 on, is stretched to 32.
    """
    scale = trained.diagonal_px / math.hypot(width, height)
    return max(MIN_SIDE, round(width * scale)), max(MIN_SIDE, round(height * scale))


def depth_scale(camera: Camera, trained: InputCamera) -> float:
    """Factor from the network's metres to metres for a photo taken by `camera`."""
    return camera.resized(*working_size(camera.width, camera.height, trained)).focal_px / trained.focal_px


def assumed_camera(width: int, height: int, trained: InputCamera) -> Camera:
    """The training camera's 35mm-equivalent focal length, for a photo of this size."""
    return Camera.from_focal_35mm(width, height, trained.focal_35mm)


def camera_for(camera: Camera, width: int, height: int) -> Camera:
    """A given camera in the pixels of a photo of `width` x `height`.

    Raises:
        ImageError: the camera is for another aspect ratio; one pixel, or 1 %, is taken for rounding.
    """
    expected_height = camera.height * width / camera.width
    if abs(expected_height - height) > max(1.0, 0.01 * height):
        raise ImageError(
            f"the camera is for {camera.width} x {camera.height} pixels, the photo has {width} x {height}: "
            "the aspect ratios differ; give the camera of this photo, after its EXIF turn"
        )
    return camera.resized(width, height)
