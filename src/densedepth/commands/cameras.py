"""The camera options that predict, video and webcam share."""

from __future__ import annotations

from densedepth.commands import UsageError
from densedepth.io import CameraChoice

NO_NUMBERS: list[float] = []


def camera_choice(
    camera: str | None,
    fov: float | None,
    focal_35mm: float | None,
    focal_px: float | None,
    intrinsics: list[float],
) -> CameraChoice:
    """What the options say about the camera, checked. Raises UsageError."""
    try:
        return CameraChoice(camera, fov, focal_35mm, focal_px, tuple(intrinsics))
    except ValueError as cause:
        raise UsageError(str(cause)) from cause
