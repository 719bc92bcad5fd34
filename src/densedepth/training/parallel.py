"""Devices, processes and precision of a run, by Lightning Fabric; and BatchNorm over all processes."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import torch
from lightning.fabric import Fabric
from lightning.fabric.strategies.ddp import DDPStrategy
from timm.layers import convert_sync_batchnorm  # type: ignore[attr-defined]
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce

from densedepth.errors import DenseDepthError
from densedepth.io.opening import one_line
from densedepth.models import DenseDepth
from densedepth.training.recipe import Precision, Recipe


def accelerator_of(recipe: Recipe) -> str:
    """ "cuda" or "cpu"."""
    if recipe.engine.accelerator == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if recipe.engine.accelerator == "cuda" and not torch.cuda.is_available():
        raise DenseDepthError("--engine.accelerator cuda: torch finds no GPU here; leave it out")
    return recipe.engine.accelerator


def precision_of(recipe: Recipe) -> Precision:
    """Lightning's name of the arithmetic, "auto" decided."""
    cuda = accelerator_of(recipe) == "cuda"
    if recipe.precision == "auto":
        return "bf16-mixed" if cuda and torch.cuda.is_bf16_supported() else "32-true"
    if recipe.precision == "16-mixed" and not cuda:
        raise DenseDepthError("--precision 16-mixed needs a GPU: use bf16-mixed or 32-true")
    return recipe.precision


def compiles(recipe: Recipe) -> bool:
    """Whether torch.compile is used, "auto" decided."""
    if recipe.engine.compile != "auto":
        return recipe.engine.compile
    has_compiler = importlib.util.find_spec("triton") is not None
    return accelerator_of(recipe) == "cuda" and has_compiler and not recipe.engine.grad_checkpointing


def build_fabric(recipe: Recipe) -> Fabric:
    """Fabric for a recipe, not yet launched.

    Raises:
        DenseDepthError: there are fewer GPUs than asked for, or torchrun started another number of processes.
    """
    engine = recipe.engine
    accelerator, processes = accelerator_of(recipe), engine.devices * engine.nodes
    if accelerator == "cuda" and engine.devices > torch.cuda.device_count():
        raise DenseDepthError(f"--engine.devices {engine.devices}: this machine has {torch.cuda.device_count()} GPUs")
    started = int(os.environ["WORLD_SIZE"]) if "TORCHELASTIC_RUN_ID" in os.environ else processes
    if started != processes:
        raise DenseDepthError(
            f"torchrun started {started} processes, but --engine.devices {engine.devices} times --engine.nodes "
            f"{engine.nodes} is {processes}: make them agree"
        )
    strategy: Any = "auto"
    if processes > 1:
        # A frozen encoder has no gradients, which DDP has to be told.
        strategy = DDPStrategy(find_unused_parameters=recipe.optim.freeze_encoder_epochs > 0)
    return Fabric(
        accelerator=accelerator,
        devices=engine.devices,
        num_nodes=engine.nodes,
        strategy=strategy,
        precision=cast(Any, precision_of(recipe)),
    )


def launch(fabric: Fabric) -> None:
    """Start the other processes, or find those that torchrun or SLURM has started.

    Raises:
        DenseDepthError: what SLURM was asked for and what the recipe asks for do not fit.
    """
    try:
        fabric.launch()
    except (ValueError, RuntimeError) as error:
        raise DenseDepthError(
            f"{fabric.world_size} processes cannot be started ({one_line(error)}): "
            "see --engine.devices and --engine.nodes"
        ) from error


@contextmanager
def end_others(fabric: Fabric) -> Iterator[None]:
    """When this process fails, do not leave those it has started waiting for it."""
    try:
        yield
    except Exception as error:
        launcher: Any = fabric.strategy.launcher
        for process in getattr(launcher, "procs", []):
            process.kill()
        if isinstance(error, torch.distributed.DistError) or "gloo" in str(error):
            raise DenseDepthError(
                f"process {fabric.global_rank} of {fabric.world_size} has lost another, whose own message says why; "
                "the same command goes on from the last checkpoint"
            ) from error
        raise


def gather_rows(fabric: Fabric, rows: np.ndarray) -> np.ndarray:
    """The rows (n, columns) of all processes under each other, in the order of ranks; n may differ."""
    if fabric.world_size == 1:
        return rows
    counts = _gathered(fabric, torch.tensor([len(rows)])).flatten().tolist()
    padded = torch.zeros(max(counts), rows.shape[1], dtype=torch.float64)
    padded[: len(rows)] = torch.from_numpy(rows)
    parts = _gathered(fabric, padded).numpy()
    return np.concatenate([part[:count] for part, count in zip(parts, counts, strict=True)])


def _gathered(fabric: Fabric, mine: Tensor) -> Tensor:
    """Equally large tensors of all processes, stacked, on the CPU."""
    mine = mine.to(fabric.device)
    parts = [torch.empty_like(mine) for _ in range(fabric.world_size)]
    torch.distributed.all_gather(parts, mine)
    return torch.stack(parts).cpu()


def share_batchnorm(net: DenseDepth, on_gpu: bool) -> DenseDepth:
    """Let every BatchNorm take its statistics from the batch of all processes. Names of weights stay."""
    if on_gpu:
        return cast(DenseDepth, convert_sync_batchnorm(net))  # type: ignore[no-untyped-call]
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.__class__ = GlobalBatchNorm2d
    return net


class GlobalBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm over the batch of all processes, of any backend; torch's own SyncBatchNorm is for GPUs only.

    Also takes the place of timm's BatchNorm with an activation behind it. All processes have equally large parts.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def forward(self, x: Tensor) -> Tensor:
        x = self._shared(x) if self.training else super().forward(x)
        for name in ("drop", "act"):
            if hasattr(self, name):
                x = getattr(self, name)(x)
        return x

    def _shared(self, x: Tensor) -> Tensor:
        world = torch.distributed.get_world_size()
        axes, shape = (0, 2, 3), (1, -1, 1, 1)
        mean = _sum(x.mean(axes)) / world
        centred = x - mean.view(shape)
        variance = _sum(centred.square().mean(axes)) / world
        if self.track_running_stats:
            momentum = self.momentum or 0.0
            pixels = x.numel() // x.shape[1] * world
            with torch.no_grad():
                self.num_batches_tracked.add_(1)
                self.running_mean.lerp_(mean, momentum)
                self.running_var.lerp_(variance * pixels / (pixels - 1), momentum)
        scale = (variance + self.eps).rsqrt() * self.weight
        return centred * scale.view(shape) + self.bias.view(shape)


def _sum(values: Tensor) -> Tensor:
    """Over all processes, with gradients."""
    return cast(Tensor, all_reduce(values))  # type: ignore[no-untyped-call]
