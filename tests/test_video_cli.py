"""`densedepth video` and `densedepth webcam` as a user meets them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import MakeBundle

av = pytest.importorskip("av", reason="needs PyAV: pip install densedepth[video]")

from densedepth.cli import main  # noqa: E402
from densedepth.runtime.video import read_depth_video  # noqa: E402
from test_video import pictures, times_of, write_clip  # noqa: E402


@pytest.fixture
def model(tiny_bundle: MakeBundle) -> str:
    return str(tiny_bundle())


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "in.mp4", pictures(40), codec="libx264", sound="aac", options={"g": "10"})


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    try:
        status = main([str(word) for word in words])
    except SystemExit as error:  # from the parser
        status = error.code  # type: ignore[assignment]
    captured = capsys.readouterr()
    # What the model runs on is said on stderr, too, and is no problem.
    problems = [line for line in captured.err.splitlines(keepends=True) if not line.startswith("device: ")]
    return status, captured.out, "".join(problems)


def test_a_clip(clip: Path, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(
        capsys, "video", clip, "-o", tmp_path / "a/out.mp4", "--depth-out", tmp_path / "b/d.mkv", "--model", model
    )
    assert (status, err) == (0, "")
    assert out.startswith(f"{clip} -> {tmp_path}/a/out.mp4, {tmp_path}/b/d.mkv  (40 frames, colours ")
    assert "frames/s" in out
    assert "35mm-equivalent focal length of 28 mm assumed" in out
    assert len(times_of(tmp_path / "a/out.mp4")) == len(list(read_depth_video(tmp_path / "b/d.mkv"))) == 40


def test_options(clip: Path, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "out.mov"
    words = ("--model", model, "--range", 0.5, 8, "--layout", "overlay", "--every", 2, "--limit", 5, "--fov", 60)
    status, out, _ = run(capsys, "video", clip, "-o", target, *words, "--smoothing", 0, "--threads", 1)
    assert status == 0
    assert "(5 frames, colours 0.5 to 8.0 m" in out
    assert "assumed" not in out
    assert run(capsys, "video", clip, "-o", target, *words)[0] == 2
    assert run(capsys, "video", clip, "-o", target, *words, "--overwrite")[0] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-o", "out.webm"], "cannot write '.webm'; name it .mp4 or .m4v or .mov or .mkv"),
        (["-o", "out"], "cannot write ''"),
        (["-o", "out.mp4", "--depth-out", "d.mp4"], "d.mp4: cannot write '.mp4'; name it .mkv"),
        (["-o", "d.mkv", "--depth-out", "d.mkv"], "name the same file"),
        (["-o", "in.mp4", "--overwrite"], "in.mp4: this is the input"),
        (["-o", "there.mp4"], "there.mp4: exists; --overwrite replaces it"),
        (["-o", "out.mp4", "--range", "8", "0.5"], "--range takes two depths in metres, the nearer first"),
        (["-o", "out.mp4", "--range", "3"], "--range takes two depths"),
        (["-o", "out.mp4", "--smoothing", "2"], "--smoothing must lie between 0 and 1"),
        (["-o", "out.mp4", "--every", "0"], "--every must be at least 1"),
        (["-o", "out.mp4", "--limit", "0"], "--limit must be at least 1"),
        (["-o", "out.mp4", "--fov", "60", "--focal-35mm", "28"], "give one of them"),
        (["-o", "out.mp4", "--layout", "round"], "layout"),
        ([], "out"),
    ],
)
def test_wrong_usage_is_one_line(
    clip: Path,
    model: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.mp4").write_bytes(b"precious")
    before = sorted(tmp_path.rglob("*"))
    status, out, err = run(capsys, "video", "in.mp4", "--model", model, *words)
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert message in err
    assert sorted(tmp_path.rglob("*")) == before
    assert Path("there.mp4").read_bytes() == b"precious"


def _bad_input(name: str, folder: Path) -> Path:
    path = folder / name
    if name == "empty.mp4":
        path.write_bytes(b"")
    elif name == "noise.mp4":
        path.write_bytes(np.random.default_rng(0).bytes(20_000))
    elif name == "folder.mp4":
        path.mkdir()
    elif name == "photo.jpg":
        Image.new("RGB", (64, 48), "red").save(path)
    elif name == "photo_named.mp4":
        Image.new("RGB", (64, 48), "red").save(path, "PNG")
    elif name == "notes.txt":
        path.write_text("not a video\n" * 50)
    elif name == "sound.m4a":
        with av.open(str(path), "w", format="mp4") as container:
            stream = container.add_stream("aac", rate=48000)
            part = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
            part.sample_rate, part.pts, part.time_base = 48000, 0, Fraction(1, 48000)
            container.mux(stream.encode(part))
            container.mux(stream.encode(None))
    elif name == "no_frames.mp4":
        with av.open(str(path), "w") as container:
            stream = container.add_stream("mpeg4", rate=25, width=64, height=48)
            container.start_encoding()
    elif name == "no_index.mp4":
        whole = write_clip(folder / "whole.mp4", pictures(20), codec="libx264").read_bytes()
        path.write_bytes(whole[: whole.index(b"moov")])
    return path


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.mp4", "no such file"),
        ("empty.mp4", "the file is empty"),
        ("noise.mp4", "not a video we can read"),
        ("folder.mp4", "a folder"),
        ("photo.jpg", "a picture, not a video; for photos there is densedepth predict"),
        ("photo_named.mp4", "a picture, not a video"),
        ("notes.txt", "not a video"),
        ("sound.m4a", "no video in it, only sound"),
        ("no_frames.mp4", "no video in it, neither picture nor sound"),
        ("no_index.mp4", "cut short"),
    ],
)
def test_bad_input_is_one_line(
    name: str, message: str, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _bad_input(name, tmp_path)
    status, out, err = run(capsys, "video", path, "-o", tmp_path / "out/out.mp4", "--model", model)
    assert (status, out) == (1, "")
    assert err.count("\n") == 1
    assert err.startswith(f"error: {path}: ")
    assert message in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_what_is_readable_of_a_truncated_video_is_written(
    suffix: str, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (100, 48, 64, 3), dtype=np.uint8)
    # As a camera or a download would leave it: the index comes first, the end is missing.
    whole = write_clip(tmp_path / f"whole{suffix}", list(noise), codec="libx264", options={"g": "10", "bf": "0"})
    if suffix == ".mp4":
        with av.open(str(whole)) as source, av.open(
            str(tmp_path / "first.mp4"), "w", container_options={"movflags": "faststart"}
        ) as target:  # fmt: skip
            stream = target.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    target.mux(packet)
        whole = tmp_path / "first.mp4"
    data = whole.read_bytes()
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(data[: len(data) * 6 // 10])
    status, out, err = run(capsys, "video", cut, "-o", tmp_path / "out.mp4", "--model", model)
    frames = len(times_of(tmp_path / "out.mp4"))
    assert 40 <= frames <= 62
    assert f"({frames} frames" in out
    if suffix == ".ts":  # a stream without a header does not say how long it should be
        assert err.count("\n") == status
    else:
        assert status == 1
        assert err.startswith(f"warning: {cut}: ")
        assert err.endswith("what was readable is written\n")
        assert err.count("\n") == 1


def test_damage_in_the_middle_is_counted(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 48, 64, 3), dtype=np.uint8)
    data = bytearray(write_clip(tmp_path / "in.mov", list(noise), codec="png").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 20_000] = bytes(20_000)
    (tmp_path / "in.mov").write_bytes(data)
    status, _, err = run(capsys, "video", tmp_path / "in.mov", "-o", tmp_path / "out.mp4", "--model", model)
    assert status == 1
    assert "damaged packets; what was readable is written" in err
    assert 50 <= len(times_of(tmp_path / "out.mp4")) < 60


@pytest.mark.parametrize(
    ("out", "depth_out"),
    [
        ("file.txt/x.mp4", "d.mkv"),
        ("file.txt/deeper/x.mp4", "d.mkv"),
        ("folder.mp4", "d.mkv"),
        ("out.mp4", "file.txt/x.mkv"),
        ("out.mp4", "folder.mkv"),
    ],
)
def test_a_place_that_cannot_be_written(
    out: str, depth_out: str, clip: Path, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The one of the two files that is at fault is named, and the other is not left half-written."""
    (tmp_path / "file.txt").write_text("x")
    for name in ("folder.mp4", "folder.mkv"):
        (tmp_path / name).mkdir()
    before = sorted(tmp_path.iterdir())
    words = ("-o", tmp_path / out, "--depth-out", tmp_path / depth_out, "--overwrite")
    status, _, err = run(capsys, "video", clip, *words, "--model", model)
    assert (status, err.count("\n")) == (1, 1)
    bad = depth_out if out == "out.mp4" else out
    assert err.startswith(f"error: {tmp_path / bad}: cannot be written (")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() == 0, reason="root may write everywhere")
def test_a_read_only_folder(clip: Path, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "locked").mkdir(mode=0o555)
    status, _, err = run(capsys, "video", clip, "-o", tmp_path / "locked/out.mp4", "--model", model)
    assert (status, err.count("\n")) == (1, 1)


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_leaves_a_playable_file(model: str, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "in.mp4", pictures(50) * 120, codec="mpeg4", sound="aac")
    out_files = ("-o", tmp_path / "out.mp4", "--depth-out", tmp_path / "out.mkv")
    command = [sys.executable, "-m", "densedepth", "video", clip, *out_files, "--model", model, "--range", "1", "8"]
    process = subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for _ in range(600):
        written = [path for path in tmp_path.glob(".densedepth-*") if path.stat().st_size > 10_000]
        if written or process.poll() is not None:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert b"is complete up to there and can be played" in err
    assert b"Traceback" not in err
    frames = len(times_of(tmp_path / "out.mp4"))
    assert f"({frames} frames".encode() in out
    assert 10 < frames < 6000
    assert len(list(read_depth_video(tmp_path / "out.mkv"))) == frames
    assert not list(tmp_path.glob(".densedepth-*"))


def test_neither_command_imports_torch(clip: Path, model: str, tmp_path: Path) -> None:
    code = """
import sys
from densedepth.cli import main
status = main(["video", sys.argv[1], "-o", sys.argv[2], "--model", sys.argv[3]])
print("MODULES", status, *sys.modules)
"""
    command = [sys.executable, "-c", code, str(clip), str(tmp_path / "out.mp4"), model]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    status, *loaded = output.partition("MODULES")[2].split()
    assert status == "0"
    assert not {"torch", "torchvision", "timm", "lightning"} & set(loaded)


def test_without_av_the_extra_is_named(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name == "av" or name.startswith("densedepth.runtime.video")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "av", None)
    status, _, err = run(capsys, "video", clip, "-o", tmp_path / "out.mp4")
    assert (status, err) == (1, "error: densedepth video needs av: pip install densedepth[video]\n")


class FakeWindow:
    def __init__(self, title: str) -> None:
        self.pictures: list[np.ndarray] = []

    def show(self, pictures: object) -> int:
        self.pictures = list(pictures)  # type: ignore[call-overload]
        return len(self.pictures)


def test_webcam_plays_a_file(
    clip: Path, model: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("densedepth.commands.webcam.Window", FakeWindow)
    status, out, err = run(capsys, "webcam", "--source", clip, "--model", model, "--range", 1, 5, "--limit", 12)
    assert (status, out, err) == (0, "12 frames shown\n", "")


def test_webcam_without_a_camera(
    model: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("densedepth.commands.webcam.Window", FakeWindow)
    status, _, err = run(capsys, "webcam", "--source", "97", "--model", model)
    assert (status, err.count("\n")) == (1, 1)
    assert "camera 97" in err


@pytest.mark.skipif(sys.platform != "linux", reason="a display is asked for by $DISPLAY on Linux only")
def test_webcam_without_a_display(
    clip: Path, model: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tkinter")
    monkeypatch.delenv("DISPLAY", raising=False)
    status, _, err = run(capsys, "webcam", "--source", clip, "--model", model)
    assert (status, err.count("\n")) == (1, 1)
    assert "no display" in err
