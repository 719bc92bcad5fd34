"""Writing a video: H.264 at the times of the original, with its sound."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from densedepth.runtime.video.opening import VideoError

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv")

ENCODERS: dict[str, dict[str, str]] = {
    # Quality, not bit rate, is fixed. No B frames: they would come out of order and shift the times in the file.
    "libx264": {"crf": "18", "preset": "veryfast", "bf": "0"},
    "libopenh264": {"rc_mode": "quality"},
    "mpeg4": {"flags": "+qscale", "global_quality": str(3 * 118)},
}
"""Encoders in order of preference, and their options. What FFmpeg was built with decides."""

_MPEG4_MAX_TICKS = 65535


class VideoWriter:
    """Encodes pictures of one size and takes the sound as it is.

    Attributes:
        remarks: one line for everything that is not as asked or as in the original.
        lost_sound: packets of sound that are damaged or not after the one before, and are left out.
    """

    def __init__(
        self, path: Path, width: int, height: int, time_base: Fraction, rate: Fraction, sound: list[Any]
    ) -> None:
        """Open the file.

        Args:
            path: what to write; its suffix says the format.
            width, height: even numbers of pixels.
            time_base: seconds per tick of the times that `write` gets.
            rate: images per second, for the file's header and the encoder.
            sound: audio streams of the original, whose packets `write_sound` will get.

        Raises:
            VideoError: the file cannot be written, or FFmpeg has no encoder that we know.
        """
        self.path, self.remarks = path, list[str]()
        name = available_encoder()
        if name != "libx264":
            what = "another H.264 encoder" if name == "libopenh264" else "MPEG-4 part 2 instead of H.264"
            self.remarks.append(f"this FFmpeg has no libx264: {name} is used, {what}")
        self._ticks = time_base
        if name == "mpeg4" and time_base.denominator > _MPEG4_MAX_TICKS:
            self._ticks = Fraction(1, time_base.denominator // -(-time_base.denominator // _MPEG4_MAX_TICKS))
            self.remarks.append(f"MPEG-4 knows no ticks of {time_base} s: times are rounded to {self._ticks} s")
        self._time_base = time_base
        flags = {"movflags": "+faststart"} if path.suffix.lower() != ".mkv" else {}
        self.container = opened_for_writing(path, flags)
        self._stream = self.container.add_stream(
            name, rate=rate, width=width, height=height, time_base=self._ticks, options=dict(ENCODERS[name])
        )
        self._stream.pix_fmt = "yuv420p"
        # Said aloud, so that players need not guess from the size.
        context = self._stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709
        context.color_range = 1  # limited
        self._sound = {stream.index: self._sound_stream(stream) for stream in sound}
        self._durations: dict[int, int] = {}
        self._last_sound: dict[int, int] = {}
        self.lost_sound = 0

    def write(self, image: NDArray[np.uint8], pts: int, duration: int) -> None:
        """Encode one picture, uint8 (height, width, 3) RGB, shown from `pts` on, in ticks of `time_base`."""
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
        frame.pts, frame.time_base = round(pts * self._time_base / self._ticks), self._ticks
        self._durations[frame.pts] = round(duration * self._time_base / self._ticks)
        self._mux(self._stream.encode(frame))

    def write_sound(self, packet: Any) -> None:
        """Copy one packet of the original's sound, or decode and encode it where the file cannot hold its kind."""
        index = packet.stream.index
        if packet.dts <= self._last_sound.get(index, packet.dts - 1):
            self.lost_sound += 1
            return
        self._last_sound[index] = packet.dts
        stream, resampler = self._sound[index]
        if resampler is None:
            packet.stream = stream
            try:
                self.container.mux(packet)
            except av.InvalidDataError:
                self.lost_sound += 1
            return
        try:
            frames = packet.decode()
        except av.FFmpegError:
            self.lost_sound += 1
            return
        for frame in frames:
            for part in resampler.resample(frame):
                self.container.mux(stream.encode(part))

    def close(self) -> None:
        """Encode what waits in the encoders and finish the file."""
        self._mux(self._stream.encode(None))
        for stream, resampler in self._sound.values():
            if resampler is not None:
                for part in resampler.resample(None):
                    self.container.mux(stream.encode(part))
                self.container.mux(stream.encode(None))
        self.container.close()

    def _mux(self, packets: list[Any]) -> None:
        # Encoders lose the durations, and the last one says how long the video is.
        for packet in packets:
            packet.duration = self._durations.pop(packet.pts, packet.duration)
            self.container.mux(packet)

    def _sound_stream(self, original: Any) -> tuple[Any, Any]:
        """(stream, None) for a copy; (stream, resampler) where it must be encoded anew."""
        context = original.codec_context
        if context.codec.canonical_name in self.container.supported_codecs:
            return self.container.add_stream_from_template(original), None
        kind, rate, layout = context.codec.canonical_name, context.sample_rate, context.layout.name
        self.remarks.append(f"{self.path.suffix} cannot hold sound of kind {kind}: it is encoded anew as aac")
        stream = self.container.add_stream("aac", rate=rate)
        stream.codec_context.layout = layout
        return stream, av.AudioResampler(format="fltp", layout=layout, rate=rate, frame_size=1024)


def available_encoder() -> str:
    """The first of `ENCODERS` that this FFmpeg has.

    Raises:
        VideoError: it has none.
    """
    for name in ENCODERS:
        try:
            av.codec.Codec(name, "w")
        except ValueError:  # av's own UnknownCodecError
            continue
        return name
    raise VideoError(f"this FFmpeg has none of the encoders {', '.join(ENCODERS)}: pip install --force-reinstall av")


def opened_for_writing(path: Path, options: dict[str, str]) -> Any:
    """An `av` container for output."""
    try:
        return av.open(str(path.absolute()), "w", container_options=options)
    except (av.FFmpegError, OSError, ValueError) as cause:
        raise VideoError(f"{path}: cannot be written ({getattr(cause, 'strerror', None) or cause})") from cause
