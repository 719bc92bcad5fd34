"""Import of the authors' .h5 files. The files are made here, from our networks, by a mapping of its own."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

import densedepth
from densedepth.cli import main
from densedepth.errors import DenseDepthError
from densedepth.models import DenseDepth, import_keras, keras_import, load_checkpoint

TINY = "densenet(1,2,1,2)"

#: Our parameter names, as patterns, and what Keras calls the layer.
TO_KERAS = (
    (r"encoder\.body\.conv0", "conv1/conv"),
    (r"encoder\.body\.norm0", "conv1/bn"),
    (r"encoder\.body\.norm5", "bn"),
    (r"encoder\.body\.denseblock(\d)\.denselayer(\d+)\.norm1", "conv{}_block{}_0_bn"),
    (r"encoder\.body\.denseblock(\d)\.denselayer(\d+)\.conv1", "conv{}_block{}_1_conv"),
    (r"encoder\.body\.denseblock(\d)\.denselayer(\d+)\.norm2", "conv{}_block{}_1_bn"),
    (r"encoder\.body\.denseblock(\d)\.denselayer(\d+)\.conv2", "conv{}_block{}_2_conv"),
    (r"encoder\.body\.transition(\d)\.norm", "pool{}_bn"),
    (r"encoder\.body\.transition(\d)\.conv", "pool{}_conv"),
    (r"decoder\.(conv\d)", "{}"),
    (r"decoder\.(up\d)\.(conv[AB])", "{}_{}"),
)
BATCHNORM_LEAVES = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}

Weights = dict[str, dict[str, np.ndarray]]
Tiny = tuple[Weights, dict[str, Any], DenseDepth]
Change = Callable[[Weights, Any], Any]
MakeFile = Callable[..., Path]


def keras_weights(net: DenseDepth) -> Weights:
    """layer -> leaf -> array, as Keras would hold the network's weights."""
    weights: Weights = {}
    for key, value in net.state_dict().items():
        module, _, leaf = key.rpartition(".")
        if leaf == "num_batches_tracked":
            continue
        (layer,) = [_keras_name(pattern, name, module) for pattern, name in TO_KERAS if re.fullmatch(pattern, module)]
        array = value.numpy()
        if array.ndim == 4:
            weights.setdefault(layer, {})["kernel"] = array.transpose(2, 3, 1, 0)
        else:
            weights.setdefault(layer, {})["bias" if module.startswith("decoder") else BATCHNORM_LEAVES[leaf]] = array
    return weights


def _keras_name(pattern: str, name: str, module: str) -> str:
    found = re.fullmatch(pattern, module)
    assert found
    numbers = list(found.groups())
    if "block" in pattern or "transition" in pattern:
        numbers[0] = str(int(numbers[0]) + 1)  # Keras counts the stem as stage 1
    return name.format(*numbers)


def model_config(weights: Weights, *, inner_activation: bool) -> dict[str, Any]:
    """The JSON of the model, without what no reader needs: initialisers, regularisers, most inbound nodes."""
    layers: list[dict[str, Any]] = [{"class_name": "InputLayer", "name": "input_1", "config": {"name": "input_1"}}]
    leaky = 0
    for name, leaves in weights.items():
        kind = "Conv2D" if "kernel" in leaves else "BatchNormalization"
        layers.append({"class_name": kind, "name": name, "config": {"name": name}, "inbound_nodes": []})
        if name.endswith("convB") or (name.endswith("convA") and inner_activation):
            leaky += 1
            own = f"leaky_re_lu_{leaky}"
            config = {"name": own, "alpha": 0.20000000298023224}
            nodes = [[[name, 0, 0, {}]]]
            layers.append({"class_name": "LeakyReLU", "name": own, "config": config, "inbound_nodes": nodes})
    return {"class_name": "Model", "config": {"name": "model_1", "layers": layers}}


def write_h5(path: Path, weights: Weights, config: dict[str, Any], *, attributes: bool = True) -> Path:
    with h5py.File(path, "w") as file:
        # Keras 2.2 wrote bytes; so do we. tiny_random.h5 has text.
        file.attrs["model_config"] = json.dumps(config).encode()
        file.attrs["keras_version"] = b"2.2.4"
        root = file.create_group("model_weights")
        if attributes:
            root.attrs["layer_names"] = [layer.encode() for layer in weights]
        for layer, leaves in weights.items():
            group = root.create_group(layer)
            if attributes:
                group.attrs["weight_names"] = [f"{layer}/{leaf}:0".encode() for leaf in leaves]
            for leaf, array in leaves.items():
                group.create_dataset(f"{layer}/{leaf}:0", data=array)
        file.create_group("optimizer_weights").create_dataset("Adam/iterations:0", data=np.int64(7))
    return path


def random_net(encoder: str, preset: str, **switches: Any) -> DenseDepth:
    """A network whose BatchNorm statistics are random too: after construction they would all be 0 and 1."""
    torch.manual_seed(0)
    net = DenseDepth(encoder, preset, **switches)  # type: ignore[arg-type]
    for key, value in net.state_dict().items():
        if key.endswith(("running_mean", "running_var")) or "norm" in key:
            value.copy_(torch.rand_like(value.float()) + 0.5)
    return net.eval()


def assert_same(ours: DenseDepth, theirs: DenseDepth) -> None:
    assert ours.architecture == theirs.architecture
    ours_state, theirs_state = ours.state_dict(), theirs.state_dict()
    assert ours_state.keys() == theirs_state.keys()
    for key, value in theirs_state.items():
        if not key.endswith("num_batches_tracked"):
            assert torch.equal(ours_state[key], value), key


@pytest.fixture(scope="module")
def tiny() -> Tiny:
    net = random_net(TINY, "paper")
    weights = keras_weights(net)
    return weights, model_config(weights, inner_activation=False), net


@pytest.fixture
def tiny_h5(tmp_path: Path, tiny: Tiny) -> MakeFile:
    """`tiny_h5(name, change)` writes the tiny file after `change(weights, config)` altered copies of its content."""

    def make(name: str = "nyu.h5", change: Change | None = None, **options: Any) -> Path:
        weights = {layer: dict(leaves) for layer, leaves in tiny[0].items()}
        config = json.loads(json.dumps(tiny[1]))
        if change is not None:
            change(weights, config)
        return write_h5(tmp_path / name, weights, config, **options)

    return make


# What it reads


@pytest.mark.parametrize(
    ("encoder", "preset", "parameters"),
    [
        pytest.param("densenet169", "half", 21_365_405),
        pytest.param("densenet169", "paper", 42_657_689, marks=pytest.mark.slow),
        pytest.param("densenet201", "half", 29_687_509, marks=pytest.mark.slow),
        pytest.param("densenet201", "paper", 57_806_089, marks=pytest.mark.slow),
        pytest.param("densenet121", "half", None, marks=pytest.mark.slow),
    ],
)
def test_full_size(tmp_path: Path, encoder: str, preset: str, parameters: int | None) -> None:
    net = random_net(encoder, preset)
    weights = keras_weights(net)
    path = write_h5(tmp_path / "nyu.h5", weights, model_config(weights, inner_activation=preset == "half"))
    imported = import_keras(path)
    assert_same(imported, net)
    assert not imported.training
    if parameters is not None:
        assert sum(p.numel() for p in imported.parameters()) == parameters


@pytest.mark.parametrize("attributes", [True, False])
def test_by_attributes_or_by_paths(tiny_h5: MakeFile, tiny: Tiny, attributes: bool) -> None:
    assert_same(import_keras(tiny_h5(attributes=attributes)), tiny[2])


def test_golden_file(parity: Path) -> None:
    arch = import_keras(parity / "tiny_random.h5").architecture
    assert (arch.encoder, arch.decoder_width) == ("densenet(2,2,2,2)", 128)
    assert (arch.inner_activation, arch.align_corners) == (True, False)


def test_depth_follows_name_or_option(tiny_h5: MakeFile) -> None:
    def depth(net: DenseDepth) -> tuple[float, tuple[float, float]]:
        return net.architecture.reciprocal_m, net.architecture.depth_range_m

    nyu, kitti = (10.0, (0.1, 10.0)), (80.0, (1.0, 80.0))
    assert depth(import_keras(tiny_h5("anything.h5"))) == nyu
    assert depth(import_keras(tiny_h5("KITTI_final.h5"))) == kitti
    assert depth(import_keras(tiny_h5("kitti.h5"), dataset="nyu")) == nyu
    assert depth(import_keras(tiny_h5("mine.h5"), dataset="kitti")) == kitti


def test_align_corners_follows_activations_or_option(tiny_h5: MakeFile) -> None:
    path = tiny_h5()
    assert import_keras(path).architecture.align_corners is True
    assert import_keras(path, align_corners=False).architecture.align_corners is False


# What it refuses


def without(layer: str) -> Change:
    return lambda weights, config: weights.pop(layer)


def reshaped(layer: str, leaf: str) -> Change:
    return lambda weights, config: weights[layer].update({leaf: weights[layer][leaf][..., :-1]})


def surplus(weights: Weights, config: Any) -> None:
    weights["projection"] = {"kernel": np.zeros((1, 1, 4, 4), np.float32)}


def extra_block(weights: Weights, config: Any) -> None:
    """A third layer in the last block: everything behind it would need other widths."""
    for name in ("0_bn", "1_conv", "1_bn", "2_conv"):
        weights[f"conv5_block3_{name}"] = weights[f"conv5_block2_{name}"]
        config["config"]["layers"].append({"class_name": "X", "config": {"name": f"conv5_block3_{name}"}})


def with_nan(weights: Weights, config: Any) -> None:
    weights["conv2"]["bias"] = np.full_like(weights["conv2"]["bias"], np.nan)


def huge_decoder(weights: Weights, config: Any) -> None:
    weights["conv2"]["kernel"] = np.zeros((1, 1, 0, 16_000_000), np.float32)


def huge_encoder(weights: Weights, config: Any) -> None:
    config["config"]["layers"].append({"class_name": "X", "config": {"name": "conv5_block999999_0_bn"}})


def leaky_at(field: str, value: Any) -> Change:
    def change(weights: Weights, config: Any) -> None:
        layer = next(layer for layer in config["config"]["layers"] if layer["class_name"] == "LeakyReLU")
        (layer["config"] if field == "alpha" else layer)[field] = value

    return change


def one_leaky_less(weights: Weights, config: Any) -> None:
    config["config"]["layers"] = [la for la in config["config"]["layers"] if la["config"]["name"] != "leaky_re_lu_3"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("conv3_block1_1_conv"), r"'conv3_block1_1_conv'.*missing"),
        (without("bn"), r"'bn'.*missing"),
        (reshaped("pool3_bn", "gamma"), r"'pool3_bn' has a gamma of shape \(\d+,\).*needs"),
        (reshaped("up2_convB", "bias"), r"'up2_convB' has a bias of shape \(23,\).*needs \(24,\)"),
        (reshaped("conv2", "kernel"), r"'conv2'.*multiple of 16"),
        (surplus, r"no place for 'projection/projection/kernel:0'"),
        (extra_block, r"'conv5_block3_0_bn' has a gamma of shape"),
        (with_nan, r"'conv2' has NaN"),
        (huge_decoder, r"'conv2' has a kernel of shape \(1, 1, 0, 16000000\).*needs"),
        (huge_encoder, r"no network of this package: timm knows no encoder 'densenet\(1,2,1,999999\)'"),
        (one_leaky_less, r"3 LeakyReLU layers; the released network has 4"),
        (leaky_at("alpha", 0.3), r"'leaky_re_lu_1' has slope 0\.3"),
        (leaky_at("inbound_nodes", [[["up1_convA", 0, 0, {}]]]), r"'leaky_re_lu_1' follows 'up1_convA'.*'up1_convB'"),
        (lambda weights, config: config["config"].update(layers=["bn"]), r"lists no layers"),
    ],
)
def test_names_what_does_not_fit(tiny_h5: MakeFile, change: Change, message: str) -> None:
    path = tiny_h5("broken.h5", change)
    with pytest.raises(DenseDepthError, match=message) as caught:
        import_keras(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_first_misfit_in_the_network_order(tiny_h5: MakeFile) -> None:
    def change(weights: Weights, config: Any) -> None:
        for layer in ("up4_convB", "conv4_block1_1_bn", "pool2_conv"):
            weights.pop(layer)

    with pytest.raises(DenseDepthError, match="'pool2_conv'"):
        import_keras(tiny_h5("broken.h5", change))


def test_another_encoder_is_refused(tiny_h5: MakeFile) -> None:
    def change(weights: Weights, config: Any) -> None:
        layers = config["config"]["layers"]
        config["config"]["layers"] = [layer for layer in layers if "block" not in layer["config"]["name"]]

    with pytest.raises(DenseDepthError, match=r"'conv2_block1_0_bn' is missing; the encoder must be a DenseNet"):
        import_keras(tiny_h5("resnet.h5", change))


def test_files_that_are_no_model(tmp_path: Path, tiny_h5: MakeFile) -> None:
    with pytest.raises(DenseDepthError, match="no such file"):
        import_keras(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("not HDF5")
    with pytest.raises(DenseDepthError, match="not a readable HDF5 file"):
        import_keras(tmp_path / "text.h5")
    whole = tiny_h5().read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DenseDepthError, match="not a readable HDF5 file"):
        import_keras(tmp_path / "cut.h5")
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file.attrs["layer_names"] = [b"conv1/conv"]
    with pytest.raises(DenseDepthError, match=r"holds weights only.*model\.save"):
        import_keras(tmp_path / "weights.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(DenseDepthError, match="is no Keras model"):
        import_keras(tmp_path / "other.h5")


def test_a_heap_of_texts_that_has_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """libhdf5 never comes back from it; found by fuzz/run.py h5."""
    monkeypatch.setattr(keras_import, "READ_S", 3.0)
    with h5py.File(tmp_path / "whole.h5", "w") as file:
        file.attrs["model_config"] = '{"config": {"layers": []}}'
        file.create_group("model_weights")
    data = bytearray((tmp_path / "whole.h5").read_bytes())
    first_object = data.index(b"GCOL") + 16
    # Its length: where the next one is looked for, all is 0, so that the one after that is at the same place.
    data[first_object + 8 : first_object + 16] = (4000).to_bytes(8, "little")
    (tmp_path / "round.h5").write_bytes(data)
    with pytest.raises(DenseDepthError, match=r"round\.h5: damaged.*get a whole copy"):
        import_keras(tmp_path / "round.h5")


def test_a_text_that_ends_the_process(tiny_h5: MakeFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """As libhdf5 does with some damaged files."""
    monkeypatch.setattr(keras_import, "_READ_CONFIG", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    with pytest.raises(DenseDepthError, match=r"damaged.*get a whole copy"):
        import_keras(tiny_h5())


# The command


def test_command(tiny_h5: MakeFile, tmp_path: Path, tiny: Tiny, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "made" / "nyu"
    assert main(["import-keras", str(tiny_h5()), str(out)]) == 0
    shown = capsys.readouterr().out
    for fact in (TINY, "width 96", "4 LeakyReLU layers, preset paper", "align_corners  true", "10 / output, 0.1 to 10"):
        assert fact in shown
    net, info = load_checkpoint(out)
    assert_same(net, tiny[2])
    assert (info["camera"]["width"], info["camera"]["height"]) == (640, 480)
    assert "nyu.h5" in info["training_data"]

    assert main(["import-keras", str(tiny_h5("kitti.h5")), str(out), "--align-corners", "false"]) == 0
    shown = capsys.readouterr().out
    assert "align_corners  false (as told)" in shown
    assert "kitti (by its name): 80 / output, 1 to 80 m" in shown
    net, info = load_checkpoint(out)
    assert net.architecture.align_corners is False
    assert (info["camera"]["width"], info["camera"]["height"]) == (1280, 384)


def test_command_refuses_in_one_line(tiny_h5: MakeFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["import-keras", str(tiny_h5("broken.h5", without("conv3"))), str(out)]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "conv3" in error
    assert not out.exists()


def test_command_leaves_other_folders_alone(
    tiny_h5: MakeFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.jpg").write_text("precious")
    assert main(["import-keras", str(tiny_h5()), str(photos)]) == 1
    assert "is no checkpoint" in capsys.readouterr().err
    assert (photos / "a.jpg").read_text() == "precious"


@pytest.mark.slow
def test_checkpoint_loads_and_exports(tiny_h5: MakeFile, tmp_path: Path) -> None:
    out, bundle = tmp_path / "ckpt", tmp_path / "keras.onnx"
    assert main(["import-keras", str(tiny_h5()), str(out)]) == 0
    assert main(["export", str(out), str(bundle)]) == 0
    photo = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    a, b = (densedepth.load(str(model)).predict(photo).depth_m for model in (out, bundle))
    assert a.shape == (96, 128)
    np.testing.assert_allclose(a, b, rtol=2e-2)
    shutil.rmtree(out)


# 1664, not 1632 and not 1760 (docs/network.md)


def test_bottleneck_has_1664_channels() -> None:
    net = DenseDepth("densenet169", "paper").eval()
    body = net.encoder.body
    last = body.get_submodule("denseblock4.denselayer32")
    assert last.get_parameter("norm1.weight").shape == (1632,)  # what printing the model shows: the layer's input
    assert last.get_parameter("conv2.weight").shape[0] == 32  # what it adds
    assert 640 + 32 * 32 == 1632 + 32 == 1664
    assert net.encoder.channels == (64, 64, 128, 256, 1664)
    with torch.no_grad():
        features = net.encoder(torch.zeros(1, 3, 64, 64))
    shapes = [(64, 32, 32), (64, 16, 16), (128, 8, 8), (256, 4, 4), (1664, 2, 2)]
    assert [tuple(feature.shape[1:]) for feature in features] == shapes
    assert all(float(features[i].min()) >= 0 for i in (0, 1, 4))  # norm5's ReLU is in
    conv2 = net.decoder.get_submodule("conv2")
    assert conv2.weight.shape == (1664, 1664, 1, 1)
