"""The filter over time: still pictures become steady, moving edges do not lag, cuts start anew."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("av", reason="needs PyAV: pip install densedepth[video]")

import itertools

from conftest import brightness_depth_m
from densedepth.runtime.video.smoothing import TemporalFilter

HEIGHT, WIDTH = 120, 160


def noisy(image: NDArray[np.uint8], rng: np.random.Generator, levels: float) -> NDArray[np.uint8]:
    return np.rint(image + rng.normal(0, levels, image.shape)).clip(0, 255).astype(np.uint8)


def flicker_m(maps: list[NDArray[np.float32]]) -> float:
    """Mean absolute change from frame to frame, in metres."""
    return float(np.mean([np.abs(b - a).mean() for a, b in itertools.pairwise(maps)]))


def room(seed: int) -> NDArray[np.uint8]:
    """A picture of a few dozen flat patches."""
    patches = np.random.default_rng(seed).integers(30, 220, (8, 10, 3), dtype=np.uint8)
    return np.ascontiguousarray(patches.repeat(HEIGHT // 8 + 1, 0).repeat(WIDTH // 10 + 1, 1)[:HEIGHT, :WIDTH])


def square_at(column: int, background: int = 60, square: int = 160) -> NDArray[np.uint8]:
    image = np.full((HEIGHT, WIDTH, 3), background, np.uint8)
    image[40:80, column : column + 40] = square
    return image


@pytest.mark.parametrize("levels", [2, 5, 8])
def test_flicker_of_a_still_picture_falls_threefold(levels: float) -> None:
    rng = np.random.default_rng(1)
    filter_, image = TemporalFilter(), room(0)
    frames = [noisy(image, rng, levels) for _ in range(40)]
    raw = [brightness_depth_m(frame) for frame in frames]
    smooth = [filter_(frame, depth) for frame, depth in zip(frames, raw, strict=True)]
    assert flicker_m(raw) / flicker_m(smooth) > 3
    # And it is the mean, not another picture.
    truth = brightness_depth_m(image)
    assert np.abs(smooth[-1] - truth).mean() < np.abs(raw[-1] - truth).mean() / 2
    assert filter_.cuts == 0


@pytest.mark.parametrize("speed", [1, 2, 5, 11])
@pytest.mark.parametrize("square", [100, 160, 250])
def test_a_moving_edge_does_not_lag(speed: int, square: int) -> None:
    rng = np.random.default_rng(2)
    filter_ = TemporalFilter()
    middle_m = float(brightness_depth_m(np.full((1, 1, 3), (60 + square) // 2, np.uint8))[0, 0])
    for step in range(100 // speed):
        image = square_at(step * speed, square=square)
        frame = noisy(image, rng, 3)
        smooth = filter_(frame, brightness_depth_m(frame))
        truth = brightness_depth_m(image)
        # Leading and trailing edge stand where they are in this very frame.
        np.testing.assert_array_equal(smooth[50:70] > middle_m, truth[50:70] > middle_m)
    assert filter_.cuts == 0


def test_a_slow_change_is_followed() -> None:
    filter_ = TemporalFilter(1.0)
    for level in np.linspace(60, 120, 240):  # a quarter of a level a frame: less than any noise
        image = np.full((HEIGHT, WIDTH, 3), round(level), np.uint8)
        image[:60] = 100  # half the picture stays, so that it is no cut
        smooth = filter_(image, brightness_depth_m(image))
    assert filter_.cuts == 0
    assert smooth[100, 80] == pytest.approx(float(brightness_depth_m(image)[100, 80]), rel=0.1)


def test_depth_that_jumps_is_followed_without_a_change_of_picture() -> None:
    filter_, image = TemporalFilter(), room(0)
    depth = np.full((HEIGHT, WIDTH), 2.0, np.float32)
    for _ in range(5):
        filter_(image, depth)
    np.testing.assert_array_equal(filter_(image, depth * 2), depth * 2)


@pytest.mark.parametrize("same_histogram", [False, True])
def test_a_cut_starts_anew(same_histogram: bool) -> None:
    first = room(0)
    second = np.ascontiguousarray(first[::-1, ::-1]) if same_histogram else room(9)
    filter_, rng = TemporalFilter(), np.random.default_rng(3)
    for _ in range(10):
        frame = noisy(first, rng, 3)
        filter_(frame, brightness_depth_m(frame))
    assert filter_.cuts == 0
    frame = noisy(second, rng, 3)
    depth = brightness_depth_m(frame)
    np.testing.assert_array_equal(filter_(frame, depth), depth)
    assert filter_.cuts == 1


def test_nothing_remains_of_the_scene_before_a_cut() -> None:
    """Where two scenes look alike, their depth may still differ a little: the old one must go."""
    filter_ = TemporalFilter()
    first, second = room(0), room(9)
    second[:20] = first[:20]
    near = np.full((HEIGHT, WIDTH), 2.0, np.float32)
    for _ in range(10):
        filter_(first, near)
    np.testing.assert_array_equal(filter_(second, near * 1.1), near * 1.1)


def test_no_smoothing_changes_nothing() -> None:
    filter_, rng = TemporalFilter(0.0), np.random.default_rng(0)
    for _ in range(3):
        frame = noisy(room(0), rng, 8)
        depth = brightness_depth_m(frame)
        assert filter_(frame, depth) is depth


@pytest.mark.parametrize("shape", [(32, 32), (33, 57), (47, 130)])
def test_any_size(shape: tuple[int, int]) -> None:
    filter_, rng = TemporalFilter(), np.random.default_rng(0)
    for _ in range(3):
        frame = rng.integers(100, 110, (*shape, 3), dtype=np.uint8)
        assert filter_(frame, brightness_depth_m(frame)).shape == shape


@pytest.mark.parametrize("smoothing", [-0.1, 1.1, float("nan")])
def test_smoothing_out_of_range(smoothing: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        TemporalFilter(smoothing)
