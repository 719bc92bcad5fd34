"""Rendering: depth to the millimetre, frames that depend on seed and number alone, folders that go on.

Needs OpenGL without a screen (apt install libegl1 libgl1-mesa-dri); the furnished ones the furniture, too (apt install
sweethome3d-furniture).
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from densedepth.cli import main
from densedepth.data import NyuCsv
from densedepth.errors import DataError, DenseDepthError
from densedepth.rooms import FurnishedRooms, Plan, RoomsConfig, assets, find_assets
from densedepth.rooms.mesh import Material, Mesh
from densedepth.rooms.scene import Light, Scene, SceneBuilder
from densedepth.rooms.shell import add_shell
from densedepth.rooms.style import add_textures, sample_style
from densedepth.rooms.view import look
from densedepth.types import Camera, DepthMap

pytest.importorskip("moderngl", reason="needs moderngl: pip install densedepth[rooms]")
from densedepth.rooms.renderer import Renderer

WIDTH, HEIGHT = 160, 120


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    try:
        return Renderer(WIDTH, HEIGHT)
    except DenseDepthError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def furniture(renderer: Renderer) -> Path:
    try:
        return find_assets(None)
    except DataError as error:
        pytest.skip(str(error))


def scene_of(builder: SceneBuilder, extent: tuple[float, float, float]) -> Scene:
    lamp = Light("lamp", np.array([1.0, 1.0, 2.2]), np.full(3, 3.0))
    return builder.build([lamp], np.full((3, 3), 0.5), extent)


def empty_room(width_m: float, length_m: float, height_m: float) -> Scene:
    plan = Plan("office", (width_m, length_m), height_m)
    rng = np.random.default_rng(0)
    builder = SceneBuilder()
    add_textures(builder, rng, "office", set())
    add_shell(builder, plan, sample_style(rng))
    return scene_of(builder, (width_m, length_m, height_m))


def cast(vertices: NDArray[np.void], origin: NDArray[np.floating], rays: NDArray[np.floating]) -> NDArray[np.floating]:
    """Distance along each ray (N, 3) to the first triangle (Moeller and Trumbore 1997), in float64; inf for none."""
    points = vertices["point"].astype(np.float64)
    a, edge_1, edge_2 = points[0::3], points[1::3] - points[0::3], points[2::3] - points[0::3]
    nearest = np.full(len(rays), np.inf)
    for number, ray in enumerate(rays):
        p = np.cross(ray, edge_2)
        determinant = (edge_1 * p).sum(axis=1)
        usable = np.abs(determinant) > 1e-14
        inverse = 1 / np.where(usable, determinant, 1)
        to_a = origin - a
        u = (to_a * p).sum(axis=1) * inverse
        q = np.cross(to_a, edge_1)
        v = (q @ ray) * inverse
        t = (edge_2 * q).sum(axis=1) * inverse
        hit = usable & (u >= 0) & (v >= 0) & (u + v <= 1) & (t > 1e-6)
        nearest[number] = t[hit].min(initial=np.inf)
    return nearest


def rays_through(camera: Camera, to_camera: NDArray[np.floating], pixels: NDArray[np.int64]) -> NDArray[np.floating]:
    """Room-axes rays through pixel centres (row, column), one metre long along the optical axis."""
    x = (pixels[:, 1] + 0.5 - camera.cx) / camera.fx
    y = (pixels[:, 0] + 0.5 - camera.cy) / camera.fy
    rays: NDArray[np.floating] = np.stack([x, y, np.ones_like(x)], axis=1) @ to_camera[:3, :3]
    return rays


def test_a_room_is_as_large_as_it_was_planned(renderer: Renderer) -> None:
    """Width, length and height, measured in the points that depth and intrinsics give."""
    size = (4.2, 3.4, 2.6)
    renderer.load(empty_room(*size))
    camera = Camera(fx=80, fy=84, cx=78, cy=63, width=WIDTH, height=HEIGHT)
    position = np.array([2.0, 0.3, 1.3])
    to_camera = look(position, np.array([0.03, 1.0, -0.02]), 0.05)
    rendered = renderer.view(camera, to_camera)
    points, _ = DepthMap(rendered.depth_m, camera=camera).points()
    room = (points - to_camera[:3, 3]) @ to_camera[:3, :3]
    # Skirting boards stand 12 mm off the walls.
    high = room[room[:, 2] > 0.3]
    assert high[:, 0].max() == pytest.approx(size[0], rel=0.001)
    assert high[:, 0].min() == pytest.approx(0, abs=0.002)
    assert high[:, 1].max() == pytest.approx(size[1], rel=0.001)
    assert room[:, 2].min() == pytest.approx(0, abs=0.002)
    assert room[:, 2].max() == pytest.approx(size[2], rel=0.001)
    assert np.isfinite(rendered.light).all()
    assert rendered.light.min() >= 0
    assert rendered.light.mean() > 0.01


def test_depth_is_along_the_axis_and_rows_are_not_mirrored(renderer: Renderer) -> None:
    """A wall across the view has one depth everywhere; a box up left appears up left."""
    builder = SceneBuilder()
    builder.add(Mesh.box((40, 0.1, 40), Material("wall")).moved((0, 5.05, -20)))
    builder.add(Mesh.box((0.2, 0.2, 0.2), Material("box")).moved((-0.7, 3, 0.5)), "box")
    renderer.load(scene_of(builder, (1, 1, 1)))
    camera = Camera.from_fov(WIDTH, HEIGHT, 60)
    rendered = renderer.view(camera, look(np.zeros(3), np.array([0.0, 1.0, 0.0])))
    assert np.isfinite(rendered.light).all(), "where the view meets the wall at a right angle"
    wall = rendered.objects == 0
    np.testing.assert_allclose(rendered.depth_m[wall], 5, atol=1e-4)
    rows, columns = np.nonzero(rendered.objects == 1)
    front = rendered.depth_m[rows, columns].min()
    assert front == pytest.approx(2.9, abs=1e-4)
    assert columns.mean() == pytest.approx(camera.cx - 0.7 / 2.9 * camera.fx, abs=2)
    assert rows.mean() == pytest.approx(camera.cy - 0.6 / 2.9 * camera.fy, abs=2)
    nothing = renderer.view(camera, look(np.zeros(3), np.array([0.0, -1.0, 0.0])))
    assert (nothing.depth_m == 0).all()
    assert (nothing.objects == -1).all()


def test_lamp_shadow_falls_behind_the_box(renderer: Renderer) -> None:
    builder = SceneBuilder()
    builder.add(Mesh.box((6, 6, 0.1), Material("floor", (0.8, 0.8, 0.8))).moved((0, 0, -0.1)))
    builder.add(Mesh.box((0.4, 0.4, 0.4), Material("box")).moved((0, 0, 0)), "box")
    scene = scene_of(builder, (1, 1, 1))
    scene.lights[0].place = np.array([-1.0, 0.0, 1.2])
    scene.ambient[:] = 0
    renderer.load(scene)
    camera = Camera.from_fov(WIDTH, HEIGHT, 60)
    rendered = renderer.view(camera, look(np.array([0.001, 0.0, 4.0]), np.array([0.0, 0.001, -1.0])))

    def light_at(x: float, y: float) -> float:
        column, row = camera.cx + x / 4 * camera.fx, camera.cy - y / 4 * camera.fy
        return float(rendered.light[int(row), int(column)].mean())

    # Equally far from the lamp's foot, but one of them behind the box.
    assert light_at(0.35, 0.0) < 0.1 * light_at(-1.0, 1.35)


def furnished(furniture: Path, count: int = 12, **options: object) -> FurnishedRooms:
    config = RoomsConfig(WIDTH, HEIGHT, **options)  # type: ignore[arg-type]
    return FurnishedRooms(count, 11, config, furniture)


def test_depth_agrees_with_ray_casting_in_a_furnished_room(furniture: Path) -> None:
    rooms = furnished(furniture)
    rng = np.random.default_rng(0)
    for index in (0, 7):
        camera, rendered = rooms.render(index)
        _, scene = rooms.room(index // 6)
        to_camera = rooms.pose(index)
        pixels = np.stack([rng.integers(0, HEIGHT, 120), rng.integers(0, WIDTH, 120)], axis=1)
        origin = -to_camera[:3, :3].T @ to_camera[:3, 3]
        expected = cast(scene.vertices, origin, rays_through(camera, to_camera, pixels))
        got = rendered.depth_m[pixels[:, 0], pixels[:, 1]]
        # Leaves with holes are solid to the ray, and a ray along an edge may go either way.
        assert np.mean(np.abs(got - expected) < 1e-3) > 0.97
        assert np.median(np.abs(got - expected)) < 1e-4


def test_a_frame_depends_on_its_number_alone(furniture: Path) -> None:
    first, second = furnished(furniture), furnished(furniture)
    for index in (1, 0, 7):
        second[index]
    for index in (7, 1):
        one, other = first[index], second[index]
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.depth_m, other.depth_m)
        assert one.camera == other.camera
    assert (first[1].image != first[2].image).any()
    camera = first[1].camera
    assert camera is not None
    assert 45 <= np.degrees(2 * np.arctan(WIDTH / 2 / camera.fx)) <= 80


def test_command_writes_a_data_set_and_goes_on(
    furniture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(name: str, *extra: str) -> Path:
        words = ["data", "rooms", "--out", str(tmp_path / name), "--frames", "7", "--seed", "4", "--size", "96x72"]
        assert main([*words, "--views-per-room", "3", "--test-fraction", "0.3", *extra]) == 0, capsys.readouterr().err
        return tmp_path / name

    out = run("one", "--workers", "1")
    files = {path.relative_to(out): path for path in out.rglob("*") if path.is_file()}
    train, test = NyuCsv(out, "train"), NyuCsv(out, "test")
    assert (len(train), len(test)) == (4, 3)
    assert not set(train.scenes) & set(test.scenes)
    assert train[0].image.shape == (72, 96, 3)
    assert 0.3 < np.median(train[0].depth_m) < 12
    with (out / "data" / "intrinsics.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 7
    text = (out / "CREDITS.md").read_text()
    for word in ("CC BY 3.0", "creativecommons.org/licenses/by/3.0", "Scopia", "Kator Legaz", "sofa"):
        assert word in text

    lost = sorted(path for path in files if path.suffix == ".jpg")[2]
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.png")}
    content = {path: full.read_bytes() for path, full in files.items()}
    (out / lost).unlink()
    run("one", "--workers", "1")
    assert "1 rendered and 6 there before" in capsys.readouterr().out
    assert sum(path.stat().st_mtime_ns != time for path, time in before.items()) == 1
    other = run("two", "--workers", "2")
    for path, data in content.items():
        assert (out / path).read_bytes() == data, f"{path} after going on"
        assert (other / path).read_bytes() == data, f"{path} in two processes"

    words = ["data", "rooms", "--out", str(out), "--frames", "7", "--seed", "5", "--size", "96x72"]
    assert main([*words, "--views-per-room", "3", "--test-fraction", "0.3"]) == 1
    assert "seed" in capsys.readouterr().err


@pytest.mark.slow
def test_views_show_eight_objects_and_no_holes(furniture: Path) -> None:
    """40 rooms, one view each; an object counts from 20 pixels of 19200 on."""
    rooms = furnished(furniture, 40, views_per_room=1)
    counts, middles = [], []
    for index in range(len(rooms)):
        _, rendered = rooms.render(index)
        assert (rendered.depth_m > 0).all(), rooms.scenes[index]
        assert np.isfinite(rendered.light).all(), rooms.scenes[index]
        numbers, pixels = np.unique(rendered.objects, return_counts=True)
        counts.append(int(((numbers > 0) & (pixels >= 20)).sum()))
        middles.append(np.median(rendered.depth_m))
    print(f"objects in view: mean {np.mean(counts):.1f}, median {np.median(counts):.0f}")
    assert np.mean(counts) >= 8
    # The labelled NYU frames have a mean median of 2.8 m.
    assert 2.2 < np.mean(middles) < 3.4


def test_installed_furniture_has_what_the_roles_name(furniture: Path) -> None:
    from densedepth.rooms import open_catalogue
    from densedepth.rooms.roles import ROLES, keys_of

    if furniture != assets.INSTALLED:
        pytest.skip("another version of the furniture")
    pieces = open_catalogue(furniture).pieces
    missing = [key for role in ROLES for key in keys_of(role) if key not in pieces]
    assert not missing
