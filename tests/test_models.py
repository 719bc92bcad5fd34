"""The networks: sizes, taps, decoder, output, and checkpoints that load what was saved."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from timm.layers.conv2d_same import Conv2dSame
from torch import Tensor, nn

from densedepth.errors import DenseDepthError
from densedepth.models import Decoder, DenseDepth, build_encoder, checkpoint, load_checkpoint, save_checkpoint
from densedepth.models.encoders import StaticSameConv2d

TINY = "test_efficientnet"


def tiny(**switches: object) -> DenseDepth:
    torch.manual_seed(0)
    return DenseDepth(TINY, **{"decoder_width": 32, **switches}).eval()  # type: ignore[arg-type]


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("encoder", "preset", "count"),
    [
        ("densenet169", "paper", 42_657_689),
        ("densenet169", "half", 21_365_405),
        ("densenet201", "paper", 57_806_089),
        ("densenet201", "half", 29_687_509),
    ],
)
def test_trainable_parameters_are_those_of_the_authors_program(encoder: str, preset: str, count: int) -> None:
    with torch.device("meta"):
        net = DenseDepth(encoder, preset)  # type: ignore[arg-type]
    assert parameters(net) == count
    assert all(p.requires_grad for p in net.parameters())
    if encoder == "densenet169":
        assert parameters(net.encoder) == 12_484_480


@pytest.fixture(scope="module")
def densenet() -> DenseDepth:
    """With running statistics away from 0 and 1, so that a forgotten or misplaced norm shows."""
    torch.manual_seed(0)
    net = DenseDepth("densenet169", decoder_width=16)
    net.encoder.train()
    with torch.no_grad():
        net.encoder(torch.rand(2, 3, 64, 96))
    return net.eval()


def test_densenet_taps_are_those_of_the_paper(densenet: DenseDepth) -> None:
    image = torch.rand(1, 3, 64, 96)
    theirs = torchvision.models.densenet169(weights=None).features.eval()
    theirs.load_state_dict(densenet.encoder.body.state_dict())
    for layer in theirs.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eps = 1.001e-5
    x, expected = image, []
    for name, module in theirs.named_children():
        x = module(x)
        if name in ("relu0", "pool0", "transition1", "transition2"):
            expected.append(x)
    # torchvision's norm5 has no ReLU behind it; the bottleneck has.
    expected.append(F.relu(x))
    assert x.min() < -0.1
    with torch.no_grad():
        taps = densenet.encoder(image)
    assert [tuple(tap.shape[1:]) for tap in taps] == [
        *((64, 32, 48), (64, 16, 24), (128, 8, 12)),
        *((256, 4, 6), (1664, 2, 3)),
    ]
    assert densenet.encoder.channels == (64, 64, 128, 256, 1664)
    for tap, reference in zip(taps, expected, strict=True):
        torch.testing.assert_close(tap, reference, rtol=1e-4, atol=1e-5)
    assert taps[-1].min() == 0
    assert taps[0].min() == 0


def test_densenets_have_keras_batchnorm_and_others_their_own(densenet: DenseDepth) -> None:
    def constants(net: DenseDepth) -> set[tuple[float, float | None]]:
        return {(m.eps, m.momentum) for m in net.encoder.modules() if isinstance(m, nn.BatchNorm2d)}

    assert constants(densenet) == {(1.001e-5, 0.01)}
    theirs = timm.create_model(TINY, pretrained=False, features_only=True)
    assert constants(tiny()) == {(m.eps, m.momentum) for m in theirs.modules() if isinstance(m, nn.BatchNorm2d)}


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", TINY, "lcnet_035"])
def test_other_encoders_are_timms_features(name: str) -> None:
    encoder = build_encoder(name, pretrained=False).eval()
    theirs = timm.create_model(name, pretrained=False, features_only=True).eval()
    theirs.load_state_dict(encoder.body.state_dict())
    image = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        features, expected = encoder(image), theirs(image)
    assert tuple(f.shape[1] for f in features) == encoder.channels
    assert [(64 // f.shape[2], 96 // f.shape[3]) for f in features] == [(r, r) for r in (2, 4, 8, 16, 32)]
    for ours, reference in zip(features, expected, strict=True):
        torch.testing.assert_close(ours, reference)


@pytest.mark.parametrize("kernel", [3, 5, (3, 7)])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("dilation", [1, 2])
def test_static_same_padding_equals_timms(kernel: int | tuple[int, int], stride: int, dilation: int) -> None:
    theirs = Conv2dSame(4, 6, kernel, stride=stride, dilation=dilation, groups=2)  # type: ignore[arg-type]
    ours = StaticSameConv2d(theirs)
    assert ours.weight is theirs.weight
    for size in ((8, 12), (14, 10)):
        x = torch.rand(2, 4, *size)
        torch.testing.assert_close(ours(x), theirs(x))


def test_no_dynamic_padding_is_left() -> None:
    body = build_encoder("tf_efficientnet_lite0", pretrained=False).body
    assert not [m for m in body.modules() if isinstance(m, Conv2dSame)]
    assert [m for m in body.modules() if isinstance(m, StaticSameConv2d)]


def test_unknown_encoder_suggests_near_names() -> None:
    with pytest.raises(DenseDepthError, match=r"no encoder 'resnet5O'; near: .*resnet50"):
        build_encoder("resnet5O", pretrained=False)
    with pytest.raises(DenseDepthError, match=r"no encoder 'zzzzqqqq'$"):
        build_encoder("zzzzqqqq", pretrained=False)


@pytest.mark.parametrize("name", ["test_vit", "test_convnext"])
def test_encoders_without_five_scales_are_refused(name: str) -> None:
    with pytest.raises(DenseDepthError, match=rf"encoder '{name}' gives features at strides .*choose"):
        build_encoder(name, pretrained=False)


def upsampled(x: np.ndarray, align_corners: bool) -> np.ndarray:
    """x2 bilinear along the last two axes, one axis at a time."""
    for axis in (-2, -1):
        n = x.shape[axis]
        at = np.arange(2 * n) * (n - 1) / (2 * n - 1) if align_corners else (np.arange(2 * n) + 0.5) / 2 - 0.5
        x = np.apply_along_axis(lambda line, at=at, n=n: np.interp(at, np.arange(n), line), axis, x)
    return x


@pytest.mark.parametrize("inner_activation", [False, True])
@pytest.mark.parametrize("align_corners", [False, True])
def test_decoder_step_by_step(inner_activation: bool, align_corners: bool) -> None:
    torch.manual_seed(0)
    channels = (3, 4, 5, 6, 7)
    decoder = Decoder(channels, 48, inner_activation=inner_activation, align_corners=align_corners).double()
    with torch.no_grad():
        for name, parameter in decoder.named_parameters():
            if name.endswith("bias"):
                parameter.normal_()
    features = [torch.randn(2, c, 32 >> k, 48 >> k, dtype=torch.float64) for k, c in enumerate(channels)]
    state = {name: value.numpy() for name, value in decoder.state_dict().items()}

    def conv(x: np.ndarray, name: str) -> np.ndarray:
        """'Same' convolution as a sum over the kernel's places."""
        weight = state[f"{name}.weight"]
        margin = weight.shape[-1] // 2
        x = np.pad(x, ((0, 0), (0, 0), (margin, margin), (margin, margin)))
        height, width = x.shape[2] - 2 * margin, x.shape[3] - 2 * margin
        y: np.ndarray = state[f"{name}.bias"][None, :, None, None]
        for i in range(weight.shape[2]):
            for j in range(weight.shape[3]):
                y = y + np.einsum("oc,nchw->nohw", weight[:, :, i, j], x[:, :, i : i + height, j : j + width])
        return y

    def leaky(x: np.ndarray) -> np.ndarray:
        return np.where(x > 0, x, 0.2 * x)

    x = conv(features[4].numpy(), "conv2")
    for k, out_channels in zip((1, 2, 3, 4), (24, 12, 6, 3), strict=True):
        x = np.concatenate([upsampled(x, align_corners), features[4 - k].numpy()], axis=1)
        x = conv(x, f"up{k}.convA")
        x = leaky(x) if inner_activation else x
        x = leaky(conv(x, f"up{k}.convB"))
        assert x.shape[1] == out_channels
    expected = conv(x, "conv3")
    with torch.no_grad():
        y = decoder(features)
    assert y.shape == (2, 1, 32, 48)
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-9, atol=1e-9)


def test_decoder_starts_as_keras_does() -> None:
    decoder = Decoder((64, 64, 128, 256, 256), 256, inner_activation=False, align_corners=True)
    for module in decoder.modules():
        if isinstance(module, nn.Conv2d):
            assert module.bias is not None
            assert not module.bias.any()
            area = math.prod(module.kernel_size)
            limit = math.sqrt(6 / (area * (module.in_channels + module.out_channels)))
            largest = float(module.weight.detach().abs().max())
            assert 0.95 * limit < largest <= limit * (1 + 1e-6)


@pytest.mark.parametrize("width", [0, 8, 20])
def test_decoder_width_must_halve_four_times(width: int) -> None:
    with pytest.raises(DenseDepthError, match="multiple of 16"):
        tiny(decoder_width=width)


def test_presets_and_switches_are_recorded() -> None:
    with torch.device("meta"):
        paper, half = DenseDepth("densenet169", "paper"), DenseDepth("densenet169")
        lite, mixed = DenseDepth("tf_efficientnet_lite2"), tiny(preset="paper", align_corners=False, normalize=False)
    assert paper.architecture.to_dict() == {
        "encoder": "densenet169",
        "decoder_width": 1664,
        "inner_activation": False,
        "align_corners": True,
        "normalize": False,
        "output": "linear",
        "reciprocal_m": 10.0,
        "depth_range_m": (0.1, 10.0),
        "uncertainty": False,
    }
    assert half.architecture.to_dict() == {
        **paper.architecture.to_dict(),
        "decoder_width": 832,
        "inner_activation": True,
        "align_corners": False,
    }
    assert (lite.architecture.decoder_width, lite.architecture.normalize) == (176, True)
    switches = mixed.architecture
    assert (switches.inner_activation, switches.align_corners, switches.normalize) == (False, False, False)


@pytest.mark.parametrize(
    ("switches", "message"),
    [
        ({"preset": "full"}, "preset must be one of paper, half"),
        ({"output": "log"}, "'linear' or 'exp'"),
        ({"depth_range_m": (10.0, 0.1)}, "depth range"),
        ({"depth_range_m": (0.0, 10.0)}, "depth range"),
        ({"reciprocal_m": 0.0}, "depth range"),
    ],
)
def test_wrong_switches_are_named(switches: dict[str, object], message: str) -> None:
    with pytest.raises(DenseDepthError, match=message):
        tiny(**switches)


def test_normalisation_is_the_encoders() -> None:
    raw, normalised = tiny(normalize=False), tiny(normalize=True)
    normalised.load_state_dict(raw.state_dict())
    config = timm.get_pretrained_cfg(TINY)
    assert config is not None
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (config.mean, config.std))
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(normalised(image), raw((image - mean) / std))
        assert not torch.allclose(normalised(image), raw(image))
    with torch.device("meta"):
        lite = DenseDepth("tf_efficientnet_lite2")
    assert lite.architecture.normalize
    # (x - 127) / 128 for x in 0..255, on x / 255.
    cpu = DenseDepth("tf_efficientnet_lite0", decoder_width=16)
    levels = torch.arange(256.0).view(1, 1, 1, 256)
    torch.testing.assert_close((levels / 255 - cpu.mean) / cpu.std, ((levels - 127) / 128).expand(1, 3, 1, 256))


@pytest.fixture(scope="module")
def small() -> DenseDepth:
    return tiny()


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 100), st.integers(1, 100))
def test_any_size_comes_back_at_half(small: DenseDepth, height: int, width: int) -> None:
    image = torch.rand(2, 3, height, width)
    with torch.no_grad():
        y, depth_m = small(image), small.depth_m(image)
    assert y.shape == (2, 1, math.ceil(height / 2), math.ceil(width / 2))
    assert depth_m.shape == (2, height, width)
    assert torch.isfinite(depth_m).all()
    # Padding to the right and below by repeating the border, cropped back.
    rows = torch.arange(-(-height // 32) * 32).clamp(max=height - 1)
    columns = torch.arange(-(-width // 32) * 32).clamp(max=width - 1)
    with torch.no_grad():
        whole = small(image[..., rows, :][..., columns])
    torch.testing.assert_close(y, whole[..., : y.shape[2], : y.shape[3]])


def test_multiples_of_32_are_not_padded(small: DenseDepth) -> None:
    image = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        expected = small.decoder(small.encoder((image - small.mean) / small.std))
        torch.testing.assert_close(small(image), expected, rtol=0, atol=0)
        metres = F.interpolate(10 / expected.clamp(1, 100), scale_factor=2.0, mode="bilinear", align_corners=False)
        torch.testing.assert_close(small.depth_m(image), metres[:, 0])


def test_training_size_error_says_what_to_do() -> None:
    net = tiny().train()
    with pytest.raises(DenseDepthError, match=r"divisible by 32, got 100x321: resize or crop to 96x320"):
        net(torch.rand(2, 3, 100, 321))
    assert net(torch.rand(2, 3, 64, 96)).shape == (2, 1, 32, 48)


def test_exp_output_is_positive_and_starts_mid_range() -> None:
    linear, exp = tiny(), tiny(output="exp")
    image = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        # sqrt(.1 * 10) = 1 m, give or take what random weights do.
        assert 0.3 < float(exp.depth_m(image).median()) < 3
        start = exp(image)
        assert float(start.min()) > 0
        exp.load_state_dict(linear.state_dict())
        assert float(linear(image).min()) < 0, "the comparison needs negative logits"
        torch.testing.assert_close(exp(image), linear(image).exp())


def test_metres_and_back() -> None:
    net = tiny(reciprocal_m=80.0, depth_range_m=(1.0, 80.0))
    depth_m = torch.linspace(1, 80, 50)
    torch.testing.assert_close(net.to_metres(net.to_reciprocal(depth_m)), depth_m)
    torch.testing.assert_close(net.to_reciprocal(torch.tensor([2.0])), torch.tensor([40.0]))
    clipped = net.to_reciprocal(torch.tensor([0.0, 0.5, 100.0, math.inf]))
    torch.testing.assert_close(clipped, torch.tensor([80.0, 80.0, 1.0, 1.0]))
    metres = net.to_metres(torch.tensor([-5.0, 0.0, 0.5, 4.0, 80.0, 1e6]))
    torch.testing.assert_close(metres, torch.tensor([80.0, 80.0, 80.0, 20.0, 1.0, 1.0]))


def same_weights(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_checkpoint_round_trip(tmp_path: Path) -> None:
    net = tiny(preset="paper", output="exp", reciprocal_m=80.0, depth_range_m=(1.0, 80.0))
    net.train()(torch.rand(2, 3, 64, 64))  # running statistics away from their start
    net = net.to(memory_format=torch.channels_last).eval()
    info = {"training_data": "toy", "validation": {"val_delta1": 0.5}}
    assert save_checkpoint(net, tmp_path / "run" / "best", info) == tmp_path / "run" / "best"
    for folder in (tmp_path / "run" / "best", tmp_path / "run"):
        loaded, loaded_info = load_checkpoint(folder)
        assert loaded_info == info
        assert loaded.architecture == net.architecture
        assert not loaded.training
        assert same_weights(loaded.state_dict(), net.state_dict())
    image = torch.rand(1, 3, 70, 90)
    with torch.no_grad():
        torch.testing.assert_close(loaded.depth_m(image), net.depth_m(image))


def test_saving_replaces_the_old_checkpoint_whole(tmp_path: Path) -> None:
    save_checkpoint(tiny(), tmp_path / "best", {"step": 1})
    (tmp_path / "best" / "leftover").touch()
    other = tiny(decoder_width=48)
    save_checkpoint(other, tmp_path / "best", {"step": 2})
    net, info = load_checkpoint(tmp_path / "best")
    assert info == {"step": 2}
    assert same_weights(net.state_dict(), other.state_dict())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["best"]
    assert sorted(p.name for p in (tmp_path / "best").iterdir()) == ["model.json", "model.safetensors"]


def test_an_interrupted_write_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tiny()
    save_checkpoint(old, tmp_path / "best", {"step": 1})

    def interrupted(state: dict[str, Tensor], path: Path) -> None:
        Path(path).write_bytes(b"half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "save_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(tiny(decoder_width=48), tmp_path / "best", {"step": 2})
    net, info = load_checkpoint(tmp_path / "best")
    assert info == {"step": 1}
    assert same_weights(net.state_dict(), old.state_dict())
    assert [p.name for p in tmp_path.iterdir()] == ["best"]


def refused(folder: Path, message: str) -> None:
    with pytest.raises(DenseDepthError, match=message) as caught:
        load_checkpoint(folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def test_wrong_checkpoints_are_named(tmp_path: Path) -> None:
    refused(tmp_path / "none", "is no checkpoint: model.json is missing")
    folder = save_checkpoint(tiny(), tmp_path / "x")
    weights = folder / "model.safetensors"
    state = load_file(weights)
    other = save_checkpoint(tiny(decoder_width=48), tmp_path / "other")
    weights.write_bytes((other / weights.name).read_bytes())
    refused(folder, r"'decoder\.conv2\.bias' is \(48,\), the architecture needs \(32,\)")
    save_file({k: v for k, v in state.items() if k != "decoder.up1.convA.weight"}, weights)
    refused(folder, r"'decoder\.up1\.convA\.weight' is none, the architecture needs")
    save_file({**state, "a.stranger": torch.zeros(3)}, weights)
    refused(folder, r"'a\.stranger' is \(3,\), the architecture needs none")
    weights.write_bytes((other / weights.name).read_bytes()[:1000])
    refused(folder, "damaged checkpoint")
    weights.unlink()
    refused(folder, r"model\.safetensors is missing")
    switches = folder / "model.json"
    description = json.loads(switches.read_text())
    switches.write_text("{")
    refused(folder, "damaged checkpoint")
    description["architecture"]["colour"] = 1
    switches.write_text(json.dumps(description))
    refused(folder, "damaged checkpoint")


@pytest.mark.parametrize(
    ("switches", "message"),
    [
        ({"encoder": "hf-hub:somebody/model"}, "timm knows no encoder 'hf-hub:somebody/model'"),
        ({"encoder": "local-dir:/etc"}, "timm knows no encoder"),
        ({"encoder": "densenet(1,1,1,999999)"}, "timm knows no encoder"),
        ({"encoder": "densenet201"}, r"the architecture needs \("),
        ({"encoder": ["resnet18"]}, "damaged checkpoint"),
        ({"decoder_width": 16_000_000}, r"'decoder\.conv2\.bias' is \(32,\), the architecture needs \(16000000,\)"),
        ({"decoder_width": 16 * 10**30}, "damaged checkpoint"),
        ({"depth_range_m": [1, float("inf")]}, "must be positive"),
        ({"reciprocal_m": float("nan")}, "must be positive"),
    ],
)
def test_a_checkpoint_leads_neither_to_the_network_nor_to_huge_memory(
    switches: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a checkpoint led to the network")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    folder = save_checkpoint(tiny(), tmp_path / "x")
    description = json.loads((folder / "model.json").read_text())
    description["architecture"] |= switches
    (folder / "model.json").write_text(json.dumps(description))
    refused(folder, message)


def test_a_checkpoint_whose_info_is_no_object_is_refused(tmp_path: Path) -> None:
    folder = save_checkpoint(tiny(), tmp_path / "x")
    description = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**description, "info": ["toy"]}))
    refused(folder, "damaged checkpoint .its info is no object")
