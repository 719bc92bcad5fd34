"""Depth of a camera, as it comes: what is shown is always the newest frame."""

from __future__ import annotations

import threading
from collections.abc import Generator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from densedepth.runtime.estimator import DepthEstimator
from densedepth.runtime.video.channel import Channel
from densedepth.runtime.video.clip import ClipEstimator
from densedepth.runtime.video.convert import ClipOptions
from densedepth.runtime.video.opening import VideoError, open_camera, open_video
from densedepth.runtime.video.picture import Painter
from densedepth.runtime.video.reading import VideoFrame, VideoReader


def live_pictures(
    device: str, estimator: DepthEstimator, options: ClipOptions | None = None
) -> Generator[NDArray[np.uint8], None, None]:
    """Pictures of a camera and its depth, drawn as by `convert_video`.

    Frames that come while another is predicted are dropped, so that the picture does not fall behind. A file in place
    of a camera is played frame by frame, with none dropped.

    Args:
        device: number or name of a camera, or the path of a video.
        estimator: what predicts.
        options: see there; without `range_m` the colours span the range of the model.

    Returns:
        uint8 (H, W, 3) RGB pictures, until the source ends or the caller closes the generator.

    Raises:
        VideoError: no such camera, or it stopped.
    """
    options = options or ClipOptions()
    is_file = Path(device).is_file()
    container = open_video(Path(device)) if is_file else open_camera(device)
    reader = VideoReader(container, device, limit=options.limit, every=options.every)
    frames = ClipEstimator(
        estimator, reader.width, reader.height, options.camera(reader.width, reader.height), options.smoothing
    )
    painter = Painter(reader.width, reader.height, options.layout, options.range_m or frames.range_m)
    newest = Channel[VideoFrame](1)

    def reading() -> None:
        try:
            for item in reader:
                if isinstance(item, VideoFrame) and not (newest.put(item) if is_file else newest.replace(item)):
                    return
        finally:
            newest.close()

    thread = threading.Thread(target=reading, name="reading", daemon=True)
    thread.start()
    try:
        for frame in newest:
            yield painter(frame.image, frames.enlarged(frames.predict(frame.image)))
    finally:
        newest.close()
        thread.join(timeout=5)
        if not thread.is_alive():  # a camera that hangs keeps its container; closing it under the thread would crash
            reader.close()
    if reader.problem:
        raise VideoError(f"{device}: {reader.problem}; check the camera and start again")
