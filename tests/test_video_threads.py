"""Videos that stop, fail or jump on the way: nothing hangs, nothing is lost in silence."""

from __future__ import annotations

import threading
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

pytest.importorskip("av", reason="needs PyAV: pip install densedepth[video]")

from conftest import MakeBundle
from densedepth.runtime import DepthEstimator, load
from densedepth.runtime.video import (
    ClipOptions,
    VideoError,
    convert_video,
    live_pictures,
    open_camera,
    read_depth_video,
    writing,
)
from densedepth.runtime.video.channel import Channel, in_a_row
from test_video import FIXED, pictures, times_of, write_clip


@pytest.fixture
def estimator(tiny_bundle: MakeBundle) -> DepthEstimator:
    return load(tiny_bundle())


def test_stopping_leaves_a_playable_file(estimator: DepthEstimator, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "in.mp4", pictures(200), sound="aac", codec="libx264")
    asked = 0

    def stopped() -> bool:
        nonlocal asked
        asked += 1
        return asked > 40

    result = convert_video(clip, tmp_path / "out.mp4", estimator, FIXED, depth_out=tmp_path / "d.mkv", stopped=stopped)
    assert result.interrupted
    assert 5 < result.frames < 200
    assert len(times_of(tmp_path / "out.mp4")) == result.frames == len(list(read_depth_video(tmp_path / "d.mkv")))


@pytest.mark.parametrize("part", ["read", "work", "write"])
def test_an_error_in_any_thread_ends_the_run(part: str) -> None:
    def failing(item: int) -> int:
        if item == 20:
            raise ValueError(part)
        return item

    def same(item: int) -> int:
        return item

    done: list[int] = []

    def run() -> None:
        items = (failing(i) if part == "read" else i for i in range(100_000))
        work = failing if part == "work" else same
        write = failing if part == "write" else done.append
        with pytest.raises(ValueError, match=part):
            in_a_row(items, work, write, lambda: False)  # type: ignore[arg-type]
        done.append(-1)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(timeout=20)
    assert not thread.is_alive()
    assert done[-1] == -1


def test_the_reader_cannot_run_ahead() -> None:
    read = 0

    def items() -> object:
        nonlocal read
        for number in range(1000):
            read = number
            yield number

    ahead = []
    in_a_row(items(), lambda item: item, lambda item: ahead.append(read - item), lambda: False)  # type: ignore[arg-type]
    assert len(ahead) == 1000
    assert max(ahead) < 25
    channel = Channel[int]()
    channel.close()
    assert not channel.put(1)
    assert list(channel) == []


def test_a_failing_writer_leaves_nothing(
    estimator: DepthEstimator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = write_clip(tmp_path / "in.mov", pictures(30))

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing.VideoWriter, "_mux", full)
    with pytest.raises(VideoError, match=r"out.mp4: cannot be written \(No space left on device\)"):
        convert_video(clip, tmp_path / "out.mp4", estimator, FIXED, depth_out=tmp_path / "out.mkv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mov", "models"]


def test_a_clock_that_jumps_back_is_reported(estimator: DepthEstimator, tmp_path: Path) -> None:
    for name, start in (("a.ts", 500), ("b.ts", 0)):
        write_clip(
            tmp_path / name, pictures(10), rate=Fraction(25), times=range(start, start + 10), codec="libx264",
            sound="mp2", options={"bf": "0"},
        )  # fmt: skip
    (tmp_path / "in.ts").write_bytes((tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes())
    result = convert_video(tmp_path / "in.ts", tmp_path / "out.mp4", estimator, FIXED)
    assert result.frames == 20
    assert "frames without a time of their own" in (result.problem or "")
    times = times_of(tmp_path / "out.mp4")
    assert len(times) == 20
    assert all(time < later for time, later in pairwise(times))


def test_live_pictures_of_a_file(estimator: DepthEstimator, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "in.mov", pictures(9))
    shown = list(live_pictures(str(clip), estimator, ClipOptions("depth", range_m=(1, 5))))
    assert len(shown) == 9
    half = live_pictures(str(clip), estimator)
    assert next(half).shape[1] == 128
    half.close()  # type: ignore[attr-defined]


def test_no_camera_is_one_line() -> None:
    with pytest.raises(VideoError, match=r"camera 99.*--source"):
        open_camera("99")
