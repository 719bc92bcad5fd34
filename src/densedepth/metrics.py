"""Depth metrics, per image and pooled over all pixels, in one streaming pass. numpy only.

The two aggregations differ a lot: the mean of per-image values weighs every image alike, pooling weighs every pixel
alike, and roots (rmse, rmse_log, silog) are taken per image or once at the end. Both are always reported.

Definitions for prediction p and ground truth g over valid pixels (Eigen et al. 2014, KITTI for silog):
delta_k = share of pixels with max(p/g, g/p) < 1.25^k; abs_rel = mean |p-g| / g; sq_rel = mean (p-g)^2 / g;
rmse = sqrt mean (p-g)^2; rmse_log = the same of natural logs; log10 = mean |log10 p - log10 g|;
silog = 100 sqrt(mean d^2 - (mean d)^2) with d = ln p - ln g.
"""

from __future__ import annotations

import math

import numpy as np

__all__ = ["METRIC_NAMES", "DepthMetrics", "depth_metrics"]

METRIC_NAMES = ("delta1", "delta2", "delta3", "abs_rel", "sq_rel", "rmse", "rmse_log", "log10", "silog")

#: Means over pixels from which every metric follows.
_MOMENTS = ("delta1", "delta2", "delta3", "abs_rel", "sq_rel", "sq", "sq_log", "abs_log10", "log")


def depth_metrics(prediction_m: np.ndarray, truth_m: np.ndarray) -> dict[str, float]:
    """The nine metrics over one set of pixels.

    Args:
        prediction_m: predicted depth in metres, any shape, all > 0.
        truth_m: ground truth of the same shape, all > 0.

    Returns:
        Value by name, see `METRIC_NAMES` and the top of this file.

    Raises:
        ValueError: shapes differ, there are no pixels, or a value is not a positive number.
    """
    return _named(metrics_of_moments(_moments(prediction_m, truth_m)))


class DepthMetrics:
    """Collects images one by one; what is kept is a few numbers an image, whatever its size."""

    def __init__(self) -> None:
        self.per_image_values: list[dict[str, float]] = []
        self._moments: list[np.ndarray] = []
        self._pixels: list[int] = []

    def update(self, prediction_m: np.ndarray, truth_m: np.ndarray) -> dict[str, float]:
        """Add the valid pixels of one image; returns that image's metrics. All else as for `depth_metrics`."""
        moments = _moments(prediction_m, truth_m)
        values = _named(metrics_of_moments(moments))
        self._moments.append(moments)
        self._pixels.append(truth_m.size)
        self.per_image_values.append(values)
        return values

    @property
    def moments(self) -> np.ndarray:
        """Means over each image's pixels, float64 (images, 9), from which `metrics_of_moments` makes the metrics."""
        return np.array(self._moments).reshape(-1, len(_MOMENTS))

    @property
    def pixels(self) -> np.ndarray:
        """How many pixels of each image counted, float64 (images,)."""
        return np.array(self._pixels, dtype=np.float64)

    def per_image(self) -> dict[str, float]:
        """Mean over images of each image's value. Raises ValueError before the first image."""
        self._require_images()
        return _named(metrics_of_moments(self.moments).mean(axis=0))

    def pooled(self) -> dict[str, float]:
        """Over all pixels of all images at once. Raises ValueError before the first image."""
        self._require_images()
        return _named(metrics_of_moments(self.pixels @ self.moments / self.pixels.sum()))

    def _require_images(self) -> None:
        if not self.per_image_values:
            raise ValueError("no images were added")


def metrics_of_moments(moments: np.ndarray) -> np.ndarray:
    """The nine metrics in the order of `METRIC_NAMES` from means over pixels, (..., 9) to (..., 9)."""
    m = dict(zip(_MOMENTS, np.moveaxis(moments, -1, 0), strict=True))
    # Rounding can make an exactly scaled prediction's variance minus a few ulps.
    variance = np.maximum(m["sq_log"] - m["log"] ** 2, 0.0)
    roots = {"rmse": np.sqrt(m["sq"]), "rmse_log": np.sqrt(m["sq_log"]), "silog": 100 * np.sqrt(variance)}
    values = {**m, "log10": m["abs_log10"], **roots}
    return np.stack([values[name] for name in METRIC_NAMES], axis=-1)


def _named(values: np.ndarray) -> dict[str, float]:
    return {name: float(value) for name, value in zip(METRIC_NAMES, values, strict=True)}


def _moments(prediction_m: np.ndarray, truth_m: np.ndarray) -> np.ndarray:
    if prediction_m.shape != truth_m.shape:
        raise ValueError(f"prediction has shape {prediction_m.shape}, ground truth {truth_m.shape}")
    if truth_m.size == 0:
        raise ValueError("no valid pixels")
    p, g = prediction_m.astype(np.float64), truth_m.astype(np.float64)
    for name, value in (("prediction", p), ("ground truth", g)):
        if not (np.isfinite(value).all() and (value > 0).all()):
            raise ValueError(f"{name} holds depths that are not positive numbers")
    difference = p - g
    log = np.log(p) - np.log(g)
    worse = np.maximum(p / g, g / p)
    return np.array(
        [
            *(np.mean(worse < 1.25**k) for k in (1, 2, 3)),
            np.mean(np.abs(difference) / g),
            np.mean(difference**2 / g),
            np.mean(difference**2),
            np.mean(log**2),
            np.mean(np.abs(log)) / math.log(10),
            np.mean(log),
        ]
    )
