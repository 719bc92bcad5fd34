"""Predicting depth without torch: bundles (.onnx files with a card) and the estimator that runs them."""

from densedepth.runtime.bundle import Bundle
from densedepth.runtime.card import Card, InputCamera, read_card
from densedepth.runtime.estimator import DepthEstimator, Network
from densedepth.runtime.network import Prediction
from densedepth.runtime.zoo import available, load

__all__ = [
    "Bundle",
    "Card",
    "DepthEstimator",
    "InputCamera",
    "Network",
    "Prediction",
    "available",
    "load",
    "read_card",
]
