"""One frame: predict it from its photo alone, align, clip, and say which pixels count."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from typing import Any

import numpy as np

from densedepth.data import Frame
from densedepth.errors import DataError
from densedepth.evaluation.alignment import Fit, Space, fit
from densedepth.evaluation.protocols import Protocol
from densedepth.types import DepthMap


class Predictor(typing.Protocol):
    """What can be evaluated: a `DepthEstimator`, or anything with a name on a card and the same `predict`.

    One that knows no metres has an attribute ``space = "disparity"``; its depth is then the reciprocal of what it
    predicts, and only means something after alignment.
    """

    @property
    def card(self) -> Any: ...

    def predict(self, image: np.ndarray, *, tta: bool = False) -> DepthMap: ...


@dataclass(frozen=True)
class Comparison:
    """A prediction as it is measured.

    Attributes:
        predicted_m: (H, W) metres, after alignment and clipping.
        counted: bool (H, W), the pixels that count.
        fit: the alignment that was applied.
    """

    predicted_m: np.ndarray
    counted: np.ndarray
    fit: Fit


def space_of(estimator: Predictor) -> Space:
    """What the model's answer is affine in."""
    return getattr(estimator, "space", "depth")


def compare(estimator: Predictor, frame: Frame, protocol: Protocol, *, tta: bool, alignment: str) -> Comparison:
    """Predict one frame under a protocol.

    Raises:
        DataError: no ground truth counts, or the prediction has another size or depths that are no depths.
    """
    counted = protocol.counted(frame.depth_m, frame.valid, frame.key)
    depth = estimator.predict(frame.image, tta=tta)
    if depth.depth_m.shape != frame.depth_m.shape:
        raise DataError(
            f"{frame.key}: the prediction is {depth.width}x{depth.height}, "
            f"the ground truth {frame.depth_m.shape[1]}x{frame.depth_m.shape[0]}; photo and depth must be of one size"
        )
    # Leaving such pixels out would reward a model for answering only where it is sure.
    bad = int(np.count_nonzero(~depth.valid))
    if bad:
        raise DataError(
            f"{frame.key}: {estimator.card.name} predicts NaN, infinite or non-positive depth at {bad} of "
            f"{depth.valid.size} pixels; mend the model, pixels are not skipped silently"
        )
    how = fit(depth.depth_m[counted], frame.depth_m[counted], alignment, space_of(estimator))
    return Comparison(how.apply(depth.depth_m, protocol.min_depth_m, protocol.cap_m), counted, how)
