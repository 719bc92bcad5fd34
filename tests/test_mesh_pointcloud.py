"""Point clouds and meshes as other programs read them: sizes, axes, colours, cuts."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image

from densedepth.data.synth import synth_frame
from densedepth.data.synth.scene import Room, View
from densedepth.data.synth.shapes import Material
from densedepth.errors import DepthFileError
from densedepth.io import glb as glb_module
from densedepth.io import mesh as mesh_module
from densedepth.io import save_mesh, save_points
from densedepth.io.surface import flying_pixels
from densedepth.types import Camera, DepthMap

ROOM_M = (6.0, 4.0, 2.5)  # length (x), width (y), height (z)
EYE_M = (0.4, 1.6, 1.4)
NUMPY_TYPE = {5123: "<u2", 5125: "<u4", 5126: "<f4"}
COLUMNS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}


def empty_room(width: int = 320, height: int = 240, heading: float = 0.0, tilt: float = 0.0) -> tuple[DepthMap, View]:
    """A bare room of known size with exact depth; the camera sees parts of four walls, floor and ceiling."""
    camera = Camera.from_fov(width, height, 100)
    view = View.looking(camera, EYE_M, heading, tilt, 0.0)
    columns, rows = (grid.ravel() + 0.5 for grid in np.meshgrid(np.arange(width), np.arange(height)))
    paper = Material("plain", ((1, 1, 1), (1, 1, 1)))
    z, _ = Room(ROOM_M, (paper,) * 6, [], []).hits(view.position_m, view.rays(columns, rows))
    image = np.random.default_rng(0).integers(0, 256, (height // 20, width // 20, 3), dtype=np.uint8)
    image = image.repeat(20, axis=0).repeat(20, axis=1)
    return DepthMap(z.reshape(height, width).astype(np.float32), camera=camera, image=image, model="exact"), view


def glb(path: Path) -> tuple[dict[str, Any], bytes]:
    """JSON and binary chunk of a glTF file, by the letter of the specification."""
    data = path.read_bytes()
    magic, version, length = struct.unpack_from("<4sII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data))
    size, kind = struct.unpack_from("<I4s", data, 12)
    assert (kind, size % 4) == (b"JSON", 0)
    binary_size, binary_kind = struct.unpack_from("<I4s", data, 20 + size)
    assert binary_kind == b"BIN\0"
    assert 28 + size + binary_size == len(data)
    return json.loads(data[20 : 20 + size]), data[28 + size :]


def accessor(gltf: dict[str, Any], binary: bytes, number: int) -> np.ndarray:
    entry = gltf["accessors"][number]
    view = gltf["bufferViews"][entry["bufferView"]]
    kind = np.dtype(NUMPY_TYPE[entry["componentType"]])
    columns = COLUMNS[entry["type"]]
    assert view["byteOffset"] % 4 == 0
    assert view["byteLength"] == entry["count"] * columns * kind.itemsize
    values = np.frombuffer(binary, kind, entry["count"] * columns, view["byteOffset"]).reshape(-1, columns)
    if "min" in entry:
        np.testing.assert_array_equal(values.min(axis=0), entry["min"])
        np.testing.assert_array_equal(values.max(axis=0), entry["max"])
    return values


def vertices_m(path: Path) -> np.ndarray:
    """Positions as trimesh reads them, in camera axes."""
    geometry = next(iter(trimesh.load_scene(path, process=False).geometry.values()))
    xyz_m = np.asarray(geometry.vertices)
    return xyz_m * (1, -1, -1) if path.suffix == ".glb" else xyz_m


@pytest.mark.parametrize("save", [save_points, save_mesh])
@pytest.mark.parametrize("suffix", [".ply", ".glb"])
def test_a_room_has_its_size_in_the_file(tmp_path: Path, save: Any, suffix: str) -> None:
    """Wall to wall, floor to ceiling and to the far wall, in metres, within 1 %; right, up and forward are theirs."""
    depth, _ = empty_room()
    xyz_m = vertices_m(save(depth, tmp_path / f"room{suffix}"))
    low, high = xyz_m.min(axis=0), xyz_m.max(axis=0)
    length, width, height = ROOM_M
    assert high[0] - low[0] == pytest.approx(width, rel=0.01)
    assert high[1] - low[1] == pytest.approx(height, rel=0.01)
    assert high[2] == pytest.approx(length - EYE_M[0], rel=0.01)
    # Looking along x with z up, y of the room points to the left: the wall y = 0 is 1.6 m to the right.
    assert high[0] == pytest.approx(EYE_M[1], rel=0.01)
    assert high[1] == pytest.approx(EYE_M[2], rel=0.01), "y points down: the floor is 1.4 m below"


def test_a_turned_view_of_the_room(tmp_path: Path) -> None:
    """Brought back to the room by the known pose, every vertex of the mesh lies on a wall, the floor or the ceiling."""
    depth, view = empty_room(heading=0.5, tilt=-0.2)
    camera_m = vertices_m(save_mesh(depth, tmp_path / "room.glb"))
    room_m = camera_m @ view.axes.T + view.position_m
    off_m = np.minimum(np.abs(room_m), np.abs(room_m - ROOM_M)).min(axis=1)
    assert off_m.max() < 0.002
    on = [(np.abs(room_m[:, axis] - side) < 0.002).sum() for axis in (1, 2) for side in (0, ROOM_M[axis])]
    assert min(on) > 100, "both side walls, floor and ceiling are seen"


def test_normals_in_the_files_are_those_of_the_walls(tmp_path: Path) -> None:
    depth, view = empty_room()
    path = save_points(depth, tmp_path / "room.ply", normals=True)
    data = trimesh.load(path).metadata["_ply_raw"]["vertex"]["data"]
    found = np.stack([np.ravel(data[name]) for name in ("nx", "ny", "nz")], axis=1) @ view.axes.T
    near_axis = np.abs(found).max(axis=1) > 0.999
    assert near_axis.mean() > 0.97, "all but the pixels at the seams between walls"
    gltf, binary = glb(save_mesh(depth, tmp_path / "room.glb"))
    attributes = gltf["meshes"][0]["primitives"][0]["attributes"]
    position, normal = (accessor(gltf, binary, attributes[name]) for name in ("POSITION", "NORMAL"))
    np.testing.assert_allclose(np.linalg.norm(normal, axis=1), 1, atol=1e-4)
    assert ((position * normal).sum(axis=1) < 0).all(), "towards the camera, in the axes of the file"


def step_map(width: int = 120, height: int = 90) -> DepthMap:
    """A wall at 1 m before one at 3 m, with a slanted upper border."""
    rows, columns = np.mgrid[:height, :width]
    depth_m = np.where(columns + rows // 3 < 70, 1, 3).astype(np.float32)
    image = np.dstack([columns * 2, rows * 2, np.full_like(rows, 80)]).astype(np.uint8)
    return DepthMap(depth_m, camera=Camera.from_fov(width, height, 60), image=image, model="step")


def test_no_triangle_spans_a_jump() -> None:
    depth = step_map()
    mesh = depth.mesh()
    corners_m = mesh.xyz_m[mesh.faces]
    sides_m = np.linalg.norm(corners_m - np.roll(corners_m, 1, axis=1), axis=2)
    assert depth.camera is not None
    assert sides_m.max() < 1.5 * 3 / depth.camera.focal_px, "no side is longer than a pixel's diagonal at 3 m"
    assert set(np.unique(corners_m[..., 2])) == {1.0, 3.0}
    assert len(mesh.xyz_m) > 0.99 * depth.depth_m.size, "and nothing else is lost"


@pytest.mark.parametrize("index", [0, 16])
def test_furniture_is_cut_from_the_walls(index: int) -> None:
    """In a furnished room no triangle hangs between a thing and what is behind it, and hardly any surface is lost."""
    frame = synth_frame(5, index)
    depth = DepthMap(frame.depth_m, camera=frame.camera)
    assert depth.camera is not None
    mesh = depth.mesh()
    corners_m = mesh.xyz_m[mesh.faces]
    sides_m = np.linalg.norm(corners_m - np.roll(corners_m, 1, axis=1), axis=2).max(axis=1)
    footprint_m = corners_m[..., 2].min(axis=1) / depth.camera.focal_px
    # 5 degrees of grazing stretch a pixel 11 times, a square's diagonal a little more.
    assert (sides_m / footprint_m).max() < 17
    assert np.median(sides_m / footprint_m) < 3
    assert len(mesh.faces) > 0.96 * 2 * (depth.width - 1) * (depth.height - 1)
    assert flying_pixels(depth).mean() < 0.01


def test_a_blurred_jump_is_cut_too() -> None:
    depth = step_map()
    depth.depth_m[:, 30:34] = [1.4, 1.8, 2.2, 2.6]
    depth.depth_m[:, 34:] = 3
    mesh = depth.mesh()
    corners_m = mesh.xyz_m[mesh.faces][..., 2]
    assert (corners_m.max(axis=1) - corners_m.min(axis=1)).max() == 0


def test_a_floor_is_not_cut() -> None:
    rows = np.arange(90)[:, None] + 0.5 - 40
    depth_m = np.where(rows > 0, 1.5 * 100 / np.maximum(rows, 1e-6), 0).astype(np.float32).repeat(120, axis=1)
    depth = DepthMap(depth_m, camera=Camera(100, 100, 60, 40, 120, 90))
    assert len(depth.mesh().faces) == 2 * 119 * (depth.valid[:, 0].sum() - 1)


def test_squares_are_halved_along_the_flatter_way_and_at_holes() -> None:
    camera = Camera(2, 2, 1, 1, 2, 2)
    flat = np.array([[1.0, 1.1], [1.1, 1.3]], np.float32)
    assert depth_edges(DepthMap(flat, camera=camera)) == {(1, 2)}, "1.1 to 1.1 is flat"
    assert depth_edges(DepthMap(flat[:, ::-1].copy(), camera=camera)) == {(0, 3)}
    for hole in range(4):
        holed = flat.copy()
        holed.flat[hole] = 0
        mesh = DepthMap(holed, camera=camera).mesh()
        assert len(mesh.faces) == 1
        assert len(mesh.xyz_m) == 3


def depth_edges(depth: DepthMap) -> set[tuple[int, int]]:
    """Vertex pairs that both triangles of a square share."""
    first, second = (set(face.tolist()) for face in depth.mesh().faces)
    return {tuple(sorted(first & second))}  # type: ignore[arg-type]


def test_triangles_face_the_camera() -> None:
    mesh = empty_room()[0].mesh()
    corners_m = mesh.xyz_m[mesh.faces].astype(np.float64)
    facing = np.cross(corners_m[:, 1] - corners_m[:, 0], corners_m[:, 2] - corners_m[:, 0])
    # Counter-clockwise as seen, in axes whose y points down: the right-hand rule, in glTF axes, faces the viewer.
    assert ((facing * corners_m[:, 0]).sum(axis=1) < 0).all()


def test_the_texture_has_the_right_colour_at_every_vertex(tmp_path: Path) -> None:
    depth = step_map()
    assert depth.image is not None
    assert depth.camera is not None
    path = save_mesh(depth, tmp_path / "x.glb")
    gltf, binary = glb(path)
    primitive = gltf["meshes"][0]["primitives"][0]
    assert primitive["mode"] == 4
    view = gltf["bufferViews"][gltf["images"][0]["bufferView"]]
    texture = Image.open(io.BytesIO(binary[view["byteOffset"] :][: view["byteLength"]]))
    assert texture.size == (120, 90)
    position, uv = (accessor(gltf, binary, primitive["attributes"][name]) for name in ("POSITION", "TEXCOORD_0"))
    # glTF counts texture rows from the top.
    columns, rows = (uv * texture.size).astype(int).T
    colours = np.asarray(texture)[rows, columns].astype(int)
    pixel = np.rint(position[:, :2] / -position[:, 2:] * (1, -1) * depth.camera.fx + (60, 45) - 0.5).astype(int)
    np.testing.assert_array_equal(pixel, np.stack([columns, rows], axis=1))
    assert np.abs(colours - depth.image[pixel[:, 1], pixel[:, 0]]).max() <= 6, "JPEG"
    (mesh,) = trimesh.load_scene(path, process=False).geometry.values()
    read = mesh.visual.material.to_color(mesh.visual.uv)[:, :3].astype(int)
    assert np.abs(read - colours).max() <= 8, "trimesh finds the same colours"


def test_points_glb_has_linear_colours(tmp_path: Path) -> None:
    depth = step_map()
    gltf, binary = glb(save_points(depth, tmp_path / "x.glb", normals=True))
    primitive = gltf["meshes"][0]["primitives"][0]
    assert primitive["mode"] == 0
    xyz_m, rgb = depth.points()
    assert rgb is not None
    np.testing.assert_array_equal(accessor(gltf, binary, primitive["attributes"]["POSITION"]), xyz_m * (1, -1, -1))
    number = primitive["attributes"]["COLOR_0"]
    assert gltf["accessors"][number]["normalized"]
    linear = accessor(gltf, binary, number)[:, :3] / 65535
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)
    np.testing.assert_array_equal(np.rint(encoded * 255), rgb)
    np.testing.assert_allclose(accessor(gltf, binary, primitive["attributes"]["NORMAL"])[:, 2], 1, atol=1e-4)


def test_mesh_ply_is_the_mesh(tmp_path: Path) -> None:
    depth = step_map()
    expected = depth.mesh()
    read = trimesh.load(save_mesh(depth, tmp_path / "x.ply"), process=False)
    assert isinstance(read, trimesh.Trimesh)
    assert isinstance(read.visual, trimesh.visual.ColorVisuals)
    np.testing.assert_array_equal(read.vertices.astype(np.float32), expected.xyz_m)
    np.testing.assert_array_equal(read.faces, expected.faces)
    np.testing.assert_array_equal(read.visual.vertex_colors[:, :3], expected.rgb)
    np.testing.assert_allclose(read.vertex_normals, expected.normals, atol=1e-5)


def test_files_say_their_model_and_camera(tmp_path: Path) -> None:
    depth = step_map()
    depth.camera_source, depth.model = "exif", "my\nmodel \N{SNOWMAN}"
    head = save_points(depth, tmp_path / "x.ply").read_bytes().partition(b"end_header")[0].decode("ascii")
    assert "comment densedepth.camera_source exif\n" in head
    assert "comment densedepth.model my model ?\n" in head
    gltf, _ = glb(save_mesh(depth, tmp_path / "x.glb"))
    extras = gltf["asset"]["extras"]
    assert (extras["camera_source"], extras["model"]) == ("exif", depth.model)
    assert depth.camera == Camera.from_dict(json.loads(extras["camera"]))


def test_flying_pixels_are_in_no_file(tmp_path: Path) -> None:
    depth = step_map()
    depth.depth_m[:, 20] = 2
    depth.depth_m[:, 21:] = 3
    for suffix in (".ply", ".glb"):
        assert 2.0 not in vertices_m(save_points(depth, tmp_path / f"points{suffix}"))[:, 2]
        assert 2.0 not in vertices_m(save_mesh(depth, tmp_path / f"mesh{suffix}", grazing_deg=0))[:, 2]
        assert 2.0 in vertices_m(save_points(depth, tmp_path / f"all{suffix}", grazing_deg=0))[:, 2]


def test_a_thinned_mesh_stands_where_the_full_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    depth, _ = empty_room(640, 480)
    depth.image, depth.uncertainty_m = None, np.ones_like(depth.depth_m)
    thin = depth.mesh(step=4)
    assert len(thin.xyz_m) == 160 * 120
    np.testing.assert_allclose(thin.xyz_m.reshape(120, 160, 3), depth.xyz_grid_m()[::4, ::4], atol=1e-5)
    monkeypatch.setattr(mesh_module, "MAX_MESH_VERTICES", 10_000)
    assert 5_000 < len(depth.mesh().xyz_m) <= 10_000
    with pytest.raises(ValueError, match="step must be at least 1"):
        depth.mesh(step=0)


def test_a_12_megapixel_photo_stays_usable(tmp_path: Path) -> None:
    depth_m = np.full((3000, 4000), 2, np.float32)
    image = np.zeros((3000, 4000, 3), np.uint8)
    depth = DepthMap(depth_m, camera=Camera.from_fov(4000, 3000, 60), image=image)
    path = save_mesh(depth, tmp_path / "big.glb")
    gltf, _ = glb(path)
    assert gltf["accessors"][0]["count"] <= 500_000
    assert path.stat().st_size < 32e6


def test_a_glb_of_more_than_32_bits_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glb_module, "_MAX_BYTES", 100_000)
    with pytest.raises(DepthFileError, match=r"x\.glb: 0\.0 GB are more than a \.glb file can hold; save as \.ply"):
        save_points(step_map(), tmp_path / "x.glb")
    assert list(tmp_path.iterdir()) == []


def test_other_suffixes_empty_maps_and_kept_files(tmp_path: Path) -> None:
    depth = step_map()
    with pytest.raises(DepthFileError, match=r"no mesh format has the suffix '\.obj'; use one of \.ply, \.glb"):
        save_mesh(depth, tmp_path / "x.obj")
    with pytest.raises(DepthFileError, match="no point cloud format"):
        save_points(depth, tmp_path / "x.png")
    nothing = DepthMap(np.zeros((4, 4), np.float32), camera=Camera.from_fov(4, 4, 60))
    with pytest.raises(DepthFileError, match="no points to save"):
        save_points(nothing, tmp_path / "x.glb")
    with pytest.raises(DepthFileError, match="no surface"):
        save_mesh(nothing, tmp_path / "x.ply")
    save_mesh(depth, tmp_path / "x.ply")
    with pytest.raises(DepthFileError, match="exists already"):
        save_mesh(depth, tmp_path / "x.ply", overwrite=False)
    assert [file.name for file in tmp_path.iterdir()] == ["x.ply"]
