"""The Lightning module: one training step, one validation step, the optimiser."""

from __future__ import annotations

from typing import Any, cast

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from densedepth.errors import DenseDepthError
from densedepth.losses import DepthLoss, LogDepthLoss
from densedepth.metrics import DepthMetrics
from densedepth.models import DenseDepth
from densedepth.training.config import LossConfig, OptimConfig
from densedepth.training.optim import build_optimizer


class DepthModule(pl.LightningModule):
    """Trains a :class:`~densedepth.models.DenseDepth`; validates and hands out averaged weights if there are any."""

    def __init__(self, net: DenseDepth, loss: LossConfig, optim: OptimConfig) -> None:
        super().__init__()
        self.net = net
        self.optim = optim
        self.loss = build_loss(loss, net)
        self.averaged: AveragedModel | None = None
        if optim.ema_decay > 0:
            average = get_ema_multi_avg_fn(optim.ema_decay)  # type: ignore[no-untyped-call]
            # Buffers too: the averaged weights need the running statistics that belong to them.
            self.averaged = AveragedModel(net, multi_avg_fn=average, use_buffers=True)

    @property
    def best_net(self) -> DenseDepth:
        """The network to validate, save and export."""
        return self.net if self.averaged is None else cast(DenseDepth, self.averaged.module)

    def on_train_start(self) -> None:
        if self.optim.schedule != "onecycle":
            return
        # A resumed run brings the length of its schedule along.
        started, asked = self.lr_schedulers().total_steps, int(self.trainer.estimated_stepping_batches)  # type: ignore[union-attr]
        if started != asked:
            raise DenseDepthError(
                f"the run was started with a onecycle schedule of {started} steps, this command asks for {asked}: "
                "give the same length, or begin another run with --init_from"
            )

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        prediction = self.net(batch["image"] / 255)
        loss: Tensor = self.loss(prediction, self.net.to_reciprocal(batch["depth_m"]), batch["valid"])
        if not torch.isfinite(loss):
            raise DenseDepthError(f"loss is {loss.item()} at step {self.global_step}: lower --optim.lr")
        self.log("train_loss", loss, prog_bar=True, on_step=True, on_epoch=True, batch_size=len(prediction))
        return loss

    def on_train_batch_end(self, *_: Any) -> None:
        if self.averaged is not None:
            self.averaged.update_parameters(self.net)

    def on_validation_epoch_start(self) -> None:
        self.metrics = DepthMetrics()

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        net = self.best_net.eval()
        depth_m = net.to_metres(net(batch["image"] / 255))
        for predicted, truth, valid in zip(depth_m, batch["depth_m"], batch["valid"], strict=True):
            if valid.any():
                self.metrics.update(_numpy(predicted[valid]), _numpy(truth[valid]))

    def on_validation_epoch_end(self) -> None:
        for name, value in self.metrics.per_image().items():
            self.log(f"val_{name}", value, prog_bar=name in ("delta1", "rmse"))

    def configure_optimizers(self) -> Any:
        optimizer = build_optimizer(self.optim, self.net.encoder, self.net.decoder)
        if self.optim.schedule == "constant":
            return optimizer
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=[group["lr"] for group in optimizer.param_groups],
            total_steps=int(self.trainer.estimated_stepping_batches),
            pct_start=0.1,
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def build_loss(config: LossConfig, net: DenseDepth) -> nn.Module:
    """The loss of a recipe. The SSIM range of the paper's loss follows from the network's targets.

    Raises:
        DenseDepthError: the log loss is asked of a network whose output may be negative.
    """
    arch = net.architecture
    if config.name == "paper":
        return DepthLoss(dynamic_range=arch.reciprocal_m / arch.depth_range_m[0])
    if arch.output != "exp":
        raise DenseDepthError("--loss.name log takes logarithms: set --model.output exp as well")
    return LogDepthLoss(config.gradient_weight)


def _numpy(values: Tensor) -> np.ndarray:
    return values.float().cpu().numpy()
