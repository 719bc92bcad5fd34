"""The graph that every exported file holds: uint8 RGB in, metres out, as torch traces it and as ONNX."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings

import onnx
import torch
from onnxscript.optimizer import fold_constants, remove_unused_nodes
from torch import Tensor, nn

from densedepth import __version__
from densedepth.errors import DenseDepthError
from densedepth.export.taps import take_apart
from densedepth.models import DenseDepth
from densedepth.runtime.network import Prediction

OPSET = 18
_DIMENSIONS = ("n", "h", "w")


class BundleGraph(nn.Module):
    """uint8 (N, H, W, 3) -> metres, float32 (N, H, W) for each of ``names``; everything in between is inside.

    Attributes:
        names: of the outputs, in their order, as in :class:`~densedepth.runtime.network.Prediction`.
    """

    def __init__(self, net: DenseDepth) -> None:
        super().__init__()
        self.net = net
        self.names = Prediction._fields[: 1 + net.architecture.uncertainty]

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        return self.net.depth_and_uncertainty_m(image.permute(0, 3, 1, 2).float() / 255).unbind(1)


def to_program(net: DenseDepth) -> torch.export.ExportedProgram:
    """Trace ``net``, which must be in eval mode, with free batch, height and width.

    Raises:
        DenseDepthError: this torch cannot.
    """
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        try:
            # As torch's ONNX exporter traces: without it, the program would refuse one image, and sides of 32 or odd.
            with torch.fx.experimental._config.patch(backed_size_oblivious=True):  # type: ignore[attr-defined]
                return torch.export.export(BundleGraph(net), _sample(), dynamic_shapes=_free_sizes(), strict=False)
        except Exception as error:  # the tracer raises many, undocumented types
            raise _too_old(error) from error


def to_onnx(net: DenseDepth) -> onnx.ModelProto:
    """``net``, which must be in eval mode, as an ONNX graph with free batch, height and width.

    Raises:
        DenseDepthError: this torch cannot.
    """
    quiet = contextlib.redirect_stdout(io.StringIO())
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), quiet, torch.no_grad():
        warnings.simplefilter("ignore")
        try:
            graph = BundleGraph(net)
            program = torch.onnx.export(
                graph,
                _sample(),
                input_names=["image"],
                output_names=list(graph.names),
                dynamic_shapes=_free_sizes(),
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
                # torch's optimisation folds norms into convolutions, whose weights could not be trained further then;
                # runtimes fold them when they load the file.
                optimize=False,
            )
        except torch.onnx.OnnxExporterError as error:
            raise _too_old(error) from error
    assert program is not None
    fold_constants(program.model)
    remove_unused_nodes(program.model)
    model = program.model_proto
    # The exporter notes the source line of every node, with the paths of the machine it ran on.
    for item in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        item.ClearField("doc_string")
        item.ClearField("metadata_props")
    model.graph.ClearField("metadata_props")
    for value in (*model.graph.input, *model.graph.output):
        for dimension, name in zip(value.type.tensor_type.shape.dim, _DIMENSIONS, strict=False):
            dimension.dim_param = name
    take_apart(model)
    model.producer_name, model.producer_version = "densedepth", __version__
    return model


def opset_of(model: onnx.ModelProto) -> int:
    """The version of ONNX's own operators that a graph is written in."""
    return next(int(each.version) for each in model.opset_import if each.domain in ("", "ai.onnx"))


def _sample() -> tuple[Tensor]:
    return (torch.zeros(2, 64, 96, 3, dtype=torch.uint8),)


def _free_sizes() -> tuple[dict[int, object]]:
    # Without named bounds: torch would trace once to find that the bounds do not hold exactly, and once more.
    return (dict.fromkeys(range(3), torch.export.Dim.DYNAMIC),)


def _too_old(error: Exception) -> DenseDepthError:
    return DenseDepthError(
        f"torch {torch.__version__} cannot export this network with free sizes; 2.6 is known not to, 2.11 and "
        "later to do it: upgrade torch for the export, the checkpoint stays the same"
    )
