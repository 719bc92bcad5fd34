"""Eight bits for the convolutions of an ONNX graph, by onnxruntime: calibration, and graphs with parts left in float.

The body of the network, from its first convolution to the one before the answer, gets QuantizeLinear /
DequantizeLinear pairs: weights int8 with a scale for each output channel, activations uint8 with the range seen on
photos. Normalisation, padding, the convolutions that say the answer, the reciprocal transform, clipping and the last
up-sampling lie outside of it and stay float. onnxruntime and OpenVINO both run such a graph in integers.
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
from onnx import helper, numpy_helper
from onnxruntime.quantization import QDQQuantizer, QuantType, create_calibrator

from densedepth.errors import DenseDepthError
from densedepth.export.graph import opset_of
from densedepth.export.taps import exact_nodes, put_together

#: What runs in integers. Concat and Resize pass integers on, or the runtime moves them there: a step of their own would
#: round a second time, and costs OpenVINO time in DenseNets, where every layer concatenates all before it.
OPERATORS = ["Conv", "Relu", "Clip", "LeakyRelu", "Add", "MaxPool", "AveragePool"]


class Quantiser:
    """A float graph, calibrated, from which int8 graphs are made.

    Attributes:
        groups: names of the nodes of the body, in the order of the graph, each group with one or a few convolutions.
        layer_count: number of convolutions, with those outside.
    """

    def __init__(
        self, bundle: Path, photos: Sequence[NDArray[np.uint8]], max_groups: int, *, round_taps: bool = True
    ) -> None:
        """Fold the graph of ``bundle``; see on photos the range of each activation and what rounded weights change.

        Args:
            bundle: a float bundle (.onnx).
            photos: uint8 (1, H, W, 3) each.
            max_groups: how many groups to make at most.
            round_taps: round what comes out of the taps of a convolution taken apart (`export.taps`) before they are
                summed. onnxruntime calculates a convolution in integers only then, OpenVINO in any case.

        Raises:
            DenseDepthError: the graph has no convolutions before its last ones.
        """
        with tempfile.TemporaryDirectory() as folder, _quiet():
            folded = Path(folder) / "folded.onnx"
            self._model = _folded(bundle, folded)
            nodes = self._model.graph.node
            self._answering = _answering(self._model.graph)
            exact = exact_nodes(self._model.graph)
            self._unrounded = set() if round_taps else {*exact}
            moving = {*exact} - {*self._answering}
            convolutions = [i for i, node in enumerate(nodes) if node.op_type == "Conv" and node.name not in moving]
            self.layer_count = len(convolutions)
            inner = [i for i in convolutions if nodes[i].name not in self._answering]
            if not inner:
                raise DenseDepthError(f"{bundle}: has no convolution before the last, so nothing to turn into int8")
            names = [node.name for node in nodes]
            self._outside = [*names[: inner[0]], *names[convolutions[-1] + 1 :], *self._answering, *moving]
            starts = [part[0] for part in np.array_split(inner, min(max_groups, len(inner)))]
            ends = [*starts[1:], convolutions[-1] + 1]
            self.groups = [names[start:end] for start, end in zip(starts, ends, strict=True)]
            self._biases = _corrected_biases(self._model, photos)
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
        for node in model.graph.node:
            if node.op_type == "Conv" and node.name not in {*self._outside, *kept}:
                bias = numpy_helper.from_array(self._biases[node.name], f"{node.name}.bias")
                model.graph.initializer.append(bias)
                node.input[:] = [*node.input[:2], bias.name]
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
        _unround(result.graph, self._unrounded)
        return result

    def layers(self, group: int) -> list[str]:
        """Names of the convolutions of a group, by their weights: ``decoder.up1.convA``."""
        return self._layers(set(self.groups[group]) - set(self._answering))

    def float_layers(self, in_float: Iterable[int] = ()) -> list[str]:
        """Names of the convolutions that :meth:`quantised` leaves in float."""
        return self._layers({*self._answering, *(name for group in in_float for name in self.groups[group])})

    def _layers(self, names: set[str]) -> list[str]:
        return [_layer(node) for node in self._model.graph.node if node.op_type == "Conv" and node.name in names]


class _Photos:
    """What onnxruntime calls a calibration data reader."""

    def __init__(self, photos: Sequence[NDArray[np.uint8]]) -> None:
        self._left = iter(photos)

    def get_next(self) -> dict[str, Any] | None:
        photo = next(self._left, None)
        return None if photo is None else {"image": photo}


def _folded(bundle: Path, folded: Path) -> onnx.ModelProto:
    """The graph with norms folded into convolutions and weights in float32, as onnxruntime simplifies it.

    Convolutions taken apart (`export.taps`) that eight bits calculate faster whole are put together again.
    """
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
    put_together(model)
    onnx.save(model, folded)
    return model


def _unround(graph: onnx.GraphProto, readers: set[str]) -> None:
    """Give these nodes what came before it was rounded, where they read it."""
    made_by = {output: node for node in graph.node for output in node.output}
    for reader in graph.node:
        if reader.name not in readers:
            continue
        for place, name in enumerate(reader.input):
            dequantise = made_by.get(name)
            quantise = made_by.get(dequantise.input[0]) if dequantise is not None else None
            if quantise is not None and quantise.op_type == "QuantizeLinear":
                reader.input[place] = quantise.input[0]
    read = {name for node in graph.node for name in node.input}
    for kind in ("DequantizeLinear", "QuantizeLinear"):
        for node in [node for node in graph.node if node.op_type == kind and node.output[0] not in read]:
            graph.node.remove(node)
        read = {name for node in graph.node for name in node.input}


def _answering(graph: onnx.GraphProto) -> list[str]:
    """Names of the convolutions that no other follows. They cost little, and 8 bits would put the depth in steps."""
    names, followed = [], set[str]()
    for node in reversed(graph.node):  # nodes come after what they use
        if node.op_type == "Conv" and not followed & set(node.output):
            names.append(node.name)
        if node.op_type == "Conv" or followed & set(node.output):
            followed.update(node.input)
    return names


def _corrected_biases(model: onnx.ModelProto, photos: Sequence[NDArray[np.uint8]]) -> dict[str, NDArray[np.float32]]:
    """For each convolution, by name, its bias less what rounding its weights adds to each channel, mean over photos.

    The error of a weight is the same wherever the kernel lies, so that it does not average out over a picture, least
    in depthwise kernels of few weights (Nagel et al. 2019, arXiv 1906.04721, section 4.2).
    """
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:]
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    for node in convolutions:
        error, change, mean = (f"{node.name}.{what}" for what in ("error", "change", "mean"))
        probe.graph.initializer.append(numpy_helper.from_array(_rounding_error(weights[node.input[1]]), error))
        of_error = probe.graph.node.add()
        of_error.CopyFrom(node)
        of_error.name = change
        of_error.input[:], of_error.output[:] = [node.input[0], error], [change]
        probe.graph.node.append(helper.make_node("GlobalAveragePool", [change], [mean]))
        probe.graph.output.append(helper.make_tensor_value_info(mean, onnx.TensorProto.FLOAT, None))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(probe.SerializeToString(), options, providers=["CPUExecutionProvider"])
    means = [session.run(None, {"image": photo}) for photo in photos]
    biases = {}
    for node, of_photos in zip(convolutions, zip(*means, strict=True), strict=True):
        shift = np.mean(of_photos, axis=0).ravel()
        bias = weights[node.input[2]] if len(node.input) > 2 else np.zeros_like(shift)
        biases[node.name] = (bias - shift).astype(np.float32)
    return biases


def _rounding_error(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """What onnxruntime's int8 adds to a weight: 127 steps to the largest of each output channel, either sign."""
    largest = np.abs(weight).max(axis=(1, 2, 3), keepdims=True)
    step = np.where(largest > 0, largest, 1) / 127
    return (np.round(weight / step) * step - weight).astype(np.float32)


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
