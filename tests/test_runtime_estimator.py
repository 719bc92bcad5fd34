"""The geometry of prediction, on a bundle whose answers can be worked out by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from conftest import TRAINED, MakeBundle, brightness_depth_m
from densedepth.errors import ImageError
from densedepth.runtime import DepthEstimator, load
from densedepth.runtime.geometry import working_size
from densedepth.types import Camera


@pytest.fixture
def estimator(tiny_bundle: MakeBundle) -> DepthEstimator:
    return load(tiny_bundle(), threads=1)


def test_a_photo_of_the_training_size_is_seen_pixel_for_pixel(
    estimator: DepthEstimator, random_image: NDArray[np.uint8]
) -> None:
    depth = estimator.predict(random_image)
    np.testing.assert_allclose(depth.depth_m, brightness_depth_m(random_image), rtol=1e-5)
    np.testing.assert_array_equal(depth.image, random_image)
    assert depth.model == "tiny"
    assert depth.camera_source == "assumed"
    assert depth.camera is not None
    assert depth.camera.fx == pytest.approx(260)


def test_path_picture_and_array_agree(
    estimator: DepthEstimator, random_image: NDArray[np.uint8], tmp_path: Path
) -> None:
    Image.fromarray(random_image).save(tmp_path / "x.png")
    expected = estimator.predict(random_image).depth_m
    for source in (tmp_path / "x.png", Image.fromarray(random_image), (tmp_path / "x.png").read_bytes()):
        np.testing.assert_array_equal(estimator.predict(source).depth_m, expected)


def test_depth_follows_the_exif_turn(
    estimator: DepthEstimator, random_image: NDArray[np.uint8], tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(random_image).save(tmp_path / "x.png", exif=exif)
    depth = estimator.predict(tmp_path / "x.png")
    assert (depth.width, depth.height) == (240, 320)
    np.testing.assert_allclose(depth.depth_m, np.rot90(brightness_depth_m(random_image), -1), rtol=1e-5)


@given(st.integers(1, 20000), st.integers(1, 20000))
def test_working_size_has_the_training_diagonal(width: int, height: int) -> None:
    working_width, working_height = working_size(width, height, TRAINED)
    assert min(working_width, working_height) >= 32
    if max(width, height) <= 12 * min(width, height):
        assert math.hypot(working_width, working_height) == pytest.approx(400, abs=1)


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (900, 3), (33, 31), (640, 480), (500, 1100), (4000, 500)])
def test_any_size_comes_back_at_its_own_size(estimator: DepthEstimator, size: tuple[int, int]) -> None:
    depth = estimator.predict(Image.new("RGB", size, (128, 128, 128)))
    assert depth.depth_m.shape == size[::-1]
    assert depth.valid.all()
    np.testing.assert_allclose(depth.depth_m, 0.1 + 128 / 255 * 9, rtol=1e-4)


@pytest.mark.parametrize("scale", [1, 3])
def test_a_known_camera_scales_depth(estimator: DepthEstimator, scale: int) -> None:
    picture = Image.new("RGB", (320 * scale, 240 * scale), (255, 255, 255))
    plain = estimator.predict(picture).depth_m
    twice = Camera(520 * scale, 520 * scale, 0, 0, 320 * scale, 240 * scale)
    depth = estimator.predict(picture, camera=twice)
    # 18.2 m: beyond the network's own range, on purpose.
    np.testing.assert_allclose(depth.depth_m, plain * 2, rtol=1e-5)
    assert (depth.camera, depth.camera_source) == (twice, "given")


def test_focal_is_the_mean_of_both_axes(estimator: DepthEstimator) -> None:
    picture = Image.new("RGB", (320, 240), (255, 255, 255))
    depth = estimator.predict(picture, camera=Camera(260, 780, 160, 120, 320, 240))
    np.testing.assert_allclose(depth.depth_m, 9.1 * 2, rtol=1e-5)


def test_a_camera_of_another_resolution_is_rescaled(estimator: DepthEstimator) -> None:
    picture = Image.new("RGB", (320, 240), (255, 255, 255))
    depth = estimator.predict(picture, camera=Camera(1040, 1040, 640, 480, 1280, 960))
    assert depth.camera == Camera(260, 260, 160, 120, 320, 240)
    np.testing.assert_allclose(depth.depth_m, 9.1, rtol=1e-5)


def test_a_camera_of_another_shape_is_refused(estimator: DepthEstimator) -> None:
    with pytest.raises(ImageError, match="aspect"):
        estimator.predict(Image.new("RGB", (320, 240)), camera=Camera.from_fov(240, 320, 60))


def test_exif_focal_is_used(estimator: DepthEstimator, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 56
    Image.new("RGB", (320, 240), (255, 255, 255)).save(tmp_path / "x.jpg", exif=exif)
    depth = estimator.predict(tmp_path / "x.jpg")
    assert depth.camera_source == "exif"
    np.testing.assert_allclose(depth.depth_m, 9.1 * 56 / TRAINED.focal_35mm, rtol=1e-4)


def test_tta_averages_with_the_mirrored_prediction(tiny_bundle: MakeBundle, random_image: NDArray[np.uint8]) -> None:
    shifted = load(tiny_bundle(shift=True), threads=1)
    black = np.full((240, 1), 0.1, np.float32)
    at_pixel = brightness_depth_m(random_image)
    from_left = np.hstack([black, at_pixel[:, :-1]])
    from_right = np.hstack([at_pixel[:, 1:], black])
    np.testing.assert_allclose(shifted.predict(random_image).depth_m, from_left, rtol=1e-5)
    averaged = shifted.predict(random_image, tta=True).depth_m
    np.testing.assert_allclose(averaged, (from_left + from_right) / 2, rtol=1e-5)
