"""Writing a network as a file that runs by itself: from checkpoint or bundle to .onnx, .xml or .pt2, verified."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import onnx

from densedepth import __version__
from densedepth.data.readers.nyu import KINECT
from densedepth.errors import DenseDepthError
from densedepth.export.graph import opset_of, to_onnx
from densedepth.export.halve import store_weights_in_half
from densedepth.export.ir import write_ir
from densedepth.export.program import write_program
from densedepth.export.verify import require_equal
from densedepth.io import replacing
from densedepth.models import DenseDepth, load_checkpoint, read_bundle
from densedepth.runtime import Bundle, Card, DepthEstimator, InputCamera, read_card
from densedepth.runtime.card import CARD_KEY
from densedepth.runtime.devices import TORCH_DEVICES, bundle_bytes
from densedepth.runtime.network import RunningNetwork
from densedepth.types import Camera

SUFFIXES = (".onnx", ".xml", ".pt2")


@dataclass(frozen=True)
class Exported:
    """A file that was written and verified.

    Attributes:
        path: where it lies.
        difference: largest relative difference to torch (to onnxruntime for what was made from a bundle).
        card: what stands in it.
    """

    path: Path
    difference: float
    card: Card

    @property
    def bytes(self) -> int:
        """Its size, with the weights that lie beside."""
        return bundle_bytes(self.path)


def export_bundle(net: DenseDepth, card: Card, path: str | os.PathLike[str], *, half_weights: bool = True) -> Path:
    """Write ``net`` with ``card`` as a file that runs by itself.

    Args:
        net: the network; it is used in eval mode.
        card: what stands in the file.
        path: the file to write, by suffix: .onnx (a bundle), .xml (OpenVINO, with a .bin beside) or .pt2 (a program of
            torch.export). It is written beside, compared with torch at four sizes (one odd), and only then renamed.
        half_weights: store large weights as float16, which halves the file; arithmetic stays float32. A .pt2 keeps
            float32.

    Raises:
        DenseDepthError: another suffix, or the depth differs from torch's.
    """
    return _export_net(net, card, output_path(path), half_weights).path


def export_checkpoint(
    checkpoint: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    license: str = "",
    metrics: Sequence[dict[str, Any]] = (),
    half_weights: bool = True,
) -> Path:
    """Write the network of a checkpoint or run folder, or of a bundle, as a file that runs by itself.

    Args:
        checkpoint: folder of the checkpoint, or a run folder that holds one as ``best``; or a bundle (.onnx).
        path: the file to write, see :func:`export_bundle`.
        name: stands in the card; None takes the file's stem, or keeps a bundle's own name.
        license: stands in the card; a bundle keeps its own if it is empty.
        metrics: results of evaluations for the card, after those that a bundle has.
        half_weights: see :func:`export_bundle`.

    Raises:
        DenseDepthError: the checkpoint is damaged, or the exported depth differs.
    """
    return export_file(checkpoint, path, name=name, license=license, metrics=metrics, half_weights=half_weights).path


def export_file(
    source: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    license: str = "",
    metrics: Sequence[dict[str, Any]] = (),
    half_weights: bool = True,
) -> Exported:
    """:func:`export_checkpoint`, with what is to be told about the file."""
    source, path = Path(source), output_path(path)
    if not source.exists():
        raise DenseDepthError(f"{source}: is not there; export takes a checkpoint or run folder, or a bundle (.onnx)")
    if source.is_dir():
        net, info = load_checkpoint(source)
        card = _card(net, info, name=name or path.stem, license=license, metrics=list(metrics))
        return _export_net(net, card, path, half_weights)
    bundle = open_float_bundle(source)
    card = replace(
        bundle.card,
        name=name or bundle.card.name,
        license=license or bundle.card.license,
        metrics=[*bundle.card.metrics, *metrics],
    )
    if path.suffix == ".pt2":
        net, _ = read_bundle(source)
        return Exported(path, write_program(net, card, path, bundle), card)
    model = onnx.load(source)
    return _write_graph(model, card, path, bundle, half_weights=half_weights)


def open_float_bundle(path: Path) -> Bundle:
    """A bundle to make another file from.

    Raises:
        DenseDepthError: OpenVINO IR, or already int8.
    """
    if path.suffix != ".onnx":
        raise DenseDepthError(f"{path}: export takes a checkpoint folder or a bundle that ends in .onnx")
    bundle = Bundle(path)
    if "quantization" in bundle.card.extra:
        raise DenseDepthError(f"{path}: it is int8 already; export from the checkpoint or the float bundle")
    return bundle


def output_path(path: str | os.PathLike[str]) -> Path:
    """The path, if its suffix is one that can be written.

    Raises:
        DenseDepthError: it is not.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise DenseDepthError(
            f"{path}: the name must end in .onnx (bundle), .xml (OpenVINO IR) or .pt2 (torch.export program)"
        )
    return path


def add_metrics(path: str | os.PathLike[str], metrics: Sequence[dict[str, Any]]) -> None:
    """Put results of evaluations into the card of a bundle; the network stays as it is.

    Raises:
        BundleError: no bundle.
    """
    path = Path(path)
    card = read_card(path)
    model = onnx.load(path)
    with replacing(path) as beside:
        save_with_card(model, replace(card, metrics=[*card.metrics, *metrics]), beside)


def save_with_card(model: onnx.ModelProto, card: Card, path: Path) -> None:
    """Write an ONNX graph; not safely, for files that are renamed later."""
    onnx.helper.set_model_props(model, {CARD_KEY: card.to_json()})
    onnx.save(model, path)


def checkpoint_estimator(
    checkpoint: str | os.PathLike[str], *, device: str = "onnxruntime", threads: int | None = None
) -> DepthEstimator:
    """An estimator for a checkpoint folder: through the graph and runtime of a bundle, or by torch itself."""
    if device in TORCH_DEVICES:
        net, info = load_checkpoint(checkpoint)
        card = _card(net, info, name=str(checkpoint), license="", metrics=[])
        return DepthEstimator(torch_network(net, card, str(checkpoint), device=device, threads=threads))
    with tempfile.TemporaryDirectory() as folder:
        path = export_checkpoint(checkpoint, Path(folder) / "model.onnx", name=str(checkpoint), half_weights=False)
        return DepthEstimator(Bundle(path, device=device, threads=threads))


def torch_network(
    net: DenseDepth, card: Card, label: str, *, device: str = "torch", threads: int | None = None
) -> RunningNetwork:
    """A network run by torch, behind the contract of a bundle."""
    from densedepth.export.torch_runner import TorchRunner

    return RunningNetwork(label, card, device, TorchRunner(net, device, threads))


def _export_net(net: DenseDepth, card: Card, path: Path, half_weights: bool) -> Exported:
    training = net.training
    net.eval()
    try:
        reference = torch_network(net, card, "torch")
        if path.suffix == ".pt2":
            return Exported(path, write_program(net, card, path, reference), card)
        return _write_graph(to_onnx(net), card, path, reference, half_weights=half_weights)
    finally:
        net.train(training)


def _write_graph(
    model: onnx.ModelProto, card: Card, path: Path, reference: RunningNetwork, *, half_weights: bool
) -> Exported:
    """An ONNX graph as .onnx or .xml, compared with ``reference``."""
    card = replace(card, extra={**card.extra, "opset": opset_of(model)})

    def check(network: RunningNetwork) -> float:
        return require_equal(path, network, reference, half_weights=half_weights)

    if path.suffix == ".onnx":
        if half_weights:
            store_weights_in_half(model)
        with replacing(path) as beside:
            save_with_card(model, card, beside)
            return Exported(path, check(Bundle(beside)), card)
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "model.onnx"
        save_with_card(model, card, bundle)
        return Exported(path, write_ir(bundle, path, half_weights=half_weights, check=check), card)


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
