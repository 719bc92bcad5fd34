"""From a video to the video of its depth."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from densedepth.io import metadata
from densedepth.io.write import replacing
from densedepth.runtime.estimator import DepthEstimator
from densedepth.runtime.video.channel import in_a_row
from densedepth.runtime.video.clip import ClipEstimator, color_range
from densedepth.runtime.video.depth_video import DepthVideoWriter
from densedepth.runtime.video.opening import VideoError, open_video
from densedepth.runtime.video.picture import Layout, Painter
from densedepth.runtime.video.reading import VideoFrame, VideoReader
from densedepth.runtime.video.writing import VideoWriter
from densedepth.types import Camera, DepthMap


@dataclass(frozen=True)
class ClipOptions:
    """How to treat a clip.

    Attributes:
        layout: "side-by-side", "overlay" or "depth".
        range_m: (near, far) metres of the colours; None looks at some frames first.
        smoothing: weight of the past where nothing moves, 0 to 1.
        limit: at most this many frames.
        every: only each n-th frame.
        camera: from (width, height) of the upright frame to its camera, or to None where it is not known.
    """

    layout: Layout = "side-by-side"
    range_m: tuple[float, float] | None = None
    smoothing: float = 0.8
    limit: int | None = None
    every: int = 1
    camera: Callable[[int, int], Camera | None] = lambda width, height: None


@dataclass
class Converted:
    """What became of a clip.

    Attributes:
        frames: how many were written.
        seconds: how long it took, choosing the range of colours included.
        range_m: (near, far) metres of the colours.
        assumed_35mm: the focal length that was assumed, in 35mm terms, where the camera was not known.
        remarks: what is not as in the original, one line each.
        problem: why the end or some parts of the original are missing, or None.
        interrupted: whether it was stopped before the end.
    """

    range_m: tuple[float, float]
    assumed_35mm: float | None = None
    frames: int = 0
    seconds: float = 0.0
    remarks: list[str] = field(default_factory=list)
    problem: str | None = None
    interrupted: bool = False


def convert_video(
    source: Path,
    out: Path,
    estimator: DepthEstimator,
    options: ClipOptions | None = None,
    *,
    depth_out: Path | None = None,
    stopped: Callable[[], bool] = lambda: False,
    progress: Callable[[int, int | None], object] = lambda done, total: None,
) -> Converted:
    """Write the depth of a video as a video, at any length in constant memory.

    Args:
        source: the video.
        out: .mp4, .m4v, .mov or .mkv; it appears when it is complete.
        estimator: what predicts.
        options: see there.
        depth_out: .mkv for the depth itself, see `read_depth_video`.
        stopped: asked before each frame; when it says yes, the files are finished as far as they are.
        progress: called after each frame with the number done and the number to come, where it is known.

    Raises:
        VideoError: the source is no video, or a file cannot be written; nothing is left then.
    """
    options = options or ClipOptions()
    started_s = time.perf_counter()
    reader = VideoReader(open_video(source), str(source), limit=options.limit, every=options.every)
    try:
        camera = options.camera(reader.width, reader.height)
        frames = ClipEstimator(estimator, reader.width, reader.height, camera, options.smoothing)
        until_s = None if options.limit is None else float(options.limit * options.every / reader.rate)
        result = Converted(options.range_m or color_range(source, frames, until_s))
        result.assumed_35mm = frames.camera.focal_35mm if frames.camera_source == "assumed" else None
        _convert(reader, frames, options.layout, out, depth_out, result, stopped, progress)
    finally:
        reader.close()
    result.problem = _problem(reader)
    result.seconds = time.perf_counter() - started_s
    return result


def _convert(
    reader: VideoReader,
    frames: ClipEstimator,
    layout: Layout,
    out: Path,
    depth_out: Path | None,
    result: Converted,
    stopped: Callable[[], bool],
    progress: Callable[[int, int | None], object],
) -> None:
    """The three threads, and the files around them."""
    painter = Painter(reader.width, reader.height, layout, result.range_m)
    total = reader.frames

    def work(item: Any) -> Any:
        """A frame becomes (frame, depth); sound goes by."""
        return (item, frames.predict(item.image)) if isinstance(item, VideoFrame) else item

    def write(item: Any) -> None:
        if not isinstance(item, tuple):
            video.write_sound(item)
            return
        frame, small_m = item
        depth_m = frames.enlarged(small_m)
        video.write(painter(frame.image, depth_m), frame.pts, frame.duration)
        if depths is not None:
            depths.write(depth_m, frame.pts)
        result.frames += 1
        progress(result.frames, total)

    def stopping() -> bool:
        result.interrupted = result.interrupted or stopped()
        return result.interrupted

    rate = reader.rate / reader.every
    depths = None
    with ExitStack() as files:
        if depth_out is not None:
            place = files.enter_context(_replacing(depth_out))
            origin = _origin(frames, reader)
            depths = DepthVideoWriter(place, reader.width, reader.height, reader.time_base, rate, origin)
            files.callback(depths.container.close)
        place = files.enter_context(_replacing(out))
        video = VideoWriter(place, painter.width, painter.height, reader.time_base, rate, reader.sound)
        files.callback(video.container.close)
        in_a_row(reader, work, write, stopping)
        if result.frames == 0:
            raise VideoError(f"{reader.label}: stopped before the first frame was written")
        if depths is not None:
            depths.close()
        video.close()
    result.remarks = _remarks(reader, painter, video, depths)


@contextmanager
def _replacing(out: Path) -> Iterator[Path]:
    """As `densedepth.io.replacing`; what goes wrong inside is said of the file."""
    try:
        with replacing(out) as place:
            yield place
    except (av.FFmpegError, OSError) as cause:
        raise VideoError(f"{out}: cannot be written ({cause.strerror or cause})") from cause


def _origin(frames: ClipEstimator, reader: VideoReader) -> dict[str, str]:
    blank: NDArray[np.float32] = np.zeros((reader.height, reader.width), np.float32)
    return metadata.to_text(
        DepthMap(blank, camera=frames.camera, camera_source=frames.camera_source, model=frames.estimator.card.name)
    )


def _remarks(reader: VideoReader, painter: Painter, video: VideoWriter, depths: DepthVideoWriter | None) -> list[str]:
    remarks = list(video.remarks)
    if painter.padded:
        remarks.append(f"width {painter.width - 1} is odd, which H.264 cannot: the last column is there twice")
    if reader.left_out:
        kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(reader.left_out.items()))
        remarks.append(f"streams left out: {kinds}")
    if video.lost_sound:
        remarks.append(f"{video.lost_sound} packets of sound are damaged or out of order and left out")
    if depths is not None and depths.too_far:
        remarks.append(f"{depths.too_far} frames hold depth beyond 65.535 m, written as 0 (none) in the depth video")
    return remarks


def _problem(reader: VideoReader) -> str | None:
    parts = [reader.problem] if reader.problem else []
    if reader.damaged:
        parts.append(f"{reader.damaged} damaged packets")
    if reader.untimely:
        parts.append(f"{reader.untimely} frames without a time of their own")
    return "; ".join(parts) or None
