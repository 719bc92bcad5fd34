"""Tiles: what covers what, one scale for all, no seams, and a big picture in bounded memory."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import densedepth
from conftest import MakeBundle, brightness_depth_m
from densedepth.data.synth import SynthConfig, SyntheticRooms
from densedepth.runtime import load
from densedepth.runtime.tiling import Tile, predict_tiles, tile_factor, tile_places
from densedepth.runtime.upsampling import shrunk

WORKING = (160, 120)


def seam_excess(depth_m: NDArray[np.float32], factor: int) -> float:
    """Mean change of log depth across the borders of tiles, over that of all other rows and columns."""
    log_depth = np.log(depth_m)
    places = tile_places(WORKING, factor)
    excess = []
    for axis, sides in ((0, [tile.rows for tile in places]), (1, [tile.columns for tile in places])):
        change = np.abs(np.diff(log_depth, axis=axis)).mean(axis=1 - axis)
        borders = sorted({at for side in sides for at in (side.start, side.stop)} - {0, log_depth.shape[axis]})
        at_border = np.zeros(change.size, bool)
        at_border[np.array(borders) - 1] = True
        excess.append(change[at_border].mean() / change[~at_border].mean())
    return float(max(excess))


@pytest.fixture(scope="module")
def photo() -> NDArray[np.uint8]:
    """A drawn room, 640x480: the fine grid of factor 4."""
    return SyntheticRooms(4, 3, SynthConfig(640, 480, (60.0, 60.0), 4))[0].image


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("working", [(160, 120), (113, 163), (388, 32)])
def test_tiles_cover_the_grid_and_overlap(working: tuple[int, int], factor: int) -> None:
    places = tile_places(working, factor)
    seen = np.zeros((factor * working[1], factor * working[0]), int)
    for tile in places:
        part = seen[tile.rows, tile.columns]
        assert part.shape == working[::-1]
        part += 1
    assert len(places) == (2 * factor - 1) ** 2
    assert seen.min() >= 1
    inside = seen[working[1] // 2 : -working[1] // 2]
    # All but a row or column here and there, where half a tile is no whole number of pixels.
    assert factor == 1 or np.mean(inside >= 2) > 0.98


def test_auto_is_as_fine_as_the_photo() -> None:
    sizes = ((160, 120), (239, 179), (320, 240), (650, 480), (8000, 6000))
    assert [tile_factor("auto", size, WORKING) for size in sizes] == [1, 1, 2, 4, 4]
    for bad in (0, 9, "many"):
        with pytest.raises(ValueError, match="auto or a whole number"):
            tile_factor(bad, (640, 480), WORKING)  # type: ignore[arg-type]


def test_a_scale_of_its_own_in_every_tile_leaves_no_trace(photo: NDArray[np.uint8]) -> None:
    truth_m = 0.5 + brightness_depth_m(photo)
    guide_m = 0.5 + brightness_depth_m(shrunk(photo, WORKING, Image.Resampling.BOX))
    random = np.random.default_rng(0)

    def network(tile: NDArray[np.uint8]) -> NDArray[np.float32]:
        # A factor, and a slow drift as of a network that takes a crop for a room.
        drift: NDArray[np.float32] = random.uniform(-0.1, 0.1) * np.linspace(-1, 1, tile.shape[1], dtype=np.float32)
        return (0.5 + brightness_depth_m(tile)) * np.float32(random.uniform(0.3, 3)) * np.exp(drift)

    steady = predict_tiles(lambda tile: 0.5 + brightness_depth_m(tile), photo, guide_m)
    wild = predict_tiles(network, photo, guide_m)
    assert seam_excess(wild, 4) < seam_excess(steady, 4) * 1.05
    # Detail that the guide does not hold is there, at the guide's scale.
    error = np.abs(np.log(wild / truth_m))
    lost = np.abs(np.log(np.asarray(Image.fromarray(guide_m).resize((640, 480), Image.Resampling.BILINEAR)) / truth_m))
    assert error.mean() < 0.6 * lost.mean()
    assert abs(np.median(np.log(wild / truth_m))) < 0.02


def test_without_the_guide_seams_would_be_seen(photo: NDArray[np.uint8]) -> None:
    """That the measure of seams can fail: tiles laid side by side at their own scale."""
    random, pasted = np.random.default_rng(0), np.empty(photo.shape[:2], np.float32)
    for tile in tile_places(WORKING, 4):
        pasted[tile.rows, tile.columns] = random.uniform(0.3, 3)
    assert seam_excess(pasted * (0.5 + brightness_depth_m(photo)), 4) > 1.5


def test_predict_shows_progress_and_keeps_the_metres(tiny_bundle: MakeBundle) -> None:
    picture = np.full((960, 1280, 3), 128, np.uint8)
    shown: list[Tile] = []

    def progress(tiles: Iterable[Tile]) -> list[Tile]:
        shown.extend(tiles)
        return shown

    estimator = load(tiny_bundle(), threads=1)
    depth = estimator.predict(picture, tiles="auto", progress=progress)
    assert len(shown) == 49
    np.testing.assert_allclose(depth.depth_m, 0.1 + 128 / 255 * 9, rtol=1e-4)
    with pytest.raises(ValueError, match="auto or a whole number"):
        estimator.predict(picture, tiles=0)


def test_a_camera_scales_tiles_like_the_whole(tiny_bundle: MakeBundle, photo: NDArray[np.uint8]) -> None:
    estimator = load(tiny_bundle(), threads=1)
    camera = densedepth.Camera.from_focal_35mm(640, 480, 2 * estimator.card.input.focal_35mm)
    plain = estimator.predict(photo, tiles=2).depth_m
    np.testing.assert_allclose(estimator.predict(photo, tiles=2, camera=camera).depth_m, 2 * plain, rtol=0.01)


def test_the_shipped_model_leaves_no_seams(photo: NDArray[np.uint8]) -> None:
    estimator = load("nyu", threads=1)
    small = shrunk(photo, WORKING, Image.Resampling.BICUBIC)
    depth_m = predict_tiles(
        lambda tile: estimator.infer(np.ascontiguousarray(tile)[None])[0], photo, estimator.infer(small[None])[0]
    )
    assert seam_excess(depth_m, 4) < 1.1


def peak_mb(photo: Path, out: Path, *words: str) -> float:
    """Largest resident memory of a fresh `densedepth predict`, in MB of 10^6 bytes."""
    code = """
import re, sys
from pathlib import Path
from densedepth.cli import main
status = main(sys.argv[1:])
# Not ru_maxrss, which begins with the size of the process that started this one.
print("PEAK", status, 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]))
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(densedepth.__file__).parents[1])}
    command = [sys.executable, "-c", code, "predict", str(photo), "-o", str(out), "--device", "onnxruntime", *words]
    output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    status, peak = output.partition("PEAK")[2].split()
    assert status == "0"
    return int(peak) / 1e6


def write_photo(photo: NDArray[np.uint8], path: Path, size: tuple[int, int]) -> Path:
    Image.fromarray(photo).resize(size, Image.Resampling.BILINEAR).save(path, quality=90)
    return path


@pytest.mark.parametrize("words", [["--tiles", "auto"], ["--upsample", "bilinear"]])
def test_memory_grows_by_less_than_35_bytes_a_pixel(photo: NDArray[np.uint8], tmp_path: Path, words: list[str]) -> None:
    small = write_photo(photo, tmp_path / "small.jpg", (400, 300))
    big = write_photo(photo, tmp_path / "big.jpg", (4000, 3000))
    words = [*words, "--threads", "1"]
    grown_mb = peak_mb(big, tmp_path / "out", *words) - peak_mb(small, tmp_path / "out", *words)
    assert grown_mb < 12 * 35


@pytest.mark.slow
@pytest.mark.parametrize("words", [["--tiles", "auto"], ["--tiles", "1"], ["--upsample", "bilinear"]])
def test_48_megapixels_take_less_than_2_gb(photo: NDArray[np.uint8], tmp_path: Path, words: list[str]) -> None:
    big = write_photo(photo, tmp_path / "big.jpg", (8000, 6000))
    assert peak_mb(big, tmp_path / "out", "--format", "png16", "color", *words) < 2000
    assert Image.open(tmp_path / "out" / "big_depth.png").size == (8000, 6000)
