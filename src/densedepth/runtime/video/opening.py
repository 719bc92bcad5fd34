"""Opening a video file or a camera, with one line about what is wrong with it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import av

from densedepth.errors import DenseDepthError

CAMERA_FORMATS = {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"}
"""What FFmpeg calls the cameras of a platform (`sys.platform`)."""


class VideoError(DenseDepthError):
    """A file that should be a video cannot be read as one, or a video cannot be written."""


def open_video(path: Path) -> Any:
    """Open a file as an `av` container.

    Raises:
        VideoError: missing, a folder, empty, not a video, or a picture. One line naming the file.
    """
    if path.is_dir():
        raise VideoError(f"{path}: a folder, not a file; name a video in it")
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise VideoError(f"{path}: the file is empty; copy it again from where it came")
    except FileNotFoundError as cause:
        raise VideoError(f"{path}: no such file; check the name") from cause
    except (OSError, ValueError) as cause:
        why = getattr(cause, "strerror", None) or cause
        raise VideoError(f"{path}: cannot be opened ({why}); check its permissions") from cause
    try:
        # A playlist inside an untrusted file may name hosts: nothing is fetched from a network. The absolute path
        # keeps FFmpeg from taking "a:b.mp4" for a protocol.
        container = av.open(
            str(path.absolute()),
            container_options={"protocol_whitelist": "file"},
            metadata_errors="replace",  # titles in old encodings
        )
    except (av.FFmpegError, OSError, ValueError) as cause:
        why = getattr(cause, "strerror", None) or cause
        raise VideoError(f"{path}: not a video we can read, or cut short ({why}); give an MP4, MOV or MKV") from cause
    name = container.format.name
    if name.endswith("_pipe") or name in ("image2", "tty"):
        container.close()
        what = "text" if name == "tty" else "a picture"
        raise VideoError(f"{path}: {what}, not a video; for photos there is densedepth predict")
    return container


def open_camera(device: str) -> Any:
    """Open a camera by its number, or by its name on this platform.

    Raises:
        VideoError: no such camera, in use by another program, or a platform that we know no cameras of.
    """
    kind = CAMERA_FORMATS.get(sys.platform)
    if kind is None:
        raise VideoError(f"cameras of {sys.platform} are not known; give a video file as --source")
    name = device
    if device.isdecimal() and kind == "v4l2":
        name = f"/dev/video{device}"
    elif kind == "dshow":
        name = f"video={_dshow_name(device)}"
    try:
        return av.open(name, format=kind)
    except (av.FFmpegError, OSError, ValueError) as cause:
        why = getattr(cause, "strerror", None) or cause
        raise VideoError(
            f"camera {device} ({name}): cannot be opened ({why}); plug it in, close other programs that use it, "
            "or name another with --source"
        ) from cause


def _dshow_name(device: str) -> str:
    """Windows knows cameras by name only; the n-th of its list for a number."""
    if not device.isdecimal():
        return device
    names = [info.name for info in av.enumerate_input_devices("dshow") if "video" in info.media_types]
    if int(device) >= len(names):
        raise VideoError(
            f"camera {device}: there are {len(names)} ({', '.join(names) or 'none'}); give --source 0 or a name"
        )
    return names[int(device)]
