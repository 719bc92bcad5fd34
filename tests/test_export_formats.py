"""OpenVINO IR, torch.export programs and int8 files: they say what the network says, or are not there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from PIL import Image

import densedepth
from conftest import MakeBundle
from densedepth.cli import main
from densedepth.errors import BundleError, DenseDepthError
from densedepth.export import export_checkpoint
from densedepth.export.int8 import Budget, export_int8
from densedepth.export.program import read_program
from densedepth.export.quantise import Quantiser
from densedepth.models import DenseDepth, save_checkpoint
from densedepth.runtime import Bundle, read_card
from densedepth.runtime.estimator import UncertainNetwork
from densedepth.types import Camera

CAMERA = Camera(130.0, 132.0, 80.0, 60.0, 160, 120)
ODD = np.random.default_rng(5).integers(0, 256, (2, 75, 101, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network with both outputs, whose depth is not flat."""
    torch.manual_seed(0)
    net = DenseDepth("tf_mobilenetv3_small_minimal_100", decoder_width=32, output="exp", uncertainty=True)
    with torch.no_grad():
        net.train()(torch.rand(4, 3, 96, 96))
        net.decoder.conv3.weight.mul_(8)
    return save_checkpoint(net.eval(), tmp_path_factory.mktemp("net") / "best", {"camera": CAMERA.to_dict()})


@pytest.fixture(scope="module")
def bundle(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_checkpoint(checkpoint, tmp_path_factory.mktemp("bundle") / "toy.onnx", half_weights=False)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Soft pictures, as photos are."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(1)
    for number in range(6):
        coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((160, 120), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return folder


def seen(folder: Path) -> list[np.ndarray]:
    return [np.asarray(Image.open(file))[None] for file in sorted(folder.glob("*.png"))]


def test_a_program_says_what_the_bundle_says(checkpoint: Path, bundle: Path, tmp_path: Path) -> None:
    program, card = read_program(export_checkpoint(checkpoint, tmp_path / "toy.pt2"))
    assert (card.name, card.input.width) == ("toy", 160)
    for images in (ODD, ODD[:1, :32, :32]):
        with torch.no_grad():
            depth_m, uncertainty_m = program.module()(torch.from_numpy(images.copy()))
        expected = Bundle(bundle).run(images)
        np.testing.assert_allclose(depth_m.numpy(), expected.depth_m, rtol=1e-3)
        assert expected.uncertainty_m is not None
        np.testing.assert_allclose(uncertainty_m.numpy(), expected.uncertainty_m, rtol=1e-3)


def test_what_is_no_program(tmp_path: Path) -> None:
    (tmp_path / "x.pt2").write_bytes(b"PK")
    with pytest.raises(BundleError, match=r"x\.pt2: cannot be read as a program.*densedepth export"):
        read_program(tmp_path / "x.pt2")


def test_ir_says_what_the_bundle_says(bundle: Path, tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="pip install densedepth[openvino]")
    path = export_checkpoint(bundle, tmp_path / "toy.xml", license="CC0")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["toy.bin", "toy.xml"]
    assert read_card(path).license == "CC0"
    assert read_card(path).extra["architecture"]["uncertainty"] is True
    assert path.with_suffix(".bin").stat().st_size < 0.6 * bundle.stat().st_size
    network = densedepth.load(path).network
    assert isinstance(network, UncertainNetwork)
    said, expected = network.run(ODD), Bundle(bundle).run(ODD)
    np.testing.assert_allclose(said.depth_m, expected.depth_m, rtol=2e-2)
    assert said.uncertainty_m is not None
    assert expected.uncertainty_m is not None
    np.testing.assert_allclose(said.uncertainty_m, expected.uncertainty_m, rtol=2e-2)


def test_ir_that_differs_is_not_kept(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openvino", reason="pip install densedepth[openvino]")
    monkeypatch.setattr("densedepth.export.verify.largest_difference", lambda *_: float("nan"))
    with pytest.raises(DenseDepthError, match=r"toy\.xml: in openvino .*nothing was written; try half_weights=False"):
        export_checkpoint(bundle, tmp_path / "toy.xml")
    assert not list(tmp_path.iterdir())


#: The last convolutions, which are never quantised.
ANSWERING = ["decoder.uncertainty.2", "decoder.conv3"]


def log_error(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(np.log(one / other)).mean())


@pytest.mark.parametrize("suffix", [".onnx", ".xml"])
def test_int8_is_near_the_float_depth(suffix: str, bundle: Path, photos: Path, tmp_path: Path) -> None:
    if suffix == ".xml":
        pytest.importorskip("openvino", reason="pip install densedepth[openvino]")
    made = export_int8(bundle, tmp_path / f"toy{suffix}", seen(photos), calibrated_on="toys", budget=Budget(0.2))
    report = read_card(made.path).extra["quantization"]
    assert (report["kept_in_float"], report["calibration"]) == (ANSWERING, "toys")
    assert "architecture" not in read_card(made.path).extra
    weights = made.path.with_suffix(".bin") if suffix == ".xml" else made.path
    assert weights.stat().st_size < 0.5 * bundle.stat().st_size
    network, reference = densedepth.load(made.path).network, Bundle(bundle)
    error = np.mean([log_error(network.infer(photo), reference.infer(photo)) for photo in seen(photos)])
    assert 0 < error < 0.2
    assert isinstance(network, UncertainNetwork)
    assert network.run(ODD).uncertainty_m is not None


def test_layers_that_cannot_bear_it_stay_in_float(bundle: Path, photos: Path, tmp_path: Path) -> None:
    loose = export_int8(bundle, tmp_path / "a.onnx", seen(photos), calibrated_on="", budget=Budget(0.9))
    said: list[str] = []
    tight = export_int8(
        bundle,
        tmp_path / "b.onnx",
        seen(photos),
        calibrated_on="",
        budget=Budget(loose.difference / 2),
        say=said.append,
    )
    kept = tight.card.extra["quantization"]["kept_in_float"]
    assert len(ANSWERING) < len(kept) < tight.card.extra["quantization"]["layers"]
    assert tight.difference <= 1.1 * loose.difference / 2
    assert any("in float: depth error" in line for line in said)
    # What is kept in float is not quantised, everything else is.
    model = onnx.load(tight.path)
    assert sum(node.op_type == "Conv" for node in model.graph.node) == tight.card.extra["quantization"]["layers"]
    integers = sum(t.data_type == onnx.TensorProto.INT8 and len(t.dims) == 4 for t in model.graph.initializer)
    assert integers == tight.card.extra["quantization"]["layers"] - len(kept)


def test_biases_make_up_for_rounded_weights(bundle: Path, photos: Path) -> None:
    """A convolution with its weights rounded gives, with its new bias, the mean it gave before."""
    quantiser = Quantiser(bundle, seen(photos), max_groups=4)
    model = onnx.ModelProto()
    model.CopyFrom(quantiser._model)
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    first = next(node for node in model.graph.node if node.op_type == "Conv")  # its input is the same each time
    weight = tensors[first.input[1]]
    before = channel_means(model, first.output[0], seen(photos))
    values = numpy_helper.to_array(weight)
    step = np.abs(values).max(axis=(1, 2, 3), keepdims=True) / 127
    weight.CopyFrom(numpy_helper.from_array(np.round(values / step) * step, weight.name))
    rounded = channel_means(model, first.output[0], seen(photos))
    corrected_bias = numpy_helper.from_array(quantiser._biases[first.name], first.input[2])
    tensors[first.input[2]].CopyFrom(corrected_bias)
    corrected = channel_means(model, first.output[0], seen(photos))
    assert np.abs(corrected - before).max() < 0.01 * np.abs(rounded - before).max()


def channel_means(model: onnx.ModelProto, tensor: str, photos: list[np.ndarray]) -> np.ndarray:
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    probe.graph.output.append(onnx.helper.make_tensor_value_info(tensor, onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(probe.SerializeToString(), providers=["CPUExecutionProvider"])
    each = [session.run([tensor], {"image": photo})[0].mean(axis=(0, 2, 3)) for photo in photos]
    means: np.ndarray = np.mean(each, axis=0)
    return means


def test_a_budget_that_cannot_be_met_leaves_nothing(
    bundle: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("densedepth.export.int8._Trial.error", lambda *_: 1.0)
    with pytest.raises(DenseDepthError, match=r"no layer can be int8 within .*--max-error"):
        export_int8(bundle, tmp_path / "a.onnx", seen(photos)[:2], calibrated_on="", budget=Budget(0.01))
    assert not list(tmp_path.iterdir())


def test_int8_on_the_command_line(
    bundle: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "int8.onnx"
    words = ["export", str(bundle), str(out), "--int8", "--calibration", str(photos), "--max-error", "0.3"]
    assert main([*words, "--photos", "4"]) == 0
    printed = capsys.readouterr()
    assert "opset 18, int8 with 2 of" in printed.out
    assert "calibrating on 4 photos" in printed.err
    assert json.loads(read_card(out).to_json())["quantization"]["calibration"] == f"4 photos of {photos.name}"
    assert main(["export", str(out), str(tmp_path / "again.onnx")]) == 1
    assert "it is int8 already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--int8"], "needs --calibration"),
        (["--calibration", "."], "are for --int8"),
        (["--int8", "--calibration", "gone"], "gone: no such folder"),
        (["--int8", "--calibration", "empty"], "empty: no photos in it"),
        (["--int8", "--calibration", "empty", "--max-error", "2"], "must be between 0 and 1"),
        (["--int8", "--calibration", "empty", "--photos", "0"], "must be at least 1"),
    ],
)
def test_wrong_usage_is_one_line(
    words: list[str],
    message: str,
    bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert main(["export", str(bundle), "x.onnx", *words]) in (1, 2)
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert [file.name for file in tmp_path.iterdir()] == ["empty"]


def test_a_graph_without_convolutions(tiny_bundle: MakeBundle, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(DenseDepthError, match="has no convolution"):
        export_int8(tiny_bundle(), tmp_path / "a.onnx", seen(photos), calibrated_on="")


@pytest.mark.slow
def test_the_shipped_bundle_as_int8(shared: Path, tmp_path: Path) -> None:
    """Held-out scenes of the training part; the test frames are for the report of the bundle alone."""
    source = Path(densedepth.__file__).parent / "bundles" / "nyu.onnx"
    out = tmp_path / "nyu.onnx"
    words = ["export", str(source), str(out), "--int8", "--calibration", str(shared / "nyu")]
    assert main([*words, "--root", str(shared / "nyu")]) == 0
    report = read_card(out).extra["quantization"]
    assert report["before"]["per_image"]["delta1"] - report["after"]["per_image"]["delta1"] <= 0.005
    assert out.stat().st_size <= 8e6
