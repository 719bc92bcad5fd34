"""A network that runs: what goes in and comes out is checked here, whatever it runs on."""

from __future__ import annotations

import math
import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from densedepth.errors import BundleError
from densedepth.io.opening import one_line
from densedepth.runtime.card import Card
from densedepth.runtime.devices import Runner

MIN_SIDE = 32

RANGE_TOLERANCE = 0.01
"""Weights of 11 or 8 bits may miss the limits of the card by this part of them."""


class Prediction(NamedTuple):
    """What a network says about some images.

    Attributes:
        depth_m: float32 (N, H, W) metres.
        uncertainty_m: float32 (N, H, W), the expected absolute error of `depth_m` in metres; None where the network
            does not say it.
    """

    depth_m: NDArray[np.float32]
    uncertainty_m: NDArray[np.float32] | None = None


class RunningNetwork:
    """A graph on a device, with its card.

    The graph takes `image`, uint8 (N, H, W, 3) RGB with any N and H, W >= 32, and returns `depth_m`, float32
    (N, H, W) in metres for the training camera of the card. Normalisation, padding, the reciprocal transform
    and the depth limits are inside the graph. A second output `uncertainty_m` of the same shape and unit is the
    expected absolute error of the depth; a graph may have it or not.

    Attributes:
        label: what messages call it.
        card: what the network is.
        device: what it runs on, a name in `densedepth.runtime.devices.DEVICES`.
    """

    def __init__(self, label: str, card: Card, device: str, runner: Runner) -> None:
        """Raises BundleError for a graph with other inputs and outputs than described."""
        self.label, self.card, self.device = label, card, device
        inputs, outputs = runner.inputs, runner.outputs
        if inputs != {"image": "uint8"} or outputs.get("depth_m") != "float32":
            raise BundleError(f"{label}: not a depth bundle: inputs {inputs}, outputs {outputs}")
        if outputs.get("uncertainty_m", "float32") != "float32":
            raise BundleError(f"{label}: its output uncertainty_m is {outputs['uncertainty_m']}, not float32")
        self._runner = runner
        self._names = [name for name in Prediction._fields if name in outputs]
        self._range_reported = False

    def infer(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The depth of `run` alone: float32 (N, H, W) metres."""
        return self.run(images).depth_m

    def run(self, images: NDArray[np.uint8]) -> Prediction:
        """Run the network as it is, without resizing. Several threads may do so at the same time.

        Args:
            images: uint8 (N, H, W, 3) RGB, H and W at least 32.

        Raises:
            ValueError: another shape or dtype.
            BundleError: the graph failed, or gave what cannot be a depth (NaN, infinite, zero or less) or an error.

        Depth outside of the range on the card is returned, with a warning the first time.
        """
        right = images.ndim == 4 and images.shape[3] == 3 and min(images.shape[1:3]) >= MIN_SIDE
        if not right or images.dtype != np.uint8:
            raise ValueError(f"images must be uint8 (N, H>=32, W>=32, 3), got {images.dtype} {images.shape}")
        try:
            answers = self._runner.run(np.ascontiguousarray(images), self._names)
        except Exception as cause:  # every runtime raises its own, undocumented types
            why = one_line(cause)
            raise BundleError(f"{self.label}: the network failed on images of shape {images.shape} ({why})") from cause
        for name, answer in zip(self._names, answers, strict=True):
            if answer.shape != images.shape[:3]:
                raise BundleError(f"{self.label}: {name} of shape {answer.shape} for images of shape {images.shape}")
        prediction = Prediction(*answers)
        self._check_range(prediction.depth_m)
        self._check_uncertainty(prediction.uncertainty_m)
        return prediction

    def _check_range(self, depth_m: NDArray[np.float32]) -> None:
        nearest_m, farthest_m = _extremes(depth_m)
        if depth_m.size and not 0 < nearest_m <= farthest_m < math.inf:  # NaN, too, is in none of these orders
            raise BundleError(
                f"{self.label}: the network answers with {nearest_m:g} to {farthest_m:g} m, which is no depth; "
                "get another copy, or export it again"
            )
        near_m, far_m = self.card.depth_range_m
        right = nearest_m >= near_m * (1 - RANGE_TOLERANCE) and farthest_m <= far_m * (1 + RANGE_TOLERANCE)
        if not right and not self._range_reported:
            self._range_reported = True
            warnings.warn(
                f"{self.label}: predicts {nearest_m:.3g} to {farthest_m:.3g} m, but its card says {near_m:g} to "
                f"{far_m:g} m: do not trust its metres before you have measured them (densedepth evaluate)",
                stacklevel=3,
            )

    def _check_uncertainty(self, uncertainty_m: NDArray[np.float32] | None) -> None:
        if uncertainty_m is None or not uncertainty_m.size:
            return
        least_m, most_m = _extremes(uncertainty_m)
        if not 0 <= least_m <= most_m < math.inf:
            raise BundleError(
                f"{self.label}: the network answers with an expected error of {least_m:g} to {most_m:g} m, which is "
                "none; get another copy, or export it again"
            )


def _extremes(values: NDArray[Any]) -> tuple[float, float]:
    return float(values.min(initial=math.inf)), float(values.max(initial=0.0))
