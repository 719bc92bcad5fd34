"""Colours, panels, point clouds and meshes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

from densedepth.errors import DepthFileError
from densedepth.io import colorize, side_by_side
from densedepth.io.color import DEFAULT_CMAP, color_table
from densedepth.types import Camera, DepthMap


def step_scene(height: int = 20, width: int = 30) -> DepthMap:
    """A wall at 1 m on the left, one at 3 m on the right, and one hole."""
    depth_m = np.ones((height, width), np.float32)
    depth_m[:, width // 2 :] = 3
    depth_m[0, 0] = 0
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return DepthMap(depth_m, camera=Camera.from_fov(width, height, 60), camera_source="given", image=image)


def test_colorize_spans_near_to_far_and_blackens_holes() -> None:
    table = color_table(DEFAULT_CMAP)
    picture = np.asarray(step_scene().colorize())
    assert picture[0, 0].tolist() == [0, 0, 0]
    assert picture[5, 5].tolist() == table[0].tolist()
    assert picture[5, -1].tolist() == table[255].tolist()
    assert table[0, 0] > table[0, 2], "near is red"
    assert table[255, 2] > table[255, 0], "far is blue"


def test_colorize_takes_arrays_limits_and_maps() -> None:
    picture = np.asarray(colorize(np.array([[1.0, 5.0, np.nan]]), min_m=0, max_m=2, cmap="gray"))
    assert picture[0].tolist() == [[128] * 3, [255] * 3, [0] * 3]


@pytest.mark.parametrize("depth_m", [np.zeros((3, 3)), np.ones((1, 1))])
def test_colorize_without_any_span(depth_m: np.ndarray) -> None:
    assert colorize(depth_m).size == depth_m.shape[::-1]


def test_panel_shows_photo_depth_and_legend() -> None:
    depth = step_scene(300, 400)
    panel = side_by_side(depth)
    assert panel.width == 800
    assert panel.height > 300
    np.testing.assert_array_equal(np.asarray(panel)[:300, :400], depth.image)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (3000, 2), (4000, 6000)])
def test_panel_has_a_size_to_look_at(shape: tuple[int, int]) -> None:
    panel = side_by_side(DepthMap(np.ones(shape, np.float32)))
    assert 64 < max(panel.size) <= 1500


def test_ply_is_what_points_says(tmp_path: Path) -> None:
    depth = step_scene()
    xyz_m, rgb = depth.points()
    cloud = trimesh.load(depth.save(tmp_path / "x.ply"))
    assert isinstance(cloud, trimesh.PointCloud)
    np.testing.assert_array_equal(cloud.vertices.astype(np.float32), xyz_m)
    np.testing.assert_array_equal(cloud.colors[:, :3], rgb)


def test_ply_without_colours(tmp_path: Path) -> None:
    depth = step_scene()
    depth.image = None
    cloud = trimesh.load(depth.save(tmp_path / "x.ply"))
    assert isinstance(cloud, trimesh.PointCloud)
    assert len(cloud.vertices) == 20 * 30 - 1


def test_glb_is_cut_at_jumps_and_stands_in_gltf_axes(tmp_path: Path) -> None:
    scene = trimesh.load_scene(step_scene().save(tmp_path / "x.glb"))
    (mesh,) = scene.geometry.values()
    assert mesh.vertices[:, 2].min() == pytest.approx(-3)
    assert mesh.vertices[:, 2].max() == pytest.approx(-1)
    corners_m = -mesh.vertices[mesh.faces][..., 2]
    assert (corners_m.max(axis=1) == corners_m.min(axis=1)).all(), "no triangle between the walls"
    assert (mesh.face_normals[:, 2] > 0.99).all(), "the front faces the viewer"
    # Two walls of 15 columns, less the triangles at the hole.
    assert len(mesh.faces) == 2 * 2 * 14 * 19 - 1
    assert mesh.visual.material.baseColorTexture.size == (30, 20)


@pytest.mark.parametrize("suffix", [".ply", ".glb"])
def test_space_needs_a_camera_and_says_how(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(DepthFileError, match=r"Camera\.from_fov"):
        DepthMap(np.ones((4, 4), np.float32)).save(tmp_path / f"x{suffix}")
