"""What goes wrong in a run ends in one line, names what to look at, and costs nothing that was saved."""

from __future__ import annotations

import json
import math
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor

from densedepth.cli import main
from densedepth.commands.arguments import parser_for
from densedepth.errors import DenseDepthError
from densedepth.losses import DepthLoss
from densedepth.models import DenseDepth, load_checkpoint
from densedepth.training.checkpoints import Checkpoints
from densedepth.training.config import EngineConfig, OptimConfig
from densedepth.training.loader import DepthData
from densedepth.training.train import train
from small_runs import QUIET, TINY, data, rows, same, weights, write_frames

SCENES = [f"room_{number:04}" for number in range(8)]


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_frames(tmp_path_factory.mktemp("frames"), SCENES)


def run(frames: Path, out: Path, **changes: Any) -> Path:
    """6 of 8 frames, 3 steps an epoch."""
    usual = {"data": data(frames), "model": TINY, "engine": QUIET, "out": out, "epochs": 2, "batch_size": 2}
    return train(**{**usual, "channels_last": False, "select": "last", **changes})


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_names_the_frames(
    value: float, frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the fifth step, the second of the second epoch."""
    calls: list[int] = []
    forward = DepthLoss.forward

    def broken(self: DepthLoss, *arguments: Any) -> Tensor:
        calls.append(1)
        return forward(self, *arguments) * (value if len(calls) == 5 else 1)

    with monkeypatch.context() as during:
        during.setattr(DepthLoss, "forward", broken)
        with pytest.raises(
            DenseDepthError, match=rf"loss is {value} at step 4: .*bad_batch\.json.* --optim\.lr"
        ) as error:
            run(frames, tmp_path / "run")
    assert "\n" not in str(error.value)
    named = json.loads((tmp_path / "run" / "bad_batch.json").read_text())
    parts = DepthData(data(frames), 2, 0)
    assert (named["step"], named["epoch"], named["frames"]) == (4, 1, parts.names(1, 1))
    assert named["frames_of_the_step_before"] == parts.names(1, 0)
    assert all("room_" in name for name in named["frames"])
    # Fix the frames, and the same command goes on from the epoch before.
    repaired, straight = run(frames, tmp_path / "run"), run(frames, tmp_path / "straight")
    assert same(weights(repaired), weights(straight))


def test_a_full_disk_ends_the_run_in_one_line(frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save, saved = torch.save, []

    def full(state: Any, path: Path) -> None:
        saved.append(path)
        if len(saved) == 2:
            Path(path).write_bytes(b"half of it")
            raise RuntimeError("[enforce fail at inline_container.cc:668] . PytorchStreamWriter failed writing file")
        save(state, path)

    with monkeypatch.context() as during:
        during.setattr(torch, "save", full)
        with pytest.raises(DenseDepthError, match=r"failed writing.*make room; .*epoch-0001-step-00000003 is whole"):
            run(frames, tmp_path / "run")
    assert same(weights(run(frames, tmp_path / "run")), weights(run(frames, tmp_path / "straight")))


def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1200k", "tmpfs", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        checkpoints, net = Checkpoints(disk / "checkpoints"), DenseDepth("test_efficientnet", decoder_width=16)
        kept = checkpoints.save(net, {"epoch": 0, "step": 3}, {})
        ballast = {"epoch": 0, "step": 6, "state": torch.zeros(10**6)}
        with pytest.raises(DenseDepthError, match="make room"):
            checkpoints.save(net, ballast, {})
        large = DenseDepth("test_efficientnet", decoder_width=128)
        with pytest.raises(DenseDepthError, match=r"[Nn]o space left.*make room"):
            checkpoints.save(large, {"epoch": 0, "step": 6}, {})
        assert list((disk / "checkpoints").iterdir()) == [kept]
        found = Checkpoints(disk / "checkpoints").load()
        assert found is not None
        assert found[2] == {"epoch": 0, "step": 3}
    finally:
        subprocess.run(["umount", disk], check=True)


def test_validation_frames_without_depth_are_counted(
    frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    batches = DepthData.validation_batches

    def holed(self: DepthData) -> Any:
        for number, batch in enumerate(batches(self)):
            batch["valid"][0] &= number > 0
            yield batch

    monkeypatch.setattr(DepthData, "validation_batches", holed)
    run(frames, tmp_path / "run", epochs=1)
    assert "1 of 2 validation frames have no pixel with depth and do not count" in capsys.readouterr().err
    assert "val_delta1" in load_checkpoint(tmp_path / "run")[1]["validation"]
    monkeypatch.setattr(
        DepthData,
        "validation_batches",
        lambda self: ({**batch, "valid": batch["valid"] & False} for batch in batches(self)),
    )
    with pytest.raises(DenseDepthError, match="no validation frame has a pixel with depth"):
        run(frames, tmp_path / "none", epochs=1)


def stopped(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What the parser says before it gives up."""
    with pytest.raises(SystemExit) as caught:
        parser_for(train, "densedepth train").parse_args(words)
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    return line


@pytest.mark.parametrize(
    ("recipe", "nearest"),
    [
        ({"optim": {"lerning_rate": 1}}, "optim.lr"),
        ({"optim": {"shedule": "cosine"}}, "optim.schedule"),
        ({"data": {"root": "x", "augment": {"miror": 1}}}, "data.augment.mirror"),
        ({"epoch": 3}, "epochs"),
        ({"optimizer": {"lr": 1}}, "optim.lr"),
    ],
)
def test_a_typo_in_a_recipe_names_the_nearest_key(
    recipe: dict[str, Any], nearest: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump({"data": {"root": "x"}, **recipe}))
    assert f"did you mean '{nearest}'?" in stopped(["--config", str(tmp_path / "recipe.yaml")], capsys)


@pytest.mark.parametrize(
    ("words", "nearest"),
    [
        (["--optim.lrr", "1"], "optim.lr"),
        (["--optm.lr=1"], "optim.lr"),
        (["--batchsize", "3"], "batch_size"),
        (["--engine.chekpoint_every_steps", "4"], "engine.checkpoint_every_steps"),
    ],
)
def test_a_typo_in_a_flag_names_the_nearest(words: list[str], nearest: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"did you mean '{nearest}'?" in stopped(["--data.root", "x", *words], capsys)


def test_a_key_like_no_other_lists_its_neighbours(capsys: pytest.CaptureFixture[str]) -> None:
    line = stopped(["--data.root", "x", "--loss.zzz", "1"], capsys)
    assert "there are loss.gradient_weight, loss.name" in line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--data.height", "0"], "--data.height is 0, it must be a multiple of 32"),
        (["--data.width", "100"], "--data.width is 100, it must be a multiple of 32"),
        (["--data.augment.max_zoom", "0.5"], "--data.augment.max_zoom is 0.5, it must be at least 1"),
        (["--data.augment.colour", "-1"], "--data.augment.colour is -1.0, it must be at least 0"),
        (["--optim.lr", "-1"], "--optim.lr is -1.0, it must be above 0"),
        (["--batch_size", "0"], "--batch_size is 0, it must be at least 1"),
        (["--epochs", "0"], "--epochs is 0"),
        (["--max_steps", "0"], "--max_steps is 0, it must be at least 1, or -1 for no limit"),
        (["--optim.ema_decay", "1"], "--optim.ema_decay is 1.0, it must be from 0 to below 1"),
        (["--optim.accumulate", "3"], "--batch_size 2 cannot be shared by 1 devices in 3 parts each"),
        (["--engine.devices", "4"], "make it a multiple of 4"),
        (["--precision", "16-mixed"], "--precision 16-mixed needs a GPU"),
        (["--engine.grad_checkpointing", "true"], "gradient checkpointing is for DenseNets"),
        (["--engine.grad_checkpointing", "true", "--engine.compile", "true"], "does not go with --engine.compile"),
        (["--optim.schedule", "plateau", "--data.validation_fraction", "0"], "need validation frames"),
        (["--engine.early_stopping", "2", "--data.validation_fraction", "0"], "need validation frames"),
        (["--engine.loggers", "[wandb]"], "--engine.loggers wandb: the package is not installed: pip install wandb"),
        (["--engine.loggers", "[mlflow]"], "pip install mlflow"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    words: list[str],
    message: str,
    frames: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for package in ("wandb", "mlflow"):
        monkeypatch.setitem(__import__("sys").modules, package, None)
    recipe = {
        "data": asdict(data(frames)),
        "model": {"encoder": "test_efficientnet", "pretrained": False},
        "engine": {"loggers": [], "accelerator": "cpu"},
        "batch_size": 2,
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    assert main(["train", "--config", str(tmp_path / "recipe.yaml"), "--out", str(tmp_path / "run"), *words]) == 1
    (error,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert message in error


def test_early_stopping(frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from densedepth.training.session import Session

    scores = iter((0.5, 0.7, 0.6, 0.7, 0.9))
    monkeypatch.setattr(Session, "validate", lambda *_: {"delta1": next(scores), "rmse": 1.0})
    engine = EngineConfig(loggers=[], early_stopping=2)
    out = run(frames, tmp_path / "run", engine=engine, epochs=9, select="best")
    assert [row["val_delta1"] for row in rows(out) if row["val_delta1"]] == ["0.5", "0.7", "0.6", "0.7"]
    assert load_checkpoint(out)[1]["step"] == 6
    run(frames, out, engine=engine, epochs=9, select="best")
    assert next(scores) == 0.9, "a run that has ended stays ended"


def test_tensorboard_shows_curves_and_pictures(frames: Path, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    engine = EngineConfig(log_every=1, pictures=1)
    out = run(frames, tmp_path / "run", engine=engine, epochs=1)
    run(frames, out, engine=engine, epochs=2)
    events = EventAccumulator(str(out / "tensorboard"), size_guidance={"images": 0, "scalars": 0}).Reload()
    assert {"train_loss", "lr_encoder", "lr_decoder", "val_delta1", "images_per_s"} <= set(events.Tags()["scalars"])
    assert [event.step for event in events.Scalars("train_loss")] == [1, 2, 3, 4, 5, 6]
    assert [event.step for event in events.Images("validation/0")] == [3, 6]
    picture = events.Images("validation/0")[0]
    assert (picture.width, picture.height) == (3 * 48, 32)
    assert [row["step"] for row in rows(out)] == ["1", "2", "3", "3", "4", "5", "6", "6"]


def test_a_log_file_gets_a_line_an_epoch(frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(frames, tmp_path / "run", optim=OptimConfig(lr=1e-3))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("epoch 2/2, step 6: loss ")
    assert "validation delta1" in lines[1]
    assert "images/s" in lines[1]
    assert lines[1].endswith("00:00 left")
