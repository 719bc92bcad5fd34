"""Up-sampling that keeps edges: exact depth of drawn rooms, planes, blurred steps, and strips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from conftest import MakeBundle
from densedepth.data import open_dataset, split_by_scene
from densedepth.data.synth import SynthConfig, SyntheticRooms
from densedepth.evaluation.edges import EdgeQuality, edge_scores
from densedepth.evaluation.protocols import PROTOCOLS
from densedepth.metrics import DepthMetrics
from densedepth.runtime import load
from densedepth.runtime.upsampling import enlarged, guided, shrunk, upsampled


def f1_of(depth_m: NDArray[np.float32], truth_m: NDArray[np.float32]) -> float:
    return float(edge_scores(depth_m, truth_m, np.ones(truth_m.shape, bool))[0, 2])


def two_walls(width: int = 160, height: int = 120) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """A near dark wall left of a far bright one; the border is slanted, so that it lies between coarse pixels."""
    border = width * 0.4 + np.arange(height)[:, None] * 0.3
    near = np.arange(width)[None, :] < border
    depth_m = np.where(near, np.float32(2), np.float32(4))
    image = np.repeat(np.where(near, 60, 190).astype(np.uint8)[..., None], 3, axis=2)
    return depth_m, image


def test_an_edge_of_the_photo_makes_an_edge_of_depth() -> None:
    truth_m, image = two_walls()
    blurred = np.asarray(Image.fromarray(truth_m).resize((20, 15), Image.Resampling.BICUBIC))
    full = guided(blurred.clip(1.9, 4.1), image)
    assert full.shape == truth_m.shape
    assert full.dtype == np.float32
    assert f1_of(full, truth_m) > 0.75
    assert f1_of(enlarged(blurred, (160, 120)), truth_m) < 0.5
    assert np.mean(np.abs(full - truth_m) > 0.1) < 0.02


def test_exact_depth_of_rooms_keeps_its_edges() -> None:
    rooms = SyntheticRooms(8, 5, SynthConfig(640, 480, (60.0, 60.0), 4))
    scores: dict[str, list[float]] = {"bilinear": [], "guided": []}
    errors: dict[str, list[float]] = {"bilinear": [], "guided": []}
    for index in (0, 4):
        frame = rooms[index]
        kept = np.ascontiguousarray(frame.depth_m[2::4, 2::4])
        for name, full in (("bilinear", enlarged(kept, (640, 480))), ("guided", guided(kept, frame.image))):
            scores[name].append(edge_scores(full, frame.depth_m, frame.valid)[1, 2])
            errors[name].append(float(np.mean(np.abs(full - frame.depth_m) / frame.depth_m)))
    assert np.mean(scores["guided"]) > np.mean(scores["bilinear"]) + 0.05
    assert np.mean(errors["guided"]) < np.mean(errors["bilinear"]) + 0.002


def test_a_floor_of_one_colour_stays_plane() -> None:
    rows = (np.arange(60, dtype=np.float32) + 0.5) / 60
    # Depth of a floor below the horizon is 1 / (row - horizon).
    floor = np.repeat(1 / (rows + 0.5), 80).reshape(60, 80).astype(np.float32)
    photo = np.full((240, 320, 3), 128, np.uint8)
    np.testing.assert_allclose(guided(floor, photo)[8:-8], enlarged(floor, (320, 240))[8:-8], rtol=0.01)


def test_a_picture_on_a_wall_is_not_in_its_depth() -> None:
    wall = np.full((30, 40), 3.0, np.float32)
    photo = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    np.testing.assert_allclose(guided(wall, photo), 3.0, rtol=1e-5)


@pytest.mark.parametrize("low", [(2, 2), (3, 5), (17, 2), (30, 40)])
@pytest.mark.parametrize("full", [(31, 41), (240, 321)])
def test_any_grid_gives_depth_within_its_own_range(low: tuple[int, int], full: tuple[int, int]) -> None:
    random = np.random.default_rng(1)
    depth_m = random.uniform(1, 9, low).astype(np.float32)
    answer = upsampled(depth_m, random.integers(0, 256, (*full, 3), dtype=np.uint8), "guided")
    assert answer.shape == full
    assert np.isfinite(answer).all()
    assert 0.5 < answer.min() <= answer.max() < 18


def test_an_answer_as_fine_as_the_photo_is_left_alone(random_image: NDArray[np.uint8]) -> None:
    depth_m = np.random.default_rng(2).uniform(1, 9, (240, 320)).astype(np.float32)
    np.testing.assert_array_equal(upsampled(depth_m, random_image, "guided"), depth_m)


def test_another_word_is_refused(tiny_bundle: MakeBundle, random_image: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="bilinear, guided"):
        load(tiny_bundle()).predict(random_image, upsample="sharp")  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(1000, 701), (997, 1403), (400, 300), (64, 48)])
def test_shrinking_in_strips_is_what_pillow_does_at_once(size: tuple[int, int]) -> None:
    image = np.random.default_rng(3).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    at_once = Image.fromarray(image).resize((40, 30), Image.Resampling.BICUBIC, reducing_gap=3.0)
    np.testing.assert_array_equal(shrunk(image, (40, 30), Image.Resampling.BICUBIC), np.asarray(at_once))


@pytest.mark.slow
def test_predictions_of_the_shipped_model_gain_edges_and_lose_nothing(shared: Path) -> None:
    _, held_out = split_by_scene(open_dataset("nyu", shared / "nyu", "train"), 0.06, 0)
    estimator, rules = load("nyu"), PROTOCOLS["nyu-eigen"]
    edges = {how: EdgeQuality() for how in ("bilinear", "guided")}
    metrics = {how: DepthMetrics() for how in edges}
    for index in range(0, len(held_out), 2):
        frame = held_out[index]
        counted = rules.counted(frame.depth_m, frame.valid, frame.key)
        for how in edges:
            depth_m = estimator.predict(frame.image, upsample=how).depth_m.clip(1e-3, 10)  # type: ignore[arg-type]
            edges[how].update(depth_m, frame.depth_m, counted)
            metrics[how].update(depth_m[counted], frame.depth_m[counted])
    f1 = {how: np.nanmean(quality.f1, axis=0) for how, quality in edges.items()}
    assert np.all(f1["guided"] > f1["bilinear"] * [1.1, 1.2, 1.8])
    before, after = metrics["bilinear"].per_image(), metrics["guided"].per_image()
    assert after["delta1"] > before["delta1"] - 0.001
    assert after["abs_rel"] < before["abs_rel"] + 0.0005
