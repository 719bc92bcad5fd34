"""The nine metrics, worked out by hand and by torchmetrics."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torchmetrics
from hypothesis import given
from hypothesis import strategies as st

from densedepth.metrics import METRIC_NAMES, DepthMetrics, depth_metrics


def test_by_hand() -> None:
    # Ratios 1, 1.25, 1.5, 4: 1.25 is not below 1.25, and the cube of 1.25 is 1.953.
    truth = np.array([[1.0, 2.0], [3.0, 1.0]])
    prediction = np.array([[1.0, 2.5], [2.0, 4.0]])
    values = depth_metrics(prediction, truth)
    assert tuple(values) == METRIC_NAMES
    logs = np.log([1, 1.25, 2 / 3, 4])
    expected = {
        "delta1": 1 / 4,
        "delta2": 3 / 4,
        "delta3": 3 / 4,
        "abs_rel": (0 + 0.25 + 1 / 3 + 3) / 4,
        "sq_rel": (0 + 0.125 + 1 / 3 + 9) / 4,
        "rmse": math.sqrt((0 + 0.25 + 1 + 9) / 4),
        "rmse_log": math.sqrt(sum(logs**2) / 4),
        "log10": (math.log10(1.25) + math.log10(1.5) + math.log10(4)) / 4,
        "silog": 100 * np.std(logs),
    }
    assert values == pytest.approx(expected)


def test_order_of_the_arguments_matters() -> None:
    one, two = np.array([1.0]), np.array([2.0])
    assert depth_metrics(two, one)["abs_rel"] == 1.0
    assert depth_metrics(one, two)["abs_rel"] == 0.5
    assert depth_metrics(two, one)["sq_rel"] == 1.0
    assert depth_metrics(one, two)["sq_rel"] == 0.5


def test_two_aggregations_differ() -> None:
    metrics = DepthMetrics()
    first = metrics.update(np.array([3.0]), np.array([2.0]))
    metrics.update(np.array([4.0, 4.0, 4.0]), np.array([4.0, 4.0, 8.0]))
    assert first["rmse"] == 1
    per_image, pooled = metrics.per_image(), metrics.pooled()
    # One image with rmse 1, one with sqrt(16/3); abs rel .5 and (1/2)/3.
    assert per_image["rmse"] == pytest.approx((1 + math.sqrt(16 / 3)) / 2)
    assert pooled["rmse"] == pytest.approx(math.sqrt((1 + 16) / 4))
    assert per_image["abs_rel"] == pytest.approx((0.5 + 0.5 / 3) / 2)
    assert pooled["abs_rel"] == pytest.approx((0.5 + 0.5) / 4)
    assert per_image["delta1"] == pytest.approx((0 + 2 / 3) / 2)
    assert pooled["delta1"] == pytest.approx(2 / 4)
    # A single pixel has no spread of its own; pooled, its scale differs from the others'.
    logs = np.log([1.5, 1, 1, 0.5])
    assert per_image["silog"] == pytest.approx((0 + 100 * np.std(logs[1:])) / 2)
    assert pooled["silog"] == pytest.approx(100 * np.std(logs))


def test_pooled_is_all_pixels_at_once() -> None:
    rng = np.random.default_rng(0)
    images = [(rng.uniform(0.5, 9, size), rng.uniform(0.5, 9, size)) for size in ((3, 4), (50,), (7, 1))]
    metrics = DepthMetrics()
    each = [metrics.update(p, g) for p, g in images]
    everything = depth_metrics(*(np.concatenate([pair[k].ravel() for pair in images]) for k in (0, 1)))
    assert metrics.pooled() == pytest.approx(everything)
    assert metrics.per_image() == pytest.approx({n: np.mean([v[n] for v in each]) for n in METRIC_NAMES})


def test_agrees_with_torchmetrics() -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.5, 10, 1000)
    prediction = truth * np.exp(rng.normal(0.1, 0.3, 1000))
    p, g = torch.from_numpy(prediction), torch.from_numpy(truth)
    values = depth_metrics(prediction, truth)
    rmse, rmse_log = torchmetrics.MeanSquaredError(squared=False), torchmetrics.MeanSquaredError(squared=False)
    assert values["rmse"] == pytest.approx(float(rmse.double()(p, g)), rel=1e-5)
    assert values["rmse_log"] == pytest.approx(float(rmse_log.double()(p.log(), g.log())), rel=1e-5)
    abs_rel = torchmetrics.functional.mean_absolute_percentage_error(p, g)
    assert values["abs_rel"] == pytest.approx(float(abs_rel), rel=1e-5)
    log10 = torchmetrics.functional.mean_absolute_error(p.log10(), g.log10())
    assert values["log10"] == pytest.approx(float(log10), rel=1e-5)


def test_float32_input_is_not_summed_in_float32() -> None:
    truth = np.full(2_000_000, 10, np.float32)
    prediction = np.full(2_000_000, 10.1, np.float32)
    assert depth_metrics(prediction, truth)["rmse"] == pytest.approx(float(np.float32(10.1)) - 10, rel=1e-9)


@given(st.lists(st.floats(0.1, 80), min_size=1, max_size=20), st.floats(0.2, 5))
def test_a_scaled_prediction_has_no_silog(depths: list[float], scale: float) -> None:
    truth = np.array(depths)
    values = depth_metrics(truth * scale, truth)
    # Rounding of the two moments, times 100.
    assert values["silog"] == pytest.approx(0, abs=1e-5)
    assert values["rmse_log"] == pytest.approx(abs(math.log(scale)), abs=1e-9)
    assert values["abs_rel"] == pytest.approx(abs(scale - 1))


@pytest.mark.parametrize(
    ("prediction", "truth", "message"),
    [
        ([], [], "no valid pixels"),
        ([1.0, 2.0], [1.0], "shape"),
        ([0.0], [1.0], "prediction holds depths that are not positive"),
        ([math.nan], [1.0], "prediction holds"),
        ([1.0], [-1.0], "ground truth holds"),
        ([1.0], [math.inf], "ground truth holds"),
    ],
)
def test_errors(prediction: list[float], truth: list[float], message: str) -> None:
    metrics = DepthMetrics()
    for measure in (depth_metrics, metrics.update):
        with pytest.raises(ValueError, match=message):
            measure(np.array(prediction), np.array(truth))
    for aggregate in (metrics.per_image, metrics.pooled):
        with pytest.raises(ValueError, match="no images"):
            aggregate()
