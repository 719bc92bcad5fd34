"""3x3 convolutions taken apart into their taps, where that is cheaper: other steps, the same numbers.

A 3x3 convolution is a sum of nine 1x1 convolutions, one for each tap, each shifted to where its tap lies.

- Of a map that was doubled bilinearly: a 1x1 convolution weighs channels and up-sampling weighs pixels, so their order
  does not matter. Taken of the small map, the nine need a quarter of the products, and are doubled after.
- To a single channel: processors calculate 16 channels at a time whether they are there or not, and nine fill them.

Columns come first, then rows, so that the taps of a row are added up already when rows are doubled and shifted.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from densedepth.models.bundle_import import whole_kernel

#: With fewer channels coming in, doubling or shifting nine maps costs about what is saved; in eight bits, where
#: products are cheap, already with more.
MIN_DOUBLED, MIN_DOUBLED_INT8, MIN_TO_ONE = 100, 400, 64
ROWS, COLUMNS = 2, 3

_EXACT = re.compile(r"\.(tap\d\d\..+|whole|taps|sum)$")


def take_apart(model: onnx.ModelProto, min_doubled: int = MIN_DOUBLED, min_to_one: int = MIN_TO_ONE) -> int:
    """Rewrite such convolutions in place.

    Args:
        model: a float graph, its weights among the initializers.
        min_doubled: channels of a doubled map from which on it is done; another map may lie beside it.
        min_to_one: channels from which on a convolution to a single one is.

    Returns:
        How many were.
    """
    graph = model.graph
    made_by = {output: node for node in graph.node for output in node.output}
    readers = Counter(name for node in graph.node for name in node.input)
    weights = {tensor.name: tensor for tensor in graph.initializer}
    scales = _scales(graph)
    channels = _channels(model)
    count = 0
    for conv in [node for node in graph.node if _is_plain(node, weights)]:
        outputs, inputs = weights[conv.input[1]].dims[:2]
        concat = made_by.get(conv.input[0])
        resize = made_by.get(concat.input[0]) if concat is not None and _beside_another(concat) else None
        if (
            concat is not None
            and resize is not None
            and _doubles(resize, scales)
            and readers[concat.output[0]] == readers[resize.output[0]] == 1
            and channels.get(concat.input[0], 0) >= min_doubled
        ):
            apart = _Apart(conv, weights)
            apart.doubled(resize, concat.input[1], channels[concat.input[0]])
            gone = [conv, concat, resize]
        elif outputs == 1 and inputs >= min_to_one:
            apart = _Apart(conv, weights)
            apart.to_one()
            gone = [conv]
        else:
            continue
        _replace(graph, conv, apart.nodes, gone)
        graph.initializer.extend(apart.constants)
        count += 1
    if count:
        _forget_unread(graph)
    return count


def put_together(model: onnx.ModelProto, max_doubled: int = MIN_DOUBLED_INT8) -> int:
    """Undo :func:`take_apart` in place for convolutions of doubled maps of fewer channels than ``max_doubled``.

    Args:
        model: a float graph, its weights among the initializers.
        max_doubled: channels of a doubled map from which on it stays.

    Returns:
        How many were.
    """
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    count = 0
    for whole in [node for node in graph.node if node.name.endswith(".whole")]:
        name = whole.name.removesuffix(".whole")
        parts = {node.name.removeprefix(name): node for node in graph.node if node.name.startswith(f"{name}.")}
        first, beside = parts[".tap00"], parts[".beside"]
        if weights[first.input[1]].dims[1] >= max_doubled:
            continue
        taps = [weights[parts[f".tap{row}{column}"].input[1]] for row in range(3) for column in range(3)]
        kernel = whole_kernel([*map(numpy_helper.to_array, taps)], numpy_helper.to_array(weights[beside.input[1]]))
        layer = beside.input[1].replace(".beside.weight", ".weight")
        doubled, both, scales = f"{name}.doubled", f"{name}.both", f"{name}.scales"
        nodes = [
            helper.make_node(
                "Resize", [first.input[0], "", scales], [doubled], doubled, **_options(parts[".tap00.twice"])
            ),
            helper.make_node("Concat", [doubled, beside.input[0]], [both], both, axis=1),
            helper.make_node("Conv", [both, layer, *beside.input[2:]], whole.output, name, pads=[1, 1, 1, 1]),
        ]
        _replace(graph, whole, nodes, [*parts.values()])
        constants = {layer: kernel, scales: np.array([1, 1, 2, 2], np.float32)}
        graph.initializer.extend(numpy_helper.from_array(value, key) for key, value in constants.items())
        count += 1
    if count:
        _forget_unread(graph)
    return count


def exact_nodes(graph: onnx.GraphProto) -> list[str]:
    """Names of the nodes made by :func:`take_apart` that only move numbers about and add them up, or say the answer.

    Eight bits are too few for them. The others are the taps of a doubled map and the convolution of the one beside it.
    """
    return [node.name for node in graph.node if _EXACT.search(node.name)]


class _Apart:
    """The nodes that take the place of a convolution, with their constants.

    Shifts are convolutions, too, with kernels of a single one: runtimes keep maps in an order that suits convolutions,
    and would turn them over for anything else.
    """

    def __init__(self, conv: onnx.NodeProto, weights: dict[str, onnx.TensorProto]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._conv, self._weight = conv, numpy_helper.to_array(weights[conv.input[1]])
        self._layer = conv.input[1].removesuffix(".half").removesuffix(".weight")

    def doubled(self, resize: onnx.NodeProto, beside: str, channels: int) -> None:
        """For a convolution of [a doubled map of so many channels, another map]."""
        rest = self._constant(f"{self._layer}.beside.weight", self._weight[:, channels:])
        inputs = [beside, rest, *self._conv.input[2:]]
        other = self._node("Conv", f"{self._conv.name}.beside", inputs, pads=[1, 1, 1, 1])
        rows = []
        for row in range(3):
            taps = []
            for column in range(3):
                name = f"{self._conv.name}.tap{row}{column}"
                tap = self._constant(
                    f"{self._layer}.tap{row}{column}.weight", self._weight[:, :channels, row, column, None, None]
                )
                taps.append(self._twice(self._node("Conv", name, [resize.input[0], tap]), COLUMNS, resize))
            rows.append(self._twice(self._shifted_sum(taps, COLUMNS), ROWS, resize))
        self._node("Add", f"{self._conv.name}.whole", [self._shifted_sum(rows, ROWS), other], self._conv.output[0])

    def to_one(self) -> None:
        """For a convolution to one channel."""
        taps = self._weight.reshape(-1, 9).T[:, :, None, None]
        nine = self._node(
            "Conv",
            f"{self._conv.name}.taps",
            [self._conv.input[0], self._constant(f"{self._layer}.taps.weight", taps)],
        )
        ones = self._constant(f"{self._layer}.sum.weight", np.eye(9, dtype=np.float32).reshape(1, 9, 3, 3))
        inputs = [nine, ones, *self._conv.input[2:]]
        self._node("Conv", f"{self._conv.name}.sum", inputs, self._conv.output[0], pads=[1, 1, 1, 1])

    def _twice(self, name: str, axis: int, resize: onnx.NodeProto) -> str:
        scales = np.ones(4, np.float32)
        scales[axis] = 2
        constant = self._constant(f"{name}.scales", scales)
        return self._node("Resize", f"{name}.twice", [name, "", constant], **_options(resize))

    def _shifted_sum(self, maps: list[str], axis: int) -> str:
        """Three maps added up: one shifted by 1 along an axis, one as it is, one by -1; zeros come in."""
        two = self._node("Add", f"{maps[0]}.two", [self._shifted(maps[0], axis, 0), maps[1]])
        return self._node("Add", f"{maps[0]}.three", [self._shifted(maps[2], axis, 2), two])

    def _shifted(self, name: str, axis: int, tap: int) -> str:
        kernel = np.zeros((len(self._weight), 1, 3), np.float32)
        kernel[:, :, tap] = 1
        constant = self._constant(f"{name}.shift", np.expand_dims(kernel, 5 - axis))
        pads = [int(axis == ROWS), int(axis == COLUMNS)] * 2
        return self._node("Conv", f"{name}.shifted", [name, constant], group=len(kernel), pads=pads)

    def _node(self, kind: str, name: str, inputs: list[str], output: str | None = None, **options: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output or name], name, **options))
        return output or name

    def _constant(self, name: str, value: NDArray[Any]) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name


def _replace(
    graph: onnx.GraphProto, last: onnx.NodeProto, nodes: list[onnx.NodeProto], gone: list[onnx.NodeProto]
) -> None:
    """Put nodes where ``last`` of those that go is."""
    place = list(graph.node).index(last)
    for node in reversed(nodes):
        graph.node.insert(place, node)
    for node in gone:
        graph.node.remove(node)


def _forget_unread(graph: onnx.GraphProto) -> None:
    read = {name for node in graph.node for name in node.input}
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in read]:
        graph.initializer.remove(tensor)


def _is_plain(node: onnx.NodeProto, weights: dict[str, onnx.TensorProto]) -> bool:
    """Whether it is a 3x3 convolution of all channels that keeps the size."""
    options = _options(node)
    return (
        node.op_type == "Conv"
        and node.input[1] in weights
        and list(weights[node.input[1]].dims[2:]) == [3, 3]
        and list(options.get("pads", [])) == [1, 1, 1, 1]
        and {*options.get("strides", [1]), *options.get("dilations", [1]), options.get("group", 1)} == {1}
    )


def _beside_another(node: onnx.NodeProto) -> bool:
    return node.op_type == "Concat" and len(node.input) == 2 and _options(node).get("axis") == 1


def _doubles(node: onnx.NodeProto, scales: dict[str, list[float]]) -> bool:
    return (
        node.op_type == "Resize"
        and scales.get(node.input[2] if len(node.input) > 2 else "") == [1, 1, 2, 2]
        and _options(node).get("mode") == b"linear"
    )


def _options(node: onnx.NodeProto) -> dict[str, Any]:
    return {each.name: helper.get_attribute_value(each) for each in node.attribute}


def _scales(graph: onnx.GraphProto) -> dict[str, list[float]]:
    """Constants of four numbers, among the initializers or from nodes of their own."""
    tensors = {tensor.name: tensor for tensor in graph.initializer if [*tensor.dims] == [4]}
    found = {name: numpy_helper.to_array(tensor).tolist() for name, tensor in tensors.items()}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value_floats":
            found[node.output[0]] = [*node.attribute[0].floats]
    return found


def _channels(model: onnx.ModelProto) -> dict[str, int]:
    """How many channels each map has."""
    inferred = onnx.shape_inference.infer_shapes(model).graph.value_info
    shapes = {info.name: info.type.tensor_type.shape.dim for info in inferred}
    return {name: dims[1].dim_value for name, dims in shapes.items() if len(dims) == 4}
