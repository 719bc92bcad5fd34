"""Photo and depth stay together: frames whose photo says where each pixel comes from, and so how deep it is."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from densedepth.data import AugmentConfig, Frame, augment, whole
from densedepth.data.augment import PERMUTATIONS, draw_view, generator, recolour
from densedepth.data.view import Pair, View, Window
from densedepth.types import Camera

HEIGHT, WIDTH = 120, 160
SIZE = (64, 96)
"""Aspect 3:2 out of a 4:3 frame: the largest window is 160 wide and 106.7 high."""
NOTHING = AugmentConfig(mirror=0, channel_swap=0)
MIRROR = replace(NOTHING, mirror=0.5)
ZOOM = replace(NOTHING, zoom_probability=0.8, max_zoom=2.0)
ROTATION = replace(NOTHING, rotation_deg=10.0)
EVERYTHING = AugmentConfig(0.5, 0, 0.8, 2.0, 10.0)

seeds = st.integers(0, 10_000)


def depth_at(x: NDArray[np.floating], y: NDArray[np.floating]) -> NDArray[np.floating]:
    """Metres at place (x, y) of the frame, each 0..1: a slanted plane, 0.5 to 9.5."""
    return 0.5 + 6 * x + 3 * y


def ramp_frame(camera: Camera | None = None) -> Frame:
    """Red is x, green is y, both as parts of 255; blue is 0."""
    x, y = np.meshgrid((np.arange(WIDTH) + 0.5) / WIDTH, (np.arange(HEIGHT) + 0.5) / HEIGHT)
    image = np.rint(np.stack([x, y, 0 * x], axis=2) * 255).astype(np.uint8)
    depth_m = depth_at(x, y).astype(np.float32)
    return Frame(image, depth_m, np.ones((HEIGHT, WIDTH), bool), camera, "scene", "key")


def draw(
    frame: Frame, config: AugmentConfig, seed: int, *, focal_px: float | None = None, size: tuple[int, int] = SIZE
) -> Pair:
    return augment(frame, size, config, generator(seed, 0, 0), focal_px=focal_px)


def halved(values: NDArray[np.floating]) -> NDArray[np.floating]:
    height, width = values.shape[:2]
    means: NDArray[np.floating] = values.reshape(height // 2, 2, width // 2, 2, -1).mean(axis=(1, 3))
    return means.squeeze()


def decoded(pair: Pair) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    """Depth that the photo tells, at half size, and where all four of its pixels lie well inside the frame."""
    places = halved(pair.image[..., :2].astype(np.float64)) / 255
    inside = pair.valid.copy()
    # The black of uncovered corners mixes into the pixels beside them.
    for axis in (0, 1):
        for step in (-1, 1):
            inside &= np.roll(pair.valid, step, axis)
    inside[[0, -1]] = inside[:, [0, -1]] = False
    return depth_at(places[..., 0], places[..., 1]), inside


def assert_together(pair: Pair) -> None:
    assert pair.image.shape == (*SIZE, 3)
    assert pair.image.dtype == np.uint8
    assert pair.image.flags.writeable, "torch warns of arrays that are not"
    assert pair.depth_m.flags.writeable
    assert pair.depth_m.shape == pair.valid.shape == (SIZE[0] // 2, SIZE[1] // 2)
    assert pair.depth_m.dtype == np.float32
    np.testing.assert_array_equal(pair.valid, pair.depth_m > 0)
    assert decoded(pair)[1].mean() > 0.5
    assert fits(pair, pair.depth_m)


def fits(pair: Pair, depth_m: NDArray[np.floating]) -> bool:
    """Depth is the nearest pixel's (.03 m), the photo rounds to 256 levels twice (.07 m) and down (.02 m).

    Without zoom, one pixel of the result is .12 m of depth in x and .08 m in y.
    """
    expected, inside = decoded(pair)
    error_m = (depth_m - expected)[inside]
    return bool(np.abs(error_m).max() < 0.09 and abs(error_m.mean()) < 0.04)


@pytest.mark.parametrize(
    "config", [NOTHING, MIRROR, ZOOM, ROTATION, EVERYTHING], ids=["none", "mirror", "zoom", "turn", "all"]
)
@settings(max_examples=40, deadline=None)
@given(seed=seeds)
def test_photo_and_depth_stay_together(config: AugmentConfig, seed: int) -> None:
    assert_together(draw(ramp_frame(), config, seed))


def test_the_check_above_sees_what_is_apart() -> None:
    pair = draw(ramp_frame(), NOTHING, 0)
    flips = [pair.depth_m[:, ::-1], pair.depth_m[::-1]]
    shifts = [np.roll(pair.depth_m, step, axis) for step in (-1, 1) for axis in (0, 1)]
    assert not any(fits(pair, wrong) for wrong in flips + shifts)
    for seed in range(20):
        pair = draw(ramp_frame(), EVERYTHING, seed)
        assert not fits(pair, np.where(pair.valid, pair.depth_m[:, ::-1], 0))


def test_mirror_mirrors_both() -> None:
    plain, flipped = (draw(ramp_frame(), replace(NOTHING, mirror=p), 3) for p in (0.0, 1.0))
    # Nearest neighbour and rounding may pick the pixel beside.
    np.testing.assert_allclose(flipped.depth_m[:, ::-1], plain.depth_m, atol=6 / 160 + 1e-4)
    np.testing.assert_allclose(flipped.image[:, ::-1].astype(int), plain.image.astype(int), atol=2)
    assert flipped.depth_m[5, 5] > plain.depth_m[5, 5] + 3


def test_probabilities() -> None:
    frame = ramp_frame()
    draws = [draw(frame, AugmentConfig(), seed, size=(32, 48)) for seed in range(400)]
    mirrored = sum(pair.depth_m[8, 2] > pair.depth_m[8, -3] for pair in draws)
    # 400 draws: standard deviation 10 around 200.
    assert 160 < mirrored < 240
    # A swap draws one of six orders; two of them leave the dark blue where it was.
    swapped = sum(int(pair.image[..., 2].max()) > 100 for pair in draws)
    assert 40 < swapped < 95, "400 * .25 * 4/6 = 67"


def test_channel_swap_leaves_depth() -> None:
    frame = ramp_frame()
    orders = set()
    for seed in range(60):
        plain, swapped = draw(frame, EVERYTHING, seed), draw(frame, replace(EVERYTHING, channel_swap=1.0), seed)
        np.testing.assert_array_equal(swapped.depth_m, plain.depth_m)
        orders |= {o for o in PERMUTATIONS if np.array_equal(swapped.image, plain.image[..., o])}
        assert any(np.array_equal(swapped.image, plain.image[..., order]) for order in PERMUTATIONS)
    assert len(set(PERMUTATIONS)) == 6
    assert orders == set(PERMUTATIONS)


def zoom_of(pair: Pair) -> float:
    """Frame pixels at zoom 1 (160 over 96) per pixel of the result, from the slope of red."""
    red = pair.image[..., 0].astype(np.float64)
    slope = np.abs(red[:, 80] - red[:, 15]).mean() / 65
    return float(255 / 96 / slope)


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_depth_is_divided_by_the_zoom(seed: int) -> None:
    # 100 px at 160 wide are 60 px at 96 wide.
    frame = ramp_frame(Camera(100, 100, 80, 60, WIDTH, HEIGHT))
    config = replace(ZOOM, mirror=0.5, zoom_probability=1.0)
    pair, unscaled = draw(frame, config, seed, focal_px=60), draw(frame, config, seed)
    zoom = zoom_of(pair)
    assert 0.98 < zoom < 2.04
    expected, inside = decoded(pair)
    ratio = (pair.depth_m / expected)[inside]
    assert np.median(ratio) == pytest.approx(1 / zoom, rel=0.02)
    np.testing.assert_allclose(unscaled.depth_m, pair.depth_m * (np.median(unscaled.depth_m / pair.depth_m)), rtol=1e-5)
    assert_together(unscaled)


def test_zooms_reach_from_one_to_the_largest() -> None:
    zooms = [zoom_of(draw(ramp_frame(), replace(ZOOM, zoom_probability=1.0), seed)) for seed in range(80)]
    assert min(zooms) < 1.15
    assert max(zooms) > 1.85
    # Drawn evenly on a logarithmic scale: half lie below sqrt(2).
    assert 1.25 < np.median(zooms) < 1.6
    assert max(zoom_of(draw(ramp_frame(), MIRROR, seed)) for seed in range(10)) < 1.02


@pytest.mark.parametrize("focal_px", [30.0, 60.0, 90.0])
def test_depth_follows_the_training_camera(focal_px: float) -> None:
    camera = Camera(80, 120, 80, 60, WIDTH, HEIGHT)  # mean 100, 60 at the network's size
    plain, scaled = whole(ramp_frame(), SIZE, focal_px=None), whole(ramp_frame(camera), SIZE, focal_px=focal_px)
    np.testing.assert_allclose(scaled.depth_m, plain.depth_m * focal_px / 60, rtol=1e-5)
    np.testing.assert_array_equal(scaled.image, plain.image)
    unknown = whole(ramp_frame(None), SIZE, focal_px=focal_px)
    np.testing.assert_array_equal(unknown.depth_m, plain.depth_m)


def test_uncovered_corners_are_invalid_and_look_like_the_photo() -> None:
    frame = replace(ramp_frame(), image=np.full((HEIGHT, WIDTH, 3), 200, np.uint8))
    for size in [(96, 128), (48, 64)]:  # interpolated and picked; the frame's own aspect: any turn uncovers corners
        turned = [draw(frame, replace(NOTHING, rotation_deg=15), seed, size=size) for seed in range(20)]
        assert np.mean([pair.valid.mean() for pair in turned]) < 0.97
        for pair in turned:
            assert (pair.image == 200).all(), "a black wedge would tell the network the turn"
            assert not pair.depth_m[~pair.valid].any()
        assert draw(frame, MIRROR, 0, size=size).valid.all()


@pytest.mark.parametrize("size", [SIZE, (32, 48)], ids=["interpolated", "picked"])
@settings(max_examples=60, deadline=None)
@given(
    x=st.floats(0.1, 0.9),
    y=st.floats(0.1, 0.9),
    seed=seeds,
    config=st.builds(
        AugmentConfig,
        mirror=st.floats(0, 1),
        channel_swap=st.floats(0, 1),
        zoom_probability=st.floats(0, 1),
        max_zoom=st.floats(1, 2),
        rotation_deg=st.floats(0, 15),
    ),
)
def test_the_depth_of_a_point_follows_its_pixel(
    size: tuple[int, int], x: float, y: float, seed: int, config: AugmentConfig
) -> None:
    """A bright square at 2 m on a dark wall at 8 m: wherever the photo shows it, depth says 2 m over the zoom."""
    image = np.full((HEIGHT, WIDTH, 3), 20, np.uint8)
    depth_m = np.full((HEIGHT, WIDTH), 8, np.float32)
    square = np.s_[int(y * HEIGHT) - 9 : int(y * HEIGHT) + 9, int(x * WIDTH) - 9 : int(x * WIDTH) + 9]
    image[square], depth_m[square] = 230, 2
    camera = Camera(100, 100, 80, 60, WIDTH, HEIGHT)
    frame = Frame(image, depth_m, depth_m > 0, camera, "scene", "key")
    pair = draw(frame, config, seed, size=size, focal_px=100 * size[1] / WIDTH)
    zoom = draw_view(config, generator(seed, 0, 0)).zoom
    levels = halved(pair.image.mean(axis=2))
    # Absolute, so that a square that is barely in view has no bright pixel rather than a mixed one.
    bright, dark = levels > 0.9 * 230, levels < 1.1 * 20
    np.testing.assert_allclose(pair.depth_m[bright & pair.valid], 2 / zoom, rtol=1e-5)
    np.testing.assert_allclose(pair.depth_m[dark & pair.valid], 8 / zoom, rtol=1e-5)
    # The centre of the square is where the two agree: no half pixel is lost on the way.
    unzoomed_m = pair.depth_m * zoom
    near = (unzoomed_m > 0) & (unzoomed_m < 5)
    if near[1:-1, 1:-1].sum() == near.sum() > 0 and pair.valid.all():
        for axis in (0, 1):
            weight = (levels - levels.min()).sum(axis=1 - axis)
            seen = np.average(np.arange(len(weight)), weights=weight)
            assert np.nonzero(near)[axis].mean() == pytest.approx(seen, abs=0.5)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_holes_are_never_mixed_in(seed: int) -> None:
    rng = np.random.default_rng(seed)
    frame = ramp_frame()
    valid = rng.random((HEIGHT, WIDTH)) < 0.5
    # What stands in a hole must not matter.
    holed = replace(frame, valid=valid, depth_m=np.where(valid, frame.depth_m, np.float32(1234)))
    pair = draw(holed, EVERYTHING, seed)
    assert set(np.unique(pair.depth_m)) <= {0.0, *np.unique(frame.depth_m[valid])}
    np.testing.assert_array_equal(pair.valid, pair.depth_m > 0)
    full = draw(frame, EVERYTHING, seed)
    # What comes in place of a hole comes from inside the pixel: 3.3 by 3.3 of the frame, .25 m at most.
    np.testing.assert_allclose(pair.depth_m[pair.valid], full.depth_m[pair.valid], atol=0.25)


def test_a_turn_keeps_distances_and_directions() -> None:
    window = Window(80, 60, 1.5, 1.5, math.radians(30), mirror=False)
    x, y = window.source(np.array([0.0, 10.0, 0.0]), np.array([0.0, 0.0, 10.0]))
    np.testing.assert_allclose(x - 80, [0, 15 * math.cos(math.pi / 6), -15 * math.sin(math.pi / 6)], atol=1e-9)
    np.testing.assert_allclose(y - 60, [0, 15 * math.sin(math.pi / 6), 15 * math.cos(math.pi / 6)], atol=1e-9)


def test_sparse_depth_is_not_thinned_out() -> None:
    rng = np.random.default_rng(0)
    valid = rng.random((HEIGHT, WIDTH)) < 0.05
    frame = replace(ramp_frame(), valid=valid, depth_m=np.where(valid, ramp_frame().depth_m, np.float32(0)))
    pair = whole(frame, (HEIGHT, WIDTH), focal_px=None)
    blocks = valid.reshape(HEIGHT // 2, 2, WIDTH // 2, 2).any(axis=(1, 3))
    np.testing.assert_array_equal(pair.valid, blocks)
    assert pair.valid.mean() > 3 * valid.mean()


def same(one: Pair, other: Pair) -> bool:
    return np.array_equal(one.image, other.image) and np.array_equal(one.depth_m, other.depth_m)


def test_draws_follow_from_seed_epoch_and_index() -> None:
    frame = ramp_frame()
    config = AugmentConfig(0.5, 0.5, 0.8, 1.5, 5.0, colour=0.2, blur_noise=0.5)

    def pair(seed: int, epoch: int, index: int) -> Pair:
        return augment(frame, SIZE, config, generator(seed, epoch, index), focal_px=None)

    first = pair(1, 2, 3)
    assert same(first, pair(1, 2, 3))
    assert not any(same(first, pair(*other)) for other in [(2, 2, 3), (1, 3, 3), (1, 2, 4), (3, 2, 1)])


def test_whole_is_the_frame_itself() -> None:
    frame = ramp_frame()
    pair = whole(frame, (HEIGHT, WIDTH), focal_px=None)
    np.testing.assert_array_equal(pair.image, frame.image)
    np.testing.assert_array_equal(pair.depth_m, frame.depth_m[1::2, 1::2])
    assert same(pair, whole(frame, (HEIGHT, WIDTH), focal_px=None))


def test_photo_is_averaged_when_it_shrinks() -> None:
    stripes = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    stripes[:, ::2] = 255
    frame = replace(ramp_frame(), image=stripes)
    image = whole(frame, (HEIGHT // 2, WIDTH // 2), focal_px=None).image
    # At the outer columns the filter sees one stripe less.
    assert np.abs(image[:, 2:-2].astype(float) - 127.5).max() < 2
    turned = View(angle=0.02).pair(frame, (HEIGHT // 2, WIDTH // 2), focal_px=None).image
    assert np.abs(turned.astype(float) - 127.5).mean() < 45, "picking one pixel would give 127.5"


@pytest.mark.parametrize(
    "config", [replace(NOTHING, colour=0.3), replace(NOTHING, blur_noise=1.0)], ids=["colour", "blur"]
)
def test_colour_and_noise_touch_the_photo_alone(config: AugmentConfig) -> None:
    frame = ramp_frame()
    plain = draw(frame, NOTHING, 0)
    for seed in range(5):
        changed = draw(frame, config, seed)
        np.testing.assert_array_equal(changed.depth_m, plain.depth_m)
        assert changed.image.dtype == np.uint8
        assert changed.image.shape == plain.image.shape
        assert not np.array_equal(changed.image, plain.image)
        # Still the same photo.
        correlation = np.corrcoef(changed.image.ravel(), plain.image.ravel())[0, 1]
        assert correlation > 0.9


def test_a_zoom_probability_without_a_zoom_is_the_whole() -> None:
    config = replace(NOTHING, zoom_probability=1.0, max_zoom=1.0)
    assert same(draw(ramp_frame(), config, 5), whole(ramp_frame(), SIZE, focal_px=None))
    assert math.isclose(zoom_of(draw(ramp_frame(), config, 5)), 1, rel_tol=0.02)


def test_colour_jitter_is_gamma_gain_contrast_and_saturation() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (32, 48, 3), dtype=np.uint8)
    pair = Pair(image, np.ones((16, 24), np.float32), np.ones((16, 24), bool))
    strength = 0.2
    for seed in range(10):
        jittered = recolour(pair, replace(NOTHING, colour=strength), generator(seed, 0, 0)).image
        draws = generator(seed, 0, 0)
        draws.random()  # the channel swap
        low, high = 1 - strength, 1 + strength
        gain = draws.uniform(low, high) * draws.uniform(1 - strength / 3, 1 + strength / 3, size=3)
        contrast, saturation = draws.uniform(low, high, size=2)
        gamma = np.exp(draws.uniform(-strength, strength))
        level = ((image / 255) ** gamma * gain).clip(0, 1)
        level = (level - 0.5) * contrast + 0.5
        grey = (level @ [0.299, 0.587, 0.114])[..., None]
        expected = (grey + saturation * (level - grey)).clip(0, 1) * 255
        # Two roundings to whole levels.
        assert np.abs(jittered - expected).max() < 1.3


def test_cut_depth_shows_depth_in_a_rectangle() -> None:
    frame = ramp_frame()
    frame.valid[40:60, 50:90] = False
    plain = draw(frame, NOTHING, 0)
    shares = []
    for seed in range(60):
        pair = recolour(draw(frame, NOTHING, 0), replace(NOTHING, cut_depth=1.0), generator(seed, 0, 0))
        np.testing.assert_array_equal(pair.depth_m, plain.depth_m)
        changed = (pair.image != plain.image).any(axis=2)
        rows, columns = np.nonzero(changed)
        cut = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        shown = (plain.depth_m * 255 / plain.depth_m.max()).astype(np.uint8).repeat(2, 0).repeat(2, 1)
        known = plain.valid.repeat(2, 0).repeat(2, 1)
        np.testing.assert_array_equal(pair.image[cut][known[cut]], shown[cut][known[cut]][:, None].repeat(3, 1))
        np.testing.assert_array_equal(pair.image[~known], plain.image[~known])
        shares.append(changed.mean())
    assert 0.03 < np.mean(shares) < 0.25
    assert same(recolour(draw(frame, NOTHING, 0), NOTHING, generator(0, 0, 0)), plain)
