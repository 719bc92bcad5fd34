"""Videos: times, sound, turns, colours, depth that comes back bit for bit, any length, any failure."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from conftest import MakeBundle, brightness_depth_m
from densedepth import Camera, DepthMap
from densedepth.runtime import DepthEstimator, load

av = pytest.importorskip("av", reason="needs PyAV: pip install densedepth[video]")

from densedepth.runtime.video import (  # noqa: E402
    ClipOptions,
    DepthVideoWriter,
    VideoError,
    VideoFrame,
    VideoReader,
    convert_video,
    open_video,
    read_depth_video,
    writing,
)

NTSC = Fraction(30000, 1001)
FIXED = ClipOptions(range_m=(0.5, 8.0), smoothing=0.0)


def pictures(number: int, width: int = 64, height: int = 48) -> list[NDArray[np.uint8]]:
    """Smooth pictures that get brighter from frame to frame."""
    ramp = np.linspace(0, 100, width, dtype=np.float32)[None, :] + np.linspace(0, 60, height)[:, None]
    return [np.repeat((ramp + 60 * i / number)[..., None], 3, axis=2).astype(np.uint8) for i in range(number)]


def write_clip(
    path: Path,
    frames: Sequence[NDArray[np.uint8]],
    *,
    rate: Fraction = NTSC,
    times: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    codec: str = "png",
    sound: str | None = None,
    turn: int = 0,
    mirrored: bool = False,
    aspect: Fraction | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Write a clip; "png" keeps every pixel. `times` are ticks of `time_base`; `turn` is as on a phone, in degrees."""
    height, width = frames[0].shape[:2]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            codec, rate=rate, width=width, height=height, time_base=time_base or 1 / rate, options=options or {}
        )
        stream.pix_fmt = "rgb24" if codec == "png" else "yuv420p"
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        if turn or mirrored:
            stream.set_display_rotation(turn, hflip=mirrored)
        audio = container.add_stream(sound, rate=48000) if sound else None
        for number, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = (times[number] if times else number), time_base or 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if audio:
            for start in range(0, int(48000 * len(frames) / rate), 1024):
                wave = (np.sin(np.arange(start, start + 1024) / 20) * 8000).astype(np.int16)
                part = av.AudioFrame.from_ndarray(np.repeat(wave, 2)[None], format="s16", layout="stereo")
                part.sample_rate, part.pts, part.time_base = 48000, start, Fraction(1, 48000)
                for converted in av.AudioResampler(format=audio.format, layout="stereo", rate=48000).resample(part):
                    container.mux(audio.encode(converted))
            container.mux(audio.encode(None))
    return path


def times_of(path: Path) -> list[Fraction]:
    """Times of all frames in seconds, exact."""
    with av.open(str(path)) as container:
        return [frame.pts * Fraction(frame.time_base) for frame in container.decode(video=0)]


def sound_of(path: Path) -> list[bytes]:
    """All packets of the sound."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def images_of(path: Path) -> list[NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.fixture
def estimator(tiny_bundle: MakeBundle) -> DepthEstimator:
    return load(tiny_bundle())


@pytest.mark.parametrize("rate", [Fraction(25), NTSC, Fraction(24000, 1001), Fraction(12, 5)])
def test_rate_and_times_are_exact(estimator: DepthEstimator, tmp_path: Path, rate: Fraction) -> None:
    clip = write_clip(tmp_path / "in.mp4", pictures(7), rate=rate, codec="libx264")
    result = convert_video(clip, tmp_path / "out.mp4", estimator, FIXED)
    assert (result.frames, result.problem, result.interrupted) == (7, None, False)
    assert times_of(tmp_path / "out.mp4") == times_of(clip) == [i / rate for i in range(7)]
    with av.open(str(tmp_path / "out.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == rate
        assert stream.duration * stream.time_base == 7 / rate
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")


def test_variable_frame_rate_keeps_every_time(estimator: DepthEstimator, tmp_path: Path) -> None:
    times = [0, 7, 8, 90, 91, 300]
    clip = write_clip(tmp_path / "in.mov", pictures(6), times=times, time_base=Fraction(1, 600))
    convert_video(clip, tmp_path / "out.mp4", estimator, FIXED)
    assert times_of(tmp_path / "out.mp4") == [Fraction(time, 600) for time in times]


def test_a_late_start_becomes_zero(estimator: DepthEstimator, tmp_path: Path) -> None:
    clip = write_clip(
        tmp_path / "in.ts", pictures(5), rate=Fraction(25), times=range(50, 55), codec="libx264", sound="mp2"
    )
    assert times_of(clip)[0] > 1
    convert_video(clip, tmp_path / "out.mp4", estimator, FIXED)
    times = times_of(tmp_path / "out.mp4")
    assert [later - time for time, later in pairwise(times)] == [Fraction(1, 25)] * 4
    assert abs((times_of(clip)[0] - times[0]) - _first_sound_s(clip) + _first_sound_s(tmp_path / "out.mp4")) < 0.001


def _first_sound_s(path: Path) -> float:
    with av.open(str(path)) as container:
        return next(float(packet.pts * packet.time_base) for packet in container.demux(audio=0))


@pytest.mark.parametrize(("name", "sound"), [("in.mp4", "aac"), ("in.mkv", "flac"), ("in.mkv", "libopus")])
def test_sound_is_copied_packet_by_packet(estimator: DepthEstimator, tmp_path: Path, name: str, sound: str) -> None:
    clip = write_clip(tmp_path / name, pictures(20), sound=sound, codec="libx264")
    result = convert_video(clip, tmp_path / "out.mp4", estimator, FIXED)
    assert result.remarks == []
    assert sound_of(tmp_path / "out.mp4") == sound_of(clip)


def test_sound_that_the_file_cannot_hold_is_encoded_anew(estimator: DepthEstimator, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "in.mov", pictures(30), sound="pcm_mulaw", codec="libx264")
    result = convert_video(clip, tmp_path / "out.mp4", estimator, FIXED)
    assert result.remarks == [".mp4 cannot hold sound of kind pcm_mulaw: it is encoded anew as aac"]
    with av.open(str(tmp_path / "out.mp4")) as container:
        (stream,) = container.streams.audio
        assert stream.codec_context.name == "aac"
        assert float(stream.duration * stream.time_base) == pytest.approx(1.0, abs=0.1)


def test_sound_ends_with_a_limit(estimator: DepthEstimator, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "in.mp4", pictures(90), rate=Fraction(30), sound="aac", codec="libx264")
    result = convert_video(clip, tmp_path / "out.mp4", estimator, ClipOptions(range_m=(0.5, 8), limit=30))
    assert result.frames == 30
    with av.open(str(tmp_path / "out.mp4")) as container:
        sound = container.streams.audio[0]
        assert float(sound.duration * sound.time_base) == pytest.approx(1.0, abs=0.7)


@pytest.mark.parametrize(("turn", "mirrored"), [(90, False), (180, False), (-90, False), (0, True), (90, True)])
def test_turned_phone_video(estimator: DepthEstimator, tmp_path: Path, turn: int, mirrored: bool) -> None:
    image = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    clip = write_clip(tmp_path / "in.mov", [image] * 2, turn=turn, mirrored=mirrored)
    reader = VideoReader(open_video(clip), "clip")
    seen = next(item.image for item in reader if isinstance(item, VideoFrame))
    expected = np.rot90(image, turn // 90)
    np.testing.assert_array_equal(seen, expected[:, ::-1] if mirrored else expected)
    assert (reader.width, reader.height) == (48, 64) if turn in (90, -90) else (64, 48)
    convert_video(clip, tmp_path / "out.mp4", estimator, ClipOptions("depth", (0.5, 8.0)))
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert next(container.decode(video=0)).rotation == 0


def test_oblong_pixels_become_square(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "in.mp4", pictures(2, 60, 48), aspect=Fraction(4, 3), codec="libx264")
    reader = VideoReader(open_video(clip), "clip")
    assert (reader.width, reader.height) == (80, 48)


def test_depth_is_that_of_the_photo(estimator: DepthEstimator, tmp_path: Path, random_image: NDArray[np.uint8]) -> None:
    clip = write_clip(tmp_path / "in.mov", [random_image, random_image[::-1]])
    convert_video(clip, tmp_path / "out.mp4", estimator, FIXED, depth_out=tmp_path / "out.mkv")
    first, second = read_depth_video(tmp_path / "out.mkv")
    for frame, image in ((first, random_image), (second, random_image[::-1])):
        millimetres = np.rint(estimator.predict(np.ascontiguousarray(image)).depth_m.astype(np.float64) * 1000)
        np.testing.assert_array_equal(np.rint(frame.depth.depth_m.astype(np.float64) * 1000), millimetres)
        np.testing.assert_allclose(frame.depth.depth_m, brightness_depth_m(image), atol=0.001)
    assert (first.depth.model, first.depth.camera_source) == ("tiny", "assumed")
    assert first.depth.camera is not None
    assert first.depth.camera.focal_px == pytest.approx(260)
    assert first.time_s == 0
    assert float(second.time_s) == pytest.approx(1 / 30, abs=0.001)


def test_the_camera_scales_depth(estimator: DepthEstimator, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "in.mov", pictures(3, 320, 240))
    far = Camera(520.0, 520.0, 160.0, 120.0, 320, 240)

    def seen_by(camera: Camera | None) -> DepthMap:
        options = ClipOptions(smoothing=0.0, range_m=(1, 9), camera=lambda width, height: camera)
        convert_video(clip, tmp_path / "out.mp4", estimator, options, depth_out=tmp_path / "out.mkv")
        return next(read_depth_video(tmp_path / "out.mkv")).depth

    assumed, given = seen_by(None), seen_by(far)
    np.testing.assert_allclose(given.depth_m, 2 * assumed.depth_m, atol=0.002)
    assert (given.camera, given.camera_source) == (far, "given")


def test_depth_file_holds_every_16_bit_value(tmp_path: Path) -> None:
    values = np.arange(65536, dtype=np.uint32).reshape(256, 256)
    writer = DepthVideoWriter(tmp_path / "all.mkv", 256, 256, Fraction(1, 30), Fraction(30), {})
    for turn in range(4):
        writer.write((np.rot90(values, turn) / 1000).astype(np.float32), turn)
    writer.write(np.full((256, 256), 70.0, np.float32), 4)
    writer.close()
    frames = list(read_depth_video(tmp_path / "all.mkv"))
    for turn in range(4):
        read = np.rint(frames[turn].depth.depth_m.astype(np.float64) * 1000).astype(np.uint32)
        np.testing.assert_array_equal(read, np.rot90(values, turn))
    assert writer.too_far == 1
    assert not frames[4].depth.valid.any()


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="needs ffprobe: apt-get install ffmpeg")
def test_an_independent_reader_agrees(estimator: DepthEstimator, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "in.mp4", pictures(6), sound="aac", codec="libx264")
    convert_video(clip, tmp_path / "out.mp4", estimator, FIXED, depth_out=tmp_path / "out.mkv")
    video, sound = _probed(tmp_path / "out.mp4")["streams"]
    assert (video["codec_name"], video["pix_fmt"], video["width"], video["height"]) == ("h264", "yuv420p", 128, 62)
    assert (video["r_frame_rate"], video["nb_frames"], video["color_space"]) == ("30000/1001", "6", "bt709")
    assert float(video["duration"]) == pytest.approx(6 / NTSC, abs=1e-5)
    assert sound["codec_name"] == "aac"
    # faststart: what a player needs first stands first.
    data = (tmp_path / "out.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    depth = _probed(tmp_path / "out.mkv")
    assert (depth["streams"][0]["codec_name"], depth["streams"][0]["pix_fmt"]) == ("ffv1", "gray16le")
    assert depth["format"]["tags"]["DEPTH_UNIT"] == "millimetre"
    raw = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", tmp_path / "out.mkv", "-f", "rawvideo", "-pix_fmt", "gray16le", "-"],
        check=True, capture_output=True,
    ).stdout  # fmt: skip
    ours = [frame.depth.depth_m for frame in read_depth_video(tmp_path / "out.mkv")]
    theirs = np.frombuffer(raw, np.uint16).reshape(6, 48, 64)
    np.testing.assert_allclose(theirs / 1000, ours, atol=1e-6)


def _probed(path: Path) -> dict[str, Any]:
    command = ["ffprobe", "-v", "error", "-show_streams", "-show_format", "-of", "json", str(path)]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return found


def test_every_and_limit(estimator: DepthEstimator, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "in.mov", pictures(20), rate=Fraction(30))
    result = convert_video(clip, tmp_path / "out.mp4", estimator, ClipOptions(range_m=(1, 8), every=3, limit=4))
    assert result.frames == 4
    assert times_of(tmp_path / "out.mp4") == [Fraction(i, 10) for i in range(4)]


def test_streams_that_are_left_out_are_named(estimator: DepthEstimator, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", pictures(3), codec="libx264")
    with av.open(str(clip)) as source, av.open(str(tmp_path / "in.mkv"), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        target.add_attachment("notes.txt", "text/plain", b"hello")
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    result = convert_video(tmp_path / "in.mkv", tmp_path / "out.mp4", estimator, FIXED)
    assert result.remarks == ["streams left out: 1 attachment"]


def test_without_libx264_another_encoder_is_used_and_named(
    estimator: DepthEstimator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "ENCODERS", {"absent": {}, "mpeg4": writing.ENCODERS["mpeg4"]})
    clip = write_clip(
        tmp_path / "in.mp4", pictures(5), time_base=Fraction(1, 90000), times=[3003 * i for i in range(5)]
    )
    result = convert_video(clip, tmp_path / "out.mp4", estimator, FIXED)
    assert "mpeg4 is used, MPEG-4 part 2 instead of H.264" in result.remarks[0]
    assert "rounded to 1/45000 s" in result.remarks[1]
    times = [float(time) for time in times_of(tmp_path / "out.mp4")]
    np.testing.assert_allclose(times, [i / float(NTSC) for i in range(5)], atol=1e-4)
    monkeypatch.setattr(writing, "ENCODERS", {"absent": {}})
    with pytest.raises(VideoError, match="none of the encoders absent"):
        convert_video(clip, tmp_path / "out.mp4", estimator, FIXED)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("noise.mkv", "not a video we can read"),
        ("video.mp4", "not a depth video: no 16-bit grey with DEPTH_UNIT = millimetre"),
        ("missing.mkv", "no such file"),
    ],
)
def test_depth_video_reader_refuses_others(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "noise.mkv").write_bytes(b"nothing" * 100)
    write_clip(tmp_path / "video.mp4", pictures(3), codec="libx264")
    with pytest.raises(VideoError, match=rf"{name}: {why}"):
        list(read_depth_video(tmp_path / name))


@pytest.mark.parametrize(
    ("origin", "why"),
    [
        ({"camera": {"fx": 1}}, "its tag DENSEDEPTH is damaged"),
        ({"camera": "[]"}, "its tag DENSEDEPTH is damaged"),
        ({"camera": json.dumps(Camera.from_fov(4, 3, 60).to_dict())}, "camera is for 4 x 3 pixels"),
        ({"camera_source": "guessed"}, "camera_source must be one of"),
    ],
)
def test_a_depth_video_with_a_wrong_camera_is_one_line(tmp_path: Path, origin: dict[str, Any], why: str) -> None:
    writer = DepthVideoWriter(tmp_path / "d.mkv", 8, 6, Fraction(1, 30), Fraction(30), origin)
    writer.write(np.ones((6, 8), np.float32), 0)
    writer.close()
    with pytest.raises(VideoError, match=why) as caught:
        list(read_depth_video(tmp_path / "d.mkv"))
    assert str(caught.value).startswith(f"{tmp_path / 'd.mkv'}: ")
