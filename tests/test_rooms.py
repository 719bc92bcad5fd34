"""Furnished rooms without furniture files and without OpenGL: plans, meshes, textures, the catalogue."""

from __future__ import annotations

import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from densedepth.cli import main
from densedepth.errors import DataError
from densedepth.rooms import Catalogue, Item, Piece, Plan, assets, find_assets, kinds, open_catalogue, sample_plan
from densedepth.rooms import textures as surfaces
from densedepth.rooms.columns import Columns
from densedepth.rooms.mesh import Material, Mesh, load_mesh, save_mesh
from densedepth.rooms.photo import develop
from densedepth.rooms.plan import interpenetrate
from densedepth.rooms.roles import ROLES, keys_of
from densedepth.rooms.shapes import block, grid
from densedepth.rooms.view import sample_view
from densedepth.types import Camera

SIZES = {
    "sofa": (2.0, 0.9, 0.8),
    "corner sofa": (2.5, 1.6, 0.8),
    "bed": (1.6, 2.1, 0.9),
    "single bed": (1.0, 2.0, 0.8),
    "dining table": (1.5, 0.9, 0.75),
    "desk": (1.4, 0.7, 0.74),
    "wardrobe": (1.5, 0.6, 2.0),
    "fridge": (0.6, 0.6, 1.7),
    "bath": (1.7, 0.7, 0.6),
}
SMALL = ("thing", "small", "lamp", "setting", "computer")


def box_catalogue() -> Catalogue:
    """A box for every piece that a role names."""
    pieces: dict[str, Piece] = {}
    for role in ROLES:
        size = SIZES.get(role, (0.15, 0.12, 0.2) if any(word in role for word in SMALL) else (0.5, 0.5, 0.8))
        pieces |= {key: Piece(key, role, size) for key in keys_of(role)}
    return Catalogue(pieces)


CATALOGUE = box_catalogue()


@cache
def plan_of(seed: int) -> Plan:
    return sample_plan(CATALOGUE, np.random.default_rng(seed))[0]


def plans(count: int) -> list[Plan]:
    return [plan_of(seed) for seed in range(count)]


def boxes_intersect(a: Item, b: Item, step_m: float = 0.02) -> bool:
    """By brute force: points all over `a` that lie more than a step inside both footprints."""
    if min(a.top_m, b.top_m) - max(a.bottom_m, b.bottom_m) < step_m:
        return False
    half = np.array(a.size_m[:2]) / 2
    if (half <= step_m).any():
        return False
    x, y = (np.arange(-h + step_m, h - step_m + 1e-9, step_m) for h in half)
    points = a.to_room(np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2))
    inside = np.abs(b.to_own(points)) < np.array(b.size_m[:2]) / 2 - step_m
    return bool(inside.all(axis=1).any())


def test_no_furniture_in_other_furniture_in_200_rooms() -> None:
    """Boxes here, so there is nothing to be under: whatever shares space is wrong. Curtains and rugs give way."""
    for plan in plans(200):
        solid = [item for item in plan.items if item.role != "rug"]
        for number, a in enumerate(solid):
            for b in solid[:number]:
                near = np.hypot(*np.subtract(a.position_m[:2], b.position_m[:2]))
                if near < (np.hypot(*a.size_m[:2]) + np.hypot(*b.size_m[:2])) / 2:
                    assert not boxes_intersect(a, b), f"{plan.kind}: {a.role} in {b.role}"


def test_furniture_stands_or_hangs() -> None:
    """Floor, another piece, a wall or the ceiling: nothing floats."""
    for plan in plans(60):
        assert len(plan.items) >= 6, plan.kind
        for item in plan.items:
            assert plan.contains(item.corners())
            assert 0 <= item.bottom_m < item.top_m <= plan.height_m
            on_floor = item.bottom_m == 0
            on_piece = any(
                abs(item.bottom_m - other.top_m) < 0.015
                and np.abs(other.to_own(np.array([item.position_m[:2]]))[0]).max() < max(other.size_m[:2]) / 2
                for other in plan.items
            )
            under_ceiling = plan.height_m - item.top_m < 0.02
            x, y = item.to_room(np.array([[0.0, item.size_m[1] / 2]]))[0]
            outline = np.array(plan.outline())
            ends = np.roll(outline, -1, axis=0)
            (ex, ey), (px, py) = (ends - outline).T, (np.array([x, y]) - outline).T
            at_wall = (np.abs(ex * py - ey * px) / np.hypot(ex, ey)).min() < 0.06
            assert on_floor or on_piece or under_ceiling or at_wall, f"{plan.kind}: {item.role} floats"


def test_doors_stay_free() -> None:
    for plan in plans(60):
        for wall in plan.walls:
            for opening in wall.openings:
                if opening.kind == "window":
                    continue
                step = wall.point((opening.left_m + opening.right_m) / 2, 0.4)
                for item in plan.items:
                    blocked = (np.abs(item.to_own(step[None])[0]) < np.array(item.size_m[:2]) / 2).all()
                    assert not blocked or item.role == "rug" or item.bottom_m > 1.9, f"{item.role} before the door"


def test_all_kinds_and_the_same_plan_from_the_same_seed() -> None:
    for kind in kinds.KINDS:
        first, second = (sample_plan(CATALOGUE, np.random.default_rng(5), kind)[0] for _ in range(2))
        assert first.kind == kind
        assert [(i.role, i.key, i.position_m, i.turn_rad) for i in first.items] == [
            (i.role, i.key, i.position_m, i.turn_rad) for i in second.items
        ]


def test_camera_stands_free_at_eye_height() -> None:
    camera = Camera.from_fov(320, 240, 60)
    for seed, plan in enumerate(plans(100)):
        matrix = sample_view(plan, camera, np.random.default_rng(seed))
        rotation = matrix[:3, :3]
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
        assert np.linalg.det(rotation) == pytest.approx(1)
        position = -rotation.T @ matrix[:3, 3]
        assert plan.contains(position[None, :2], 0.1)
        assert 0.8 <= position[2] <= 2.2
        # Up in the photo is up in the room, but for roll and tilt.
        assert rotation[1] @ (0, 0, -1) > 0.7
        for item in plan.items:
            beyond = np.abs(item.to_own(position[None, :2])[0]) - np.array(item.size_m[:2]) / 2
            above = max(item.bottom_m - position[2], position[2] - item.top_m)
            distance = np.linalg.norm(np.maximum([*beyond, above], 0))
            # Higher up is the ladder in a room without a free spot.
            assert distance >= 0.4 - 1e-9 or position[2] > 1.9, item.role


def test_a_chair_goes_under_a_table_but_not_into_its_leg() -> None:
    wood = Material("wood")
    top = block((-0.8, -0.4, 0.7), (0.8, 0.4, 0.74), wood)
    legs = [block((x - 0.03, -0.37, 0), (x + 0.03, -0.31, 0.7), wood) for x in (-0.7, 0.7)]
    table_size, chair_size = (1.6, 0.8, 0.74), (0.44, 0.44, 0.9)
    table = Item("table", "", (0, 0, 0), 0, table_size, Columns.of(Mesh.joined([top, *legs]), table_size))
    seat = block((-0.22, -0.22, 0), (0.22, 0.22, 0.45), wood)
    back = block((-0.22, 0.18, 0.45), (0.22, 0.22, 0.9), wood)
    columns = Columns.of(Mesh.joined([seat, back]), chair_size)

    def chair(x: float, y: float) -> Item:
        return Item("chair", "", (x, y, 0), np.pi, chair_size, columns)

    assert not interpenetrate(chair(0, -0.45), table)
    assert interpenetrate(chair(0.7, -0.45), table), "the seat is where the leg is"
    assert interpenetrate(chair(0, -0.2), table), "the back is where the top is"


def test_columns_know_the_top_of_a_step() -> None:
    step = Mesh.joined(
        [block((-0.4, -0.2, 0), (0, 0.2, 0.3), Material("a")), block((0, -0.2, 0), (0.4, 0.2, 0.6), Material("a"))]
    )
    low, high = Columns.of(step, (0.8, 0.4, 0.6)).at(np.array([(-0.2, 0.0), (0.2, 0.0), (0.9, 0.0)]))
    np.testing.assert_allclose(high[:2], [0.3, 0.6], atol=1e-6)
    np.testing.assert_allclose(low[:2], 0, atol=1e-6)
    assert not np.isfinite(high[2])


def test_thinning_keeps_size_and_shape(tmp_path: Path) -> None:
    u = np.linspace(0, 2 * np.pi, 161)
    v = np.linspace(0.01, np.pi - 0.01, 81)
    rings = [np.outer(np.sin(v), np.cos(u)), np.outer(np.sin(v), np.sin(u)), np.outer(np.cos(v), np.ones_like(u))]
    ball = grid(np.stack(rings, axis=2), Material("ball", texture=np.zeros((256, 256, 4), np.uint8)))
    thin = ball.simplified(3000)
    assert len(thin.points) // 3 <= 3000 < len(ball.points) // 3
    radius = np.linalg.norm(thin.points, axis=1)
    assert radius.min() > 0.97
    assert radius.max() < 1.001
    save_mesh(thin, tmp_path / "ball.npz")
    again = load_mesh(tmp_path / "ball.npz")
    np.testing.assert_allclose(again.points, thin.points, atol=1e-6)
    np.testing.assert_allclose(again.normals, thin.normals, atol=0.02)
    assert again.materials[0].texture is not None


@pytest.mark.parametrize("maker", [m for group in (surfaces.FLOORS, surfaces.WALLS) for m in group["dry"]])
def test_surfaces_repeat_without_a_seam(maker: surfaces.Maker) -> None:
    rgb = maker(np.random.default_rng(3)).rgb.astype(float)
    assert rgb.shape == (512, 512, 3)
    for axis in (0, 1):
        steps = np.abs(np.diff(rgb, axis=axis)).mean(axis=(1 - axis, 2))
        seam = np.abs(rgb.take(0, axis) - rgb.take(-1, axis)).mean()
        assert seam <= steps.max() * 1.5 + 2


def write_furniture(folder: Path, obj: str, extra: str = "") -> Path:
    """A furniture file with one model of 80 x 40 x 100 cm."""
    listing = (
        "id=Test\nid#1=Test#cube\nname#1=Cube\nwidth#1=80\ndepth#1=40\nheight#1=100\n"
        f"model#1=/cube/cube.obj\ncreator#1=Somebody\n{extra}"
    )
    path = folder / "Test.sh3f"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("PluginFurnitureCatalog.properties", listing)
        file.writestr("cube/cube.obj", obj)
        file.writestr("cube/cube.mtl", "newmtl red\nKd 1 0 0\nd 0.5\n")
    return path


PYRAMID = """
mtllib cube.mtl
v 0 0 0
v 2 0 0
v 2 0 2
v 0 0 2
v 1 1 2
usemtl red
f 1 2 3 4
f 3 4 5
f -5 -1 -4
"""


def test_a_model_gets_its_real_size_and_its_front(tmp_path: Path) -> None:
    write_furniture(tmp_path, PYRAMID)
    mesh = open_catalogue(tmp_path, tmp_path / "cache").mesh("Test/cube")
    assert len(mesh.points) == 4 * 3, "a square is two triangles"
    np.testing.assert_allclose(mesh.points.min(axis=0), (-0.4, -0.2, 0), atol=1e-6)
    np.testing.assert_allclose(mesh.points.max(axis=0), (0.4, 0.2, 1), atol=1e-6)
    # The tip is at the file's +z, its front: here that is -y.
    tip = mesh.points[mesh.points[:, 2].argmax()]
    np.testing.assert_allclose(tip, (0, -0.2, 1), atol=1e-6)
    assert mesh.materials[mesh.parts[0]].color == (1, 0, 0)
    assert mesh.materials[mesh.parts[0]].opacity == 0.5
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-5)
    cached = list((tmp_path / "cache").rglob("*.npz"))
    assert len(cached) == 1
    np.testing.assert_array_equal(open_catalogue(tmp_path, tmp_path / "cache").mesh("Test/cube").points, mesh.points)


def test_damaged_furniture_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no \.sh3f"):
        open_catalogue(tmp_path)
    write_furniture(tmp_path, "v 0 0 0\n")
    with pytest.raises(DataError, match="no triangles"):
        open_catalogue(tmp_path, tmp_path).mesh("Test/cube")
    write_furniture(tmp_path, PYRAMID, "width#2=wide\n")
    with pytest.raises(DataError, match="entry 2"):
        open_catalogue(tmp_path)
    with zipfile.ZipFile(tmp_path / "Test.sh3f", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("PluginFurnitureCatalog.properties", "id=Test\n")
    packed = bytearray((tmp_path / "Test.sh3f").read_bytes())
    packed[63:67] = b"\xff\xff\xff\xff"  # behind the header of 30 bytes and the name of 33
    (tmp_path / "Test.sh3f").write_bytes(packed)
    with pytest.raises(DataError, match=r"not a furniture file.*Error -3"):
        open_catalogue(tmp_path)
    (tmp_path / "Test.sh3f").write_bytes(b"no zip")
    with pytest.raises(DataError, match="not a furniture file"):
        open_catalogue(tmp_path)


def test_missing_furniture_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(assets, "INSTALLED", tmp_path / "usr")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(DataError, match="apt install sweethome3d-furniture"):
        find_assets(None)
    assert main(["data", "rooms", "--out", str(tmp_path / "out"), "--frames", "1"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "apt install sweethome3d-furniture" in error


def test_apt_fetches_without_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With stand-ins for apt-get and dpkg-deb that work in the folder they are called in."""
    programs = tmp_path / "bin"
    programs.mkdir()
    installed = assets.INSTALLED.relative_to("/")
    for name, script in {
        "apt-get": 'test "$1 $2" = "download sweethome3d-furniture" && touch furniture.deb',
        "dpkg-deb": f'mkdir -p "$3/{installed}" && touch "$3/{installed}/A.sh3f"',
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = find_assets("apt")
    assert [file.name for file in folder.iterdir()] == ["A.sh3f"]
    (programs / "apt-get").write_text("#!/bin/sh\nexit 1\n")
    assert find_assets("apt") == folder, "a second call needs no network"


@pytest.mark.parametrize(
    "options",
    [["--fov", "80", "45"], ["--size", "320"], ["--frames", "0"], ["--fov", "1", "2", "3"], ["--workers", "0"]],
)
def test_wrong_options_are_usage_errors(options: list[str], tmp_path: Path) -> None:
    assert main(["data", "rooms", "--out", str(tmp_path / "out"), "--frames", "1", *options]) == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [None, b"no zip"])
def test_without_furniture_nothing_is_begun(
    content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Settings that name no furniture would refuse the next run, which has it."""
    out, folder = tmp_path / "out", tmp_path / "furniture"
    folder.mkdir()
    if content is not None:
        (folder / "a.sh3f").write_bytes(content)
    assert main(["data", "rooms", "--out", str(out), "--frames", "1", "--assets", str(folder)]) == 1
    assert str(folder) in capsys.readouterr().err
    assert not out.exists()


def test_photo_has_the_faults_but_not_more() -> None:
    light = np.full((120, 160, 3), 0.05, np.float32)
    light[:, 80:] = 0.4
    means = []
    for seed in range(30):
        photo = develop(light, np.random.default_rng(seed))
        assert photo.shape == (120, 160, 3)
        assert photo.dtype == np.uint8
        assert photo[:, 90:].mean() > photo[:, :70].mean() + 15
        means.append(photo.mean())
    assert np.mean(np.array(means) < 60) < 0.3, "few are dark"
    assert np.mean(np.array(means) > 230) == 0, "none is blank"
