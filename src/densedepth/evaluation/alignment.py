"""Fitting a prediction to the ground truth before measuring it. Off unless asked for, and always said.

Aligned numbers use the truth of every test image: they say how good the shape of a depth map is, not its metres, and
belong in another column than unaligned ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from densedepth.errors import DataError

Alignment = Literal["none", "median", "least-squares"]
ALIGNMENTS: tuple[str, ...] = get_args(Alignment)

#: What a model's answer is affine in: metres, or the reciprocal that relative-depth models predict.
Space = Literal["depth", "disparity"]


@dataclass(frozen=True)
class Fit:
    """aligned = scale * prediction + shift, both as depth in metres or both as reciprocals of it."""

    scale: float = 1.0
    shift: float = 0.0
    space: Space = "depth"

    def apply(self, prediction_m: np.ndarray, min_depth_m: float, cap_m: float) -> np.ndarray:
        """The aligned prediction in metres, clipped to the limits of the protocol."""
        if self.space == "depth":
            return np.clip(prediction_m * self.scale + self.shift, min_depth_m, cap_m)
        # Clipped before the division: a fit can send far points through zero to negative disparities.
        return 1 / np.clip(self.scale / prediction_m + self.shift, 1 / cap_m, 1 / min_depth_m)


def fit(prediction_m: np.ndarray, truth_m: np.ndarray, alignment: str, space: Space = "depth") -> Fit:
    """How to bring the counted pixels of one image nearest to their truth.

    Args:
        prediction_m: predicted depth of the counted pixels, all > 0.
        truth_m: their ground truth in metres, all > 0.
        alignment: "median" multiplies by median(truth) / median(prediction), as in the 'scaled' numbers of the paper;
            "least-squares" fits scale and shift in ``space``.
        space: "disparity" for relative-depth models, which are unknown up to scale and shift of the reciprocal.

    Raises:
        DataError: no such alignment.
    """
    if alignment == "none":
        return Fit()
    if alignment == "median":
        return Fit(scale=float(np.median(truth_m) / np.median(prediction_m)))
    if alignment == "least-squares":
        p, g = prediction_m.astype(np.float64), truth_m.astype(np.float64)
        if space == "disparity":
            p, g = 1 / p, 1 / g
        variance = p.var()
        # A constant prediction has no slope: it becomes the mean of the truth.
        scale = float(((p - p.mean()) * (g - g.mean())).mean() / variance) if variance > 0 else 0.0
        return Fit(scale, float(g.mean() - scale * p.mean()), space)
    raise DataError(f"unknown alignment '{alignment}'; known: {', '.join(ALIGNMENTS)}")
