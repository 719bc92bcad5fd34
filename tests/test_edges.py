"""Edge precision, recall and F1 of depth discontinuities, worked out by hand and by scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest

from densedepth.evaluation.edges import EDGE_THRESHOLDS, EdgeQuality, edge_scores, sobel_magnitude, whole_neighbourhoods


def step(height_m: float, at: int, shape: tuple[int, int] = (10, 12), near_m: float = 2.0) -> np.ndarray:
    """A wall in front of another: ``height_m`` deeper from column ``at`` on."""
    depth_m = np.full(shape, near_m, np.float32)
    depth_m[:, at:] += np.float32(height_m)
    return depth_m


def everywhere(depth_m: np.ndarray) -> np.ndarray:
    return np.ones(depth_m.shape, bool)


def test_sobel_is_scipys() -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    depth_m = np.random.default_rng(0).uniform(1, 9, (17, 23))
    expected = np.hypot(ndimage.sobel(depth_m, axis=0), ndimage.sobel(depth_m, axis=1))
    assert sobel_magnitude(depth_m) == pytest.approx(expected[1:-1, 1:-1])


def test_a_step_of_h_has_magnitude_4h_on_both_its_sides() -> None:
    magnitude = sobel_magnitude(step(0.5, at=6))
    assert magnitude[:, 4:6] == pytest.approx(2.0)
    assert not np.delete(magnitude, [4, 5], axis=1).any()


def test_the_truth_is_perfect() -> None:
    truth_m = step(1.0, at=6)
    assert edge_scores(truth_m, truth_m, everywhere(truth_m)).tolist() == [[1.0, 1.0, 1.0]] * 3


def test_one_column_off_halves_the_scores() -> None:
    # True edge columns 5 and 6, predicted 6 and 7: no tolerance.
    truth_m, prediction_m = step(1.0, at=6), step(1.0, at=7)
    assert edge_scores(prediction_m, truth_m, everywhere(truth_m)) == pytest.approx(np.full((3, 3), 0.5))


def test_thresholds_tell_steps_apart() -> None:
    # 4 x 0.1 m passes 0.25 only; the prediction's 4 x 0.2 m also passes 0.5.
    scores = edge_scores(step(0.2, at=6), step(0.1, at=6), everywhere(step(0.1, at=6)))
    assert scores[0].tolist() == [1.0, 1.0, 1.0]
    assert np.isnan(scores[1:]).all()


def test_a_flat_prediction_finds_nothing() -> None:
    truth_m = step(1.0, at=6)
    assert not edge_scores(np.full_like(truth_m, 3), truth_m, everywhere(truth_m)).any()


def test_the_rim_of_holes_and_of_the_crop_is_no_edge() -> None:
    truth_m = np.full((10, 12), 3, np.float32)
    truth_m[4:6, 4:6] = 0
    counted = truth_m > 0
    counted[:, :2] = False
    truth_m[:, :2] = 9
    assert np.isnan(edge_scores(truth_m, truth_m, counted)).all()
    assert np.count_nonzero(whole_neighbourhoods(counted)) == 8 * 8 - 4 * 4


def test_mean_over_the_images_that_have_edges() -> None:
    quality = EdgeQuality()
    flat, truth_m = np.full((10, 12), 2, np.float32), step(0.1, at=6)
    quality.update(truth_m, truth_m, everywhere(truth_m))
    quality.update(step(0.1, at=7), truth_m, everywhere(truth_m))
    quality.update(step(0.1, at=7), flat, everywhere(flat))
    table = quality.summary()
    assert list(table) == [str(limit) for limit in EDGE_THRESHOLDS] == ["0.25", "0.5", "1.0"]
    assert table["0.25"] == {"precision": 0.75, "recall": 0.75, "f1": 0.75, "images": 2, "images_without_edges": 1}
    assert table["1.0"] == {"precision": None, "recall": None, "f1": None, "images": 0, "images_without_edges": 3}
    assert quality.f1[:2, 0].tolist() == [1.0, 0.5]
    assert math.isnan(quality.f1[2, 0])


def test_sparse_truth_has_no_neighbourhoods() -> None:
    truth_m = step(1.0, at=6)
    counted = np.zeros(truth_m.shape, bool)
    counted[::2, ::3] = True
    assert np.isnan(edge_scores(truth_m, truth_m, counted)).all()
