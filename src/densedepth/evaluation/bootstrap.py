"""How far results would move on other images of the same kind: bootstrap intervals over images.

Images are drawn with replacement, not pixels: the pixels of one image stand or fall together. Frames of one scene do,
too, to a degree, so with several frames a scene the true intervals are wider than these.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from densedepth.evaluation.edges import EDGE_THRESHOLDS, threshold_name
from densedepth.metrics import METRIC_NAMES, DepthMetrics, metrics_of_moments

RESAMPLES = 1000
#: Resamples drawn at once: (64, images) counts fit any memory.
_CHUNK = 64

Intervals = dict[str, dict[str, list[float] | None]]


def intervals95(
    metrics: DepthMetrics, edge_f1: np.ndarray, *, seed: int = 0, resamples: int = RESAMPLES
) -> Intervals | None:
    """Percentile intervals (2.5 to 97.5 %) of both aggregations and of edge F1.

    Args:
        metrics: what was collected.
        edge_f1: (images, thresholds), NaN where an image has no edge.
        seed: of the draws; the same for the same result.
        resamples: how many sets of images are drawn.

    Returns:
        ``{"per_image": {metric: [low, high]}, "pooled": {...}, "edges": {threshold: [low, high]}}``, or None for a
        single image, which says nothing about others.
    """
    moments, pixels = metrics.moments, metrics.pixels
    if len(pixels) < 2:
        return None
    values, sums = metrics_of_moments(moments), moments * pixels[:, None]
    has_edges = ~np.isnan(edge_f1)
    f1 = np.where(has_edges, edge_f1, 0.0)
    per_image, pooled, edges = [], [], []
    for times in _draws(len(pixels), resamples, seed):
        per_image.append(times @ values / len(pixels))
        pooled.append(metrics_of_moments(times @ sums / (times @ pixels)[:, None]))
        with np.errstate(invalid="ignore"):  # a draw without any image that has edges: NaN, left out below
            edges.append((times @ f1) / (times @ has_edges))
    return {
        "per_image": _limits(per_image, METRIC_NAMES),
        "pooled": _limits(pooled, METRIC_NAMES),
        "edges": _limits(edges, map(threshold_name, EDGE_THRESHOLDS)),
    }


def _draws(images: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """How often each image is in each resample, float64 (up to _CHUNK, images): resampling as a matrix product."""
    rng = np.random.default_rng(seed)
    for start in range(0, resamples, _CHUNK):
        count = min(_CHUNK, resamples - start)
        yield rng.multinomial(images, np.full(images, 1 / images), size=count).astype(np.float64)


def _limits(chunks: list[np.ndarray], names: Iterable[str]) -> dict[str, list[float] | None]:
    table: dict[str, list[float] | None] = {}
    for name, column in zip(names, np.concatenate(chunks).T, strict=True):
        known = column[~np.isnan(column)]
        table[name] = [float(limit) for limit in np.percentile(known, [2.5, 97.5])] if len(known) else None
    return table
