"""Convolutions taken apart into their taps give the same numbers, and int8 files for OpenVINO hold them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from densedepth.export import export_checkpoint
from densedepth.export.int8 import Budget, export_int8
from densedepth.export.quantise import Quantiser
from densedepth.export.taps import exact_nodes, put_together, take_apart
from densedepth.models import DenseDepth, read_bundle, save_checkpoint
from densedepth.models.densedepth import Preset
from densedepth.runtime import Bundle

SIZES = [(1, 96, 128), (2, 75, 101), (1, 32, 32)]
RNG = np.random.default_rng(3)


def made(folder: Path, preset: Preset, decoder_width: int) -> Path:
    """A bundle of a small network with both outputs, whose depth is not flat."""
    torch.manual_seed(0)
    net = DenseDepth(
        "tf_mobilenetv3_small_minimal_100", preset, decoder_width=decoder_width, output="exp", uncertainty=True
    )
    with torch.no_grad():
        net.train()(torch.rand(4, 3, 96, 96))
        net.decoder.conv3.weight.mul_(8)
        for module in net.decoder.modules():  # a bias in the wrong place shows
            if isinstance(module, torch.nn.Conv2d) and module.bias is not None:
                module.bias.add_(torch.randn_like(module.bias) / 20)
    checkpoint = save_checkpoint(net.eval(), folder / "best")
    return export_checkpoint(checkpoint, folder / "toy.onnx", half_weights=False)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wide enough for its first up-sampling block to be worth it, and two more in float."""
    return made(tmp_path_factory.mktemp("wide"), "half", 512)


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Too narrow for any."""
    return made(tmp_path_factory.mktemp("narrow"), "half", 32)


def answers(model: onnx.ModelProto, images: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found: list[np.ndarray] = session.run(None, {"image": images})
    return found


@pytest.mark.parametrize("preset", ["paper", "half"])
def test_the_same_numbers(preset: Preset, narrow: Path, tmp_path: Path) -> None:
    """Both up-samplings, with the borders of the image; even where it is not worth it."""
    before = onnx.load(narrow if preset == "half" else made(tmp_path, preset, 32))
    after = onnx.ModelProto()
    after.CopyFrom(before)
    assert take_apart(after, min_doubled=1, min_to_one=1) == 6  # four blocks, depth and its error
    onnx.checker.check_model(after)
    for count, height, width in SIZES:
        images = RNG.integers(0, 256, (count, height, width, 3), np.uint8)
        expected = answers(before, images)
        assert expected[0].std() > 0.02
        for one, other in zip(answers(after, images), expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4)


def test_only_wide_convolutions_are_taken_apart(wide: Path, narrow: Path) -> None:
    model = onnx.load(narrow)
    assert take_apart(model) == 0
    assert model.SerializeToString() == onnx.load(narrow).SerializeToString()
    names = {tensor.name for tensor in onnx.load(wide).graph.initializer}
    assert "net.decoder.up1.convA.tap22.weight" in names
    assert "net.decoder.up3.convA.tap22.weight" in names
    assert "net.decoder.up4.convA.weight" in names


def test_a_bundle_is_put_together_again_for_training(narrow: Path, tmp_path: Path) -> None:
    expected, _ = read_bundle(narrow)
    model = onnx.load(narrow)
    take_apart(model, min_doubled=1, min_to_one=1)
    onnx.save(model, tmp_path / "apart.onnx")
    got, _ = read_bundle(tmp_path / "apart.onnx")
    for (name, one), other in zip(got.state_dict().items(), expected.state_dict().values(), strict=True):
        assert torch.equal(one, other), name


def test_putting_together_undoes_it(narrow: Path) -> None:
    before = onnx.load(narrow)
    model = onnx.ModelProto()
    model.CopyFrom(before)
    take_apart(model, min_doubled=1, min_to_one=1000)
    assert put_together(model, max_doubled=1) == 0
    assert put_together(model, max_doubled=33) == 4
    onnx.checker.check_model(model)
    assert Counter(node.op_type for node in model.graph.node) == Counter(node.op_type for node in before.graph.node)
    assert len(model.graph.initializer) == len(before.graph.initializer) + 4  # the scales were nodes of their own
    image = RNG.integers(0, 256, (2, 75, 101, 3), np.uint8)
    for one, other in zip(answers(model, image), answers(before, image), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("round_taps", [True, False])
def test_int8_rounds_what_the_taps_see_and_not_their_sums(round_taps: bool, wide: Path) -> None:
    quantiser = Quantiser(wide, [RNG.integers(0, 256, (1, 96, 128, 3), np.uint8)], 4, round_taps=round_taps)
    graph = quantiser.quantised().graph
    made_by = {output: node for node in graph.node for output in node.output}
    read_by = {name: node for node in graph.node for name in node.input}
    parts = [f"tap{row}{column}" for row in range(3) for column in range(3)]
    for part in (*parts, "beside"):
        conv = read_by[f"net.decoder.up1.convA.{part}.weight_DequantizeLinear_Output"]
        assert {made_by[name].op_type for name in conv.input} == {"DequantizeLinear"}
        after = "QuantizeLinear" if round_taps else "Add" if part == "beside" else "Resize"
        assert read_by[conv.output[0]].op_type == after
    assert "net.decoder.up2.convA.weight_DequantizeLinear_Output" in read_by  # cheaper whole in eight bits
    names = exact_nodes(onnx.load(wide).graph)
    exact = [node for node in graph.node if node.name in names]
    assert Counter(node.op_type for node in exact) == {"Resize": 12, "Conv": 8 + 2, "Add": 9}
    if not round_taps:
        assert not {made_by[name].op_type for node in exact for name in node.input if name in made_by} & {
            "DequantizeLinear"
        }
    # The next layer sees rounded numbers in any case.
    (whole,) = [node for node in exact if node.name.endswith(".whole")]
    assert read_by[whole.output[0]].op_type == "QuantizeLinear"


def test_an_int8_file_for_openvino(wide: Path, tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="pip install densedepth[openvino]")
    photos = [RNG.integers(0, 256, (1, 96, 128, 3), np.uint8) for _ in range(3)]
    exported = export_int8(wide, tmp_path / "x.xml", photos, calibrated_on="noise", budget=Budget(0.2))
    report = exported.card.extra["quantization"]
    graph = onnx.load(wide).graph
    only_shift, taps_of_one, together_again = 3 * 8, 1, 2 * (10 - 1)
    convolutions = sum(node.op_type == "Conv" for node in graph.node)
    assert report["layers"] == convolutions - only_shift - taps_of_one - together_again
    assert report["kept_in_float"] == ["decoder.uncertainty.2.sum", "decoder.conv3"]
    network, reference = Bundle(tmp_path / "x.xml", device="openvino"), Bundle(wide)
    error = np.mean([np.abs(np.log(network.infer(photo) / reference.infer(photo))).mean() for photo in photos])
    assert 0 < error < 0.2
