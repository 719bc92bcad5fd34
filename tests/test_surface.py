"""Breaks of the depth, flying pixels and normals, on scenes whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from densedepth.errors import DepthFileError
from densedepth.io import surface
from densedepth.io.surface import flying_pixels
from densedepth.types import Camera, DepthMap

WIDTH, HEIGHT = 160, 120
CAMERA = Camera.from_fov(WIDTH, HEIGHT, 60)


def rays() -> np.ndarray:
    """(H, W, 3), z = 1."""
    columns, rows = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    x, y = (columns - CAMERA.cx) / CAMERA.fx, (rows - CAMERA.cy) / CAMERA.fy
    return np.stack([x, y, np.ones_like(x)], axis=-1)


def plane(normal: tuple[float, float, float], distance_m: float = 2.0) -> tuple[DepthMap, np.ndarray]:
    """The part before the camera of the plane n . P = -distance, with its unit normal towards the camera."""
    unit = np.array(normal) / np.linalg.norm(normal)
    with np.errstate(divide="ignore"):
        depth_m = -distance_m / (rays() @ unit)
    depth_m = np.where((depth_m > 0) & (depth_m < 80), depth_m, 0).astype(np.float32)
    return DepthMap(depth_m, camera=CAMERA), unit


def step(*between: float) -> DepthMap:
    """A wall at 1 m, columns at these depths, and a wall at 3 m."""
    depth_m = np.ones((HEIGHT, WIDTH), np.float32)
    depth_m[:, 80:] = 3
    for number, value in enumerate(between):
        depth_m[:, 80 + number] = value
    return DepthMap(depth_m, camera=CAMERA)


slants = st.tuples(st.floats(-1, 1), st.floats(-1, 1), st.floats(-1, -0.02)).filter(lambda n: np.linalg.norm(n) > 0.1)


@settings(max_examples=40, deadline=None)
@given(slants)
def test_normals_of_planes(normal: tuple[float, float, float]) -> None:
    depth, unit = plane(normal)
    found = depth.normals()
    assert np.all(found[~depth.valid] == 0)
    cosine = (found @ unit)[depth.valid]
    # A few pixels right before the horizon have no neighbours that could tell.
    assert np.count_nonzero(cosine < np.cos(np.radians(0.5))) <= 12


@settings(max_examples=40, deadline=None)
@given(slants)
def test_planes_have_no_flying_pixels_and_no_breaks(normal: tuple[float, float, float]) -> None:
    """Also those seen at an angle far under the limit: what is slanted all over is a surface."""
    depth, _ = plane(normal)
    assert not flying_pixels(depth).any()
    near = surface.nearness(depth)
    broken = surface.breaks(near, CAMERA.fx, 5.0, reach := 8) != 0
    # Between the picture's border and the horizon there may be too few pixels to tell.
    far_left = np.pad(near > 0, ((0, 0), (reach, 0)))[:, : WIDTH - 1]
    far_right = np.pad(near > 0, ((0, 0), (0, reach)))[:, 1 + reach :]
    assert not (broken & (far_left | far_right)).any()
    assert np.count_nonzero(broken) <= 12


def test_a_floor_up_to_the_horizon_stays() -> None:
    depth, _ = plane((0, -1, 0), 1.5)
    assert depth.depth_m.max() > 50
    assert not flying_pixels(depth).any()


def test_normals_have_unit_length_and_face_the_camera() -> None:
    z = 2 + 0.3 * np.sin(np.arange(WIDTH) / 9)[None, :] * np.cos(np.arange(HEIGHT) / 7)[:, None]
    depth = DepthMap(z.astype(np.float32), camera=CAMERA)
    found = depth.normals()
    np.testing.assert_allclose(np.linalg.norm(found, axis=-1), 1, atol=1e-5)
    assert ((found * depth.xyz_grid_m()).sum(axis=-1) < 0).all()


def test_normals_of_a_ball() -> None:
    ray, centre = rays(), np.array([0.1, -0.2, 3.0])
    half_b, c = ray @ centre, centre @ centre - 1
    a = (ray**2).sum(axis=-1)
    under = half_b**2 - a * c
    depth_m = np.where(under > 0, (half_b - np.sqrt(np.maximum(under, 0))) / a, 0).astype(np.float32)
    depth = DepthMap(depth_m, camera=CAMERA)
    outward = depth.xyz_grid_m() - centre
    facing = -(outward * ray).sum(axis=-1) / np.linalg.norm(ray, axis=-1)
    middle = depth.valid & (facing > 0.4)
    cosine = (depth.normals() * outward).sum(axis=-1)[middle]
    assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < 2.5


def test_normals_do_not_bend_at_an_edge() -> None:
    np.testing.assert_allclose(step().normals(), np.broadcast_to([0, 0, -1], (HEIGHT, WIDTH, 3)), atol=1e-4)


@pytest.mark.parametrize("between", [(2.0,), (1.2,), (2.7,), (1.3, 2.0, 2.6), (1.4, 1.8, 2.2, 2.6)])
def test_flying_pixels_of_a_blurred_edge_go_and_the_walls_stay(between: tuple[float, ...]) -> None:
    depth = step(*between)
    flying = flying_pixels(depth)
    expected = np.zeros_like(flying)
    expected[:, 80 : 80 + len(between)] = True
    assert (flying & ~expected).sum() == 0
    assert flying[:, 80 : 80 + len(between)].mean() >= 0.99
    np.testing.assert_array_equal(flying_pixels(DepthMap(depth.depth_m.T.copy(), camera=turned())), flying.T)


def turned() -> Camera:
    return Camera(CAMERA.fy, CAMERA.fx, CAMERA.cy, CAMERA.cx, HEIGHT, WIDTH)


def test_what_stays() -> None:
    """A sharp edge, and a pole one pixel thin before a wall."""
    assert not flying_pixels(step()).any()
    depth = step()
    depth.depth_m[:, 100] = 1.5
    assert not flying_pixels(depth).any()


def test_strength() -> None:
    depth = step(*np.linspace(1, 3, 9)[1:-1])
    counts = [int(flying_pixels(depth, grazing_deg).sum()) for grazing_deg in (0, 1, 5, 10)]
    assert counts[0] == 0
    assert counts == sorted(counts)
    assert counts[1] < counts[2] > 0
    assert depth.without_flying_pixels(0) is depth


def test_without_flying_pixels_leaves_a_whole_map() -> None:
    depth = step(2.0)
    clean = depth.without_flying_pixels()
    assert clean.valid.sum() == depth.valid.sum() - HEIGHT
    assert (clean.depth_m[~clean.valid] == 0).all()
    assert clean.camera == depth.camera


def test_holes_are_no_edges() -> None:
    depth_m = np.full((HEIGHT, WIDTH), 2, np.float32)
    depth_m[np.random.default_rng(0).random(depth_m.shape) < 0.4] = 0
    depth = DepthMap(depth_m, camera=CAMERA)
    assert not flying_pixels(depth).any()
    np.testing.assert_allclose(depth.normals()[depth.valid] @ [0, 0, -1], 1, atol=1e-4)


def test_bands_do_not_change_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    depth = DepthMap((rng.random((HEIGHT, WIDTH)) * 3 + 0.5).astype(np.float32), camera=CAMERA)
    flying, found = flying_pixels(depth), depth.normals()
    monkeypatch.setattr(surface, "_ROWS_AT_ONCE", 7)
    np.testing.assert_array_equal(flying_pixels(depth), flying)
    for top in range(0, HEIGHT, 17):
        rows = slice(top, top + 17)
        np.testing.assert_array_equal(surface.normals(depth, rows), found[rows])


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (2, 2), (5, 1)])
def test_tiny_maps(shape: tuple[int, int]) -> None:
    depth = DepthMap(np.ones(shape, np.float32), camera=Camera.from_fov(shape[1], shape[0], 60))
    assert not flying_pixels(depth).any()
    np.testing.assert_allclose(depth.normals()[..., 2], -1)


def test_a_camera_is_needed() -> None:
    depth = DepthMap(np.ones((4, 4), np.float32))
    for wants in (depth.normals, depth.without_flying_pixels, depth.mesh):
        with pytest.raises(DepthFileError, match=r"Camera\.from_fov"):
            wants()
