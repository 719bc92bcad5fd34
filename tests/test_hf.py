"""Models of transformers, played by a module that looks like it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from densedepth.cli import main
from densedepth.errors import BundleError, NoBundleError
from densedepth.evaluation.hf import HubEstimator, load_hub, predicts_metres
from test_protocols import write_nyu_test

torch = pytest.importorskip("torch")


class Processor:
    """Hands the photo through; the answer is brought to the size asked for by repeating pixels."""

    def __call__(self, images: Any, return_tensors: str) -> dict[str, Any]:
        assert return_tensors == "pt"
        return {"pixel_values": torch.from_numpy(np.asarray(images)[None].astype(np.float32))}

    def post_process_depth_estimation(self, outputs: Any, target_sizes: list[tuple[int, int]]) -> list[dict[str, Any]]:
        answer = outputs.predicted_depth[:, None]
        return [{"predicted_depth": torch.nn.functional.interpolate(answer, size=target_sizes[0])[0, 0]}]


class PaddedProcessor(Processor):
    """As ZoeDepth's: must be told the size of the photo."""

    source_sizes: Any = None

    def post_process_depth_estimation(self, outputs: Any, source_sizes: Any, target_sizes: Any) -> Any:  # type: ignore[override]
        self.source_sizes = source_sizes
        return super().post_process_depth_estimation(outputs, target_sizes)


class Network(torch.nn.Module):  # type: ignore[misc,name-defined]
    """The red channel at half the size, one pixel later than it should be."""

    def __init__(self, **config: Any) -> None:
        super().__init__()
        self.config = SimpleNamespace(**config)

    def forward(self, pixel_values: Any) -> SimpleNamespace:
        return SimpleNamespace(predicted_depth=pixel_values[:, ::2, ::2, 0].roll(1, dims=2))


def photo() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(1, 255, (4, 6, 3), dtype=np.uint8)


@pytest.fixture
def transformers(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module of that name with one metric and one relative model in its hub."""
    known = {"some/metric": {"depth_estimation_type": "metric"}, "some/relative": {"model_type": "dpt"}}

    def network(name: str) -> Network:
        if name == "some/damaged":
            raise RuntimeError("Error while deserializing header\ninvalid JSON")  # as safetensors does
        if name not in known:
            raise OSError(f"{name} is not a local folder\nand is not a valid model identifier")
        return Network(**known[name])

    module = ModuleType("transformers")
    module.AutoImageProcessor = SimpleNamespace(from_pretrained=lambda name: Processor())  # type: ignore[attr-defined]
    module.AutoModelForDepthEstimation = SimpleNamespace(from_pretrained=network)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "transformers", module)
    # Bundles of the hub are tried first (tests/test_hub.py); there are none here.
    monkeypatch.setattr("densedepth.evaluation.hf.load", no_bundle)
    return module


def no_bundle(model: str, **options: object) -> None:
    raise NoBundleError(f"{model}: no bundle")


@pytest.mark.parametrize(
    ("config", "metric"),
    [
        ({"depth_estimation_type": "metric", "max_depth": 20}, True),
        # Depth Anything's relative models carry a max_depth, too.
        ({"depth_estimation_type": "relative", "max_depth": 1}, False),
        ({"max_depth": 10}, True),
        ({"model_type": "zoedepth"}, True),
        ({"model_type": "dpt"}, False),
        ({}, False),
    ],
)
def test_what_a_config_says(config: dict[str, Any], metric: bool) -> None:
    assert predicts_metres(SimpleNamespace(**config)) is metric


def test_metric_model_keeps_its_metres() -> None:
    image = photo()
    estimator = HubEstimator(Network(max_depth=10), Processor(), "hf:x")
    assert estimator.space == "depth"
    depth = estimator.predict(image)
    assert (depth.height, depth.width, depth.model) == (4, 6, "hf:x")
    red = np.roll(image[::2, ::2, 0], 1, axis=1).repeat(2, axis=0).repeat(2, axis=1)
    assert np.array_equal(depth.depth_m, red)


def test_mirror_averaging_turns_the_answer_back() -> None:
    image = photo()
    estimator = HubEstimator(Network(max_depth=10), Processor(), "hf:x")
    plain = estimator.predict(image).depth_m
    mirrored = estimator.predict(np.ascontiguousarray(image[:, ::-1])).depth_m[:, ::-1]
    assert not np.array_equal(plain, mirrored)
    assert np.allclose(estimator.predict(image, tta=True).depth_m, (plain + mirrored) / 2)


def test_relative_model_gives_the_reciprocal() -> None:
    image = photo()
    image[0, 0] = 0
    estimator = HubEstimator(Network(), Processor(), "hf:x")
    assert estimator.space == "disparity"
    depth = estimator.predict(image)
    disparity = HubEstimator(Network(max_depth=1), Processor(), "hf:x").predict(image).depth_m
    assert depth.valid.all()
    assert np.allclose(1 / depth.depth_m, np.maximum(disparity, 1e-6 * disparity.max()))


def test_padding_processors_are_told_the_size() -> None:
    processor = PaddedProcessor()
    HubEstimator(Network(max_depth=10), processor, "hf:x").predict(photo())
    assert processor.source_sizes == [(4, 6)]


def test_loading(transformers: ModuleType) -> None:
    assert load_hub("hf:some/metric").card.name == "hf:some/metric"
    with pytest.raises(BundleError, match=r"^hf:some/else: not a depth model .* is not a valid model identifier\)$"):
        load_hub("hf:some/else")
    with pytest.raises(BundleError, match=r"not a depth model .*deserializing header invalid JSON\)$"):
        load_hub("hf:some/damaged")
    with pytest.raises(BundleError, match="give a repository"):
        load_hub("hf:")


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(BundleError, match=r"pip install densedepth\[hf\]"):
        load_hub("hf:some/metric")


def test_command(transformers: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", "--root", str(write_nyu_test(tmp_path)), "--limit", "2", "--model"]
    assert main([*words, "hf:some/relative"]) == 1
    assert "relative depth, not metres" in capsys.readouterr().err
    assert main([*words, "hf:some/relative", "--alignment", "least-squares"]) == 0
    assert "hf:some/relative on nyu test" in capsys.readouterr().out
    assert main([*words, "hf:some/metric", "--alignment", "median"]) == 0
    assert "alignment median" in capsys.readouterr().out
