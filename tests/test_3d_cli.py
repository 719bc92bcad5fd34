"""`densedepth predict` to points and meshes: several photos in one go, options, bad values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from conftest import MakeBundle
from densedepth import cli

Predict = Callable[..., int]

FORMATS = ["ply", "glb", "points-glb", "mesh-ply"]


def photo(path: Path, left: int = 200, right: int = 200) -> Path:
    """Two halves of grey; the tiny bundle turns brightness into depth."""
    pixels = np.full((48, 64, 3), left, np.uint8)
    pixels[:, 32:] = right
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def predict(tiny_bundle: MakeBundle, tmp_path: Path) -> Predict:
    def run(*words: object) -> int:
        return cli.main(["predict", "--model", str(tiny_bundle()), "-o", str(tmp_path / "out"), *map(str, words)])

    return run


def vertices_m(path: Path) -> np.ndarray:
    geometry = next(iter(trimesh.load_scene(path, process=False).geometry.values()))
    return np.asarray(geometry.vertices)


def test_a_folder_in_one_go(predict: Predict, tmp_path: Path) -> None:
    """Photos that differ in suffix or folder only do not write over one another, and each result is its own photo's."""
    levels = {"a.png": 60, "a.bmp": 120, "deep/a.png": 240}
    for name, level in levels.items():
        photo(tmp_path / "in" / name, level, level)
    assert predict(tmp_path / "in", "--format", *FORMATS) == 0
    out = tmp_path / "out"
    stems = ["a", "a_png", "deep/a"]
    endings = ["_depth.ply", "_depth.glb", "_points.glb", "_mesh.ply"]
    written = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert written == {stem + ending for stem in stems for ending in endings}
    for ending in endings:
        depths_m = [np.abs(vertices_m(out / (stem + ending))[:, 2]).mean() for stem in stems]
        assert len({round(value, 2) for value in depths_m}) == 3
    for stem in stems:
        depths_m = [np.abs(vertices_m(out / (stem + ending))[:, 2]).mean() for ending in endings]
        np.testing.assert_allclose(depths_m, depths_m[0], rtol=1e-4)


def test_results_that_exist_are_kept(predict: Predict, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = photo(tmp_path / "x.png")
    assert predict(image, "--format", "glb", "mesh-ply") == 0
    capsys.readouterr()
    assert predict(image, "--format", "glb", "mesh-ply") == 0
    assert "skipped" in capsys.readouterr().out


def test_options_reach_the_files(predict: Predict, tmp_path: Path) -> None:
    image = photo(tmp_path / "x.png", 30, 250)
    out = tmp_path / "out"
    words = [image, "--overwrite", "--format", "ply", "mesh-ply"]
    assert predict(*words, "--flying-pixels", "0", "--normals", "--mesh-step", "4") == 0
    assert b"property float nx" in (out / "x_depth.ply").read_bytes()[:600]
    assert len(vertices_m(out / "x_depth.ply")) == 64 * 48
    assert len(vertices_m(out / "x_mesh.ply")) == 16 * 12
    assert predict(*words, "--flying-pixels", "20") == 0
    assert b"property float nx" not in (out / "x_depth.ply").read_bytes()[:600]
    assert len(vertices_m(out / "x_depth.ply")) < 64 * 48


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--flying-pixels", "-1"], "--flying-pixels must lie between 0 and 90 degrees, got -1"),
        (["--mesh-step", "-2"], "--mesh-step must not be negative, got -2"),
        (["--focal-px", "500", "--fov", "60"], "fov and focal_px both say the camera: give one of them"),
        (["--intrinsics", "500", "500"], "intrinsics are fx fy cx cy, or fx fy cx cy width height, got 500 500"),
    ],
)
def test_bad_values(
    predict: Predict, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert predict(photo(tmp_path / "x.png"), "--format", "glb", *words) == 2
    assert capsys.readouterr().err == f"error: {message}\n"
    assert not (tmp_path / "out").exists()
