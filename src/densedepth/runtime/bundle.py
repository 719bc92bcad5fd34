"""A bundle: one .onnx file from RGB to metres, run by onnxruntime."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from densedepth.errors import BundleError
from densedepth.runtime.card import Card, read_card

MIN_SIDE = 32


class Bundle:
    """A loaded bundle.

    The graph takes `image`, uint8 (N, H, W, 3) RGB with any N and H, W >= 32, and returns `depth_m`, float32
    (N, H, W) in metres for the training camera of the card. Normalisation, padding, the reciprocal transform
    and the depth limits are inside the graph.

    Attributes:
        card: what the network is.
    """

    def __init__(self, path: str | PathLike[str], *, threads: int | None = None) -> None:
        """Load a bundle; `threads` limits the cores used for one prediction (None: onnxruntime decides).

        Raises:
            BundleError: missing, damaged, or not one of ours.
        """
        self.path = Path(path)
        self.card: Card = read_card(self.path)
        self._session = _session(self.path, threads)

    def infer(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run the network as it is, without resizing.

        Args:
            images: uint8 (N, H, W, 3) RGB, H and W at least 32.

        Returns:
            float32 (N, H, W) metres.

        Raises:
            ValueError: another shape or dtype.
            BundleError: the graph failed.
        """
        right = images.ndim == 4 and images.shape[3] == 3 and min(images.shape[1:3]) >= MIN_SIDE
        if not right or images.dtype != np.uint8:
            raise ValueError(f"images must be uint8 (N, H>=32, W>=32, 3), got {images.dtype} {images.shape}")
        try:
            (depth_m,) = self._session.run(["depth_m"], {"image": np.ascontiguousarray(images)})
        except Exception as cause:  # onnxruntime raises its own, undocumented types
            raise BundleError(f"{self.path}: the network failed on images of shape {images.shape}") from cause
        result: NDArray[np.float32] = depth_m
        if result.shape != images.shape[:3]:
            raise BundleError(f"{self.path}: depth of shape {result.shape} for images of shape {images.shape}")
        return result


def _session(path: Path, threads: int | None) -> Any:
    """An onnxruntime session with our inputs and outputs."""
    import onnxruntime  # takes longer to import than the rest of the package together

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # Photos come in many shapes; plans kept for each of them would only fill memory.
    options.enable_mem_pattern = False
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as cause:  # onnxruntime raises its own, undocumented types
        raise BundleError(f"{path}: onnxruntime cannot load it; get a whole copy, or export it again") from cause
    inputs = [(node.name, node.type) for node in session.get_inputs()]
    outputs = [(node.name, node.type) for node in session.get_outputs()]
    if inputs != [("image", "tensor(uint8)")] or ("depth_m", "tensor(float)") not in outputs:
        raise BundleError(f"{path}: not a depth bundle: inputs {inputs}, outputs {outputs}")
    return session
