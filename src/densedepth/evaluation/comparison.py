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
from densedepth.runtime import DepthEstimator
from densedepth.types import DepthMap


class Predictor(typing.Protocol):
    """What can be evaluated: a `DepthEstimator`, or anything with a name on a card and the same `predict`.

    One that knows no metres has an attribute ``space = "disparity"``; its depth is then the reciprocal of what it
    predicts, and only means something after alignment. Unless ``takes_camera`` is False,
    `predict` also takes ``camera=``.
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
        uncertainty_m: (H, W), the error the model expects, if it says it and nothing was aligned.
    """

    predicted_m: np.ndarray
    counted: np.ndarray
    fit: Fit
    uncertainty_m: np.ndarray | None = None


def space_of(estimator: Predictor) -> Space:
    """What the model's answer is affine in."""
    return getattr(estimator, "space", "depth")


def resize_of(estimator: Predictor) -> str:
    """How the model's answer reaches the size of the photo, in words."""
    how = "guided by the photo" if isinstance(estimator, DepthEstimator) else "bilinear"
    return f"prediction {how} to the photo's size"


def compare(
    estimator: Predictor, frame: Frame, protocol: Protocol, *, tta: bool, alignment: str, use_camera: bool = False
) -> Comparison:
    """Predict one frame under a protocol; with ``use_camera`` the model is told the frame's camera.

    Raises:
        DataError: no ground truth counts, the camera is not known, or the prediction has another size or depths that
            are no depths.
    """
    counted = protocol.counted(frame.depth_m, frame.valid, frame.key)
    if use_camera and frame.camera is None:
        raise DataError(f"{frame.key}: its camera is not known, so the model cannot be told; leave out --use-camera")
    told: dict[str, Any] = {"camera": frame.camera} if use_camera else {}
    depth = estimator.predict(frame.image, tta=tta, **told)
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
    predicted_m = how.apply(depth.depth_m, protocol.min_depth_m, protocol.cap_m)
    return Comparison(predicted_m, counted, how, depth.uncertainty_m if alignment == "none" else None)
