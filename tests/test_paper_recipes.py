"""The published training: the recipes parse to what the paper says, and start with or without a model hub."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from conftest import write_nyu_layout
from densedepth.cli import main
from densedepth.commands.arguments import parser_for
from densedepth.data import AugmentConfig, Frame, augment, open_dataset, whole
from densedepth.errors import DenseDepthError
from densedepth.models import DenseDepth, WeightsUnavailableError, build_encoder
from densedepth.models import densedepth as densedepth_module
from densedepth.training.config import LossConfig
from densedepth.training.module import build_loss
from densedepth.training.start import from_imagenet
from densedepth.training.train import train
from densedepth.types import Camera
from test_data_kitti import write_kitti_raw

CONFIGS = Path(__file__).resolve().parents[1] / "configs"


def recipe(name: str) -> dict[str, Any]:
    parser = parser_for(train, "densedepth train")
    options: dict[str, Any] = vars(parser.instantiate(parser.parse_args(["--config", str(CONFIGS / name)])))
    return options


@pytest.mark.parametrize(
    ("name", "size", "reciprocal_m", "range_m", "dynamic_range"),
    [
        ("nyu_paper.yaml", (480, 640), 10.0, (0.1, 10.0), 100.0),
        ("kitti_paper.yaml", (384, 1280), 80.0, (1.0, 80.0), 80.0),
    ],
)
def test_recipes_say_what_the_paper_says(
    name: str, size: tuple[int, int], reciprocal_m: float, range_m: tuple[float, float], dynamic_range: float
) -> None:
    values = recipe(name)
    data, model, optim = values["data"], values["model"], values["optim"]
    assert (data.height, data.width) == size
    assert data.augment == AugmentConfig(mirror=0.5, channel_swap=0.25)
    assert not data.canonical_focal
    assert not data.options.get("mask_border", False)
    assert (values["epochs"], values["batch_size"]) == (20, 8)
    assert (optim.name, optim.lr, optim.keras_epsilon, optim.schedule) == ("adam", 1e-4, True, "constant")
    assert (model.encoder, model.preset, model.normalize, model.output) == ("densenet169", "paper", False, "linear")
    assert (model.reciprocal_m, tuple(model.depth_range_m)) == (reciprocal_m, range_m)
    _, net = from_imagenet(replace(model, pretrained=False))
    assert sum(p.numel() for p in net.parameters()) == 42_657_689
    assert (net.architecture.inner_activation, net.architecture.align_corners) == (False, True)
    assert build_loss(values["loss"], net).dynamic_range == pytest.approx(dynamic_range)


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without a network, but at once."""

    def build(name: str, *, pretrained: bool) -> Any:
        if pretrained:
            raise WeightsUnavailableError(f"ImageNet weights of '{name}' cannot be loaded (no route to host)")
        return build_encoder(name, pretrained=False)

    monkeypatch.setattr(densedepth_module, "build_encoder", build)


def tiny_run(tmp_path: Path, pretrained: str) -> int:
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
    depth = rng.integers(1000, 9000, (48, 64), dtype=np.uint16)
    (tmp_path / "data").mkdir(exist_ok=True)
    root = write_nyu_layout(tmp_path, [("study_0001", photo, depth), ("study_0002", photo, depth)])
    words = ["train", "--config", str(CONFIGS / "nyu_paper.yaml"), "--data.root", str(root), "--max_steps", "1"]
    words += ["--batch_size", "2", "--data.height", "32", "--data.width", "64", "--out", str(tmp_path / "run")]
    words += ["--model.encoder", "densenet(1,1,1,1)", "--model.pretrained", pretrained]
    return main(words)


def test_auto_without_a_hub_warns_and_records(no_hub: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tiny_run(tmp_path, "auto") == 0
    warnings = [line for line in capsys.readouterr().err.splitlines() if "WARNING" in line]
    assert len(warnings) == 1
    assert "RANDOM weights" in warnings[0]
    assert "no route to host" in warnings[0]
    saved = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert saved["model"]["pretrained"] is False
    assert saved["optim"]["keras_epsilon"] is True
    assert (tmp_path / "run" / "best" / "model.safetensors").exists()


def test_true_without_a_hub_is_an_error(no_hub: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tiny_run(tmp_path, "true") == 1
    assert "cannot be loaded" in capsys.readouterr().err


def test_kitti_trains_on_sparse_depth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drive = "2011_09_26_drive_0001_sync"
    root = write_kitti_raw(tmp_path / "raw", [(drive, 5), (drive, 6)])
    words = ["train", "--config", str(CONFIGS / "kitti_paper.yaml"), "--data.root", str(root), "--max_steps", "2"]
    words += ["--batch_size", "1", "--data.height", "32", "--data.width", "96", "--out", str(tmp_path / "run")]
    words += ["--model.encoder", "densenet(1,1,1,1)", "--model.pretrained", "false"]
    assert main(words) == 1
    assert "23,156 of 23,158 frames" in capsys.readouterr().err
    # A loss that is not finite would end the run.
    assert main([*words, "--data.options.missing", "skip"]) == 0
    saved = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert saved["data"]["options"] == {"missing": "skip"}
    assert (tmp_path / "run" / "best" / "model.safetensors").exists()


def test_kitti_trains_on_filled_depth(tmp_path: Path) -> None:
    """The commands at the top of the recipe."""
    drive = "2011_09_26_drive_0001_sync"
    root = write_kitti_raw(tmp_path / "raw", [(drive, 5), (drive, 6)])
    filled = tmp_path / "filled"
    words = ["data", "fill", "--dataset", "kitti", "--root", str(root), "--out", str(filled), "--workers", "1"]
    assert main([*words, "--options.missing", "skip"]) == 0
    words = ["train", "--config", str(CONFIGS / "kitti_paper.yaml"), "--data.dataset", "folder"]
    words += ["--data.root", str(filled), "--data.options.metres_per_unit", "0.00390625", "--max_steps", "1"]
    words += ["--batch_size", "2", "--data.height", "32", "--data.width", "96", "--out", str(tmp_path / "run")]
    words += ["--model.encoder", "densenet(1,1,1,1)", "--model.pretrained", "false"]
    assert main(words) == 0
    frame = open_dataset("folder", filled, "train", metres_per_unit=1 / 256)[0]
    assert frame.valid.all()
    assert frame.scene == drive
    np.testing.assert_allclose(frame.depth_m, 10, rtol=0.01)


@pytest.mark.parametrize("name", ["paper", "log"])
def test_an_image_without_depth_teaches_nothing(name: Any) -> None:
    """Sparse depth may leave a crop without a single pixel: no loss, no gradient, no NaN."""
    loss = build_loss(LossConfig(name=name), DenseDepth(encoder="densenet(1,1,1,1)", output="exp", pretrained=False))
    prediction = torch.rand(1, 1, 32, 48, requires_grad=True)
    value = loss(prediction + 0.5, torch.full((1, 1, 32, 48), torch.nan), torch.zeros(1, 1, 32, 48, dtype=torch.bool))
    value.backward()
    assert value.item() == 0
    assert prediction.grad is not None
    assert not prediction.grad.any()


def test_nobody_trained_a_spelled_densenet() -> None:
    with pytest.raises(WeightsUnavailableError, match=r"--model\.pretrained false"):
        build_encoder("densenet(1,1,1,1)", pretrained=True)
    with pytest.raises(DenseDepthError, match="timm knows no encoder"):
        build_encoder("densenet(1,1,1)", pretrained=False)


def test_stretch_keeps_the_whole_frame() -> None:
    """1242x375 to 1280x384 as published: a mark in each corner stays in its corner, and depth is not touched."""
    height, width = 375, 1242
    image = np.zeros((height, width, 3), np.uint8)
    for rows in (slice(0, 12), slice(-12, None)):
        for columns in (slice(0, 12), slice(-12, None)):
            image[rows, columns] = 255
    depth_m = np.linspace(1, 80, width, dtype=np.float32)[None].repeat(height, 0)
    frame = Frame(image, depth_m, depth_m > 0, Camera(720, 720, 620, 187, width, height), "drive", "frame")
    stretched = whole(frame, (384, 1280), focal_px=None, fit="stretch")
    assert stretched.image.shape == (384, 1280, 3)
    assert all(stretched.image[y, x].min() > 200 for y in (2, -3) for x in (2, -3))
    np.testing.assert_allclose(stretched.depth_m[0], np.linspace(1, 80, 640), atol=0.15)
    assert stretched.valid.all()
    cropped = whole(frame, (384, 1280), focal_px=None)
    assert cropped.depth_m[0, -1] - cropped.depth_m[0, 0] <= stretched.depth_m[0, -1] - stretched.depth_m[0, 0]


def test_stretch_scales_depth_by_the_mean_focal_length() -> None:
    # Twice as wide, equally high: fx doubles to 200, fy stays 100; a training camera of 300 sees depth twice as far.
    depth_m = np.full((32, 32), 2.0, np.float32)
    frame = Frame(np.zeros((32, 32, 3), np.uint8), depth_m, depth_m > 0, Camera(100, 100, 16, 16, 32, 32), "s", "f")
    plain = AugmentConfig(mirror=0, channel_swap=0)
    pair = augment(frame, (32, 64), plain, np.random.default_rng(0), focal_px=300, fit="stretch")
    np.testing.assert_allclose(pair.depth_m, 4.0)


def test_channel_swap_draws_one_of_six_orders() -> None:
    image = np.broadcast_to(np.array([10, 20, 30], np.uint8), (32, 32, 3)).copy()
    depth_m = np.ones((32, 32), np.float32)
    frame = Frame(image, depth_m, depth_m > 0, None, "s", "f")
    config = AugmentConfig(mirror=0, channel_swap=0.25)
    drawn = [
        tuple(augment(frame, (32, 32), config, np.random.default_rng(i), focal_px=None).image[0, 0])
        for i in range(3000)
    ]
    assert len(set(drawn)) == 6
    # Five of the six orders change something.
    assert np.mean([order != (10, 20, 30) for order in drawn]) == pytest.approx(0.25 * 5 / 6, abs=0.025)


@pytest.mark.parametrize("encoder", ["densenet121", "densenet161", "densenet201"])
def test_other_densenets_take_the_same_taps(encoder: str) -> None:
    net = build_encoder(encoder, pretrained=False).eval()
    with torch.no_grad():
        features = net(torch.zeros(1, 3, 32, 32))
    assert [tuple(f.shape[1:]) for f in features] == [
        (channels, 32 // stride, 32 // stride) for channels, stride in zip(net.channels, (2, 4, 8, 16, 32), strict=True)
    ]
