"""A small network as a bundle: the file says what torch says, and is only there when it does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

import densedepth
from densedepth.data.readers.nyu import KINECT
from densedepth.errors import DenseDepthError
from densedepth.export import bundle as bundle_module
from densedepth.export import export_bundle, export_checkpoint
from densedepth.export.graph import to_onnx
from densedepth.export.verify import largest_difference
from densedepth.models import DenseDepth, save_checkpoint
from densedepth.runtime import Bundle, Card, InputCamera, read_card
from densedepth.types import Camera

# Sides from the smallest there is, odd ones, and none that the export verifies itself.
SHAPES = [(1, 32, 32), (3, 33, 47), (1, 101, 160), (2, 96, 128), (1, 64, 333)]
CAMERA = Camera(130.0, 132.0, 79.0, 61.0, 160, 120)


@pytest.fixture(scope="module")
def net() -> DenseDepth:
    """TensorFlow's padding in its encoder, and outputs that cover metres from the near to the far end."""
    torch.manual_seed(0)
    net = DenseDepth("tf_mobilenetv3_small_minimal_100", decoder_width=32, output="exp")
    with torch.no_grad():
        # Random weights give a nearly flat answer: spread it.
        net.train()(torch.rand(4, 3, 96, 96))
        net.decoder.conv3.weight.mul_(8)
    return net.eval()


@pytest.fixture(scope="module", autouse=True)
def one_trace() -> Iterator[None]:
    """torch's exporter takes long: its result is kept. All that is exported here has the weights of `net`."""
    traced: list[bytes] = []

    def kept(net: DenseDepth) -> onnx.ModelProto:
        if not traced:
            traced.append(to_onnx(net).SerializeToString())
        return onnx.load_from_string(traced[0])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundle_module, "to_onnx", kept)
        yield


@pytest.fixture(scope="module")
def checkpoint(net: DenseDepth, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with a best/ in it."""
    run = tmp_path_factory.mktemp("run")
    info = {"training_data": "toy: 8 frames", "camera": CAMERA.to_dict(), "validation": {"val_delta1": 0.5}}
    save_checkpoint(net, run / "best", info)
    return run


@pytest.fixture(scope="module")
def full(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_checkpoint(checkpoint, tmp_path_factory.mktemp("full") / "toy.onnx", half_weights=False)


@pytest.fixture(scope="module")
def half(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_checkpoint(
        checkpoint / "best", tmp_path_factory.mktemp("half") / "sub" / "small.onnx", name="pocket", license="CC0"
    )


def torch_depth_m(net: DenseDepth, images: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return net.depth_m(torch.from_numpy(images).permute(0, 3, 1, 2) / 255).numpy()


def noise(shape: tuple[int, int, int]) -> np.ndarray:
    return np.random.default_rng(sum(shape)).integers(0, 256, (*shape, 3), dtype=np.uint8)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_bundle_says_what_torch_says(shape: tuple[int, int, int], net: DenseDepth, full: Path, half: Path) -> None:
    images = noise(shape)
    expected = torch_depth_m(net, images)
    assert expected.shape == shape
    assert expected.max() / expected.min() > 1.2, "a flat answer would prove nothing"
    np.testing.assert_allclose(Bundle(full).infer(images), expected, rtol=1e-3)
    np.testing.assert_allclose(Bundle(half).infer(images), expected, rtol=2e-2)


def test_batches_do_not_mix(full: Path) -> None:
    images = noise((3, 64, 96))
    together = Bundle(full).infer(images)
    for image, depth_m in zip(images, together, strict=True):
        np.testing.assert_allclose(Bundle(full).infer(image[None])[0], depth_m, rtol=1e-4)


def test_half_weights_halve_the_file(full: Path, half: Path) -> None:
    assert half.stat().st_size < 0.6 * full.stat().st_size


def test_the_card_says_where_it_comes_from(full: Path, half: Path) -> None:
    card = read_card(half)
    assert (card.name, card.license) == ("pocket", "CC0")
    assert card.input == InputCamera(160, 120, 131.0)
    assert card.depth_range_m == (0.1, 10.0)
    assert (card.encoder, card.decoder_width) == ("tf_mobilenetv3_small_minimal_100", 32)
    assert card.training_data == "toy: 8 frames"
    assert card.created_with == f"densedepth {densedepth.__version__}"
    assert card.extra["validation"] == {"val_delta1": 0.5}
    assert card.extra["architecture"]["output"] == "exp"
    assert card.extra["opset"] == 18
    assert read_card(full).name == "toy", "the file's name by default"


def test_an_unknown_camera_is_taken_for_the_kinect(
    net: DenseDepth, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards: list[Card] = []
    to_card = bundle_module._card

    def kept(*words: Any, **options: Any) -> Card:
        cards.append(to_card(*words, **options))
        return cards[0]

    monkeypatch.setattr(bundle_module, "_card", kept)
    export_checkpoint(save_checkpoint(net, tmp_path / "x"), tmp_path / "x.onnx")
    assert (cards[0].input.width, cards[0].input.height) == (640, 480)
    assert cards[0].input.focal_px == pytest.approx((KINECT.fx + KINECT.fy) / 2)


def test_a_checkpoint_predicts_as_its_bundle(checkpoint: Path, full: Path, net: DenseDepth) -> None:
    from_folder, from_file = densedepth.load(checkpoint), densedepth.load(full)
    for size in ((160, 120), (301, 203)):
        photo = Image.fromarray(noise((1, size[1], size[0]))[0])
        one, other = from_folder.predict(photo), from_file.predict(photo)
        np.testing.assert_array_equal(one.depth_m, other.depth_m)
        assert one.camera == other.camera
    assert from_folder.card.input == from_file.card.input
    # 160x120 is the training camera's own size: the photo is not resized.
    photo_array = noise((1, 120, 160))
    np.testing.assert_allclose(
        from_folder.predict(photo_array[0]).depth_m, torch_depth_m(net, photo_array)[0], rtol=1e-3
    )


def test_a_bundle_that_differs_is_not_kept(net: DenseDepth, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("densedepth.export.verify.largest_difference", lambda *_: 0.5)
    net.train()
    card = Card("toy", InputCamera(160, 120, 131.0), (0.1, 10.0))
    path = tmp_path / "toy.onnx"
    path.write_bytes(b"the bundle of before")
    with pytest.raises(DenseDepthError, match=r"toy\.onnx: .*differs from torch by 50\.00% .*nothing was written"):
        export_bundle(net, card, path)
    assert path.read_bytes() == b"the bundle of before"
    assert [p.name for p in tmp_path.iterdir()] == ["toy.onnx"]
    assert net.training, "the caller's network is as it was"
    net.eval()


def test_verification_sees_a_difference(net: DenseDepth, full: Path) -> None:
    def difference(network: DenseDepth) -> float:
        return largest_difference(Bundle(full), bundle_module.torch_network(network, read_card(full), "torch"))

    assert difference(net) < 1e-3
    other = DenseDepth.from_architecture(net.architecture)
    other.load_state_dict(net.state_dict())
    assert other.decoder.conv3.bias is not None
    with torch.no_grad():
        other.decoder.conv3.bias.add_(0.05)
    assert difference(other.eval()) > 0.02


@pytest.mark.parametrize("name", ["toy.pt", "toy", "toy.onnx.zip"])
def test_another_suffix_is_refused(name: str, checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(DenseDepthError, match=r"name must end in \.onnx \(bundle\), \.xml \(OpenVINO IR\) or \.pt2"):
        export_checkpoint(checkpoint, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_exporting_what_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(DenseDepthError, match="is no checkpoint"):
        export_checkpoint(tmp_path, tmp_path / "x.onnx")
    with pytest.raises(DenseDepthError, match=r"gone: is not there; export takes a checkpoint"):
        export_checkpoint(tmp_path / "gone", tmp_path / "x.onnx")


def test_the_file_tells_nothing_about_the_machine(full: Path) -> None:
    content = full.read_bytes()
    assert str(Path(densedepth.__file__).parent).encode() not in content
    assert b"stack_trace" not in content


def test_a_torch_that_cannot_export_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise torch.onnx.OnnxExporterError("Failed to export the model with torch.export.\nNext steps:")

    monkeypatch.setattr(torch.onnx, "export", refuse)
    monkeypatch.setattr(bundle_module, "to_onnx", to_onnx)
    net = DenseDepth("tf_mobilenetv3_small_minimal_100", decoder_width=32)
    card = Card("toy", InputCamera(160, 120, 130.0), (0.1, 10.0))
    with pytest.raises(DenseDepthError, match=r"^torch .*upgrade torch[^\n]*$"):
        export_bundle(net, card, tmp_path / "toy.onnx")
    assert list(tmp_path.iterdir()) == []
