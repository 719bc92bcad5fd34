"""Velodyne points to a depth map: worked out by hand, against a slow second way, and on real frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from densedepth.data.readers.lidar import (
    LidarCamera,
    read_object_calibration,
    read_raw_calibration,
    read_raw_camera,
    read_velodyne,
)
from densedepth.errors import DataError
from densedepth.types import DepthMap

WIDTH, HEIGHT = 124, 38
#: x forward, y left, z up to x right, y down, z forward.
TURN = np.array([[0, -1, 0], [0, 0, -1], [1, 0, 0]], float)
PLAIN = np.array([[72, 0, 61, 0], [0, 72, 17, 0], [0, 0, 1, 0]], float)


def simple(projection: NDArray[np.float64] = PLAIN) -> LidarCamera:
    turned = np.vstack([np.hstack([TURN, np.zeros((3, 1))]), [0, 0, 0, 1]])
    return LidarCamera(projection @ turned, projection, None, "calib")


def numbers(matrix: object) -> str:
    return " ".join(f"{value:.12e}" for value in np.ravel(np.asarray(matrix)))


def depth_map(*points: tuple[float, float, float]) -> NDArray[np.float32]:
    return simple().depth_map_m(np.array(points, np.float32), WIDTH, HEIGHT, "frame")


def test_known_points() -> None:
    # 10 m ahead, 1 m to the right, 0.5 m down: u = 61 + 72 / 10 = 68.2, v = 17 + 36 / 10 = 20.6.
    depth_m = depth_map((10, -1, -0.5))
    assert depth_m.dtype == np.float32
    assert depth_m.shape == (HEIGHT, WIDTH)
    assert np.argwhere(depth_m).tolist() == [[21 - 1, 68 - 1]]
    assert depth_m[20, 67] == 10


def test_the_nearest_point_wins_in_any_order() -> None:
    far, near, middle = (20, 0, 0), (5, 0, 0), (10, 0, 0)
    for order in ((far, near, middle), (near, far, middle), (middle, far, near)):
        depth_m = depth_map(*order)
        assert np.count_nonzero(depth_m) == 1
        assert depth_m.max() == 5


def test_points_behind_and_outside_are_dropped() -> None:
    # The first would be mirrored into the picture, the others lie left, right, above and below of it.
    assert not depth_map((-10, 1, 0.5), (0, 0, 0), (10, 9, 0), (10, -9, 0), (10, 0, 3), (10, 0, -3)).any()


def test_the_corners() -> None:
    def at(u: float, v: float) -> tuple[float, float, float]:
        return 10.0, -(u - 61) / 7.2, -(v - 17) / 7.2

    depth_m = depth_map(at(1, 1), at(WIDTH, HEIGHT), at(WIDTH + 0.6, 5), at(5, HEIGHT + 0.6), at(0.4, 5), at(5, 0.4))
    assert np.argwhere(depth_m).tolist() == [[0, 0], [HEIGHT - 1, WIDTH - 1]]


def write_raw_calibration(day: Path, object_file: Path) -> None:
    """The numbers of an object calibration in the two files of KITTI raw."""
    entries = dict(line.split(":") for line in object_file.read_text().splitlines() if ":" in line)
    to_camera0 = np.array(entries["Tr_velo_to_cam"].split(), float).reshape(3, 4)
    day.mkdir()
    (day / "calib_velo_to_cam.txt").write_text(
        "calib_time: 15-Mar-2012 11:37:16\n"
        f"R: {numbers(to_camera0[:, :3])}\nT: {numbers(to_camera0[:, 3])}\ndelta_f: 0.0e+00 0.0e+00\n"
    )
    (day / "calib_cam_to_cam.txt").write_text(
        "calib_time: 09-Jan-2012 13:57:47\ncorner_dist: 9.950000e-02\nS_rect_02: 1.242000e+03 3.750000e+02\n"
        f"R_rect_00: {entries['R0_rect']}\nP_rect_02: {entries['P2']}\nP_rect_03: {entries['P3']}\n"
    )


def write_object_calibration(path: Path) -> Path:
    """Numbers of the size of KITTI's: a slight turn everywhere, and a camera beside camera 0."""
    small = np.array([[1, 0.01, -0.008], [-0.01, 1, -0.004], [0.008, 0.004, 1]])
    projection = np.array([[72, 0, 61, 4.5], [0, 72, 17, 0.2], [0, 0, 1, 0.003]])
    to_camera0 = np.hstack([small @ TURN, [[-0.004], [-0.076], [-0.27]]])
    path.write_text(
        f"P2: {numbers(projection)}\nP3: {numbers(projection + 1)}\n"
        f"R0_rect: {numbers(small)}\nTr_velo_to_cam: {numbers(to_camera0)}\n\n"
    )
    return path


def test_against_a_slow_second_way(tmp_path: Path) -> None:
    """Point by point from the file's numbers, as KITTI's paper writes it."""
    path = write_object_calibration(tmp_path / "000000.txt")
    entries = dict(line.split(":") for line in path.read_text().splitlines() if line)
    p, r, t = (np.array(entries[name].split(), float) for name in ("P2", "R0_rect", "Tr_velo_to_cam"))
    points = np.random.default_rng(0).uniform((-5, -20, -3, 0), (40, 20, 3, 1), (3000, 4)).astype(np.float32)
    expected = np.zeros((HEIGHT, WIDTH))
    for point in points:
        camera0 = t.reshape(3, 4) @ [*point[:3], 1]
        u_w, v_w, w = p.reshape(3, 4) @ [*(r.reshape(3, 3) @ camera0), 1]
        column, row = int(np.round(u_w / w)) - 1, int(np.round(v_w / w)) - 1
        if w > 0 and 0 <= column < WIDTH and 0 <= row < HEIGHT:
            expected[row, column] = min(w, expected[row, column] or np.inf)
    found = read_object_calibration(path).depth_map_m(points, WIDTH, HEIGHT, "frame")
    assert np.count_nonzero(expected) > 500
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_raw_and_object_calibration_agree(tmp_path: Path) -> None:
    path = write_object_calibration(tmp_path / "000000.txt")
    write_raw_calibration(tmp_path / "2011_09_26", path)
    raw, other = read_raw_calibration(tmp_path / "2011_09_26"), read_object_calibration(path)
    np.testing.assert_allclose(raw.velodyne_to_image, other.velodyne_to_image)
    assert (raw.size, other.size) == ((1242, 375), None)
    projection = read_raw_camera(tmp_path / "2011_09_26", "03")
    assert projection is not None
    np.testing.assert_allclose(projection, raw.projection + 1)
    assert read_raw_camera(tmp_path) is None


def test_depth_and_camera_belong_together() -> None:
    """Going back through the frame's camera leads to the points, half a pixel at most and none on average."""
    points = np.random.default_rng(0).uniform((8, -6, -2), (12, 6, 2), (4000, 3))
    scanner = simple()
    rows, columns, depth_m, index = scanner.pixels(points, WIDTH, HEIGHT)
    grid = np.zeros((HEIGHT, WIDTH), np.float32)
    errors = []
    for row, column, z, i in zip(rows, columns, depth_m, index, strict=True):
        grid[row, column] = z
        back = DepthMap(grid, camera=scanner.camera(WIDTH, HEIGHT)).xyz_grid_m(slice(row, row + 1))[0, column]
        errors.append((back - TURN @ points[i])[:2] * 72 / z)
    assert np.abs(errors).max() < 0.501
    assert np.abs(np.mean(errors, axis=0)).max() < 0.02


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "0 bytes are no whole number of points"),
        (np.zeros(9, "<f4").tobytes(), "36 bytes are no whole number of points of 16 bytes"),
        (np.zeros(8, "<f4").tobytes()[:-3], "29 bytes"),
        (np.array([1, np.nan, 2, 3], "<f4").tobytes(), "NaN or infinite"),
    ],
)
def test_damaged_scan(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "0000000005.bin"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_velodyne(path)
    assert str(path) in str(caught.value)


def test_scan(tmp_path: Path) -> None:
    np.arange(8, dtype="<f4").tofile(tmp_path / "a.bin")
    assert read_velodyne(tmp_path / "a.bin").tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    with pytest.raises(DataError, match="no such velodyne scan"):
        read_velodyne(tmp_path / "b.bin")


def test_damaged_calibration(tmp_path: Path) -> None:
    path = write_object_calibration(tmp_path / "000000.txt")
    whole = path.read_text()
    for text, message in (
        (whole.replace("Tr_velo_to_cam", "Tr"), "'Tr_velo_to_cam' should have 12 numbers and is missing"),
        (whole.replace("R0_rect:", "R0_rect: 1"), "'R0_rect' should have 9 numbers and has 10"),
        (whole.replace("P2: ", "P2: nan "), "'P2' should have 12 numbers and is missing"),
        ("", "'P2' should have 12 numbers"),
    ):
        path.write_text(text)
        with pytest.raises(DataError, match=message) as caught:
            read_object_calibration(path)
        assert str(caught.value).startswith(f"{path}: ")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"000000\.txt: cannot be read as a calibration"):
        read_object_calibration(path)
    with pytest.raises(DataError, match=r"calib_cam_to_cam\.txt: no such calibration"):
        read_raw_calibration(tmp_path)


def test_photo_of_another_size(tmp_path: Path) -> None:
    write_raw_calibration(tmp_path / "day", write_object_calibration(tmp_path / "000000.txt"))
    with pytest.raises(DataError, match=r"frame: the photo is 621x187, its calibration .* is for 1242x375"):
        read_raw_calibration(tmp_path / "day").depth_map_m(np.ones((1, 4), np.float32), 621, 187, "frame")


# Real frames


@pytest.fixture(params=["000000", "000001"])
def real(shared: Path, request: pytest.FixtureRequest) -> tuple[Image.Image, LidarCamera, NDArray[np.float32]]:
    folder, name = shared / "kitti" / "object", request.param
    photo = Image.open(folder / "image_2" / f"{name}.png").convert("L")
    scanner = read_object_calibration(folder / "calib" / f"{name}.txt")
    return photo, scanner, read_velodyne(folder / "velodyne" / f"{name}.bin")


def test_real_depth_is_plausible(real: tuple[Image.Image, LidarCamera, NDArray[np.float32]]) -> None:
    photo, scanner, points = real
    depth_m = scanner.depth_map_m(points, *photo.size, "frame")
    rows_with_depth = np.flatnonzero(depth_m.any(axis=1))
    assert 0.03 < np.mean(depth_m > 0) < 0.06
    # The scanner looks at most 2 degrees up: the upper third of the photo is empty, the lower half is not.
    assert 0.25 < rows_with_depth[0] / photo.height < 0.45
    assert rows_with_depth[-1] > photo.height - 10
    assert 3 < depth_m[depth_m > 0].min() < 6
    assert 50 < depth_m.max() < 120
    # The road comes nearer towards the lower edge.
    road = depth_m[:, photo.width * 2 // 5 : photo.width * 3 // 5]
    medians = [np.median(strip[strip > 0]) for strip in np.array_split(road[220:], 5)]
    assert np.all(np.diff(medians) < 0)


def test_real_points_lie_where_the_photo_shows_them(real: tuple[Image.Image, LidarCamera, NDArray[np.float32]]) -> None:
    """What reflects well is bright: small details of both agree, but not after mirroring, turning or shifting.

    The correlations themselves are small; by chance they would be 0.008.
    """
    photo, scanner, points = real
    fine, coarse = (np.asarray(photo.filter(ImageFilter.GaussianBlur(sigma)), float) for sigma in (1, 6))
    rows, columns, depth_m, index = scanner.pixels(points, *photo.size)
    reflectance = points[index, 3].astype(float)
    reflectance -= np.convolve(reflectance, np.full(15, 1 / 15), "same")

    def agreement(r: NDArray[np.intp], c: NDArray[np.intp]) -> float:
        inside = (depth_m < 25) & (r >= 0) & (r < photo.height) & (c >= 0) & (c < photo.width)
        return float(np.corrcoef((fine - coarse)[r[inside], c[inside]], reflectance[inside])[0, 1])

    here = agreement(rows, columns)
    wrong = [
        agreement(rows, photo.width - 1 - columns),
        agreement(photo.height - 1 - rows, columns),
        agreement(photo.height - 1 - rows, photo.width - 1 - columns),
        *(agreement(rows, columns + shift) for shift in (-40, -20, -10, 10, 20, 40)),
    ]
    assert here > 0.035
    assert max(wrong) < here / 2
