"""The shipped model on real pictures: how steady, prompt and small it is. Run with -s for the figures."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

pytest.importorskip("av", reason="needs PyAV: pip install densedepth[video]")

from conftest import MakeBundle
from densedepth.runtime import available, load
from densedepth.runtime.video import ClipEstimator, ClipOptions, convert_video, read_depth_video
from densedepth.runtime.zoo import EXAMPLES_DIR
from test_video import write_clip
from test_video_smoothing import flicker_m, noisy

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("nyu" not in available(), reason="the bundle nyu is not in this checkout"),
]
# As the network of the shipped model sees a photo: nothing is resized.
WIDTH, HEIGHT = 384, 288


def photo(number: int, width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    path = sorted(EXAMPLES_DIR.glob("*.jpg"))[number]
    return np.asarray(Image.open(path).convert("RGB").resize((width, height)))


@pytest.mark.parametrize("levels", [3, 8])
def test_a_still_photo_with_sensor_noise_flickers_a_third_at_most(tmp_path: Path, levels: float) -> None:
    rng, image = np.random.default_rng(0), photo(0, 640, 480)
    clip = write_clip(tmp_path / "in.mov", [noisy(image, rng, levels) for _ in range(30)], codec="png")
    estimator, flicker = load("nyu"), {}
    for smoothing in (0.0, 0.8):
        options = ClipOptions(range_m=(1, 5), smoothing=smoothing)
        convert_video(clip, tmp_path / "out.mp4", estimator, options, depth_out=tmp_path / "out.mkv")
        flicker[smoothing] = flicker_m([frame.depth.depth_m for frame in read_depth_video(tmp_path / "out.mkv")])
    factor = flicker[0.0] / flicker[0.8]
    print(f"\nnoise {levels}: {1000 * flicker[0.0]:.1f} mm a frame, smoothed 1/{factor:.1f}")
    assert factor > 3


@pytest.mark.parametrize("speed", [2, 4, 8])
def test_moving_edges_do_not_lag(speed: int) -> None:
    """Part of one photo slides over another; depth at its edges, against that of each frame by itself.

    The lag in frames is the mean distance from the raw depth of this frame over that between raw frames: 1 is one
    frame late. A plain average of the same weight shows what the test can see.
    """
    rng, background, thing = np.random.default_rng(0), photo(0), photo(1)[60 : HEIGHT - 20, 120:220]
    adaptive = ClipEstimator(load("nyu"), WIDTH, HEIGHT, smoothing=0.8)
    plain_m = raw_before_m = image_before = None
    late, plain_late, moved_m, shown, raws = 0.0, 0.0, 0.0, [], []
    for step in range(160 // speed):
        image = background.copy()
        image[80:, 20 + step * speed :][:, : thing.shape[1]] = thing
        frame = noisy(image, rng, 3)
        raw_m, smooth_m = adaptive.alone(frame), adaptive.predict(frame)
        plain_m = raw_m if plain_m is None else plain_m + 0.2 * (raw_m - plain_m)
        if raw_before_m is not None:
            edge = np.abs(image.astype(int) - image_before).max(axis=2) > 20
            edge &= np.abs(raw_m - raw_before_m) > 0.03 * raw_m
            late += np.abs(smooth_m - raw_m)[edge].sum()
            plain_late += np.abs(plain_m - raw_m)[edge].sum()
            moved_m += np.abs(raw_m - raw_before_m)[edge].sum()
        raw_before_m, image_before = raw_m, image
        shown.append(smooth_m)
        raws.append(raw_m)
    print(f"\n{speed} px a frame: lag {late / moved_m:.2f} frames, a plain average {plain_late / moved_m:.2f}")
    assert late / moved_m < 0.5
    assert plain_late / moved_m > 0.7
    # Each smoothed frame is nearest to the raw frame of its own time.
    distances = [
        np.mean([np.abs(shown[i] - raws[i - lag])[20:].mean() for i in range(3, len(shown))]) for lag in range(3)
    ]
    assert np.argmin(distances) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
def test_two_thousand_frames_take_no_more_memory_than_three_hundred(tiny_bundle: MakeBundle, tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (50, 120, 160, 3), dtype=np.uint8)
    peaks = []
    for number in (300, 2000):
        clip = write_clip(
            tmp_path / f"{number}.mp4", list(frames) * (number // 50), codec="mpeg4", sound="aac", rate=Fraction(25)
        )
        out = _command_line(clip, tmp_path / "out.mp4", "--model", tiny_bundle(), "--depth-out", tmp_path / "out.mkv")
        assert f"({number} frames" in out
        peaks.append(int(re.findall(r"PEAK (\d+)", out)[0]) / 1024)
    print(f"\n300 frames {peaks[0]:.0f} MiB, 2000 frames {peaks[1]:.0f} MiB")
    # The allocator settles within 2000 frames; to keep the pictures of all would take 190 MiB more.
    assert peaks[1] < peaks[0] + 60


def _command_line(clip: Path, out: Path, *words: object) -> str:
    """What `densedepth video` prints, and its peak memory in KiB."""
    code = """
import re, sys
from pathlib import Path
from densedepth.cli import main
assert main(sys.argv[1:]) == 0
# Not ru_maxrss, which begins with the size of the process that started this one.
print("PEAK", re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""
    command = [sys.executable, "-c", code, "video", clip, "-o", out, "--overwrite", *words]
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    return subprocess.run([*map(str, command)], check=True, capture_output=True, text=True, env=environment).stdout
