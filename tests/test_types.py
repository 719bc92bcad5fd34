"""Camera and DepthMap keep their promises."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from densedepth.types import Camera, DepthMap

sides = st.integers(1, 5000)


def test_camera_from_fov_of_90_degrees_has_focal_of_half_the_width() -> None:
    camera = Camera.from_fov(640, 480, 90)
    assert camera.fx == pytest.approx(320)
    assert (camera.fy, camera.cx, camera.cy) == (camera.fx, 320, 240)


def test_camera_from_35mm_goes_by_the_diagonal() -> None:
    camera = Camera.from_focal_35mm(300, 400, 43.2666)
    assert camera.fx == pytest.approx(500, rel=1e-4)
    assert camera.focal_35mm == pytest.approx(43.2666)


@given(sides, sides, st.floats(1, 179), sides, sides)
def test_camera_round_trips(width: int, height: int, fov: float, new_width: int, new_height: int) -> None:
    camera = Camera.from_fov(width, height, fov)
    assert Camera.from_dict(camera.to_dict()) == camera
    back = camera.resized(new_width, new_height).resized(width, height)
    assert back.fx == pytest.approx(camera.fx)
    assert back.cy == pytest.approx(camera.cy)


@pytest.mark.parametrize(
    "values",
    [
        (0, 1, 0, 0, 1, 1),
        (1, math.nan, 0, 0, 1, 1),
        (1, 1, math.inf, 0, 1, 1),
        (1, 1, 0, 0, 0, 1),
        (1, 1, 0, 0, 1.5, 1),
    ],
)
def test_camera_refuses_nonsense(values: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="camera"):
        Camera(*values)  # type: ignore[arg-type]


@pytest.mark.parametrize("values", [{}, {"fx": 1}, [1], {**Camera.from_fov(4, 3, 60).to_dict(), "fx": "1"}])
def test_camera_from_dict_refuses_what_is_no_camera(values: object) -> None:
    with pytest.raises(ValueError, match="camera"):
        Camera.from_dict(values)  # type: ignore[arg-type]


@pytest.mark.parametrize("degrees", [0, 180, math.nan])
def test_camera_refuses_impossible_fov(degrees: float) -> None:
    with pytest.raises(ValueError, match="field of view"):
        Camera.from_fov(4, 3, degrees)


def test_depth_map_derives_valid_and_zeroes_the_rest() -> None:
    given_m = np.array([[1, 0, -1], [np.nan, np.inf, 2.5]], np.float32)
    depth = DepthMap(given_m)
    assert depth.valid.tolist() == [[True, False, False], [False, False, True]]
    assert depth.depth_m.tolist() == [[1, 0, 0], [0, 0, 2.5]]
    assert np.isnan(given_m[1, 0]), "the caller's array is left alone"
    assert (depth.width, depth.height, depth.range_m) == (3, 2, (1.0, 2.5))
    assert DepthMap(np.zeros((2, 2), np.float32)).range_m is None


def test_depth_map_keeps_a_narrower_mask() -> None:
    depth = DepthMap(np.ones((1, 2), np.float32), np.array([[True, False]]))
    assert depth.depth_m.tolist() == [[1, 0]]


@pytest.mark.parametrize(
    "arguments",
    [
        {"depth_m": [[1.0]]},
        {"depth_m": np.ones((2, 2))},
        {"depth_m": np.ones(4, np.float32)},
        {"depth_m": np.ones((0, 4), np.float32)},
        {"depth_m": np.ones((2, 2), np.float32), "valid": np.ones((2, 3), bool)},
        {"depth_m": np.ones((2, 2), np.float32), "valid": np.ones((2, 2), np.uint8)},
        {"depth_m": np.zeros((2, 2), np.float32), "valid": np.ones((2, 2), bool)},
        {"depth_m": np.ones((2, 2), np.float32), "image": np.zeros((2, 2), np.uint8)},
        {"depth_m": np.ones((2, 2), np.float32), "camera": Camera.from_fov(3, 2, 60)},
        {"depth_m": np.ones((2, 2), np.float32), "camera_source": "guessed"},
    ],
)
def test_depth_map_refuses_wrong_arrays_in_one_line(arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  the line is checked below
        DepthMap(**arguments)  # type: ignore[arg-type]
    assert str(caught.value)
    assert "\n" not in str(caught.value)


def test_points_follow_the_pinhole() -> None:
    depth_m = np.full((2, 4), 3, np.float32)
    depth_m[0, 0] = 0
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    camera = Camera(fx=2, fy=4, cx=2, cy=1, width=4, height=2)
    xyz_m, rgb = DepthMap(depth_m, camera=camera, image=image).points()
    assert xyz_m.dtype == np.float32
    assert xyz_m.shape == (7, 3)
    assert rgb is not None
    assert rgb[0].tolist() == [3, 4, 5]
    # Lower right pixel: centre (3.5, 1.5), so 1.5 right and 0.5 below the axis.
    np.testing.assert_allclose(xyz_m[-1], [1.5 / 2 * 3, 0.5 / 4 * 3, 3])


def test_points_need_a_camera() -> None:
    with pytest.raises(ValueError, match="from_fov"):
        DepthMap(np.ones((2, 2), np.float32)).points()
