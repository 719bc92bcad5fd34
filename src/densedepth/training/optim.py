"""The optimisers of a recipe."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from densedepth.errors import DenseDepthError
from densedepth.training.config import OptimConfig

KERAS_EPSILON = 1e-7


class KerasAdam(torch.optim.Adam):
    """Adam with amsgrad in Keras' form: epsilon stands outside the bias correction.

    Keras (2.15) steps by lr * c * m / (sqrt(max v) + eps) with c = sqrt(1 - beta2^t) / (1 - beta1^t), torch by
    lr / (1 - beta1^t) * m / (sqrt(max v) / sqrt(1 - beta2^t) + eps). Both keep the maximum of the uncorrected v, so
    they agree when torch's eps is Keras' divided by sqrt(1 - beta2^t): 3.2e-6 in the first step, 1e-7 after some
    thousands. Where gradients are that small, as they are behind many BatchNorms, the difference is felt.

    Args:
        params: parameters or groups of them.
        lr: learning rate.
        betas: decay of the two moments.
        epsilon: Keras' epsilon.
        fused: as in torch.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = KERAS_EPSILON,
        fused: bool | None = None,
    ) -> None:
        super().__init__(params, lr=lr, betas=betas, amsgrad=True, fused=fused)
        for group in self.param_groups:
            # In the group, so that state_dict carries them over a restart.
            group["keras_epsilon"], group["steps"] = epsilon, 0

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        for group in self.param_groups:
            group["steps"] += 1
            group["eps"] = group["keras_epsilon"] / math.sqrt(1 - group["betas"][1] ** group["steps"])
        return super().step(closure)


def build_optimizer(
    config: OptimConfig, encoder: nn.Module, decoder: nn.Module, *, fused: bool | None = None
) -> torch.optim.Optimizer:
    """The optimiser of a recipe, over encoder and decoder with their own rates: groups 0 and 1 are the encoder's.

    Args:
        config: the optimiser's part of the recipe.
        encoder: learns at ``lr * encoder_lr_factor``.
        decoder: learns at ``lr``.
        fused: one kernel for all parameters, for GPUs; None lets torch decide.

    Raises:
        DenseDepthError: Keras' epsilon is asked of another optimiser than Adam.
    """
    groups = _parameter_groups(config, encoder, decoder)
    if config.name == "adamw":
        if config.keras_epsilon:
            raise DenseDepthError("--optim.keras_epsilon is Adam's: set --optim.name adam, or leave it out")
        return torch.optim.AdamW(groups, fused=fused)
    return (
        KerasAdam(groups, fused=fused) if config.keras_epsilon else torch.optim.Adam(groups, amsgrad=True, fused=fused)
    )


def _parameter_groups(config: OptimConfig, encoder: nn.Module, decoder: nn.Module) -> list[dict[str, Any]]:
    assert config.lr != "auto", "a number by now: training.start.settled"
    groups = []
    for part, lr in ((encoder, config.lr * config.encoder_lr_factor), (decoder, config.lr)):
        weights = [p for p in part.parameters() if p.ndim > 1]
        others = [p for p in part.parameters() if p.ndim <= 1]
        groups.append({"params": weights, "lr": lr, "weight_decay": config.weight_decay})
        groups.append({"params": others, "lr": lr, "weight_decay": 0.0})
    return groups
