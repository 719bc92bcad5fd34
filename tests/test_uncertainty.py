"""The second output of a bundle: the expected error of its depth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from conftest import MakeBundle, brightness_depth_m
from densedepth import DepthMap, load_depth
from densedepth.errors import BundleError
from densedepth.runtime import Bundle, load
from densedepth.types import Camera


def write_uncertain_bundle(path: Path, tiny: Path, part: float = 0.25) -> Path:
    """The tiny bundle with an expected error of `part` of its depth."""
    model = onnx.load(str(tiny))
    model.graph.initializer.append(helper.make_tensor("part", TensorProto.FLOAT, [], [part]))
    model.graph.node.append(helper.make_node("Mul", ["depth_m", "part"], ["uncertainty_m"]))
    model.graph.output.append(helper.make_tensor_value_info("uncertainty_m", TensorProto.FLOAT, ["n", "h", "w"]))
    onnx.save(model, str(path))
    return path


@pytest.fixture
def uncertain(tiny_bundle: MakeBundle, tmp_path: Path) -> Path:
    return write_uncertain_bundle(tmp_path / "uncertain.onnx", tiny_bundle())


@pytest.mark.parametrize("device", ["onnxruntime", "openvino"])
def test_a_bundle_may_say_it(uncertain: Path, tiny_bundle: MakeBundle, device: str) -> None:
    if device == "openvino":
        pytest.importorskip("openvino", reason="needs an extra: pip install densedepth[openvino]")
    images = np.random.default_rng(0).integers(0, 256, (2, 40, 48, 3), dtype=np.uint8)
    said = Bundle(uncertain, device=device).run(images)
    assert said.uncertainty_m is not None
    np.testing.assert_allclose(said.uncertainty_m, brightness_depth_m(images) / 4, rtol=1e-5)
    np.testing.assert_allclose(said.depth_m, brightness_depth_m(images), rtol=1e-5)
    assert Bundle(tiny_bundle(), device=device).run(images).uncertainty_m is None


def test_it_comes_with_the_depth(uncertain: Path, random_image: NDArray[np.uint8]) -> None:
    estimator = load(uncertain)
    large = np.kron(random_image, np.ones((2, 2, 1), np.uint8))
    for camera, tta in ((None, False), (Camera(1040, 1040, 320, 240, 640, 480), True)):
        depth = estimator.predict(large, camera=camera, tta=tta, upsample="bilinear")
        assert depth.uncertainty_m is not None
        # Scaled, resized and averaged like the depth, it stays a quarter of it.
        np.testing.assert_allclose(depth.uncertainty_m, depth.depth_m / 4, rtol=1e-4)


def test_tta_takes_the_mean(tiny_bundle: MakeBundle, tmp_path: Path, random_image: NDArray[np.uint8]) -> None:
    estimator = load(write_uncertain_bundle(tmp_path / "x.onnx", tiny_bundle(shift=True)))
    plain = estimator.run(random_image[None])
    mirrored = estimator.run(random_image[None, :, ::-1])
    both = estimator.run(random_image[None], tta=True)
    assert plain.uncertainty_m is not None
    assert mirrored.uncertainty_m is not None
    assert both.uncertainty_m is not None
    np.testing.assert_allclose(both.uncertainty_m, (plain.uncertainty_m + mirrored.uncertainty_m[:, :, ::-1]) / 2)


@pytest.mark.parametrize("part", [-1.0, float("nan"), float("inf")])
def test_one_that_is_none_is_refused(tiny_bundle: MakeBundle, tmp_path: Path, part: float) -> None:
    bundle = Bundle(write_uncertain_bundle(tmp_path / "x.onnx", tiny_bundle(), part))
    with pytest.raises(BundleError, match="expected error of"):
        bundle.run(np.zeros((1, 32, 32, 3), np.uint8))


def test_npz_keeps_it_and_other_formats_do_not(tmp_path: Path) -> None:
    depth_m = np.array([[1.0, 2.0], [3.0, 0.0]], np.float32)
    depth = DepthMap(depth_m, uncertainty_m=np.array([[0.1, 0.2], [0.3, 0.4]], np.float32))
    assert depth.uncertainty_m is not None
    assert depth.uncertainty_m[1, 1] == 0  # no depth, no error
    for suffix in (".npz", ".png", ".tiff"):
        depth.save(tmp_path / f"x{suffix}")
    kept = load_depth(tmp_path / "x.npz").uncertainty_m
    np.testing.assert_array_equal(kept, depth.uncertainty_m)
    in_cm = load_depth(tmp_path / "x.npz", metres_per_unit=0.01).uncertainty_m
    assert in_cm is not None
    np.testing.assert_allclose(in_cm, depth.uncertainty_m / 100)
    assert load_depth(tmp_path / "x.png").uncertainty_m is None
    assert load_depth(tmp_path / "x.tiff").uncertainty_m is None


@pytest.mark.parametrize(
    "wrong",
    [
        np.ones((2, 3), np.float32),
        np.ones((2, 2), np.float64),
        np.full((2, 2), -0.1, np.float32),
        np.full((2, 2), np.nan, np.float32),
    ],
)
def test_a_depth_map_checks_it(wrong: NDArray[np.floating]) -> None:
    with pytest.raises(ValueError, match="uncertainty_m"):
        DepthMap(np.ones((2, 2), np.float32), uncertainty_m=wrong)
