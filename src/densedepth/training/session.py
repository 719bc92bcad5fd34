"""The state of a run and its two movements, a training step and a validation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from densedepth.errors import DenseDepthError
from densedepth.metrics import METRIC_NAMES, DepthMetrics, metrics_of_moments
from densedepth.models import DenseDepth
from densedepth.models.depthwise import quicken_depthwise
from densedepth.training.loader import Batch, DepthData
from densedepth.training.module import DepthModule
from densedepth.training.optim import build_optimizer
from densedepth.training.parallel import gather_rows, share_batchnorm
from densedepth.training.recipe import Recipe
from densedepth.training.schedule import Schedule

#: What a step reports, as one small tensor: the mean over all processes.
REPORT = ("loss", "delta1", "stop")


class Session:
    """What changes from step to step.

    The network's own randomness (dropout, stochastic depth) is drawn from (seed, step, rank), as frames and their
    augmentation are from (seed, epoch, index): a run that goes on needs no state of any random generator.

    Attributes:
        step: optimiser steps done.
        epoch: epochs done, their validations included.
        best: highest validation delta1 so far.
        since_best: validations since then.
        sums: of what the log averages.
    """

    def __init__(self, recipe: Recipe, fabric: Fabric, net: DenseDepth, steps_per_epoch: int) -> None:
        self.recipe = recipe
        self.fabric = fabric
        self.steps_per_epoch = steps_per_epoch
        self.total_steps = recipe.epochs * steps_per_epoch
        if recipe.max_steps > 0:
            self.total_steps = min(self.total_steps, recipe.max_steps)
        self.step = self.epoch = self.since_best = 0
        self.best = float("-inf")
        self.sums = {"loss": 0.0, "delta1": 0.0, "steps": 0, "epoch_loss": 0.0, "epoch_steps": 0}
        self.frames_without_depth = 0

        cuda = fabric.device.type == "cuda"
        net = net.to(fabric.device)
        if recipe.channels_last:
            net = net.to(memory_format=torch.channels_last)
        if fabric.device.type == "cpu" and recipe.precision == "bf16-mixed":
            quicken_depthwise(net)
        self.averaged: AveragedModel | None = None
        if recipe.optim.ema_decay > 0:
            average = get_ema_multi_avg_fn(recipe.optim.ema_decay)  # type: ignore[no-untyped-call]
            # Buffers too: the averaged weights need the running statistics that belong to them.
            self.averaged = AveragedModel(net, multi_avg_fn=average, use_buffers=True)
        if fabric.world_size > 1:
            net = share_batchnorm(net, on_gpu=cuda)
        self.module = DepthModule(net, recipe.loss)
        if recipe.engine.compile is True:
            self.module.compile()
        self._wrapped = fabric.setup_module(self.module)
        # The gradient scaler of fp16 and a fused optimiser would both undo the scaling.
        fused = True if cuda and fabric.strategy.precision.precision != "16-mixed" else None
        self.optimizer = build_optimizer(recipe.optim, net.encoder, net.decoder, fused=fused)
        self._wrapped_optimizer: Any = fabric.setup_optimizers(self.optimizer)
        self.schedule = Schedule(recipe.optim, self.optimizer, self.total_steps)

    @property
    def best_net(self) -> DenseDepth:
        """The network to validate, save and export."""
        return self.module.net if self.averaged is None else cast(DenseDepth, self.averaged.module)

    @property
    def done(self) -> bool:
        """Whether the run has reached its end."""
        patience = self.recipe.engine.early_stopping
        return self.step >= self.total_steps or 0 < patience <= self.since_best

    @property
    def at_epoch_end(self) -> bool:
        """Whether all steps of the current epoch are done."""
        return self.step == (self.epoch + 1) * self.steps_per_epoch

    @property
    def learning_rates(self) -> dict[str, float]:
        """``lr_encoder`` and ``lr_decoder`` of the last step."""
        groups = self.optimizer.param_groups
        return {"lr_encoder": groups[0]["lr"], "lr_decoder": groups[-1]["lr"]}

    def begin_epoch(self) -> None:
        """Bring the network into the mode of this epoch."""
        self.module.freeze_encoder(self.epoch < self.recipe.optim.freeze_encoder_epochs)

    def train_step(self, batch: Batch, stop: bool) -> Tensor:
        """One optimiser step on this process' part of a batch.

        Args:
            batch: as the loader makes it.
            stop: whether this process was asked to stop; the report tells all others.

        Returns:
            ``REPORT`` on the device; reading it waits for the device.
        """
        optim, fabric = self.recipe.optim, self.fabric
        torch.manual_seed(_number_of(self.recipe.seed, self.step, fabric.global_rank))
        self.schedule.apply(self.optimizer, self.step)
        batch = {name: value.to(fabric.device, non_blocking=True) for name, value in batch.items()}
        counts = self._counts(batch["valid"])
        report = torch.zeros(len(REPORT), device=fabric.device)
        parts = _cut(batch, optim.accumulate)
        for number, part in enumerate(parts, start=1):
            with fabric.no_backward_sync(self._wrapped, enabled=number < len(parts) and fabric.world_size > 1):
                prediction = self._wrapped(self._image(part))
                loss = self.module.loss(prediction, part, counts) / len(parts)
                fabric.backward(loss)
            delta1 = self.module.delta1(prediction.detach(), part) / len(parts)
            report += torch.stack([loss.detach(), delta1, torch.zeros_like(delta1)])
        report[-1] += stop
        if optim.clip_norm > 0:
            fabric.clip_gradients(
                self._wrapped, self._wrapped_optimizer, max_norm=optim.clip_norm, error_if_nonfinite=False
            )
        self._wrapped_optimizer.step()
        self._wrapped_optimizer.zero_grad()
        if self.averaged is not None:
            self.averaged.update_parameters(self.module.net)
        self.step += 1
        return cast(Tensor, fabric.all_reduce(report, reduce_op="mean"))

    @torch.no_grad()
    def validate(
        self, data: DepthData, stop: Callable[[], bool], look: Callable[[Batch, Tensor], None]
    ) -> dict[str, float] | None:
        """Metrics of the network to keep, every validation frame once, over all processes.

        Args:
            data: the frames.
            stop: asked after every batch.
            look: is shown each batch and its depth in metres.

        Returns:
            Mean over images of each metric, or None if some process was asked to stop.

        Raises:
            DenseDepthError: no validation frame has a pixel with depth.
        """
        net = self.best_net
        net.eval()
        metrics, seen = DepthMetrics(), 0
        for batch in data.validation_batches():
            with self.fabric.autocast():
                reciprocal = net(self._image(batch).to(self.fabric.device, non_blocking=True) / 255)
            depth_m = net.to_metres(reciprocal.float()).cpu()
            look(batch, depth_m)
            for predicted, truth, valid in zip(depth_m, batch["depth_m"], batch["valid"], strict=True):
                seen += 1
                if valid.any():
                    metrics.update(predicted[valid].numpy(), truth[valid].numpy())
            if stop():
                break
        self.module.train()
        stopped = gather_rows(self.fabric, np.array([[float(stop()), seen]]))
        if stopped[:, 0].any():
            return None
        moments = gather_rows(self.fabric, metrics.moments)
        self.frames_without_depth = int(stopped[:, 1].sum()) - len(moments)
        if not len(moments):
            raise DenseDepthError(f"{self.recipe.data.root}: no validation frame has a pixel with depth")
        values = metrics_of_moments(moments).mean(axis=0)
        return {name: float(value) for name, value in zip(METRIC_NAMES, values, strict=True)}

    def judge(self, delta1: float, scheduled: bool) -> bool:
        """Whether a validation is the best so far. Only ``scheduled`` ones count for plateau and early stopping."""
        better = delta1 > self.best
        if scheduled:
            self.schedule.validated(delta1)
            self.since_best = 0 if better else self.since_best + 1
        self.best = max(self.best, delta1)
        return better

    def state_dict(self) -> dict[str, Any]:
        """Everything but ``best_net``'s weights, in types that need no unpickling."""
        averaged = self.averaged
        return {
            "step": self.step,
            "epoch": self.epoch,
            "best": self.best,
            "since_best": self.since_best,
            "sums": dict(self.sums),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.fabric.strategy.precision.state_dict(),
            "averaged_steps": None if averaged is None else int(averaged.n_averaged),
            "net": None if averaged is None else self.module.net.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any], best_net: dict[str, Tensor]) -> None:
        """Go on where ``state`` was taken."""
        if self.averaged is None:
            self.module.net.load_state_dict(best_net)
        else:
            self.averaged.module.load_state_dict(best_net)
            self.averaged.n_averaged.fill_(state["averaged_steps"])
            self.module.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.fabric.strategy.precision.load_state_dict(state["scaler"])
        self.step, self.epoch = state["step"], state["epoch"]
        self.best, self.since_best = state["best"], state["since_best"]
        self.sums = dict(state["sums"])

    def _image(self, batch: Batch) -> Tensor:
        layout = torch.channels_last if self.recipe.channels_last else torch.contiguous_format
        return batch["image"].contiguous(memory_format=layout)

    def _counts(self, valid: Tensor) -> Tensor | None:
        """Mean count of a part of the batch: with it, parts of a batch have together the loss of the whole."""
        parts = self.recipe.optim.accumulate
        if parts * self.fabric.world_size == 1:
            return None
        counts = self.module.criterion.counts(valid) / parts
        return cast(Tensor, self.fabric.all_reduce(counts, reduce_op="mean"))


def _cut(batch: Batch, parts: int) -> list[Batch]:
    cut = {name: value.chunk(parts) for name, value in batch.items()}
    return [{name: pieces[number] for name, pieces in cut.items()} for number in range(parts)]


def _number_of(*key: int) -> int:
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))
