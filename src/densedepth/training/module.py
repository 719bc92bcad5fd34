"""The network and its loss as training sees them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from densedepth.errors import DenseDepthError
from densedepth.losses import DepthLoss, LogDepthLoss
from densedepth.models import DenseDepth
from densedepth.training.config import LossConfig

DepthLosses = DepthLoss | LogDepthLoss

#: Small, so that clipping the gradient's norm is not decided by a part that teaches the depth nothing.
EXPECTED_ERROR_WEIGHT = 0.1

#: Of the silog loss, as arXiv 1907.10326 has it.
SCALE_FREE = 0.85


class DepthModule(nn.Module):
    """A :class:`~densedepth.models.DenseDepth` that takes photos as the loader makes them, and its loss.

    The loss is apart from ``forward``, because mixed precision is for the network only.
    """

    def __init__(self, net: DenseDepth, loss: LossConfig) -> None:
        super().__init__()
        self.net = net
        self.criterion = build_loss(loss, net)
        self.frozen = False

    def forward(self, image: Tensor) -> Tensor:
        """uint8 (N, 3, H, W) to what :meth:`DenseDepth.answers` says, (N, 1 or 2, H/2, W/2)."""
        return self.net.answers(image / 255)

    def loss(self, prediction: Tensor, batch: dict[str, Tensor], counts: Tensor | None = None) -> Tensor:
        """Mean loss of the batch in full precision; ``counts`` as the losses take it."""
        target = self.net.to_reciprocal(batch["depth_m"])
        prediction = prediction.float()
        loss: Tensor = self.criterion(prediction[:, :1], target, batch["valid"], counts)
        if not self.net.architecture.uncertainty:
            return loss
        counted = None if counts is None else counts[0]
        expected = expected_error_loss(self.net.to_metres(prediction[:, :1]), prediction[:, 1:], batch, counted)
        return loss + EXPECTED_ERROR_WEIGHT * expected

    @torch.no_grad()
    def delta1(self, prediction: Tensor, batch: dict[str, Tensor]) -> Tensor:
        """Share of the batch's valid pixels that are less than a quarter off."""
        ratio = self.net.to_metres(prediction[:, :1].float()) / batch["depth_m"]
        close = (ratio < 1.25) & (ratio > 1 / 1.25) & batch["valid"]
        return close.sum() / batch["valid"].sum().clamp(min=1)

    def freeze_encoder(self, frozen: bool) -> None:
        """Whether the encoder stands still: its weights, and the statistics of its BatchNorms."""
        self.frozen = frozen
        self.net.encoder.requires_grad_(not frozen)
        self.train()

    def train(self, mode: bool = True) -> DepthModule:
        super().train(mode)
        if self.frozen:
            self.net.encoder.eval()
        return self


def expected_error_loss(
    depth_m: Tensor, log_error: Tensor, batch: dict[str, Tensor], count: Tensor | None = None
) -> Tensor:
    """Negative log likelihood of the errors of log depth under a Laplace distribution of scale exp(log_error).

    Args:
        depth_m: predicted, (N, 1, H, W); gets no gradient.
        log_error: the second channel of :meth:`DenseDepth.answers`.
        batch: ``depth_m`` and ``valid`` of the truth.
        count: number of valid pixels to divide by, instead of this batch's.
    """
    valid = batch["valid"]
    truth_m = torch.where(valid, batch["depth_m"], 1.0)
    error = torch.where(valid, (depth_m.detach() / truth_m).log().abs(), 0.0)
    likelihood = torch.where(valid, error * (-log_error).exp() + log_error, 0.0)
    return likelihood.sum() / (valid.sum() if count is None else count).clamp(min=1)


def build_loss(config: LossConfig, net: DenseDepth) -> DepthLosses:
    """The loss of a recipe. The SSIM range of the paper's loss follows from the network's targets.

    Raises:
        DenseDepthError: a loss of logarithms is asked of a network whose output may be negative.
    """
    arch = net.architecture
    if config.name == "paper":
        return DepthLoss(dynamic_range=arch.reciprocal_m / arch.depth_range_m[0])
    if arch.output != "exp":
        raise DenseDepthError(f"--loss.name {config.name} takes logarithms: set --model.output exp as well")
    return LogDepthLoss(config.gradient_weight, scale_free=SCALE_FREE if config.name == "silog" else None)
