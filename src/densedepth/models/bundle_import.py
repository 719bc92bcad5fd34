"""A bundle as a network again, to train it further: the graph keeps every weight under its own name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from densedepth.errors import BundleError
from densedepth.io.opening import one_line
from densedepth.models.densedepth import DenseDepth, weight_shapes
from densedepth.runtime import Card, read_card
from densedepth.types import Camera

PREFIX = "net."
HALF = ".half"


def read_bundle(path: str | os.PathLike[str]) -> tuple[DenseDepth, dict[str, Any]]:
    """Make a network of a bundle, which may be anybody's, as in :func:`~densedepth.models.load_checkpoint`.

    Weights that the bundle stores as float16 come back rounded to 11 bits.

    Args:
        path: the .onnx file.

    Returns:
        The network, in eval mode, and the ``info`` of a checkpoint made from it.

    Raises:
        BundleError: the file is damaged or no bundle, or a weight of the network it describes is not in it.
    """
    path = Path(path)
    card = read_card(path)
    architecture = card.extra.get("architecture")
    if not isinstance(architecture, dict):
        raise BundleError(f"{path}: its card does not say the architecture, so it cannot be trained further")
    try:
        wanted = weight_shapes(architecture)
        stored = _weights(onnx.load(str(path)))
    except Exception as error:  # protobuf and numpy meet damaged data with errors of any kind
        raise BundleError(f"{path}: cannot be read as a network ({one_line(error)})") from error
    state = {}
    for key, shape in wanted.items():
        if key.endswith("num_batches_tracked"):
            continue  # counts for nothing: no norm here averages over all batches
        values = stored.get(key)
        if values is None or values.shape != shape:
            found = "missing" if values is None else f"{values.shape} instead of {shape}"
            raise BundleError(
                f"{path}: weight '{key}' is {found}; a bundle of an older densedepth has its norms folded into the "
                "convolutions and cannot be trained further: export its checkpoint again"
            )
        state[key] = torch.from_numpy(values)
    net = DenseDepth.from_architecture(architecture)
    net.load_state_dict(net.state_dict() | state)
    return net.eval(), {"training_data": card.training_data, "camera": _camera(card).to_dict()}


def _weights(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """By name. Convolutions that the export took apart (`export.taps`) are put together again."""
    weights = {
        tensor.name.removeprefix(PREFIX).removesuffix(HALF): numpy_helper.to_array(tensor).astype(np.float32)
        for tensor in model.graph.initializer
        if tensor.name.startswith(PREFIX)
    }
    for name in list(weights):
        layer, _, what = name.removesuffix(".weight").rpartition(".")
        if what == "tap00":
            taps = [weights[f"{layer}.tap{row}{column}.weight"] for row in range(3) for column in range(3)]
            weights[f"{layer}.weight"] = whole_kernel(taps, weights[f"{layer}.beside.weight"])
        elif what == "taps":
            weights[f"{layer}.weight"] = weights[name].T.reshape(1, -1, 3, 3)
    return weights


def whole_kernel(taps: list[np.ndarray], beside: np.ndarray) -> np.ndarray:
    """The kernel (outputs, channels, 3, 3) of a convolution that the export took apart (`export.taps`).

    Args:
        taps: nine (outputs, channels of the doubled map, 1, 1), row by row.
        beside: (outputs, channels of the map beside it, 3, 3).
    """
    of_doubled = np.stack(taps, axis=-1).reshape(*taps[0].shape[:2], 3, 3)
    return np.concatenate([of_doubled, beside], axis=1)


def _camera(card: Card) -> Camera:
    """The card has no principal point: the centre."""
    shape = card.input
    return Camera(
        shape.focal_px, shape.focal_px, shape.width / 2, shape.height / 2, round(shape.width), round(shape.height)
    )
