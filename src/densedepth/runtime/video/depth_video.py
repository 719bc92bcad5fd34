"""Raw depth of every frame, losslessly: FFV1 in Matroska, 16-bit millimetres, 0 = none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from densedepth.io import metadata
from densedepth.io.units import MAX_MM, METRES_PER_MM, metres, millimetres
from densedepth.runtime.video.opening import VideoError, open_video
from densedepth.runtime.video.writing import opened_for_writing
from densedepth.types import DepthMap

UNIT_KEY, UNIT = "DEPTH_UNIT", "millimetre"
ORIGIN_KEY = "DENSEDEPTH"
"""Tags of the file: the unit for people and other programs; model and camera as JSON."""


class DepthFrame(NamedTuple):
    """Depth at one time: seconds from the start, and the map with the camera and model of the file."""

    time_s: Fraction
    depth: DepthMap


class DepthVideoWriter:
    """Writes depth maps of one size. Times are rounded to the millisecond, which is Matroska's tick.

    Attributes:
        too_far: how many frames had depth beyond 65.535 m, which became 0 (none).
    """

    def __init__(
        self, path: Path, width: int, height: int, time_base: Fraction, rate: Fraction, origin: dict[str, str]
    ) -> None:
        """Open the file; `origin` is what `densedepth.io.metadata.to_text` says. Raises VideoError."""
        self.too_far = 0
        self._time_base = time_base
        self.container = opened_for_writing(path, {})
        self.container.metadata.update({UNIT_KEY: UNIT, ORIGIN_KEY: json.dumps(origin)})
        self._stream = self.container.add_stream(
            "ffv1", rate=rate, width=width, height=height, time_base=time_base, options={"level": "3", "slicecrc": "1"}
        )
        self._stream.pix_fmt = "gray16le"

    def write(self, depth_m: NDArray[np.float32], pts: int) -> None:
        """Add a map, float32 (height, width) metres, at `pts` ticks, rounded to the nearest millimetre."""
        depth_mm = millimetres(depth_m)
        if depth_mm.max() > MAX_MM:
            self.too_far += 1
            depth_mm[depth_mm > MAX_MM] = 0
        frame = av.VideoFrame.from_ndarray(depth_mm.astype(np.uint16), format="gray16le")
        frame.pts, frame.time_base = pts, self._time_base
        self.container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Finish the file."""
        self.container.mux(self._stream.encode(None))
        self.container.close()


def read_depth_video(path: Path | str) -> Iterator[DepthFrame]:
    """The depth maps of a file that `densedepth video --depth-out` wrote, one at a time.

    Args:
        path: the .mkv file.

    Returns:
        An iterator, which opens the file when it is first asked. Frame i belongs to frame i of the picture; each value
        is what was written, in whole millimetres.

    Raises:
        VideoError: no such file, not a depth video of ours, or damaged on the way. Raised while iterating.
    """
    path = Path(path)
    container = open_video(path)
    try:
        yield from _frames(container, path)
    finally:
        container.close()


def _frames(container: Any, path: Path) -> Iterator[DepthFrame]:
    videos = container.streams.video
    if container.metadata.get(UNIT_KEY) != UNIT or not videos or videos[0].pix_fmt != "gray16le":
        raise VideoError(
            f"{path}: not a depth video: no 16-bit grey with {UNIT_KEY} = {UNIT}; make one with --depth-out"
        )
    try:
        origin = metadata.from_text(json.loads(container.metadata.get(ORIGIN_KEY, "{}")))
    except (ValueError, TypeError, AttributeError, RecursionError) as cause:
        raise VideoError(f"{path}: its tag {ORIGIN_KEY} is damaged ({cause}); get a whole copy") from cause
    try:
        for frame in container.decode(videos[0]):
            depth = DepthMap(metres(frame.to_ndarray(), METRES_PER_MM), **origin)
            yield DepthFrame(frame.pts * Fraction(frame.time_base), depth)
    except (av.FFmpegError, ValueError, TypeError) as cause:  # also a camera of another size, a frame without a time
        why = getattr(cause, "strerror", None) or cause
        raise VideoError(f"{path}: damaged ({why}); get a whole copy") from cause
