"""Depth for the frames of one clip: one camera, one filter over time, one range of colours."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from densedepth.runtime.estimator import DepthEstimator
from densedepth.runtime.geometry import assumed_camera, depth_scale, working_size
from densedepth.runtime.upsampling import enlarged, shrunk
from densedepth.runtime.video.opening import open_video
from densedepth.runtime.video.reading import moving_stream, upright_rgb
from densedepth.runtime.video.smoothing import TemporalFilter
from densedepth.types import Camera

SAMPLES = 8
"""Frames that are looked at first to choose the range of colours."""

_PERCENTILES = 1, 99
_STEP_M = 0.1


class ClipEstimator:
    """Predicts frames of one size, at the resolution that the network sees: the rest is enlarging.

    Attributes:
        width, height: of a full frame, in pixels.
        camera: of a full frame.
        camera_source: "given" or "assumed".
        filter: the filter over time.
    """

    def __init__(
        self, estimator: DepthEstimator, width: int, height: int, camera: Camera | None = None, smoothing: float = 0.0
    ) -> None:
        """`camera` is that of a frame of `width` x `height`; None assumes the training camera's, as for a photo."""
        trained = estimator.card.input
        self.estimator = estimator
        self.width, self.height = width, height
        self.camera_source = "assumed" if camera is None else "given"
        self.camera = camera or assumed_camera(width, height, trained)
        self.filter = TemporalFilter(smoothing)
        self._size = working_size(width, height, trained)
        self._small_camera = None if camera is None else camera.resized(*self._size)

    @property
    def range_m(self) -> tuple[float, float]:
        """(nearest, farthest) metres that the model can say for this camera."""
        near_m, far_m = self.estimator.card.depth_range_m
        given = self.camera_source == "given"
        scale = depth_scale(self.camera, self.estimator.card.input) if given else 1.0
        return near_m * scale, far_m * scale

    def predict(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Depth of the next frame, uint8 (height, width, 3) RGB: float32 metres, small, after the filter."""
        small, depth_m = self._predicted(image)
        return self.filter(small, depth_m)

    def alone(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Depth of a frame by itself, small."""
        return self._predicted(image)[1]

    def enlarged(self, depth_m: NDArray[np.float32]) -> NDArray[np.float32]:
        """A small map at the size of the frame, float32 (height, width)."""
        return enlarged(depth_m, (self.width, self.height))

    def _predicted(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        # The same resizing as for a photo, done here so that the filter sees what the network sees.
        small = shrunk(image, self._size, Image.Resampling.BICUBIC)
        return small, self.estimator.predict(small, camera=self._small_camera).depth_m


def color_range(path: Path, frames: ClipEstimator, until_s: float | None = None) -> tuple[float, float]:
    """(near, far) in metres that suit the colours of a whole clip: the 1st and 99th percentile of some of its frames.

    The same file always gives the same range. Frames that cannot be reached or decoded are left out; without any, the
    range is that of the model.

    Args:
        path: the clip.
        frames: what predicts them.
        until_s: only look at what comes before this time.
    """
    depths_m = [frames.alone(image) for image in _samples(path, until_s)]
    if not depths_m:
        return frames.range_m
    near_m, far_m = np.percentile(np.concatenate([depth_m.ravel() for depth_m in depths_m]), _PERCENTILES)
    near_m, far_m = math.floor(near_m / _STEP_M) * _STEP_M, math.ceil(far_m / _STEP_M) * _STEP_M
    return round(near_m, 1), round(max(far_m, near_m + _STEP_M), 1)


def _samples(path: Path, until_s: float | None) -> Iterator[NDArray[np.uint8]]:
    """Frames at evenly spaced times."""
    container = open_video(path)
    try:
        stream = moving_stream(container, str(path))
        if not container.duration:
            return
        length_s = container.duration / av.time_base
        length_s = length_s if until_s is None else min(length_s, until_s)
        start_s = max(container.start_time or 0, 0) / av.time_base
        for number in range(SAMPLES):
            frame = _frame_at(container, stream, start_s + (number + 0.5) / SAMPLES * length_s)
            if frame is not None:
                yield frame
    finally:
        container.close()


def _frame_at(container: Any, stream: Any, time_s: float) -> NDArray[np.uint8] | None:
    """The first frame at or after a time, upright, or None."""
    try:
        container.seek(int(time_s * av.time_base))
        for frame in container.decode(stream):
            if frame.time is None or frame.time >= time_s:
                return upright_rgb(frame, stream.sample_aspect_ratio)
    except av.FFmpegError:
        pass
    return None
