"""Learning rates as functions of the step, so that a run that goes on needs no memory of them (but for plateau)."""

from __future__ import annotations

import math
from typing import Any

import torch

from densedepth.errors import DenseDepthError
from densedepth.training.config import OptimConfig

# The shape of torch's OneCycleLR, whose numbers these are.
ONECYCLE_START, ONECYCLE_END = 25.0, 1e4
ONECYCLE_BETA1 = (0.95, 0.85)
ONECYCLE_RISE = 0.1


class Schedule:
    """Sets the learning rate of every parameter group before each step.

    Args:
        config: the optimiser's part of the recipe.
        optimizer: as made by ``build_optimizer``, its rates still those of the recipe.
        total_steps: steps of the whole run.
    """

    def __init__(self, config: OptimConfig, optimizer: torch.optim.Optimizer, total_steps: int) -> None:
        self.config = config
        self.total_steps = total_steps
        self.peaks = [group["lr"] for group in optimizer.param_groups]
        self.plateau = {"best": -math.inf, "since": 0, "factor": 1.0}

    def apply(self, optimizer: torch.optim.Optimizer, step: int) -> None:
        """Set the rates for step number ``step``, counted from 0."""
        factor = self.factor(step)
        for group, peak in zip(optimizer.param_groups, self.peaks, strict=True):
            group["lr"] = peak * factor
            if self.config.schedule == "onecycle":
                rising, share = self._onecycle(step)
                here, there = ONECYCLE_BETA1 if rising else ONECYCLE_BETA1[::-1]
                group["betas"] = (_cosine(here, there, share), *group["betas"][1:])

    def factor(self, step: int) -> float:
        """Share of the peak rate at ``step``."""
        if self.config.schedule == "onecycle":
            rising, share = self._onecycle(step)
            start = 1 / ONECYCLE_START
            return _cosine(start, 1.0, share) if rising else _cosine(1.0, start / ONECYCLE_END, share)
        warmup = self.config.warmup_steps or 0
        if step < warmup:
            return (step + 1) / warmup * self.plateau["factor"]
        if self.config.schedule == "cosine":
            return _cosine(1.0, 0.0, (step - warmup) / max(1, self.total_steps - warmup))
        return self.plateau["factor"]

    def validated(self, delta1: float) -> None:
        """Lower the rate if ``delta1`` has not risen for long enough."""
        if self.config.schedule != "plateau":
            return
        if delta1 > self.plateau["best"]:
            self.plateau |= {"best": delta1, "since": 0}
            return
        self.plateau["since"] += 1
        if self.plateau["since"] >= self.config.plateau_patience:
            self.plateau |= {"since": 0, "factor": self.plateau["factor"] * self.config.plateau_factor}

    def state_dict(self) -> dict[str, Any]:
        return {"name": self.config.schedule, "total_steps": self.total_steps, "plateau": dict(self.plateau)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with the schedule that ``state`` was taken of.

        Raises:
            DenseDepthError: it is another one, or its length is part of its shape and has changed.
        """
        name, steps = state["name"], state["total_steps"]
        if name != self.config.schedule:
            raise DenseDepthError(
                f"the run was started with --optim.schedule {name}, this command says {self.config.schedule}: "
                "make them agree, or begin another run with --init_from"
            )
        if name in ("onecycle", "cosine") and steps != self.total_steps:
            raise DenseDepthError(
                f"the run was started with a {name} schedule of {steps} steps, this command asks for "
                f"{self.total_steps}: give the same length, or begin another run with --init_from"
            )
        self.plateau = dict(state["plateau"])

    def _onecycle(self, step: int) -> tuple[bool, float]:
        """(still rising?, share of the rise or of the fall that is done)."""
        warmup = self.config.warmup_steps
        top = (ONECYCLE_RISE * self.total_steps if warmup is None else warmup) - 1
        last = self.total_steps - 1
        if step <= top:
            return True, step / top if top else 1.0
        return False, (step - top) / max(last - top, 1e-9)


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * min(share, 1.0)))
