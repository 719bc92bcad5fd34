"""Two processes train as one does on the same batches, and every frame counts once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from densedepth.data import Subset
from densedepth.losses import DepthLoss, LogDepthLoss
from densedepth.training.order import WINDOW, BatchOrder, shard_of_each_frame
from small_runs import finish, rows, weights, write_frames, write_recipe

SCENES = [f"room_{number:04}" for number in range(15)]


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames with ever larger holes: the parts of a batch have unequally many pixels."""
    return write_frames(tmp_path_factory.mktemp("frames"), SCENES, holes=True)


def recipe(path: Path, frames: Path, **keys: Any) -> Path:
    return write_recipe(
        path,
        frames,
        model={"encoder": "test_efficientnet", "output": "exp"},
        engine={"log_every": 1, **keys.pop("engine", {})},
        optim={"lr": 3e-4, "schedule": "cosine", "warmup_steps": 2, "ema_decay": 0.8, **keys.pop("optim", {})},
        data={"validation_fraction": 0.2, **keys.pop("data", {})},
        **{"batch_size": 4, "epochs": 4, **keys},
    )


def curve(run: Path, column: str) -> list[float]:
    return [float(row[column]) for row in rows(run) if row[column]]


def compare(one: Path, two: Path) -> None:
    """Losses within 1e-5 at every step, metrics of every validation, and the weights at the end."""
    losses = curve(one, "train_loss")
    assert len(losses) == 12
    np.testing.assert_allclose(curve(two, "train_loss"), losses, rtol=0, atol=1e-5)
    np.testing.assert_allclose(curve(two, "train_loss_epoch"), curve(one, "train_loss_epoch"), rtol=0, atol=1e-5)
    for column in ("val_delta1", "val_rmse", "val_silog"):
        assert len(curve(one, column)) == 4
        np.testing.assert_allclose(curve(two, column), curve(one, column), rtol=1e-3)
    theirs = weights(two)
    for name, value in weights(one).items():
        torch.testing.assert_close(theirs[name], value, rtol=1e-3, atol=1e-4, msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["log", "paper"])
def test_two_processes_are_one(loss: str, frames: Path, tmp_path: Path) -> None:
    """BatchNorm in training mode included. Twelve training frames, three for validation: one process has two."""
    keys: dict[str, Any] = {"loss": {"name": loss}, "optim": {"freeze_encoder_epochs": 1 if loss == "log" else 0}}
    config = recipe(tmp_path / "recipe.yaml", frames, **keys)
    finish("--config", config, "--out", tmp_path / "one")
    said = finish("--config", config, "--out", tmp_path / "two", "--engine.devices", 2, "--data.workers", 1)
    assert "in 2 processes" in said
    assert said.count("12 training and 3 validation frames") == 1, "one process speaks"
    compare(tmp_path / "one", tmp_path / "two")


@pytest.mark.slow
def test_a_run_of_one_process_goes_on_in_two(frames: Path, tmp_path: Path) -> None:
    config = recipe(tmp_path / "recipe.yaml", frames, optim={"schedule": "constant"}, epochs=3)
    finish("--config", config, "--out", tmp_path / "one")
    finish("--config", config, "--out", tmp_path / "mixed", "--max_steps", 5)
    finish("--config", config, "--out", tmp_path / "mixed", "--engine.devices", 2)
    losses = curve(tmp_path / "one", "train_loss")
    assert len(losses) == 9
    np.testing.assert_allclose(curve(tmp_path / "mixed", "train_loss"), losses, rtol=0, atol=1e-5)


@pytest.mark.parametrize("criterion", [DepthLoss(), LogDepthLoss(), LogDepthLoss(scale_free=0.85)])
def test_parts_of_a_batch_have_the_loss_of_the_whole(criterion: Any) -> None:
    generator = torch.Generator().manual_seed(0)
    p, t = 1 + 9 * torch.rand(2, 6, 1, 24, 32, generator=generator)
    valid = torch.rand(6, 1, 24, 32, generator=generator) < torch.linspace(0.05, 1, 6).view(6, 1, 1, 1)
    whole = criterion(p, t, valid)
    counts = criterion.counts(valid) / 3
    parts = [criterion(*(x[i : i + 2] for x in (p, t, valid)), counts) for i in (0, 2, 4)]
    torch.testing.assert_close(torch.stack(parts).mean(), whole)
    alone = torch.stack([criterion(*(x[i : i + 2] for x in (p, t, valid))) for i in (0, 2, 4)]).mean()
    assert abs(alone - whole) > 1e-3, "the counts are what makes them equal"


def batches(order: BatchOrder, epoch: int, start: int = 0) -> list[list[int]]:
    order.begin(epoch, start)
    drawn = list(order)
    assert len(drawn) == len(order)
    assert all(number == epoch for batch in drawn for number, _ in batch)
    return [[index for _, index in batch] for batch in drawn]


@pytest.mark.parametrize("groups", [None, [i // 7 for i in range(103)]], ids=["anywhere", "shards"])
@pytest.mark.parametrize("world", [1, 2, 4])
def test_processes_share_each_batch(world: int, groups: list[int] | None) -> None:
    whole = BatchOrder(103, 8, seed=3, groups=groups)
    parts = [BatchOrder(103, 8, seed=3, rank=rank, world=world, groups=groups) for rank in range(world)]
    for epoch in (0, 1):
        drawn = batches(whole, epoch)
        pieces = zip(*(batches(part, epoch) for part in parts), strict=True)
        shared = [[index for piece in batch for index in piece] for batch in pieces]
        assert shared == drawn
        flat = [index for batch in drawn for index in batch]
        assert len(flat) == len(set(flat)) == 96
    assert batches(whole, 0) != batches(whole, 1)
    assert batches(whole, 0, start=5) == batches(whole, 0)[5:]
    assert batches(BatchOrder(103, 8, seed=3, groups=groups), 1) == batches(whole, 1)
    assert batches(BatchOrder(103, 8, seed=4, groups=groups), 1) != batches(whole, 1)


def test_frames_left_over_differ_from_epoch_to_epoch() -> None:
    order = BatchOrder(10, 4, seed=0, groups=[0] * 5 + [1] * 5)
    seen = Counter(index for epoch in range(60) for batch in batches(order, epoch) for index in batch)
    assert len(seen) == 10
    assert min(seen.values()) > 30


def test_shards_are_read_nearly_in_sequence() -> None:
    """20 shards of 1000 frames: in any stretch of a process' reading, few shards are open."""
    shard = np.repeat(np.arange(20), 1000)
    order = BatchOrder(20000, 8, seed=0, world=2, groups=shard.tolist())
    drawn = np.array(batches(order, 0))  # 4 lanes of the 8
    for lane in drawn.T:
        of_shard = shard[lane]
        assert all(len(set(of_shard[i : i + WINDOW])) <= 3 for i in range(0, len(lane), WINDOW))
    assert all(len(set(shard[batch])) >= 3 for batch in drawn[::100]), "a batch mixes shards"
    other = np.array(batches(BatchOrder(20000, 8, seed=0, rank=1, world=2, groups=shard.tolist()), 0))
    assert not set(drawn.ravel()) & set(other.ravel())
    within = np.diff(drawn[:WINDOW, 0])
    assert (within < 0).mean() > 0.3, "frames are shuffled within the window"


def test_shards_of_a_subset() -> None:
    class Shards:
        groups = (0, 0, 1, 1, 2)
        scenes = tuple("abcde")

        def __len__(self) -> int:
            return 5

        def __getitem__(self, index: int) -> Any:
            raise AssertionError("not read")

    assert shard_of_each_frame(Subset(Shards(), [4, 1, 2])) == [2, 0, 1]
