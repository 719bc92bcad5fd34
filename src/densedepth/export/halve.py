"""Storing weights in half precision: a bundle half the size, with float32 arithmetic."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

#: Small tensors and vectors (biases, norms, constants of shape arithmetic) stay exact; they would save nothing.
MIN_ELEMENTS = 1024


def store_weights_in_half(model: onnx.ModelProto) -> None:
    """Turn large float32 weights into float16 followed by a Cast, in place.

    onnxruntime folds the Casts when it loads the file, so the graph runs as before with rounded weights.
    """
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        small = len(tensor.dims) < 2 or np.prod(tensor.dims) < MIN_ELEMENTS
        if small or tensor.data_type != onnx.TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        half = values.astype(np.float16)
        if not np.isfinite(half).all():
            continue  # outside float16's range: keep it as it is
        name, half_name = tensor.name, f"{tensor.name}.half"
        tensor.CopyFrom(numpy_helper.from_array(half, half_name))
        casts.append(onnx.helper.make_node("Cast", [half_name], [name], to=onnx.TensorProto.FLOAT))
    for cast in reversed(casts):
        graph.node.insert(0, cast)
