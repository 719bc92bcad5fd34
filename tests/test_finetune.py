"""From a shipped or own bundle to the next one: where weights come from, what is chosen, what a run delivers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from conftest import write_nyu_layout
from densedepth.data.base import Frame
from densedepth.data.view import View
from densedepth.errors import DenseDepthError
from densedepth.export import export_bundle
from densedepth.models import DenseDepth, load_checkpoint
from densedepth.runtime import Card, InputCamera, read_card
from densedepth.training.config import DataConfig, EngineConfig, LossConfig, ModelConfig, OptimConfig
from densedepth.training.loader import DepthData
from densedepth.training.recipe import Recipe
from densedepth.training.start import first_network, settled
from densedepth.training.train import train

ENCODER = "tf_mobilenetv3_small_minimal_100"
MODEL = ModelConfig(encoder=ENCODER, decoder_width=32, output="exp", pretrained=False)


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    triples = []
    for number in range(12):
        photo = rng.integers(0, 256, (64, 96, 3), dtype=np.uint8)
        depth_mm = np.full((64, 96), 1000 + 200 * number, dtype=np.uint16)
        triples.append((f"room_{number // 2:04}", photo, depth_mm))
    return write_nyu_layout(tmp_path_factory.mktemp("frames"), triples)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(1)
    net = DenseDepth(ENCODER, decoder_width=32, output="exp")
    card = Card("first", InputCamera(96, 64, 80.0), (0.1, 10.0), extra={"architecture": net.architecture.to_dict()})
    return export_bundle(net, card, tmp_path_factory.mktemp("bundle") / "first.onnx", half_weights=False)


def data(root: Path, **changes: object) -> DataConfig:
    return replace(DataConfig(str(root), height=64, width=96, validation_fraction=0.2), **changes)  # type: ignore[arg-type]


def test_a_bundle_gives_its_weights(bundle: Path) -> None:
    _, net = first_network(MODEL, str(bundle), None)
    torch.manual_seed(1)
    original = DenseDepth(ENCODER, decoder_width=32, output="exp")
    for key, value in original.state_dict().items():
        torch.testing.assert_close(net.state_dict()[key], value, rtol=0, atol=0)


def test_the_shipped_bundle_is_known_by_name() -> None:
    shipped = ModelConfig(encoder="tf_efficientnet_lite2", decoder_width=256, output="exp")
    _, net = first_network(shipped, "nyu", None)
    assert net.decoder.conv3.bias is not None
    assert net.decoder.conv3.bias.item() != 0


def test_a_bundle_of_another_network_is_refused() -> None:
    with pytest.raises(DenseDepthError, match=r"nyu was trained with model\.encoder = tf_efficientnet_lite2"):
        first_network(MODEL, "nyu", None)


@pytest.mark.parametrize(("accumulate", "processes", "expected"), [(1, 1, 1), (2, 1, 2), (1, 4, 4)])
def test_few_frames_get_a_small_batch(frames: Path, accumulate: int, processes: int, expected: int) -> None:
    optim = OptimConfig(lr="auto", accumulate=accumulate)
    recipe = Recipe(data=data(frames), optim=optim, batch_size="auto")
    recipe.check()
    parts = DepthData(recipe.data, recipe.batch_size, 0)
    chosen = settled(recipe, parts, processes)
    assert chosen.batch_size == parts.batch_size == expected
    assert chosen.optim.lr == pytest.approx(2.5e-4 * (expected / 8) ** 0.5, rel=1e-2)


def test_numbers_that_are_given_stay(frames: Path) -> None:
    recipe = Recipe(data=data(frames), optim=OptimConfig(lr=0.01), batch_size=3)
    assert settled(recipe, DepthData(recipe.data, 3, 0), 1) == recipe


def test_without_a_camera_the_zoom_alone_counts() -> None:
    depth_m = np.full((64, 96), 3.0, dtype=np.float32)
    frame = Frame(np.zeros((64, 96, 3), np.uint8), depth_m, depth_m > 0, None, "scene", "key")
    zoomed = View(zoom=1.5)
    np.testing.assert_allclose(zoomed.pair(frame, (64, 96), focal_px=70.0).depth_m, 2.0, rtol=1e-6)
    np.testing.assert_allclose(zoomed.pair(frame, (64, 96), focal_px=None).depth_m, 3.0)


@pytest.mark.slow
def test_a_run_delivers_a_measured_bundle(
    frames: Path, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    recipe: dict[str, Any] = {
        "data": data(frames, canonical_focal=True),
        "model": MODEL,
        "loss": LossConfig("log"),
        "optim": OptimConfig(name="adamw", lr="auto"),
        "engine": EngineConfig(loggers=[]),
        "out": run,
        "epochs": 2,
        "batch_size": "auto",
        "init_from": str(bundle),
        "deliver": True,
    }
    train(**recipe)
    assert "chosen: batch_size 1" in capsys.readouterr().out
    result = json.loads((run / "validation.json").read_text())
    card = read_card(run / "model.onnx")
    assert card.metrics == [result]
    assert result["images"] == len(DepthData(recipe["data"], 1, 0).validation_frames)
    # Frames of another size than the protocol of the layout is made for.
    assert (result["protocol"], result["cap_m"]) == ("none", 10.0)
    assert (run / "report" / "report.html").stat().st_size > 0
    # The bundle is that of the best weights, and the same command has nothing left to train.
    net, _ = load_checkpoint(run)
    assert card.extra["architecture"] == json.loads(json.dumps(net.architecture.to_dict()))
    (run / "model.onnx").unlink()
    train(**recipe)
    assert "nothing left to do" in capsys.readouterr().out
    assert read_card(run / "model.onnx").metrics[0]["per_image"] == card.metrics[0]["per_image"]
