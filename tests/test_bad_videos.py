"""Videos that are damaged in ways a recorder or a download leaves them, and a few that no recorder would."""

from __future__ import annotations

import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from conftest import MakeBundle

av = pytest.importorskip("av", reason="needs PyAV: pip install densedepth[video]")

from densedepth.cli import main  # noqa: E402
from densedepth.runtime import load  # noqa: E402
from densedepth.runtime.video import (  # noqa: E402
    ClipOptions,
    VideoError,
    convert_video,
    read_depth_video,
    reading,
)
from test_bad_bundles import answering  # noqa: E402
from test_video import images_of, pictures, times_of, write_clip  # noqa: E402

FIXED = ClipOptions(range_m=(0.5, 8.0), smoothing=0.0)


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Exit status, what was printed, and errors and warnings."""
    status = main([str(word) for word in words])
    captured = capsys.readouterr()
    err = [line for line in captured.err.splitlines(keepends=True) if not line.startswith("device: ")]
    return status, captured.out, "".join(err)


def test_a_turned_video_of_varying_rate_from_the_shell(
    tiny_bundle: MakeBundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    times = [0, 20, 21, 300, 640]
    clip = write_clip(tmp_path / "in.mov", pictures(5), times=times, time_base=Fraction(1, 600), turn=90)
    words = ("-o", tmp_path / "out.mp4", "--depth-out", tmp_path / "d.mkv", "--model", tiny_bundle())
    status, _, err = run(capsys, "video", clip, *words, "--layout", "depth")
    assert (status, err) == (0, "")
    assert times_of(tmp_path / "out.mp4") == [Fraction(time, 600) for time in times]
    depths = list(read_depth_video(tmp_path / "d.mkv"))
    assert [depth.depth.depth_m.shape for depth in depths] == [(64, 48)] * 5
    # Matroska has milliseconds.
    assert [float(depth.time_s) for depth in depths] == pytest.approx([time / 600 for time in times], abs=5e-4)


def test_a_file_that_holds_no_frame_says_so(
    tiny_bundle: MakeBundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A stream is announced and the file is whole, but nothing was recorded."""
    path = tmp_path / "none.avi"
    with av.open(str(path), "w") as container:
        container.add_stream("mpeg4", rate=25, width=64, height=48)
        container.start_encoding()
    status, out, err = run(capsys, "video", path, "-o", tmp_path / "out.mp4", "--model", tiny_bundle())
    assert (status, out) == (1, "")
    assert err == f"error: {path}: no frame can be decoded (it holds no frame); give a whole video\n"
    assert not (tmp_path / "out.mp4").exists()


def test_a_title_in_an_old_encoding(tiny_bundle: MakeBundle, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "in.avi", pictures(3), codec="mpeg4")
    with av.open(str(clip)) as source, av.open(str(tmp_path / "titled.avi"), "w") as target:
        target.metadata["title"] = "Kueche"
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    data = (tmp_path / "titled.avi").read_bytes()
    assert b"Kueche" in data
    (tmp_path / "titled.avi").write_bytes(data.replace(b"Kueche", b"K\xfcche "))
    assert convert_video(tmp_path / "titled.avi", tmp_path / "out.mp4", load(tiny_bundle()), FIXED).frames == 3


def test_a_frame_of_impossible_colours_is_counted(tiny_bundle: MakeBundle, tmp_path: Path) -> None:
    """RGB that says its colour matrix is one of YUV: FFmpeg cannot convert that."""
    noise = np.random.default_rng(0).integers(0, 255, (6, 48, 64, 3), dtype=np.uint8)
    clip = write_clip(tmp_path / "in.mov", list(noise))
    upright_rgb = reading.upright_rgb
    seen = 0

    def failing(*arguments: object) -> object:
        nonlocal seen
        seen += 1
        if seen == 3:
            raise av.error.PatchWelcomeError(1, "not yet implemented")
        return upright_rgb(*arguments)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "upright_rgb", failing)
        result = convert_video(clip, tmp_path / "out.mp4", load(tiny_bundle()), FIXED)
    assert (result.frames, result.problem) == (5, "1 damaged packets")
    assert len(times_of(tmp_path / "out.mp4")) == 5


@pytest.mark.parametrize("aspect", [None, Fraction(8, 1), Fraction(1, 8)])
def test_frames_beyond_all_measure(
    aspect: Fraction | None, tiny_bundle: MakeBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = write_clip(tmp_path / "in.mkv", pictures(2), codec="libx264", aspect=aspect)
    monkeypatch.setattr(reading, "MAX_PIXELS", 64 * 48 * 2 if aspect else 64 * 48 - 1)
    with pytest.raises(VideoError, match=rf"^{clip}: frames of 0 megapixels, the limit is .*; make it smaller$"):
        convert_video(clip, tmp_path / "out.mp4", load(tiny_bundle()), FIXED)
    assert not (tmp_path / "out.mp4").exists()


def test_frames_that_grow_beyond_what_the_header_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = write_clip(tmp_path / "small.mov", pictures(1))
    large = write_clip(tmp_path / "large.mov", pictures(1, 640, 480))
    with av.open(str(small)) as source:
        stream = reading.moving_stream(source, "small")
        stream.thread_type = "NONE"  # on several cores the first frame would come later
        with av.open(str(large)) as other:
            (packet, *_) = other.demux(video=0)
            data = bytes(packet)
        assert stream.codec_context.decode(av.Packet(data))[0].width == 640
    monkeypatch.setattr(reading, "MAX_PIXELS", 10_000)
    with av.open(str(small)) as source:
        stream = reading.moving_stream(source, "small")
        stream.thread_type = "NONE"
        with pytest.raises(av.FFmpegError):
            stream.codec_context.decode(av.Packet(data))


def test_the_size_changes_on_the_way(tiny_bundle: MakeBundle, tmp_path: Path) -> None:
    """As in a recorded video call: all frames get the size of the first."""
    parts = [write_clip(tmp_path / f"{width}.ts", pictures(4, width, height), codec="libx264", rate=Fraction(25))
             for width, height in ((64, 48), (128, 96))]  # fmt: skip
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    result = convert_video(joined, tmp_path / "out.mp4", load(tiny_bundle()), FIXED)
    assert result.frames == 8
    assert len({image.shape for image in images_of(tmp_path / "out.mp4")}) == 1


@pytest.mark.parametrize("value", [np.nan, -50.0])
def test_a_network_that_answers_nonsense(
    value: float, tiny_bundle: MakeBundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = write_clip(tmp_path / "in.mp4", pictures(5), codec="libx264")
    model = answering(tiny_bundle(), value)
    status, out, err = run(capsys, "video", clip, "-o", tmp_path / "out.mp4", "--model", model)
    assert (status, out) == (1, "")
    assert err.count("\n") == 1
    assert "which is no depth" in err
    assert not (tmp_path / "out.mp4").exists()


def test_a_network_beyond_its_range_is_named_once(tiny_bundle: MakeBundle, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "in.mp4", pictures(5), codec="libx264")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        convert_video(clip, tmp_path / "out.mp4", load(answering(tiny_bundle(), 50.0)))
    assert len([each for each in caught if "its card says 0.1 to 10 m" in str(each.message)]) == 1


def test_random_damage_is_one_line_or_a_result(
    tiny_bundle: MakeBundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = write_clip(tmp_path / "whole.mov", pictures(4)).read_bytes()
    model = tiny_bundle()
    rng = np.random.default_rng(0)
    path = tmp_path / "in.mov"
    for _ in range(15):
        data = bytearray(whole)
        for place in rng.integers(len(data), size=10):
            data[place] = rng.integers(256)
        path.write_bytes(data)
        status, _, err = run(capsys, "video", path, "-o", tmp_path / "out.mp4", "--model", model, "--overwrite")
        assert status in (0, 1)
        assert err.count("\n") == status
