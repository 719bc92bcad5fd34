"""A network as a bundle: one .onnx file, uint8 RGB in, metres out, with its card; verified before it is kept."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnxscript.optimizer import fold_constants, remove_unused_nodes
from torch import Tensor, nn

from densedepth import __version__
from densedepth.data.readers.nyu import KINECT
from densedepth.errors import DenseDepthError
from densedepth.export.halve import store_weights_in_half
from densedepth.io import replacing
from densedepth.models import DenseDepth, load_checkpoint
from densedepth.runtime import Bundle, Card, DepthEstimator, InputCamera, read_card
from densedepth.runtime.card import CARD_KEY
from densedepth.types import Camera

OPSET = 18
#: (height, width) of the images that the bundle is checked on; none of them is the one it was traced with.
VERIFY_SIZES = ((64, 96), (101, 75), (224, 320), (240, 320))
#: Largest relative difference to torch: float32 order of summation, and weights rounded to 11 bits.
TOLERANCE = {"float32": 1e-3, "float16": 2e-2}


class BundleGraph(nn.Module):
    """uint8 (N, H, W, 3) -> float32 (N, H, W) metres; everything in between is inside the graph."""

    def __init__(self, net: DenseDepth) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> Tensor:
        return self.net.depth_m(image.permute(0, 3, 1, 2).float() / 255)


def export_bundle(net: DenseDepth, card: Card, path: str | os.PathLike[str], *, half_weights: bool = True) -> Path:
    """Write ``net`` with ``card`` as a bundle.

    Args:
        net: the network; it is used in eval mode.
        card: what stands in the file's metadata.
        path: the .onnx file to write. It is written beside, compared with torch at four sizes (one odd), and
            only then renamed.
        half_weights: store large weights as float16, which halves the file; arithmetic stays float32.

    Raises:
        DenseDepthError: the bundle's depth differs from torch's.
    """
    path = Path(path)
    if path.suffix != ".onnx":
        raise DenseDepthError(f"{path}: a bundle's name ends in .onnx")
    training = net.training
    net.eval()
    try:
        model = _to_onnx(BundleGraph(net))
        if half_weights:
            store_weights_in_half(model)
        model.producer_name, model.producer_version = "densedepth", __version__
        onnx.helper.set_model_props(model, {CARD_KEY: card.to_json()})
        with replacing(path) as beside:
            onnx.save(model, beside)
            worst = _verify(net, Bundle(beside))
            limit = TOLERANCE["float16" if half_weights else "float32"]
            if not worst < limit:
                raise DenseDepthError(
                    f"{path}: the exported bundle differs from torch by {worst:.2%} (limit {limit:.1%}); nothing was "
                    "written" + ("; try half_weights=False" if half_weights else "")
                )
    finally:
        net.train(training)
    return path


def export_checkpoint(
    checkpoint: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    license: str = "",
    metrics: Sequence[dict[str, Any]] = (),
    half_weights: bool = True,
) -> Path:
    """Write the network of a checkpoint or run folder as a bundle.

    Args:
        checkpoint: folder of the checkpoint, or a run folder that holds one as ``best``.
        path: the .onnx file to write.
        name: stands in the card; None takes the file's stem.
        license: stands in the card.
        metrics: results of evaluations for the card.
        half_weights: see :func:`export_bundle`.

    Raises:
        DenseDepthError: the checkpoint is damaged, or the bundle's depth differs from torch's.
    """
    net, info = load_checkpoint(checkpoint)
    card = _card(net, info, name=name or Path(path).stem, license=license, metrics=list(metrics))
    return export_bundle(net, card, path, half_weights=half_weights)


def add_metrics(path: str | os.PathLike[str], metrics: Sequence[dict[str, Any]]) -> None:
    """Put results of evaluations into the card of a bundle; the network stays as it is.

    Raises:
        BundleError: no bundle.
    """
    path = Path(path)
    card = read_card(path)
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {CARD_KEY: replace(card, metrics=[*card.metrics, *metrics]).to_json()})
    with replacing(path) as beside:
        onnx.save(model, beside)


def checkpoint_estimator(checkpoint: str | os.PathLike[str]) -> DepthEstimator:
    """An estimator for a checkpoint folder, through the same graph and runtime that a bundle uses."""
    with tempfile.TemporaryDirectory() as folder:
        path = export_checkpoint(checkpoint, Path(folder) / "model.onnx", name=str(checkpoint), half_weights=False)
        return DepthEstimator(Bundle(path))


def _card(net: DenseDepth, info: dict[str, Any], *, name: str, license: str, metrics: list[dict[str, Any]]) -> Card:
    arch = net.architecture
    # An unknown camera is taken to be that of NYU Depth v2: 28 mm in 35mm terms, near to a phone's.
    camera = Camera.from_dict(info["camera"]) if info.get("camera") else KINECT
    return Card(
        name=name,
        input=InputCamera(width=camera.width, height=camera.height, focal_px=camera.focal_px),
        depth_range_m=arch.depth_range_m,
        license=license,
        encoder=arch.encoder,
        decoder_width=arch.decoder_width,
        training_data=str(info.get("training_data", "")),
        metrics=metrics,
        created_with=f"densedepth {__version__}",
        extra={"architecture": arch.to_dict(), "validation": info.get("validation", {})},
    )


def _to_onnx(graph: BundleGraph) -> onnx.ModelProto:
    sample = torch.zeros(2, 64, 96, 3, dtype=torch.uint8)
    dims = {
        0: torch.export.Dim("n", min=1),
        1: torch.export.Dim("h", min=32),
        2: torch.export.Dim("w", min=32),
    }
    quiet = contextlib.redirect_stdout(io.StringIO())
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), quiet, torch.no_grad():
        warnings.simplefilter("ignore")
        try:
            program = torch.onnx.export(
                graph,
                (sample,),
                input_names=["image"],
                output_names=["depth_m"],
                dynamic_shapes=(dims,),
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
                # torch's optimisation folds norms into convolutions, whose weights could not be trained further then;
                # runtimes fold them when they load the file.
                optimize=False,
            )
        except torch.onnx.OnnxExporterError as error:
            raise DenseDepthError(
                f"torch {torch.__version__} cannot export this network with free sizes; 2.6 is known not to, 2.11 and "
                "later to do it: upgrade torch for the export, the checkpoint stays the same"
            ) from error
    assert program is not None
    fold_constants(program.model)
    remove_unused_nodes(program.model)
    model = program.model_proto
    # The exporter notes the source line of every node, with the paths of the machine it ran on.
    for item in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        item.ClearField("doc_string")
        item.ClearField("metadata_props")
    model.graph.ClearField("metadata_props")
    return model


def _verify(net: DenseDepth, bundle: Bundle) -> float:
    """Largest relative difference of the bundle's metres to torch's over random images."""
    rng = np.random.default_rng(0)
    worst = 0.0
    for height, width in VERIFY_SIZES:
        image = rng.integers(0, 256, size=(2, height, width, 3), dtype=np.uint8)
        with torch.no_grad():
            expected_m = BundleGraph(net)(torch.from_numpy(image)).numpy()
        worst = max(worst, float(np.abs(bundle.infer(image) / expected_m - 1).max()))
    return worst
