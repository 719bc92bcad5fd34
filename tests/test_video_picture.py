"""What the frames of a result look like."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av", reason="needs PyAV: pip install densedepth[video]")

from conftest import MakeBundle
from densedepth.runtime import DepthEstimator, load
from densedepth.runtime.video import (
    ClipOptions,
    Painter,
    VideoReader,
    convert_video,
    open_video,
)
from test_video import FIXED, images_of, write_clip


@pytest.fixture
def estimator(tiny_bundle: MakeBundle) -> DepthEstimator:
    return load(tiny_bundle())


@pytest.mark.parametrize("layout", ["side-by-side", "overlay", "depth"])
@pytest.mark.parametrize("size", [(64, 48), (65, 47), (33, 33), (640, 360)])
def test_layouts_have_even_sides_and_show_frame_and_legend(layout: str, size: tuple[int, int]) -> None:
    width, height = size
    painter = Painter(width, height, layout, (1.0, 5.0))  # type: ignore[arg-type]
    image = np.full((height, width, 3), 200, np.uint8)
    sheet = painter(image, np.full((height, width), 3.0, np.float32))
    assert sheet.shape == (painter.height, painter.width, 3)
    assert painter.width % 2 == painter.height % 2 == 0
    assert painter.padded == (layout != "side-by-side" and width % 2 == 1)
    assert (sheet[height - 1, 0] == 200).all() == (layout == "side-by-side")
    assert painter.height > height
    assert sheet[height:].std() > 0


@pytest.mark.parametrize(("codec", "height"), [("png", 48), ("libx264", 48), ("libx264", 720)])
def test_the_frame_keeps_its_colours(estimator: DepthEstimator, tmp_path: Path, codec: str, height: int) -> None:
    colours = np.array([[200, 40, 40], [40, 180, 60], [30, 50, 190], [128, 128, 128]], np.uint8)
    image = colours.repeat(32, axis=0)[None].repeat(height, axis=0)
    clip = write_clip(tmp_path / "in.mov", [image] * 2, codec=codec)
    convert_video(clip, tmp_path / "out.mp4", estimator, FIXED)
    seen = next(item.image for item in VideoReader(open_video(tmp_path / "out.mp4"), "out"))
    middles = seen[height // 2, 16:128:32].astype(int)
    if height < 720:  # the encoder of the test writes BT.601 without saying so, which is the habit only of small videos
        np.testing.assert_allclose(middles, colours, atol=6)
    original = next(item.image for item in VideoReader(open_video(clip), "in"))
    np.testing.assert_allclose(middles, original[height // 2, 16:128:32].astype(int), atol=6)


def test_colours_never_change_within_a_clip(estimator: DepthEstimator, tmp_path: Path) -> None:
    bright = [np.full((48, 64, 3), level, np.uint8) for level in (60, 60, 180, 60)]
    clip = write_clip(tmp_path / "in.mov", bright)
    convert_video(clip, tmp_path / "out.mp4", estimator, ClipOptions("depth", (0.5, 8.0), smoothing=0.0))
    seen = images_of(tmp_path / "out.mp4")
    corner = [image[:40, :60].astype(int).mean(axis=(0, 1)) for image in seen]
    assert np.abs(corner[0] - corner[3]).max() < 3
    assert np.abs(corner[0] - corner[2]).max() > 60


def test_range_of_colours_suits_the_clip_and_is_repeatable(estimator: DepthEstimator, tmp_path: Path) -> None:
    levels = [np.full((48, 64, 3), level, np.uint8) for level in np.linspace(30, 120, 50)]
    clip = write_clip(tmp_path / "in.mov", levels)
    chosen = [convert_video(clip, tmp_path / "out.mp4", estimator).range_m for _ in range(2)]
    assert chosen[0] == chosen[1]
    near_m, far_m = chosen[0]
    assert near_m == pytest.approx(0.1 + 35 / 255 * 9, abs=0.3)
    assert far_m == pytest.approx(0.1 + 115 / 255 * 9, abs=0.3)
