"""A bundle as a network again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from conftest import MakeBundle
from densedepth.errors import BundleError
from densedepth.export import export_bundle
from densedepth.models import DenseDepth, read_bundle
from densedepth.runtime import Card, InputCamera
from densedepth.runtime.zoo import BUNDLES_DIR


@pytest.fixture(scope="module")
def net() -> DenseDepth:
    torch.manual_seed(0)
    net = DenseDepth("tf_mobilenetv3_small_minimal_100", decoder_width=32, output="exp", depth_range_m=(0.2, 8.0))
    # Norms that are no identity: a bundle that had them folded could not give them back.
    net.train()(torch.rand(4, 3, 96, 96))
    return net.eval()


@pytest.fixture(scope="module")
def bundle(net: DenseDepth, tmp_path_factory: pytest.TempPathFactory) -> Path:
    extra = {"architecture": net.architecture.to_dict()}
    card = Card("tiny", InputCamera(160, 120, 131.0), (0.2, 8.0), training_data="toy frames", extra=extra)
    return export_bundle(net, card, tmp_path_factory.mktemp("bundle") / "tiny.onnx")


def test_all_weights_come_back(net: DenseDepth, bundle: Path) -> None:
    back, info = read_bundle(bundle)
    assert back.architecture == net.architecture
    assert not back.training
    for key, value in net.state_dict().items():
        if not key.endswith("num_batches_tracked"):
            exact = value.ndim < 2 or value.numel() < 1024
            torch.testing.assert_close(
                back.state_dict()[key], value, rtol=0 if exact else 1e-3, atol=0 if exact else 1e-6
            )
    assert info["training_data"] == "toy frames"
    assert info["camera"]["fx"] == 131.0


def test_exported_again_it_is_the_same_file(net: DenseDepth, bundle: Path, tmp_path: Path) -> None:
    back, _ = read_bundle(bundle)
    extra = {"architecture": net.architecture.to_dict()}
    card = Card("tiny", InputCamera(160, 120, 131.0), (0.2, 8.0), training_data="toy frames", extra=extra)
    again = export_bundle(back, card, tmp_path / "tiny.onnx")
    assert again.read_bytes() == bundle.read_bytes()


def test_the_shipped_bundle_can_be_trained_further() -> None:
    net, info = read_bundle(BUNDLES_DIR / "nyu.onnx")
    assert net.architecture.encoder == "tf_efficientnet_lite2"
    assert (info["camera"]["width"], info["camera"]["height"]) == (384, 288)
    with torch.no_grad():
        depth_m = net.depth_m(torch.rand(1, 3, 64, 96))
    assert np.isfinite(depth_m.numpy()).all()


def test_a_bundle_without_its_norms_is_refused(bundle: Path, tmp_path: Path) -> None:
    model = onnx.load(str(bundle))
    norms = [tensor for tensor in model.graph.initializer if tensor.name.endswith("running_var")]
    assert norms
    model.graph.initializer.remove(norms[0])
    onnx.save(model, str(tmp_path / "folded.onnx"))
    with pytest.raises(
        BundleError, match=r"folded\.onnx: weight .*running_var' is missing.*export its checkpoint again"
    ):
        read_bundle(tmp_path / "folded.onnx")


def test_a_bundle_that_does_not_say_its_architecture_is_refused(tiny_bundle: MakeBundle) -> None:
    with pytest.raises(BundleError, match="does not say the architecture"):
        read_bundle(tiny_bundle())


@pytest.mark.parametrize(
    ("switches", "message"),
    [
        ({"encoder": "hf-hub:somebody/model"}, "timm knows no encoder 'hf-hub:somebody/model'"),
        ({"encoder": "densenet(1,1,1,999999)"}, r"timm knows no encoder 'densenet\(1,1,1,999999\)'"),
        ({"decoder_width": 16_000_000}, r"weight 'decoder\.conv2\.weight' is \(32, .* instead of \(16000000, "),
        ({"reciprocal_m": float("nan")}, "reciprocal_m nan must be positive"),
        ({"colour": True}, "unexpected keyword argument 'colour'"),
    ],
)
def test_a_bundle_of_no_network_or_a_huge_one_is_refused(
    switches: dict[str, Any], message: str, bundle: Path, tmp_path: Path, no_network: None
) -> None:
    model = onnx.load(str(bundle))
    card = next(entry for entry in model.metadata_props if "architecture" in entry.value)
    values = json.loads(card.value)
    values["architecture"] |= switches
    card.value = json.dumps(values)
    onnx.save(model, str(tmp_path / "strange.onnx"))
    with pytest.raises(BundleError, match=rf"strange\.onnx: .*{message}") as caught:
        read_bundle(tmp_path / "strange.onnx")
    assert "\n" not in str(caught.value)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a file led to the network")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(f"socket.socket.{name}", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
