"""Learning rates, frozen encoders, parts of batches and arithmetic: each against its definition."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from densedepth.models import DenseDepth, load_checkpoint
from densedepth.training.config import EngineConfig, LossConfig, ModelConfig, OptimConfig
from densedepth.training.module import DepthModule
from densedepth.training.optim import KerasAdam, build_optimizer
from densedepth.training.schedule import Schedule
from densedepth.training.session import Session
from densedepth.training.train import train
from small_runs import QUIET, TINY, data, rows, write_frames

SCENES = [f"room_{number:04}" for number in range(8)]


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_frames(tmp_path_factory.mktemp("frames"), SCENES, holes=True)


def run(frames: Path, out: Path, **changes: Any) -> Path:
    """6 of 8 frames, 3 steps an epoch."""
    usual = {"data": data(frames), "model": TINY, "engine": QUIET, "out": out, "epochs": 2, "batch_size": 2}
    return train(**{**usual, "channels_last": False, "select": "last", **changes})


def losses(out: Path) -> list[float]:
    return [float(row["train_loss"]) for row in rows(out) if row["train_loss"]]


def rates(total: int, **config: Any) -> list[float]:
    """Learning rate of each step at a peak of 1."""
    optimizer = torch.optim.Adam([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = Schedule(OptimConfig(lr=1.0, **config), optimizer, total)
    seen = []
    for step in range(total):
        schedule.apply(optimizer, step)
        seen.append(optimizer.param_groups[0]["lr"])
    return seen


@pytest.mark.parametrize(("total", "warmup"), [(3, None), (12, None), (100, None), (100, 30), (57, 7)])
def test_onecycle_is_torchs(total: int, warmup: int | None) -> None:
    share = 0.1 if warmup is None else warmup / total
    parameter = nn.Parameter(torch.zeros(1))
    oracle = torch.optim.Adam([parameter], lr=0.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(oracle, max_lr=2e-3, total_steps=total, pct_start=share)
    ours = torch.optim.Adam([parameter], lr=2e-3)
    schedule = Schedule(OptimConfig(lr=2e-3, schedule="onecycle", warmup_steps=warmup), ours, total)
    for step in range(total):
        schedule.apply(ours, step)
        assert ours.param_groups[0]["lr"] == pytest.approx(oracle.param_groups[0]["lr"], rel=1e-9)
        assert ours.param_groups[0]["betas"] == pytest.approx(oracle.param_groups[0]["betas"])
        oracle.step()
        if step + 1 < total:
            theirs.step()


def test_constant_and_its_warmup() -> None:
    assert rates(5, schedule="constant") == [1.0] * 5
    assert rates(5, schedule="constant", warmup_steps=4) == [0.25, 0.5, 0.75, 1.0, 1.0]


def test_cosine_falls_to_nothing_after_its_warmup() -> None:
    seen = rates(20, schedule="cosine", warmup_steps=4)
    assert seen[:4] == [0.25, 0.5, 0.75, 1.0]
    assert seen[4:] == pytest.approx([(1 + math.cos(math.pi * i / 16)) / 2 for i in range(16)])


def test_plateau_falls_when_delta1_does_not_rise() -> None:
    optimizer = torch.optim.Adam([nn.Parameter(torch.zeros(1))], lr=1.0)
    config = OptimConfig(lr=1.0, schedule="plateau", plateau_patience=2, plateau_factor=0.5)
    schedule = Schedule(config, optimizer, 100)
    seen = []
    for delta1 in (0.3, 0.5, 0.4, 0.5, 0.5, 0.5, 0.6, 0.5):
        schedule.validated(delta1)
        seen.append(schedule.factor(10))
    assert seen == [1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.25]
    other = Schedule(config, optimizer, 100)
    other.load_state_dict(schedule.state_dict())
    other.validated(0.1)
    assert other.factor(10) == 0.125


def test_plateau_of_a_run(frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "validate", lambda *_: {"delta1": 0.5, "rmse": 1.0})
    optim = OptimConfig(lr=1e-3, encoder_lr_factor=0.1, schedule="plateau", plateau_patience=1, plateau_factor=0.1)
    out = run(frames, tmp_path / "run", optim=optim, epochs=3, engine=replace(QUIET, log_every=3))
    decoder = [float(row["lr_decoder"]) for row in rows(out) if row["lr_decoder"]]
    encoder = [float(row["lr_encoder"]) for row in rows(out) if row["lr_encoder"]]
    assert decoder == pytest.approx([1e-3, 1e-3, 1e-4])
    assert encoder == pytest.approx([1e-4, 1e-4, 1e-5])


def test_a_frozen_encoder_stands_still_with_its_statistics(
    frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, Tensor]] = []
    step = Session.train_step

    def spying(self: Session, *arguments: Any) -> Tensor:
        seen.append({k: v.clone() for k, v in self.module.net.state_dict().items()})
        return step(self, *arguments)

    monkeypatch.setattr(Session, "train_step", spying)
    run(frames, tmp_path / "run", optim=OptimConfig(lr=1e-3, freeze_encoder_epochs=1))

    def moved(one: dict[str, Tensor], other: dict[str, Tensor], part: str) -> set[str]:
        return {k for k in one if k.startswith(part) and not torch.equal(one[k], other[k])}

    assert not moved(seen[0], seen[3], "encoder.")
    assert moved(seen[0], seen[3], "decoder.")
    thawed = moved(seen[3], seen[5], "encoder.")
    assert any(key.endswith("running_mean") for key in thawed)
    assert any(key.endswith("conv_pw.weight") for key in thawed)


@pytest.mark.parametrize("loss", ["paper", "log"])
def test_parts_of_a_batch_make_the_same_step(loss: Any, frames: Path, tmp_path: Path) -> None:
    """BatchNorm stands still here: it sees each part alone."""
    usual: dict[str, Any] = {
        "model": replace(TINY, output="exp"),
        "loss": LossConfig(loss),
        "batch_size": 6,
        "epochs": 4,
        "engine": replace(QUIET, log_every=1),
    }
    optim = OptimConfig(lr=1e-3, freeze_encoder_epochs=9, clip_norm=0.5)
    whole = run(frames, tmp_path / "whole", optim=optim, **usual)
    parts = run(frames, tmp_path / "parts", optim=replace(optim, accumulate=3), **usual)
    assert losses(parts) == pytest.approx(losses(whole), abs=1e-5)
    assert len(losses(whole)) == 4


def gradients(net: DenseDepth, image: Tensor) -> dict[str, Tensor]:
    torch.manual_seed(1)
    net.zero_grad()
    net(image).square().mean().backward()
    return {name: parameter.grad.clone() for name, parameter in net.named_parameters() if parameter.grad is not None}


def test_gradient_checkpointing_changes_nothing() -> None:
    torch.manual_seed(0)
    plain = DenseDepth("densenet(2,3,2,2)", decoder_width=16).train()
    module: Any
    for module in plain.modules():
        if hasattr(module, "drop_rate"):
            module.drop_rate = 0.2  # random numbers are drawn again as they were
    saving = DenseDepth("densenet(2,3,2,2)", decoder_width=16).train()
    for module in saving.modules():
        if hasattr(module, "drop_rate"):
            module.drop_rate = 0.2
    saving.load_state_dict(plain.state_dict())
    saving.encoder.checkpoint_gradients()
    image = torch.rand(2, 3, 64, 96)
    for _ in range(2):
        one, other = gradients(plain, image), gradients(saving, image)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
    states = plain.state_dict(), saving.state_dict()
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items()), "running statistics, too"


def kept_bytes(net: DenseDepth, image: Tensor) -> int:
    """Bytes that the forward pass keeps for the gradient."""
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        net.encoder(image)
    return sum(kept.values())


def test_gradient_checkpointing_keeps_less() -> None:
    net, image = DenseDepth("densenet(6,12,4,4)", decoder_width=16).train(), torch.rand(2, 3, 96, 96)
    plain = kept_bytes(net, image)
    net.encoder.checkpoint_gradients()
    assert kept_bytes(net, image) < 0.5 * plain


def test_a_checkpointed_run(frames: Path, tmp_path: Path) -> None:
    model = ModelConfig(encoder="densenet(1,1,1,1)", decoder_width=16, pretrained=False)
    plain = run(frames, tmp_path / "plain", model=model)
    saving = run(frames, tmp_path / "saving", model=model, engine=EngineConfig(loggers=[], grad_checkpointing=True))
    one, other = load_checkpoint(plain)[0].state_dict(), load_checkpoint(saving)[0].state_dict()
    assert all(torch.equal(value, other[key]) for key, value in one.items())


def test_bf16_learns_and_keeps_its_loss_in_full_precision(
    frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[Any] = set()
    loss = DepthModule.loss

    def spying(self: DepthModule, prediction: Tensor, batch: dict[str, Tensor], counts: Tensor | None) -> Tensor:
        value = loss(self, prediction, batch, counts)
        seen.update([batch["depth_m"].dtype, value.dtype])
        assert batch["depth_m"].frac().abs().max() > 0
        return value

    monkeypatch.setattr(DepthModule, "loss", spying)
    engine = replace(QUIET, log_every=1)
    half = run(frames, tmp_path / "half", precision="bf16-mixed", engine=engine, epochs=3)
    full = run(frames, tmp_path / "full", precision="32-true", engine=engine, epochs=3)
    assert seen == {torch.float32}
    assert losses(half) == pytest.approx(losses(full), rel=0.05)
    assert losses(half) != losses(full)
    assert all(value.dtype != torch.bfloat16 for value in load_checkpoint(half)[0].state_dict().values())


def test_compiled_is_the_same_training(frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the compiler makes of the graph; here it is only taken down and run."""
    modes: list[bool] = []
    compile_in_place = nn.Module.compile

    def captured(self: nn.Module) -> None:
        modes.append(self.training)
        compile_in_place(self, backend="aot_eager")

    monkeypatch.setattr(nn.Module, "compile", captured)
    engine = replace(QUIET, log_every=1)
    plain = run(frames, tmp_path / "plain", engine=engine)
    assert not modes
    compiled = run(frames, tmp_path / "compiled", engine=replace(engine, compile=True))
    assert modes == [True]
    assert losses(compiled) == pytest.approx(losses(plain), rel=1e-3)
    assert load_checkpoint(compiled)[1]["step"] == 6


@pytest.mark.parametrize("config", [OptimConfig(), OptimConfig(keras_epsilon=True), OptimConfig("adamw")])
def test_a_fused_optimiser_is_the_same(config: OptimConfig) -> None:
    torch.manual_seed(0)
    nets = [DenseDepth("test_efficientnet", decoder_width=16) for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    optimizers = [
        build_optimizer(config, net.encoder, net.decoder, fused=fused)
        for net, fused in zip(nets, (None, True), strict=True)
    ]
    assert isinstance(optimizers[1], KerasAdam) == config.keras_epsilon
    for _ in range(3):
        for net, optimizer in zip(nets, optimizers, strict=True):
            for parameter in net.parameters():
                parameter.grad = parameter.detach() * 0.1
            optimizer.step()
    for one, other in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(one, other)
