"""Eight bits for the convolutions of an ONNX graph, by onnxruntime: calibration, and graphs with parts left in float.

The body of the network, from its first convolution to its last, gets QuantizeLinear / DequantizeLinear pairs: weights
int8 with a scale for each output channel, activations uint8 with the range seen on photos. Normalisation, padding, the
reciprocal transform, clipping and the last up-sampling lie outside of it and stay float. onnxruntime and OpenVINO both
run such a graph in integers.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import QDQQuantizer, QuantType, create_calibrator

from densedepth.errors import DenseDepthError
from densedepth.export.graph import opset_of

#: What runs in integers: between two convolutions nothing turns back to float.
OPERATORS = ["Conv", "Relu", "Clip", "LeakyRelu", "Add", "Concat", "Resize", "MaxPool", "AveragePool"]


class Quantiser:
    """A float graph, calibrated, from which int8 graphs are made.

    Attributes:
        groups: names of the nodes of the body, in the order of the graph, each group with one or a few convolutions.
    """

    def __init__(self, bundle: Path, photos: Sequence[NDArray[np.uint8]], max_groups: int) -> None:
        """Fold the graph of ``bundle`` and see the range of each activation on ``photos``, uint8 (1, H, W, 3) each.

        Raises:
            DenseDepthError: the graph has no convolution.
        """
        with tempfile.TemporaryDirectory() as folder, _quiet():
            folded = Path(folder) / "folded.onnx"
            self._model = _folded(bundle, folded)
            nodes = [node.name for node in self._model.graph.node]
            convolutions = [i for i, node in enumerate(self._model.graph.node) if node.op_type == "Conv"]
            if not convolutions:
                raise DenseDepthError(f"{bundle}: has no convolution, so there is nothing to turn into int8")
            self._outside = nodes[: convolutions[0]] + nodes[convolutions[-1] + 1 :]
            starts = [part[0] for part in np.array_split(convolutions, min(max_groups, len(convolutions)))]
            ends = [*starts[1:], convolutions[-1] + 1]
            self.groups = [nodes[start:end] for start, end in zip(starts, ends, strict=True)]
            calibrator = create_calibrator(
                folded, OPERATORS, augmented_model_path=str(Path(folder) / "augmented.onnx"), extra_options={}
            )
            calibrator.collect_data(_Photos(photos))
            self._ranges = calibrator.compute_data()

    def quantised(self, in_float: Iterable[int] = ()) -> onnx.ModelProto:
        """The int8 graph, with the groups of these numbers left in float."""
        kept = [name for group in in_float for name in self.groups[group]]
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        with _quiet():
            quantizer = QDQQuantizer(
                model,
                True,  # a scale for each output channel
                False,  # all 8 bits
                QuantType.QInt8,
                QuantType.QUInt8,
                self._ranges,
                [],
                [*self._outside, *kept],
                OPERATORS,
                {},
            )
            quantizer.quantize_model()
        result: onnx.ModelProto = quantizer.model.model
        return result

    def layers(self, group: int) -> list[str]:
        """Names of the convolutions of a group, by their weights: ``decoder.conv3``."""
        names = set(self.groups[group])
        return [_layer(node) for node in self._model.graph.node if node.op_type == "Conv" and node.name in names]

    @property
    def layer_count(self) -> int:
        """Number of convolutions."""
        return sum(len(self.layers(group)) for group in range(len(self.groups)))


class _Photos:
    """What onnxruntime calls a calibration data reader."""

    def __init__(self, photos: Sequence[NDArray[np.uint8]]) -> None:
        self._left = iter(photos)

    def get_next(self) -> dict[str, Any] | None:
        photo = next(self._left, None)
        return None if photo is None else {"image": photo}


def _folded(bundle: Path, folded: Path) -> onnx.ModelProto:
    """The graph with norms folded into convolutions and weights in float32, as onnxruntime simplifies it."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folded)
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(bundle), options, providers=["CPUExecutionProvider"])
    model = onnx.load(folded)
    for number, node in enumerate(model.graph.node):
        node.name = node.name or f"node_{number}"
    version = opset_of(model)
    del model.opset_import[:]  # onnxruntime lists every domain it knows
    domains = dict.fromkeys(node.domain for node in model.graph.node if node.domain not in ("", "ai.onnx"))
    model.opset_import.extend(
        [onnx.helper.make_opsetid("", version), *(onnx.helper.make_opsetid(d, 1) for d in domains)]
    )
    onnx.save(model, folded)
    return model


def _layer(node: onnx.NodeProto) -> str:
    weight: str = node.input[1]
    return weight.rpartition("net.")[2].removesuffix(".half").removesuffix(".weight")


@contextmanager
def _quiet() -> Iterator[None]:
    """onnxruntime's quantisation writes advice to the root logger that does not apply here."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
