"""Do predicted depth discontinuities lie where the true ones are: edge precision, recall and F1.

The measure of Hu et al., 'Revisiting Single Image Depth Estimation' (WACV 2019, arXiv 1803.08673): a pixel is on an
edge when the magnitude of the 3x3 Sobel gradient of depth in metres exceeds a threshold; a predicted edge pixel is
right when it is one in the truth, too, without any tolerance in position; the three scores are averaged over images.

The Sobel weights (1 2 1) are not divided by their sum, as there: a straight step of h metres has magnitude 4 h, so the
thresholds 0.25, 0.5 and 1 mean steps of 6.25, 12.5 and 25 cm. Only pixels count whose whole 3x3 neighbourhood counts
under the protocol: nothing is padded, and the rim of a hole or of the crop is no edge.
"""

from __future__ import annotations

import numpy as np

EDGE_THRESHOLDS = (0.25, 0.5, 1.0)
_SCORES = ("precision", "recall", "f1")


def sobel_magnitude(depth_m: np.ndarray) -> np.ndarray:
    """Length of the Sobel gradient of (H, W) metres at all pixels but those of the border, (H - 2, W - 2)."""
    smooth_down = depth_m[:-2] + 2 * depth_m[1:-1] + depth_m[2:]
    smooth_across = depth_m[:, :-2] + 2 * depth_m[:, 1:-1] + depth_m[:, 2:]
    magnitude: np.ndarray = np.hypot(smooth_down[:, 2:] - smooth_down[:, :-2], smooth_across[2:] - smooth_across[:-2])
    return magnitude


def whole_neighbourhoods(counted: np.ndarray) -> np.ndarray:
    """Where all nine pixels of the 3x3 neighbourhood count, bool (H - 2, W - 2)."""
    columns = counted[:-2] & counted[1:-1] & counted[2:]
    whole: np.ndarray = columns[:, :-2] & columns[:, 1:-1] & columns[:, 2:]
    return whole


def edge_scores(prediction_m: np.ndarray, truth_m: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Precision, recall and F1 of one image at each threshold.

    Args:
        prediction_m: predicted depth (H, W) in metres.
        truth_m: ground truth (H, W) in metres.
        counted: bool (H, W), pixels that the protocol counts.

    Returns:
        float64 (3 thresholds, 3 scores). NaN where the truth has no edge to be found. A prediction without any edge
        scores 0 there: it found none.
    """
    whole = whole_neighbourhoods(counted)
    predicted_gradient = sobel_magnitude(prediction_m)[whole]
    true_gradient = sobel_magnitude(truth_m)[whole]
    return np.array([_scores(predicted_gradient > limit, true_gradient > limit) for limit in EDGE_THRESHOLDS])


def _scores(predicted: np.ndarray, true: np.ndarray) -> tuple[float, float, float]:
    both, found, wanted = (int(np.count_nonzero(mask)) for mask in (predicted & true, predicted, true))
    if wanted == 0:
        return (float("nan"),) * 3
    precision = both / found if found else 0.0
    return precision, both / wanted, 2 * both / (found + wanted)


class EdgeQuality:
    """Collects the scores of images one by one: nine numbers each."""

    def __init__(self) -> None:
        self._scores: list[np.ndarray] = []

    def update(self, prediction_m: np.ndarray, truth_m: np.ndarray, counted: np.ndarray) -> np.ndarray:
        """Add one image; returns its F1 at each threshold, NaN where its truth has no edge."""
        scores = edge_scores(prediction_m, truth_m, counted)
        self._scores.append(scores)
        return scores[:, _SCORES.index("f1")]

    @property
    def f1(self) -> np.ndarray:
        """float64 (images, thresholds), NaN where an image has no edge."""
        return np.array(self._scores).reshape(-1, len(EDGE_THRESHOLDS), len(_SCORES))[..., _SCORES.index("f1")]

    def summary(self) -> dict[str, dict[str, float | int | None]]:
        """By threshold, the mean over the images that have edges, and how many have and have not.

        The scores are None when no image has an edge, as with the sparse ground truth of KITTI.
        """
        scores = np.array(self._scores)
        table: dict[str, dict[str, float | int | None]] = {}
        for place, limit in enumerate(EDGE_THRESHOLDS):
            at_limit = scores[:, place]
            with_edges = at_limit[~np.isnan(at_limit[:, 0])]
            means = [float(value) for value in with_edges.mean(axis=0)] if len(with_edges) else [None] * len(_SCORES)
            table[threshold_name(limit)] = {
                **dict(zip(_SCORES, means, strict=True)),
                "images": len(with_edges),
                "images_without_edges": len(scores) - len(with_edges),
            }
        return table


def threshold_name(limit: float) -> str:
    """A threshold as a key: 0.25, 0.5, 1.0."""
    return str(limit)
