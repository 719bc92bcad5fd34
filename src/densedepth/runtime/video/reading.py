"""Reading a video: upright RGB frames with their exact times, and the sound as it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import Type as SideDataType
from av.stream import Disposition
from numpy.typing import NDArray

from densedepth.runtime.video.opening import VideoError

ASSUMED_RATE = Fraction(25)
"""Images per second where a file does not say: only used for frames without a time of their own."""

MAX_PIXELS = 100_000_000
"""Of one frame: three times as many as 8K has. A damaged header may say any number."""

_HD_HEIGHT = 720
_UNSPECIFIED_COLORSPACE = 2
_SLACK_S = 0.5


@dataclass(frozen=True)
class VideoFrame:
    """One frame as it should be seen.

    Attributes:
        image: uint8 (H, W, 3) RGB, contiguous, upright, square pixels.
        pts: its time in ticks of the reader's `time_base`.
        duration: how long it is shown, in the same ticks.
    """

    image: NDArray[np.uint8]
    pts: int
    duration: int


class VideoReader:
    """The frames of a video and the packets of its sound, in the order of the file, with one frame decoded at a time.

    Turned phone videos are turned, and pixels that are not square are made so. Times are shifted, all by the same
    amount, so that a file that begins late (a recording of a broadcast) begins at zero.

    Attributes:
        width, height: of the frames that come out, in pixels.
        rate: images per second as the file says, exact; it may vary from frame to frame, `VideoFrame.pts` does not lie.
        time_base: seconds per tick.
        sound: the audio streams.
        left_out: kinds of streams that are not read ("subtitle", "data", ...) and their number.
        damaged: packets that could not be decoded so far.
        untimely: frames so far whose time was not after that of the frame before; they got the next tick.
        problem: what ended the reading before the end of the video, or None.
    """

    def __init__(self, container: Any, label: str, *, limit: int | None = None, every: int = 1) -> None:
        """Decode up to the first frame.

        Args:
            container: from `open_video` or `open_camera`; closed by `close`.
            label: what messages call it.
            limit: stop after this many frames.
            every: give only each n-th frame.

        Raises:
            VideoError: no video in it, or no frame that can be decoded.
        """
        self.container, self.label = container, label
        self.limit, self.every = limit, every
        self._stream = moving_stream(container, label)
        # Without a context FFmpeg does not know the kind, and could neither copy nor decode it.
        self.sound = [stream for stream in container.streams.audio if stream.codec_context is not None]
        others = [stream.type for stream in container.streams if stream not in (self._stream, *self.sound)]
        self.left_out = dict(Counter(others))
        self.time_base = Fraction(self._stream.time_base)
        self.rate = Fraction(self._stream.guessed_rate or self._stream.average_rate or ASSUMED_RATE)
        self.damaged = self.untimely = 0
        self.problem: str | None = None
        self._start_s = max(Fraction(container.start_time or 0, av.time_base), Fraction(0))
        self._read_until_s = Fraction(0)
        self._items = self._read()
        self._pending: list[VideoFrame | Any] = []
        for item in self._items:
            self._pending.append(item)
            if isinstance(item, VideoFrame):
                self.height, self.width = item.image.shape[:2]
                return
        why = self.problem or "it holds no frame"
        raise VideoError(f"{label}: no frame can be decoded ({why}); give a whole video")

    @property
    def duration_s(self) -> float | None:
        """Length of the file in seconds, where it says."""
        return self.container.duration / av.time_base if self.container.duration else None

    @property
    def frames(self) -> int | None:
        """How many frames will come, by the header; None where the file does not say."""
        known = self._stream.frames or (round(self.duration_s * self.rate) if self.duration_s else None)
        if known is None:
            return self.limit
        given = -(-known // self.every)
        return given if self.limit is None else min(given, self.limit)

    def __iter__(self) -> Iterator[VideoFrame | Any]:
        """`VideoFrame`s, and `av.Packet`s of the sound."""
        while self._pending:
            yield self._pending.pop(0)
        yield from self._items

    def close(self) -> None:
        """Close the container."""
        self.container.close()

    def ticks(self, time_base: Fraction) -> int:
        """By how much times in a stream's ticks are moved to begin at zero."""
        return round(self._start_s / time_base)

    def _read(self) -> Iterator[VideoFrame | Any]:
        given, seen, last, end_s = 0, 0, None, None
        for packet in self._packets():
            if packet.stream is not self._stream:
                if packet.dts is None or packet.pts is None:
                    continue
                if end_s is not None and packet.pts * packet.time_base >= end_s:
                    continue
                packet.pts -= self.ticks(packet.time_base)
                packet.dts -= self.ticks(packet.time_base)
                yield packet
                continue
            if end_s is not None:
                # The sound of the last frame may stand a little behind it in the file.
                if packet.dts is None or packet.dts * packet.time_base > end_s + 1:
                    return
                continue
            for frame in self._decoded(packet):
                seen += 1
                if (seen - 1) % self.every:
                    continue
                try:
                    decoded = self._upright(frame, last)
                except av.FFmpegError:  # it says colours that do not exist
                    self.damaged += 1
                    continue
                given, last = given + 1, decoded
                yield decoded
                if given == self.limit:
                    end_s = self._start_s + (decoded.pts + decoded.duration) * self.time_base
                    if not self.sound:
                        return
                    break
        length_s = self.duration_s
        if self.problem is None and length_s and float(self._read_until_s - self._start_s) < length_s - _SLACK_S:
            read_s = float(self._read_until_s - self._start_s)
            self.problem = f"the file ends after {read_s:.1f} of {length_s:.1f} s"

    def _packets(self) -> Iterator[Any]:
        try:
            for packet in self.container.demux([self._stream, *self.sound]):
                if packet.pts is not None:
                    end_s = (packet.pts + (packet.duration or 0)) * Fraction(packet.time_base)
                    self._read_until_s = max(self._read_until_s, end_s)
                yield packet
        except (av.FFmpegError, OSError) as error:
            self.problem = (
                f"the file is damaged after {float(self._read_until_s - self._start_s):.1f} s ({error.strerror})"
            )

    def _decoded(self, packet: Any) -> list[Any]:
        try:
            frames: list[Any] = packet.decode()
        except av.FFmpegError:
            self.damaged += 1
            return []
        self.damaged += packet.is_corrupt
        return frames

    def _upright(self, frame: Any, last: VideoFrame | None) -> VideoFrame:
        duration = (frame.duration or round(1 / self.rate / self.time_base) or 1) * self.every
        if frame.pts is not None:
            pts = frame.pts - self.ticks(self.time_base)
        else:
            pts = 0 if last is None else last.pts + last.duration
        if last is not None and pts <= last.pts:  # a clock that stands still or jumps back
            self.untimely += 1
            pts = last.pts + 1
        size = (self.width, self.height) if last is not None else None
        return VideoFrame(upright_rgb(frame, self._stream.sample_aspect_ratio, size), pts, duration)


def moving_stream(container: Any, label: str) -> Any:
    """The first stream of moving pictures, ready to be decoded.

    Raises:
        VideoError: there is none, none that can be decoded, or one of frames beyond all measure.
    """
    moving = [stream for stream in container.streams.video if not _is_cover(stream)]
    if not moving:
        kinds = "only sound" if container.streams.audio else "neither picture nor sound"
        raise VideoError(f"{label}: no video in it, {kinds}; give a video")
    stream = moving[0]
    if stream.codec_context is None:
        raise VideoError(f"{label}: this FFmpeg cannot decode its kind of video; convert it to H.264 first")
    aspect = stream.sample_aspect_ratio or 1
    pixels = stream.codec_context.width * stream.codec_context.height * max(aspect, 1 / aspect)
    if pixels > MAX_PIXELS:
        raise VideoError(
            f"{label}: frames of {round(pixels / 1e6)} megapixels, the limit is {MAX_PIXELS / 1e6:g}; make it smaller"
        )
    # Decoding on several cores; the frames are the same.
    stream.thread_type = "AUTO"
    # For frames larger than the header says.
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    return stream


def upright_rgb(frame: Any, aspect: Fraction | None = None, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """A decoded frame as it should be seen.

    Args:
        frame: `av.VideoFrame`.
        aspect: width : height of a pixel; the longer side of an oblong pixel grows until it is square.
        size: (width, height) that the upright frame must have, for videos that change their size on the way.

    Returns:
        uint8 (H, W, 3) RGB, contiguous.

    Raises:
        av.FFmpegError: it cannot be turned into RGB.
    """
    width, height = frame.width, frame.height
    if aspect and aspect != 1:
        width, height = (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))
    a, b, c, d = _display_matrix(frame)
    on_its_side = abs(a) < abs(b)
    if size is not None:
        width, height = size[::-1] if on_its_side else size
    # What does not say is BT.709 from 720 lines on and BT.601 below: the habit of all players.
    unspecified = frame.colorspace == _UNSPECIFIED_COLORSPACE
    colorspace = ("ITU709" if frame.height >= _HD_HEIGHT else "ITU601") if unspecified else None
    rgb = frame.reformat(width=width, height=height, format="rgb24", src_colorspace=colorspace).to_ndarray()
    if on_its_side:
        rgb, a, d = rgb.swapaxes(0, 1), c, b
    return np.ascontiguousarray(rgb[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])


def _display_matrix(frame: Any) -> tuple[int, int, int, int]:
    """a, b, c, d: the pixel at (x, y) is to be shown at (a x + c y, b x + d y), up to a shift and a scale.

    It turns phone videos upright and may mirror them. FFmpeg keeps it as nine 32-bit numbers, row by row.
    """
    for data in frame.side_data:
        if data.type == SideDataType.DISPLAYMATRIX:
            a, b, _, c, d = (int(value) for value in np.frombuffer(bytes(data), np.int32)[:5])
            return a, b, c, d
    return 1, 0, 0, 1


def _is_cover(stream: Any) -> bool:
    """Whether a "video" is the cover of a song."""
    return bool(stream.disposition & Disposition.attached_pic)
